package wire_test

import (
	"bytes"
	"testing"

	"sockeye/wire"
)

// The words but the checksum sum to 0800 + 1234 + 0001 + 6869 = 829e; inverted
// 7d61.
const echoHex = `
	08 00 7d 61  // echo request, checksum
	12 34 00 01  // identifier, sequence number
	68 69`

func putICMPv4(h wire.ICMPv4, b []byte) int { return h.Put(b) }

func TestICMPv4EchoIsParsedAndBuilt(t *testing.T) {
	packet := unhex(echoHex)
	h, body, err := wire.ParseICMPv4(packet)
	if err != nil || h != wire.ICMPv4Echo(wire.ICMP_ECHO, 0x1234, 1) || string(body) != "hi" {
		t.Fatalf("%+v, body %q, %v", h, body, err)
	}
	if h.ID() != 0x1234 || h.Seq() != 1 || h.IsError() {
		t.Errorf("id %#x, seq %d, error %v", h.ID(), h.Seq(), h.IsError())
	}
	b := append(dirty(8), "hi"...)
	if h.Put(b); !bytes.Equal(b, packet) {
		t.Errorf("built %x, want %x", b, packet)
	}
}

func TestICMPv4Refusals(t *testing.T) {
	parse := func(b []byte) error { _, _, err := wire.ParseICMPv4(b); return err }
	checkRefusals(t, unhex(echoHex), parse, []refusal{
		{"a header less a byte is short", cut(7), wire.ErrShort},
		{"a changed byte is found", set(9, 'o'), wire.ErrChecksum},
		{"a message less a byte has a wrong checksum", cut(9), wire.ErrChecksum},
		{"an unknown type is left to the host", set(0, 9, 0, 0x7c, 0x61), nil},
	})
}

func TestICMPv4ErrorsHoldWhatTheyTell(t *testing.T) {
	gateway := addr("10.0.0.254")
	for _, c := range []struct {
		want string
		rest uint32
		h    wire.ICMPv4
	}{
		{"unreachable - code 4", 1400, wire.ICMPv4FragNeeded(1400)},
		{"parameter problem - octet 20", 20 << 24, wire.ICMPv4ParameterProblem(20)},
		{"redirect to 10.0.0.254", 0x0a0000fe, wire.ICMPv4Redirect(wire.ICMP_REDIR_HOST, gateway)},
		{"time exceeded in-transit", 0, wire.ICMPv4{Type: wire.ICMP_TIME_EXCEEDED}},
		{"ip reassembly time exceeded", 0, wire.ICMPv4{Type: wire.ICMP_TIME_EXCEEDED, Code: wire.ICMP_EXC_FRAGTIME}},
	} {
		if c.h.Rest != c.rest || c.h.String() != c.want || !c.h.IsError() {
			t.Errorf("%v: rest %#x, want %v, %#x", c.h, c.h.Rest, c.want, c.rest)
		}
	}
	if got := wire.ICMPv4Redirect(wire.ICMP_REDIR_HOST, gateway).Gateway(); got != gateway {
		t.Errorf("gateway %v", got)
	}
	if wire.ICMPv4FragNeeded(1400).MTU() != 1400 || wire.ICMPv4ParameterProblem(20).Pointer() != 20 {
		t.Error("MTU or pointer is not what was told")
	}
}

func FuzzICMPv4(f *testing.F) {
	parse := func(b []byte) (wire.ICMPv4, error) {
		b = bytes.Clone(b)
		if len(b) >= 8 { // let the fuzzer past the checksum
			b[2], b[3] = 0, 0
			ck := ^slowSum(b)
			b[2], b[3] = byte(ck>>8), byte(ck)
		}
		return head(wire.ParseICMPv4)(b)
	}
	fuzz(f, parse, wire.ICMPv4.Len, putICMPv4, nil, unhex(echoHex))
}

// From fe80::1 to fe80::2 the pseudo-header sums to 2 * fe80 + 1 + 2 + 3a + 0a =
// 1fd47, the message but the checksum to 8000 + 1234 + 0001 + 6869 = fa9e, both
// to 2f7e5, folded f7e7, inverted 0818.
const echo6Hex = `
	80 00 08 18  // echo request, checksum
	12 34 00 01  // identifier, sequence number
	68 69`

func putICMPv6(h wire.ICMPv6, b []byte) int { return h.Put(b) }

func TestICMPv6EchoIsParsedAndBuilt(t *testing.T) {
	packet := unhex(echo6Hex)
	h, body, err := wire.ParseICMPv6(packet)
	if err != nil || h != wire.ICMPv6Echo(wire.ICMPV6_ECHO_REQUEST, 0x1234, 1) || string(body) != "hi" {
		t.Fatalf("%+v, body %q, %v", h, body, err)
	}
	if h.ID() != 0x1234 || h.Seq() != 1 || h.IsError() {
		t.Errorf("id %#x, seq %d, error %v", h.ID(), h.Seq(), h.IsError())
	}
	b := append(dirty(8), "hi"...)
	h.Put(b)
	pseudo := wire.PseudoSum(addr("fe80::1"), addr("fe80::2"), wire.IPPROTO_ICMPV6, len(b))
	if wire.FillICMPv6(b, pseudo); !bytes.Equal(b, packet) || !pseudo.Add(b).Valid() {
		t.Errorf("built %x, want %x", b, packet)
	}
	if _, _, err := wire.ParseICMPv6(packet[:7]); err != wire.ErrShort {
		t.Errorf("a header less a byte: %v", err)
	}
}

func TestICMPv6ErrorsHoldWhatTheyTell(t *testing.T) {
	for _, c := range []struct {
		want string
		rest uint32
		h    wire.ICMPv6
	}{
		{"packet too big, mtu 1400", 1400, wire.ICMPv6PacketTooBig(1400)},
		{"parameter problem, code 2 - octet 42", 42, wire.ICMPv6ParameterProblem(wire.ICMPV6_UNK_OPTION, 42)},
		{"time exceeded in-transit", 0, wire.ICMPv6{Type: wire.ICMPV6_TIME_EXCEED}},
		{"destination unreachable, unreachable route", 0, wire.ICMPv6{Type: wire.ICMPV6_DEST_UNREACH}},
		{"destination unreachable, rejected route", 0, wire.ICMPv6{Type: wire.ICMPV6_DEST_UNREACH, Code: wire.ICMPV6_REJECT_ROUTE}},
		{"destination unreachable, code 7", 0, wire.ICMPv6{Type: wire.ICMPV6_DEST_UNREACH, Code: 7}},
	} {
		if c.h.Rest != c.rest || c.h.String() != c.want || !c.h.IsError() {
			t.Errorf("%v: rest %d, want %v, %d", c.h, c.h.Rest, c.want, c.rest)
		}
	}
	if wire.ICMPv6PacketTooBig(1400).MTU() != 1400 || wire.ICMPv6ParameterProblem(0, 42).Pointer() != 42 {
		t.Error("MTU or pointer is not what was told")
	}
}

func FuzzICMPv6(f *testing.F) {
	fuzz(f, head(wire.ParseICMPv6), wire.ICMPv6.Len, putICMPv6, nil, unhex(echo6Hex))
}
