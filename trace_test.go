//go:build linux

package sockeye_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// A script collects calls in the manner of strace, with the numbers of sockets
// replaced by their order and ports by the names that they are given.
type script struct {
	mu    sync.Mutex
	lines []string
	fds   map[string]string
}

func (c *script) event(e sockeye.TraceEvent) {
	if !e.Done {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	opens := e.Err == nil && (e.Call == "socket" || e.Call == "accept") // its result is a socket
	if opens {
		fd, _, _ := strings.Cut(e.Result, ",")
		c.fds[fd] = fmt.Sprintf("#%d", len(c.fds)+1)
	}
	rename := func(s string) string {
		first, rest, more := strings.Cut(s, ", ")
		if name, ok := c.fds[first]; ok {
			first = name
		}
		if more {
			first += ", " + rest
		}
		return first
	}
	args, result := e.Args, e.Result
	if e.Call != "socket" {
		args = rename(args)
	}
	if opens {
		result = rename(result)
	}
	c.lines = append(c.lines, fmt.Sprintf("%s(%s) = %s", e.Call, args, result))
}

func TestTracesReadLikeStrace(t *testing.T) {
	c := script{fds: make(map[string]string)}
	h := kernel.Host().WithTrace(c.event)
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	name := sockeye.SockaddrUnix(path)

	l := must(h.Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0))(t)
	l.Listen(1) // not bound
	check(t, l.Bind(name))
	check(t, l.Listen(1))
	s := must(h.Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM|sockeye.SOCK_NONBLOCK, 0))(t)
	check(t, s.Connect(name))
	conn, _, err := l.Accept()
	check(t, err)
	must(s.Send([]byte("hello\n"), sockeye.MSG_NOSIGNAL))(t)
	must(s.Send([]byte(strings.Repeat("x", 40)), 0))(t)
	must(conn.Recv(make([]byte, 6), 0))(t)
	must(conn.Recv(make([]byte, 64), sockeye.MSG_WAITALL|sockeye.MSG_DONTWAIT))(t)
	s.Recv(make([]byte, 1), 0)
	must(conn.Sendmsg(&sockeye.Message{Buffers: [][]byte{[]byte("ab"), []byte("cd")}}, 0))(t)
	m := sockeye.Message{Buffers: [][]byte{make([]byte, 1), make([]byte, 8)}}
	must(s.Recvmsg(&m, sockeye.MSG_PEEK))(t)
	_, _, err = s.Recvfrom(make([]byte, 2), 0)
	check(t, err)
	must(s.Getpeername())(t)
	must(s.Getsockname())(t)
	check(t, sockeye.SO_PASSCRED.Set(s, true))
	must(sockeye.SO_TYPE.Get(s))(t)
	s.SetsockoptInt(77, 88, 99)
	must(h.Poll(context.Background(), []sockeye.PollFd{{Socket: s, Events: sockeye.POLLIN}}, time.Second))(t)
	must(s.Inq())(t)
	file := filepath.Join(dir, "f")
	check(t, os.WriteFile(file, []byte("filed"), 0o600))
	f := must(os.Open(file))(t)
	defer f.Close()
	must(s.Sendfile(f, -1))(t)
	check(t, s.Shutdown(sockeye.SHUT_RDWR))
	check(t, s.Close())
	s.Shutdown(sockeye.SHUT_RD)
	check(t, h.Unlink(path))
	h.Socket(sockeye.Family(77), sockeye.SOCK_RAW, 5)

	fd := func(n string) string { // in poll(2)'s sets the number stands in brackets
		for k, v := range c.fds {
			if v == n {
				return k
			}
		}
		return "?"
	}
	want := strings.ReplaceAll(strings.ReplaceAll(`socket(AF_UNIX, SOCK_STREAM, 0) = #1
listen(#1, 1) = -1 EINVAL (invalid argument)
bind(#1, {AF_UNIX PATH}) = 0
listen(#1, 1) = 0
socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK, 0) = #2
connect(#2, {AF_UNIX PATH}) = 0
accept(#1) = #3, {AF_UNIX }
send(#2, "hello\n", 6, MSG_NOSIGNAL) = 6
send(#2, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"..., 40, 0) = 40
recv(#3, 6, 0) = 6 "hello\n"
recv(#3, 64, MSG_DONTWAIT|MSG_WAITALL) = 40 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"...
recv(#2, 1, 0) = -1 EAGAIN (resource temporarily unavailable)
sendmsg(#3, "abcd", 4, 0, NULL) = 4
recvmsg(#2, 9, MSG_PEEK) = 4 "abcd", {AF_UNIX PATH}, 0
recvfrom(#2, 2, 0) = 2 "ab", {AF_UNIX PATH}
getpeername(#2) = 0, {AF_UNIX PATH}
getsockname(#2) = 0, {AF_UNIX }
setsockopt(#2, SOL_SOCKET, SO_PASSCRED, 1) = 0
getsockopt(#2, SOL_SOCKET, SO_TYPE) = 0, 1
setsockopt(#2, 77, 88, 99) = -1 EOPNOTSUPP (operation not supported)
poll([FD:POLLIN], 1s) = 1 [FD:POLLIN]
ioctl(#2, SIOCINQ) = 0, 2
sendfile(#2, "FILE", -1) = 5
shutdown(#2, SHUT_RDWR) = 0
close(#2) = 0
shutdown(#2, SHUT_RD) = -1 EBADF (bad file descriptor)
unlink("PATH") = 0
socket(77, SOCK_RAW, 5) = -1 EAFNOSUPPORT (address family not supported by protocol)`, "PATH", path), "FD:", fd("#2")+":")
	want = strings.ReplaceAll(want, "FILE", file)
	for i, line := range strings.Split(want, "\n") {
		if got := at(c.lines, i); got != line {
			t.Errorf("line %d is\n%s\nwant\n%s", i, got, line)
		}
	}
}

func TestTracesShowACallBeforeItEnds(t *testing.T) {
	begun := make(chan sockeye.TraceEvent, 8)
	h := kernel.Host().WithTrace(func(e sockeye.TraceEvent) {
		if e.Call == "recv" || e.Call == "socketpair" {
			begun <- e
		}
	})
	a, b, err := h.Socketpair(sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
	check(t, err)
	defer a.Close()
	defer b.Close()
	start, end := <-begun, <-begun
	if start.Done || !end.Done || start.ID != end.ID || start.Args != "AF_UNIX, SOCK_DGRAM, 0" {
		t.Errorf("socketpair: %+v and %+v", start, end)
	}
	go b.Recv(make([]byte, 8), 0)
	if e := <-begun; e.Done || e.Result != "" {
		t.Errorf("recv is told before it is done as %+v", e)
	}
	must(a.Send([]byte("x"), 0))(t)
	if e := <-begun; !e.Done || e.Result != `1 "x"` || e.Elapsed <= 0 {
		t.Errorf("recv is told as %+v", e)
	}
}

func TestTracesReachTheFacades(t *testing.T) {
	var calls []string
	h := kernel.Host().WithTrace(func(e sockeye.TraceEvent) {
		if e.Done && e.Call != "setsockopt" {
			calls = append(calls, e.Call)
		}
	})
	l := must(h.Listen("unix", filepath.Join(t.TempDir(), "s")))(t)
	c := must(h.Dial("unix", l.Addr().String()))(t)
	s := must(l.Accept())(t)
	must(c.Write([]byte("x")))(t)
	must(s.Read(make([]byte, 1)))(t)
	for _, closer := range []interface{ Close() error }{c, s, l} {
		check(t, closer.Close())
	}
	want := []string{"socket", "bind", "listen", "getsockname", "socket", "connect", "getsockname", "accept", "getsockname",
		"send", "recv", "close", "close", "unlink", "close"}
	if !slices.Equal(calls, want) {
		t.Errorf("calls %v\nwant  %v", calls, want)
	}
	if _, err := os.Lstat(l.Addr().String()); err == nil {
		t.Error("the path remains")
	}
}
