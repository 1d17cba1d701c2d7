package wire_test

import (
	"bytes"
	"testing"

	"sockeye/wire"
)

// Each list was sent to Linux 6.18 in a datagram to a closed port. What is refused
// here it answered with a parameter problem that pointed where this table says, and
// all else with port unreachable.
func TestIPv4OptionsPointAtWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		want      int // offset in the options; -1: well-formed
	}{
		{"no options", "", -1},
		{"ends", "00000000", -1},
		{"what follows the end is not looked at", "00 07 ff ff", -1},
		{"no-operations", "01010101", -1},
		{"an unknown option", "1e 04 dead", -1},
		{"a router alert", "94 04 0000", -1},
		{"a router alert without its value", "94 03 00 00", 1},
		{"a kind without a length", "01010182", 3},
		{"a length of one", "1e 01 0000", 0},
		{"a length of zero", "1e 00 0000", 0},
		{"a length past the end", "1e 05 0000", 0},
		{"record route with room", "07 07 04 00000000 00", -1},
		{"record route, full", "07 07 08 0a000001 00", -1},
		{"record route without a pointer", "07 02 00 00", 1},
		{"record route with a pointer into its head", "07 07 03 00000000 00", 2},
		{"record route with room for part of an address", "07 06 04 000000 0000", 2},
		{"record route twice", "07 03 04 07 03 04 0000", 3},
		{"a loose source route", "83 07 04 0a000002 00", -1},
		{"a loose and a strict source route", "83 07 04 0a000002 89 07 04 0a000002 0000", 7},
		{"a source route with a pointer into its head", "89 07 02 0a000002 00", 2},
		{"a timestamp with room", "44 08 05 00 00000000", -1},
		{"a timestamp with an address but room for the time only", "44 08 05 01 00000000", 2},
		{"a timestamp with room for half a time", "44 06 05 00 0000 0000", 2},
		{"a timestamp without its flags", "44 03 05 00", 1},
		{"a timestamp with a pointer into its head", "44 08 04 00 00000000", 2},
		{"a timestamp, full", "44 08 09 10 00000000", -1},
		{"a timestamp, full, whose count is at its end", "44 08 09 f0 00000000", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			if want >= 0 {
				want += wire.IPv4Len
			}
			if got := wire.CheckIPv4Options(unhex(c.hex)); got != want {
				t.Errorf("points at %d, want %d", got, want)
			}
		})
	}
}

func TestIPv4OptionIsFoundBehindOthers(t *testing.T) {
	opts := unhex("01 1e 03 aa 01 94 04 0000 00 07")
	if got := wire.IPv4Option(opts, wire.IPOPT_RA); !bytes.Equal(got, wire.RouterAlertIPv4) {
		t.Errorf("router alert: %x", got)
	}
	for _, kind := range []byte{wire.IPOPT_RR, wire.IPOPT_LSRR} {
		if got := wire.IPv4Option(opts, kind); got != nil {
			t.Errorf("option %d is not there, got %x", kind, got)
		}
	}
	if got := wire.IPv4Option([]byte{30, 9}, 30); got != nil {
		t.Errorf("an option that overruns was given: %x", got)
	}
}

func FuzzIPv4Options(f *testing.F) {
	f.Add(unhex("07 07 04 00000000 00"), byte(7))
	f.Add(unhex("44 08 05 00 00000000"), byte(68))
	f.Fuzz(func(t *testing.T, b []byte, kind byte) {
		at := wire.CheckIPv4Options(b)
		if at >= 0 && (at < wire.IPv4Len || at >= wire.IPv4Len+len(b)) {
			t.Fatalf("points at %d of %d bytes", at, len(b))
		}
		if opt := wire.IPv4Option(b, kind); opt != nil && (opt[0] != kind || len(opt) != int(opt[1])) {
			t.Fatalf("option %d is %x", kind, opt)
		}
	})
}

func TestLaterFragmentsKeepTheOptionsToBeCopied(t *testing.T) {
	for _, c := range []struct{ hex, want string }{
		{"", ""},
		{"94040000", "94040000"},
		{"01 07 07 04 00000000 83 07 04 0a000002", "01 01010101010101 83 07 04 0a000002"},
		{"44 08 05 00 00000000 94 04 0000 00 07 03", "0101010101010101 94 04 0000 00 07 03"},
	} {
		opts := unhex(c.hex)
		wire.KeepCopiedOptions(opts)
		if !bytes.Equal(opts, unhex(c.want)) {
			t.Errorf("of %s it keeps % x, want %s", c.hex, opts, c.want)
		}
	}
}
