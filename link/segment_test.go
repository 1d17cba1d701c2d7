package link_test

import (
	"bytes"
	"fmt"
	"testing"

	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/wire"
)

// layouts are the kinds of large packets.
func layouts() (list []spec) {
	for _, below := range []spec{{}, {ethernet: true}, {ethernet: true, tag: true}} {
		for _, ip := range []spec{{}, {v6: true}, {v6: true, extension: true}} {
			for _, udp := range []bool{false, true} {
				list = append(list, spec{ethernet: below.ethernet, tag: below.tag, v6: ip.v6, extension: ip.extension, udp: udp})
			}
		}
	}
	return list
}

func (s spec) String() string {
	name := ""
	for _, layer := range []struct {
		there bool
		name  string
	}{
		{s.ethernet, "Ethernet "}, {s.tag, "tagged "}, {!s.v6, "IPv4 "}, {s.v6, "IPv6 "}, {s.extension, "options "},
		{!s.udp, "TCP"}, {s.udp, "UDP"},
	} {
		if layer.there {
			name += layer.name
		}
	}
	return name
}

func TestSegmentsStandForTheLargePacket(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	for _, s := range layouts() {
		for _, parts := range [][]int{{5000}, {1, 2, 3, 4994}, {1000, 1000, 1000, 1000, 1000}, {2501, 2499}} {
			t.Run(fmt.Sprint(s, parts), func(t *testing.T) {
				t.Parallel()
				s := s
				s.slices, s.gso, s.id, s.seq = parts, 1200, 0xfffe, 0xffffff00
				s.flags = wire.ACK | wire.PSH | wire.FIN | wire.CWR
				list := link.Segment(nil, s.build(), s.ethernet)
				if len(list) != 5 {
					t.Fatalf("%d segments, want 5", len(list))
				}
				var all []byte
				for i, p := range list {
					if p.GSO.Size != 0 || p.Sum != packet.SumPartial {
						t.Errorf("segment %d: GSO size %d, checksum %d", i, p.GSO.Size, p.Sum)
					}
					link.FillChecksum(p, s.ethernet)
					if p.Sum != packet.SumUnknown {
						t.Errorf("segment %d is not marked as one to be checked", i)
					}
					r := parse(t, p.AppendTo(nil), s)
					if !r.valid {
						t.Errorf("segment %d: the checksum is wrong", i)
					}
					if want := min(1200, 5000-i*1200); len(r.payload) != want {
						t.Errorf("segment %d has %d bytes, want %d", i, len(r.payload), want)
					}
					if want := s.id + uint16(i); !s.v6 && r.id != want {
						t.Errorf("segment %d: identification %#x, want %#x", i, r.id, want)
					}
					if !s.udp {
						want := []wire.TCPFlags{wire.ACK | wire.CWR, wire.ACK, wire.ACK, wire.ACK, wire.ACK | wire.PSH | wire.FIN}[i]
						if seq := s.seq.Add(i * 1200); r.tcp.Seq != seq || r.tcp.Flags != want || r.tcp.Ack != 77 {
							t.Errorf("segment %d: %d %v, want %d %v", i, r.tcp.Seq, r.tcp.Flags, seq, want)
						}
					}
					all = append(all, r.payload...)
					p.Release()
				}
				equal(t, "payload", all, payload(5000))
			})
		}
	}
}

func TestSegmentGivesBackItsReferences(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	p := spec{slices: []int{1}, gso: 1000}.build()
	s := packet.Of(payload(3000))
	p.Append(s.Retain())
	for _, q := range link.Segment(nil, p, false) {
		q.Release()
	}
	s.Release()
	defer func() {
		if recover() == nil {
			t.Error("somebody still holds the payload")
		}
	}()
	s.Release()
}

func TestWhatCannotBeCutStaysWhole(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	short := spec{slices: []int{1000}, gso: 1000}.build()
	single := spec{slices: []int{1000}}.build()
	garbage := raw(bytes.Repeat([]byte{0xff}, 500))
	garbage.GSO.Size = 100
	for i, p := range []*packet.Packet{short, single, garbage} {
		want := p.AppendTo(nil)
		list := link.Segment(nil, p, false)
		if len(list) != 1 || list[0].GSO.Size != 0 {
			t.Errorf("packet %d: %d segments, GSO size %d", i, len(list), list[0].GSO.Size)
		}
		equal(t, "packet", list[0].AppendTo(nil), want)
	}
}

func TestFillChecksum(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	for _, s := range layouts() {
		for _, parts := range [][]int{nil, {1}, {3, 3, 3}, {1400}, {7, 0, 1393}} {
			s := s
			s.slices = parts
			p := s.build()
			link.FillChecksum(p, s.ethernet)
			if r := parse(t, p.AppendTo(nil), s); !r.valid || p.Sum != packet.SumUnknown {
				t.Errorf("%v %v: valid %v, marked %d", s, parts, r.valid, p.Sum)
			}
		}
	}
}

func TestFillChecksumFindsHeadersThatAreInThePayload(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	for _, s := range layouts() {
		s := s
		s.slices = []int{100}
		b := s.build().AppendTo(nil)
		p := packet.NewPacket()
		p.SetHeader(b[:5])
		p.Append(packet.Of(b[5:17]))
		p.Append(packet.Of(b[17:]))
		link.FillChecksum(p, s.ethernet)
		got := p.AppendTo(nil)
		if len(got) != len(b) || !parse(t, got, s).valid {
			t.Errorf("%v: %d bytes of %d, or a wrong checksum", s, len(got), len(b))
		}
	}
}

func TestFillChecksumOfICMP(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	var b [100]byte
	v4 := wire.IPv4{Src: host1, Dst: host2, Protocol: wire.IPPROTO_ICMP, TTL: 1}
	n := v4.Put(b[:], 13)
	p := packet.NewPacket()
	p.SetHeader(append(b[:n:n], 8, 0, 0, 0, 0, 1, 0, 1))
	p.Append(packet.Of([]byte("hello")))
	link.FillChecksum(p, false)
	if !wire.Sum(0).Add(p.AppendTo(nil)[n:]).Valid() {
		t.Error("ICMP: wrong checksum")
	}
	v6 := wire.IPv6{Src: host1v6, Dst: host2v6, NextHeader: wire.IPPROTO_ICMPV6, HopLimit: 1}
	n = v6.Put(b[:], 13)
	p = packet.NewPacket()
	p.SetHeader(append(b[:n:n], 128, 0, 0, 0, 0, 1, 0, 1))
	p.Append(packet.Of([]byte("hello")))
	link.FillChecksum(p, false)
	if !wire.PseudoSum(host1v6, host2v6, wire.IPPROTO_ICMPV6, 13).Add(p.AppendTo(nil)[n:]).Valid() {
		t.Error("ICMPv6: wrong checksum")
	}
}

func TestFillChecksumLeavesAloneWhatItCannotKnow(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	fragment := spec{udp: true, slices: []int{64}}.build()
	fragment.Header()[6] |= 0x20 // more fragments
	checked := spec{slices: []int{64}}.build()
	checked.Sum = packet.SumUnknown
	empty := packet.NewPacket()
	for i, p := range []*packet.Packet{fragment, checked, empty, raw(payload(300))} {
		want := p.AppendTo(nil)
		link.FillChecksum(p, false)
		equal(t, fmt.Sprint("packet ", i), p.AppendTo(nil), want)
	}
}
