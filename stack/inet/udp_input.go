package inet

import (
	"sockeye/packet"
	"sockeye/wire"
)

// udpInput hands a datagram to the socket that it is for (__udp4_lib_rcv). It takes
// over p.
func (s *Stack) udpInput(p *packet.Packet, h *header) {
	u, ok := s.readUDP(p, h)
	if !ok {
		s.Counters.udp(h.dst).InErrors++
		p.Release()
		return
	}
	if h.cast != unicast {
		s.udpToMany(p, h, u)
		return
	}
	bare := p.Sum != packet.SumPartial && !h.dst.Is4() && noChecksum(p)
	to := s.udpFind(h, u)
	switch {
	case bare && (to == nil || !to.noSum6[1]):
		c := s.Counters.udp(h.dst)
		c.InErrors++
		c.InCsumErrors++
		p.Release()
		return
	case to == nil && h.proxied: // as TPROXY has it (tproxy_tg4)
		p.Release()
		return
	case to == nil:
		s.Counters.udp(h.dst).NoPorts++
		s.sendError(p, h, portUnreachable)
		return
	}
	p.Pull(wire.UDPLen)
	to.take(p, h, u)
}

// readUDP reads and checks the header.
func (s *Stack) readUDP(p *packet.Packet, h *header) (u wire.UDP, ok bool) {
	if !p.Pullup(wire.UDPLen) {
		return u, false
	}
	b := p.Header()
	n := int(b[4])<<8 | int(b[5])
	if n == 0 && !h.dst.Is4() { // as in a jumbogram (RFC 2675 section 4)
		n = p.Len()
	}
	switch {
	case n < wire.UDPLen, n > p.Len():
		return u, false
	case n < p.Len():
		p.Truncate(n)
	}
	if p.Sum == packet.SumUnknown && !s.udpSum(p, h, n) {
		s.Counters.udp(h.dst).InCsumErrors++
		return u, false
	}
	return wire.UDP{SrcPort: uint16(b[0])<<8 | uint16(b[1]), DstPort: uint16(b[2])<<8 | uint16(b[3])}, true
}

// noChecksum tells a datagram without one.
func noChecksum(p *packet.Packet) bool {
	b := p.Header()
	return b[wire.UDPChecksumOffset] == 0 && b[wire.UDPChecksumOffset+1] == 0
}

// udpSum checks the checksum. None at all is well with IPv4, and up to the socket with IPv6 (RFC 6935).
func (s *Stack) udpSum(p *packet.Packet, h *header, n int) bool {
	if noChecksum(p) {
		return true
	}
	b := p.Header()
	sum := wire.PseudoSum(h.src, h.dst, wire.IPPROTO_UDP, n).Add(b)
	at := len(b)
	for _, sl := range p.Payload {
		sum = sum.AddAt(at, sl.Bytes())
		at += sl.Len()
	}
	return sum.Valid()
}

// udpFind is the socket that a datagram is for: of what is for another host, one that is
// connected, or else one that takes everything (nf_tproxy_get_sock_v4).
func (s *Stack) udpFind(h *header, u wire.UDP) *UDP {
	to := pick(s, s.udp[u.DstPort], h, u.SrcPort, u.DstPort)
	if !h.proxied || to != nil && to.connected && !to.claim.ip.IsUnspecified() {
		return to
	}
	if to = pick(s, s.udp[h.iface.TProxy], h, u.SrcPort, u.DstPort); to != nil && (to.connected || !to.ip.transparent) {
		return nil
	}
	return to
}

// udpToMany hands a multicast or broadcast datagram to every socket that takes it.
func (s *Stack) udpToMany(p *packet.Packet, h *header, u wire.UDP) {
	bare := p.Sum != packet.SumPartial && !h.dst.Is4() && noChecksum(p)
	p.Pull(wire.UDPLen)
	known := false
	for _, to := range s.udp[u.DstPort] {
		if (!bare || to.noSum6[1]) && to.takes(h, u.SrcPort) > 0 && (h.cast != multicast || to.allows(h)) {
			known = true
			to.take(p.Clone(), h, u)
		}
	}
	if !known {
		s.Counters.udp(h.dst).IgnoredMulti++
	}
	p.Release()
}

// take queues a datagram, or drops and counts it. Datagrams that came as one go apart
// unless the socket wants them together (UDP_GRO).
func (u *UDP) take(p *packet.Packet, h *header, from wire.UDP) {
	if g := p.GSO.Size; g != 0 && !u.gro {
		for _, q := range split(p, g) {
			u.take(q, h, from)
		}
		return
	}
	c := u.stack.Counters.udp(h.dst)
	if !u.accept(p, h, from, p.GSO.Size) {
		c.InErrors++
		c.RcvbufErrors++
		p.Release()
		return
	}
	c.InDatagrams++
}

// split cuts a packet's payload into packets of size bytes, which share its memory.
func split(p *packet.Packet, size int) (list []*packet.Packet) {
	p.GSO.Size = 0
	rest := packet.Len(p.Payload)
	i, off := 0, 0
	for rest > 0 {
		q := packet.NewPacket()
		q.Sum = p.Sum
		for need := min(size, rest); need > 0; {
			s := p.Payload[i]
			n := min(need, s.Len()-off)
			q.Append(s.Sub(off, off+n).Retain())
			off, need, rest = off+n, need-n, rest-n
			if off == s.Len() {
				i, off = i+1, 0
			}
		}
		list = append(list, q)
	}
	p.Release()
	return list
}

// udpError tells the socket that sent the datagram which an error quotes, if there is one (udp_err).
func (s *Stack) udpError(h *header, q *wire.Quote, e icmpError) (known bool) {
	_, dst := q.Ports()
	u := s.quotedUDP(h, q)
	if u == nil {
		return false
	}
	s.learnMTU(q, e)
	e.port, e.payload = dst, quoted(q.Payload, wire.UDPLen)
	u.recall()
	u.report(e)
	return true
}
