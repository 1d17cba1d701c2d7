package link_test

import (
	"bytes"
	"testing"

	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/wire"
)

func TestFromWireSplitsHeadersFromPayload(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	withOptions := spec{slices: []int{500}}
	withOptions.options.Set, withOptions.options.TSVal = wire.OptTimestamps, 5
	for _, s := range append(layouts(), withOptions) {
		s.slices = []int{500}
		b := s.build().AppendTo(nil)
		p := link.FromWire(packet.Of(append(b, "padding"...)), s.ethernet)
		if len(p.Header()) != len(b)-500 || p.Sum != packet.SumUnknown {
			t.Errorf("%v: %d bytes of header, want %d", s, len(p.Header()), len(b)-500)
		}
		equal(t, s.String(), p.AppendTo(nil), b)
		p.Release()
	}
}

func TestFromWireSplitsOtherPackets(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	var ip [200]byte
	fragment := wire.IPv4{Src: host1, Dst: host2, Protocol: wire.IPPROTO_TCP, MF: true, Options: []byte{1, 1, 1, 0}}
	fragment.Put(ip[:], 176)
	ethernet := func(kind wire.EtherType, rest int) []byte {
		b := make([]byte, 14+rest)
		wire.Ethernet{Dst: station2, Src: station1, Type: kind}.Put(b)
		return b
	}
	for _, tt := range []struct {
		name     string
		b        []byte
		ethernet bool
		header   int
		whole    int // of the packet; what follows is padding
	}{
		{"nothing", nil, false, 0, 0},
		{"no frame", payload(9), true, 9, 9},
		{"ARP with padding", ethernet(wire.ETH_P_ARP, 46), true, 42, 60},
		{"an unknown type", ethernet(0x88cc, 46), true, 14, 60},
		{"a length in place of the type", ethernet(46, 46), true, 14, 60},
		{"a fragment", ip[:], false, 24, 200},
		{"a version that is none", bytes.Repeat([]byte{0x50}, 100), false, 60, 100},
		{"a header of 4 bytes", bytes.Repeat([]byte{0x41}, 100), false, 60, 100},
		{"a packet of one byte", []byte{0x45}, false, 1, 1},
	} {
		p := link.FromWire(packet.Of(tt.b), tt.ethernet)
		if len(p.Header()) != tt.header || p.Len() != tt.whole {
			t.Errorf("%s: %d bytes of header in %d, want %d in %d", tt.name, len(p.Header()), p.Len(), tt.header, tt.whole)
		}
		p.Release()
	}
}

func FuzzFromWire(f *testing.F) {
	for _, s := range layouts() {
		s.slices = []int{30}
		f.Add(s.build().AppendTo(nil), s.ethernet, 10)
	}
	v6 := wire.IPv6{Src: host1v6, Dst: host2v6, NextHeader: wire.IPPROTO_HOPOPTS}
	b := make([]byte, 80)
	v6.Put(b, 40)
	wire.PutRouterAlert(b[40:], wire.IPPROTO_FRAGMENT)
	f.Add(b, false, 0)
	f.Fuzz(func(t *testing.T, b []byte, ethernet bool, gso int) {
		whole := packet.Of(b)
		p := link.FromWire(whole.Retain(), ethernet)
		got := p.AppendTo(nil)
		if !bytes.HasPrefix(b, got) {
			t.Fatalf("% x became % x", b, got)
		}
		if len(p.Header()) > packet.Headroom {
			t.Fatalf("%d bytes of header", len(p.Header()))
		}
		clone := p.Clone()
		clone.Sum = packet.SumPartial
		link.FillChecksum(clone, ethernet)
		if clone.Len() != len(got) {
			t.Fatalf("filling the checksum made %d bytes of %d", clone.Len(), len(got))
		}
		clone.Release()
		n := packet.Len(p.Payload)
		p.GSO.Size = max(gso%2000, (n+99)/100)
		sum := 0
		for _, q := range link.Segment(nil, p, ethernet) {
			sum += packet.Len(q.Payload)
			q.Release()
		}
		if sum != n {
			t.Fatalf("the segments have %d bytes of payload, the whole had %d", sum, n)
		}
		whole.Release()
	})
}
