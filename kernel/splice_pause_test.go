//go:build linux

package kernel_test

import (
	"bytes"
	"io"
	"os"
	"testing"
	"time"

	"sockeye"
)

// pattern is data in which no piece is like another of its neighbours.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

// A stream that ran fast may pause at any byte: what has come by then is passed
// on, though the reader would rather be woken for more.
func TestSpliceKeepsNothingBackAtAPause(t *testing.T) {
	t.Parallel()
	w, src := streamPair(t)
	dst, r := streamPair(t)
	type result struct {
		n   int64
		err error
	}
	done := make(chan result, 1)
	go func() {
		n, err := sockeye.Splice(dst, src, -1)
		done <- result{n, err}
	}()
	total := int64(0)
	for range 3 {
		for _, size := range []int{16 << 20, 1, 100_000, 700_001} {
			p := pattern(size)
			go w.Write(p)
			got := make([]byte, size)
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, p) {
				t.Fatalf("%d bytes: %v, the same: %v", size, err, bytes.Equal(got, p))
			}
			total += int64(size)
		}
	}
	check(t, w.Shutdown(sockeye.SHUT_WR))
	if res := <-done; res.n != total || res.err != nil {
		t.Errorf("got %d, %v, want %d", res.n, res.err, total)
	}
	if n := must(sockeye.SO_RCVLOWAT.Get(src))(t); n != 1 {
		t.Errorf("SO_RCVLOWAT is %d afterwards", n)
	}
}

func TestSpliceEndsAtItsMaximumAndAtTheDeadline(t *testing.T) {
	t.Parallel()
	w, src := streamPair(t)
	dst, r := streamPair(t)
	p := pattern(300_000)
	go w.Write(p)
	if n, err := sockeye.Splice(dst, src, 200_000); n != 200_000 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	src.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	n, err := sockeye.Splice(dst, src, -1)
	if n != 100_000 || !os.IsTimeout(err) {
		t.Fatalf("got %d, %v, want the rest and a timeout", n, err)
	}
	got := make([]byte, len(p))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, p) {
		t.Errorf("the data came out wrong: %v", err)
	}
}
