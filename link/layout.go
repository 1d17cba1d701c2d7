package link

import (
	"encoding/binary"

	"sockeye/packet"
	"sockeye/wire"
)

var be = binary.BigEndian

// A layout tells where the headers of a packet are, as offsets from its start. It
// is made from bytes of any kind and vouches for nothing but that its offsets are
// within them.
type layout struct {
	ip        int // the IP header
	transport int // what follows the IP headers
	end       int // what follows all headers that are known
	sum       int // the transport's checksum; 0: there is none that a link can fill in
	total     int // the length of the packet as its IP header has it; 0: not known
	version   int // of IP; 0: this is not an IP packet
	protocol  wire.Protocol
}

// Offsets in the IP headers (RFC 791 section 3.1, RFC 8200 section 3).
const (
	ip4Length, ip4ID, ip4Frag, ip4Protocol, ip4Checksum, ip4Src, ip4Dst = 2, 4, 6, 9, 10, 12, 16
	ip6Length, ip6Next, ip6Src, ip6Dst                                  = 4, 6, 8, 24

	arpLen     = 28 // for IPv4 over Ethernet
	unknownLen = 60 // bytes of a packet that is not understood which count as its header
)

// A transport is what a link needs to know of a protocol.
type transport struct {
	header, sum int  // shortest header, and where in it the checksum is
	pseudo      bool // the checksum covers a pseudo-header
}

// transportOf gives false for a protocol whose checksum a link leaves alone.
func transportOf(version int, p wire.Protocol) (transport, bool) {
	switch {
	case p == wire.IPPROTO_TCP:
		return transport{wire.TCPLen, wire.TCPChecksumOffset, true}, true
	case p == wire.IPPROTO_UDP:
		return transport{wire.UDPLen, wire.UDPChecksumOffset, true}, true
	case p == wire.IPPROTO_ICMP && version == 4:
		return transport{8, 2, false}, true
	case p == wire.IPPROTO_ICMPV6 && version == 6:
		return transport{8, 2, true}, true
	}
	return transport{}, false
}

// layoutOf finds the headers at the start of b.
func layoutOf(b []byte, ethernet bool) (l layout) {
	if ethernet {
		h, _, err := wire.ParseEthernet(b)
		if err != nil {
			l.end = min(len(b), wire.EthernetLen)
			return l
		}
		l.ip, l.end = h.Len(), h.Len()
		switch h.Type {
		case wire.ETH_P_IP, wire.ETH_P_IPV6:
		case wire.ETH_P_ARP:
			l.end = min(len(b), l.ip+arpLen)
			return l
		default:
			return l
		}
	}
	l.end = min(len(b), l.ip+unknownLen)
	var whole bool // not a fragment
	switch ip := b[l.ip:]; wire.Version(ip) {
	case 4:
		hlen := int(ip[0]&15) * 4
		if hlen < wire.IPv4Len || hlen > len(ip) {
			return l
		}
		l.version, l.protocol = 4, wire.Protocol(ip[ip4Protocol])
		l.transport, l.total = l.ip+hlen, l.ip+int(be.Uint16(ip[ip4Length:]))
		whole = be.Uint16(ip[ip4Frag:])&0x3fff == 0
	case 6:
		if len(ip) < wire.IPv6Len {
			return l
		}
		x, _, err := wire.WalkExtensions(wire.Protocol(ip[ip6Next]), ip[wire.IPv6Len:])
		if err != nil {
			return l
		}
		l.version, l.protocol = 6, x.Protocol
		l.transport = l.ip + wire.IPv6Len + x.Len
		l.total = l.ip + wire.IPv6Len + int(be.Uint16(ip[ip6Length:]))
		whole = !x.HasFragment || !x.Fragment.More && x.Fragment.Offset == 0
	default:
		return l
	}
	l.end = l.transport
	if t, ok := transportOf(l.version, l.protocol); ok && whole {
		l.over(b, t)
	}
	return l
}

// over finds the end of the transport's header.
func (l *layout) over(b []byte, t transport) {
	n := t.header
	if len(b)-l.transport < n {
		l.end = len(b)
		return
	}
	if l.protocol == wire.IPPROTO_TCP {
		n = max(n, int(b[l.transport+12]>>4)*4)
	}
	l.end, l.sum = min(len(b), l.transport+n), l.transport+t.sum
}

// locate finds the headers of p, and brings them into its head if they are not there.
func locate(p *packet.Packet, ethernet bool) layout {
	h := p.Header()
	l := layoutOf(h, ethernet)
	if l.sum != 0 || len(p.Payload) == 0 {
		return l
	}
	var space [packet.Headroom]byte
	b := append(space[:0], h...)
	for _, s := range p.Payload {
		b = append(b, s.Bytes()[:min(s.Len(), cap(b)-len(b))]...)
	}
	l = layoutOf(b, ethernet)
	if n := len(h); l.end > n {
		p.SetHeader(b[:l.end])
		trimFront(p, l.end-n)
	}
	return l
}

// trimFront takes n bytes off the front of the payload.
func trimFront(p *packet.Packet, n int) {
	for n > 0 && len(p.Payload) > 0 {
		s := p.Payload[0]
		if s.Len() > n {
			p.Payload[0] = s.Sub(n, s.Len())
			return
		}
		n -= s.Len()
		s.Release()
		p.Payload = p.Payload[1:]
	}
}

// FromWire makes a packet of bytes as they are on a wire: IP's and the transport's
// headers in the head, the rest in the payload, without what a link has padded. Of
// a fragment the head has IP's headers alone. FromWire judges nothing: what it
// does not understand stays as it is for the host to refuse, headers that
// take more than packet.Headroom are cut there, and the checksum is
// packet.SumUnknown. The packet takes over the slice's reference.
func FromWire(s packet.Slice, ethernet bool) *packet.Packet {
	b := s.Bytes()
	l := layoutOf(b[:min(len(b), packet.Headroom)], ethernet)
	p := packet.NewPacket()
	p.Sum = packet.SumUnknown
	p.SetHeader(b[:l.end])
	last := len(b)
	if l.total >= l.end && l.total < last {
		last = l.total
	}
	if last > l.end {
		p.Append(s.Sub(l.end, last))
	} else {
		s.Release()
	}
	return p
}
