package wire_test

import (
	"testing"

	"sockeye/wire"
)

// What a router quotes of a TCP segment: its time to live has run out, its
// checksum is what was there before, and of 1500 bytes 28 are left.
const quote4Hex = `
	45 02 05 dc 00 01 40 00 00 06 ff ff
	0a 00 00 01
	0a 00 00 02
	9c 40 00 50  // ports 40000 and 80
	00 00 30 39  // sequence number 12345`

const quote6Hex = `
	60 00 00 00 05 b0 3c 01
	fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01
	fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02
	2c 00 01 04 00 00 00 00  // destination options, before
	11 00 00 01 00 00 00 07  // the first fragment of
	9c 40 00 35 05 d4 12 34  // a datagram`

func TestQuoteTellsTheConnection(t *testing.T) {
	q, err := wire.ParseQuote4(unhex(quote4Hex))
	src, dst := q.Ports()
	if err != nil || q.Src != addr("10.0.0.1") || q.Dst != addr("10.0.0.2") || q.Protocol != wire.IPPROTO_TCP ||
		src != 40000 || dst != 80 || q.Seq() != 12345 || q.TOS.ECN() != wire.ECT0 || len(q.Header) != 20 {
		t.Errorf("IPv4: %+v, %v", q, err)
	}
	q, err = wire.ParseQuote6(unhex(quote6Hex))
	src, dst = q.Ports()
	if err != nil || q.Src != addr("fe80::1") || q.Dst != addr("fe80::2") || q.Protocol != wire.IPPROTO_UDP ||
		src != 40000 || dst != 53 || len(q.Header) != 56 || len(q.Payload) != 8 {
		t.Errorf("IPv6: %+v, %v", q, err)
	}
}

func TestQuotesOfLaterFragmentsHaveNoPorts(t *testing.T) {
	q, err := wire.ParseQuote4(set(6, 0, 185)(unhex(quote4Hex)))
	if err != nil || q.FragOffset != 1480 {
		t.Errorf("IPv4: offset %d, %v", q.FragOffset, err)
	}
	q, err = wire.ParseQuote6(set(50, 5, 0xa8)(unhex(quote6Hex)))
	if err != nil || q.FragOffset != 1448 {
		t.Errorf("IPv6: offset %d, %v", q.FragOffset, err)
	}
}

func TestQuoteRefusals(t *testing.T) {
	parse4 := func(b []byte) error { _, err := wire.ParseQuote4(b); return err }
	checkRefusals(t, unhex(quote4Hex), parse4, []refusal{
		{"IPv4: a header less a byte is short", cut(19), wire.ErrShort},
		{"IPv4: seven bytes of the transport are short", cut(27), wire.ErrShort},
		{"IPv4: version 6 is refused", set(0, 0x65), wire.ErrVersion},
		{"IPv4: a header length below 20 is refused", set(0, 0x44), wire.ErrLength},
		{"IPv4: options past the end are short", set(0, 0x46), wire.ErrShort},
	})
	parse6 := func(b []byte) error { _, err := wire.ParseQuote6(b); return err }
	checkRefusals(t, unhex(quote6Hex), parse6, []refusal{
		{"IPv6: a header less a byte is short", cut(39), wire.ErrShort},
		{"IPv6: seven bytes of the transport are short", cut(63), wire.ErrShort},
		{"IPv6: half an extension header is short", cut(44), wire.ErrShort},
		{"IPv6: an extension header past the end is truncated", set(41, 9), wire.ErrTruncated},
		{"IPv6: version 4 is refused", set(0, 0x45), wire.ErrVersion},
		{"IPv6: an IPv4-mapped address is refused", set(8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), wire.ErrAddress},
		{"IPv6: unknown options that this host sent are skipped", set(42, 0xfe), nil},
	})
}

func FuzzQuote(f *testing.F) {
	f.Add(unhex(quote4Hex))
	f.Add(unhex(quote6Hex))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func([]byte) (wire.Quote, error){wire.ParseQuote4, wire.ParseQuote6} {
			q, err := parse(b)
			if err != nil {
				continue
			}
			q.Ports()
			q.Seq()
			q.EchoID()
			if len(q.Header)+len(q.Payload) != len(b) {
				t.Fatalf("%d bytes: %d and %d", len(b), len(q.Header), len(q.Payload))
			}
		}
	})
}
