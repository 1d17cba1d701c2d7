package link

import (
	"sockeye/packet"
	"sockeye/wire"
)

// Segment cuts a large packet (one with a GSO size) into the segments that it stands
// for, and appends them to list. It takes over p. TCP's sequence numbers go on
// from one to the next, only the last has FIN and PSH and only the first CWR, as
// Linux's tcp_gso_segment has it; UDP's segments are datagrams. IPv4
// identifications count up. The segments' checksums are not computed
// (packet.SumPartial). A packet that is neither TCP nor UDP stays one.
func Segment(list []*packet.Packet, p *packet.Packet, ethernet bool) []*packet.Packet {
	size := p.GSO.Size
	p.GSO = packet.GSO{}
	if size <= 0 {
		return append(list, p)
	}
	l := locate(p, ethernet)
	rest := packet.Len(p.Payload)
	if rest <= size || l.sum == 0 || l.protocol != wire.IPPROTO_TCP && l.protocol != wire.IPPROTO_UDP {
		return append(list, p)
	}
	p.Sum = packet.SumPartial
	from := cursor{slices: p.Payload}
	for n := 0; rest > 0; n++ {
		q := packet.NewPacket()
		q.SetHeader(p.Header())
		length := min(size, rest)
		from.take(q, length)
		rest -= length
		trim(q.Header(), l, length, n, n*size, rest == 0)
		list = append(list, q)
	}
	p.Release()
	return list
}

// trim makes of the headers of a large packet those of its nth segment, which has
// length bytes of payload and starts offset bytes into the whole.
func trim(h []byte, l layout, length, n, offset int, last bool) {
	ip := h[l.ip:]
	if l.version == 4 {
		be.PutUint16(ip[ip4Length:], uint16(len(h)-l.ip+length))
		be.PutUint16(ip[ip4ID:], be.Uint16(ip[ip4ID:])+uint16(n))
		be.PutUint16(ip[ip4Checksum:], 0)
		be.PutUint16(ip[ip4Checksum:], wire.Sum(0).Add(h[l.ip:l.transport]).Checksum())
	} else {
		be.PutUint16(ip[ip6Length:], uint16(len(h)-l.ip-wire.IPv6Len+length))
	}
	const seq, flags, udpLength = 4, 13, 4
	t := h[l.transport:]
	if l.protocol == wire.IPPROTO_UDP {
		be.PutUint16(t[udpLength:], uint16(wire.UDPLen+length))
		return
	}
	be.PutUint32(t[seq:], be.Uint32(t[seq:])+uint32(offset))
	if !last {
		t[flags] &^= byte(wire.FIN | wire.PSH)
	}
	if n > 0 {
		t[flags] &^= byte(wire.CWR)
	}
}

// A cursor walks through payload.
type cursor struct {
	slices []packet.Slice
	offset int // in the first slice
}

// take appends the next n bytes to p, without copying them.
func (c *cursor) take(p *packet.Packet, n int) {
	for n > 0 {
		s := c.slices[0]
		end := min(s.Len(), c.offset+n)
		if end > c.offset {
			p.Append(s.Sub(c.offset, end).Retain())
		}
		n -= end - c.offset
		if c.offset = end; end == s.Len() {
			c.slices, c.offset = c.slices[1:], 0
		}
	}
}

// segments is how many segments p stands for.
func segments(p *packet.Packet) uint64 {
	if p.GSO.Size == 0 {
		return 1
	}
	return uint64(max(1, (packet.Len(p.Payload)+p.GSO.Size-1)/p.GSO.Size))
}
