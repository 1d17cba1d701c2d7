package gateway

import (
	"iter"
	"net/netip"
	"syscall"

	"sockeye"
	"sockeye/wire"
)

// socketErrors are the ICMP errors that a socket was told (MSG_ERRQUEUE, ip(7)).
func socketErrors(s *sockeye.Socket) iter.Seq[sockeye.ExtendedError] {
	return func(yield func(sockeye.ExtendedError) bool) {
		m := sockeye.Message{Control: make([]byte, 256)}
		for {
			if _, err := s.Recvmsg(&m, sockeye.MSG_ERRQUEUE|sockeye.MSG_DONTWAIT); err != nil {
				return
			}
			for c := range m.ControlMessages() {
				e, ok := c.ExtendedError()
				if icmp := e.Origin == sockeye.SO_EE_ORIGIN_ICMP || e.Origin == sockeye.SO_EE_ORIGIN_ICMP6; ok && icmp && !yield(e) {
					return
				}
			}
		}
	}
}

// Errors that say what an errno does (icmp_err_convert in Linux's net/ipv4/icmp.c and net/ipv6/icmp.c).
var unreachable = map[syscall.Errno][2]uint8{ // codes of ICMP_DEST_UNREACH and ICMPV6_DEST_UNREACH
	syscall.ENETUNREACH:  {wire.ICMP_NET_UNREACH, wire.ICMPV6_NOROUTE},
	syscall.EHOSTUNREACH: {wire.ICMP_HOST_UNREACH, wire.ICMPV6_ADDR_UNREACH},
	syscall.ECONNREFUSED: {wire.ICMP_PORT_UNREACH, wire.ICMPV6_PORT_UNREACH},
	syscall.EACCES:       {wire.ICMP_PKT_FILTERED, wire.ICMPV6_ADM_PROHIBITED},
}

// unreachable tells a sender inside why its datagrams do not arrive, if an errno says why.
func (g *Gateway) unreachable(k flowKey, errno syscall.Errno) {
	codes, ok := unreachable[errno]
	if !ok {
		return
	}
	e := sockeye.ExtendedError{Type: wire.ICMP_DEST_UNREACH, Code: codes[0]}
	if k.to.Addr().Is6() {
		e.Type, e.Code = wire.ICMPV6_DEST_UNREACH, codes[1]
	}
	if errno == syscall.ECONNREFUSED { // the host itself says so
		e.Offender = sockeye.SockaddrInet(netip.AddrPortFrom(k.to.Addr(), 0))
	}
	g.sendError(k, e)
}

// sendError sends an ICMP error about a datagram of a flow to its sender, as if from who sent it
// outside. The datagram itself is gone: its headers are quoted, without data.
func (g *Gateway) sendError(k flowKey, e sockeye.ExtendedError) {
	var b [wire.UDPLen]byte
	wire.UDP{SrcPort: k.from.Port(), DstPort: k.to.Port()}.Put(b[:], 0)
	g.sendQuote(k.from.Addr(), k.to.Addr(), wire.IPPROTO_UDP, b[:], e)
}

// sendQuote sends an error about a packet from one address to another to its sender.
func (g *Gateway) sendQuote(from, to netip.Addr, proto wire.Protocol, payload []byte, e sockeye.ExtendedError) {
	src := e.Offender.Addr().Unmap()
	alias := false
	for _, outside := range g.Aliases {
		alias = alias || src == outside
	}
	if alias || src.IsLoopback() { // which means something else inside
		src = to
	}
	if to.Is4() {
		ip := wire.IPv4{Src: wire.AddrFromNetip(from), Dst: wire.AddrFromNetip(to), TTL: 1, Protocol: proto, DF: true}
		b := make([]byte, wire.ICMPLen+wire.IPv4Len, wire.ICMPLen+wire.IPv4Len+len(payload))
		ip.Put(b[wire.ICMPLen:], len(payload))
		b = append(b, payload...)
		wire.ICMPv4{Type: e.Type, Code: e.Code, Rest: e.Info & 0xffff}.Put(b)
		g.sendICMP(0, src, from, b)
		return
	}
	ip := wire.IPv6{Src: wire.AddrFromNetip(from), Dst: wire.AddrFromNetip(to), HopLimit: 1, NextHeader: proto}
	b := make([]byte, wire.ICMPLen+wire.IPv6Len, wire.ICMPLen+wire.IPv6Len+len(payload))
	ip.Put(b[wire.ICMPLen:], len(payload))
	b = append(b, payload...)
	wire.ICMPv6{Type: e.Type, Code: e.Code, Rest: e.Info}.Put(b)
	g.sendICMP(1, src, from, b)
}

// sendICMP sends a message from any address; the invalid Addr: the gateway's. The stack fills in the
// checksum of ICMPv6.
func (g *Gateway) sendICMP(family int, from, to netip.Addr, b []byte) {
	m := sockeye.Message{Name: sockeye.SockaddrInet(netip.AddrPortFrom(to, 0)), Buffers: [][]byte{b}}
	switch {
	case from.Is4():
		m.Control = sockeye.AppendPktinfo4(nil, 0, from)
	case from.Is6():
		m.Control = sockeye.AppendPktinfo6(nil, 0, from)
	}
	g.echo[family].Sendmsg(&m, sockeye.MSG_DONTWAIT) // what there is no room for is lost
}
