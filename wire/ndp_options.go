package wire

import "time"

// Options of neighbour discovery (RFC 4861 section 4.6): a kind, the length of
// all in units of 8 bytes, data.
const (
	ND_OPT_SOURCE_LL_ADDR = 1
	ND_OPT_TARGET_LL_ADDR = 2
	ND_OPT_PREFIX_INFO    = 3
	ND_OPT_REDIRECT_HDR   = 4
	ND_OPT_MTU            = 5

	linkAddrLen       = 8
	mtuLen            = 8
	redirectedHdrLen  = 8 // before what is quoted
	prefixLen         = 32
	prefixBits        = 2
	prefixFlags       = 3
	prefixValid       = 4
	prefixPreferred   = 8
	prefixAddr        = 16
	prefixOnLink      = 0x80
	prefixAutonomous  = 0x40
	prefixInfinite    = 1<<32 - 1
	ndpOptionLenUnits = 8

	// MaxPrefixes is how many prefixes of a router advertisement are kept; more
	// are passed over.
	MaxPrefixes = 8
)

// Infinite is the lifetime that never ends.
const Infinite = prefixInfinite * time.Second

// NDPOptionSet says which options a message has.
type NDPOptionSet uint8

// The options.
const (
	OptSourceMAC NDPOptionSet = 1 << iota
	OptTargetMAC
	OptLinkMTU
	OptRedirected
)

// NDPOptions are the options of a message, but for prefixes, which only a router
// advertisement has. Only those in Set count. Of a kind that stands twice, the
// first counts.
type NDPOptions struct {
	Set        NDPOptionSet
	Source     MAC    // the sender's link-layer address
	Target     MAC    // the target's link-layer address
	MTU        uint32 // of the link
	Redirected []byte // the packet that a redirect is about, in part (see ParseQuote6); at most 2032 bytes
}

// Has tells whether all options of s are there.
func (o *NDPOptions) Has(s NDPOptionSet) bool { return o.Set&s == s }

// A PrefixInfo is a prefix of the link (section 4.6.2).
type PrefixInfo struct {
	Prefix     Addr
	Bits       uint8
	OnLink     bool          // addresses in it are neighbours
	Autonomous bool          // hosts make themselves addresses in it
	Valid      time.Duration // in seconds, or Infinite
	Preferred  time.Duration // in seconds, or Infinite
}

// nextNDPOption cuts the first option off b.
func nextNDPOption(b []byte) (opt, rest []byte, err error) {
	if len(b) < ndpOptionLenUnits {
		return nil, nil, ErrOptions
	}
	n := int(b[1]) * ndpOptionLenUnits
	if n == 0 || n > len(b) {
		return nil, nil, ErrOptions
	}
	return b[:n], b[n:], nil
}

// parse reads all options into a zero value. A length of zero or past the end is
// ErrOptions, as is a known kind with a wrong length; unknown kinds are passed over.
func (o *NDPOptions) parse(b []byte) error {
	for len(b) > 0 {
		opt, rest, err := nextNDPOption(b)
		if err != nil {
			return err
		}
		b = rest
		switch opt[0] {
		case ND_OPT_SOURCE_LL_ADDR, ND_OPT_TARGET_LL_ADDR:
			if len(opt) != linkAddrLen {
				return ErrOptions
			}
			set, mac := OptSourceMAC, &o.Source
			if opt[0] == ND_OPT_TARGET_LL_ADDR {
				set, mac = OptTargetMAC, &o.Target
			}
			if !o.Has(set) {
				o.Set |= set
				*mac = MAC(opt[2:])
			}
		case ND_OPT_PREFIX_INFO:
			if len(opt) != prefixLen || opt[prefixBits] > 128 {
				return ErrOptions
			}
		case ND_OPT_REDIRECT_HDR:
			if !o.Has(OptRedirected) {
				o.Set |= OptRedirected
				o.Redirected = opt[redirectedHdrLen:]
			}
		case ND_OPT_MTU:
			if len(opt) != mtuLen {
				return ErrOptions
			}
			if !o.Has(OptLinkMTU) {
				o.Set |= OptLinkMTU
				o.MTU = be.Uint32(opt[4:])
			}
		}
	}
	return nil
}

// parsePrefixes reads the prefixes out of options that parse took.
func parsePrefixes(b []byte, into *[MaxPrefixes]PrefixInfo) (n int) {
	for len(b) > 0 && n < MaxPrefixes {
		opt, rest, err := nextNDPOption(b)
		if err != nil {
			break
		}
		b = rest
		if opt[0] == ND_OPT_PREFIX_INFO {
			into[n] = PrefixInfo{
				Prefix:     addr6(opt[prefixAddr:]),
				Bits:       opt[prefixBits],
				OnLink:     opt[prefixFlags]&prefixOnLink != 0,
				Autonomous: opt[prefixFlags]&prefixAutonomous != 0,
				Valid:      time.Duration(be.Uint32(opt[prefixValid:])) * time.Second,
				Preferred:  time.Duration(be.Uint32(opt[prefixPreferred:])) * time.Second,
			}
			n++
		}
	}
	return n
}

// length is what put writes. A redirected packet is padded to a multiple of 8.
func (o *NDPOptions) length() (n int) {
	if o.Has(OptSourceMAC) {
		n += linkAddrLen
	}
	if o.Has(OptTargetMAC) {
		n += linkAddrLen
	}
	if o.Has(OptLinkMTU) {
		n += mtuLen
	}
	if o.Has(OptRedirected) {
		n += redirectedHdrLen + (len(o.Redirected)+7)&^7
	}
	return n
}

func (o *NDPOptions) put(b []byte) (n int) {
	if o.Has(OptSourceMAC) {
		n += putLinkAddr(b[n:], ND_OPT_SOURCE_LL_ADDR, o.Source)
	}
	if o.Has(OptTargetMAC) {
		n += putLinkAddr(b[n:], ND_OPT_TARGET_LL_ADDR, o.Target)
	}
	if o.Has(OptLinkMTU) {
		copy(b[n:n+4], []byte{ND_OPT_MTU, mtuLen / ndpOptionLenUnits, 0, 0})
		be.PutUint32(b[n+4:], o.MTU)
		n += mtuLen
	}
	if o.Has(OptRedirected) {
		opt := b[n : n+redirectedHdrLen+(len(o.Redirected)+7)&^7]
		clear(opt)
		opt[0], opt[1] = ND_OPT_REDIRECT_HDR, byte(len(opt)/ndpOptionLenUnits)
		copy(opt[redirectedHdrLen:], o.Redirected)
		n += len(opt)
	}
	return n
}

func putLinkAddr(b []byte, kind byte, mac MAC) int {
	b[0], b[1] = kind, linkAddrLen/ndpOptionLenUnits
	copy(b[2:linkAddrLen], mac[:])
	return linkAddrLen
}

func (p *PrefixInfo) put(b []byte) int {
	clear(b[:prefixLen])
	b[0], b[1] = ND_OPT_PREFIX_INFO, prefixLen/ndpOptionLenUnits
	b[prefixBits] = p.Bits
	b[prefixFlags] = bit(p.OnLink, prefixOnLink) | bit(p.Autonomous, prefixAutonomous)
	be.PutUint32(b[prefixValid:], uint32(p.Valid/time.Second))
	be.PutUint32(b[prefixPreferred:], uint32(p.Preferred/time.Second))
	p.Prefix.put16(b[prefixAddr:])
	return prefixLen
}
