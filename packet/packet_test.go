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
