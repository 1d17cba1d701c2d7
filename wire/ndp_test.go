package wire_test

import (
	"testing"
	"time"

	"sockeye/wire"
)

// The checksums of these messages, which their parsers do not look at, are zero.
const (
	solicitHex = `
		87 00 00 00 00 00 00 00  // neighbour solicitation
		fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02
		01 01 02 00 00 00 00 01  // source link-layer address`
	advertHex = `
		88 00 00 00 60 00 00 00  // neighbour advertisement: solicited, override
		fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02
		02 01 02 00 00 00 00 02  // target link-layer address`
	rsHex = `
		85 00 00 00 00 00 00 00  // router solicitation
		01 01 02 00 00 00 00 01`
	raHex = `
		86 00 00 00 40 c8 07 08  // router advertisement: 64 hops; managed, other, preference high; 1800 s
		00 00 75 30 00 00 03 e8  // reachable 30000 ms, retransmit 1000 ms
		01 01 02 00 00 00 00 02  // source link-layer address
		05 01 00 00 00 00 05 dc  // MTU 1500
		03 04 40 c0 00 01 51 80  // prefix of 64 bits, on link, autonomous; valid 86400 s
		00 00 38 40 00 00 00 00  // preferred 14400 s
		20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 00
		03 04 30 80 ff ff ff ff  // prefix of 48 bits, on link; valid without end
		ff ff ff ff 00 00 00 00
		20 01 0d b9 00 00 00 00 00 00 00 00 00 00 00 00`
	redirectHex = `
		89 00 00 00 00 00 00 00
		fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 09  // better first hop
		20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 05  // destination
		02 01 02 00 00 00 00 09  // target link-layer address
		04 02 00 00 00 00 00 00  // redirected header
		60 00 00 00 00 00 00 00`
)

func put[T any, P interface {
	*T
	Put(b []byte) int
}](v T, b []byte) int {
	return P(&v).Put(b)
}

func size[T any, P interface {
	*T
	Len() int
}](v T) int {
	return P(&v).Len()
}

func TestNeighbourDiscoveryIsParsedAndBuilt(t *testing.T) {
	sourceA := wire.NDPOptions{Set: wire.OptSourceMAC, Source: macA}
	checkVectors(t, wire.ParseNeighborSolicit, put, []vector[wire.NeighborSolicit]{
		{"neighbour solicitation", solicitHex, wire.NeighborSolicit{Target: addr("fe80::2"), Options: sourceA}},
	})
	checkVectors(t, wire.ParseNeighborAdvert, put, []vector[wire.NeighborAdvert]{
		{"neighbour advertisement", advertHex, wire.NeighborAdvert{
			Target: addr("fe80::2"), Solicited: true, Override: true,
			Options: wire.NDPOptions{Set: wire.OptTargetMAC, Target: macB},
		}},
	})
	checkVectors(t, wire.ParseRouterSolicit, put, []vector[wire.RouterSolicit]{
		{"router solicitation", rsHex, wire.RouterSolicit{Options: sourceA}},
	})
	checkVectors(t, wire.ParseRouterAdvert, put, []vector[wire.RouterAdvert]{
		{"router advertisement", raHex, wire.RouterAdvert{
			HopLimit: 64, Managed: true, Other: true, Preference: 1, Lifetime: 30 * time.Minute,
			ReachableTime: 30 * time.Second, RetransTimer: time.Second,
			Options: wire.NDPOptions{Set: wire.OptSourceMAC | wire.OptLinkMTU, Source: macB, MTU: 1500},
			Prefixes: [wire.MaxPrefixes]wire.PrefixInfo{
				{Prefix: addr("2001:db8::"), Bits: 64, OnLink: true, Autonomous: true, Valid: 24 * time.Hour, Preferred: 4 * time.Hour},
				{Prefix: addr("2001:db9::"), Bits: 48, OnLink: true, Valid: wire.Infinite, Preferred: wire.Infinite},
			},
			NumPrefixes: 2,
		}},
	})
	checkVectors(t, wire.ParseRedirect, put, []vector[wire.Redirect]{
		{"redirect", redirectHex, wire.Redirect{
			Target: addr("fe80::9"), Dest: addr("2001:db8::5"),
			Options: wire.NDPOptions{
				Set: wire.OptTargetMAC | wire.OptRedirected, Target: wire.MAC{2, 0, 0, 0, 0, 9}, Redirected: unhex("60 00000000000000"),
			},
		}},
	})
}

func TestNeighbourDiscoveryRefusals(t *testing.T) {
	solicit := func(b []byte) error { _, err := wire.ParseNeighborSolicit(b); return err }
	checkRefusals(t, unhex(solicitHex), solicit, []refusal{
		{"a solicitation less a byte is short", cut(23), wire.ErrShort},
		{"a solicitation without options is taken", cut(24), nil},
		{"another type is refused", set(0, 0x88), wire.ErrVersion},
		{"a code is refused", set(1, 1), wire.ErrCode},
		{"a multicast target is refused", set(8, 0xff, 2), wire.ErrAddress},
		{"an option of length zero is refused", set(25, 0), wire.ErrOptions},
		{"an option past the end is refused", set(25, 2), wire.ErrOptions},
		{"half an option is refused", cut(28), wire.ErrOptions},
		{"an unknown option is passed over", set(24, 200), nil},
		{"a link-layer address of 14 bytes is refused", func(b []byte) []byte { b[25] = 2; return append(b, make([]byte, 8)...) }, wire.ErrOptions},
	})
	advert := func(b []byte) error { _, err := wire.ParseNeighborAdvert(b); return err }
	checkRefusals(t, unhex(advertHex), advert, []refusal{
		{"an advertisement less a byte is short", cut(23), wire.ErrShort},
		{"an advertisement of a multicast target is refused", set(8, 0xff, 2), wire.ErrAddress},
		{"a solicitation is no advertisement", set(0, 0x87), wire.ErrVersion},
	})
	rs := func(b []byte) error { _, err := wire.ParseRouterSolicit(b); return err }
	checkRefusals(t, unhex(rsHex), rs, []refusal{
		{"a router solicitation less a byte is short", cut(7), wire.ErrShort},
		{"a router solicitation with half an option is refused", cut(12), wire.ErrOptions},
	})
	ra := func(b []byte) error { _, err := wire.ParseRouterAdvert(b); return err }
	checkRefusals(t, unhex(raHex), ra, []refusal{
		{"a router advertisement less a byte is short", cut(15), wire.ErrShort},
		{"a prefix of 129 bits is refused", set(34, 129), wire.ErrOptions},
		{"a prefix option of 24 bytes is refused", set(33, 3), wire.ErrOptions},
		{"an MTU option of 16 bytes is refused", set(25, 2), wire.ErrOptions},
	})
	redirect := func(b []byte) error { _, err := wire.ParseRedirect(b); return err }
	checkRefusals(t, unhex(redirectHex), redirect, []refusal{
		{"a redirect less a byte is short", cut(39), wire.ErrShort},
		{"a redirect to a router that is not on the link is refused", set(8, 0x20, 1), wire.ErrAddress},
		{"a redirect of a multicast destination is refused", set(24, 0xff, 2), wire.ErrAddress},
		{"a redirect to the destination itself is taken", func(b []byte) []byte { copy(b[8:24], b[24:40]); return b }, nil},
	})
}

func TestRouterPreferencesAreSigned(t *testing.T) {
	for bits, want := range map[byte]int8{0: 0, 1: 1, 3: -1, 2: 0} { // 2 is reserved and read as 0 (RFC 4191 section 2.2)
		m, err := wire.ParseRouterAdvert(set(5, bits<<3)(unhex(raHex)))
		if err != nil || m.Preference != want {
			t.Errorf("%02b: %d, %v", bits, m.Preference, err)
		}
		b := dirty(m.Len())
		if m.Put(b); bits != 2 && b[5]>>3&3 != bits {
			t.Errorf("%02b is built as %02b", bits, b[5]>>3&3)
		}
	}
}

func TestTheFirstOfTwoOptionsAndOfTooManyPrefixesCount(t *testing.T) {
	b := append(unhex(solicitHex), 1, 1, 2, 0, 0, 0, 0, 9)
	if m, err := wire.ParseNeighborSolicit(b); err != nil || m.Options.Source != macA {
		t.Errorf("%v, %v", m.Options.Source, err)
	}
	b = unhex(raHex)
	for range wire.MaxPrefixes {
		b = append(b, b[32:64]...)
	}
	if m, err := wire.ParseRouterAdvert(b); err != nil || m.NumPrefixes != wire.MaxPrefixes {
		t.Errorf("%d prefixes, %v", m.NumPrefixes, err)
	}
}

func FuzzNeighborSolicit(f *testing.F) {
	fuzz(f, wire.ParseNeighborSolicit, size, put, nil, unhex(solicitHex))
}

func FuzzNeighborAdvert(f *testing.F) {
	fuzz(f, wire.ParseNeighborAdvert, size, put, nil, unhex(advertHex))
}

func FuzzRouterSolicit(f *testing.F) {
	fuzz(f, wire.ParseRouterSolicit, size, put, nil, unhex(rsHex))
}

func FuzzRouterAdvert(f *testing.F) {
	fuzz(f, wire.ParseRouterAdvert, size, put, nil, unhex(raHex))
}

func FuzzRedirect(f *testing.F) {
	fuzz(f, wire.ParseRedirect, size, put, nil, unhex(redirectHex))
}
