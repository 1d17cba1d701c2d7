package echo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"

	"sockeye"
	"sockeye/echo"
	. "sockeye/internal/sockettest"
	"sockeye/kernel"
)

var host = kernel.Host()

// kinds are those that can be echoed.
var kinds = []Kind{
	{Family: sockeye.AF_INET, Type: sockeye.SOCK_STREAM},
	{Family: sockeye.AF_INET6, Type: sockeye.SOCK_STREAM},
	{Family: sockeye.AF_UNIX, Type: sockeye.SOCK_STREAM},
	{Family: sockeye.AF_UNIX, Type: sockeye.SOCK_SEQPACKET},
	{Family: sockeye.AF_INET, Type: sockeye.SOCK_DGRAM},
	{Family: sockeye.AF_INET6, Type: sockeye.SOCK_DGRAM},
	{Family: sockeye.AF_UNIX, Type: sockeye.SOCK_DGRAM},
}

// start serves a socket for the duration of the test.
func start(t *testing.T, s *sockeye.Socket, log func(echo.Event)) (stop func()) {
	return Serve(t, func(ctx context.Context) error { return echo.Serve(ctx, s, log) })
}

func payload(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rand.Int32())
	}
	return p
}

func TestEverythingComesBack(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			s, at := Listen(t, host, k)
			start(t, s, nil)
			c := Dial(t, host, k, at)
			sizes := []int{1, 2048, 2049, 5, 65507, 100}
			if k.Type != sockeye.SOCK_STREAM {
				sizes = append(sizes, 0, 0, 7)
			}
			if k.Family == sockeye.AF_UNIX && k.Type != sockeye.SOCK_STREAM {
				sizes = append(sizes, 150_000, 1)
			}
			for _, size := range sizes {
				p := payload(size)
				_, err := c.Send(p, 0)
				Check(t, err)
				if got := Receive(t, c, size); !bytes.Equal(got, p) {
					t.Fatalf("of %d bytes came back %d, the same: %v", size, len(got), bytes.HasPrefix(p, got))
				}
			}
		})
	}
}

func TestEndOfStreamComesAfterTheData(t *testing.T) {
	t.Parallel()
	for _, k := range kinds[:4] {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			s, at := Listen(t, host, k)
			events := make(chan echo.Event, 2)
			start(t, s, func(ev echo.Event) { events <- ev })
			c := Dial(t, host, k, at)
			size := 100_000
			p := payload(size)
			_, err := c.Send(p, 0)
			Check(t, err)
			Check(t, c.Shutdown(sockeye.SHUT_WR))
			if got := Receive(t, c, size); !bytes.Equal(got, p) {
				t.Fatalf("got %d bytes", len(got))
			}
			if got, err := c.Recv(make([]byte, 1), 0); got != 0 || err != nil {
				t.Fatalf("at the end: %d, %v", got, err)
			}
			if ev := <-events; !ev.Opened || ev.Err != nil {
				t.Errorf("first event: %+v", ev)
			}
			if ev := <-events; ev.Opened || ev.Err != nil || ev.Bytes != int64(size) {
				t.Errorf("last event: %+v", ev)
			}
		})
	}
}

func TestResetIsReported(t *testing.T) {
	t.Parallel()
	s, at := Listen(t, host, kinds[0])
	events := make(chan echo.Event, 2)
	start(t, s, func(ev echo.Event) { events <- ev })
	c := Dial(t, host, kinds[0], at)
	<-events
	Check(t, sockeye.SO_LINGER.Set(c, sockeye.Linger{On: true}))
	Check(t, c.Close())
	if ev := <-events; !errors.Is(ev.Err, syscall.ECONNRESET) {
		t.Errorf("got %+v, want ECONNRESET", ev)
	}
}

func TestThousandsOfPeersAtOnce(t *testing.T) {
	t.Parallel()
	const peers = 2000
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			s, at := Listen(t, host, k)
			start(t, s, nil)
			socks := make([]*sockeye.Socket, peers)
			for i := range socks { // all are there before the first says a word
				socks[i] = Dial(t, host, k, at)
			}
			var wg sync.WaitGroup
			gate := make(chan struct{}, 100) // no more in flight than the queue of a datagram socket takes
			for i, c := range socks {
				gate <- struct{}{}
				wg.Go(func() {
					defer func() { <-gate }()
					p := fmt.Appendf(nil, "peer %d", i)
					if _, err := c.Send(p, 0); err != nil {
						t.Error(err)
						return
					}
					buf := make([]byte, 100)
					if n, err := c.Recv(buf, 0); err != nil || !bytes.Equal(buf[:n], p) {
						t.Errorf("%s: got %q, %v", p, buf[:n], err)
					}
				})
			}
			wg.Wait()
			for _, c := range socks {
				c.Close()
			}
		})
	}
}

func TestContextEndClosesAllAndLeavesNoGoroutine(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			s, at := Listen(t, host, k)
			stop := start(t, s, nil)
			var peers []*sockeye.Socket
			for range 10 {
				c := Dial(t, host, k, at)
				c.Send([]byte("x"), 0)
				Receive(t, c, 1)
				peers = append(peers, c)
			}
			stop()
			if left := Goroutines(); len(left) > 0 {
				t.Errorf("%d goroutines are left:\n%s", len(left), left[0])
			}
			if _, err := s.Getsockname(); !errors.Is(err, syscall.EBADF) {
				t.Errorf("the socket is not closed: %v", err)
			}
			if k.Type == sockeye.SOCK_DGRAM {
				return
			}
			for _, c := range peers {
				if n, err := c.Recv(make([]byte, 1), 0); n != 0 {
					t.Errorf("a connection is not closed: %d, %v", n, err)
				}
			}
		})
	}
}

func TestUnservableSocketIsNamed(t *testing.T) {
	t.Parallel()
	s, err := host.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	Check(t, err)
	if err := echo.Serve(t.Context(), s, nil); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a socket that does not listen: got %v, want EINVAL", err)
	}
}
