//go:build linux

package kernel_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

func TestPollTellsWhatHolds(t *testing.T) {
	t.Parallel()
	a, b := streamPair(t)
	must(a.Send([]byte("data"), 0))(t)
	must(a.Send([]byte("!"), sockeye.MSG_OOB))(t)
	must(kernel.Host().Poll(context.Background(), []sockeye.PollFd{{Socket: b, Events: sockeye.POLLPRI}}, -1))(t)
	full, _ := full(t)
	ended, peer := streamPair(t)
	check(t, peer.Shutdown(sockeye.SHUT_WR))
	must(ended.Recv(make([]byte, 1), 0))(t)
	gone, _ := unixPair(t, sockeye.SOCK_STREAM)
	check(t, gone.Close())
	const in, out, pri = sockeye.POLLIN, sockeye.POLLOUT, sockeye.POLLPRI
	for _, tt := range []struct {
		name           string
		socket         *sockeye.Socket
		events, expect sockeye.Events
	}{
		{"data and room", b, in | out, in | out},
		{"urgent data", b, pri, pri},
		{"room only", a, in | out, out},
		{"neither", full, in | out, 0},
		{"the peer's end", ended, in | sockeye.POLLRDHUP, in | sockeye.POLLRDHUP},
		{"no socket", nil, in, 0},
		{"a closed socket", gone, in, sockeye.POLLNVAL},
	} {
		fds := []sockeye.PollFd{{Socket: tt.socket, Events: tt.events}}
		n, err := kernel.Host().Poll(context.Background(), fds, 0)
		want := 0
		if tt.expect != 0 {
			want = 1
		}
		if n != want || err != nil || fds[0].Revents != tt.expect {
			t.Errorf("%s: poll gives %d, %v, %v; want %d, %v", tt.name, n, err, fds[0].Revents, want, tt.expect)
		}
	}
}

func TestPollWaitsForOneOfMany(t *testing.T) {
	t.Parallel()
	const n = 200
	fds := make([]sockeye.PollFd, n)
	addresses := make([]sockeye.Sockaddr, n)
	for i := range fds {
		fds[i].Events = sockeye.POLLIN
		fds[i].Socket, addresses[i] = udp(t)
	}
	fds = append(fds, fds[7], sockeye.PollFd{}) // a socket twice, and none
	c, _ := udp(t)
	for _, i := range []int{0, 7, n - 1} {
		w := newWatch()
		type answer struct {
			n   int
			err error
		}
		got := make(chan answer, 1)
		go func() {
			n, err := kernel.Host().Poll(w, fds, -1)
			got <- answer{n, err}
		}()
		<-w.asked // the sockets were found not to be ready
		must(c.Sendto([]byte{1}, 0, addresses[i]))(t)
		want := 1
		if i == 7 {
			want = 2
		}
		if a := <-got; a.n != want || a.err != nil {
			t.Fatalf("poll gives %d, %v; want %d", a.n, a.err, want)
		}
		for j, fd := range fds {
			if ready := j == i || i == 7 && j == n; (fd.Revents == sockeye.POLLIN) != ready {
				t.Errorf("datagram for socket %d: number %d has %v", i, j, fd.Revents)
			}
		}
		must(fds[i].Socket.Recv(make([]byte, 1), 0))(t)
		w.cancel()
	}
}

func TestPollEnds(t *testing.T) {
	t.Parallel()
	begin := func(w *watch, timeout time.Duration, fds []sockeye.PollFd) (answer func() (int, error)) {
		var n int
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			n, err = kernel.Host().Poll(w, fds, timeout)
		}()
		<-w.asked
		return func() (int, error) {
			<-done
			return n, err
		}
	}
	watched := func(t *testing.T) (w *watch, s *sockeye.Socket, fds []sockeye.PollFd) {
		w = newWatch()
		t.Cleanup(w.cancel)
		a, _ := unixPair(t, sockeye.SOCK_STREAM)
		s, _ = udp(t)
		return w, s, []sockeye.PollFd{{Socket: a, Events: sockeye.POLLIN}, {Socket: s, Events: sockeye.POLLIN}}
	}
	t.Run("with 0 when the timeout passes", func(t *testing.T) {
		t.Parallel()
		w, _, fds := watched(t)
		if n, err := begin(w, 5*time.Millisecond, fds)(); n != 0 || err != nil {
			t.Errorf("poll gives %d, %v", n, err)
		}
	})
	t.Run("with the context", func(t *testing.T) {
		t.Parallel()
		w, _, fds := watched(t)
		answer := begin(w, -1, fds)
		w.cancel()
		if n, err := answer(); n != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("poll gives %d, %v", n, err)
		}
	})
	t.Run("with POLLNVAL for a socket that is closed", func(t *testing.T) {
		t.Parallel()
		w, s, fds := watched(t)
		answer := begin(w, -1, fds)
		check(t, s.Close())
		if n, err := answer(); n != 1 || err != nil || fds[0].Revents != 0 || fds[1].Revents != sockeye.POLLNVAL {
			t.Errorf("poll gives %d, %v and %v", n, err, fds)
		}
	})
	t.Run("with EBADF for an endpoint that is closed", func(t *testing.T) {
		t.Parallel()
		w, s, fds := watched(t)
		answer := begin(w, -1, fds)
		check(t, s.Endpoint().Close())
		if _, err := answer(); !errors.Is(err, syscall.EBADF) {
			t.Errorf("poll gives %v", err)
		}
	})
	t.Run("but not with a deadline or a context of a socket", func(t *testing.T) {
		t.Parallel()
		w, s, fds := watched(t)
		answer := begin(w, -1, fds)
		for _, fd := range fds {
			check(t, fd.Socket.SetDeadline(time.Unix(1, 0)))
			check(t, fd.Socket.SetDeadline(time.Time{}))
		}
		c, _ := udp(t)
		must(c.Sendto([]byte{1}, 0, must(s.Getsockname())(t)))(t)
		if n, err := answer(); n != 1 || err != nil || fds[1].Revents != sockeye.POLLIN {
			t.Errorf("poll gives %d, %v", n, err)
		}
	})
}

func TestSelectSortsTheSockets(t *testing.T) {
	t.Parallel()
	a, b := streamPair(t)
	must(a.Send([]byte("data"), 0))(t)
	must(a.Send([]byte("!"), sockeye.MSG_OOB))(t)
	must(kernel.Host().Poll(context.Background(), []sockeye.PollFd{{Socket: b, Events: sockeye.POLLPRI}}, -1))(t)
	full, _ := full(t)
	all := []*sockeye.Socket{b, full, nil}
	r, w, e, err := kernel.Host().Select(context.Background(), all, all, all, -1)
	check(t, err)
	for name, set := range map[string][]*sockeye.Socket{"readable": r, "writable": w, "exceptional": e} {
		if len(set) != 1 || set[0] != b {
			t.Errorf("%s: %d sockets", name, len(set))
		}
	}
	r, w, e, err = kernel.Host().Select(context.Background(), all[1:], all[1:], all[1:], time.Millisecond)
	if len(r)+len(w)+len(e) != 0 || err != nil {
		t.Errorf("past the timeout: %v %v %v %v", r, w, e, err)
	}
	check(t, full.Close())
	if _, _, _, err := kernel.Host().Select(context.Background(), all, nil, nil, -1); !errors.Is(err, syscall.EBADF) {
		t.Errorf("with a closed socket: %v, want EBADF", err)
	}
}
