// Package addr reads and writes socket addresses as people type them, and opens
// sockets on them:
//
//	8888                 TCP, any address of this machine
//	host:8888            TCP; a name, an IPv4 address or [::1]
//	tcp://host:8888      the same; tcp4:// and tcp6:// choose the family
//	udp://host:8888      UDP; udp4:// and udp6:// choose the family
//	unix:PATH            a unix stream socket; unix:@NAME is an abstract one
//	unixgram:PATH        a unix datagram socket
//	unixpacket:PATH      a unix seqpacket socket
//	icmp://host          ICMP, of IPv4 or IPv6; icmp4:// and icmp6://
//	ip://host/89         a raw socket of an IP protocol; ip4:// and ip6://
//
// [Parse] tells what is wrong with an address and what to type instead.
package addr

import (
	"net"
	"strconv"
	"strings"

	"sockeye"
)

// An Address is what Parse read: which kind of socket, and where. Addresses can
// be compared.
type Address struct {
	Family   sockeye.Family // AF_UNSPEC: IPv4 or IPv6, as the host has it
	Type     sockeye.Type
	Protocol sockeye.Protocol // IPPROTO_ICMP of AF_UNSPEC means IPPROTO_ICMPV6 over IPv6

	// Host is a name or an IP address, without brackets. Empty, it is any
	// local address to listen on, and this machine to connect to.
	Host string
	Port uint16
	Path string // of AF_UNIX; a NUL byte and a name if it is abstract
}

// A form is how the part of an address after its scheme looks.
type form int

const (
	hostPort     form = iota // //host:port
	hostOnly                 // //host
	hostProtocol             // //host/protocol
	path                     // a path, or @ and a name
)

type scheme struct {
	name   string
	family sockeye.Family
	typ    sockeye.Type
	proto  sockeye.Protocol
	form   form
}

// schemes has for each kind of socket the name that String gives it first.
var schemes = []scheme{
	{"tcp", sockeye.AF_UNSPEC, sockeye.SOCK_STREAM, sockeye.IPPROTO_TCP, hostPort},
	{"tcp4", sockeye.AF_INET, sockeye.SOCK_STREAM, sockeye.IPPROTO_TCP, hostPort},
	{"tcp6", sockeye.AF_INET6, sockeye.SOCK_STREAM, sockeye.IPPROTO_TCP, hostPort},
	{"udp", sockeye.AF_UNSPEC, sockeye.SOCK_DGRAM, sockeye.IPPROTO_UDP, hostPort},
	{"udp4", sockeye.AF_INET, sockeye.SOCK_DGRAM, sockeye.IPPROTO_UDP, hostPort},
	{"udp6", sockeye.AF_INET6, sockeye.SOCK_DGRAM, sockeye.IPPROTO_UDP, hostPort},
	{"unix", sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0, path},
	{"unixgram", sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0, path},
	{"unixpacket", sockeye.AF_UNIX, sockeye.SOCK_SEQPACKET, 0, path},
	{"icmp", sockeye.AF_UNSPEC, sockeye.SOCK_RAW, sockeye.IPPROTO_ICMP, hostOnly},
	{"icmp4", sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_ICMP, hostOnly},
	{"icmp6", sockeye.AF_INET6, sockeye.SOCK_RAW, sockeye.IPPROTO_ICMPV6, hostOnly},
	{"ip", sockeye.AF_UNSPEC, sockeye.SOCK_RAW, 0, hostProtocol},
	{"ip4", sockeye.AF_INET, sockeye.SOCK_RAW, 0, hostProtocol},
	{"ip6", sockeye.AF_INET6, sockeye.SOCK_RAW, 0, hostProtocol},
}

// Schemes are the names of the kinds of sockets, such as "udp6".
func Schemes() []string {
	var names []string
	for _, s := range schemes {
		names = append(names, s.name)
	}
	return names
}

// Of is the address of a kind of socket by its scheme's name, such as "udp6",
// with nothing said of where.
func Of(name string) (Address, error) {
	if s, ok := schemeOf(name); ok {
		return Address{Family: s.family, Type: s.typ, Protocol: s.proto}, nil
	}
	return Address{}, &Error{Input: name, Problem: "unknown scheme", Hint: closest(name)}
}

func schemeOf(name string) (scheme, bool) {
	for _, s := range schemes {
		if strings.EqualFold(s.name, name) {
			return s, true
		}
	}
	return scheme{}, false
}

// FromSockaddr is the address that a socket of this type and protocol has on the
// host. An IPv4-mapped address is told as the IPv4 address that it is, and a zone
// by the name of its interface, or its index if the host has none of it.
func FromSockaddr(h *sockeye.Host, sa sockeye.Sockaddr, typ sockeye.Type, proto sockeye.Protocol) Address {
	a := Address{Type: typ.Base(), Protocol: proto}
	if sa.Family() == sockeye.AF_UNIX {
		a.Family, a.Protocol, a.Path = sockeye.AF_UNIX, 0, sa.Path()
		return a
	}
	ip := sa.Addr().Unmap()
	if ip.Zone() != "" {
		if name, err := interfaceName(h, int(sa.ScopeID())); err == nil {
			ip = ip.WithZone(name)
		}
	}
	a.Host, a.Port = ip.String(), sa.Port()
	switch {
	case a.Type == sockeye.SOCK_RAW:
		a.Port = 0 // raw sockets keep the protocol there (raw(7))
	case proto == 0 && a.Type == sockeye.SOCK_STREAM:
		a.Protocol = sockeye.IPPROTO_TCP
	case proto == 0 && a.Type == sockeye.SOCK_DGRAM:
		a.Protocol = sockeye.IPPROTO_UDP
	}
	return a
}

// LocalOf is the address that a socket is bound to.
func LocalOf(s *sockeye.Socket) (Address, error) { return name(s, s.Getsockname) }

// PeerOf is the address that a socket is connected to.
func PeerOf(s *sockeye.Socket) (Address, error) { return name(s, s.Getpeername) }

func name(s *sockeye.Socket, get func() (sockeye.Sockaddr, error)) (Address, error) {
	sa, err := get()
	if err != nil {
		return Address{}, err
	}
	return With(s, sa), nil
}

// With is the address sa as a socket of the same kind as s has it.
func With(s *sockeye.Socket, sa sockeye.Sockaddr) Address {
	return FromSockaddr(s.Host(), sa, s.Type(), s.Protocol())
}

// scheme finds how to write a.
func (a Address) scheme() scheme {
	for _, s := range schemes {
		if s.family == a.Family && s.typ == a.Type && s.proto == a.Protocol {
			return s
		}
	}
	for _, s := range schemes {
		if s.family == a.Family && s.typ == a.Type && s.form == hostProtocol {
			return s
		}
	}
	return scheme{}
}

// Scheme is the name of the kind of socket, such as "udp6"; "" if there is none.
func (a Address) Scheme() string { return a.scheme().name }

// Connected tells whether such sockets make connections; the others send and
// receive datagrams.
func (a Address) Connected() bool {
	return a.Type == sockeye.SOCK_STREAM || a.Type == sockeye.SOCK_SEQPACKET
}

// String is the address as Parse reads it.
func (a Address) String() string {
	s := a.scheme()
	switch host := a.bracketed(); s.form {
	case path:
		return s.name + ":" + a.writtenPath()
	case hostOnly:
		return s.name + "://" + host
	case hostProtocol:
		return s.name + "://" + host + "/" + strconv.Itoa(int(a.Protocol))
	}
	return s.name + "://" + net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}

func (a Address) bracketed() string {
	if strings.Contains(a.Host, ":") {
		return "[" + a.Host + "]"
	}
	return a.Host
}

func (a Address) writtenPath() string {
	switch {
	case strings.HasPrefix(a.Path, "\x00"):
		return "@" + a.Path[1:]
	case strings.HasPrefix(a.Path, "//"):
		return "//" + a.Path
	case strings.HasPrefix(a.Path, "@"):
		return "./" + a.Path
	}
	return a.Path
}
