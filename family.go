package sockeye

import "strconv"

// A Family is an address family, the first argument of socket(2). The numbers
// are Linux's.
type Family uint16

// The families of the interface. The last four are historical: today's
// kernels answer EAFNOSUPPORT for them.
const (
	AF_UNSPEC    Family = 0
	AF_UNIX      Family = 1
	AF_INET      Family = 2
	AF_IPX       Family = 4
	AF_APPLETALK Family = 5
	AF_NS        Family = 6 // AF_NETROM on Linux, which has no AF_NS
	AF_ISO       Family = 7 // AF_BRIDGE on Linux, which has no AF_ISO
	AF_INET6     Family = 10
)

// A Type is a socket type, the second argument of socket(2), with the flags
// that may be or-ed into it.
type Type int

// The socket types, and the flags for socket, socketpair and accept4.
const (
	SOCK_STREAM    Type = 1
	SOCK_DGRAM     Type = 2
	SOCK_RAW       Type = 3
	SOCK_RDM       Type = 4
	SOCK_SEQPACKET Type = 5

	SOCK_NONBLOCK Type = 0o4000
	SOCK_CLOEXEC  Type = 0o2000000

	sockTypeMask Type = 0xf
)

// Base is t without its flags.
func (t Type) Base() Type { return t & sockTypeMask }

// A Protocol is the third argument of socket(2). Zero chooses the natural one
// for the family and type.
type Protocol int

// The protocols that sockets are opened with.
const (
	IPPROTO_IP      Protocol = 0
	IPPROTO_ICMP    Protocol = 1
	IPPROTO_TCP     Protocol = 6
	IPPROTO_UDP     Protocol = 17
	IPPROTO_IPV6    Protocol = 41
	IPPROTO_ICMPV6  Protocol = 58
	IPPROTO_OSPF    Protocol = 89
	IPPROTO_UDPLITE Protocol = 136
	IPPROTO_RAW     Protocol = 255
)

// How says which half of a connection shutdown(2) closes.
type How int

// The arguments of Shutdown.
const (
	SHUT_RD   How = 0
	SHUT_WR   How = 1
	SHUT_RDWR How = 2
)

// SOMAXCONN is the backlog that asks for as long a queue as the system allows:
// listen(2) cuts it to net.core.somaxconn.
const SOMAXCONN = 1<<16 - 1

var familyNames = names{
	0: "AF_UNSPEC", 1: "AF_UNIX", 2: "AF_INET", 4: "AF_IPX", 5: "AF_APPLETALK",
	6: "AF_NS", 7: "AF_ISO", 10: "AF_INET6",
}

var typeNames = names{
	1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 4: "SOCK_RDM", 5: "SOCK_SEQPACKET",
}

var protocolNames = names{
	1: "IPPROTO_ICMP", 6: "IPPROTO_TCP", 17: "IPPROTO_UDP", 41: "IPPROTO_IPV6",
	58: "IPPROTO_ICMPV6", 89: "IPPROTO_OSPF", 136: "IPPROTO_UDPLITE", 255: "IPPROTO_RAW",
}

var howNames = names{0: "SHUT_RD", 1: "SHUT_WR", 2: "SHUT_RDWR"}

// String is the Linux name, such as AF_INET, or else the number.
func (f Family) String() string { return familyNames.of(int(f)) }

// String is the Linux name, such as IPPROTO_TCP, or else the number.
func (p Protocol) String() string { return protocolNames.of(int(p)) }

// String is the Linux name, such as SHUT_WR, or else the number.
func (h How) String() string { return howNames.of(int(h)) }

// String is the Linux name, such as SOCK_STREAM, or else the number, with the flags behind it.
func (t Type) String() string {
	s := typeNames.of(int(t.Base()))
	return s + bits{
		{int(SOCK_NONBLOCK), "SOCK_NONBLOCK"}, {int(SOCK_CLOEXEC), "SOCK_CLOEXEC"},
	}.rest(int(t&^sockTypeMask))
}

// names gives constants their names.
type names map[int]string

func (m names) of(v int) string {
	if s, ok := m[v]; ok {
		return s
	}
	return strconv.Itoa(v)
}

// bits gives flags their names.
type bits []struct {
	bit  int
	name string
}

// String joins the names of the flags in v as C would write them.
func (b bits) String(v int) string {
	if v == 0 {
		return "0"
	}
	return b.rest(v)[1:]
}

// rest is String with a bar before each name.
func (b bits) rest(v int) string {
	var s string
	for _, e := range b {
		if v&e.bit != 0 {
			s += "|" + e.name
			v &^= e.bit
		}
	}
	if v != 0 {
		s += "|0x" + strconv.FormatInt(int64(v), 16)
	}
	return s
}
