//go:build linux

package kernel_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sockeye"
)

// noise is n bytes that no shift or repetition maps to themselves.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// readAll reads until the end of the stream in the background.
func readAll(s *sockeye.Socket) (data func() []byte) {
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(s)
		got <- b
	}()
	return func() []byte { return <-got }
}

type pairMaker func(t testing.TB) (a, b *sockeye.Socket)

func unixStreamPair(t testing.TB) (a, b *sockeye.Socket) { return unixPair(t, sockeye.SOCK_STREAM) }

func TestSpliceMovesEveryByte(t *testing.T) {
	for _, tt := range []struct {
		name     string
		src, dst pairMaker
		max      int64
	}{
		{"TCP to TCP", streamPair, streamPair, -1},
		{"unix to TCP", unixStreamPair, streamPair, -1},
		{"TCP to unix", streamPair, unixStreamPair, -1},
		{"unix to unix", unixStreamPair, unixStreamPair, -1},
		{"no more than max", streamPair, streamPair, 1_234_567},
		{"none", streamPair, streamPair, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leavesNothing(t, func(t *testing.T) {
				in, src := tt.src(t)
				dst, out := tt.dst(t)
				data := noise(16<<20 + 7)
				sent := make(chan error, 1)
				go func() {
					_, err := in.Send(data, 0)
					sent <- errors.Join(err, in.Shutdown(sockeye.SHUT_WR))
				}()
				got := readAll(out)
				n, err := sockeye.Splice(dst, src, tt.max)
				check(t, err)
				check(t, dst.Shutdown(sockeye.SHUT_WR))
				want := data
				if tt.max >= 0 {
					want = data[:tt.max]
					rest := readAll(src)() // what is past max is still there
					if !bytes.Equal(rest, data[tt.max:]) {
						t.Errorf("%d bytes remain, want %d, or they differ", len(rest), len(data[tt.max:]))
					}
				}
				check(t, <-sent)
				if b := got(); n != int64(len(want)) || !bytes.Equal(b, want) {
					t.Errorf("splice gives %d, and %d bytes arrived; want %d, or they differ", n, len(b), len(want))
				}
			})
		})
	}
}

func TestSpliceGoesOnAfterADeadlineOfTheSource(t *testing.T) {
	in, src := streamPair(t)
	dst, out := streamPair(t)
	got := readAll(out)
	data := noise(1 << 20)
	must(in.Send(data[:1000], 0))(t)
	check(t, src.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	first, err := sockeye.Splice(dst, src, -1)
	if first != 1000 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("splice gives %d, %v; want 1000 and the deadline", first, err)
	}
	check(t, src.SetReadDeadline(time.Time{}))
	go func() {
		in.Send(data[1000:], 0)
		in.Shutdown(sockeye.SHUT_WR)
	}()
	if n := must(sockeye.Splice(dst, src, -1))(t); n != int64(len(data)-1000) {
		t.Errorf("splice gives %d", n)
	}
	check(t, dst.Shutdown(sockeye.SHUT_WR))
	if !bytes.Equal(got(), data) {
		t.Error("what arrived is not what was sent")
	}
}

// TestAStalledSpliceEnds stalls a transfer at the destination, whose peer does
// not read.
func TestAStalledSpliceEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(dst, out, src *sockeye.Socket, ofDst, ofSrc *watch)
		want []error // any of them
	}{
		{"with the destination's deadline", func(dst, _, _ *sockeye.Socket, _, _ *watch) { dst.SetWriteDeadline(longAgo) }, []error{os.ErrDeadlineExceeded}},
		{"with the destination's context", func(_, _, _ *sockeye.Socket, w, _ *watch) { w.cancel() }, []error{context.Canceled}},
		{"with the source's context", func(_, _, _ *sockeye.Socket, _, w *watch) { w.cancel() }, []error{context.Canceled}},
		{"with the destination's Close", func(dst, _, _ *sockeye.Socket, _, _ *watch) { dst.Close() }, []error{net.ErrClosed}},
		{"with the destination's peer's end", func(_, out, _ *sockeye.Socket, _, _ *watch) { out.Close() }, []error{syscall.ECONNRESET, syscall.EPIPE}},
		{"with the source's Close, once the destination goes on", func(_, out, src *sockeye.Socket, _, _ *watch) {
			src.Close() // which does not wait for the destination
			readAll(out)
		}, []error{net.ErrClosed}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leavesNothing(t, func(t *testing.T) {
				in, src := streamPair(t)
				dst, out := streamPair(t)
				go in.Send(make([]byte, 64<<20), 0)
				ofDst, ofSrc := newWatch(), newWatch()
				defer ofDst.cancel()
				defer ofSrc.cancel()
				type answer struct {
					n   int64
					err error
				}
				ended := make(chan answer, 1)
				go func() {
					n, err := sockeye.Splice(dst.WithContext(ofDst), src.WithContext(ofSrc), -1)
					ended <- answer{n, err}
				}()
				<-ofDst.asked
				tt.end(dst, out, src, ofDst, ofSrc)
				a := <-ended
				for _, want := range tt.want {
					if errors.Is(a.err, want) {
						return
					}
				}
				t.Errorf("splice gives %d, %v; want %v", a.n, a.err, tt.want)
			})
		})
	}
}

func TestSpliceHearsAReset(t *testing.T) {
	in, src := streamPair(t)
	dst, _ := streamPair(t)
	must(in.Send([]byte("x"), 0))(t)
	check(t, sockeye.SO_LINGER.Set(in, sockeye.Linger{On: true}))
	if n := must(sockeye.Splice(dst, src, 1))(t); n != 1 {
		t.Errorf("splice gives %d", n)
	}
	check(t, in.Close())
	if _, err := sockeye.Splice(dst, src, -1); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want ECONNRESET", err)
	}
}

func TestSendfile(t *testing.T) {
	data := noise(8<<20 + 3)
	path := filepath.Join(t.TempDir(), "data")
	check(t, os.WriteFile(path, data, 0o600))
	for _, tt := range []struct {
		name     string
		from     int64
		max      int64
		pair     pairMaker
		expected []byte
	}{
		{"sends all", 0, -1, streamPair, data},
		{"sends all over unix sockets", 0, -1, unixStreamPair, data},
		{"begins at the file's offset", 1_000_001, -1, streamPair, data[1_000_001:]},
		{"ends at max", 5, 1_000_000, streamPair, data[5:1_000_005]},
		{"ends with the file", 0, 1 << 40, streamPair, data},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leavesNothing(t, func(t *testing.T) {
				f := must(os.Open(path))(t)
				defer f.Close()
				must(f.Seek(tt.from, io.SeekStart))(t)
				dst, out := tt.pair(t)
				got := readAll(out)
				n, err := dst.Sendfile(f, tt.max)
				check(t, err)
				check(t, dst.Shutdown(sockeye.SHUT_WR))
				if b := got(); n != int64(len(tt.expected)) || !bytes.Equal(b, tt.expected) {
					t.Errorf("sendfile gives %d, and %d bytes arrived; want %d, or they differ", n, len(b), len(tt.expected))
				}
				if at := must(f.Seek(0, io.SeekCurrent))(t); at != tt.from+n {
					t.Errorf("the file's offset is %d, want %d", at, tt.from+n)
				}
			})
		})
	}
	t.Run("copies what is no file", func(t *testing.T) {
		r, w, err := os.Pipe()
		check(t, err)
		defer r.Close()
		go func() {
			w.Write(data)
			w.Close()
		}()
		dst, out := streamPair(t)
		got := readAll(out)
		n, err := dst.Sendfile(r, -1)
		check(t, err)
		check(t, dst.Shutdown(sockeye.SHUT_WR))
		if b := got(); n != int64(len(data)) || !bytes.Equal(b, data) {
			t.Errorf("sendfile gives %d, and %d bytes arrived", n, len(b))
		}
	})
	t.Run("goes on after a deadline", func(t *testing.T) {
		f := must(os.Open(path))(t)
		defer f.Close()
		dst, out := streamPair(t)
		check(t, sockeye.SO_SNDBUF.Set(dst, 64<<10)) // so that not all of it fits
		check(t, dst.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
		first, err := dst.Sendfile(f, -1)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("sendfile gives %d, %v, want the deadline", first, err)
		}
		check(t, dst.SetWriteDeadline(time.Time{}))
		got := readAll(out)
		must(dst.Sendfile(f, -1))(t)
		check(t, dst.Shutdown(sockeye.SHUT_WR))
		if !bytes.Equal(got(), data) {
			t.Error("what arrived is not the file")
		}
	})
}
