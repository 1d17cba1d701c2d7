//go:build linux

package kernel_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// streamPair gives two connected TCP sockets on loopback.
func streamPair(t testing.TB) (a, b *sockeye.Socket) {
	t.Helper()
	h := kernel.Host()
	l := must(h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))(t)
	defer l.Close()
	check(t, l.Bind(sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)))
	check(t, l.Listen(1))
	a = must(h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))(t)
	check(t, a.Connect(must(l.Getsockname())(t)))
	b, _, err := l.Accept()
	check(t, err)
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestStreamCarriesBytesBothWays(t *testing.T) {
	a, b := streamPair(t)
	buf := make([]byte, 16)
	for range 3 {
		must(a.Send([]byte("ping"), 0))(t)
		if n := must(b.Recv(buf, 0))(t); string(buf[:n]) != "ping" {
			t.Fatalf("got %q", buf[:n])
		}
		must(b.Send([]byte("pong"), 0))(t)
		if n := must(a.Recv(buf, 0))(t); string(buf[:n]) != "pong" {
			t.Fatalf("got %q", buf[:n])
		}
	}
	check(t, a.Shutdown(sockeye.SHUT_WR))
	if n, err := b.Recv(buf, 0); n != 0 || err != nil {
		t.Fatalf("after the peer's shutdown: %d, %v", n, err)
	}
}

func TestWaitingCallsEnd(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	for _, tt := range []struct {
		name string
		wake func(s *sockeye.Socket)
		want error
	}{
		{"with the deadline", func(s *sockeye.Socket) { s.SetReadDeadline(time.Now().Add(time.Millisecond)) }, os.ErrDeadlineExceeded},
		{"with a deadline in the past", func(s *sockeye.Socket) { s.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		{"with the context", func(s *sockeye.Socket) { cancel() }, context.Canceled},
		{"with Close as EBADF", func(s *sockeye.Socket) { s.Close() }, syscall.EBADF},
		{"with Close as net.ErrClosed", func(s *sockeye.Socket) { s.Close() }, net.ErrClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := streamPair(t)
			if tt.want == context.Canceled {
				s = s.WithContext(canceled)
			}
			const waiting = 5
			errs := make(chan error, waiting)
			for range waiting {
				go func() {
					_, err := s.Recv(make([]byte, 1), 0)
					errs <- err
				}()
			}
			time.Sleep(5 * time.Millisecond) // some wait already, some may not yet
			tt.wake(s)
			for range waiting {
				if err := <-errs; !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			}
		})
	}
}

func TestOneSocketHasManyReceivers(t *testing.T) {
	h := kernel.Host()
	s := must(h.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0))(t)
	defer s.Close()
	check(t, s.Bind(sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)))
	to := must(s.Getsockname())(t)
	const n = 50
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := make(map[byte]bool)
	for range n {
		wg.Go(func() {
			var b [1]byte
			if _, err := s.Recv(b[:], 0); err != nil {
				t.Error(err)
			}
			mu.Lock()
			seen[b[0]] = true
			mu.Unlock()
		})
	}
	c := must(h.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0))(t)
	defer c.Close()
	for i := range n {
		must(c.Sendto([]byte{byte(i)}, 0, to))(t)
	}
	wg.Wait()
	if len(seen) != n {
		t.Errorf("%d of %d datagrams were received", len(seen), n)
	}
}

func TestRoundTripsAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	a, b := streamPair(t)
	msg, buf := make([]byte, 64), make([]byte, 64)
	if allocs := testing.AllocsPerRun(100, func() {
		a.Send(msg, 0)
		b.Recv(buf, 0)
		b.Send(msg, 0)
		a.Recv(buf, 0)
	}); allocs != 0 {
		t.Errorf("a round trip makes %v allocations", allocs)
	}
}
