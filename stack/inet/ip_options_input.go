package inet

import (
	"slices"

	"sockeye/packet"
	"sockeye/wire"
)

// takeOptions reads the options of a packet that came in, and fills them in (ip_rcv_options). Source routes are
// refused unless Sysctl.AcceptSourceRoute is set; what is not ok is dealt with.
func (s *Stack) takeOptions(p *packet.Packet, h *header, b []byte) (ok bool) {
	o := s.readOptions(b, func() wire.Addr { return s.addressFor(h) })
	h.options = o
	if o.route > 0 && (!s.Sysctl.AcceptSourceRoute || h.toMany || !s.followRoute(p, h, b[o.route-1:])) {
		if !s.Sysctl.AcceptSourceRoute || h.toMany {
			p.Release()
		}
		return false
	}
	o.data = slices.Clone(b)
	return true
}

// addressFor is the address of this host that goes into a record: that which the packet is for, or else that
// which its sender would be answered from (fib_compute_spec_dst).
func (s *Stack) addressFor(h *header) wire.Addr {
	if c, near := s.castOf(h.dst); c == unicast && near != nil {
		return h.dst
	}
	ip, ok := h.iface.source(h.src)
	if !ok {
		return anyIPv4
	}
	return ip
}

// followRoute finds where a source route leads next (ip_options_rcv_srr).
func (s *Stack) followRoute(p *packet.Packet, h *header, opt []byte) bool {
	o := h.options
	switch c, near := s.castOf(h.dst); {
	case c == unicast && near == nil: // a loose route leads through hosts that it does not name
		if o.strict {
			h.cast = unicast
			s.sendError(p, h, problem{typ4: wire.ICMP_PARAMETERPROB, rest: 16 << 24}) // the destination address
			return false
		}
		return true
	case c != unicast:
		p.Release()
		return false
	case h.src.IsLoopback(), s.local(h.src) != nil: // a martian, once it is routed again
		p.Release()
		return false
	}
	opt = opt[:opt[1]]
	for at := int(opt[2]); at <= len(opt); at += 4 {
		if at+3 > len(opt) {
			h.cast = unicast
			s.sendError(p, h, problem{typ4: wire.ICMP_PARAMETERPROB, rest: uint32(wire.IPv4Len+o.route-1+2) << 24})
			return false
		}
		next := wire.AddrFrom4([4]byte(opt[at-1:]))
		c, near := s.castOf(next)
		if c != unicast {
			p.Release()
			return false
		}
		h.dst = next
		if near == nil {
			o.hit, o.next = true, next
			return true
		}
	}
	return true
}

// forwardOptions fills in the options of a packet on its way through this host, whose header is b (ip_forward_options).
func (s *Stack) forwardOptions(b []byte, h *header, w path) {
	o := h.options
	src, ok := w.iface.source(w.next)
	if !ok {
		src = anyIPv4
	}
	opts := b[wire.IPv4Len:h.len()]
	o.sign(opts, src)
	if o.hit {
		opt := opts[o.route-1:][:opts[o.route]]
		for at := int(opt[2]); at+3 <= len(opt); at += 4 {
			if wire.AddrFrom4([4]byte(opt[at-1:])) == o.next {
				putAddr(opt[at-1:], src)
				opt[2] = byte(at + 4)
				break
			}
		}
	}
	wire.Readdress(b[:h.len()], h.dst)
}
