package sockeye

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// A Sockaddr is a socket address of any family, as C's struct sockaddr is:
// sockaddr_in, sockaddr_in6 or sockaddr_un (ip(7), ipv6(7), unix(7)). It is a
// plain value that can be compared and used as a map key. The zero Sockaddr is
// no address: AF_UNSPEC, which dissolves the association of a datagram socket
// when given to Connect, and a null pointer where an address may be left out.
type Sockaddr struct {
	family   Family
	port     uint16
	flowinfo uint32
	scopeID  uint32
	ip       [16]byte // AF_INET: the first four
	name     string   // AF_UNIX: sun_path
	raw      bool     // name holds all of what was given to SockaddrBytes
}

// SockaddrInet is the sockaddr_in of an IPv4 address and the sockaddr_in6 of an
// IPv6 one, IPv4-mapped included. A numeric zone becomes the scope id; for a
// zone that is an interface's name, and for flow labels, see SockaddrInet6.
func SockaddrInet(ap netip.AddrPort) Sockaddr {
	ip := ap.Addr()
	if ip.Is4() {
		return SockaddrInet4(ip.As4(), ap.Port())
	}
	if !ip.IsValid() {
		return Sockaddr{}
	}
	scope, _ := strconv.ParseUint(ip.Zone(), 10, 32)
	return SockaddrInet6(ip.As16(), ap.Port(), 0, uint32(scope))
}

// SockaddrInet4 is a sockaddr_in. The port is in host order.
func SockaddrInet4(ip [4]byte, port uint16) Sockaddr {
	sa := Sockaddr{family: AF_INET, port: port}
	copy(sa.ip[:], ip[:])
	return sa
}

// SockaddrInet6 is a sockaddr_in6. The flow label and traffic class in flowinfo
// are in host order, as is the port; scopeID is an interface's index, for
// link-local addresses.
func SockaddrInet6(ip [16]byte, port uint16, flowinfo, scopeID uint32) Sockaddr {
	return Sockaddr{family: AF_INET6, port: port, flowinfo: flowinfo, scopeID: scopeID, ip: ip}
}

// SockaddrUnix is a sockaddr_un with a path name. The empty path makes the
// unnamed address, which Bind takes as a request for an abstract name of the
// system's choice (autobind, unix(7)).
func SockaddrUnix(path string) Sockaddr { return Sockaddr{family: AF_UNIX, name: path} }

// SockaddrAbstract is a sockaddr_un with an abstract name, which lives outside
// the file system: sun_path holds a NUL byte and then name.
func SockaddrAbstract(name string) Sockaddr { return Sockaddr{family: AF_UNIX, name: "\x00" + name} }

// Lengths of the sockaddr structures in bytes.
const (
	sizeofSockaddrInet4 = 16
	sizeofSockaddrInet6 = 28
	maxUnixPath         = 108

	// SizeofSockaddr is enough for any Sockaddr that a system gives
	// (sockaddr_storage).
	SizeofSockaddr = 128
)

// SockaddrBytes is the address that b holds as C lays it out: the family in
// two bytes of native order, then sa_data. Bytes that are no well-formed address
// of their family are kept as they are, so that what a system makes of them can
// be asked.
func SockaddrBytes(b []byte) Sockaddr {
	if len(b) < 2 {
		return Sockaddr{name: string(b), raw: len(b) > 0}
	}
	f := Family(binary.NativeEndian.Uint16(b))
	data := b[2:]
	switch {
	case f == AF_INET && len(b) == sizeofSockaddrInet4:
		return SockaddrInet4([4]byte(data[2:6]), binary.BigEndian.Uint16(data))
	case f == AF_INET6 && len(b) == sizeofSockaddrInet6:
		return SockaddrInet6([16]byte(data[6:22]), binary.BigEndian.Uint16(data),
			binary.BigEndian.Uint32(data[2:]), binary.NativeEndian.Uint32(data[22:]))
	case f == AF_UNIX && len(data) <= maxUnixPath+1:
		if len(data) > 0 && data[0] != 0 {
			if i := strings.IndexByte(string(data), 0); i >= 0 {
				data = data[:i]
			}
		}
		return SockaddrUnix(string(data))
	}
	return Sockaddr{family: f, name: string(b), raw: true}
}

// AppendBytes appends the address as C lays it out, and nothing for the zero
// Sockaddr.
func (sa Sockaddr) AppendBytes(b []byte) []byte {
	if sa.IsZero() {
		return b
	}
	if sa.raw {
		return append(b, sa.name...)
	}
	b = binary.NativeEndian.AppendUint16(b, uint16(sa.family))
	switch sa.family {
	case AF_INET:
		b = binary.BigEndian.AppendUint16(b, sa.port)
		b = append(b, sa.ip[:4]...)
		return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	case AF_INET6:
		b = binary.BigEndian.AppendUint16(b, sa.port)
		b = binary.BigEndian.AppendUint32(b, sa.flowinfo)
		b = append(b, sa.ip[:]...)
		return binary.NativeEndian.AppendUint32(b, sa.scopeID)
	default: // AF_UNIX
		b = append(b, sa.name...)
		if sa.name != "" && sa.name[0] != 0 && len(sa.name) < maxUnixPath {
			b = append(b, 0)
		}
		return b
	}
}

// IsZero tells whether sa is no address at all.
func (sa Sockaddr) IsZero() bool { return sa.family == AF_UNSPEC && sa.port == 0 && !sa.raw }

// Family is sa_family.
func (sa Sockaddr) Family() Family { return sa.family }

// Port is the port in host order; 0 for families without ports.
func (sa Sockaddr) Port() uint16 { return sa.port }

// Flowinfo is sin6_flowinfo in host order.
func (sa Sockaddr) Flowinfo() uint32 { return sa.flowinfo }

// ScopeID is sin6_scope_id.
func (sa Sockaddr) ScopeID() uint32 { return sa.scopeID }

// Addr is the IP address, with a scope id as its numeric zone; the zero
// netip.Addr for families other than AF_INET and AF_INET6.
func (sa Sockaddr) Addr() netip.Addr {
	switch {
	case sa.raw:
		return netip.Addr{}
	case sa.family == AF_INET:
		return netip.AddrFrom4([4]byte(sa.ip[:4]))
	case sa.family == AF_INET6:
		ip := netip.AddrFrom16(sa.ip)
		if sa.scopeID != 0 && !ip.Is4In6() {
			ip = ip.WithZone(strconv.FormatUint(uint64(sa.scopeID), 10))
		}
		return ip
	}
	return netip.Addr{}
}

// AddrPort is the IP address and port.
func (sa Sockaddr) AddrPort() netip.AddrPort { return netip.AddrPortFrom(sa.Addr(), sa.port) }

// WithPort is sa with another port.
func (sa Sockaddr) WithPort(port uint16) Sockaddr {
	sa.port = port
	return sa
}

// Path is sun_path: a path name, a NUL byte and an abstract name, or empty for
// the unnamed address.
func (sa Sockaddr) Path() string {
	if sa.family != AF_UNIX || sa.raw {
		return ""
	}
	return sa.name
}

// Data is sa_data of an address that SockaddrBytes could not make sense of.
func (sa Sockaddr) Data() []byte {
	if !sa.raw {
		return nil
	}
	return []byte(sa.name[min(2, len(sa.name)):])
}

// String is the address as people write it: 127.0.0.1:80, [::1]:80, a path, @
// and an abstract name.
func (sa Sockaddr) String() string {
	switch {
	case sa.IsZero():
		return "-"
	case sa.raw:
		return sa.family.String() + ":" + hex.EncodeToString(sa.Data())
	case sa.family == AF_UNIX && strings.HasPrefix(sa.name, "\x00"):
		return "@" + sa.name[1:]
	case sa.family == AF_UNIX:
		return sa.name
	}
	return sa.AddrPort().String()
}
