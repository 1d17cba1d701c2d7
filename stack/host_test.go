package stack_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/stack"
)

func TestUnixStreamInABubble(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		host := stack.NewHost(stack.Config{})
		defer host.Close()
		h := host.Sockets()
		l, err := h.Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Bind(sockeye.SockaddrUnix("/tmp/s")); err != nil {
			t.Fatal(err)
		}
		l.Listen(0)
		go func() {
			for range 3 {
				c, _ := h.Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
				if err := c.Connect(sockeye.SockaddrUnix("/tmp/s")); err != nil {
					t.Error(err)
				}
				c.Send([]byte("hello"), 0)
				time.Sleep(time.Hour)
				c.Close()
			}
		}()
		for range 3 {
			c, _, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 10)
			n, err := c.Recv(buf, 0)
			if string(buf[:n]) != "hello" || err != nil {
				t.Fatal(n, err)
			}
			start := time.Now()
			c.SetReadDeadline(start.Add(time.Minute))
			if _, err := c.Recv(buf, 0); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
				t.Fatal(err, time.Since(start))
			}
			c.SetReadDeadline(time.Time{})
			if n, err := c.Recv(buf, 0); n != 0 || err != nil || time.Since(start) != time.Hour {
				t.Fatal(n, err, time.Since(start))
			}
			if _, err := c.Send(buf, 0); !errors.Is(err, syscall.EPIPE) {
				t.Fatal(err)
			}
		}
	})
}
