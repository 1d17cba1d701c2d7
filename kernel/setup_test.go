//go:build linux

package kernel_test

import (
	"context"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// open gives a socket that is closed with the test.
func open(t testing.TB, family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) *sockeye.Socket {
	t.Helper()
	s := must(kernel.Host().Socket(family, typ, proto))(t)
	t.Cleanup(func() { s.Close() })
	return s
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

var loopback4 = sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)
var loopback6 = sockeye.SockaddrInet6([16]byte{15: 1}, 0, 0, 0)

// udp gives a UDP socket that is bound to the loopback, and its address.
func udp(t testing.TB) (*sockeye.Socket, sockeye.Sockaddr) {
	t.Helper()
	s := open(t, sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	check(t, s.Bind(loopback4))
	return s, must(s.Getsockname())(t)
}

// unixPair gives two connected unix sockets.
func unixPair(t testing.TB, typ sockeye.Type) (a, b *sockeye.Socket) {
	t.Helper()
	a, b, err := kernel.Host().Socketpair(sockeye.AF_UNIX, typ, 0)
	check(t, err)
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

// full gives a stream socket that takes no more, and its peer. They are unix
// sockets: TCP may take more once the data under way has arrived.
func full(t testing.TB) (s, peer *sockeye.Socket) {
	t.Helper()
	s, peer = unixPair(t, sockeye.SOCK_STREAM)
	p := make([]byte, 64<<10)
	for {
		if _, err := s.Send(p, sockeye.MSG_DONTWAIT); err != nil {
			return s, peer
		}
	}
}

// A waiter is a call made of a function, for Endpoint.Wait. It counts how often
// it was tried.
type waiter struct {
	try      func() bool
	deadline time.Time

	tries   atomic.Int64
	once    sync.Once
	waiting chan struct{} // closed when it was tried in vain
}

func newWaiter(try func() bool) *waiter { return &waiter{try: try, waiting: make(chan struct{})} }

func (w *waiter) Try() bool {
	w.tries.Add(1)
	if w.try() {
		return true
	}
	w.once.Do(func() { close(w.waiting) })
	return false
}

func (w *waiter) Deadline() time.Time { return w.deadline }

func (w *waiter) Target() (sockeye.Sockaddr, bool) { return sockeye.Sockaddr{}, false }

// A watch is a context that tells when the calls made with it wait: a call asks
// for the context's error before each attempt, and waits when the second one
// fails too.
type watch struct {
	context.Context
	cancel context.CancelFunc
	asked  chan struct{}
}

func newWatch() *watch {
	ctx, cancel := context.WithCancel(context.Background())
	return &watch{ctx, cancel, make(chan struct{}, 1<<20)}
}

func (w *watch) Err() error {
	w.asked <- struct{}{}
	return w.Context.Err()
}

// await returns when n calls have begun their second attempt.
func (w *watch) await(n int) {
	for range 2 * n {
		<-w.asked
	}
}

// entries counts what is in a directory of /proc/self: fd or task.
func entries(t testing.TB, dir string) int {
	t.Helper()
	return len(must(os.ReadDir("/proc/self/" + dir))(t))
}

// leavesNothing runs f and fails if it left descriptors or goroutines behind.
// Tests that use it can't be parallel.
func leavesNothing(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	fds, goroutines := entries(t, "fd"), runtime.NumGoroutine()
	t.Run("", f)
	for n := 0; entries(t, "fd") > fds || runtime.NumGoroutine() > goroutines; n++ {
		if n%100 == 0 {
			runtime.GC() // for what pools keep: the pipes of Splice
		}
		if n == 1000 { // those that were told to end may still be on their way
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			t.Fatalf("%d descriptors, before %d; %d goroutines, before %d\n%s",
				entries(t, "fd"), fds, runtime.NumGoroutine(), goroutines, stacks)
		}
		runtime.Gosched()
	}
}
