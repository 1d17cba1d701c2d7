package inet

import (
	"encoding/binary"
	"time"

	"sockeye/event"
	"sockeye/packet"
	"sockeye/wire"
)

// How often a router tells one host of better ways (RFC 1812 section 5.2.7.2, ip_rt_send_redirect): twice as
// seldom each time, and no more after redirectNumber until the host was silent for a while.
const (
	redirectLoad    = 20 * time.Millisecond // route/redirect_load
	redirectNumber  = 9                     // route/redirect_number
	redirectSilence = redirectLoad << 10    // route/redirect_silence
	redirect6Every  = time.Second
)

// A redirected is how often a host was told.
type redirected struct {
	sent int
	last event.Time
}

// redirects holds that of hosts; those that were met first are forgotten.
type redirects struct {
	hosts map[wire.Addr]*redirected
	order []wire.Addr
}

// allow tells whether a host may be told once more.
func (r *redirects) allow(to wire.Addr, now event.Time) bool {
	h := r.hosts[to]
	if h == nil {
		if r.hosts == nil {
			r.hosts = make(map[wire.Addr]*redirected)
		}
		if len(r.order) == maxLimitPeers {
			delete(r.hosts, r.order[0])
			r.order = r.order[1:]
		}
		h = new(redirected)
		r.hosts[to], r.order = h, append(r.order, to)
	}
	if now.Sub(h.last) > redirectSilence {
		h.sent = 0
	}
	if h.sent >= redirectNumber {
		h.last = now
		return false
	}
	if h.sent > 0 && now.Sub(h.last) <= redirectLoad<<h.sent {
		return false
	}
	h.sent, h.last = h.sent+1, now
	return true
}

// neighbouring tells whether a packet that leaves by the interface it came in by came from a host on that
// link, which could have sent it to the next hop itself.
func (s *Stack) neighbouring(h *header, w path) bool {
	if w.iface != h.iface {
		return false
	}
	r := s.route(h.src, way{ifindex: s.scopeOf(h)})
	return r != nil && r.Iface == h.iface && r.Gateway.IsUnspecified()
}

// redirect4 tells the sender of a packet, which is forwarded and in the scratch, of the next hop.
func (s *Stack) redirect4(h *header, w path) {
	if !s.redirects.allow(h.src, s.loop.Now()) {
		return
	}
	gateway := w.next.As4()
	s.complain(s.scratch, h, problem{typ4: wire.ICMP_REDIRECT, code4: wire.ICMP_REDIR_HOST, rest: binary.BigEndian.Uint32(gateway[:])})
}

// redirect6 is redirect4 of IPv6 (RFC 4861 section 8.2, ndisc_send_redirect), which tells the neighbour's hardware
// address as well.
func (s *Stack) redirect6(p *packet.Packet, h *header, w path) {
	l, now := &s.limit, s.loop.Now()
	l.toAll(&s.Sysctl, now)
	src, ok := h.iface.source(allNodes)
	if !l.toOne(h.dst, redirect6Every, now) || !ok || !src.IsLinkLocal() || w.next != h.dst && !w.next.IsLinkLocal() {
		return
	}
	back, err := s.find(h.src, way{src: src, ifindex: h.iface.Index})
	if err != nil || !l.toOne(h.src, redirect6Every, now) {
		return
	}
	m := wire.Redirect{Target: w.next, Dest: h.dst, Options: wire.NDPOptions{Set: wire.OptRedirected}}
	if h.iface.props.Ethernet {
		n := h.iface.neighbour(w.next)
		if n.state != INCOMPLETE && n.state != FAILED {
			m.Options.Set |= wire.OptTargetMAC
			m.Options.Target = n.mac
		}
	}
	s.scratch = append(s.scratch[:0], p.NetworkHeader()...)
	s.scratch = p.AppendTo(s.scratch)
	room := wire.MinMTU6 - wire.IPv6Len - m.Len() // whole eights of the packet
	m.Options.Redirected = s.scratch[:min(room, len(s.scratch))&^7]
	b := make([]byte, m.Len())
	m.Put(b)
	wire.FillICMPv6(b, wire.PseudoSum(src, h.src, wire.IPPROTO_ICMPV6, len(b)))
	q := packet.NewPacket()
	q.Sum = packet.SumGood
	q.Append(packet.Of(b))
	s.Counters.ICMP6.sent(b[0])
	s.output(q, header{src: src, dst: h.src, proto: wire.IPPROTO_ICMPV6, ttl: wire.NDPHopLimit}, back)
}
