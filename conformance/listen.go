package conformance

import (
	"time"

	. "sockeye"
)

// listens is what listen(2) and accept(2) answer, and what a full queue does.
func listens() []Scenario {
	all := each([]kind{tcp4, tcp6, unixStream, unixSeqpacket}, []script{
		{"accept takes connections in their order", func(x *calls, k kind) {
			l := x.listening(k, 5)
			for i := range 3 {
				c := x.opened(k)
				x.connect(c, x.server(k))
				x.send(c, itoa(i), 0)
			}
			for range 3 {
				x.recv(x.accept(l), 5, 0)
			}
			x.getsockname(l)
			x.get(l, SO_ACCEPTCONN)
		}},
		{"accept with none that waits", func(x *calls, k kind) {
			l := x.listening(k, 5)
			set(x, l, SO_RCVTIMEO, 20*time.Millisecond)
			x.accept(l)
			x.nonblock(l)
			x.accept(l)
		}},
		{"accept waits for a connection", func(x *calls, k kind) {
			l := x.listening(k, 5)
			c := x.opened(k)
			waiting := x.start(func(y *calls) { y.accept(l) })
			x.connect(c, x.server(k))
			x.join(waiting)
		}},
		{"accept4 flags", func(x *calls, k kind) {
			l := x.listening(k, 5)
			x.connect(x.opened(k), x.server(k))
			x.recv(x.accept4(l, SOCK_NONBLOCK), 1, 0)
			x.accept4(l, SOCK_STREAM)
			x.accept4(l, 1<<20)
		}},
		{"O_NONBLOCK is not handed on", func(x *calls, k kind) {
			l := x.listening(k, 5)
			c := x.opened(k)
			x.connect(c, x.server(k))
			x.nonblock(l)
			x.awaitQuietly(l, POLLIN)
			a := x.accept(l)
			x.note("non-blocking: %t", a.s.Nonblock())
		}},
		{"accept after the peer has closed", func(x *calls, k kind) {
			l := x.listening(k, 5)
			c := x.opened(k)
			x.connect(c, x.server(k))
			x.send(c, "hello", 0)
			x.close(c)
			a := x.accept(l)
			x.await(a, POLLRDHUP)
			x.recv(a, 10, 0)
			x.recv(a, 10, 0)
		}},
		{"a second listen changes the backlog", func(x *calls, k kind) {
			l := x.listening(k, 0)
			x.listen(l, 2)
			for range 3 {
				x.connect(x.opened(k), x.server(k))
			}
		}},
		{"backlogs from 0 to 3, and of less than 0", func(x *calls, k kind) {
			for _, n := range []int{0, 1, 2, 3, -1} {
				x.section("backlog %d", n)
				l := x.listening(k, n)
				for i := range 5 {
					c := x.opened(k)
					x.nonblock(c)
					x.connect(c, x.server(k))
					if k.is("tcp") {
						// A refused place leaves the connection half-open; the others
						// are in the queue before the next one comes.
						x.settle(c, l, i)
						x.ready(c)
					}
				}
				x.waiting(l)
			}
		}},
		{"a place that becomes free is taken", func(x *calls, k kind) {
			l := x.listening(k, 0)
			x.connect(x.opened(k), x.server(k))
			x.awaitQuietly(l, POLLIN)
			c := x.opened(k)
			blocked := x.start(func(y *calls) { y.connect(c, x.server(k)) })
			x.quietly(func() { x.accept(l) })
			x.join(blocked)
			x.quietly(func() { x.accept(l) })
			x.getpeername(c)
		}},
	})
	all = append(all, each([]kind{tcp4, tcp6}, []script{
		{"without bind takes an ephemeral port", func(x *calls, k kind) {
			l := x.opened(k)
			x.listen(l, 1)
			x.getsockname(l)
		}},
		{"somaxconn bounds the backlog", func(x *calls, k kind) {
			for _, n := range []int{0, 1, 4095, 4096, 4097, 1 << 30, -1} {
				l := x.opened(k)
				x.listen(l, n)
				x.waiting(l)
			}
		}},
		{"accept after a reset", func(x *calls, k kind) {
			l := x.listening(k, 5)
			c := x.opened(k)
			x.connect(c, x.server(k))
			set(x, c, SO_LINGER, Linger{On: true})
			x.close(c)
			a := x.accept(l)
			x.await(a, POLLERR|POLLHUP)
			x.recv(a, 1, 0)
			x.recv(a, 1, 0)
		}},
		{"TCP_DEFER_ACCEPT waits for data", func(x *calls, k kind) {
			l := x.bound(k)
			x.setInt(l, TCP_DEFER_ACCEPT, 5)
			x.listen(l, 5)
			c := x.opened(k)
			x.connect(c, x.server(k))
			x.ready(l)
			x.send(c, "hello", 0)
			x.await(l, POLLIN)
			x.recv(x.accept(l), 10, 0)
		}},
		{"overflow when the handshake ends", func(x *calls, k kind) { overflow(x, k, false) }},
	})...)
	return append(all,
		Scenario{Name: "tcp4/somaxconn=2 bounds the backlog", Needs: Needs{Sysctls: []string{"net.core.somaxconn=2"}}, body: func(x *calls) {
			for _, n := range []int{1, 2, 3, 5000} {
				l := x.opened(tcp4)
				x.listen(l, n)
				x.waiting(l)
			}
		}},
		Scenario{Name: "unix stream/somaxconn=2 bounds the backlog", Needs: Needs{Sysctls: []string{"net.core.somaxconn=2"}}, body: func(x *calls) {
			x.listening(unixStream, 5000)
			for range 5 {
				x.connect(x.nonblocking(unixStream), x.server(unixStream))
			}
		}},
		Scenario{Name: "tcp4/overflow with tcp_abort_on_overflow=1", Needs: Needs{Sysctls: []string{"net.ipv4.tcp_abort_on_overflow=1"}},
			body: func(x *calls) { overflow(x, tcp4, true) }},
		Scenario{Name: "tcp4/a full queue without SYN cookies", Needs: Needs{Sysctls: []string{"net.ipv4.tcp_syncookies=0"}}, body: func(x *calls) { halfOpen(x, 0) }},
		Scenario{Name: "tcp4/a full queue with SYN cookies", Needs: Needs{Sysctls: []string{"net.ipv4.tcp_syncookies=1"}}, body: func(x *calls) { halfOpen(x, 2) }},
		Scenario{Name: "tcp4/SYN cookies always", Needs: Needs{Sysctls: []string{"net.ipv4.tcp_syncookies=2"}}, body: func(x *calls) {
			_, c, a := x.connected(tcp4)
			x.send(c, "hello", 0)
			x.recv(a, 10, 0)
			x.get(a, TCP_INFO)
			x.get(c, TCP_INFO)
		}},
		Scenario{Name: "tcp4/without timestamps, SACK and window scaling", Needs: Needs{Sysctls: []string{
			"net.ipv4.tcp_timestamps=0", "net.ipv4.tcp_sack=0", "net.ipv4.tcp_window_scaling=0"}}, body: func(x *calls) {
			_, c, a := x.connected(tcp4)
			x.get(a, TCP_INFO)
			x.get(c, TCP_INFO)
		}},
		Scenario{Name: "tcp4/with ECN", Needs: Needs{Sysctls: []string{"net.ipv4.tcp_ecn=1"}}, body: func(x *calls) {
			_, c, a := x.connected(tcp4)
			x.get(a, TCP_INFO)
			x.get(c, TCP_INFO)
		}},
	)
}

func (x *calls) nonblocking(k kind) *fd {
	f := x.opened(k)
	x.nonblock(f)
	return f
}

// settle waits until a connection that is under way has reached its listener's
// queue, behind so many others, or was left out of it.
func (x *calls) settle(c, l *fd, others int) {
	t, err := TCP_INFO.Get(l.s)
	if err != nil {
		x.fail("TCP_INFO of a listener: %v", err)
	}
	if others > int(t.Sacked) { // the backlog: the SYN is dropped
		return
	}
	x.awaitQuietly(c, POLLOUT)
	x.awaitQueue(l, uint32(others+1))
}

// awaitQueue waits until so many connections wait at a listener; the events tell
// of the first only.
func (x *calls) awaitQueue(l *fd, n uint32) {
	x.awaitQuietly(l, POLLIN)
	x.awaitInfo(l, func(t TCPInfo) bool { return t.Unacked >= n })
}

// waiting tells how many connections wait at a listener, and the backlog.
func (x *calls) waiting(l *fd) {
	if l.family == AF_UNIX {
		return
	}
	t, err := TCP_INFO.Get(l.s)
	x.log(result(err, sprintf("%d wait, backlog %d", t.Unacked, t.Sacked)), "getsockopt(%v, TCP_INFO)", l)
}

// overflow fills the queue of a listener while a handshake is under way:
// TCP_DEFER_ACCEPT holds it open until there is data.
func overflow(x *calls, k kind, aborts bool) {
	l := x.bound(k)
	x.setInt(l, TCP_DEFER_ACCEPT, 30)
	x.listen(l, 2)
	last := x.opened(k)
	x.connect(last, x.server(k))
	for i := range 3 {
		c := x.opened(k)
		x.connect(c, x.server(k))
		x.send(c, "x", 0)
		x.awaitQueue(l, uint32(i+1))
	}
	x.waiting(l)
	x.send(last, "x", 0)
	if aborts {
		x.awaitQuietly(last, POLLHUP|POLLERR)
	}
	x.ready(last)
	x.recv(last, 1, MSG_DONTWAIT)
	x.get(last, TCP_INFO)
}

// halfOpen has more handshakes under way than the backlog allows. Those that
// a cookie made possible are not held open.
func halfOpen(x *calls, cookies uint32) {
	l := x.bound(tcp4)
	x.setInt(l, TCP_DEFER_ACCEPT, 30)
	x.listen(l, 1)
	for range 4 {
		c := x.opened(tcp4)
		set(x, c, SO_SNDTIMEO, 100*time.Millisecond)
		x.connect(c, x.server(tcp4))
	}
	if cookies > 0 {
		x.awaitQueue(l, cookies)
	}
	x.waiting(l)
}
