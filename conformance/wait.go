package conformance

import (
	"context"
	"errors"
	"os"
	"time"

	. "sockeye"
)

// waits is how calls that wait end: by what they wait for, by close and
// shutdown, by a deadline, by poll and select.
func waits() []Scenario {
	streams := []kind{tcp4, tcp6, unixStream, unixSeqpacket}
	all := each(streams, []script{
		{"recv, ended by data", func(x *calls, k kind) {
			c, a := x.connection(k)
			waiting := x.start(func(y *calls) { y.recv(a, 5, 0) })
			x.send(c, "x", 0)
			x.join(waiting)
		}},
		{"recv, ended by the peer's close", func(x *calls, k kind) {
			c, a := x.connection(k)
			waiting := x.start(func(y *calls) { y.recv(a, 5, 0) })
			x.close(c)
			x.join(waiting)
		}},
		{"recv, ended by a reset", func(x *calls, k kind) {
			c, a := x.connection(k)
			waiting := x.start(func(y *calls) { y.recv(a, 5, 0) })
			set(x, c, SO_LINGER, Linger{On: true})
			x.close(c)
			x.join(waiting)
		}},
		{"recv, ended by shutdown of the same socket", func(x *calls, k kind) {
			_, a := x.connection(k)
			waiting := x.start(func(y *calls) { y.recv(a, 5, 0) })
			x.shutdown(a, SHUT_RD)
			x.join(waiting)
		}},
		{"recv, ended by close of the same socket", func(x *calls, k kind) {
			_, a := x.connection(k)
			waiting := x.start(func(y *calls) { y.recv(a, 5, 0) })
			x.close(a)
			x.join(waiting)
		}},
		{"send, ended by close of the same socket", func(x *calls, k kind) {
			c, _ := x.connection(k)
			x.fillStream(c)
			waiting := x.start(func(y *calls) { y.sendUntilError(c) })
			x.close(c)
			x.join(waiting)
		}},
		{"send, ended by the peer's close", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.fillStream(c)
			waiting := x.start(func(y *calls) { y.sendUntilError(c) })
			x.close(a)
			x.join(waiting)
		}},
		{"accept, ended by shutdown", func(x *calls, k kind) {
			l := x.listening(k, 5)
			waiting := x.start(func(y *calls) { y.accept(l) })
			x.shutdown(l, SHUT_RDWR)
			x.join(waiting)
		}},
		{"accept, ended by close", func(x *calls, k kind) {
			l := x.listening(k, 5)
			waiting := x.start(func(y *calls) { y.accept(l) })
			x.close(l)
			x.join(waiting)
		}},
		{"a deadline that has passed", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "x", 0)
			x.awaitQuietly(a, POLLIN)
			a.s.SetReadDeadline(time.Unix(1, 0))
			_, err := a.s.Recv(make([]byte, 1), 0)
			x.note("recv past the deadline: %v", errors.Is(err, os.ErrDeadlineExceeded))
			a.s.SetReadDeadline(x.deadline)
			x.recv(a, 1, 0)
		}},
		{"a context that ends", func(x *calls, k kind) {
			_, a := x.connection(k)
			ctx, cancel := context.WithCancel(context.Background())
			waiting := x.start(func(y *calls) {
				_, err := a.s.WithContext(ctx).Recv(make([]byte, 1), 0)
				y.note("recv: %v", errors.Is(err, context.Canceled))
			})
			cancel()
			x.join(waiting)
		}},
		{"poll, ended by data", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.pollAll(0, a, c)
			waiting := x.start(func(y *calls) { y.pollFor(POLLIN, -1, a) })
			x.send(c, "x", 0)
			x.join(waiting)
			x.pollAll(0, a, c)
		}},
		{"poll, ended by the peer's close", func(x *calls, k kind) {
			c, a := x.connection(k)
			waiting := x.start(func(y *calls) { y.pollFor(POLLRDHUP, -1, a) })
			x.close(c)
			x.join(waiting)
		}},
		{"poll for nothing tells POLLHUP and POLLERR", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(a, "x", 0)
			x.awaitQuietly(c, POLLIN)
			x.close(c)
			x.awaitQuietly(a, POLLHUP)
			x.pollFor(0, 0, a)
		}},
		{"poll and select on a closed socket", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.close(c)
			x.awaitQuietly(a, POLLRDHUP)
			x.pollAll(-1, c, a)
			x.sel(c)
		}},
		{"poll of a listener", func(x *calls, k kind) {
			l := x.listening(k, 5)
			x.pollAll(0, l)
			x.connect(x.opened(k), x.server(k))
			x.pollFor(POLLIN, -1, l)
			x.quietly(func() { x.accept(l) })
			x.pollAll(0, l)
		}},
	})
	all = append(all, each([]kind{udp4, udp6, unixDgram}, []script{
		{"recvfrom, ended by a datagram", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			waiting := x.start(func(y *calls) { y.recvfrom(s, 5, 0) })
			x.send(c, "x", 0)
			x.join(waiting)
		}},
		{"recvmmsg waits for all", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			waiting := x.start(func(y *calls) { y.recvmmsg(s, []Message{*room(5, 0), *room(5, 0)}, 0) })
			x.send(c, "one", 0)
			x.send(c, "two", 0)
			x.join(waiting)
		}},
		{"recv, ended by shutdown of the same socket", func(x *calls, k kind) {
			c, _ := x.datagrams(k)
			waiting := x.start(func(y *calls) { y.recv(c, 5, 0) })
			x.shutdown(c, SHUT_RD)
			x.join(waiting)
		}},
		{"recv, ended by close of the same socket", func(x *calls, k kind) {
			c, _ := x.datagrams(k)
			waiting := x.start(func(y *calls) { y.recv(c, 5, 0) })
			x.close(c)
			x.join(waiting)
		}},
		{"poll, over two sockets", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.pollAll(0, c, s)
			x.send(c, "x", 0)
			x.awaitQuietly(s, POLLIN)
			x.pollAll(-1, c, s)
			x.sel(s)
		}},
	})...)
	return append(all,
		Scenario{Name: "poll/a timeout", body: func(x *calls) {
			s := x.bound(udp4)
			x.pollFor(POLLIN, 20*time.Millisecond, s)
			n, err := x.site.Host.Poll(context.Background(), nil, 0)
			x.log(result(err, itoa(n)), "poll(of nothing)")
		}},
		Scenario{Name: "tcp4/connect, ended by close of the same socket", body: func(x *calls) {
			x.quietly(func() { x.fullListener(tcp4) })
			c := x.opened(tcp4)
			waiting := x.start(func(y *calls) { y.connect(c, x.server(tcp4)) })
			x.close(c)
			x.join(waiting)
		}},
		Scenario{Name: "tcp4/every call on a closed socket", body: func(x *calls) {
			s := x.opened(tcp4)
			x.close(s)
			x.bind(s, x.server(tcp4))
			x.listen(s, 1)
			x.accept(s)
			x.connect(s, x.server(tcp4))
			x.send(s, "x", 0)
			x.sendto(s, "x", 0, x.server(tcp4))
			x.sendmsg(s, message("x", Sockaddr{}, nil, nil), 0)
			x.sendmmsg(s, []Message{*message("x", Sockaddr{}, nil, nil)}, 0)
			x.recv(s, 1, 0)
			x.recvfrom(s, 1, 0)
			x.recvmsg(s, room(1, 0), 0)
			x.recvmmsg(s, []Message{*room(1, 0)}, 0)
			x.shutdown(s, SHUT_RDWR)
			x.getsockname(s)
			x.getpeername(s)
			x.get(s, SO_TYPE)
			x.setInt(s, SO_REUSEADDR, 1)
			x.inq(s)
			x.ready(s)
			x.close(s)
		}},
	)
}

// sendUntilError sends until that fails: what is on its way may still make room.
func (x *calls) sendUntilError(f *fd) {
	for {
		if _, err := f.s.Send([]byte("x"), 0); err != nil {
			x.log(result(err), "send(%v, ..., 0) at last", f)
			return
		}
	}
}

// pollFor is poll(2) for the same events of each socket.
func (x *calls) pollFor(want Events, timeout time.Duration, fds ...*fd) {
	var set []PollFd
	var names string
	for _, f := range fds {
		set = append(set, PollFd{Socket: f.s, Events: want})
		names += " " + f.name
	}
	ctx, cancel := context.WithDeadline(context.Background(), x.deadline)
	defer cancel()
	n, err := x.site.Host.Poll(ctx, set, timeout)
	show := itoa(n)
	for i, p := range set {
		if p.Revents != 0 {
			show += sprintf(", %s %v", fds[i].name, p.Revents)
		}
	}
	limit := timeout.String()
	if timeout < 0 {
		limit = "forever"
	}
	x.log(result(err, show), "poll([%s], %v, %s)", names[1:], want, limit)
}

// pollAll is poll(2) for reading and writing.
func (x *calls) pollAll(timeout time.Duration, fds ...*fd) {
	x.pollFor(POLLIN|POLLOUT, timeout, fds...)
}
