//go:build linux

package kernel_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

func TestTenThousandReceiversNeedFewThreads(t *testing.T) {
	const n = 10_000
	var limit syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if need := uint64(n + 500); limit.Cur < need {
		raised := syscall.Rlimit{Cur: need, Max: max(limit.Max, need)}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
			t.Fatalf("%d descriptors are needed and %d allowed: %v", need, limit.Cur, err)
		}
		defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	leavesNothing(t, func(t *testing.T) {
		w := newWatch()
		defer w.cancel()
		addresses := make([]sockeye.Sockaddr, n)
		var wg sync.WaitGroup
		for i := range addresses {
			s := must(kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0))(t)
			check(t, s.Bind(loopback4))
			addresses[i] = must(s.Getsockname())(t)
			wg.Go(func() {
				defer s.Close()
				var buf [8]byte
				if n, err := s.WithContext(w).Recv(buf[:], 0); err != nil || string(buf[:n]) != "wake" {
					t.Errorf("recv gives %q, %v", buf[:n], err)
				}
			})
		}
		w.await(n)
		if threads := entries(t, "task"); threads > 100 {
			t.Errorf("%d threads for %d receivers that wait", threads, n)
		}
		c := open(t, sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
		for _, to := range addresses {
			must(c.Sendto([]byte("wake"), 0, to))(t)
		}
		wg.Wait() // every one of them was woken
	})
}

// TestAWaiterIsTriedAgainWhenAnotherLeavesWhatItCouldTake: who waits for a full
// buffer must not keep data from who would take less.
func TestAWaiterIsTriedAgainWhenAnotherLeavesWhatItCouldTake(t *testing.T) {
	a, b := streamPair(t)
	w := newWatch()
	defer w.cancel()
	peeked := make(chan error, 1)
	go func() {
		n, err := b.WithContext(w).Recv(make([]byte, 100), sockeye.MSG_PEEK|sockeye.MSG_WAITALL)
		if err == nil && n != 100 {
			err = errors.New("peeked less than was asked for")
		}
		peeked <- err
	}()
	w.await(1)
	received := make(chan string, 1)
	go func() {
		buf := make([]byte, 10)
		n, err := b.WithContext(w).Recv(buf, 0)
		check(t, err)
		received <- string(buf[:n])
	}()
	w.await(1)
	must(a.Send([]byte("ten bytes!"), 0))(t)
	if got := <-received; got != "ten bytes!" {
		t.Errorf("received %q", got)
	}
	must(a.Send(make([]byte, 100), 0))(t)
	check(t, <-peeked)
}

func TestLeadershipPassesOn(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit time.Duration // of the leader, 0: none
	}{
		{"when the leader is done", 0},
		{"when the leader's deadline passes", 20 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, peer := unixPair(t, sockeye.SOCK_SEQPACKET)
			const followers = 10
			ended := make(chan error, 1+followers)
			wait := func(limit time.Duration) {
				w := newWaiter(func() bool {
					_, err := s.Endpoint().Recv(make([]byte, 1), 0)
					return err != syscall.EAGAIN
				})
				if limit > 0 {
					w.deadline = time.Now().Add(limit)
				}
				go func() { ended <- s.Endpoint().Wait(sockeye.ForRead, w) }()
				<-w.waiting
			}
			wait(tt.limit)
			for range followers {
				wait(0)
			}
			waiting := 1 + followers
			if tt.limit > 0 {
				if err := <-ended; err != os.ErrDeadlineExceeded {
					t.Errorf("the leader got %v", err)
				}
				waiting--
			}
			for range waiting { // each message ends the wait of one
				must(peer.Send([]byte{1}, 0))(t)
				check(t, <-ended)
			}
		})
	}
}

func TestManyWaitersWithLimitsOfTheirOwn(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		s, peer := unixPair(t, sockeye.SOCK_SEQPACKET)
		const each = 10
		recv := func(ctx context.Context) (ended func(want error)) {
			errs := make(chan error, each)
			for range each {
				go func() {
					_, err := s.WithContext(ctx).Recv(make([]byte, 1), 0)
					errs <- err
				}()
			}
			return func(want error) {
				t.Helper()
				for range each {
					if err := <-errs; !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
				}
			}
		}
		canceled := newWatch()
		ofCanceled := recv(canceled)
		canceled.await(each) // one of them leads, and the calls below follow

		expired, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer cancel()
		recv(expired)(context.DeadlineExceeded)

		check(t, sockeye.SO_RCVTIMEO.Set(s, 5*time.Millisecond))
		recv(context.Background())(syscall.EAGAIN)
		check(t, sockeye.SO_RCVTIMEO.Set(s, 0))

		served := newWatch()
		defer served.cancel()
		ofServed := recv(served)
		served.await(each)
		canceled.cancel()
		ofCanceled(context.Canceled)
		for range each {
			must(peer.Send([]byte{1}, 0))(t)
		}
		ofServed(nil)
	})
}

func TestDeadlineIsMovedWhileCallsWait(t *testing.T) {
	const n = 5
	start := func(s *sockeye.Socket) (*watch, chan error) {
		w := newWatch()
		errs := make(chan error, n)
		for range n {
			go func() {
				_, err := s.WithContext(w).Recv(make([]byte, 1), 0)
				errs <- err
			}()
		}
		w.await(n)
		return w, errs
	}
	t.Run("earlier", func(t *testing.T) {
		s, _ := unixPair(t, sockeye.SOCK_SEQPACKET)
		check(t, s.SetReadDeadline(time.Now().Add(time.Hour)))
		w, errs := start(s)
		defer w.cancel()
		check(t, s.SetReadDeadline(time.Now().Add(time.Millisecond)))
		for range n {
			if err := <-errs; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		}
	})
	t.Run("later", func(t *testing.T) {
		s, peer := unixPair(t, sockeye.SOCK_SEQPACKET)
		// The first deadline passes after it was taken back: by a second socket
		// that has the same one, and is heard when it is over.
		clock, _ := unixPair(t, sockeye.SOCK_SEQPACKET)
		soon := time.Now().Add(100 * time.Millisecond)
		check(t, s.SetReadDeadline(soon))
		check(t, clock.SetReadDeadline(soon.Add(20*time.Millisecond)))
		w, errs := start(s)
		defer w.cancel()
		check(t, s.SetReadDeadline(time.Now().Add(time.Hour)))
		if _, err := clock.Recv(make([]byte, 1), 0); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		for range n {
			must(peer.Send([]byte{1}, 0))(t)
		}
		for range n {
			check(t, <-errs)
		}
	})
	t.Run("away", func(t *testing.T) {
		s, peer := unixPair(t, sockeye.SOCK_SEQPACKET)
		check(t, s.SetReadDeadline(time.Unix(1, 0)))
		if _, err := s.Recv(make([]byte, 1), 0); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		check(t, s.SetReadDeadline(time.Time{}))
		must(peer.Send([]byte{1}, 0))(t)
		must(s.Recv(make([]byte, 1), 0))(t)
	})
}

func TestAPassedDeadlineLeavesWhatIsThere(t *testing.T) {
	s, peer := unixPair(t, sockeye.SOCK_SEQPACKET)
	must(peer.Send([]byte("kept"), 0))(t)
	check(t, s.SetDeadline(time.Unix(1, 0)))
	buf := make([]byte, 8)
	if n, err := s.Recv(buf, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: %d, %v", n, err)
	}
	check(t, s.SetDeadline(time.Time{}))
	if n := must(s.Recv(buf, 0))(t); string(buf[:n]) != "kept" {
		t.Errorf("got %q", buf[:n])
	}
}

func TestDontwaitAnswersWhileOthersWait(t *testing.T) {
	s, peer := full(t)
	w := newWatch()
	errs := make(chan error, 2)
	go func() {
		_, err := s.WithContext(w).Recv(make([]byte, 1), 0)
		errs <- err
	}()
	go func() {
		_, err := s.WithContext(w).Send(make([]byte, 1<<20), 0)
		errs <- err
	}()
	w.await(2)
	if _, err := s.Recv(make([]byte, 1), sockeye.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("recv: %v, want EAGAIN", err)
	}
	if _, err := s.Send(make([]byte, 1<<20), sockeye.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("send: %v, want EAGAIN", err)
	}
	must(peer.Send([]byte{1}, 0))(t)
	check(t, <-errs)
	w.cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("send: %v, want context.Canceled", err)
	}
}

func TestCloseWakesBothDirections(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		s, _ := full(t)
		const n = 5
		w := newWatch()
		defer w.cancel()
		errs := make(chan error, 2*n)
		for range n {
			go func() {
				_, err := s.WithContext(w).Recv(make([]byte, 1), 0)
				errs <- err
			}()
			go func() {
				_, err := s.WithContext(w).Send(make([]byte, 1<<20), 0)
				errs <- err
			}()
		}
		w.await(2 * n)
		check(t, s.Close())
		for range 2 * n {
			if err := <-errs; !errors.Is(err, net.ErrClosed) || !errors.Is(err, syscall.EBADF) {
				t.Error(err)
			}
		}
	})
}

// TestNoWakeupIsLost lets receivers of all kinds wait on one socket, with
// deadlines and contexts that end all the time, while senders count what they
// sent. In the end everything has been received.
func TestNoWakeupIsLost(t *testing.T) {
	leavesNothing(t, func(t *testing.T) {
		const receivers, senders, each = 12, 4, 400
		s, to := open(t, sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0), abstract()
		check(t, s.Bind(to)) // whose senders wait, so that nothing is dropped
		var received atomic.Int64
		all := make(chan struct{})
		count := func(n int) {
			if n > 0 && received.Add(int64(n)) == senders*each {
				close(all)
			}
		}
		done, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for i := range receivers {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			wg.Go(func() {
				buf := make([]byte, 16)
				ms := []sockeye.Message{{Buffers: [][]byte{make([]byte, 16)}}, {Buffers: [][]byte{make([]byte, 16)}}}
				for {
					ctx, cancel := done, context.CancelFunc(func() {})
					if rnd.IntN(2) == 0 {
						ctx, cancel = context.WithTimeout(done, time.Duration(rnd.IntN(1000))*time.Microsecond)
					}
					var err error
					n := 0
					switch rnd.IntN(6) {
					case 0:
						s.SetReadDeadline(time.Now().Add(time.Duration(rnd.IntN(2000)-500) * time.Microsecond))
					case 1:
						s.SetReadDeadline(time.Time{})
					case 2:
						n, err = s.WithContext(ctx).Recvmmsg(ms[:1+rnd.IntN(2)], sockeye.MSG_WAITFORONE)
					case 3:
						_, err = s.WithContext(ctx).Recv(buf, sockeye.MSG_PEEK)
					case 4:
						if _, err = s.Recv(buf, sockeye.MSG_DONTWAIT); err == nil {
							n = 1
						}
					default:
						if _, _, err = s.WithContext(ctx).Recvfrom(buf, 0); err == nil {
							n = 1
						}
					}
					cancel()
					count(n)
					if done.Err() != nil {
						return
					}
					if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) &&
						!errors.Is(err, syscall.EAGAIN) && !errors.Is(err, context.Canceled) {
						t.Error(err)
						return
					}
				}
			})
		}
		for range senders {
			wg.Go(func() {
				c := must(kernel.Host().Socket(sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0))(t)
				defer c.Close()
				for range each {
					if _, err := c.Sendto([]byte("x"), 0, to); err != nil {
						t.Error(err)
					}
				}
			})
		}
		<-all
		stop()
		wg.Wait()
	})
}
