package wire_test

import (
	"bytes"
	"strings"
	"testing"

	"sockeye/wire"
)

const (
	hop, rt, frag, dst, udp = wire.IPPROTO_HOPOPTS, wire.IPPROTO_ROUTING, wire.IPPROTO_FRAGMENT,
		wire.IPPROTO_DSTOPTS, wire.IPPROTO_UDP
)

func TestExtensionsAreWalked(t *testing.T) {
	for _, c := range []struct {
		name  string
		first wire.Protocol
		hex   string
		want  wire.Extensions
	}{
		{"none", udp, "aa", wire.Extensions{Protocol: udp, NextAt: 6}},
		{"an unknown protocol is left to the host", 200, "aa", wire.Extensions{Protocol: 200, NextAt: 6}},
		{"hop-by-hop options with a router alert and padding", hop, "3a 00 05020000 0100 aa",
			wire.Extensions{Protocol: 58, NextAt: 40, Len: 8, HasRouterAlert: true}},
		{"a router alert with another value", hop, "3a 00 05020003 0100 aa",
			wire.Extensions{Protocol: 58, NextAt: 40, Len: 8, HasRouterAlert: true, RouterAlert: 3}},
		{"an unknown option that may be skipped", dst, "11 00 3e 02 dead 00 00 aa",
			wire.Extensions{Protocol: udp, NextAt: 40, Len: 8}},
		{"options of sixteen bytes", dst, "11 01 3e 0c 000000000000000000000000 aa",
			wire.Extensions{Protocol: udp, NextAt: 40, Len: 16}},
		{"a routing header without segments left", rt, "11 00 00 00 00000000 aa",
			wire.Extensions{Protocol: udp, NextAt: 40, Len: 8}},
		{"a chain of four", hop, "3c 00 010400000000  2b 00 010400000000  2c 00 02 00 00000000  11 00 0000 00000009 aa",
			wire.Extensions{Protocol: udp, NextAt: 64, Len: 32, HasFragment: true, Fragment: wire.Fragment{ID: 9}}},
		{"an atomic fragment is walked through", frag, "3c 00 0000 00000009  11 00 010400000000 aa",
			wire.Extensions{Protocol: udp, NextAt: 48, Len: 16, HasFragment: true, Fragment: wire.Fragment{ID: 9}}},
		{"a first fragment ends the walk, whatever follows", frag, "3c 00 0001 00000009 aa",
			wire.Extensions{Protocol: dst, NextAt: 40, Len: 8, HasFragment: true, Fragment: wire.Fragment{ID: 9, More: true}}},
		{"a last fragment ends the walk", frag, "11 00 05a8 00000009 aa",
			wire.Extensions{Protocol: udp, NextAt: 40, Len: 8, HasFragment: true, Fragment: wire.Fragment{ID: 9, Offset: 1448}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, payload, err := wire.WalkExtensions(c.first, unhex(c.hex))
			if err != nil || got != c.want || !bytes.Equal(payload, []byte{0xaa}) {
				t.Errorf("\n got %+v, payload %x, %v\nwant %+v", got, payload, err, c.want)
			}
		})
	}
}

// Each packet was sent to Linux 6.18 over a link: the refused ones it answered
// with this problem, or not at all, and the others with port unreachable. Only the
// bound on the number of headers is not Linux's.
func TestExtensionsRefusals(t *testing.T) {
	field := func(at int) wire.Problem {
		return wire.Problem{Answer: wire.AnswerUnicast, Code: wire.ICMPV6_HDR_FIELD, Pointer: at}
	}
	another := "3c 00 0104 00000000 "
	for _, c := range []struct {
		name    string
		first   wire.Protocol
		hex     string
		want    error
		problem wire.Problem
	}{
		{"no header at all", hop, "", wire.ErrShort, wire.Problem{}},
		{"options less a byte", hop, "11 00 0104000000", wire.ErrShort, wire.Problem{}},
		{"a header longer than the packet", dst, "11 01 010400000000", wire.ErrTruncated, wire.Problem{}},
		{"a routing header longer than the packet", rt, "11 02 0000 00000000", wire.ErrTruncated, wire.Problem{}},
		{"a fragment header less a byte", frag, "11 00 0000 000000", wire.ErrShort, field(40)},
		{"a second fragment header", frag, "2c 00 0000 00000000 11 00 0000 00000000", wire.ErrExtension, field(48)},
		{"a routing header with segments left", rt, "11 00 00 01 00000000", wire.ErrExtension, field(42)},
		{"a routing header of an unknown type with segments left", rt, "11 00 09 01 00000000", wire.ErrExtension, field(42)},
		{"a routing header of segment routing", rt, "11 00 04 00 00000000", wire.ErrExtension, wire.Problem{}},
		{"a routing header of RPL", rt, "11 00 03 01 00000000", wire.ErrExtension, wire.Problem{}},
		{"hop-by-hop options that are not first", dst, "00 00 010400000000 11 00 010400000000", wire.ErrExtension,
			wire.Problem{Answer: wire.AnswerUnicast, Code: wire.ICMPV6_UNK_NEXTHDR, Pointer: 40}},
		{"an option that overruns its header", hop, "11 00 3e 05 00000000", wire.ErrOptions, wire.Problem{}},
		{"an option without its length", hop, "11 00 3e 03 000000 3e", wire.ErrOptions, wire.Problem{}},
		{"padding that overruns its header", hop, "11 00 01 05 00000000", wire.ErrOptions, wire.Problem{}},
		{"padding that is not zero", hop, "11 00 01 04 00000001", wire.ErrOptions, wire.Problem{}},
		{"more padding than aligns to eight", hop, "11 01 00000000000000 00 3e04 00000000", wire.ErrOptions, wire.Problem{}},
		{"a router alert of four bytes", hop, "11 00 05 04 00000000", wire.ErrOptions, wire.Problem{}},
		{"nine options", dst, "11 02 " + strings.Repeat("3e00", 9) + "00000000", wire.ErrOptions, wire.Problem{}},
		{"an option to drop for silently", dst, "11 00 7e 04 00000000", wire.ErrOptions, wire.Problem{}},
		{"an option to drop for with an answer", dst, "11 00 00 be 03 000000", wire.ErrOptions,
			wire.Problem{Answer: wire.AnswerAlways, Code: wire.ICMPV6_UNK_OPTION, Pointer: 43}},
		{"an option to drop for with an answer to unicast", dst, "11 00 fe 04 00000000", wire.ErrOptions,
			wire.Problem{Answer: wire.AnswerUnicast, Code: wire.ICMPV6_UNK_OPTION, Pointer: 42}},
		{"a jumbo payload of a packet with a length", hop, "11 00 c2 04 00010000", wire.ErrOptions, field(42)},
		{"a jumbo payload that is none", hop, "11 00 c2 04 0000ffff", wire.ErrOptions, field(44)},
		{"a jumbo payload of two bytes", hop, "11 00 c2 02 0001 0100", wire.ErrOptions, wire.Problem{}},
		{"a jumbo payload out of place", hop, "11 01 0100 c204 00010000 010400000000", wire.ErrOptions, wire.Problem{}},
		{"a jumbo payload among destination options", dst, "11 00 c2 04 00010000", wire.ErrOptions,
			wire.Problem{Answer: wire.AnswerUnicast, Code: wire.ICMPV6_UNK_OPTION, Pointer: 42}},
		{"a router alert among destination options is skipped", dst, "11 00 05 02 0000 0100", nil, wire.Problem{}},
		{"eight options are read", dst, "11 02 " + strings.Repeat("3e00", 8) + "000000000000", nil, wire.Problem{}},
		{"a thousand headers are read", dst, strings.Repeat(another, 999) + "11 00 0104 00000000", nil, wire.Problem{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x, _, err := wire.WalkExtensions(c.first, unhex(c.hex))
			if err != c.want || x.Problem != c.problem {
				t.Errorf("%v %+v, want %v %+v", err, x.Problem, c.want, c.problem)
			}
		})
	}
}

func TestExtensionHeadersAreBuilt(t *testing.T) {
	f := wire.Fragment{ID: 0x01020304, Offset: 1448, More: true}
	b := dirty(f.Len())
	if f.Put(b, udp); !bytes.Equal(b, unhex("11 00 05a9 01020304")) {
		t.Errorf("fragment header %x", b)
	}
	b = dirty(wire.RouterAlertIPv6Len)
	if wire.PutRouterAlert(b, wire.IPPROTO_ICMPV6); !bytes.Equal(b, unhex("3a 00 0502 0000 0100")) {
		t.Errorf("router alert %x", b)
	}
}

func FuzzExtensions(f *testing.F) {
	f.Add(byte(hop), unhex("3a 00 05020000 0100 aa"))
	f.Add(byte(frag), unhex("3c 00 0000 00000009  11 00 010400000000 aa"))
	f.Add(byte(rt), unhex("11 00 04 01 00000000"))
	f.Add(byte(dst), unhex("11 00 fe 04 00000000"))
	f.Fuzz(func(t *testing.T, next byte, b []byte) {
		x, payload, err := wire.WalkExtensions(wire.Protocol(next), b)
		if err == nil && (x.Len+len(payload) != len(b) || x.Problem != wire.Problem{}) {
			t.Fatalf("%d bytes: %+v, payload of %d", len(b), x, len(payload))
		}
		if x.Problem.Pointer > wire.IPv6Len+len(b) || x.NextAt >= wire.IPv6Len+max(1, len(b)) {
			t.Fatalf("%d bytes: %+v", len(b), x)
		}
	})
}
