package sockeye

import (
	"errors"
	"strconv"
	"syscall"
)

// The levels of socket options.
const (
	SOL_SOCKET = 1
	SOL_IP     = int(IPPROTO_IP)
	SOL_TCP    = int(IPPROTO_TCP)
	SOL_UDP    = int(IPPROTO_UDP)
	SOL_IPV6   = int(IPPROTO_IPV6)
	SOL_ICMPV6 = int(IPPROTO_ICMPV6)
	SOL_RAW    = 255
)

var levelNames = names{
	1: "SOL_SOCKET", 0: "SOL_IP", 6: "SOL_TCP", 17: "SOL_UDP", 41: "SOL_IPV6", 58: "SOL_ICMPV6", 255: "SOL_RAW",
}

// An Option is a socket option with the Go type of its value. The options
// themselves are variables that carry their Linux names:
//
//	err := sockeye.SO_REUSEADDR.Set(s, true)
//	mss, err := sockeye.TCP_MAXSEG.Get(s)
//
// Options that are not here can be reached by number, with Socket.Getsockopt
// and Socket.Setsockopt.
type Option[T any] struct {
	Level, Name int
	label       string
	access      Access
	codec       *codec[T]
}

// Access says which of getsockopt(2) and setsockopt(2) know an option.
type Access int

// The kinds of access.
const (
	ReadWrite Access = iota
	ReadOnly
	WriteOnly
)

var accessNames = names{0: "read-write", 1: "read-only", 2: "write-only"}

// String is read-write, read-only or write-only.
func (a Access) String() string { return accessNames.of(int(a)) }

// A codec turns a value into the bytes of an option and back. decode is given
// at least min bytes, encode is nil where the option can't be set.
type codec[T any] struct {
	typ    string // the C type, for people
	size   int    // room for the value
	min    int
	exact  bool // EINVAL for more room than the value takes
	encode func(v T) []byte
	decode func(b []byte) T
}

// AnyOption is an Option of whatever type: what is needed to list them.
type AnyOption interface {
	// String is the Linux name, such as "SO_REUSEADDR".
	String() string
	// Number is the level and the name, as getsockopt(2) takes them.
	Number() (level, name int)
	// LevelName is the level's Linux name, such as "SOL_SOCKET".
	LevelName() string
	// Type is the C type of the value, such as "int" or "struct linger".
	Type() string
	// Access says whether the option can be read and set.
	Access() Access
	// Value is getsockopt(2), with the value in the option's Go type.
	Value(s *Socket) (any, error)
}

// String is the option's Linux name.
func (o Option[T]) String() string { return o.label }

// Number is the option's level and name.
func (o Option[T]) Number() (level, name int) { return o.Level, o.Name }

// LevelName is the level's Linux name.
func (o Option[T]) LevelName() string { return levelNames.of(o.Level) }

// Type is the C type of the option's value.
func (o Option[T]) Type() string { return o.codec.typ }

// Access says whether the option can be read and set.
func (o Option[T]) Access() Access { return o.access }

// Value is Get for those who do not know the option's type.
func (o Option[T]) Value(s *Socket) (any, error) {
	v, err := o.Get(s)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Get is getsockopt(2).
func (o Option[T]) Get(s *Socket) (T, error) {
	var zero T
	buf := make([]byte, o.codec.size)
	n, err := s.Getsockopt(o.Level, o.Name, buf)
	for o.codec.exact && errors.Is(err, syscall.EINVAL) && len(buf) > o.codec.min {
		buf = buf[:len(buf)-1]
		n, err = s.Getsockopt(o.Level, o.Name, buf)
	}
	if err != nil {
		return zero, err
	}
	if n < o.codec.min {
		return zero, errors.New("getsockopt " + o.label + ": got " + strconv.Itoa(n) + " bytes, want at least " + strconv.Itoa(o.codec.min))
	}
	return o.codec.decode(buf[:n]), nil
}

// Set is setsockopt(2). An option that has no form to be set gives ENOPROTOOPT,
// as Linux does.
func (o Option[T]) Set(s *Socket, v T) error {
	if o.codec.encode == nil {
		return s.c.fail(callSetsockopt, Sockaddr{}, syscall.ENOPROTOOPT)
	}
	return s.Setsockopt(o.Level, o.Name, o.codec.encode(v))
}
