//go:build linux

package kernel_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

func TestNonblockingConnectTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	l, to := fullListener(t)
	s := open(t, sockeye.AF_INET, sockeye.SOCK_STREAM|sockeye.SOCK_NONBLOCK, 0)
	for _, want := range []error{syscall.EINPROGRESS, syscall.EALREADY, syscall.EALREADY} {
		if err := s.Connect(to); !errors.Is(err, want) {
			t.Errorf("connect: %v, want %v", err, want)
		}
	}
	for range 2 { // the one that filled the backlog, and s, once its SYN is sent again
		c, _, err := l.Accept()
		check(t, err)
		check(t, c.Close())
	}
	must(kernel.Host().Poll(context.Background(), []sockeye.PollFd{{Socket: s, Events: sockeye.POLLOUT}}, -1))(t)
	check(t, s.Connect(to))
	if err := s.Connect(to); !errors.Is(err, syscall.EISCONN) {
		t.Errorf("connect: %v, want EISCONN", err)
	}
}

func TestAConnectThatALimitEndedIsStillUnderWay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		limit func(s *sockeye.Socket) (*sockeye.Socket, error)
		want  error
		lift  func(s *sockeye.Socket) error
	}{
		{"a deadline",
			func(s *sockeye.Socket) (*sockeye.Socket, error) {
				return s, s.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
			},
			os.ErrDeadlineExceeded,
			func(s *sockeye.Socket) error { return s.SetWriteDeadline(time.Time{}) }},
		{"SO_SNDTIMEO",
			func(s *sockeye.Socket) (*sockeye.Socket, error) {
				return s, sockeye.SO_SNDTIMEO.Set(s, 10*time.Millisecond)
			},
			syscall.EINPROGRESS,
			func(s *sockeye.Socket) error { return sockeye.SO_SNDTIMEO.Set(s, 0) }},
		{"a context",
			func(s *sockeye.Socket) (*sockeye.Socket, error) {
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(10*time.Millisecond, cancel)
				return s.WithContext(ctx), nil
			},
			context.Canceled,
			func(s *sockeye.Socket) error { return nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, to := fullListener(t)
			s := open(t, sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
			limited := must(tt.limit(s))(t)
			if err := limited.Connect(to); !errors.Is(err, tt.want) {
				t.Errorf("connect: %v, want %v", err, tt.want)
			}
			check(t, tt.lift(s))
			c, _, err := l.Accept()
			check(t, err)
			check(t, c.Close())
			check(t, s.Connect(to)) // waits on, for the SYN that is sent again
			c, from, err := l.Accept()
			check(t, err)
			defer c.Close()
			if local := must(s.Getsockname())(t); from != local {
				t.Errorf("accepted %v, connected is %v", from, local)
			}
		})
	}
}

func TestConnectRefused(t *testing.T) {
	t.Parallel()
	closed := open(t, sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	check(t, closed.Bind(loopback4))
	to := must(closed.Getsockname())(t)
	s := open(t, sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	for range 2 { // a socket may try again
		err := s.Connect(to)
		var e *sockeye.Error
		if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &e) || e.Call != "connect" || e.Remote != to {
			t.Errorf("connect: %v, want ECONNREFUSED", err)
		}
	}
	check(t, closed.Listen(1))
	check(t, s.Connect(to))
}

func TestConnectByManyAtOnce(t *testing.T) {
	t.Parallel()
	l := listening(t)
	to := must(l.Getsockname())(t)
	for range 100 {
		s := open(t, sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
		errs := make(chan error, 4)
		var wg sync.WaitGroup
		for range cap(errs) {
			wg.Go(func() { errs <- s.Connect(to) })
		}
		wg.Wait()
		made := 0
		for range cap(errs) {
			switch err := <-errs; {
			case err == nil:
				made++
			case !errors.Is(err, syscall.EISCONN):
				t.Fatal(err)
			}
		}
		if made != 1 {
			t.Fatalf("%d calls made the one connection", made)
		}
		c, _, err := l.Accept()
		check(t, err)
		check(t, c.Close())
		check(t, s.Close())
	}
}

func TestConnectToWhereNoRouteLeads(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		for _, to := range []sockeye.Sockaddr{
			sockeye.SockaddrInet4([4]byte{192, 0, 2, 1}, 80),
			sockeye.SockaddrInet6([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1}, 80, 0, 0),
		} {
			for _, typ := range []sockeye.Type{sockeye.SOCK_STREAM, sockeye.SOCK_DGRAM} {
				if err := open(t, to.Family(), typ, 0).Connect(to); !errors.Is(err, syscall.ENETUNREACH) {
					t.Errorf("%v %v: %v, want ENETUNREACH", typ, to, err)
				}
			}
		}
	})
}

func TestADatagramSocketsPeerIsTakenBack(t *testing.T) {
	t.Parallel()
	s, _ := udp(t)
	peer, at := udp(t)
	check(t, s.Connect(at))
	must(s.Send([]byte("x"), 0))(t)
	must(peer.Recv(make([]byte, 1), 0))(t)
	check(t, s.Connect(sockeye.Sockaddr{}))
	if _, err := s.Send([]byte("x"), 0); !errors.Is(err, syscall.EDESTADDRREQ) {
		t.Errorf("send: %v, want EDESTADDRREQ", err)
	}
	if _, err := s.Getpeername(); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("getpeername: %v, want ENOTCONN", err)
	}
}
