package conformance

import (
	"encoding/binary"
	"os"
	"strings"
	"syscall"
	"time"

	. "sockeye"
)

// get is getsockopt(2) with the value in the option's own type.
func (x *calls) get(f *fd, o AnyOption) any {
	_ = f.String()
	v, err := o.Value(f.s)
	x.log(result(err, x.optionValue(o, v)), "getsockopt(%v, %s)", f, o)
	return v
}

// set is setsockopt(2) with a value of the option's own type.
func set[T any](x *calls, f *fd, o Option[T], v T) error {
	_ = f.String()
	err := o.Set(f.s, v)
	x.log(result(err), "setsockopt(%v, %s, %s)", f, o, x.optionValue(o, v))
	return err
}

// setInt is setsockopt(2) with an int, whatever the option's type.
func (x *calls) setInt(f *fd, o AnyOption, v int) error {
	_ = f.String()
	level, name := o.Number()
	err := f.s.SetsockoptInt(level, name, v)
	x.log(result(err), "setsockopt(%v, %s, %d)", f, o, v)
	return err
}

// setBytes is setsockopt(2) with any bytes, of any length.
func (x *calls) setBytes(f *fd, o AnyOption, v []byte) error {
	_ = f.String()
	level, name := o.Number()
	err := f.s.Setsockopt(level, name, v)
	x.log(result(err), "setsockopt(%v, %s, [%x], %d)", f, o, v, len(v))
	return err
}

// getBytes is getsockopt(2) with room for so many bytes. It tells the length
// and, where it does not vary, the value.
func (x *calls) getBytes(f *fd, o AnyOption, room int) {
	_ = f.String()
	level, name := o.Number()
	p := make([]byte, room)
	n, err := f.s.Getsockopt(level, name, p)
	value := sprintf("%d bytes", n)
	if !varies(o) && n <= room {
		value = sprintf("%d bytes [%x]", n, p[:n])
	}
	x.log(result(err, value), "getsockopt(%v, %s, %d bytes)", f, o, room)
}

// varies tells whether an option's value belongs to the machine or the moment.
func varies(o AnyOption) bool {
	switch o.String() {
	case "TCP_INFO", "TCP_TIMESTAMP", "SO_INCOMING_CPU", "SO_PEERCRED", "SO_PEERGROUPS", "SO_RCVBUF", "SO_SNDBUF":
		return true
	}
	return false
}

// optionValue shows a value, without what belongs to the machine.
func (x *calls) optionValue(o AnyOption, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case int:
		switch name := o.String(); {
		case name == "SO_RCVBUF" && v == 2*x.site.RcvbufMax:
			return "2*rmem_max"
		case name == "SO_RCVBUF" && v == x.site.RcvbufDefault:
			return "rmem_default"
		case name == "SO_SNDBUF" && v == 2*x.site.SndbufMax:
			return "2*wmem_max"
		case name == "SO_SNDBUF" && v == x.site.SndbufDefault:
			return "wmem_default"
		case varies(o) && name != "SO_RCVBUF" && name != "SO_SNDBUF":
			return "some int"
		}
		return itoa(v)
	case syscall.Errno:
		if v == 0 {
			return "0"
		}
		return ErrnoName(v)
	case string:
		return quote([]byte(v))
	case []byte:
		return sprintf("[%x]", v)
	case []uint32:
		return "some groups"
	case Credentials:
		return credentials(v)
	case Sockaddr:
		return x.addr(v)
	case PathMTU:
		return sprintf("{%s, %d}", x.addr(v.Addr), v.MTU)
	case TCPInfo:
		return tcpInfo(v)
	}
	return sprintf("%+v", v)
}

// credentials tells who, as seen from this process.
func credentials(c Credentials) string {
	pid, uid, gid := sprintf("pid %d", c.PID), sprintf("uid %d", c.UID), sprintf("gid %d", c.GID)
	if c.PID == int32(os.Getpid()) {
		pid = "own pid"
	}
	if c.UID == uint32(os.Getuid()) {
		uid = "own uid"
	}
	if c.GID == uint32(os.Getgid()) {
		gid = "own gid"
	}
	return "{" + pid + ", " + uid + ", " + gid + "}"
}

// tcpInfo tells the fields of TCP_INFO that a connection's history determines.
func tcpInfo(t TCPInfo) string {
	var options []string
	for _, o := range []struct {
		bit  uint8
		name string
	}{
		{TCPI_OPT_TIMESTAMPS, "timestamps"}, {TCPI_OPT_SACK, "sack"}, {TCPI_OPT_WSCALE, "wscale"},
		{TCPI_OPT_ECN, "ecn"}, {TCPI_OPT_SYN_DATA, "syn-data"},
	} {
		if t.Options&o.bit != 0 {
			options = append(options, o.name)
		}
	}
	return sprintf("{%v, options [%s], received %d}", t.State, strings.Join(options, " "), t.BytesReceived)
}

// timeval is C's struct timeval as bytes.
func timeval(d time.Duration) []byte {
	b := binary.NativeEndian.AppendUint64(nil, uint64(d/time.Second))
	return binary.NativeEndian.AppendUint64(b, uint64(d%time.Second/time.Microsecond))
}

// ints is C ints as bytes.
func ints(v ...int) []byte {
	var b []byte
	for _, v := range v {
		b = binary.NativeEndian.AppendUint32(b, uint32(v))
	}
	return b
}
