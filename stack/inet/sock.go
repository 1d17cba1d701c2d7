package inet

import (
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// A base is the part of an Internet socket that does not depend on its protocol:
// addresses, and the options of IPPROTO_IP and IPPROTO_IPV6.
type base struct {
	sock.Socket
	stack *Stack

	claim      claim // the local address and port
	bound      bool  // the port is claimed
	remote     wire.Addr
	remotePort uint16
	connected  bool

	ip options
}

func (b *base) init(s *Stack, family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) {
	b.Init(s.host, family, typ, proto)
	b.stack = s
	b.claim.family = family
	b.claim.v6only = s.Sysctl.BindV6Only
	if family == sockeye.AF_INET {
		b.claim.ip = anyIPv4
	}
	b.ip = s.defaultOptions()
}

var anyIPv4 = wire.AddrFrom4([4]byte{})

// claimed is for ports.
func (b *base) claimed() *claim { return &b.claim }

// name is an address of the socket as the program sees it: an IPv6 socket sees
// IPv4 addresses in their mapped form.
func (b *base) name(ip wire.Addr, port uint16) sockeye.Sockaddr {
	if b.Family == sockeye.AF_INET {
		return sockeye.SockaddrInet4(ip.As4(), port)
	}
	scope := uint32(0)
	if ip.IsLinkLocal() && !ip.Is4() {
		scope = uint32(b.claim.ifindex)
	}
	return sockeye.SockaddrInet6(ip.As16(), port, 0, scope)
}

// Getsockname is getsockname(2).
func (b *base) Getsockname() (sockeye.Sockaddr, error) { return b.name(b.claim.ip, b.claim.port), nil }

// Getpeername is getpeername(2).
func (b *base) Getpeername() (sockeye.Sockaddr, error) {
	if !b.connected {
		return sockeye.Sockaddr{}, syscall.ENOTCONN
	}
	return b.name(b.remote, b.remotePort), nil
}

// address reads a sockaddr that the program gave. An address of the wrong family
// is EAFNOSUPPORT, one that is no whole sockaddr is EINVAL.
func (b *base) address(sa sockeye.Sockaddr) (ip wire.Addr, port uint16, err error) {
	if len(sa.Data()) > 0 {
		return ip, 0, syscall.EINVAL
	}
	switch {
	case b.Family == sockeye.AF_INET && sa.Family() == sockeye.AF_INET:
		return wire.AddrFromNetip(sa.Addr()), sa.Port(), nil
	case b.Family == sockeye.AF_INET6 && sa.Family() == sockeye.AF_INET6:
		ip = wire.AddrFromNetip(sa.Addr())
		if ip.Is4() && b.claim.v6only {
			return ip, 0, syscall.ENETUNREACH
		}
		return ip, sa.Port(), nil
	}
	return ip, 0, syscall.EAFNOSUPPORT
}

// way is what the socket asks of a route.
func (b *base) way() way {
	return way{src: b.claim.ip, ifindex: b.claim.ifindex, onLink: b.Opt.DontRoute, multicast: b.ip.multicastIf}
}
