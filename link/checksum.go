package link

import (
	"sockeye/packet"
	"sockeye/wire"
)

// FillChecksum computes the transport's checksum of a packet that has none
// (packet.SumPartial): TCP, UDP, ICMP and ICMPv6. Fragments and other protocols
// have none that could be computed here. The checksum has to be checked from then
// on (packet.SumUnknown). The IPv4 header's own is always the host's work.
func FillChecksum(p *packet.Packet, ethernet bool) {
	if p.Sum == packet.SumPartial {
		fill(p, locate(p, ethernet))
		p.Sum = packet.SumUnknown
	}
}

// fill writes the checksum where the layout has one.
func fill(p *packet.Packet, l layout) {
	if l.sum == 0 {
		return
	}
	h := p.Header()
	be.PutUint16(h[l.sum:], 0)
	sum := pseudoSum(h, l, p.Len()-l.transport).Add(h[l.transport:])
	offset := len(h) - l.transport
	for _, s := range p.Payload {
		sum = sum.AddAt(offset, s.Bytes())
		offset += s.Len()
	}
	ck := sum.Checksum()
	if ck == 0 && l.protocol == wire.IPPROTO_UDP {
		ck = 0xffff // zero says that there is none (RFC 768)
	}
	be.PutUint16(h[l.sum:], ck)
}

// pseudoSum is the sum of the pseudo-header for n bytes of transport.
func pseudoSum(h []byte, l layout, n int) wire.Sum {
	if t, _ := transportOf(l.version, l.protocol); !t.pseudo {
		return 0
	}
	src, dst := addresses(h, l)
	return wire.PseudoSum(src, dst, l.protocol, n)
}

func addresses(h []byte, l layout) (src, dst wire.Addr) {
	ip := h[l.ip:]
	if l.version == 4 {
		return wire.AddrFrom4([4]byte(ip[ip4Src:])), wire.AddrFrom4([4]byte(ip[ip4Dst:]))
	}
	return wire.AddrFrom16([16]byte(ip[ip6Src:])), wire.AddrFrom16([16]byte(ip[ip6Dst:]))
}
