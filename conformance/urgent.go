package conformance

import . "sockeye"

// urgents is TCP's urgent data (RFC 6093) in each way that it can be read.
func urgents() []Scenario {
	return each([]kind{tcp4, tcp6, unixStream}, []script{
		{"out of band", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "abc", 0)
			x.awaitInq(a, 3)
			x.send(c, "de", MSG_OOB)
			x.await(a, POLLPRI)
			x.sel(a)
			x.sockatmark(a)
			x.recv(a, 10, 0)
			x.sockatmark(a)
			x.recv(a, 1, MSG_OOB)
			x.ready(a)
			x.recv(a, 1, MSG_OOB)
		}},
		{"read first, then the rest", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "ab", MSG_OOB)
			x.await(a, POLLPRI)
			x.recv(a, 1, MSG_OOB)
			x.recv(a, 1, MSG_OOB)
			x.recv(a, 10, 0)
			x.send(c, "cd", 0)
			x.recv(a, 10, 0)
		}},
		{"a peek at it", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "!", MSG_OOB)
			x.await(a, POLLPRI)
			x.recv(a, 1, MSG_OOB|MSG_PEEK)
			x.recvmsg(a, room(5, 0), MSG_OOB)
		}},
		{"a receive stops at the mark", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "before", 0)
			x.awaitInq(a, 6)
			x.send(c, "!", MSG_OOB)
			x.await(a, POLLPRI)
			x.send(c, "after", 0)
			x.recv(a, 20, 0)
			x.sockatmark(a)
			x.recv(a, 20, 0)
			x.sockatmark(a)
		}},
		{"SO_OOBINLINE", func(x *calls, k kind) {
			c, a := x.connection(k)
			set(x, a, SO_OOBINLINE, true)
			x.send(c, "before", 0)
			x.awaitInq(a, 6)
			x.send(c, "!", MSG_OOB)
			x.await(a, POLLPRI)
			x.recv(a, 1, MSG_OOB)
			x.recv(a, 20, 0)
			x.sockatmark(a)
			x.recv(a, 20, 0)
			x.sockatmark(a)
		}},
		{"a second one takes the place of the first", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "1", MSG_OOB)
			x.await(a, POLLPRI)
			x.send(c, "2", MSG_OOB)
			x.send(c, "x", 0)
			x.await(a, POLLIN)
			x.recv(a, 1, MSG_OOB)
			x.recv(a, 10, MSG_DONTWAIT)
		}},
		{"none", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.recv(a, 1, MSG_OOB)
			x.send(c, "x", 0)
			x.awaitInq(a, 1)
			x.recv(a, 1, MSG_OOB)
			x.sockatmark(a)
			x.send(c, "", MSG_OOB)
		}},
		{"at the end of the stream", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "!", MSG_OOB)
			x.await(a, POLLPRI)
			x.close(c)
			x.await(a, POLLRDHUP)
			x.recv(a, 1, MSG_OOB)
			x.recv(a, 10, 0)
			x.recv(a, 1, MSG_OOB)
		}},
	})
}
