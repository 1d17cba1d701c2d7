package wire

// TCP (RFC 9293 section 3.1).
const (
	tcpSrc      = 0
	tcpDst      = 2
	tcpSeq      = 4
	tcpAck      = 8
	tcpOffset   = 12 // data offset in 4 bits, 3 reserved ones, 9 flags
	tcpWindow   = 14
	tcpChecksum = 16
	tcpUrgent   = 18

	// TCPLen is the length of a header without options.
	TCPLen = 20
	// MaxTCPOptions is the most that a header's options take.
	MaxTCPOptions = 40

	tcpFlagsMask = 0x1ff
)

// TCPChecksumOffset is where the header has its checksum.
const TCPChecksumOffset = tcpChecksum

// TCPFlags are the control bits of a segment.
type TCPFlags uint16

// The control bits: RFC 9293, and AE of RFC 9768 (accurate ECN).
const (
	FIN TCPFlags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
	AE
)

// String is the flags as tcpdump writes them: [S.] is SYN and ACK.
func (f TCPFlags) String() string {
	if f&tcpFlagsMask == 0 {
		return "[none]"
	}
	s := append(make([]byte, 0, 12), '[')
	for i, c := range []byte("FSRP.UEWe") {
		if f&(1<<i) != 0 {
			s = append(s, c)
		}
	}
	return string(append(s, ']'))
}

// TCP is the header of a segment.
type TCP struct {
	SrcPort, DstPort uint16
	Seq, Ack         Seq
	Flags            TCPFlags
	Window           uint16 // as sent: not scaled
	Urgent           uint16
	Options          TCPOptions
}

// ParseTCP parses a segment and gives its payload. It does not check the
// checksum: that is valid when PseudoSum(...).Add(segment) is. Options never
// make an error: see TCPOptions.
func ParseTCP(b []byte) (h TCP, payload []byte, err error) {
	if len(b) < TCPLen {
		return h, nil, ErrShort
	}
	v := be.Uint16(b[tcpOffset:])
	hlen := int(v>>12) * 4
	switch {
	case hlen < TCPLen:
		return h, nil, ErrLength
	case hlen > len(b):
		return h, nil, ErrTruncated
	}
	h.SrcPort, h.DstPort = be.Uint16(b[tcpSrc:]), be.Uint16(b[tcpDst:])
	h.Seq, h.Ack = Seq(be.Uint32(b[tcpSeq:])), Seq(be.Uint32(b[tcpAck:]))
	h.Flags = TCPFlags(v & tcpFlagsMask)
	h.Window, h.Urgent = be.Uint16(b[tcpWindow:]), be.Uint16(b[tcpUrgent:])
	if hlen > TCPLen {
		h.Options.parse(b[TCPLen:hlen])
	}
	return h, b[hlen:], nil
}

// Len is the length of the header with its options.
func (h *TCP) Len() int {
	if h.Options.Set == 0 && h.Options.NumSACK == 0 {
		return TCPLen
	}
	return TCPLen + h.Options.Len()
}

// Put writes the header, without a checksum.
func (h *TCP) Put(b []byte) int {
	hlen := h.Len()
	b = b[:hlen]
	be.PutUint16(b[tcpSrc:], h.SrcPort)
	be.PutUint16(b[tcpDst:], h.DstPort)
	be.PutUint32(b[tcpSeq:], uint32(h.Seq))
	be.PutUint32(b[tcpAck:], uint32(h.Ack))
	be.PutUint16(b[tcpOffset:], uint16(hlen/4)<<12|uint16(h.Flags&tcpFlagsMask))
	be.PutUint16(b[tcpWindow:], h.Window)
	be.PutUint16(b[tcpChecksum:], 0)
	be.PutUint16(b[tcpUrgent:], h.Urgent)
	if hlen > TCPLen {
		h.Options.put(b[TCPLen:])
	}
	return hlen
}

// SeqLen is how many sequence numbers a segment with n bytes of payload takes:
// SYN and FIN take one each.
func (h *TCP) SeqLen(n int) int {
	if h.Flags&SYN != 0 {
		n++
	}
	if h.Flags&FIN != 0 {
		n++
	}
	return n
}

// FillTCP writes the checksum into b, a header with all or none of its payload;
// rest is the sum of the pseudo-header and of the payload that is not in b.
func FillTCP(b []byte, rest Sum) {
	be.PutUint16(b[tcpChecksum:], 0)
	be.PutUint16(b[tcpChecksum:], rest.Add(b).Checksum())
}
