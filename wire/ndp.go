package wire

import "time"

// Neighbour discovery (RFC 4861 section 4): ICMPv6 messages of five types, each
// with options behind its fixed part. The parsers check what stands in the
// message. That it came with hop limit 255, was not sent to the wrong kind of
// address, and has a right ICMPv6 checksum the caller checks, who has the IPv6
// header (sections 6.1, 7.1 and 8.1).
const (
	ndpFlags    = 4 // RouterAdvert and NeighborAdvert
	ndpTarget   = 8 // NeighborSolicit, NeighborAdvert and Redirect
	ndpDest     = 24
	raHopLimit  = 4
	raFlags     = 5
	raLifetime  = 6
	raReachable = 8
	raRetrans   = 12

	rsLen, raLen, nsLen, naLen, redirectLen = 8, 16, 24, 24, 40

	raManaged, raOther            = 0x80, 0x40
	naRouter, naSolicit, naOverr  = 0x80, 0x40, 0x20
	raPreferenceShift, raPrefMask = 3, 3
)

// NDPHopLimit is the hop limit that neighbour discovery is sent with, and the
// only one that it is accepted with: no router let it pass.
const NDPHopLimit = 255

// The types of neighbour discovery (net/ndisc.h).
const (
	NDISC_ROUTER_SOLICITATION     = 133
	NDISC_ROUTER_ADVERTISEMENT    = 134
	NDISC_NEIGHBOUR_SOLICITATION  = 135
	NDISC_NEIGHBOUR_ADVERTISEMENT = 136
	NDISC_REDIRECT                = 137
)

// RouterSolicit asks the routers to make themselves known (section 4.1).
type RouterSolicit struct{ Options NDPOptions }

// RouterAdvert is a router making itself known (section 4.2).
type RouterAdvert struct {
	HopLimit      uint8 // for the hosts to use; 0 says nothing
	Managed       bool  // addresses come from DHCPv6
	Other         bool  // other settings come from DHCPv6
	Preference    int8  // -1 low, 0 medium, 1 high (RFC 4191)
	Lifetime      time.Duration
	ReachableTime time.Duration // in milliseconds; 0 says nothing
	RetransTimer  time.Duration // in milliseconds; 0 says nothing
	Options       NDPOptions
	Prefixes      [MaxPrefixes]PrefixInfo
	NumPrefixes   int
}

// NeighborSolicit asks for the link-layer address of Target (section 4.3).
type NeighborSolicit struct {
	Target  Addr
	Options NDPOptions
}

// NeighborAdvert tells the link-layer address of Target (section 4.4).
type NeighborAdvert struct {
	Target    Addr
	Router    bool // the sender is one
	Solicited bool // it answers a solicitation
	Override  bool // it replaces what is known
	Options   NDPOptions
}

// Redirect advises to reach Dest by Target (section 4.5).
type Redirect struct {
	Target  Addr
	Dest    Addr
	Options NDPOptions
}

// checkNDP checks what all messages have alike.
func checkNDP(b []byte, typ uint8, fixed int) error {
	switch {
	case len(b) < fixed:
		return ErrShort
	case b[icmpType] != typ:
		return ErrVersion
	case b[icmpCode] != 0:
		return ErrCode
	}
	return nil
}

// ParseRouterSolicit parses a whole ICMPv6 message.
func ParseRouterSolicit(b []byte) (m RouterSolicit, err error) {
	if err = checkNDP(b, NDISC_ROUTER_SOLICITATION, rsLen); err == nil {
		err = m.Options.parse(b[rsLen:])
	}
	return m, err
}

// ParseRouterAdvert parses a whole ICMPv6 message.
func ParseRouterAdvert(b []byte) (m RouterAdvert, err error) {
	if err = checkNDP(b, NDISC_ROUTER_ADVERTISEMENT, raLen); err != nil {
		return m, err
	}
	if err = m.Options.parse(b[raLen:]); err != nil {
		return m, err
	}
	m.HopLimit = b[raHopLimit]
	m.Managed, m.Other = b[raFlags]&raManaged != 0, b[raFlags]&raOther != 0
	switch b[raFlags] >> raPreferenceShift & raPrefMask {
	case 1:
		m.Preference = 1
	case 3:
		m.Preference = -1
	}
	m.Lifetime = time.Duration(be.Uint16(b[raLifetime:])) * time.Second
	m.ReachableTime = time.Duration(be.Uint32(b[raReachable:])) * time.Millisecond
	m.RetransTimer = time.Duration(be.Uint32(b[raRetrans:])) * time.Millisecond
	m.NumPrefixes = parsePrefixes(b[raLen:], &m.Prefixes)
	return m, nil
}

// ParseNeighborSolicit parses a whole ICMPv6 message.
func ParseNeighborSolicit(b []byte) (m NeighborSolicit, err error) {
	if err = checkNDP(b, NDISC_NEIGHBOUR_SOLICITATION, nsLen); err != nil {
		return m, err
	}
	m.Target = addr6(b[ndpTarget:])
	if m.Target.IsMulticast() || m.Target.Is4() {
		return m, ErrAddress
	}
	return m, m.Options.parse(b[nsLen:])
}

// ParseNeighborAdvert parses a whole ICMPv6 message.
func ParseNeighborAdvert(b []byte) (m NeighborAdvert, err error) {
	if err = checkNDP(b, NDISC_NEIGHBOUR_ADVERTISEMENT, naLen); err != nil {
		return m, err
	}
	m.Target = addr6(b[ndpTarget:])
	if m.Target.IsMulticast() || m.Target.Is4() {
		return m, ErrAddress
	}
	f := b[ndpFlags]
	m.Router, m.Solicited, m.Override = f&naRouter != 0, f&naSolicit != 0, f&naOverr != 0
	return m, m.Options.parse(b[naLen:])
}

// ParseRedirect parses a whole ICMPv6 message. The target is a router's
// link-local address, or the destination itself when that is a neighbour (section
// 8.1).
func ParseRedirect(b []byte) (m Redirect, err error) {
	if err = checkNDP(b, NDISC_REDIRECT, redirectLen); err != nil {
		return m, err
	}
	m.Target, m.Dest = addr6(b[ndpTarget:]), addr6(b[ndpDest:])
	if m.Dest.IsMulticast() || m.Dest.Is4() || m.Target != m.Dest && !m.Target.IsLinkLocal() {
		return m, ErrAddress
	}
	return m, m.Options.parse(b[redirectLen:])
}

// Len is the length of the whole message.
func (m *RouterSolicit) Len() int { return rsLen + m.Options.length() }

// Put writes the message, without a checksum.
func (m *RouterSolicit) Put(b []byte) int {
	putICMP(b, NDISC_ROUTER_SOLICITATION, 0, 0)
	return rsLen + m.Options.put(b[rsLen:])
}

// Len is the length of the whole message.
func (m *RouterAdvert) Len() int { return raLen + m.Options.length() + m.NumPrefixes*prefixLen }

// Put writes the message, without a checksum.
func (m *RouterAdvert) Put(b []byte) int {
	_ = b[:raLen]
	putICMP(b, NDISC_ROUTER_ADVERTISEMENT, 0, 0)
	b[raHopLimit] = m.HopLimit
	b[raFlags] = bit(m.Managed, raManaged) | bit(m.Other, raOther) |
		byte(m.Preference)&raPrefMask<<raPreferenceShift
	be.PutUint16(b[raLifetime:], uint16(m.Lifetime/time.Second))
	be.PutUint32(b[raReachable:], uint32(m.ReachableTime/time.Millisecond))
	be.PutUint32(b[raRetrans:], uint32(m.RetransTimer/time.Millisecond))
	n := raLen + m.Options.put(b[raLen:])
	for i := range m.Prefixes[:m.NumPrefixes] {
		n += m.Prefixes[i].put(b[n:])
	}
	return n
}

// Len is the length of the whole message.
func (m *NeighborSolicit) Len() int { return nsLen + m.Options.length() }

// Put writes the message, without a checksum.
func (m *NeighborSolicit) Put(b []byte) int {
	putICMP(b, NDISC_NEIGHBOUR_SOLICITATION, 0, 0)
	m.Target.put16(b[ndpTarget:])
	return nsLen + m.Options.put(b[nsLen:])
}

// Len is the length of the whole message.
func (m *NeighborAdvert) Len() int { return naLen + m.Options.length() }

// Put writes the message, without a checksum.
func (m *NeighborAdvert) Put(b []byte) int {
	putICMP(b, NDISC_NEIGHBOUR_ADVERTISEMENT, 0, 0)
	b[ndpFlags] = bit(m.Router, naRouter) | bit(m.Solicited, naSolicit) | bit(m.Override, naOverr)
	m.Target.put16(b[ndpTarget:])
	return naLen + m.Options.put(b[naLen:])
}

// Len is the length of the whole message.
func (m *Redirect) Len() int { return redirectLen + m.Options.length() }

// Put writes the message, without a checksum.
func (m *Redirect) Put(b []byte) int {
	putICMP(b, NDISC_REDIRECT, 0, 0)
	m.Target.put16(b[ndpTarget:])
	m.Dest.put16(b[ndpDest:])
	return redirectLen + m.Options.put(b[redirectLen:])
}

// bit is mask when set.
func bit(set bool, mask byte) byte {
	if set {
		return mask
	}
	return 0
}
