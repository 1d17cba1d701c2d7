package wire

// UDP (RFC 768).
const (
	udpSrc      = 0
	udpDst      = 2
	udpLength   = 4
	udpChecksum = 6

	// UDPLen is the length of the header.
	UDPLen = 8
)

// UDPChecksumOffset is where the header has its checksum.
const UDPChecksumOffset = udpChecksum

// UDP is the header of a datagram.
type UDP struct {
	SrcPort, DstPort uint16
}

// ParseUDP parses a datagram and gives its payload: what the length says,
// without what may follow it. It does not check the checksum: see CheckUDP.
func ParseUDP(b []byte) (h UDP, payload []byte, err error) {
	if len(b) < UDPLen {
		return h, nil, ErrShort
	}
	n := int(be.Uint16(b[udpLength:]))
	switch {
	case n > len(b):
		return h, nil, ErrTruncated
	case n < UDPLen:
		return h, nil, ErrLength
	}
	h.SrcPort, h.DstPort = be.Uint16(b[udpSrc:]), be.Uint16(b[udpDst:])
	return h, b[UDPLen:n], nil
}

// CheckUDP checks the checksum of a datagram that ParseUDP took. Zero says that
// the sender made none, which IPv4 allows and IPv6 forbids (RFC 8200 section 8.1).
func CheckUDP(datagram []byte, src, dst Addr) error {
	if be.Uint16(datagram[udpChecksum:]) == 0 {
		if src.Is4() {
			return nil
		}
		return ErrChecksum
	}
	n := int(be.Uint16(datagram[udpLength:]))
	if !PseudoSum(src, dst, IPPROTO_UDP, n).Add(datagram[:n]).Valid() {
		return ErrChecksum
	}
	return nil
}

// Len is the length of the header.
func (h UDP) Len() int { return UDPLen }

// Put writes the header of a datagram with n bytes of payload, without a
// checksum. n is at most 65527.
func (h UDP) Put(b []byte, n int) int {
	_ = b[:UDPLen]
	be.PutUint16(b[udpSrc:], h.SrcPort)
	be.PutUint16(b[udpDst:], h.DstPort)
	be.PutUint16(b[udpLength:], uint16(UDPLen+n))
	be.PutUint16(b[udpChecksum:], 0)
	return UDPLen
}

// FillUDP writes the checksum into b, a header with all or none of its payload;
// rest is the sum of the pseudo-header and of the payload that is not in b. A
// checksum of zero is sent as its other form, all ones.
func FillUDP(b []byte, rest Sum) {
	be.PutUint16(b[udpChecksum:], 0)
	be.PutUint16(b[udpChecksum:], nonzero(rest.Add(b).Checksum()))
}

// nonzero is the form of a checksum that does not mean that there is none.
func nonzero(ck uint16) uint16 {
	if ck == 0 {
		return 0xffff
	}
	return ck
}
