package wire

// IPv4 (RFC 791 section 3.1).
const (
	ip4VersionIHL = 0
	ip4TOS        = 1
	ip4Length     = 2
	ip4ID         = 4
	ip4Frag       = 6
	ip4TTL        = 8
	ip4Protocol   = 9
	ip4Checksum   = 10
	ip4Src        = 12
	ip4Dst        = 16

	// IPv4Len is the length of a header without options.
	IPv4Len = 20
	// MaxIPv4Options is the most that a header's options take.
	MaxIPv4Options = 40
	// MaxIPv4 is the most that a packet holds, header and payload.
	MaxIPv4 = 65535

	ip4DF         = 0x4000
	ip4MF         = 0x2000
	ip4OffsetMask = 0x1fff
)

// IPv4 is the header of a packet.
type IPv4 struct {
	Src, Dst   Addr
	ID         uint16
	FragOffset uint16 // in bytes, a multiple of 8
	DF         bool   // do not fragment
	MF         bool   // more fragments follow
	TOS        TOS
	TTL        uint8
	Protocol   Protocol
	Options    []byte // as in the packet; at most MaxIPv4Options
}

// ParseIPv4 parses a packet and gives its payload, without what a link padded.
// It checks in the order in which Linux counts: version and header length,
// checksum, total length, options.
func ParseIPv4(b []byte) (h IPv4, payload []byte, err error) {
	hlen, n, err := h.Parse(b, len(b))
	if err != nil {
		return h, nil, err
	}
	return h, b[hlen : hlen+n], nil
}

// Parse reads the header of a packet of size bytes whose payload need not be in
// b. It gives the lengths of header and payload, and checks as ParseIPv4 does.
func (h *IPv4) Parse(b []byte, size int) (hlen, n int, err error) {
	if len(b) < IPv4Len {
		return 0, 0, ErrShort
	}
	if b[ip4VersionIHL]>>4 != 4 {
		return 0, 0, ErrVersion
	}
	hlen = int(b[ip4VersionIHL]&15) * 4
	total := int(be.Uint16(b[ip4Length:]))
	switch {
	case hlen < IPv4Len:
		return 0, 0, ErrLength
	case hlen > len(b):
		return 0, 0, ErrShort
	case !Sum(0).Add(b[:hlen]).Valid():
		return 0, 0, ErrChecksum
	case total > size:
		return 0, 0, ErrTruncated
	case total < hlen:
		return 0, 0, ErrLength
	}
	h.fields(b[:hlen])
	if hlen > IPv4Len && CheckIPv4Options(h.Options) >= 0 {
		return 0, 0, ErrOptions
	}
	return hlen, total - hlen, nil
}

// fields reads a whole header.
func (h *IPv4) fields(b []byte) {
	frag := be.Uint16(b[ip4Frag:])
	h.Src, h.Dst = addr4(b[ip4Src:]), addr4(b[ip4Dst:])
	h.ID = be.Uint16(b[ip4ID:])
	h.FragOffset = frag & ip4OffsetMask << 3
	h.DF, h.MF = frag&ip4DF != 0, frag&ip4MF != 0
	h.TOS, h.TTL, h.Protocol = TOS(b[ip4TOS]), b[ip4TTL], Protocol(b[ip4Protocol])
	if len(b) > IPv4Len {
		h.Options = b[IPv4Len:]
	}
}

// IsFragment tells whether the packet is part of a larger one.
func (h *IPv4) IsFragment() bool { return h.MF || h.FragOffset != 0 }

// Len is the length of the header, options padded to a multiple of four.
func (h *IPv4) Len() int { return IPv4Len + (len(h.Options)+3)&^3 }

// Put writes the header of a packet with n bytes of payload, with its checksum.
// Len()+n is at most MaxIPv4.
func (h *IPv4) Put(b []byte, n int) int {
	hlen := h.Len()
	b = b[:hlen]
	frag := h.FragOffset >> 3
	if h.DF {
		frag |= ip4DF
	}
	if h.MF {
		frag |= ip4MF
	}
	b[ip4VersionIHL] = 4<<4 | byte(hlen/4)
	b[ip4TOS] = byte(h.TOS)
	be.PutUint16(b[ip4Length:], uint16(hlen+n))
	be.PutUint16(b[ip4ID:], h.ID)
	be.PutUint16(b[ip4Frag:], frag)
	b[ip4TTL], b[ip4Protocol] = h.TTL, byte(h.Protocol)
	be.PutUint16(b[ip4Checksum:], 0)
	h.Src.put4(b[ip4Src:])
	h.Dst.put4(b[ip4Dst:])
	if hlen > IPv4Len {
		clear(b[IPv4Len+copy(b[IPv4Len:], h.Options):]) // IPOPT_END is zero
	}
	be.PutUint16(b[ip4Checksum:], Sum(0).Add(b).Checksum())
	return hlen
}

// Readdress sends a packet, of which b is the header, to another address, and makes the checksum anew.
func Readdress(b []byte, dst Addr) {
	dst.put4(b[ip4Dst:])
	be.PutUint16(b[ip4Checksum:], 0)
	be.PutUint16(b[ip4Checksum:], Sum(0).Add(b).Checksum())
}

// DecrementTTL takes one from the time to live of a packet that is forwarded and
// mends the header's checksum. The time to live must not be zero.
func DecrementTTL(packet []byte) {
	old := Sum(packet[ip4TTL]) << 8
	packet[ip4TTL]--
	be.PutUint16(packet[ip4Checksum:], UpdateChecksum(be.Uint16(packet[ip4Checksum:]), old, old-1<<8))
}
