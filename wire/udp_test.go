package wire_test

import (
	"bytes"
	"testing"

	"sockeye/wire"
)

// From 10.0.0.1 to 10.0.0.2 the pseudo-header sums to 0a00 + 0001 + 0a00 + 0002
// + 0011 + 000b = 141f, the datagram to 9c40 + 0035 + 000b + 6162 + 6300 =
// 160e2, all together 17501, folded 7502, inverted 8afd.
const udpHex = `
	9c 40 00 35  // ports 40000 and 53
	00 0b 8a fd  // 11 bytes, checksum
	61 62 63`

func parseUDPError(b []byte) error { _, _, err := wire.ParseUDP(b); return err }

func TestUDPIsParsedAndBuilt(t *testing.T) {
	datagram := unhex(udpHex)
	h, payload, err := wire.ParseUDP(append(datagram, 0, 0))
	if err != nil || h != (wire.UDP{SrcPort: 40000, DstPort: 53}) || string(payload) != "abc" {
		t.Fatalf("%+v, payload %q, %v", h, payload, err)
	}
	src, dst := addr("10.0.0.1"), addr("10.0.0.2")
	pseudo := wire.PseudoSum(src, dst, wire.IPPROTO_UDP, 11)
	b := dirty(11)
	n := h.Put(b, 3)
	copy(b[n:], "abc")
	if wire.FillUDP(b, pseudo); !bytes.Equal(b, datagram) {
		t.Errorf("built %x, want %x", b, datagram)
	}
	if wire.FillUDP(b[:n], pseudo+wire.Sum(0).Add(b[n:])); !bytes.Equal(b, datagram) {
		t.Errorf("with a payload that was summed before: %x, want %x", b, datagram)
	}
}

func TestUDPRefusals(t *testing.T) {
	checkRefusals(t, unhex(udpHex), parseUDPError, []refusal{
		{"a header less a byte is short", cut(7), wire.ErrShort},
		{"a datagram less a byte is truncated", cut(10), wire.ErrTruncated},
		{"a length below the header's is refused", set(4, 0, 7), wire.ErrLength},
		{"a length of zero is refused", set(4, 0, 0), wire.ErrLength},
		{"a datagram without payload is taken", set(4, 0, 8), nil},
	})
}

func TestUDPChecksumRules(t *testing.T) {
	a4, b4, a6, b6 := addr("10.0.0.1"), addr("10.0.0.2"), addr("fe80::1"), addr("fe80::2")
	datagram := func(src, dst wire.Addr) []byte {
		b := append(dirty(8), "abc"...)
		wire.UDP{SrcPort: 40000, DstPort: 53}.Put(b, 3)
		wire.FillUDP(b, wire.PseudoSum(src, dst, wire.IPPROTO_UDP, len(b)))
		return b
	}
	for _, c := range []struct {
		name     string
		src, dst wire.Addr
		edit     func([]byte) []byte
		want     error
	}{
		{"a right checksum is right over IPv4", a4, b4, cut(11), nil},
		{"a right checksum is right over IPv6", a6, b6, cut(11), nil},
		{"a checksum does not cover what follows the datagram", a4, b4, func(b []byte) []byte { return append(b, 1) }, nil},
		{"a changed byte is found over IPv4", a4, b4, set(10, 'x'), wire.ErrChecksum},
		{"a changed byte is found over IPv6", a6, b6, set(10, 'x'), wire.ErrChecksum},
		{"no checksum will do over IPv4", a4, b4, set(6, 0, 0), nil},
		{"no checksum will not do over IPv6", a6, b6, set(6, 0, 0), wire.ErrChecksum},
	} {
		if err := wire.CheckUDP(c.edit(datagram(c.src, c.dst)), c.src, c.dst); err != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := wire.CheckUDP(datagram(a4, b4), a4, addr("10.0.0.3")); err != wire.ErrChecksum {
		t.Error("a datagram for another host:", err)
	}
}

func TestUDPChecksumOfZeroIsSentAsOnes(t *testing.T) {
	src, dst := addr("10.0.0.1"), addr("10.0.0.2")
	pseudo := wire.PseudoSum(src, dst, wire.IPPROTO_UDP, 10)
	b := dirty(10)
	wire.UDP{SrcPort: 1, DstPort: 2}.Put(b, 2)
	b[8], b[9] = 0, 0
	ck := pseudo.Add(b).Checksum()
	b[8], b[9] = byte(ck>>8), byte(ck) // now all words sum to ffff
	if wire.FillUDP(b, pseudo); b[6] != 0xff || b[7] != 0xff {
		t.Errorf("checksum %x", b[6:8])
	}
	if err := wire.CheckUDP(b, src, dst); err != nil {
		t.Error(err)
	}
}

func FuzzUDP(f *testing.F) {
	put := func(h wire.UDP, b []byte) int { return h.Put(b, 0) }
	fuzz(f, head(wire.ParseUDP), wire.UDP.Len, put, nil, unhex(udpHex))
}
