package conformance

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"time"

	. "sockeye"
)

// streams is how bytes and records go through a connection, to its end.
func streams() []Scenario {
	connected := []kind{tcp4, tcp6, unixStream, unixSeqpacket}
	all := each(connected, []script{
		{"there and back", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "hello", 0)
			x.recv(a, 10, 0)
			x.sendto(a, "answer", 0, Sockaddr{})
			x.recvfrom(c, 10, 0)
			x.write(c, "more")
			x.read(a, 10)
		}},
		{"read gives the end", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.write(c, "x")
			x.close(c)
			x.read(a, 10)
			x.read(a, 10)
		}},
		{"two sends, one large receive", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "one", 0)
			x.send(c, "two", 0)
			x.awaitInq(a, 6)
			x.inq(a)
			x.recv(a, 10, 0)
			x.recv(a, 10, MSG_DONTWAIT)
		}},
		{"one send, small receives", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "hello", 0)
			x.recv(a, 3, 0)
			x.recv(a, 3, MSG_DONTWAIT)
			x.recv(a, 3, MSG_DONTWAIT)
		}},
		{"MSG_PEEK leaves the data", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "hello", 0)
			x.recv(a, 3, MSG_PEEK)
			x.recv(a, 10, MSG_PEEK)
			x.recv(a, 10, 0)
			x.recv(a, 10, MSG_PEEK|MSG_DONTWAIT)
		}},
		{"SO_PEEK_OFF moves on", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.setInt(a, SO_PEEK_OFF, 1)
			x.send(c, "hello", 0)
			x.recv(a, 2, MSG_PEEK)
			x.get(a, SO_PEEK_OFF)
			x.recv(a, 2, MSG_PEEK)
			x.recv(a, 1, 0)
			x.get(a, SO_PEEK_OFF)
			x.recv(a, 2, MSG_PEEK|MSG_DONTWAIT)
		}},
		{"MSG_TRUNC", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "hello", 0)
			x.awaitQuietly(a, POLLIN)
			x.recvmsg(a, room(3, 0), MSG_TRUNC)
			x.recvmsg(a, room(3, 0), MSG_DONTWAIT)
		}},
		{"MSG_WAITALL over several sends", func(x *calls, k kind) {
			c, a := x.connection(k)
			waiting := x.start(func(y *calls) { y.recv(a, 6, MSG_WAITALL) })
			x.send(c, "one", 0)
			if k.typ == SOCK_STREAM {
				x.send(c, "two", 0)
			}
			x.join(waiting)
		}},
		{"MSG_WAITALL ends with the stream", func(x *calls, k kind) {
			c, a := x.connection(k)
			waiting := x.start(func(y *calls) { y.recv(a, 6, MSG_WAITALL) })
			x.send(c, "one", 0)
			x.close(c)
			x.join(waiting)
			x.recv(a, 6, MSG_WAITALL)
		}},
		{"MSG_WAITALL and MSG_PEEK", func(x *calls, k kind) {
			c, a := x.connection(k)
			waiting := x.start(func(y *calls) { y.recv(a, 6, MSG_WAITALL|MSG_PEEK) })
			x.send(c, "one", 0)
			if k.typ == SOCK_STREAM {
				x.send(c, "two", 0)
			}
			x.join(waiting)
			x.recv(a, 10, 0)
		}},
		{"MSG_WAITALL and MSG_DONTWAIT", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "one", 0)
			x.awaitQuietly(a, POLLIN)
			x.recv(a, 6, MSG_WAITALL|MSG_DONTWAIT)
			x.recv(a, 6, MSG_WAITALL|MSG_DONTWAIT)
		}},
		{"MSG_WAITALL and SO_RCVTIMEO", func(x *calls, k kind) {
			c, a := x.connection(k)
			set(x, a, SO_RCVTIMEO, 100*time.Millisecond)
			x.send(c, "one", 0)
			x.awaitQuietly(a, POLLIN)
			x.recv(a, 6, MSG_WAITALL)
			x.recv(a, 6, MSG_WAITALL)
		}},
		{"MSG_WAITALL with recvmsg", func(x *calls, k kind) {
			c, a := x.connection(k)
			m := &Message{Buffers: [][]byte{make([]byte, 2), make([]byte, 4)}}
			waiting := x.start(func(y *calls) { y.recvmsg(a, m, MSG_WAITALL) })
			x.send(c, "one", 0)
			if k.typ == SOCK_STREAM {
				x.send(c, "two", 0)
			}
			x.join(waiting)
		}},
		{"SO_RCVLOWAT waits for that much", func(x *calls, k kind) {
			c, a := x.connection(k)
			set(x, a, SO_RCVLOWAT, 4)
			x.send(c, "abc", 0)
			x.awaitInq(a, 3)
			x.ready(a)
			x.recv(a, 10, MSG_DONTWAIT)
			waiting := x.start(func(y *calls) { y.recv(a, 10, 0) })
			x.send(c, "defg", 0)
			x.join(waiting)
		}},
		{"SO_RCVTIMEO", func(x *calls, k kind) {
			c, a := x.connection(k)
			set(x, a, SO_RCVTIMEO, 20*time.Millisecond)
			x.recv(a, 1, 0)
			x.recvfrom(a, 1, 0)
			x.recvmsg(a, room(1, 0), 0)
			x.send(c, "x", 0)
			x.awaitQuietly(a, POLLIN)
			x.recv(a, 1, 0)
		}},
		{"SO_RCVTIMEO of less than nothing", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.setBytes(a, SO_RCVTIMEO, ints(-1, -1, 0, 0))
			x.recv(a, 1, 0)
			x.send(c, "x", 0)
			x.awaitQuietly(a, POLLIN)
			x.recv(a, 1, 0)
		}},
		{"SO_SNDTIMEO", func(x *calls, k kind) {
			c, _ := x.connection(k)
			set(x, c, SO_SNDTIMEO, 20*time.Millisecond)
			x.sendPart(c, 64<<20, 0)
			if k.is("tcp") { // what is on its way still makes room
				for err := error(nil); err == nil; {
					_, err = c.s.Send([]byte("x"), 0)
					if err != nil {
						x.log(result(err), "send(%v, \"x\", 0) at last", c)
					}
				}
				return
			}
			x.fillStream(c)
			x.send(c, "x", 0)
			x.ready(c)
		}},
		{"a full buffer", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.fillStream(c)
			x.nonblock(c)
			if k.is("unix") {
				x.send(c, "x", 0)
				x.ready(c)
			}
			x.drain(a, c)
			x.await(c, POLLOUT)
			x.send(c, "x", 0)
		}},
		{"a large non-blocking send is taken in part", func(x *calls, k kind) {
			c, _ := x.connection(k)
			x.sendPart(c, 64<<20, MSG_DONTWAIT)
		}},
		{"a large blocking send is taken whole", func(x *calls, k kind) {
			c, a := x.connection(k)
			size := 4 << 20
			if k.typ == SOCK_SEQPACKET {
				size = 100000
			}
			data := strings.Repeat("0123456789abcdef", size/16)
			sending := x.start(func(y *calls) { y.send(c, data, 0) })
			x.recv(a, len(data), MSG_WAITALL)
			x.join(sending)
		}},
		{"sendmsg gathers and recvmsg scatters", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.sendmsg(c, &Message{Buffers: [][]byte{[]byte("ab"), nil, []byte("cde")}}, 0)
			x.recvmsg(a, &Message{Buffers: [][]byte{make([]byte, 1), nil, make([]byte, 3), make([]byte, 5)}}, 0)
			x.sendmsg(c, &Message{}, 0)
			x.recvmsg(a, &Message{}, MSG_DONTWAIT)
		}},
		{"sendmmsg and recvmmsg", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.sendmmsg(c, []Message{*message("one", Sockaddr{}, nil, nil), *message("two", Sockaddr{}, nil, nil)}, 0)
			x.awaitInq(a, 6)
			x.recvmmsg(a, []Message{*room(3, 0), *room(3, 0), *room(3, 0)}, MSG_WAITFORONE)
		}},
		{"an empty send", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "", 0)
			x.send(c, "x", 0)
			x.recv(a, 5, 0)
			x.recv(a, 5, MSG_DONTWAIT)
		}},
		{"MSG_DONTROUTE, MSG_CONFIRM, MSG_NOSIGNAL, MSG_EOR, MSG_MORE", func(x *calls, k kind) {
			c, a := x.connection(k)
			for _, f := range []MsgFlags{MSG_DONTROUTE, MSG_CONFIRM, MSG_NOSIGNAL, MSG_EOR, MSG_MORE, 0} {
				x.send(c, "x", f)
			}
			if k.typ == SOCK_STREAM {
				x.recv(a, 6, MSG_WAITALL)
				return
			}
			for range 6 {
				x.recvmsg(a, room(5, 0), 0)
			}
		}},
		{"half-closed, the answer still comes", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "question", 0)
			x.shutdown(c, SHUT_WR)
			x.recv(a, 20, 0)
			x.recv(a, 20, 0)
			x.ready(a)
			x.send(a, "answer", 0)
			x.recv(c, 20, 0)
			x.close(a)
			x.recv(c, 20, 0)
			x.ready(c)
		}},
		{"SHUT_WR of both", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.shutdown(c, SHUT_WR)
			x.await(a, POLLRDHUP)
			x.shutdown(a, SHUT_WR)
			x.await(c, POLLRDHUP|POLLHUP)
			x.await(a, POLLHUP)
			x.send(c, "x", 0)
			x.recv(c, 1, 0)
		}},
		{"SHUT_RD and then data", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.shutdown(a, SHUT_RD)
			x.ready(a)
			x.recv(a, 5, 0)
			x.send(c, "late", 0)
			x.recv(a, 5, MSG_DONTWAIT)
			x.ready(c)
			x.send(a, "still", 0)
			x.recv(c, 10, 0)
		}},
		{"SHUT_RD after data", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "early", 0)
			x.awaitQuietly(a, POLLIN)
			x.shutdown(a, SHUT_RD)
			x.ready(a)
			x.recv(a, 10, 0)
			x.recv(a, 10, 0)
		}},
		{"a second shutdown", func(x *calls, k kind) {
			c, _ := x.connection(k)
			x.shutdown(c, SHUT_WR)
			x.shutdown(c, SHUT_WR)
			x.shutdown(c, SHUT_RDWR)
			x.getpeername(c)
		}},
		{"send after the peer has closed", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.close(a)
			x.await(c, POLLRDHUP)
			x.send(c, "one", 0)
			x.await(c, POLLHUP)
			x.send(c, "two", 0)
			x.send(c, "three", 0)
			x.recv(c, 1, 0)
			x.get(c, SO_ERROR)
		}},
		{"close with data unread", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "unread", 0)
			x.send(a, "waits", 0)
			x.awaitQuietly(a, POLLIN)
			x.awaitQuietly(c, POLLIN)
			x.close(a)
			x.await(c, POLLHUP)
			x.recv(c, 10, 0)
			x.recv(c, 10, 0)
			x.recv(c, 10, 0)
		}},
		{"SO_LINGER 0", func(x *calls, k kind) {
			c, a := x.connection(k)
			set(x, a, SO_LINGER, Linger{On: true})
			x.close(a)
			x.await(c, POLLHUP)
			x.recv(c, 1, 0)
			x.recv(c, 1, 0)
			x.send(c, "x", 0)
		}},
		{"SO_LINGER with time", func(x *calls, k kind) {
			c, a := x.connection(k)
			set(x, a, SO_LINGER, Linger{On: true, Seconds: 5})
			x.send(a, "all of it", 0)
			x.close(a)
			x.recv(c, 10, 0)
			x.recv(c, 10, 0)
		}},
		{"the reset is told once", func(x *calls, k kind) {
			c, a := x.connection(k)
			set(x, a, SO_LINGER, Linger{On: true})
			x.close(a)
			x.await(c, POLLHUP)
			x.get(c, SO_ERROR)
			x.get(c, SO_ERROR)
			x.ready(c)
			x.recv(c, 1, 0)
			x.getpeername(c)
		}},
	})
	all = append(all, each([]kind{tcp4, tcp6}, []script{
		// Linux holds back for 200 ms at most (tcp(7)).
		{"TCP_CORK holds a partial segment", func(x *calls, k kind) {
			x.within(100*time.Millisecond, func() {
				c, a := x.connection(k)
				set(x, c, TCP_CORK, true)
				x.send(c, "one", 0)
				x.outq(c)
				x.ready(a)
				x.send(c, "two", 0)
				set(x, c, TCP_CORK, false)
				x.recv(a, 6, MSG_WAITALL)
			})
		}},
		{"MSG_MORE holds a partial segment", func(x *calls, k kind) {
			x.within(100*time.Millisecond, func() {
				c, a := x.connection(k)
				x.send(c, "one", MSG_MORE)
				x.outq(c)
				x.ready(a)
				x.send(c, "two", 0)
				x.recv(a, 6, MSG_WAITALL)
			})
		}},
		{"shutdown sends what TCP_CORK held", func(x *calls, k kind) {
			c, a := x.connection(k)
			set(x, c, TCP_CORK, true)
			x.send(c, "held", 0)
			x.shutdown(c, SHUT_WR)
			x.recv(a, 10, MSG_WAITALL)
			x.recv(a, 10, 0)
		}},
		{"TCP_NODELAY sends what MSG_MORE held", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "held", MSG_MORE)
			set(x, c, TCP_NODELAY, true)
			x.recv(a, 10, 0)
		}},
		{"SIOCOUTQ falls to 0 once all is acknowledged", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.send(c, "hello", 0)
			x.recv(a, 5, 0)
			x.awaitOutq(c)
			x.outq(c)
		}},
		{"TCP_INQ tells what is left", func(x *calls, k kind) {
			c, a := x.connection(k)
			set(x, a, TCP_INQ, true)
			x.send(c, "hello", 0)
			x.recvmsg(a, room(2, 64), 0)
		}},
		{"timestamps", func(x *calls, k kind) {
			c, a := x.connection(k)
			set(x, a, SO_TIMESTAMPNS, true)
			// The system may take its time to begin (net_enable_timestamp).
			for m := room(10, 64); m.ControlN == 0; {
				x.quietly(func() {
					x.send(c, "hello", 0)
					x.recvmsg(a, m, 0)
				})
				x.pause()
			}
			x.send(c, "hello", 0)
			x.recvmsg(a, room(10, 64), 0)
		}},
		{"the states of an orderly end", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.get(c, TCP_INFO)
			x.shutdown(c, SHUT_WR)
			x.awaitTCP(c, TCP_FIN_WAIT2)
			x.get(c, TCP_INFO)
			x.awaitTCP(a, TCP_CLOSE_WAIT)
			x.get(a, TCP_INFO)
			x.shutdown(a, SHUT_WR)
			x.awaitTCP(a, TCP_CLOSE)
			x.get(a, TCP_INFO)
			x.awaitTCP(c, TCP_CLOSE)
			x.get(c, TCP_INFO)
		}},
		{"TCP_LINGER2 of -1 ends FIN-WAIT-2 at once", func(x *calls, k kind) {
			c, a := x.connection(k)
			x.setInt(c, TCP_LINGER2, -1)
			x.close(c)
			x.await(a, POLLHUP|POLLERR) // the answer to the FIN's acknowledgement
			x.get(a, SO_ERROR)
			x.send(a, "x", 0)
		}},
	})...)
	return all
}

// awaitInq waits until so many bytes wait to be received.
func (x *calls) awaitInq(f *fd, n int) {
	for {
		got, err := f.s.Inq()
		if err != nil || got >= n {
			return
		}
		if time.Now().After(x.deadline) {
			x.fail("%d bytes wait at %v, not %d", got, f, n)
		}
		x.pause()
	}
}

// awaitOutq waits until all is acknowledged.
func (x *calls) awaitOutq(f *fd) {
	for {
		if n, err := f.s.Outq(); err != nil || n == 0 {
			return
		} else if time.Now().After(x.deadline) {
			x.fail("%d bytes of %v are not acknowledged", n, f)
		}
		x.pause()
	}
}

// fillStream sends until there is no room. How much that is is the machine's
// matter.
func (x *calls) fillStream(f *fd) {
	data := make([]byte, 32<<10)
	for _, n := range []int{len(data), 1} {
		for {
			if _, err := f.s.Send(data[:n], MSG_DONTWAIT); err != nil {
				x.log(result(err), "send(%v, ..., MSG_DONTWAIT) at last", f)
				break
			}
		}
	}
}

// sendPart sends more than there can be room for, and tells whether a part of
// it went.
func (x *calls) sendPart(f *fd, size int, flags MsgFlags) {
	n, err := f.s.Send(make([]byte, size), flags)
	part := counted(n, err)
	if n > 0 && n < size {
		part = "a part of it"
	}
	x.log(part, "send(%v, %d bytes, %v)", f, size, flags)
}

// drain receives until the sender may send again. That there is nothing to receive does
// not yet say so: the rest may be on its way.
func (x *calls) drain(f, sender *fd) {
	ctx, cancel := context.WithDeadline(context.Background(), x.deadline)
	defer cancel()
	p := make([]byte, 64<<10)
	for {
		_, err := f.s.Recv(p, MSG_DONTWAIT)
		switch {
		case err == nil:
			continue
		case !errors.Is(err, syscall.EAGAIN):
			x.fail("recv(%v): %v", f, err)
		case sender.s.Ready(POLLOUT) != 0:
			return
		}
		if _, err := x.site.Host.Poll(ctx, []PollFd{{Socket: f.s, Events: POLLIN}, {Socket: sender.s, Events: POLLOUT}}, -1); err != nil {
			x.fail("draining %v: %v", f, err)
		}
	}
}
