//go:build linux

package kernel_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

func newEpoll(t *testing.T) *sockeye.Epoll {
	e := must(kernel.Host().NewEpoll())(t)
	t.Cleanup(func() { e.Close() })
	return e
}

// next waits for events, and gives the last one's and how many there were.
func next(t *testing.T, e *sockeye.Epoll, timeout time.Duration) (last sockeye.EpollEvent, n int) {
	t.Helper()
	events := make([]sockeye.EpollEvent, 10)
	n = must(e.Wait(context.Background(), events, timeout))(t)
	if n > 0 {
		last = events[n-1]
	}
	return last, n
}

func TestEpollTellsWhatHolds(t *testing.T) {
	t.Parallel()
	const in, out, rdhup, hup = sockeye.POLLIN, sockeye.POLLOUT, sockeye.POLLRDHUP, sockeye.POLLHUP
	for _, tt := range []struct {
		name         string
		happens      func(peer *sockeye.Socket)
		events, want sockeye.Events
	}{
		{"data", func(peer *sockeye.Socket) { must(peer.Send([]byte("x"), 0))(t) }, in, in},
		{"room", func(*sockeye.Socket) {}, in | out, out},
		{"the peer's end", func(peer *sockeye.Socket) { check(t, peer.Shutdown(sockeye.SHUT_WR)) }, in | rdhup, in | rdhup},
		{"nothing asked for but a hang-up", func(peer *sockeye.Socket) { check(t, peer.Close()) }, 0, hup},
	} {
		e := newEpoll(t)
		a, b := unixPair(t, sockeye.SOCK_STREAM)
		check(t, e.Add(b, tt.events, tt.name))
		tt.happens(a)
		if ev, n := next(t, e, -1); n != 1 || ev.Events != tt.want || ev.Data != tt.name {
			t.Errorf("%s: %d events, the last %v of %v; want %v", tt.name, n, ev.Events, ev.Data, tt.want)
		}
	}
}

func TestEpollTellsOnceAndAgainWhenMoreHappens(t *testing.T) {
	t.Parallel()
	e := newEpoll(t)
	a, b := streamPair(t)
	must(a.Send([]byte("before"), 0))(t)
	check(t, e.Add(b, sockeye.POLLIN, nil))
	for range 3 {
		if _, n := next(t, e, -1); n != 1 {
			t.Fatalf("got %d events, want one", n)
		}
		if ev, n := next(t, e, 0); n != 0 {
			t.Fatalf("told again: %v", ev.Events)
		}
		must(a.Send([]byte("more"), 0))(t)
	}
}

func TestEpollTellsOfMany(t *testing.T) {
	t.Parallel()
	const n = 300
	e := newEpoll(t)
	for i := range n {
		a, b := unixPair(t, sockeye.SOCK_DGRAM)
		check(t, e.Add(b, sockeye.POLLIN, i))
		must(a.Send([]byte("x"), 0))(t)
	}
	seen := make(map[any]int)
	events := make([]sockeye.EpollEvent, 7)
	for told := 0; told < n; {
		k := must(e.Wait(context.Background(), events, -1))(t)
		for _, ev := range events[:k] {
			seen[ev.Data]++
		}
		told += k
	}
	if len(seen) != n {
		t.Errorf("%d of %d sockets were told of", len(seen), n)
	}
}

func TestSocketLeavesTheEpollWhenItIsClosed(t *testing.T) {
	t.Parallel()
	e := newEpoll(t)
	a, b := streamPair(t)
	check(t, e.Add(b, sockeye.POLLIN, "closed"))
	closed := make(chan error)
	go func() { closed <- b.Close() }()
	if ev, n := next(t, e, -1); n != 1 || ev.Events != sockeye.POLLNVAL || ev.Data != "closed" {
		t.Errorf("%d events, the last %v of %v", n, ev.Events, ev.Data)
	}
	check(t, <-closed)
	a.Send([]byte("x"), 0)
	if ev, n := next(t, e, 0); n != 0 {
		t.Errorf("told after the end: %v of %v", ev.Events, ev.Data)
	}
	if err := e.Add(b, sockeye.POLLIN, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Add of a closed socket: %v", err)
	}
}

// Somebody else may keep what a closed descriptor stood for: its events are not
// those of the socket that has the number next.
func TestEpollTellsNothingOfASocketThatIsNotInIt(t *testing.T) {
	t.Parallel()
	e := newEpoll(t)
	a, b := unixPair(t, sockeye.SOCK_STREAM)
	through, other := unixPair(t, sockeye.SOCK_STREAM)
	check(t, e.Add(b, sockeye.POLLIN, "first"))
	must(through.Sendmsg(&sockeye.Message{Buffers: [][]byte{{1}}, Rights: []sockeye.Descriptor{b}}, 0))(t)
	check(t, b.Close())
	if ev, n := next(t, e, -1); n != 1 || ev.Events != sockeye.POLLNVAL {
		t.Fatalf("%d events, the last %v", n, ev.Events)
	}
	must(a.Send([]byte("x"), 0))(t)
	if ev, n := next(t, e, 0); n != 0 {
		t.Errorf("got %v of %v", ev.Events, ev.Data)
	}
	m := &sockeye.Message{Buffers: [][]byte{make([]byte, 1)}, Control: make([]byte, 100)}
	must(other.Recvmsg(m, 0))(t)
	for _, d := range m.Rights {
		d.Close()
	}
}

func TestEpollDelete(t *testing.T) {
	t.Parallel()
	e := newEpoll(t)
	a, b := streamPair(t)
	if err := e.Delete(b); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("of a socket that is not in it: %v, want ENOENT", err)
	}
	check(t, e.Add(b, sockeye.POLLIN, 1))
	if err := e.Add(b, sockeye.POLLIN, 2); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("Add twice: %v, want EEXIST", err)
	}
	check(t, e.Delete(b))
	must(a.Send([]byte("x"), 0))(t)
	if ev, n := next(t, e, 0); n != 0 {
		t.Errorf("told after Delete: %v", ev.Events)
	}
	check(t, e.Add(b, sockeye.POLLIN, 3))
	if ev, n := next(t, e, -1); n != 1 || ev.Data != 3 {
		t.Errorf("after it was added again: %d events, the last of %v", n, ev.Data)
	}
}

func TestEpollWaitEnds(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(context.Background())
	for _, tt := range []struct {
		name    string
		ctx     context.Context
		timeout time.Duration
		ends    func(*sockeye.Epoll)
		want    error
	}{
		{"with the timeout", context.Background(), time.Millisecond, nil, nil},
		{"at once", context.Background(), 0, nil, nil},
		{"with the context", canceled, -1, func(*sockeye.Epoll) { cancel() }, context.Canceled},
		{"with a context that has ended", canceled, -1, nil, context.Canceled},
		{"with Close", context.Background(), -1, func(e *sockeye.Epoll) { e.Close() }, net.ErrClosed},
	} {
		e := newEpoll(t)
		var ending sync.WaitGroup
		if tt.ends != nil {
			ending.Go(func() { tt.ends(e) })
		}
		n, err := e.Wait(tt.ctx, make([]sockeye.EpollEvent, 1), tt.timeout)
		if n != 0 || !errors.Is(err, tt.want) {
			t.Errorf("%s: got %d, %v, want %v", tt.name, n, err, tt.want)
		}
		ending.Wait()
	}
	e := newEpoll(t)
	if _, err := e.Wait(context.Background(), nil, 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("without room for events: %v, want EINVAL", err)
	}
}

// Every socket that is closed is told of, whatever happens at once.
func TestEpollUnderFire(t *testing.T) {
	t.Parallel()
	e := newEpoll(t)
	const rounds = 300
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range rounds {
				a, b, err := kernel.Host().Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
				if err != nil {
					t.Error(err)
					return
				}
				if err := e.Add(b, sockeye.POLLIN, b); err != nil {
					t.Error(err)
				}
				a.Send([]byte("x"), 0)
				a.Close()
				b.Close()
			}
		})
	}
	events := make([]sockeye.EpollEvent, 16)
	for closed := 0; closed < 4*rounds; { // each tells of its end
		n := must(e.Wait(context.Background(), events, -1))(t)
		for _, ev := range events[:n] {
			if ev.Events == sockeye.POLLNVAL {
				closed++
			}
		}
	}
	wg.Wait()
}
