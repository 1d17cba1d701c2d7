package wire

import "strconv"

// A Protocol is an IPv4 protocol number or an IPv6 next header value.
type Protocol uint8

// The protocols (netinet/in.h).
const (
	IPPROTO_HOPOPTS  Protocol = 0
	IPPROTO_ICMP     Protocol = 1
	IPPROTO_IGMP     Protocol = 2
	IPPROTO_TCP      Protocol = 6
	IPPROTO_UDP      Protocol = 17
	IPPROTO_IPV6     Protocol = 41
	IPPROTO_ROUTING  Protocol = 43
	IPPROTO_FRAGMENT Protocol = 44
	IPPROTO_ICMPV6   Protocol = 58
	IPPROTO_NONE     Protocol = 59
	IPPROTO_DSTOPTS  Protocol = 60
)

// String is the protocol's name in lower case, or its number.
func (p Protocol) String() string {
	switch p {
	case IPPROTO_ICMP:
		return "icmp"
	case IPPROTO_IGMP:
		return "igmp"
	case IPPROTO_TCP:
		return "tcp"
	case IPPROTO_UDP:
		return "udp"
	case IPPROTO_ICMPV6:
		return "icmp6"
	}
	return "ip-proto-" + strconv.Itoa(int(p))
}

// A TOS is IPv4's type of service and IPv6's traffic class: six bits of DSCP
// (RFC 2474) and two of ECN (RFC 3168).
type TOS uint8

// DSCP is the code point in the upper six bits.
func (t TOS) DSCP() uint8 { return uint8(t) >> 2 }

// ECN is the code point in the lower two bits.
func (t TOS) ECN() ECN { return ECN(t) & 3 }

// WithECN is t with another ECN code point.
func (t TOS) WithECN(e ECN) TOS { return t&^3 | TOS(e&3) }

// An ECN is a code point of explicit congestion notification.
type ECN uint8

// The code points (RFC 3168 section 5).
const (
	NotECT ECN = 0 // the transport does not understand ECN
	ECT1   ECN = 1
	ECT0   ECN = 2
	CE     ECN = 3 // congestion experienced
)

// Version is the version of an IP packet, 4 or 6; 0 for no bytes, else whatever
// stands there.
func Version(packet []byte) int {
	if len(packet) == 0 {
		return 0
	}
	return int(packet[0] >> 4)
}
