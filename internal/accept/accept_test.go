package accept_test

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/accept"
)

// scripted is an engine whose listening socket answers accept from a script,
// and then waits until it is closed.
type scripted struct {
	sockeye.Engine
	sockeye.Endpoint
	script  []error
	accepts atomic.Int32
	closed  chan struct{}
}

func (s *scripted) Name() string { return "scripted" }

func (s *scripted) Socket(sockeye.Family, sockeye.Type, sockeye.Protocol) (sockeye.Endpoint, error) {
	return s, nil
}

func (s *scripted) Accept() (sockeye.Endpoint, sockeye.Sockaddr, error) {
	n := int(s.accepts.Add(1))
	if n > len(s.script) {
		return nil, sockeye.Sockaddr{}, syscall.EAGAIN
	}
	if err := s.script[n-1]; err != nil {
		return nil, sockeye.Sockaddr{}, err
	}
	return &scripted{closed: make(chan struct{})}, sockeye.Sockaddr{}, nil
}

func (s *scripted) Wait(_ sockeye.Direction, w sockeye.Waiter) error {
	if w.Try() {
		return nil
	}
	<-s.closed
	return syscall.EBADF
}

func (s *scripted) Close() error {
	close(s.closed)
	return nil
}

func (s *scripted) Getsockname() (sockeye.Sockaddr, error) { return sockeye.Sockaddr{}, nil }

// serve runs a server on a script, in virtual time.
func serve(t *testing.T, script []error, then func(s *scripted, served *atomic.Int32)) (err error) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: script, closed: make(chan struct{})}
		l, _ := sockeye.NewHost(s).Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
		ctx, cancel := context.WithCancel(t.Context())
		var served atomic.Int32
		ended := make(chan error, 1)
		v := accept.New(l)
		go func() {
			ended <- v.Serve(ctx, func(_ context.Context, conn *sockeye.Socket, _ sockeye.Sockaddr) {
				served.Add(1)
				v.End(conn)
			})
		}()
		synctest.Wait()
		if then != nil {
			then(s, &served)
		}
		cancel()
		err = <-ended
	})
	return err
}

func TestConnectionThatIsGoneEndsNothing(t *testing.T) {
	script := []error{syscall.ECONNABORTED, syscall.EPROTO, syscall.EHOSTUNREACH, nil, syscall.EPERM, nil}
	err := serve(t, script, func(_ *scripted, served *atomic.Int32) {
		if n := served.Load(); n != 2 {
			t.Errorf("served %d connections, want 2", n)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestServerWithoutDescriptorsWaitsForThem(t *testing.T) {
	for _, errno := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		script := []error{errno, errno, errno, errno, nil}
		err := serve(t, script, func(s *scripted, served *atomic.Int32) {
			if n := s.accepts.Load(); n != 1 {
				t.Errorf("%v: asked %d times at once", errno, n)
			}
			time.Sleep(time.Second) // of virtual time
			synctest.Wait()
			if n := served.Load(); n != 1 {
				t.Errorf("%v: served %d connections, want 1", errno, n)
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestOtherErrorsEndTheServer(t *testing.T) {
	if err := serve(t, []error{syscall.EINVAL}, nil); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v, want EINVAL", err)
	}
}
