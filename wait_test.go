//go:build linux

package sockeye_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// A waitingCall opens a socket, and gives a call on it that waits until it is
// ended. The call may be made on another view of the socket.
type waitingCall struct {
	name string
	open func(t *testing.T) (*sockeye.Socket, func(s *sockeye.Socket) error)
}

var waitingCalls = []waitingCall{
	{"recv", quiet(func(s *sockeye.Socket) error { _, err := s.Recv(make([]byte, 8), 0); return err })},
	{"recv, MSG_WAITALL", quiet(func(s *sockeye.Socket) error {
		_, err := s.Recv(make([]byte, 8), sockeye.MSG_WAITALL)
		return err
	})},
	{"read", quiet(func(s *sockeye.Socket) error { _, err := s.Read(make([]byte, 8)); return err })},
	{"recvfrom", quiet(func(s *sockeye.Socket) error { _, _, err := s.Recvfrom(make([]byte, 8), 0); return err })},
	{"recvmsg", quiet(func(s *sockeye.Socket) error { _, err := s.Recvmsg(&buffers(1, 8)[0], 0); return err })},
	{"recvmmsg", func(t *testing.T) (*sockeye.Socket, func(s *sockeye.Socket) error) {
		a, _ := datagramPair(t)
		return a, func(s *sockeye.Socket) error { _, err := s.Recvmmsg(buffers(2, 8), 0); return err }
	}},
	{"splice", quiet(func(s *sockeye.Socket) error { _, err := sockeye.Splice(s, s, -1); return err })},
	{"SyscallConn's Read", quiet(func(s *sockeye.Socket) error {
		raw, err := s.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Read(func(uintptr) bool { return false })
	})},
	{"accept", func(t *testing.T) (*sockeye.Socket, func(s *sockeye.Socket) error) {
		l := must(kernel.Host().Listen("tcp", "127.0.0.1:0"))(t)
		t.Cleanup(func() { l.Close() })
		return l.(*sockeye.Listener).Socket(), func(s *sockeye.Socket) error { _, _, err := s.Accept(); return err }
	}},
	{"send", full(func(s *sockeye.Socket) error { _, err := s.Send(make([]byte, 1<<20), 0); return err })},
	{"write", full(func(s *sockeye.Socket) error { _, err := s.Write(make([]byte, 1<<20)); return err })},
	{"sendmsg", full(func(s *sockeye.Socket) error { _, err := s.Sendmsg(&buffers(1, 1<<20)[0], 0); return err })},
	{"sendmmsg", full(func(s *sockeye.Socket) error { _, err := s.Sendmmsg(buffers(2, 1<<20), 0); return err })},
	{"sendfile", full(func(s *sockeye.Socket) error {
		f, err := os.Open(os.Args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = s.Sendfile(f, -1)
		return err
	})},
	{"SyscallConn's Write", full(func(s *sockeye.Socket) error {
		raw, err := s.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Write(func(uintptr) bool { return false })
	})},
	{"connect to a full backlog", func(t *testing.T) (*sockeye.Socket, func(s *sockeye.Socket) error) {
		port := silentListener(t)
		s := must(kernel.Host().Socket(sockeye.AF_INET6, sockeye.SOCK_STREAM, 0))(t)
		t.Cleanup(func() { s.Close() })
		return s, func(s *sockeye.Socket) error {
			return s.Connect(sockeye.SockaddrInet6([16]byte{15: 1}, uint16(port), 0, 0))
		}
	}},
	{"connect to a full unix backlog", func(t *testing.T) (*sockeye.Socket, func(s *sockeye.Socket) error) {
		name := sockeye.SockaddrUnix(filepath.Join(t.TempDir(), "socket"))
		open := func(typ sockeye.Type) *sockeye.Socket {
			s := must(kernel.Host().Socket(sockeye.AF_UNIX, typ, 0))(t)
			t.Cleanup(func() { s.Close() })
			return s
		}
		l := open(sockeye.SOCK_STREAM)
		check(t, l.Bind(name))
		check(t, l.Listen(0))
		for open(sockeye.SOCK_STREAM|sockeye.SOCK_NONBLOCK).Connect(name) == nil {
		}
		return open(sockeye.SOCK_STREAM), func(s *sockeye.Socket) error { return s.Connect(name) }
	}},
	{"sendto a unix socket whose queue is full", func(t *testing.T) (*sockeye.Socket, func(s *sockeye.Socket) error) {
		name := sockeye.SockaddrUnix(filepath.Join(t.TempDir(), "socket"))
		open := func() *sockeye.Socket {
			s := must(kernel.Host().Socket(sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0))(t)
			t.Cleanup(func() { s.Close() })
			return s
		}
		check(t, open().Bind(name))
		s := open()
		for {
			if _, err := s.Sendto([]byte("x"), sockeye.MSG_DONTWAIT, name); err != nil {
				break
			}
		}
		return open(), func(s *sockeye.Socket) error { _, err := s.Sendto([]byte("x"), 0, name); return err }
	}},
}

// quiet is for calls on a stream that nothing comes in from.
func quiet(call func(s *sockeye.Socket) error) func(t *testing.T) (*sockeye.Socket, func(s *sockeye.Socket) error) {
	return func(t *testing.T) (*sockeye.Socket, func(s *sockeye.Socket) error) {
		a, _ := socketPair(t)
		return a, call
	}
}

// full is for calls on a stream that takes nothing more. It is a unix stream:
// TCP may take more once the data under way has arrived.
func full(call func(s *sockeye.Socket) error) func(t *testing.T) (*sockeye.Socket, func(s *sockeye.Socket) error) {
	return func(t *testing.T) (*sockeye.Socket, func(s *sockeye.Socket) error) {
		a, b, err := kernel.Host().Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
		check(t, err)
		t.Cleanup(func() {
			a.Close()
			b.Close()
		})
		for err == nil {
			_, err = a.Send(make([]byte, 64<<10), sockeye.MSG_DONTWAIT)
		}
		return a, call
	}
}

func TestEveryWaitingCallCanBeEnded(t *testing.T) {
	for _, tt := range waitingCalls {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, end := range []struct {
				name string
				view func(s *sockeye.Socket) *sockeye.Socket // before the call
				soon func(s *sockeye.Socket)                 // while it waits
				want []error
			}{
				{"by a context", func(s *sockeye.Socket) *sockeye.Socket {
					ctx, cancel := context.WithCancel(context.Background())
					time.AfterFunc(2*time.Millisecond, cancel)
					return s.WithContext(ctx)
				}, nil, []error{context.Canceled}},
				{"by a context's deadline", func(s *sockeye.Socket) *sockeye.Socket {
					ctx, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
					t.Cleanup(cancel)
					return s.WithContext(ctx)
				}, nil, []error{context.DeadlineExceeded}},
				{"by a context that is over", func(s *sockeye.Socket) *sockeye.Socket {
					ctx, cancel := context.WithCancel(context.Background())
					cancel()
					return s.WithContext(ctx)
				}, nil, []error{context.Canceled}},
				{"by a deadline set before", func(s *sockeye.Socket) *sockeye.Socket {
					s.SetDeadline(time.Now().Add(2 * time.Millisecond))
					return s
				}, nil, []error{os.ErrDeadlineExceeded}},
				{"by a deadline that is past", func(s *sockeye.Socket) *sockeye.Socket {
					s.SetDeadline(time.Unix(1, 0))
					return s
				}, nil, []error{os.ErrDeadlineExceeded}},
				{"by a deadline set while it waits", nil, func(s *sockeye.Socket) { s.SetDeadline(time.Now()) }, []error{os.ErrDeadlineExceeded}},
				{"by Close", nil, func(s *sockeye.Socket) { s.Close() }, []error{net.ErrClosed, syscall.EBADF}},
			} {
				s, call := tt.open(t)
				view := s
				if end.view != nil {
					view = end.view(s)
				}
				if end.soon != nil {
					soon(t, func() { end.soon(s) })
				}
				err := call(view)
				for _, want := range end.want {
					if !errors.Is(err, want) {
						t.Errorf("%s: got %v, want %v", end.name, err, want)
					}
				}
				var e *sockeye.Error
				if !errors.As(err, &e) || e.Call == "" {
					t.Errorf("%s: %v names no call", end.name, err)
				}
			}
		})
	}
}

func TestCallsGoOnAfterOneWasEnded(t *testing.T) {
	a, b := socketPair(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	p := make([]byte, 8)
	if _, err := a.WithContext(ctx).Recv(p, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	check(t, a.SetReadDeadline(time.Now()))
	if _, err := a.Recv(p, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	check(t, a.SetReadDeadline(time.Time{}))
	soon(t, func() { b.Send([]byte("x"), 0) })
	if n, err := a.Recv(p, 0); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// The end of one call's context must not end another's wait.
func TestContextsAreEachCallsOwn(t *testing.T) {
	a, b := socketPair(t)
	ctx, cancel := context.WithCancel(context.Background())
	const each = 4
	var wg sync.WaitGroup
	ended, received := make(chan error, each), make(chan error, each)
	for range each {
		wg.Go(func() {
			_, err := a.WithContext(ctx).Recv(make([]byte, 1), 0)
			ended <- err
		})
		wg.Go(func() {
			_, err := a.Recv(make([]byte, 1), 0)
			received <- err
		})
	}
	soon(t, cancel)
	for range each {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("with the context: %v", err)
		}
	}
	must(b.Send(make([]byte, each), 0))(t)
	wg.Wait()
	for range each {
		if err := <-received; err != nil {
			t.Errorf("without: %v", err)
		}
	}
	if a.WithContext(ctx).Context() != ctx || a.Context() != context.Background() {
		t.Error("Context does not tell a view's context")
	}
}

func TestPollWaitsForSockets(t *testing.T) {
	h := kernel.Host()
	ctx := context.Background()
	a, b := socketPair(t)
	c, _ := socketPair(t)
	in := func(ss ...*sockeye.Socket) (fds []sockeye.PollFd) {
		for _, s := range ss {
			fds = append(fds, sockeye.PollFd{Socket: s, Events: sockeye.POLLIN})
		}
		return fds
	}
	if n, err := h.Poll(ctx, in(a, c), 0); n != 0 || err != nil {
		t.Errorf("without waiting: %d, %v", n, err)
	}
	if n, err := h.Poll(ctx, in(a, c), time.Millisecond); n != 0 || err != nil {
		t.Errorf("in vain: %d, %v", n, err)
	}
	if n, err := h.Poll(ctx, nil, time.Millisecond); n != 0 || err != nil {
		t.Errorf("for nothing: %d, %v", n, err)
	}
	canceled, cancel := context.WithCancel(ctx)
	soon(t, cancel)
	if _, err := h.Poll(canceled, in(a, c), -1); !errors.Is(err, context.Canceled) {
		t.Errorf("until canceled: %v", err)
	}
	soon(t, func() { b.Send([]byte("x"), 0) })
	fds := append(in(c, a), sockeye.PollFd{})
	if n, err := h.Poll(ctx, fds, -1); n != 1 || err != nil || fds[0].Revents != 0 || fds[1].Revents != sockeye.POLLIN {
		t.Errorf("until data comes: %d, %v, %v", n, err, fds)
	}
	if r, w, e, err := h.Select(ctx, []*sockeye.Socket{a, c}, []*sockeye.Socket{c}, []*sockeye.Socket{a}, -1); err != nil ||
		len(r) != 1 || r[0] != a || len(w) != 1 || w[0] != c || len(e) != 0 {
		t.Errorf("Select: %v, %v, %v, %v", r, w, e, err)
	}
	c.Close()
	fds = in(a, c)
	if n, err := h.Poll(ctx, fds, -1); n != 2 || err != nil || fds[1].Revents != sockeye.POLLNVAL {
		t.Errorf("with a closed one: %d, %v, %v", n, err, fds)
	}
	if _, _, _, err := h.Select(ctx, []*sockeye.Socket{c}, nil, nil, 0); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Select of a closed one: %v", err)
	}
	if c.Ready(sockeye.POLLIN) != sockeye.POLLNVAL {
		t.Error("a closed socket is ready")
	}
}
