//go:build linux

package sockeye_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"sockeye"
	"sockeye/kernel"
)

func TestErrorsTellCallAddressesAndCause(t *testing.T) {
	local, remote := sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 1), sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 2)
	for _, tt := range []struct {
		err  sockeye.Error
		want string
	}{
		{sockeye.Error{Call: "socket", Err: syscall.EPERM}, "socket: operation not permitted"},
		{sockeye.Error{Call: "bind", Remote: remote, Err: syscall.EADDRINUSE}, "bind 127.0.0.1:2: address already in use"},
		{sockeye.Error{Call: "recv", Local: local, Err: io.EOF}, "recv 127.0.0.1:1: EOF"},
		{sockeye.Error{Call: "send", Local: local, Remote: remote, Err: syscall.EPIPE}, "send 127.0.0.1:1 -> 127.0.0.1:2: broken pipe"},
		{sockeye.Error{Call: "connect", Local: sockeye.SockaddrUnix(""), Remote: sockeye.SockaddrUnix("/x"), Err: syscall.ENOENT}, "connect /x: no such file or directory"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestErrorsAreWhatTheyWrap(t *testing.T) {
	for _, tt := range []struct {
		err     error
		is      []error
		isNot   []error
		timeout bool
	}{
		{syscall.ECONNREFUSED, []error{syscall.ECONNREFUSED}, []error{syscall.ECONNRESET, net.ErrClosed}, false},
		{syscall.EBADF, []error{syscall.EBADF, net.ErrClosed}, []error{os.ErrDeadlineExceeded}, false},
		{syscall.EACCES, []error{syscall.EACCES, os.ErrPermission}, nil, false},
		{syscall.ETIMEDOUT, []error{syscall.ETIMEDOUT}, []error{os.ErrDeadlineExceeded}, true},
		{syscall.EAGAIN, []error{syscall.EAGAIN, syscall.EWOULDBLOCK}, nil, true},
		{os.ErrDeadlineExceeded, []error{os.ErrDeadlineExceeded}, []error{context.DeadlineExceeded}, true},
		{context.DeadlineExceeded, []error{context.DeadlineExceeded}, []error{os.ErrDeadlineExceeded}, true},
		{context.Canceled, []error{context.Canceled}, nil, false},
	} {
		var err net.Error = &sockeye.Error{Call: "recv", Err: tt.err}
		for _, target := range tt.is {
			if !errors.Is(err, target) {
				t.Errorf("%v is not %v", err, target)
			}
		}
		for _, target := range tt.isNot {
			if errors.Is(err, target) {
				t.Errorf("%v is %v", err, target)
			}
		}
		if err.Timeout() != tt.timeout {
			t.Errorf("%v: Timeout is %v", err, err.Timeout())
		}
	}
}

func TestFailedCallsNameTheirAddresses(t *testing.T) {
	h := kernel.Host()
	l := must(h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))(t)
	defer l.Close()
	check(t, l.Bind(loopback))
	address := must(l.Getsockname())(t)
	s := must(h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))(t)
	defer s.Close()
	fail := func(err error) *sockeye.Error {
		t.Helper()
		e, ok := errors.AsType[*sockeye.Error](err)
		if !ok {
			t.Fatalf("got %v", err)
		}
		return e
	}
	if e := fail(s.Bind(address)); e.Call != "bind" || e.Remote != address || e.Err != syscall.EADDRINUSE {
		t.Errorf("bind: %+v", e)
	}
	if e := fail(s.Connect(address)); e.Call != "connect" || e.Remote != address || e.Err != syscall.ECONNREFUSED {
		t.Errorf("connect: %+v", e)
	}
	a, b := socketPair(t)
	check(t, sockeye.SO_LINGER.Set(b, sockeye.Linger{On: true}))
	b.Close()
	_, err := a.Recv(make([]byte, 1), 0)
	local := must(a.Getsockname())(t)
	if e := fail(err); e.Call != "recv" || e.Local != local || e.Remote.IsZero() || e.Err != syscall.ECONNRESET {
		t.Errorf("recv: %+v", e)
	}
	a.Close()
	_, err = a.Recv(make([]byte, 1), 0)
	if e := fail(err); e.Call != "recv" || !errors.Is(err, net.ErrClosed) || !errors.Is(err, syscall.EBADF) {
		t.Errorf("recv on a closed socket: %+v", e)
	}
}

func TestErrnosHaveTheirNames(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.ECONNREFUSED: "ECONNREFUSED", syscall.EAGAIN: "EAGAIN", syscall.EOPNOTSUPP: "EOPNOTSUPP", 9999: "errno 9999",
	} {
		if got := sockeye.ErrnoName(errno); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
