package nat

import (
	"sockeye/event"
	"sockeye/packet"
	"sockeye/wire"
)

// Out translates a packet that leaves by the outside interface, its IP header in front: its source becomes an
// outside endpoint. Packets from the outside addresses are the translator's Own. The caller still holds the packet,
// whatever the Verdict.
func (t *Table) Out(now event.Time, p *packet.Packet) Verdict {
	t.note(now, Outward, Arrived, p)
	v, ok := read(p)
	if !ok {
		return t.note(now, Outward, Malformed, p)
	}
	return t.note(now, Outward, t.out(now, &v), p)
}

// In translates a packet that came in by the outside interface, its IP header in front: its destination becomes the
// inside endpoint that an outside one stands for. What is for no outside address is Own: it is not the translator's
// business.
func (t *Table) In(now event.Time, p *packet.Packet) Verdict {
	t.note(now, Inward, Arrived, p)
	v, ok := read(p)
	if !ok {
		return t.note(now, Inward, Malformed, p)
	}
	return t.note(now, Inward, t.in(now, &v), p)
}

// Hairpin translates a packet from inside for an outside address: it goes out, and comes in again, with an outside
// endpoint as its source (RFC 4787 REQ-9).
func (t *Table) Hairpin(now event.Time, p *packet.Packet) Verdict {
	v, ok := read(p)
	if !ok || !t.concerns(now, &v) {
		return t.In(now, p)
	}
	if t.config.NoHairpin {
		t.note(now, Outward, Arrived, p)
		return t.note(now, Outward, Hairpin, p)
	}
	if r := t.Out(now, p); r != Translated {
		return r
	}
	return t.In(now, p)
}

// concerns tells whether somebody inside has what a packet is for.
func (t *Table) concerns(now event.Time, v *view) bool {
	to, proto := v.dst, v.proto
	switch v.kind {
	case icmpErr:
		q, ok := v.quoted()
		if !ok {
			return false
		}
		to, proto = q.src, q.proto
	case flow, reply:
	default:
		return false
	}
	return t.fromOutside(now, proto, to) != nil
}

func (t *Table) out(now event.Time, v *view) Verdict {
	own := t.Outside(v.src.addr)
	switch {
	case v.kind == icmpErr:
		return t.outError(now, v, own)
	case own:
		return Own
	case v.kind == fragment:
		return Malformed
	case v.kind == reply:
		return Stray
	case v.kind == other:
		return Unsupported
	}
	m := t.fromInside(now, v.proto, v.src, v.dst)
	var s *session
	if m != nil {
		s = t.session(now, m, v.dst)
	}
	if s == nil && !t.begins(v) {
		return Stray
	}
	if m == nil {
		m = t.create(now, v.proto, v.src, v.dst)
	}
	if m != nil && s == nil {
		s = t.open(now, m, v.dst)
	}
	if s == nil {
		return Full
	}
	t.use(now, m, s, v, Outward)
	v.setSource(m.out)
	t.ids++
	v.setID(t.ids)
	return Translated
}

func (t *Table) in(now event.Time, v *view) Verdict {
	switch {
	case !t.Outside(v.dst.addr):
		return Own
	case v.kind == icmpErr:
		return t.inError(now, v)
	case v.kind == fragment:
		return Malformed
	case v.kind != flow && v.kind != reply: // a query is for the host that has the address
		return Own
	}
	m := t.fromOutside(now, v.proto, v.dst)
	verdict := Translated
	switch {
	case m == nil:
		verdict = NoMapping
	case !t.admits(now, m, v.src):
		verdict = Filtered
	case t.session(now, m, v.src) == nil && !t.begins(v):
		verdict = Stray
	}
	if verdict != Translated {
		if v.kind == reply || t.serves(v.proto, v.dst.port) {
			return Own
		}
		return verdict
	}
	s := t.session(now, m, v.src)
	if s == nil && v.proto == wire.IPPROTO_TCP { // its state is to be known
		if s = t.open(now, m, v.src); s == nil {
			return Full
		}
	}
	t.use(now, m, s, v, Inward)
	v.setDestination(m.in)
	return Translated
}

// begins tells whether a packet may begin something: of TCP only a SYN does.
func (t *Table) begins(v *view) bool {
	return v.proto != wire.IPPROTO_TCP || t.config.AdoptTCP || v.flags&(wire.SYN|wire.ACK|wire.RST) == wire.SYN
}

// use lets a packet prolong what it belongs to. There is no session with a peer that nothing was sent to.
func (t *Table) use(now event.Time, m *mapping, s *session, v *view, w Way) {
	switch {
	case v.proto == wire.IPPROTO_TCP:
		s.tcp.see(v.flags, w, t.config.AdoptTCP)
		d := t.config.TCPTransitory
		if s.tcp.established() {
			d = t.config.TCP
		}
		m.extend(s, now.Add(d))
	case v.proto == wire.IPPROTO_ICMP:
		if w == Outward {
			m.extend(s, now.Add(t.config.ICMP))
		}
	case w == Outward, t.config.RefreshInbound && s != nil:
		m.extend(s, now.Add(t.config.UDP))
	case t.config.RefreshInbound:
		m.until = max(m.until, now.Add(t.config.UDP))
	}
}

// outError translates an ICMP error that somebody inside sends about what came in, and the packet in it
// (RFC 5508 section 4.2). Errors prolong nothing (REQ-6).
func (t *Table) outError(now event.Time, v *view, own bool) Verdict {
	stray := Stray
	if own {
		stray = Own
	}
	q, ok := v.quoted()
	if !ok {
		return stray
	}
	m := t.fromInside(now, q.proto, q.dst, q.src)
	if m == nil {
		return stray
	}
	v.within(&q, func() { q.setDestination(m.out) })
	if !own {
		v.setSource(endpoint{addr: m.out.addr})
	}
	return Translated
}

// inError translates an ICMP error about what somebody inside sent out (RFC 5508 section 4.1).
func (t *Table) inError(now event.Time, v *view) Verdict {
	q, ok := v.quoted()
	if !ok {
		return Own
	}
	m := t.fromOutside(now, q.proto, q.src)
	if m == nil || t.session(now, m, q.dst) == nil {
		return Own
	}
	v.within(&q, func() { q.setSource(m.in) })
	v.setDestination(endpoint{addr: m.in.addr})
	return Translated
}
