package packet_test

import (
	"bytes"
	"sync"
	"testing"

	"sockeye/packet"
)

func TestBlockSizes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ want, got int }{
		{0, 256}, {1, 256}, {256, 256}, {257, 512}, {1448, 2048}, {4096, 4096}, {4097, 8192},
		{65535, 65536}, {65536, 65536}, {65537, 65537}, {1 << 20, 1 << 20},
	} {
		b := packet.New(tt.want)
		if got := len(b.Bytes()); got != tt.got {
			t.Errorf("New(%d) has %d bytes, want %d", tt.want, got, tt.got)
		}
		b.Slice(0, 0).Release()
	}
}

func TestSlicesShareABlock(t *testing.T) {
	t.Parallel()
	s := packet.Of([]byte("hello, world"))
	part := s.Sub(7, 12).Retain()
	s.Release()
	if got := string(part.Bytes()); got != "world" {
		t.Errorf("after the whole was released the part reads %q", got)
	}
	part.Release()
	defer func() {
		if recover() == nil {
			t.Error("a release too many does not panic")
		}
	}()
	part.Release()
}

func TestAppendGrowsTheLastSliceWithoutTouchingEarlierOnes(t *testing.T) {
	t.Parallel()
	s := packet.Of([]byte("first"))
	early := s.Retain()
	s, n := s.Append(bytes.Repeat([]byte("x"), 300))
	if n != 256-5 || s.Len() != 256 {
		t.Errorf("Append took %d bytes, slice is %d", n, s.Len())
	}
	if got := string(early.Bytes()); got != "first" {
		t.Errorf("the earlier slice reads %q", got)
	}
	early.Release()
	s.Release()
}

func TestJoinMakesNeighboursOne(t *testing.T) {
	t.Parallel()
	s := packet.Of([]byte("abcdef"))
	a, b := s.Sub(0, 2).Retain(), s.Sub(2, 5).Retain()
	ab, ok := packet.Join(a, b)
	if !ok || string(ab.Bytes()) != "abcde" {
		t.Errorf("Join gave %q, %v", ab.Bytes(), ok)
	}
	if _, ok := packet.Join(ab, s.Sub(0, 2)); ok {
		t.Error("slices that do not touch were joined")
	}
	ab.Release()
	s.Release() // panics if Join kept both references or none
}

func TestBlocksAreSharedBetweenGoroutines(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 100 {
		s := packet.Of([]byte("shared"))
		for range 4 {
			r := s.Retain()
			wg.Go(func() {
				if string(r.Bytes()) != "shared" {
					t.Error("the block changed while it was held")
				}
				r.Release()
			})
		}
		s.Release()
	}
	wg.Wait()
}

func BenchmarkNewRelease(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		packet.New(1448).Slice(0, 1448).Release()
	}
}

// build is a packet with a network header "NNNN", whose header is "head" and whose
// payload is "pay" and "load".
func build() *packet.Packet {
	p := packet.NewPacket()
	p.SetHeader([]byte("NNNNhead"))
	p.Append(packet.Of([]byte("pay")))
	p.Append(packet.Of([]byte("load")))
	p.Network(4, 11)
	return p
}

func TestPullupBringsPayloadIntoTheHeader(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n      int
		ok     bool
		header string
	}{
		{0, true, "head"}, {4, true, "head"}, {5, true, "headp"}, {7, true, "headpay"},
		{9, true, "headpaylo"}, {11, true, "headpayload"}, {12, false, "head"},
	} {
		p := build()
		ok := p.Pullup(tt.n)
		if ok != tt.ok || string(p.Header()) != tt.header || string(p.NetworkHeader()) != "NNNN" {
			t.Errorf("Pullup(%d): %v, %q behind %q", tt.n, ok, p.Header(), p.NetworkHeader())
		}
		if all := string(p.AppendTo(nil)); all != "headpayload" {
			t.Errorf("Pullup(%d) made %q of it", tt.n, all)
		}
		p.Release()
	}
}

func TestAHeaderHasABound(t *testing.T) {
	t.Parallel()
	p := packet.NewPacket()
	p.Append(packet.Of(make([]byte, 2*packet.Headroom)))
	if !p.Pullup(packet.Headroom) || p.Pullup(packet.Headroom+1) {
		t.Error("a header takes other than Headroom bytes")
	}
	p.Release()
}

func TestACloneKeepsItsNetworkHeader(t *testing.T) {
	t.Parallel()
	p := build()
	q := p.Clone()
	p.Release()
	if string(q.NetworkHeader()) != "NNNN" || string(q.AppendTo(nil)) != "headpayload" {
		t.Errorf("the clone is %q behind %q", q.AppendTo(nil), q.NetworkHeader())
	}
	q.Push(4)
	if got := string(q.Header()); got != "NNNNhead" {
		t.Errorf("pushed back it is %q", got)
	}
	q.Release()
}
