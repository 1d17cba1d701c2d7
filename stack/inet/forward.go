package inet

import (
	"sockeye/packet"
	"sockeye/wire"
)

// accept tells whether a packet is for this host, and sets its cast. Others are
// forwarded or dropped, martians (RFC 1812 section 5.3.7) among them.
func (s *Stack) accept(p *packet.Packet, h *header) bool {
	var near *Iface
	h.cast, near = s.castOf(h.dst)
	switch own := h.looped || h.iface.props.Loopback; {
	case own:
		if near != nil && !h.looped {
			s.arriveAt(h, near, p.Via)
		}
		return h.cast != multicast || h.iface.member(h.dst) || s.unwanted(p)
	case h.dst.Is4() && s.martian(h), !h.dst.Is4() && s.outOfScope(h):
		return s.unwanted(p)
	case h.cast == multicast:
		return h.iface.member(h.dst) || s.unwanted(p)
	case h.cast == broadcast, near != nil:
		return true
	case h.iface.TProxy != 0:
		h.proxied = true
		return true
	}
	s.forward(p, h)
	return false
}

// arriveAt says by which interface a packet from the host itself counts as coming: by that which has the
// address (rt_iif of ip_route_output_key_hash_rcu, ip6_rcv_core), or in IPv4 by that which its sender asked
// for.
func (s *Stack) arriveAt(h *header, near *Iface, via int32) {
	h.iface = near
	if via != 0 && h.dst.Is4() {
		h.iface = s.Iface(int(via))
	}
}

// unwanted drops a packet.
func (s *Stack) unwanted(p *packet.Packet) bool {
	p.Release()
	return false
}

// martian tells whether IPv4 addresses cannot be on a link (ip_route_input_slow).
func (s *Stack) martian(h *header) bool {
	switch src, dst := h.src, h.dst; {
	case src.IsUnspecified() && (dst.IsUnspecified() || dst.IsBroadcast()):
		h.cast = broadcast
		return false
	case src.IsUnspecified() && (dst.IsLinkLocalMulticast() || h.cast == multicast && h.proto == wire.IPPROTO_IGMP):
		return false
	case src.IsMulticast(), src.IsBroadcast(), src.IsUnspecified(), src.IsLoopback(), s.local(src) != nil && !h.hairpin:
		s.Counters.InMartianSrc++
	case dst.IsUnspecified(), dst.IsLoopback():
		s.Counters.InMartianDst++
	default:
		return false
	}
	return true
}

// outOfScope tells whether IPv6 addresses cannot be on a link (ip6_rcv_core, RFC 4291 section 2.7).
func (s *Stack) outOfScope(h *header) bool {
	scope := h.dst.As16()[1] & 15
	if h.src.IsLoopback() || h.dst.IsLoopback() || h.src.IsMulticast() || h.cast == multicast && scope <= 1 {
		s.Counters.IP6.InHdrErrors++
		return true
	}
	return false
}

// forward sends a packet that is for another host on its way (RFC 1812 section 5.2.1, ip_forward and
// ip6_forward).
func (s *Stack) forward(p *packet.Packet, h *header) {
	c, six := s.Counters.ip(h.dst), !h.dst.Is4()
	if !six && !s.Sysctl.Forwarding {
		c.InAddrErrors++
		p.Release()
		return
	}
	w, err := s.find(h.dst, way{src: h.src, anySrc: true, transit: true})
	switch {
	case six && h.dst.IsUnspecified():
		c.InAddrErrors++
		s.sendError(p, h, noRoute)
		return
	case err != nil:
		c.InNoRoutes++
		s.sendError(p, h, noRoute)
		return
	case !s.Sysctl.Forwarding:
		c.InAddrErrors++
		p.Release()
		return
	case h.toMany:
		p.Release()
		return
	case h.options != nil && h.options.hit && h.options.strict && w.next != h.dst:
		s.sendError(p, h, sourceRouteFailed)
		return
	case h.ttl <= 1:
		c.InHdrErrors++
		s.sendError(p, h, timeExceeded)
		return
	case six && h.src.IsUnspecified():
		c.InAddrErrors++
		p.Release()
		return
	case six && h.src.IsLinkLocal() && w.iface != h.iface:
		c.InAddrErrors++
		s.sendError(p, h, beyondScope)
		return
	}
	if six && s.neighbouring(h, w) {
		s.redirect6(p, h, w)
	}
	size := p.Len() + h.len()
	if p.GSO.Size != 0 {
		size = h.len() + len(p.Header()) + p.GSO.Size
	}
	if size > w.mtu && (h.df || six) {
		if six {
			c.InTooBigErrors++
		}
		c.FragFails++
		s.sendError(p, h, tooBig(w.mtu))
		return
	}
	c.ForwDatagrams++
	b := p.Push(len(p.NetworkHeader()))
	if six {
		wire.DecrementHopLimit(b)
	} else {
		wire.DecrementTTL(b)
		if h.options != nil {
			s.forwardOptions(b, h, w)
		}
	}
	h.ttl--
	if !six && s.Sysctl.SendRedirects && s.neighbouring(h, w) {
		s.scratch = p.AppendTo(s.scratch[:0])
		s.redirect4(h, w)
	}
	s.transmit(p, h, w)
}
