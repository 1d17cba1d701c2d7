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
		s.Counters.UDPInErrors++
		p.Release()
		return
	}
	if h.cast != unicast {
		s.udpToMany(p, h, u)
		return
	}
	bare := p.Sum != packet.SumPartial && !h.dst.Is4() && noChecksum(p)
	to := s.udpFind(h, u)
	if bare && (to == nil || !to.noSum6[1]) {
		s.Counters.UDPInErrors++
		s.Counters.UDPInCsumErrors++
		p.Release()
		return
	}
	if to == nil {
		s.Counters.UDPNoPorts++
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
	switch {
	case n < wire.UDPLen, n > p.Len():
		return u, false
	case n < p.Len():
		p.Truncate(n)
	}
	if p.Sum == packet.SumUnknown && !s.udpSum(p, h, n) {
		s.Counters.UDPInCsumErrors++
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

// udpFind is the socket that a datagram is for.
func (s *Stack) udpFind(h *header, u wire.UDP) *UDP {
	return pick(s, s.udp[u.DstPort], h, u.SrcPort, u.DstPort)
}

// udpToMany hands a multicast or broadcast datagram to every socket that takes it.
func (s *Stack) udpToMany(p *packet.Packet, h *header, u wire.UDP) {
	bare := p.Sum != packet.SumPartial && !h.dst.Is4() && noChecksum(p)
	p.Pull(wire.UDPLen)
	for _, to := range s.udp[u.DstPort] {
		if (!bare || to.noSum6[1]) && to.takes(h, u.SrcPort) > 0 && (h.cast != multicast || to.allows(h)) {
			to.take(p.Clone(), h, u)
		}
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
	c := &u.stack.Counters
	d := datagram{p: p, h: *h, port: from.SrcPort, dstPort: from.DstPort, segment: p.GSO.Size}
	if !u.accept(d) {
		c.UDPInErrors++
		c.UDPRcvbufErrors++
		p.Release()
		return
	}
	c.UDPInDatagrams++
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

// udpError tells the socket that sent the datagram which an error quotes (udp_err).
func (s *Stack) udpError(h *header, q *wire.Quote, e icmpError) {
	src, dst := q.Ports()
	iface := h.iface
	if q.Dst.Is4() { // __udp4_lib_err asks for the device, __udp6_lib_err for the interface
		iface = h.link
	}
	u := s.udpFind(&header{src: q.Dst, dst: q.Src, iface: iface}, wire.UDP{SrcPort: dst, DstPort: src})
	if u == nil {
		return
	}
	e.port, e.payload = dst, quoted(q.Payload, wire.UDPLen)
	u.report(e)
}
