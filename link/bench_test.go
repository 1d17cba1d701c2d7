package link_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"sockeye/event"
	"sockeye/link"
	"sockeye/packet"
)

// A bin releases what it receives.
type bin struct{ packets, bytes int }

func (b *bin) Receive(_ event.Time, p *packet.Packet) {
	b.packets++
	b.bytes += p.Len()
	p.Release()
}

// A course is a way for packets.
type course struct {
	name string
	send func(b testing.TB, loop *event.Loop) link.Port
	p    spec
}

var courses = []course{
	{"loopback 64 KiB", func(_ testing.TB, loop *event.Loop) link.Port {
		lo := link.Loopback(loop)
		lo.Attach(new(bin))
		return lo
	}, spec{slices: []int{32768, 32600}, gso: 32768}},
	{"cable 1500 B", cable(link.CableOptions{Checksum: link.ChecksumByLink}), spec{slices: []int{1460}}},
	{"cable 1500 B with checksums", cable(link.CableOptions{}), spec{slices: []int{1460}}},
	{"cable 64 KiB cut, with checksums", cable(link.CableOptions{}), spec{slices: []int{32768, 32600}, gso: 1460}},
	{"impair 1500 B, loss", faulty(link.Faults{Loss: 0.01}), spec{slices: []int{1460}}},
	{"impair 64 KiB, loss", faulty(link.Faults{Loss: 0.01}), spec{slices: []int{32768, 32600}, gso: 1460}},
	{"impair 1500 B, corrupt", faulty(link.Faults{Corrupt: 1}), spec{slices: []int{1460}}},
	{"capture 1500 B", func(b testing.TB, loop *event.Loop) link.Port {
		port := cable(link.CableOptions{Checksum: link.ChecksumByLink})(b, loop)
		return link.Capture(loop, port, link.NewPcapng(io.Discard, time.Time{}), link.CaptureOptions{})
	}, spec{slices: []int{1460}}},
	{"switch 1500 B", func(_ testing.TB, loop *event.Loop) link.Port {
		sw := link.NewSwitch(loop, link.SwitchOptions{Checksum: link.ChecksumByLink})
		ports := []link.Port{sw.Port(station1), sw.Port(station2), sw.Port(station3)}
		for _, p := range ports {
			p.Attach(new(bin))
		}
		ports[1].Send(spec{ethernet: true, from: station2, to: station1}.build())
		loop.Run()
		return ports[0]
	}, spec{ethernet: true, from: station1, to: station2, slices: []int{1460}}},
}

func cable(o link.CableOptions) func(testing.TB, *event.Loop) link.Port {
	return func(_ testing.TB, loop *event.Loop) link.Port {
		a, b := link.Cable(loop, o)
		b.Attach(new(bin))
		return a
	}
}

func faulty(f link.Faults) func(testing.TB, *event.Loop) link.Port {
	return func(b testing.TB, loop *event.Loop) link.Port {
		port := cable(link.CableOptions{MaxGSO: link.MaxGSO, Checksum: link.ChecksumByLink})(b, loop)
		i, err := link.Impair(loop, port, link.Impairment{Out: f})
		if err != nil {
			b.Fatal(err)
		}
		return i
	}
}

func BenchmarkLink(b *testing.B) {
	for _, c := range courses {
		b.Run(c.name, func(b *testing.B) {
			loop := network(b)
			port, p := c.send(b, loop), c.p.build()
			b.SetBytes(int64(packet.Len(p.Payload)))
			b.ReportAllocs()
			for b.Loop() {
				port.Send(p.Clone())
				loop.Run()
			}
		})
	}
}

// The delay and the rate of a link need time that passes.
func BenchmarkImpairDelayAndRate(b *testing.B) {
	loop := network(b)
	port := faulty(link.Faults{Delay: time.Microsecond, Rate: 100e9, Queue: link.Queue{Packets: 1e6}})(b, loop)
	p := spec{slices: []int{1460}}.build()
	b.SetBytes(1460)
	b.ReportAllocs()
	for b.Loop() {
		port.Send(p.Clone())
		loop.Run()
	}
}

func BenchmarkSegment(b *testing.B) {
	for _, s := range []spec{{}, {v6: true}, {udp: true}} {
		b.Run(s.String(), func(b *testing.B) {
			s.slices, s.gso = []int{32768, 32600}, 1448
			p := s.build()
			list := make([]*packet.Packet, 0, 64)
			b.SetBytes(65368)
			b.ReportAllocs()
			for b.Loop() {
				list = link.Segment(list[:0], p.Clone(), false)
				for _, q := range list {
					q.Release()
				}
			}
		})
	}
}

func BenchmarkFromWire(b *testing.B) {
	whole := packet.Of(spec{slices: []int{1460}}.build().AppendTo(nil))
	b.ReportAllocs()
	for b.Loop() {
		link.FromWire(whole.Retain(), false).Release()
	}
}

// A hose is a stream whose peer sends the same frames over and over, and reads all.
type hose struct {
	frames   []byte
	at, left int
}

func (h *hose) Read(b []byte) (int, error) {
	if h.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), h.left)], h.frames[h.at:])
	h.at, h.left = (h.at+n)%len(h.frames), h.left-n
	return n, nil
}

func (h *hose) Write(b []byte) (int, error) { return len(b), nil }
func (h *hose) Close() error                { return nil }

func BenchmarkStreamReceive(b *testing.B) {
	one := frame(spec{ethernet: true, slices: []int{1460}}.build().AppendTo(nil))
	b.SetBytes(1460)
	b.ReportAllocs()
	s := link.NewStream(network(b), &hose{frames: bytes.Repeat(one, 100), left: b.N * len(one)}, link.StreamOptions{})
	s.Attach(new(bin))
	<-s.Done()
}
