package wire

// IPv6 (RFC 8200 section 3).
const (
	ip6VersionClassFlow = 0
	ip6Length           = 4
	ip6NextHeader       = 6
	ip6HopLimit         = 7
	ip6Src              = 8
	ip6Dst              = 24

	// IPv6Len is the length of the header, which is fixed.
	IPv6Len = 40
	// MaxIPv6Payload is the most that follows the header, extension headers
	// included.
	MaxIPv6Payload = 65535
	// MinMTU6 is the packet size that every link carries (RFC 8200 section 5).
	MinMTU6 = 1280

	flowLabelMask = 0xfffff
)

// IPv6 is the header of a packet. NextHeader is the protocol of what follows,
// which may be an extension header: see WalkExtensions.
type IPv6 struct {
	Src, Dst     Addr
	FlowLabel    uint32 // 20 bits
	TrafficClass TOS
	NextHeader   Protocol
	HopLimit     uint8
}

// ParseIPv6 parses a packet and gives its payload, without what a link padded.
// Multicast sources and IPv4-mapped addresses are ErrAddress, as in ip6_rcv_core
// of Linux. A jumbogram (length zero before hop-by-hop options) is ErrLength.
func ParseIPv6(b []byte) (h IPv6, payload []byte, err error) {
	n, err := h.Parse(b, len(b))
	if err != nil {
		return h, nil, err
	}
	return h, b[IPv6Len : IPv6Len+n], nil
}

// Parse reads the header of a packet of size bytes whose payload need not be in
// b. It gives the length of what follows the header, and checks as ParseIPv6 does.
func (h *IPv6) Parse(b []byte, size int) (n int, err error) {
	if len(b) < IPv6Len {
		return 0, ErrShort
	}
	if b[ip6VersionClassFlow]>>4 != 6 {
		return 0, ErrVersion
	}
	h.fields(b)
	n = int(be.Uint16(b[ip6Length:]))
	switch {
	case n == 0 && h.NextHeader == IPPROTO_HOPOPTS:
		return 0, ErrLength
	case n > size-IPv6Len:
		return 0, ErrTruncated
	case h.Src.Is4() || h.Dst.Is4() || h.Src.IsMulticast():
		return 0, ErrAddress
	}
	return n, nil
}

func (h *IPv6) fields(b []byte) {
	first := be.Uint32(b[ip6VersionClassFlow:])
	h.Src, h.Dst = addr6(b[ip6Src:]), addr6(b[ip6Dst:])
	h.FlowLabel, h.TrafficClass = first&flowLabelMask, TOS(first>>20)
	h.NextHeader, h.HopLimit = Protocol(b[ip6NextHeader]), b[ip6HopLimit]
}

// Len is the length of the header.
func (h *IPv6) Len() int { return IPv6Len }

// Put writes the header of a packet with n bytes of payload, extension headers
// included. n is at most MaxIPv6Payload.
func (h *IPv6) Put(b []byte, n int) int {
	_ = b[:IPv6Len]
	be.PutUint32(b[ip6VersionClassFlow:], 6<<28|uint32(h.TrafficClass)<<20|h.FlowLabel&flowLabelMask)
	be.PutUint16(b[ip6Length:], uint16(n))
	b[ip6NextHeader], b[ip6HopLimit] = byte(h.NextHeader), h.HopLimit
	h.Src.put16(b[ip6Src:])
	h.Dst.put16(b[ip6Dst:])
	return IPv6Len
}

// DecrementHopLimit takes one from the hop limit of a packet that is forwarded, which
// must not be zero.
func DecrementHopLimit(packet []byte) { packet[ip6HopLimit]-- }

// SetNextHeader makes the header one of a packet with n bytes of payload that begin with next.
func SetNextHeader(packet []byte, next Protocol, n int) {
	packet[ip6NextHeader] = byte(next)
	be.PutUint16(packet[ip6Length:], uint16(n))
}
