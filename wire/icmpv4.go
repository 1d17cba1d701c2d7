package wire

// ICMP (RFC 792) and ICMPv6 (RFC 4443) have the same header; its last four bytes
// mean something else for each type.
const (
	icmpType     = 0
	icmpCode     = 1
	icmpChecksum = 2
	icmpRest     = 4

	// ICMPLen is the length of the header of both.
	ICMPLen = 8
)

// The types of ICMPv4 (linux/icmp.h).
const (
	ICMP_ECHOREPLY      = 0
	ICMP_DEST_UNREACH   = 3
	ICMP_SOURCE_QUENCH  = 4
	ICMP_REDIRECT       = 5
	ICMP_ECHO           = 8
	ICMP_TIME_EXCEEDED  = 11
	ICMP_PARAMETERPROB  = 12
	ICMP_TIMESTAMP      = 13
	ICMP_TIMESTAMPREPLY = 14
	ICMP_ADDRESS        = 17
	ICMP_ADDRESSREPLY   = 18
)

// The codes of ICMP_DEST_UNREACH (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812
// section 5.2.7.1).
const (
	ICMP_NET_UNREACH = iota
	ICMP_HOST_UNREACH
	ICMP_PROT_UNREACH
	ICMP_PORT_UNREACH
	ICMP_FRAG_NEEDED
	ICMP_SR_FAILED
	ICMP_NET_UNKNOWN
	ICMP_HOST_UNKNOWN
	ICMP_HOST_ISOLATED
	ICMP_NET_ANO
	ICMP_HOST_ANO
	ICMP_NET_UNR_TOS
	ICMP_HOST_UNR_TOS
	ICMP_PKT_FILTERED
	ICMP_PREC_VIOLATION
	ICMP_PREC_CUTOFF
)

// The codes of ICMP_REDIRECT and ICMP_TIME_EXCEEDED.
const (
	ICMP_REDIR_NET     = 0
	ICMP_REDIR_HOST    = 1
	ICMP_REDIR_NETTOS  = 2
	ICMP_REDIR_HOSTTOS = 3

	ICMP_EXC_TTL      = 0
	ICMP_EXC_FRAGTIME = 1
)

// ICMPv4 is the header of a message. An error (see IsError) is followed by a
// quote of the packet that it is about.
type ICMPv4 struct {
	Type, Code uint8
	Rest       uint32 // what the last four bytes hold: see the methods
}

// ICMPv4Echo is the header of an echo request or reply.
func ICMPv4Echo(typ uint8, id, seq uint16) ICMPv4 {
	return ICMPv4{Type: typ, Rest: uint32(id)<<16 | uint32(seq)}
}

// ICMPv4FragNeeded is the header of the error that tells a next hop's MTU (RFC
// 1191 section 4).
func ICMPv4FragNeeded(mtu uint16) ICMPv4 {
	return ICMPv4{Type: ICMP_DEST_UNREACH, Code: ICMP_FRAG_NEEDED, Rest: uint32(mtu)}
}

// ICMPv4ParameterProblem is the header of the error about the byte at offset
// pointer.
func ICMPv4ParameterProblem(pointer uint8) ICMPv4 {
	return ICMPv4{Type: ICMP_PARAMETERPROB, Rest: uint32(pointer) << 24}
}

// ICMPv4Redirect is the header of the advice to use another gateway.
func ICMPv4Redirect(code uint8, gateway Addr) ICMPv4 {
	return ICMPv4{Type: ICMP_REDIRECT, Code: code, Rest: uint32(gateway.lo)}
}

// ID is the identifier of an echo.
func (h ICMPv4) ID() uint16 { return uint16(h.Rest >> 16) }

// Seq is the sequence number of an echo.
func (h ICMPv4) Seq() uint16 { return uint16(h.Rest) }

// MTU is what ICMP_FRAG_NEEDED tells of the next hop; 0 when it does not.
func (h ICMPv4) MTU() uint16 { return uint16(h.Rest) }

// Pointer is where a parameter problem lies.
func (h ICMPv4) Pointer() uint8 { return uint8(h.Rest >> 24) }

// Gateway is what ICMP_REDIRECT advises.
func (h ICMPv4) Gateway() Addr { return Addr{0, mapped | uint64(h.Rest)} }

// IsError tells the types that quote a packet, and about which no error may be
// sent (RFC 1122 section 3.2.2).
func (h ICMPv4) IsError() bool {
	switch h.Type {
	case ICMP_DEST_UNREACH, ICMP_SOURCE_QUENCH, ICMP_REDIRECT, ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB:
		return true
	}
	return false
}

// ParseICMPv4 parses a message of any type and gives what follows the header:
// an echo's data, or the quote (ParseQuote4).
func ParseICMPv4(b []byte) (h ICMPv4, body []byte, err error) {
	if len(b) < ICMPLen {
		return h, nil, ErrShort
	}
	if !Sum(0).Add(b).Valid() {
		return h, nil, ErrChecksum
	}
	return ICMPv4{b[icmpType], b[icmpCode], be.Uint32(b[icmpRest:])}, b[ICMPLen:], nil
}

// Len is the length of the header.
func (h ICMPv4) Len() int { return ICMPLen }

// Put writes the header before the body, which is in b already: the checksum
// covers all of b.
func (h ICMPv4) Put(b []byte) int {
	putICMP(b, h.Type, h.Code, h.Rest)
	be.PutUint16(b[icmpChecksum:], Sum(0).Add(b).Checksum())
	return ICMPLen
}

// putICMP writes the header without its checksum.
func putICMP(b []byte, typ, code uint8, rest uint32) {
	_ = b[:ICMPLen]
	b[icmpType], b[icmpCode] = typ, code
	be.PutUint16(b[icmpChecksum:], 0)
	be.PutUint32(b[icmpRest:], rest)
}
