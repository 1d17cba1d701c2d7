package inet

import (
	"syscall"

	"sockeye/packet"
	"sockeye/wire"
)

// A header is what IP says of a packet, of either version.
type header struct {
	src, dst wire.Addr
	proto    wire.Protocol
	ttl      uint8
	tos      wire.TOS
	flow     uint32 // IPv6's flow label
	df       bool
	options  []byte // IPv4's
	iface    *Iface // that it came in through
	cast     cast
}

// output sends a packet, its transport header and payload in place, on a path: it
// adds the IP header, cuts into fragments what is too long if that is allowed, and
// leaves it at the link. What is too long otherwise is EMSGSIZE.
func (s *Stack) output(p *packet.Packet, h header, w path) error {
	s.Counters.IPOutRequests++
	n := p.Len()
	ip4 := h.dst.Is4()
	hlen := wire.IPv6Len
	if ip4 {
		hlen = wire.IPv4Len + (len(h.options)+3)&^3
	}
	if hlen+n > w.mtu && p.GSO.Size == 0 {
		if h.df {
			s.Counters.IPFragFails++
			p.Release()
			return syscall.EMSGSIZE
		}
		return s.fragment(p, h, w)
	}
	s.putHeader(p, h, n)
	s.transmit(p, w)
	return nil
}

// putHeader adds the IP header of a packet with n bytes behind it.
func (s *Stack) putHeader(p *packet.Packet, h header, n int) {
	if !h.dst.Is4() {
		ip := wire.IPv6{Src: h.src, Dst: h.dst, TrafficClass: h.tos, HopLimit: h.ttl, NextHeader: h.proto, FlowLabel: h.flow}
		ip.Put(p.Push(wire.IPv6Len), n)
		return
	}
	ip := wire.IPv4{Src: h.src, Dst: h.dst, TOS: h.tos, TTL: h.ttl, Protocol: h.proto, DF: h.df, Options: h.options}
	if !h.df { // RFC 6864: only what may be cut needs an identification
		s.ids++
		ip.ID = s.ids
	}
	ip.Put(p.Push(ip.Len()), n)
}

// transmit hands a whole IP packet to the path's link, and to the host itself what
// goes to a group that it is in or to everybody.
func (s *Stack) transmit(p *packet.Packet, w path) {
	s.host.Pending = true
	if w.copies {
		s.ifaces[0].port.Send(p.Clone())
	}
	if w.iface.props.Ethernet {
		w.iface.resolve(p, w)
		return
	}
	w.iface.port.Send(p)
}

// input handles a packet that came in, its IP header in front.
func (s *Stack) input(i *Iface, p *packet.Packet) {
	s.Counters.IPInReceives++
	h := header{iface: i}
	b := p.Header()
	switch wire.Version(b) {
	case 4:
		var ip wire.IPv4
		hlen, n, err := ip.Parse(b, p.Len())
		if err != nil {
			s.dropHeader(p, err)
			return
		}
		if ip.IsFragment() {
			if p = s.reassemble4(i, p, &ip, hlen, n); p == nil {
				return
			}
			n = p.Len() - hlen
		}
		h.src, h.dst, h.proto, h.ttl, h.tos, h.df = ip.Src, ip.Dst, ip.Protocol, ip.TTL, ip.TOS, ip.DF
		h.options = ip.Options
		p.Network(hlen, n)
	case 6:
		var ip wire.IPv6
		n, err := ip.Parse(b, p.Len())
		if err != nil {
			s.dropHeader(p, err)
			return
		}
		h.src, h.dst, h.proto, h.ttl, h.tos = ip.Src, ip.Dst, ip.NextHeader, ip.HopLimit, ip.TrafficClass
		h.flow = ip.FlowLabel
		p.Network(wire.IPv6Len, n)
		if extension(h.proto) {
			if p = s.extensions(i, p, &h); p == nil {
				return
			}
		}
	default:
		s.dropHeader(p, wire.ErrVersion)
		return
	}
	switch s.verdict(&h) {
	case deliver:
		s.Counters.IPInDelivers++
		s.deliver(p, &h)
	case forward:
		s.forward(p, &h)
	default:
		s.Counters.IPInAddrErrors++
		p.Release()
	}
}

// dropHeader drops a packet whose IP header is bad.
func (s *Stack) dropHeader(p *packet.Packet, err error) {
	if err == wire.ErrTruncated || err == wire.ErrShort {
		s.Counters.IPInTruncatedPkts++
	} else {
		s.Counters.IPInHdrErrors++
	}
	p.Release()
}

// A verdict is what becomes of a packet that came in.
type verdict int

const (
	discard verdict = iota
	deliver
	forward
)

// verdict tells whether a packet is for this host, and sets its cast. Martians (RFC
// 1812 section 5.3.7) are discarded.
func (s *Stack) verdict(h *header) verdict {
	lo := h.iface.props.Loopback
	switch {
	case h.src.IsMulticast() || h.src.IsBroadcast(),
		!lo && (h.src.IsLoopback() || h.dst.IsLoopback()):
		return discard
	case h.dst.IsMulticast():
		h.cast = multicast
		if s.member(h.iface, h.dst) {
			return deliver
		}
		return discard
	case h.dst.IsBroadcast():
		h.cast = broadcast
		return deliver
	}
	if s.local(h.dst) != nil {
		return deliver
	}
	for _, a := range h.iface.Addrs {
		if b, ok := a.broadcast(); ok && b == h.dst {
			h.cast = broadcast
			return deliver
		}
	}
	if lo {
		return s.loopedVerdict(h)
	}
	if s.Sysctl.Forwarding {
		return forward
	}
	return discard
}

// loopedVerdict is for a packet that the host sent to itself because it went to
// everybody on another interface.
func (s *Stack) loopedVerdict(h *header) verdict {
	for _, i := range s.ifaces {
		for _, a := range i.Addrs {
			if b, ok := a.broadcast(); ok && b == h.dst {
				h.cast, h.iface = broadcast, i
				return deliver
			}
		}
	}
	return discard
}

// deliver hands a packet to those who want its protocol.
func (s *Stack) deliver(p *packet.Packet, h *header) {
	taken := s.rawInput(p, h)
	switch h.proto {
	case wire.IPPROTO_UDP:
		s.udpInput(p, h)
	case wire.IPPROTO_ICMP, wire.IPPROTO_ICMPV6:
		s.icmpInput(p, h)
	default:
		if !taken {
			s.Counters.IPInUnknownProtos++
			s.unreachable(p, h, protocolUnreachable)
		}
		p.Release()
	}
}
