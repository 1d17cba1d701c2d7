package wire

// A Quote is the beginning of the packet that an ICMP error is about: which
// connection or socket it concerns, and what the path did to it. Nothing in it
// has been checked by a checksum, and anybody may have made it up.
type Quote struct {
	Src, Dst   Addr // of the quoted packet: Src is this host
	Protocol   Protocol
	FragOffset uint16 // ports stand only in the first fragment
	TOS        TOS
	Header     []byte // IP headers of the quoted packet
	Payload    []byte // what is quoted of the transport's header: 8 bytes at least
}

// quoteMin is what an error quotes of the transport at least (RFC 792).
const quoteMin = 8

// ParseQuote4 reads what an ICMPv4 error quotes. As in Linux, lengths and
// checksum are not checked, which routers change, and eight bytes of the
// transport must be there.
func ParseQuote4(b []byte) (q Quote, err error) {
	if len(b) < IPv4Len {
		return q, ErrShort
	}
	if b[ip4VersionIHL]>>4 != 4 {
		return q, ErrVersion
	}
	hlen := int(b[ip4VersionIHL]&15) * 4
	if hlen < IPv4Len {
		return q, ErrLength
	}
	if len(b) < hlen+quoteMin {
		return q, ErrShort
	}
	var h IPv4
	h.fields(b[:hlen])
	return Quote{h.Src, h.Dst, h.Protocol, h.FragOffset, h.TOS, b[:hlen], b[hlen:]}, nil
}

// ParseQuote6 reads what an ICMPv6 error quotes, behind its extension headers.
func ParseQuote6(b []byte) (q Quote, err error) {
	if len(b) < IPv6Len {
		return q, ErrShort
	}
	if b[ip6VersionClassFlow]>>4 != 6 {
		return q, ErrVersion
	}
	var h IPv6
	h.fields(b)
	if h.Src.Is4() || h.Dst.Is4() {
		return q, ErrAddress
	}
	x, payload, err := skipExtensions(h.NextHeader, b[IPv6Len:])
	if err != nil {
		return q, err
	}
	if len(payload) < quoteMin {
		return q, ErrShort
	}
	return Quote{h.Src, h.Dst, x.Protocol, x.Fragment.Offset, h.TrafficClass, b[:len(b)-len(payload)], payload}, nil
}

// skipExtensions is WalkExtensions for a packet that this host sent: whatever
// the headers say, it looks only for their end.
func skipExtensions(next Protocol, b []byte) (x Extensions, rest []byte, err error) {
	x.Protocol = next
	for {
		var size int
		switch x.Protocol {
		case IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING:
			size, err = extensionSize(b)
		case IPPROTO_FRAGMENT:
			size, err = x.fragment(b)
		default:
			return x, b, nil
		}
		if err != nil {
			return x, nil, err
		}
		x.Protocol = Protocol(b[extNext])
		b = b[size:]
		if x.Fragment.Offset != 0 {
			return x, b, nil
		}
	}
}

// Ports are the ports of a quoted TCP segment or UDP datagram.
func (q *Quote) Ports() (src, dst uint16) { return be.Uint16(q.Payload), be.Uint16(q.Payload[2:]) }

// Seq is the sequence number of a quoted TCP segment. An error whose number is
// not in flight is a blind attack (RFC 5927 section 4.1).
func (q *Quote) Seq() Seq { return Seq(be.Uint32(q.Payload[tcpSeq:])) }

// EchoID is the identifier of a quoted echo request.
func (q *Quote) EchoID() uint16 { return be.Uint16(q.Payload[icmpRest:]) }
