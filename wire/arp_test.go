package wire_test

import (
	"testing"

	"sockeye/wire"
)

const arpHex = `
	00 01 08 00        // Ethernet, IPv4
	06 04 00 02        // address lengths, reply
	02 00 00 00 00 02  0a 00 00 02  // sender
	02 00 00 00 00 01  0a 00 00 01  // target`

func putARP(p wire.ARP, b []byte) int { return p.Put(b) }

func TestARPIsParsedAndBuilt(t *testing.T) {
	checkVectors(t, wire.ParseARP, putARP, []vector[wire.ARP]{{"reply", arpHex, wire.ARP{
		Op: wire.ARPOP_REPLY, SenderMAC: macB, SenderIP: addr("10.0.0.2"), TargetMAC: macA, TargetIP: addr("10.0.0.1"),
	}}})
}

func TestARPRefusals(t *testing.T) {
	parse := func(b []byte) error { _, err := wire.ParseARP(b); return err }
	checkRefusals(t, unhex(arpHex), parse, []refusal{
		{"a packet less a byte is short", cut(27), wire.ErrShort},
		{"other hardware is refused", set(0, 0, 6), wire.ErrVersion},
		{"another protocol is refused", set(2, 0x86, 0xdd), wire.ErrVersion},
		{"a hardware address of 8 bytes is refused", set(4, 8), wire.ErrLength},
		{"a protocol address of 16 bytes is refused", set(5, 16), wire.ErrLength},
		{"an operation of RARP is refused", set(6, 0, 3), wire.ErrVersion},
		{"padding behind it is passed over", func(b []byte) []byte { return append(b, make([]byte, 18)...) }, nil},
	})
}

func FuzzARP(f *testing.F) {
	fuzz(f, wire.ParseARP, wire.ARP.Len, putARP, nil, unhex(arpHex))
}
