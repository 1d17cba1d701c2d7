//go:build linux && !386 && !s390x

package random_test

import (
	"net/netip"
	"strings"

	. "sockeye"
)

// A kind is what socket(2) is given, and the text of that.
type kind struct {
	name   string
	family Family
	typ    Type
	proto  Protocol
}

var (
	tcp4          = kind{"tcp4", AF_INET, SOCK_STREAM, 0}
	tcp6          = kind{"tcp6", AF_INET6, SOCK_STREAM, 0}
	udp4          = kind{"udp4", AF_INET, SOCK_DGRAM, 0}
	udp6          = kind{"udp6", AF_INET6, SOCK_DGRAM, 0}
	unixStream    = kind{"unix stream", AF_UNIX, SOCK_STREAM, 0}
	unixDgram     = kind{"unix dgram", AF_UNIX, SOCK_DGRAM, 0}
	unixSeqpacket = kind{"unix seqpacket", AF_UNIX, SOCK_SEQPACKET, 0}
	raw4          = kind{"raw4", AF_INET, SOCK_RAW, 253} // which nobody speaks (RFC 3692)
	raw6          = kind{"raw6", AF_INET6, SOCK_RAW, 253}
	icmp4         = kind{"icmp4", AF_INET, SOCK_RAW, IPPROTO_ICMP}
	ping4         = kind{"ping4", AF_INET, SOCK_DGRAM, IPPROTO_ICMP}
	ping6         = kind{"ping6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6}
)

// themes are kinds that have to do with each other: a program keeps to one.
var themes = [][]kind{
	{tcp4},
	{udp4},
	{unixStream},
	{unixDgram},
	{unixSeqpacket},
	{tcp6, tcp4},
	{udp6, udp4},
	{unixStream, unixDgram, unixSeqpacket, udp4, tcp4},
	{ping4, ping6, icmp4, udp4},
	{raw4, raw6},
}

func (k kind) is(names string) bool { return strings.HasPrefix(k.name, names) }
func (k kind) isPing() bool         { return k.is("ping") }

// connects tells kinds with connections, that listen.
func (k kind) connects() bool { return k.typ == SOCK_STREAM || k.typ == SOCK_SEQPACKET }

// protocol is the kind's space of ports.
func (k kind) protocol() Protocol {
	switch {
	case k.is("tcp"):
		return IPPROTO_TCP
	case k.is("udp"):
		return IPPROTO_UDP
	}
	return k.proto
}

// kindOf is what a socket that was passed on is.
func kindOf(s *Socket) kind {
	f, _ := SO_DOMAIN.Get(s)
	t, _ := SO_TYPE.Get(s)
	for _, theme := range themes {
		for _, k := range theme {
			if k.family == f && k.typ == t {
				return k
			}
		}
	}
	return kind{}
}

// open is the kind's socket(2) in a scenario.
func (k kind) open() string {
	return sprintf("socket(%v, %v|SOCK_NONBLOCK, %d)", k.family, k.typ, k.proto)
}

// ports is how many ports programs use, from the network's on.
const ports = 4

// An address is one for bind, connect or sendto.
type address struct {
	text string
	uses []int
	of   func(r *run) Sockaddr
}

// The addresses of the two hosts on their cable.
var cable = map[Family][2]string{
	AF_INET:  {"192.0.2.1", "192.0.2.2"},
	AF_INET6: {"2001:db8::1", "2001:db8::2"},
}

func fixed(text string, sa Sockaddr) address {
	return address{text, nil, func(*run) Sockaddr { return sa }}
}

// ipPort is an IP address and one of the program's ports; below 0 is none.
func ipPort(ip string, port int) address {
	a := netip.MustParseAddr(ip)
	text := sprintf("ip4(%q, ", ip)
	if a.Is6() {
		text = sprintf("ip6(%q, ", ip)
	}
	switch {
	case port < 0:
		return fixed(text+"0)", sockaddr(a, 0))
	case port == 0:
		text += "port)"
	default:
		text += sprintf("port+%d)", port)
	}
	return address{text, nil, func(r *run) Sockaddr { return sockaddr(a, r.port+uint16(port)) }}
}

func sockaddr(a netip.Addr, port uint16) Sockaddr {
	if a.Is4() {
		return SockaddrInet4(a.As4(), port)
	}
	return SockaddrInet6(a.As16(), port, 0, 0)
}

func path(name string) address {
	return address{sprintf("x.path(%q)", name), nil, func(r *run) Sockaddr { return SockaddrUnix(r.dir + "/" + name) }}
}

// abstract is a name that no other program uses: sockets that were passed on in a circle live on until
// they are collected.
func abstract(name string) address {
	return address{sprintf("SockaddrAbstract(%q)", name), nil, func(r *run) Sockaddr { return SockaddrAbstract(sprintf("%s-%d", name, r.port)) }}
}

// nameOf is where another socket is.
func nameOf(v int) address {
	return address{sprintf("x.name(s%d)", v), []int{v}, func(r *run) Sockaddr {
		sa, _ := r.sockets[v].Getsockname()
		return sa
	}}
}
