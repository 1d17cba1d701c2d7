//go:build linux

package kernel_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestSyscallConnWaitsAsTheSocketDoes(t *testing.T) {
	t.Parallel()
	a, b := streamPair(t)
	conn := must(b.SyscallConn())(t)
	buf := make([]byte, 16)
	var n int
	var readErr error
	read := func(fd uintptr) bool {
		n, readErr = syscall.Read(int(fd), buf)
		return readErr != syscall.EAGAIN
	}
	tried := make(chan struct{}, 100)
	done := make(chan error, 1)
	go func() {
		done <- conn.Read(func(fd uintptr) bool {
			ok := read(fd)
			tried <- struct{}{}
			return ok
		})
	}()
	<-tried // in vain
	must(a.Send([]byte("hello"), 0))(t)
	check(t, <-done)
	if string(buf[:n]) != "hello" || readErr != nil {
		t.Errorf("read gives %q, %v", buf[:n], readErr)
	}

	check(t, b.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
	if err := conn.Read(read); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
	check(t, b.SetReadDeadline(time.Time{}))

	ctx, cancel := context.WithCancel(context.Background())
	conn = must(b.WithContext(ctx).SyscallConn())(t)
	go func() {
		done <- conn.Read(func(uintptr) bool {
			tried <- struct{}{}
			return false
		})
	}()
	<-tried
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}

func TestSyscallConnWritesAndControls(t *testing.T) {
	t.Parallel()
	a, b := streamPair(t)
	conn := must(a.SyscallConn())(t)
	var n int
	var err error
	check(t, conn.Write(func(fd uintptr) bool {
		n, err = syscall.Write(int(fd), []byte("written"))
		return err != syscall.EAGAIN
	}))
	check(t, err)
	buf := make([]byte, 16)
	must(b.Recv(buf[:n], 0))(t)
	if string(buf[:n]) != "written" {
		t.Errorf("received %q", buf[:n])
	}
	var typ int
	check(t, conn.Control(func(fd uintptr) { typ, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TYPE) }))
	if typ != syscall.SOCK_STREAM || err != nil {
		t.Errorf("SO_TYPE is %d, %v", typ, err)
	}
}

func TestSyscallConnWaitsForRoomUntilTheDeadline(t *testing.T) {
	t.Parallel()
	s, _ := full(t)
	conn := must(s.SyscallConn())(t)
	check(t, s.SetWriteDeadline(time.Now().Add(5*time.Millisecond)))
	if err := conn.Write(func(fd uintptr) bool {
		_, err := syscall.Write(int(fd), []byte("more"))
		return err != syscall.EAGAIN
	}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
}
