package inet

import (
	"sockeye/event"
	"sockeye/nat"
	"sockeye/packet"
	"sockeye/wire"
)

// Address translation has its place where Linux has it: what comes in is translated before it is known whether it is
// for this host, and what goes out once its route is (NF_INET_PRE_ROUTING and NF_INET_POST_ROUTING in
// netfilter_ipv4.h). So a router forwards packets with the inside addresses, and its errors quote them; those that go out
// are translated like all others.

// SetNAT makes the interface the outside of a translator, or changes how that one behaves. The error says what in the
// configuration is impossible.
func (i *Iface) SetNAT(c nat.Config) (err error) {
	if i.NAT != nil {
		return i.NAT.SetConfig(c)
	}
	s := i.stack
	if i.NAT, err = nat.New(c, s.rand.Uint64()); err != nil {
		return err
	}
	i.NAT.Serves = s.serves
	i.outside()
	s.translates = true
	return nil
}

// outside tells the translator its addresses.
func (i *Iface) outside() {
	if i.NAT == nil {
		return
	}
	var list []wire.Addr
	for _, a := range i.Addrs {
		if a.IP.Is4() {
			list = append(list, a.IP)
		}
	}
	i.NAT.SetOutside(list...)
}

// serves tells whether a socket of this host has a port.
func (s *Stack) serves(proto wire.Protocol, port uint16) bool {
	switch proto {
	case wire.IPPROTO_TCP:
		return len(s.tcp.ports[port]) > 0
	case wire.IPPROTO_UDP:
		return len(s.udp[port]) > 0
	}
	return false
}

// unicastOnly tells whether a packet may be a translator's business at all.
func unicastOnly(h *header) bool {
	return !h.looped && !h.toMany && !h.iface.props.Loopback && !h.dst.IsMulticast()
}

// translateIn translates a whole packet that came in, if it is for somebody inside. One that is for nobody is
// dropped, without a word: its sender may be about to open a way that the one inside opens too (RFC 5382 REQ-4).
func (s *Stack) translateIn(p *packet.Packet, h *header) bool {
	for _, i := range s.ifaces {
		if i.NAT == nil || !i.NAT.Outside(h.dst) {
			continue
		}
		n := len(p.NetworkHeader())
		p.Push(n)
		var v nat.Verdict
		if inside := h.iface.NAT == nil; inside {
			v = i.NAT.Hairpin(event.Time(s.now()), p)
			h.hairpin = v == nat.Translated
		} else {
			v = i.NAT.In(event.Time(s.now()), p)
		}
		if v.Dropped() {
			s.Counters.IP.InDiscards++
			return s.unwanted(p)
		}
		s.reread(p, h)
		p.Network(n, p.Len()-n)
		return true
	}
	return true
}

// translateOut translates a packet, its IP header in front, that is about to leave.
func (s *Stack) translateOut(p *packet.Packet, h *header, w path) bool {
	if w.iface.NAT.Out(event.Time(s.now()), p).Dropped() {
		s.Counters.IP.OutDiscards++
		return s.unwanted(p)
	}
	s.reread(p, h)
	return true
}

// reread takes the addresses from a packet that was translated.
func (s *Stack) reread(p *packet.Packet, h *header) {
	const src, dst = 12, 16
	b := p.Header()
	h.src, h.dst = wire.AddrFrom4([4]byte(b[src:])), wire.AddrFrom4([4]byte(b[dst:]))
}
