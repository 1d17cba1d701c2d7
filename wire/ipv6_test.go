package wire_test

import (
	"testing"

	"sockeye/wire"
)

const ipv6Hex = `
	6b 81 23 45  // version 6; class b8: DSCP 46, no ECN; flow label 12345
	00 04 3a ff  // 4 bytes follow: ICMPv6; 255 hops
	fe 80 00 00 00 00 00 00 00 00 00 ff fe 00 00 01
	ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01
	de ad be ef`

var ipv6Value = wire.IPv6{
	Src: addr("fe80::ff:fe00:1"), Dst: addr("ff02::1"), FlowLabel: 0x12345, TrafficClass: 46 << 2,
	NextHeader: wire.IPPROTO_ICMPV6, HopLimit: 255,
}

func putIPv6(h wire.IPv6, b []byte) int { return h.Put(b, 4) }

func TestIPv6IsParsedAndBuilt(t *testing.T) {
	checkVectors(t, head(wire.ParseIPv6), putIPv6, []vector[wire.IPv6]{{"multicast", ipv6Hex, ipv6Value}})
}

func TestIPv6PaddingOfTheLinkIsCut(t *testing.T) {
	_, payload, err := wire.ParseIPv6(append(unhex(ipv6Hex), 0, 0, 0))
	if err != nil || len(payload) != 4 {
		t.Errorf("payload of %d bytes, %v", len(payload), err)
	}
}

func TestIPv6Refusals(t *testing.T) {
	mapped := []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}
	parse := func(b []byte) error { _, _, err := wire.ParseIPv6(b); return err }
	checkRefusals(t, unhex(ipv6Hex), parse, []refusal{
		{"a header less a byte is short", cut(39), wire.ErrShort},
		{"version 4 is refused", set(0, 0x4b), wire.ErrVersion},
		{"a packet less a byte is truncated", cut(43), wire.ErrTruncated},
		{"a packet without payload is taken", set(4, 0, 0), nil},
		{"a jumbogram is refused", set(4, 0, 0, 0), wire.ErrLength},
		{"a multicast source is refused", set(8, 0xff, 2), wire.ErrAddress},
		{"an IPv4-mapped source is refused", set(8, mapped...), wire.ErrAddress},
		{"an IPv4-mapped destination is refused", set(24, mapped...), wire.ErrAddress},
	})
}

func FuzzIPv6(f *testing.F) {
	put := func(h wire.IPv6, b []byte) int { return h.Put(b, 0) }
	parse := func(b []byte) (wire.IPv6, error) {
		h, _, err := wire.ParseIPv6(b)
		if h.NextHeader == wire.IPPROTO_HOPOPTS {
			h.NextHeader = wire.IPPROTO_NONE // without payload it would be a jumbogram
		}
		return h, err
	}
	fuzz(f, parse, func(h wire.IPv6) int { return h.Len() }, put, nil, unhex(ipv6Hex))
}

func TestARouterTakesOneHop(t *testing.T) {
	b := make([]byte, wire.IPv6Len)
	h := wire.IPv6{Src: wire.AddrFrom16([16]byte{15: 1}), Dst: wire.AddrFrom16([16]byte{15: 2}), HopLimit: 64, NextHeader: wire.IPPROTO_NONE}
	h.Put(b, 0)
	wire.DecrementHopLimit(b)
	if got, _, err := wire.ParseIPv6(b); err != nil || got.HopLimit != 63 {
		t.Errorf("%d hops are left, %v", got.HopLimit, err)
	}
}
