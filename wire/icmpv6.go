package wire

// The types of ICMPv6 (linux/icmpv6.h). Neighbour discovery and listener
// discovery have theirs beside their formats.
const (
	ICMPV6_DEST_UNREACH = 1
	ICMPV6_PKT_TOOBIG   = 2
	ICMPV6_TIME_EXCEED  = 3
	ICMPV6_PARAMPROB    = 4
	ICMPV6_ECHO_REQUEST = 128
	ICMPV6_ECHO_REPLY   = 129

	icmpv6Informational = 128 // set in the types that are no errors
)

// The codes of ICMPV6_DEST_UNREACH (RFC 4443 section 3.1, RFC 8883).
const (
	ICMPV6_NOROUTE = iota
	ICMPV6_ADM_PROHIBITED
	ICMPV6_NOT_NEIGHBOUR
	ICMPV6_ADDR_UNREACH
	ICMPV6_PORT_UNREACH
	ICMPV6_POLICY_FAIL
	ICMPV6_REJECT_ROUTE
)

// The codes of ICMPV6_TIME_EXCEED and ICMPV6_PARAMPROB.
const (
	ICMPV6_EXC_HOPLIMIT = 0
	ICMPV6_EXC_FRAGTIME = 1

	ICMPV6_HDR_FIELD   = 0
	ICMPV6_UNK_NEXTHDR = 1
	ICMPV6_UNK_OPTION  = 2
	ICMPV6_HDR_INCOMP  = 3 // RFC 7112
)

// ICMPv6 is the header of a message (RFC 4443 section 2.1). An error (see
// IsError) is followed by a quote of the packet that it is about.
type ICMPv6 struct {
	Type, Code uint8
	Rest       uint32 // what the last four bytes hold: see the methods
}

// ICMPv6Echo is the header of an echo request or reply.
func ICMPv6Echo(typ uint8, id, seq uint16) ICMPv6 {
	return ICMPv6{Type: typ, Rest: uint32(id)<<16 | uint32(seq)}
}

// ICMPv6PacketTooBig is the header of the error that tells a next hop's MTU.
func ICMPv6PacketTooBig(mtu uint32) ICMPv6 { return ICMPv6{Type: ICMPV6_PKT_TOOBIG, Rest: mtu} }

// ICMPv6ParameterProblem is the header of the error about the byte at offset
// pointer.
func ICMPv6ParameterProblem(code uint8, pointer uint32) ICMPv6 {
	return ICMPv6{Type: ICMPV6_PARAMPROB, Code: code, Rest: pointer}
}

// ID is the identifier of an echo.
func (h ICMPv6) ID() uint16 { return uint16(h.Rest >> 16) }

// Seq is the sequence number of an echo.
func (h ICMPv6) Seq() uint16 { return uint16(h.Rest) }

// MTU is what ICMPV6_PKT_TOOBIG tells of the next hop.
func (h ICMPv6) MTU() uint32 { return h.Rest }

// Pointer is where a parameter problem lies; it may lie past what is quoted.
func (h ICMPv6) Pointer() uint32 { return h.Rest }

// IsError tells the types that quote a packet, and about which no error may be
// sent.
func (h ICMPv6) IsError() bool { return h.Type < icmpv6Informational }

// ParseICMPv6 parses a message of any type and gives what follows the header:
// an echo's data, or the quote (ParseQuote6). It does not check the checksum:
// that is valid when PseudoSum(...).Add(message) is.
func ParseICMPv6(b []byte) (h ICMPv6, body []byte, err error) {
	if len(b) < ICMPLen {
		return h, nil, ErrShort
	}
	return ICMPv6{b[icmpType], b[icmpCode], be.Uint32(b[icmpRest:])}, b[ICMPLen:], nil
}

// Len is the length of the header.
func (h ICMPv6) Len() int { return ICMPLen }

// Put writes the header, without a checksum.
func (h ICMPv6) Put(b []byte) int {
	putICMP(b, h.Type, h.Code, h.Rest)
	return ICMPLen
}

// FillICMPv6 writes the checksum into a whole message; rest is the sum of the
// pseudo-header and of what of the message is not in b.
func FillICMPv6(b []byte, rest Sum) {
	be.PutUint16(b[icmpChecksum:], 0)
	be.PutUint16(b[icmpChecksum:], rest.Add(b).Checksum())
}
