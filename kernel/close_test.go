//go:build linux

package kernel_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"sockeye"
	"sockeye/kernel"
)

// waitingCalls are all calls that can wait, each on a socket on which it does.
var waitingCalls = []struct {
	name string
	make func(t *testing.T) *sockeye.Socket
	call func(s *sockeye.Socket) error
}{
	{"recv", idle, func(s *sockeye.Socket) error { _, err := s.Recv(make([]byte, 1), 0); return err }},
	{"recv with MSG_WAITALL", idle, func(s *sockeye.Socket) error {
		_, err := s.Recv(make([]byte, 10), sockeye.MSG_WAITALL)
		return err
	}},
	{"recvfrom", idle, func(s *sockeye.Socket) error { _, _, err := s.Recvfrom(make([]byte, 1), 0); return err }},
	{"recvmsg", idle, func(s *sockeye.Socket) error {
		_, err := s.Recvmsg(&sockeye.Message{Buffers: [][]byte{make([]byte, 1)}}, 0)
		return err
	}},
	{"recvmmsg", idle, func(s *sockeye.Socket) error { _, err := s.Recvmmsg(numbered(3, sockeye.Sockaddr{}), 0); return err }},
	{"read", idle, func(s *sockeye.Socket) error { _, err := s.Read(make([]byte, 1)); return err }},
	{"send", filled, func(s *sockeye.Socket) error { _, err := s.Send(make([]byte, 1<<20), 0); return err }},
	{"sendmsg", filled, func(s *sockeye.Socket) error {
		_, err := s.Sendmsg(&sockeye.Message{Buffers: [][]byte{make([]byte, 1<<20)}}, 0)
		return err
	}},
	{"sendmmsg", filled, func(s *sockeye.Socket) error {
		_, err := s.Sendmmsg([]sockeye.Message{{Buffers: [][]byte{make([]byte, 1<<20)}}}, 0)
		return err
	}},
	{"write", filled, func(s *sockeye.Socket) error { _, err := s.Write(make([]byte, 1<<20)); return err }},
	{"accept", listening, func(s *sockeye.Socket) error { _, _, err := s.Accept(); return err }},
	{"connect", unanswered, func(s *sockeye.Socket) error { return s.Connect(*silent.Load()) }},
	{"sendfile", filled, func(s *sockeye.Socket) error {
		f, err := os.Open("/proc/self/exe")
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = s.Sendfile(f, -1)
		return err
	}},
	{"splice from", idle, func(s *sockeye.Socket) error {
		a, b, err := kernel.Host().Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		_, err = sockeye.Splice(a, s, -1)
		return err
	}},
	{"splice to", filled, func(s *sockeye.Socket) error {
		a, b, err := kernel.Host().Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		if _, err := a.Send(make([]byte, 1000), 0); err != nil {
			return err
		}
		_, err = sockeye.Splice(s, b, -1)
		return err
	}},
	{"SyscallConn's Read", idle, func(s *sockeye.Socket) error {
		c, err := s.SyscallConn()
		if err != nil {
			return err
		}
		return c.Read(func(uintptr) bool { return false })
	}},
	{"SyscallConn's Write", filled, func(s *sockeye.Socket) error {
		c, err := s.SyscallConn()
		if err != nil {
			return err
		}
		return c.Write(func(uintptr) bool { return false })
	}},
}

func idle(t *testing.T) *sockeye.Socket {
	s, _ := streamPair(t)
	return s
}

func filled(t *testing.T) *sockeye.Socket {
	s, _ := full(t)
	return s
}

func listening(t *testing.T) *sockeye.Socket {
	s := open(t, sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	check(t, s.Bind(loopback4))
	check(t, s.Listen(1))
	return s
}

// silent is an address that does not answer, for the sockets of unanswered.
var silent atomic.Pointer[sockeye.Sockaddr]

func unanswered(t *testing.T) *sockeye.Socket {
	_, to := fullListener(t)
	silent.Store(&to)
	return open(t, sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
}

// fullListener is a TCP socket whose backlog is full: it does not answer those
// who connect.
func fullListener(t *testing.T) (*sockeye.Socket, sockeye.Sockaddr) {
	t.Helper()
	l := open(t, sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	check(t, l.Bind(loopback4))
	check(t, l.Listen(0)) // which has room for one
	to := must(l.Getsockname())(t)
	check(t, open(t, sockeye.AF_INET, sockeye.SOCK_STREAM, 0).Connect(to))
	must(kernel.Host().Poll(t.Context(), []sockeye.PollFd{{Socket: l, Events: sockeye.POLLIN}}, -1))(t)
	return l, to
}

func TestCloseEndsEveryWaitingCall(t *testing.T) {
	for _, tt := range waitingCalls {
		t.Run(tt.name, func(t *testing.T) {
			leavesNothing(t, func(t *testing.T) {
				s := tt.make(t)
				w := newWatch()
				defer w.cancel()
				done := make(chan error, 1)
				go func() { done <- tt.call(s.WithContext(w)) }()
				w.await(1)
				check(t, s.Close())
				if err := <-done; !errors.Is(err, net.ErrClosed) || !errors.Is(err, syscall.EBADF) {
					t.Errorf("got %v, want EBADF and net.ErrClosed", err)
				}
			})
		})
	}
}

func TestAContextEndsEveryWaitingCall(t *testing.T) {
	for _, tt := range waitingCalls {
		t.Run(tt.name, func(t *testing.T) {
			leavesNothing(t, func(t *testing.T) {
				s := tt.make(t)
				w := newWatch()
				done := make(chan error, 1)
				go func() { done <- tt.call(s.WithContext(w)) }()
				w.await(1)
				w.cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want context.Canceled", err)
				}
			})
		})
	}
}

func TestADeadlineEndsEveryWaitingCall(t *testing.T) {
	for _, tt := range waitingCalls {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.make(t)
			w := newWatch()
			defer w.cancel()
			done := make(chan error, 1)
			go func() { done <- tt.call(s.WithContext(w)) }()
			w.await(1)
			check(t, s.SetDeadline(longAgo))
			if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v, want os.ErrDeadlineExceeded", err)
			}
		})
	}
}

func TestCallsOnAClosedSocketGiveEBADF(t *testing.T) {
	t.Parallel()
	for _, tt := range append(waitingCalls, []struct {
		name string
		make func(t *testing.T) *sockeye.Socket
		call func(s *sockeye.Socket) error
	}{
		{"close", idle, (*sockeye.Socket).Close},
		{"bind", idle, func(s *sockeye.Socket) error { return s.Bind(loopback4) }},
		{"listen", idle, func(s *sockeye.Socket) error { return s.Listen(1) }},
		{"shutdown", idle, func(s *sockeye.Socket) error { return s.Shutdown(sockeye.SHUT_RDWR) }},
		{"getsockname", idle, func(s *sockeye.Socket) error { _, err := s.Getsockname(); return err }},
		{"getpeername", idle, func(s *sockeye.Socket) error { _, err := s.Getpeername(); return err }},
		{"getsockopt", idle, func(s *sockeye.Socket) error { _, err := sockeye.SO_TYPE.Get(s); return err }},
		{"setsockopt", idle, func(s *sockeye.Socket) error { return sockeye.SO_KEEPALIVE.Set(s, true) }},
		{"ioctl", idle, func(s *sockeye.Socket) error { _, err := s.Inq(); return err }},
		{"setdeadline", idle, func(s *sockeye.Socket) error { return s.SetDeadline(longAgo) }},
		{"recv with MSG_DONTWAIT", idle, func(s *sockeye.Socket) error { _, err := s.Recv(nil, sockeye.MSG_DONTWAIT); return err }},
		{"SyscallConn's Control", idle, func(s *sockeye.Socket) error {
			c, err := s.SyscallConn()
			if err != nil {
				return err
			}
			return c.Control(func(uintptr) { panic("called on a closed socket") })
		}},
	}...) {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.make(t)
			check(t, s.Close())
			if err := tt.call(s); !errors.Is(err, syscall.EBADF) || !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v, want EBADF and net.ErrClosed", err)
			}
		})
	}
}

// TestANumberUsedAgainGetsNoStaleCall closes sockets under calls while others
// open sockets that get the same descriptor numbers. Each pair carries its own
// mark, and nobody may receive another's.
func TestANumberUsedAgainGetsNoStaleCall(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const workers, rounds = 8, 200
		var pairs atomic.Uint32
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range rounds {
					mark := pairs.Add(1)
					a, b, err := kernel.Host().Socketpair(sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
					if err != nil {
						t.Error(err)
						return
					}
					var calls sync.WaitGroup
					for range 3 {
						calls.Go(func() {
							var buf [4]byte
							for {
								n, err := b.Recv(buf[:], 0)
								if err != nil {
									if !errors.Is(err, net.ErrClosed) {
										t.Error(err)
									}
									return
								}
								if got := binary.BigEndian.Uint32(buf[:]); n != 4 || got != mark {
									t.Errorf("pair %d received %d bytes of pair %d", mark, n, got)
								}
							}
						})
					}
					msg := binary.BigEndian.AppendUint32(nil, mark)
					calls.Go(func() {
						for {
							if _, err := a.Send(msg, 0); err != nil {
								if !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNREFUSED) &&
									!errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.ENOTCONN) {
									t.Error(err)
								}
								return
							}
						}
					})
					if err := b.Close(); err != nil {
						t.Error(err)
					}
					if err := a.Close(); err != nil {
						t.Error(err)
					}
					calls.Wait()
				}
			})
		}
		wg.Wait()
	})
}

// TestCloseMeetsCallsThatComeLate closes sockets under calls that do not wait,
// and come again until they are told that the socket is closed.
func TestCloseMeetsCallsThatComeLate(t *testing.T) {
	t.Parallel()
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	var wg sync.WaitGroup
	for range rounds {
		s := must(kernel.Host().Socket(sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0))(t)
		for range 3 {
			wg.Go(func() {
				for {
					if _, err := s.GetsockoptInt(sockeye.SOL_SOCKET, sockeye.SO_TYPE.Name); err != nil {
						if !errors.Is(err, syscall.EBADF) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		check(t, s.Close())
		wg.Wait()
	}
}
