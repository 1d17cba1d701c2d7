package wire_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"sockeye/wire"
)

// The sum of the ten words but the checksum is 0x1a0b5, folded 0xa0b6, inverted
// 0x5f49.
const ipv4Hex = `
	45 b9 00 18  // version 4, 20 bytes; DSCP 46, ECT(1); 24 bytes in all
	00 07 20 b9  // identification 7; more fragments, offset 185 * 8
	40 11 00 00  // 64 hops, UDP; checksum, filled in below
	0a 00 00 01
	0a 00 00 02
	de ad be ef`

var ipv4Value = wire.IPv4{
	Src: addr("10.0.0.1"), Dst: addr("10.0.0.2"), ID: 7, FragOffset: 1480, MF: true,
	TOS: 46<<2 | wire.TOS(wire.ECT1), TTL: 64, Protocol: wire.IPPROTO_UDP,
}

// sealIPv4 writes the checksum of the header that stands at the start of b, by
// the slow sum.
func sealIPv4(b []byte) []byte {
	hlen := int(b[0]&15) * 4
	if hlen <= len(b) && hlen >= 12 {
		binary.BigEndian.PutUint16(b[10:], 0)
		binary.BigEndian.PutUint16(b[10:], ^slowSum(b[:hlen]))
	}
	return b
}

// sealed makes an edit whose checksum is right.
func sealed(edit func([]byte) []byte) func([]byte) []byte {
	return func(b []byte) []byte { return sealIPv4(edit(b)) }
}

func parseIPv4Error(b []byte) error { _, _, err := wire.ParseIPv4(b); return err }

func TestIPv4IsParsedAndBuilt(t *testing.T) {
	packet := sealIPv4(unhex(ipv4Hex))
	h, payload, err := wire.ParseIPv4(packet)
	if err != nil || !bytes.Equal(payload, []byte{0xde, 0xad, 0xbe, 0xef}) {
		t.Fatalf("payload %x, %v", payload, err)
	}
	if h.Options != nil {
		t.Errorf("options %x", h.Options)
	}
	if h.TOS.DSCP() != 46 || h.TOS.ECN() != wire.ECT1 || h.TOS.WithECN(wire.CE) != 0xbb || !h.IsFragment() {
		t.Errorf("%+v", h)
	}
	built := dirty(24)
	if n := ipv4Value.Put(built, 4); n != 20 || !bytes.Equal(built[:n], packet[:n]) {
		t.Errorf("built %x, want %x", built[:n], packet[:n])
	}
}

// The header that is everybody's example of this checksum, worked by hand: the
// words sum to 0x2479c, folded 0x479e, inverted 0xb861.
func TestIPv4HeaderHasItsChecksum(t *testing.T) {
	h := wire.IPv4{Src: addr("192.168.0.1"), Dst: addr("192.168.0.199"), DF: true, TTL: 64, Protocol: wire.IPPROTO_UDP}
	b := dirty(20)
	h.Put(b, 95)
	if want := unhex("45000073 00004000 4011b861 c0a80001 c0a800c7"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
}

func TestIPv4PaddingOfTheLinkIsCut(t *testing.T) {
	_, payload, err := wire.ParseIPv4(append(sealIPv4(unhex(ipv4Hex)), make([]byte, 22)...))
	if err != nil || len(payload) != 4 {
		t.Errorf("payload of %d bytes, %v", len(payload), err)
	}
}

func TestIPv4OptionsArePaddedWithEnds(t *testing.T) {
	h := ipv4Value
	h.Options = []byte{wire.IPOPT_RR, 7, 4, 0, 0, 0, 0}
	b := dirty(h.Len())
	if n := h.Put(b, 0); n != 28 || b[27] != wire.IPOPT_END {
		t.Fatalf("%d bytes: %x", n, b)
	}
	got, _, err := wire.ParseIPv4(b)
	if err != nil || !bytes.Equal(wire.IPv4Option(got.Options, wire.IPOPT_RR), h.Options) {
		t.Errorf("%x, %v", got.Options, err)
	}
}

func TestIPv4Refusals(t *testing.T) {
	checkRefusals(t, sealIPv4(unhex(ipv4Hex)), parseIPv4Error, []refusal{
		{"no byte is short", cut(0), wire.ErrShort},
		{"a header less a byte is short", cut(19), wire.ErrShort},
		{"version 6 is refused", sealed(set(0, 0x65)), wire.ErrVersion},
		{"a header length below 20 is refused", sealed(set(0, 0x44)), wire.ErrLength},
		{"a header longer than the packet is too short", set(0, 0x47), wire.ErrShort},
		{"a wrong checksum is refused", set(8, 63), wire.ErrChecksum},
		{"a packet less a byte is truncated", cut(23), wire.ErrTruncated},
		{"a total length below the header's is refused", sealed(set(2, 0, 19)), wire.ErrLength},
		{"a packet without payload is taken", sealed(set(2, 0, 20)), nil},
		{"an option that overruns the header is refused", sealed(set(0, 0x46)), wire.ErrOptions}, // de ad: 173 bytes
	})
}

func TestDecrementTTLMendsTheChecksum(t *testing.T) {
	for ttl := 255; ttl > 0; ttl-- {
		h := ipv4Value
		h.TTL, h.ID = uint8(ttl), uint16(ttl*257)
		b := make([]byte, 20)
		h.Put(b, 0)
		wire.DecrementTTL(b)
		got, _, err := wire.ParseIPv4(b)
		if err != nil || int(got.TTL) != ttl-1 {
			t.Fatalf("from %d to %d: %v", ttl, got.TTL, err)
		}
	}
}

func FuzzIPv4(f *testing.F) {
	parse := func(b []byte) (wire.IPv4, error) { return head(wire.ParseIPv4)(sealIPv4Fuzz(b)) }
	fuzz(f, parse, func(h wire.IPv4) int { return h.Len() }, func(h wire.IPv4, b []byte) int { return h.Put(b, 0) }, nil,
		unhex(ipv4Hex), unhex("46000018 00000000 40020000 0a000001 e0000016 94040000"))
}

// sealIPv4Fuzz lets the fuzzer past the checksum.
func sealIPv4Fuzz(b []byte) []byte {
	if len(b) < 20 {
		return b
	}
	return sealIPv4(bytes.Clone(b))
}
