//go:build linux

package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

var abstractNames atomic.Int64

// abstract gives a name of the test's own.
func abstract() sockeye.Sockaddr {
	return sockeye.SockaddrAbstract(fmt.Sprintf("sockeye-test-%d-%d", os.Getpid(), abstractNames.Add(1)))
}

// A unixWait is a call on s that waits for room elsewhere, and what makes room.
type unixWait struct {
	s    *sockeye.Socket
	call func(s *sockeye.Socket) error
	free func() // makes room
}

// unixWaits are the calls of unix sockets that wait for what another socket does.
var unixWaits = []struct {
	name string
	make func(t *testing.T) unixWait
}{
	{"connect to a full backlog", func(t *testing.T) unixWait {
		l := open(t, sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
		to := abstract()
		check(t, l.Bind(to))
		check(t, l.Listen(1))
		l.SetNonblock(true)
		for {
			c := must(kernel.Host().Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM|sockeye.SOCK_NONBLOCK, 0))(t)
			t.Cleanup(func() { c.Close() })
			if err := c.Connect(to); errors.Is(err, syscall.EAGAIN) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
		return unixWait{s,
			func(s *sockeye.Socket) error { return s.Connect(to) },
			func() {
				c, _, err := l.Accept()
				check(t, err)
				check(t, c.Close())
			},
		}
	}},
	{"sendto a receiver whose queue others filled", func(t *testing.T) unixWait {
		r, to := fullReceiver(t)
		s := open(t, sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
		return unixWait{s,
			func(s *sockeye.Socket) error {
				_, err := s.Sendto([]byte("waited"), 0, to)
				return err
			},
			func() { drain(r) },
		}
	}},
	{"send to a connected receiver whose queue others filled", func(t *testing.T) unixWait {
		r, to := fullReceiver(t)
		s := open(t, sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
		check(t, s.Connect(to))
		return unixWait{s,
			func(s *sockeye.Socket) error {
				_, err := s.Send([]byte("waited"), 0)
				return err
			},
			func() { drain(r) },
		}
	}},
	{"sendto with a full send buffer", func(t *testing.T) unixWait {
		s, r, to := fullSender(t)
		return unixWait{s,
			func(s *sockeye.Socket) error {
				_, err := s.Sendto([]byte("waited"), 0, to)
				return err
			},
			func() { drain(r) },
		}
	}},
	{"sendmsg to a receiver whose queue others filled", func(t *testing.T) unixWait {
		r, to := fullReceiver(t)
		s := open(t, sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
		return unixWait{s,
			func(s *sockeye.Socket) error {
				_, err := s.Sendmsg(&sockeye.Message{Name: to, Buffers: [][]byte{[]byte("waited")}}, 0)
				return err
			},
			func() { drain(r) },
		}
	}},
}

// fullReceiver is a datagram socket whose receive queue has no room.
func fullReceiver(t *testing.T) (*sockeye.Socket, sockeye.Sockaddr) {
	t.Helper()
	r := open(t, sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
	to := abstract()
	check(t, r.Bind(to))
	other := open(t, sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
	for {
		if _, err := other.Sendto([]byte("x"), sockeye.MSG_DONTWAIT, to); errors.Is(err, syscall.EAGAIN) {
			return r, to
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// drain receives all that is there.
func drain(s *sockeye.Socket) {
	for {
		if _, err := s.Recv(make([]byte, 1), sockeye.MSG_DONTWAIT); err != nil {
			return
		}
	}
}

// fullSender is a socket whose send buffer is used up by datagrams that r, at
// to, has room for.
func fullSender(t *testing.T) (s, r *sockeye.Socket, to sockeye.Sockaddr) {
	t.Helper()
	r = open(t, sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
	to = abstract()
	check(t, r.Bind(to))
	s = open(t, sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
	check(t, sockeye.SO_SNDBUF.Set(s, 8192))
	for {
		if _, err := s.Sendto(make([]byte, 4000), sockeye.MSG_DONTWAIT, to); errors.Is(err, syscall.EAGAIN) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	other := open(t, sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
	must(other.Sendto([]byte("x"), sockeye.MSG_DONTWAIT, to))(t) // there is room at r
	return s, r, to
}

func TestUnixCallsWaitForRoomElsewhere(t *testing.T) {
	t.Parallel()
	for _, tt := range unixWaits {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := tt.make(t)
			w := newWatch()
			defer w.cancel()
			done := make(chan error, 1)
			go func() { done <- u.call(u.s.WithContext(w)) }()
			w.await(1)
			u.free()
			check(t, <-done)
		})
	}
}

func TestUnixCallsThatWaitEnd(t *testing.T) {
	for _, tt := range unixWaits {
		t.Run(tt.name, func(t *testing.T) {
			for _, end := range []struct {
				name string
				end  func(s *sockeye.Socket, w *watch)
				want error
			}{
				{"with the deadline", func(s *sockeye.Socket, _ *watch) { s.SetWriteDeadline(time.Now().Add(time.Millisecond)) }, os.ErrDeadlineExceeded},
				{"with the context", func(_ *sockeye.Socket, w *watch) { w.cancel() }, context.Canceled},
				{"with Close", func(s *sockeye.Socket, _ *watch) { s.Close() }, net.ErrClosed},
			} {
				t.Run(end.name, func(t *testing.T) {
					leavesNothing(t, func(t *testing.T) {
						u := tt.make(t)
						w := newWatch()
						defer w.cancel()
						done := make(chan error, 1)
						go func() { done <- u.call(u.s.WithContext(w)) }()
						w.await(1)
						end.end(u.s, w)
						if err := <-done; !errors.Is(err, end.want) {
							t.Errorf("got %v, want %v", err, end.want)
						}
					})
				})
			}
			t.Run("with SO_SNDTIMEO", func(t *testing.T) {
				u := tt.make(t)
				check(t, sockeye.SO_SNDTIMEO.Set(u.s, 5*time.Millisecond))
				if err := u.call(u.s); !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINPROGRESS) {
					t.Errorf("got %v, want EAGAIN", err)
				}
			})
		})
	}
}

// TestUnixCallsThatWaitDoNotSpin counts the attempts of a call whose wait goes
// on for a while, until its deadline.
func TestUnixCallsThatWaitDoNotSpin(t *testing.T) {
	t.Parallel()
	for _, tt := range unixWaits {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := tt.make(t)
			w := newWatch()
			defer w.cancel()
			check(t, u.s.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
			if err := u.call(u.s.WithContext(w)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			// A full backlog is looked at every 50 milliseconds.
			if tries := len(w.asked); tries > 10 {
				t.Errorf("the call was tried %d times", tries)
			}
		})
	}
}

func TestUnixSendHearsThatTheReceiverIsGone(t *testing.T) {
	t.Parallel()
	r, to := fullReceiver(t)
	s := open(t, sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
	w := newWatch()
	defer w.cancel()
	done := make(chan error, 1)
	go func() {
		_, err := s.WithContext(w).Sendto([]byte("x"), 0, to)
		done <- err
	}()
	w.await(1)
	check(t, r.Close())
	if err := <-done; !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want ECONNREFUSED", err)
	}
}

func TestUnixConnectHearsThatTheListenerIsGone(t *testing.T) {
	t.Parallel()
	l := open(t, sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	to := abstract()
	check(t, l.Bind(to))
	check(t, l.Listen(0))
	check(t, open(t, sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0).Connect(to))
	s := open(t, sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	w := newWatch()
	defer w.cancel()
	done := make(chan error, 1)
	go func() { done <- s.WithContext(w).Connect(to) }()
	w.await(1)
	check(t, l.Close())
	if err := <-done; !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want ECONNREFUSED", err)
	}
}
