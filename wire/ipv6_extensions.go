package wire

// IPv6 extension headers (RFC 8200 section 4).
const (
	extNext        = 0
	extLen         = 1 // in units of 8 bytes, without the first 8
	routingType    = 2 // section 4.4
	routingSegLeft = 3
	routingRPL     = 3 // RFC 6554
	routingSegment = 4 // RFC 8754
	fragOffset     = 2 // section 4.5
	fragID         = 4

	// FragmentLen is the length of the fragment header.
	FragmentLen = 8
	// RouterAlertIPv6Len is the length of the hop-by-hop options header that
	// PutRouterAlert writes.
	RouterAlertIPv6Len = 8

	maxOptions = 8 // options in a header: net.ipv6.max_hbh_opts_number, max_dst_opts_number
	maxPadding = 7 // bytes of padding in a row: more would be alignment to more than 8

	optPad1        = 0
	optPadN        = 1
	optRouterAlert = 5    // RFC 2711
	optJumbo       = 0xc2 // RFC 2675

	fragMore = 1
)

// Extensions is what the extension headers of a packet say.
type Extensions struct {
	Protocol Protocol // of what follows the headers
	NextAt   int      // where in the packet that number stands, for a parameter problem
	Len      int      // of all headers together

	Fragment    Fragment
	HasFragment bool

	RouterAlert    uint16 // 0 for listener discovery (RFC 2711 section 2.1)
	HasRouterAlert bool

	Problem Problem // set with an error
}

// A Fragment is the fragment header. That a fragment with More set is a
// multiple of 8 bytes long and that none ends past 65,535 is for reassembly to
// check, which has an answer for it.
type Fragment struct {
	ID     uint32
	Offset uint16 // in bytes, a multiple of 8
	More   bool
}

// A Problem is the ICMPv6 parameter problem (RFC 4443 section 3.4) that
// answers a bad header.
type Problem struct {
	Answer  Answer
	Code    uint8 // ICMPV6_HDR_FIELD, ICMPV6_UNK_NEXTHDR or ICMPV6_UNK_OPTION
	Pointer int   // the offset in the packet, IPv6 header included, of what was wrong
}

// An Answer tells when a bad packet is answered.
type Answer uint8

// The answers that RFC 8200 section 4.2 and RFC 4443 section 2.4 (e) know.
const (
	AnswerNone    Answer = iota // dropped without a word
	AnswerUnicast               // answered, unless it was sent to a multicast address
	AnswerAlways                // answered
)

// WalkExtensions reads the extension headers of an IPv6 packet: b is its payload
// and next the protocol in the header before. It gives what follows the headers.
// Behind a fragment header it goes on only when the packet is whole (an atomic
// fragment, RFC 6946); otherwise what follows is the fragment's data, and the walk
// is to be repeated on what reassembly makes. Hop-by-hop options may stand only
// at the start. A routing header with segments left is refused, and a
// header with more than 8 options.
func WalkExtensions(next Protocol, b []byte) (x Extensions, payload []byte, err error) {
	x.Protocol, x.NextAt = next, ip6NextHeader
	rest := b
	for n := 0; ; n++ {
		var size int
		at := IPv6Len + x.Len
		switch x.Protocol {
		case IPPROTO_HOPOPTS:
			if n > 0 {
				x.Problem = Problem{AnswerUnicast, ICMPV6_UNK_NEXTHDR, x.NextAt}
				return x, nil, ErrExtension
			}
			size, err = x.options(rest, at)
		case IPPROTO_DSTOPTS:
			size, err = x.options(rest, at)
		case IPPROTO_ROUTING:
			size, err = x.routing(rest, at)
		case IPPROTO_FRAGMENT:
			if x.HasFragment {
				x.headerField(at)
				return x, nil, ErrExtension
			}
			if size, err = x.fragment(rest); err != nil {
				x.headerField(at)
			}
		default:
			return x, rest, nil
		}
		if err != nil {
			return x, nil, err
		}
		x.Protocol, x.NextAt = Protocol(rest[extNext]), at+extNext
		x.Len += size
		rest = rest[size:]
		if x.HasFragment && (x.Fragment.More || x.Fragment.Offset != 0) {
			return x, rest, nil
		}
	}
}

// headerField sets the problem of a field that is wrong.
func (x *Extensions) headerField(at int) {
	x.Problem = Problem{AnswerUnicast, ICMPV6_HDR_FIELD, at}
}

// extensionSize is the size of the header at the start of b.
func extensionSize(b []byte) (int, error) {
	if len(b) < 8 {
		return 0, ErrShort
	}
	size := 8 + int(b[extLen])*8
	if size > len(b) {
		return 0, ErrTruncated
	}
	return size, nil
}

// routing reads the routing header at the start of b.
func (x *Extensions) routing(b []byte, at int) (int, error) {
	size, err := extensionSize(b)
	switch {
	case err != nil:
		return 0, err
	case b[routingType] == routingRPL || b[routingType] == routingSegment:
		return 0, ErrExtension
	case b[routingSegLeft] != 0:
		x.headerField(at + routingType)
		return 0, ErrExtension
	}
	return size, nil
}

func (x *Extensions) fragment(b []byte) (int, error) {
	if len(b) < FragmentLen {
		return 0, ErrShort
	}
	v := be.Uint16(b[fragOffset:])
	x.Fragment = Fragment{ID: be.Uint32(b[fragID:]), Offset: v &^ 7, More: v&fragMore != 0}
	x.HasFragment = true
	return FragmentLen, nil
}

// options reads the header of options at the start of b, which stands at offset
// at of the packet, with the limits that Linux's ip6_parse_tlv has.
func (x *Extensions) options(b []byte, at int) (int, error) {
	size, err := extensionSize(b)
	if err != nil {
		return 0, err
	}
	hopByHop := x.Protocol == IPPROTO_HOPOPTS
	count, padding := 0, 0
	for i := 2; i < size; {
		if b[i] == optPad1 {
			i++
			if padding++; padding > maxPadding {
				return 0, ErrOptions
			}
			continue
		}
		if size-i < 2 || int(b[i+1]) > size-i-2 {
			return 0, ErrOptions
		}
		data := b[i+2 : i+2+int(b[i+1])]
		if b[i] == optPadN {
			if padding += 2 + len(data); padding > maxPadding || !zeros(data) {
				return 0, ErrOptions
			}
			i += 2 + len(data)
			continue
		}
		padding = 0
		if count++; count > maxOptions {
			return 0, ErrOptions
		}
		switch {
		case hopByHop && b[i] == optRouterAlert:
			if len(data) != 2 {
				return 0, ErrOptions
			}
			x.RouterAlert, x.HasRouterAlert = be.Uint16(data), true
		case hopByHop && b[i] == optJumbo:
			x.jumbo(data, at+i)
			return 0, ErrOptions
		case b[i]>>6 != 0: // the two highest bits say what to do with an unknown option
			if b[i]>>6 != 1 {
				x.Problem = Problem{AnswerAlways, ICMPV6_UNK_OPTION, at + i}
			}
			if b[i]>>6 == 3 {
				x.Problem.Answer = AnswerUnicast
			}
			return 0, ErrOptions
		}
		i += 2 + len(data)
	}
	return size, nil
}

// jumbo tells what is wrong with a jumbo payload option at offset at: that it is
// too small, or else that the packet has a length (RFC 2675 section 3).
func (x *Extensions) jumbo(data []byte, at int) {
	switch {
	case len(data) != 4 || at&3 != 2: // dropped without a word
	case be.Uint32(data) <= MaxIPv6Payload:
		x.headerField(at + 2)
	default:
		x.headerField(at)
	}
}

func zeros(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}

// Len is the length of the fragment header.
func (f Fragment) Len() int { return FragmentLen }

// Put writes the fragment header; next is the protocol of what is fragmented.
func (f Fragment) Put(b []byte, next Protocol) int {
	_ = b[:FragmentLen]
	v := f.Offset &^ 7
	if f.More {
		v |= fragMore
	}
	b[0], b[1] = byte(next), 0
	be.PutUint16(b[fragOffset:], v)
	be.PutUint32(b[fragID:], f.ID)
	return FragmentLen
}

// PutRouterAlert writes hop-by-hop options with the router alert of value 0,
// under which listener reports are sent (RFC 3810 section 5).
func PutRouterAlert(b []byte, next Protocol) int {
	return copy(b[:RouterAlertIPv6Len], []byte{byte(next), 0, optRouterAlert, 2, 0, 0, optPadN, 0})
}
