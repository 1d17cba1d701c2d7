package wire_test

import (
	"bytes"
	"testing"

	"sockeye/wire"
)

// A SYN and ACK; the checksum field is zero.
const tcpHex = `
	00 50 9c 40  // ports 80 and 40000
	00 00 00 01  // sequence number
	00 00 00 02  // acknowledgement
	a0 12 ff ff  // 40 bytes; SYN, ACK; window
	00 00 00 00  // checksum; urgent pointer
	02 04 05 b4  // maximum segment size 1460
	04 02 08 0a  // SACK permitted, timestamps
	00 00 00 01
	00 00 00 02
	01 03 03 07  // padding, window scale 7`

var tcpValue = wire.TCP{
	SrcPort: 80, DstPort: 40000, Seq: 1, Ack: 2, Flags: wire.SYN | wire.ACK, Window: 65535,
	Options: wire.TCPOptions{
		Set: wire.OptMSS | wire.OptSACKPermitted | wire.OptTimestamps | wire.OptWindowScale,
		MSS: 1460, TSVal: 1, TSEcr: 2, WindowScale: 7,
	},
}

func putTCP(h wire.TCP, b []byte) int { return h.Put(b) }

func TestTCPIsParsedAndBuilt(t *testing.T) {
	checkVectors(t, head(wire.ParseTCP), putTCP, []vector[wire.TCP]{
		{"SYN and ACK with options", tcpHex, tcpValue},
		{"no options", "0050 9c40 00000001 00000002 5010 0100 0000 0000",
			wire.TCP{SrcPort: 80, DstPort: 40000, Seq: 1, Ack: 2, Flags: wire.ACK, Window: 256}},
		{"every flag", "0050 9c40 fffffffe ffffffff 51ff 0001 0000 0005", wire.TCP{
			SrcPort: 80, DstPort: 40000, Seq: 0xfffffffe, Ack: 0xffffffff, Window: 1, Urgent: 5,
			Flags: wire.FIN | wire.SYN | wire.RST | wire.PSH | wire.ACK | wire.URG | wire.ECE | wire.CWR | wire.AE,
		}},
		{"timestamps", "0050 9c40 00000001 00000002 8010 0100 0000 0000 0101080a 00000003 00000004", wire.TCP{
			SrcPort: 80, DstPort: 40000, Seq: 1, Ack: 2, Flags: wire.ACK, Window: 256,
			Options: wire.TCPOptions{Set: wire.OptTimestamps, TSVal: 3, TSEcr: 4},
		}},
	})
}

func TestTCPPayloadFollowsTheOptions(t *testing.T) {
	_, payload, err := wire.ParseTCP(append(unhex(tcpHex), "hello"...))
	if err != nil || string(payload) != "hello" {
		t.Errorf("payload %q, %v", payload, err)
	}
}

func TestTCPRefusals(t *testing.T) {
	parse := func(b []byte) error { _, _, err := wire.ParseTCP(b); return err }
	checkRefusals(t, unhex(tcpHex), parse, []refusal{
		{"no byte is short", cut(0), wire.ErrShort},
		{"a header less a byte is short", cut(19), wire.ErrShort},
		{"a data offset below 20 is refused", set(12, 0x40), wire.ErrLength},
		{"a data offset of zero is refused", set(12, 0x00), wire.ErrLength},
		{"options less a byte are truncated", cut(39), wire.ErrTruncated},
		{"a data offset past the segment is truncated", set(12, 0xb0), wire.ErrTruncated},
		{"reserved bits are passed over", set(12, 0xae), nil},
	})
}

// The pseudo-header sums to 141f, the segment of 22 bytes to 9c40 + 0050 + 0001 +
// 0002 + 5010 + 0100 + 6869 = 1560c, both to 16a2b, folded 6a2c: checksum 95d3.
func TestTCPChecksumCoversPseudoHeaderAndPayload(t *testing.T) {
	src, dst := addr("10.0.0.1"), addr("10.0.0.2")
	h := wire.TCP{SrcPort: 40000, DstPort: 80, Seq: 1, Ack: 2, Flags: wire.ACK, Window: 256}
	b := dirty(22)
	n := h.Put(b)
	copy(b[n:], "hi")
	pseudo := wire.PseudoSum(src, dst, wire.IPPROTO_TCP, len(b))
	for name, fill := range map[string]func(){
		"whole segment":             func() { wire.FillTCP(b, pseudo) },
		"payload was summed before": func() { wire.FillTCP(b[:n], pseudo+wire.Sum(0).Add(b[n:])) },
	} {
		fill()
		if got := b[wire.TCPChecksumOffset:][:2]; !bytes.Equal(got, []byte{0x95, 0xd3}) {
			t.Errorf("%s: checksum %x, want 95d3", name, got)
		}
		if !pseudo.Add(b).Valid() {
			t.Errorf("%s: not valid", name)
		}
	}
	b[21] ^= 1
	if pseudo.Add(b).Valid() {
		t.Error("a changed byte is not found")
	}
}

func TestTCPSynAndFinTakeASequenceNumberEach(t *testing.T) {
	for flags, want := range map[wire.TCPFlags]int{wire.ACK: 3, wire.SYN: 4, wire.FIN | wire.ACK: 4, wire.SYN | wire.FIN: 5} {
		h := wire.TCP{Flags: flags}
		if got := h.SeqLen(3); got != want {
			t.Errorf("%v: %d, want %d", flags, got, want)
		}
	}
}

func FuzzTCP(f *testing.F) {
	size := func(h wire.TCP) int { return h.Len() }
	fuzz(f, head(wire.ParseTCP), size, putTCP, built,
		unhex(tcpHex),
		unhex("0050 9c40 00000001 00000002 f010 0100 0000 0000 0101080a 00000003 00000004 0101051a"+
			"00000001 00000002 00000003 00000004 00000005 00000006"),
		unhex("0050 9c40 00000001 00000002 8002 0100 0000 0000 fe0cf989 0102030405060708"),
		unhex("0050 9c40 00000001 00000002 8002 0100 0000 0000 220a0102030405060708 0101"))
}

// built is what becomes of a header that was parsed when it is built: what is
// malformed is not sent, and what without padding took all 40 bytes may have no
// room with it.
func built(h wire.TCP) wire.TCP {
	o := &h.Options
	o.Malformed = false
	room := wire.MaxTCPOptions
	for _, opt := range []struct {
		set  wire.TCPOptionSet
		size int
	}{{wire.OptMSS, 4}, {wire.OptTimestamps, 12}, {wire.OptWindowScale, 4}} {
		if o.Has(opt.set) {
			room -= opt.size
		}
	}
	if o.Has(wire.OptSACKPermitted) && !o.Has(wire.OptTimestamps) {
		room -= 4
	}
	for o.NumSACK > 0 && 4+int(o.NumSACK)*8 > room {
		o.NumSACK--
		o.SACK[o.NumSACK] = wire.SACKBlock{}
	}
	if o.NumSACK > 0 {
		room -= 4 + int(o.NumSACK)*8
	}
	if o.Has(wire.OptFastOpenExp) {
		room -= 2
	}
	if int(o.CookieLen)+2 > room {
		o.Set &^= wire.OptFastOpen | wire.OptFastOpenExp
		o.CookieLen, o.Cookie = 0, [wire.MaxFastOpenCookie]byte{}
	}
	return h
}
