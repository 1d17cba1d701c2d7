package conformance

import (
	"strings"
	"time"

	. "sockeye"
)

// datagrams is how datagrams keep their boundaries, their senders and their
// limits.
func datagrams() []Scenario {
	all := each([]kind{udp4, udp6, unixDgram}, []script{
		{"boundaries and order", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			for _, d := range []string{"one", "", "three"} {
				x.send(c, d, 0)
			}
			for range 3 {
				x.recvfrom(s, 10, 0)
			}
			x.recv(s, 10, MSG_DONTWAIT)
		}},
		{"a small buffer loses the rest", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.send(c, "hello", 0)
			x.send(c, "next", 0)
			x.recv(s, 2, 0)
			x.recv(s, 10, 0)
		}},
		{"MSG_TRUNC as an answer", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.send(c, "hello", 0)
			x.send(c, "hello", 0)
			x.recvmsg(s, room(2, 0), 0)
			x.recvmsg(s, room(5, 0), 0)
		}},
		{"MSG_TRUNC as a flag", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.send(c, "hello", 0)
			x.send(c, "hello", 0)
			x.recv(s, 2, MSG_TRUNC|MSG_PEEK)
			x.recv(s, 2, MSG_TRUNC)
			x.recvmsg(s, room(2, 0), MSG_TRUNC)
		}},
		{"no room at all takes the datagram", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.send(c, "hello", 0)
			x.awaitQuietly(s, POLLIN)
			x.recv(s, 0, 0)
			x.recv(s, 5, MSG_DONTWAIT)
		}},
		{"MSG_PEEK", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.send(c, "hello", 0)
			x.recvfrom(s, 2, MSG_PEEK)
			x.recvfrom(s, 10, MSG_PEEK)
			x.recvfrom(s, 10, 0)
		}},
		{"SO_PEEK_OFF", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.setInt(s, SO_PEEK_OFF, 1)
			x.send(c, "hello", 0)
			x.recv(s, 2, MSG_PEEK)
			x.recv(s, 2, MSG_PEEK)
			x.get(s, SO_PEEK_OFF)
			x.recv(s, 10, 0)
			x.get(s, SO_PEEK_OFF)
		}},
		{"MSG_WAITALL does not gather", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.send(c, "one", 0)
			x.send(c, "two", 0)
			x.recv(s, 6, MSG_WAITALL)
		}},
		{"SIOCINQ is the next one's length", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.inq(s)
			x.send(c, "hello", 0)
			x.send(c, "x", 0)
			x.awaitQuietly(s, POLLIN)
			x.inq(s)
			x.recv(s, 10, 0)
		}},
		{"answers to many peers", func(x *calls, k kind) {
			var s *fd
			x.quietly(func() { s = x.as("server", x.bound(k)) })
			var peers []*fd
			for i := range 3 {
				p := x.opened(k)
				if k.family == AF_UNIX {
					x.bind(p, x.path("peer"+itoa(i)))
				}
				x.sendto(p, "from "+itoa(i), 0, x.server(k))
				data, from := x.recvfrom(s, 10, 0)
				x.sendto(s, "to you who sent "+data, 0, from)
				peers = append(peers, p)
			}
			for _, p := range peers {
				x.recvfrom(p, 50, 0)
			}
		}},
		{"a connected socket takes from its peer alone", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			stranger := x.opened(k)
			x.sendto(stranger, "stranger", 0, x.name(c))
			x.sendto(s, "peer", 0, x.name(c))
			x.recvfrom(c, 10, 0)
			x.recv(c, 10, MSG_DONTWAIT)
		}},
		{"connecting keeps what waits already", func(x *calls, k kind) {
			s, stranger := x.bound(k), x.opened(k)
			x.sendto(stranger, "early", 0, x.server(k))
			x.awaitQuietly(s, POLLIN)
			x.bind(x.opened(k), x.third(k))
			x.connect(s, x.third(k))
			x.recv(s, 10, MSG_DONTWAIT)
			x.sendto(stranger, "late", 0, x.server(k))
			x.recv(s, 10, MSG_DONTWAIT)
		}},
		{"a connected socket may name another receiver", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			o := x.opened(k)
			x.bind(o, x.other(k))
			x.sendto(c, "other", 0, x.other(k))
			x.send(c, "peer", 0)
			x.recv(o, 10, 0)
			x.recv(s, 10, 0)
		}},
		{"without a receiver", func(x *calls, k kind) {
			f := x.opened(k)
			x.send(f, "x", 0)
			x.sendto(f, "x", 0, Sockaddr{})
			x.sendmsg(f, message("x", Sockaddr{}, nil, nil), 0)
			x.getsockname(f)
		}},
		{"SO_RCVTIMEO", func(x *calls, k kind) {
			f := x.bound(k)
			set(x, f, SO_RCVTIMEO, 20*time.Millisecond)
			x.recv(f, 1, 0)
			x.recvfrom(f, 1, 0)
			x.recvmmsg(f, []Message{*room(1, 0)}, 0)
		}},
		{"recvmmsg and SO_RCVTIMEO", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			set(x, s, SO_RCVTIMEO, 100*time.Millisecond)
			x.send(c, "one", 0)
			x.awaitQuietly(s, POLLIN)
			x.recvmmsg(s, []Message{*room(5, 0), *room(5, 0)}, 0)
		}},
		{"sendmmsg and recvmmsg", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.sendmmsg(c, []Message{*message("one", Sockaddr{}, nil, nil), *message("", Sockaddr{}, nil, nil), *message("three", Sockaddr{}, nil, nil)}, 0)
			x.recvmmsg(s, []Message{*room(2, 0), *room(5, 0), *room(5, 0)}, 0)
			x.recvmmsg(s, []Message{*room(5, 0)}, MSG_DONTWAIT)
			x.recvmmsg(s, nil, 0)
		}},
		{"recvmmsg with MSG_WAITFORONE", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.send(c, "one", 0)
			x.recvmmsg(s, []Message{*room(5, 0), *room(5, 0)}, MSG_WAITFORONE)
		}},
		{"sendmmsg with one that cannot be sent", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			tooLong := *message(strings.Repeat("x", 1<<18), Sockaddr{}, nil, nil)
			x.sendmmsg(c, []Message{*message("one", Sockaddr{}, nil, nil), tooLong, *message("three", Sockaddr{}, nil, nil)}, 0)
			x.sendmmsg(c, []Message{tooLong}, 0)
			x.recv(s, 10, 0)
			x.recv(s, 10, MSG_DONTWAIT)
		}},
		{"shut down", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.shutdown(c, SHUT_WR)
			x.send(c, "x", 0)
			x.sendto(s, "to the half-closed", 0, x.name(c))
			x.recv(c, 20, 0)
			x.shutdown(c, SHUT_RD)
			x.recv(c, 20, 0)
			x.ready(c)
		}},
		{"timestamps", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			for _, o := range []AnyOption{SO_TIMESTAMP, SO_TIMESTAMPNS} {
				x.setInt(s, o, 1)
				x.send(c, "x", 0)
				x.recvmsg(s, room(5, 128), 0)
				x.setInt(s, o, 0)
			}
			x.send(c, "x", 0)
			x.recvmsg(s, room(5, 128), 0)
		}},
		{"too little room for ancillary data", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.setInt(s, SO_TIMESTAMPNS, 1)
			for _, n := range []int{0, 8, 16, 24, 31, 32} {
				x.send(c, "x", 0)
				x.recvmsg(s, room(5, n), 0)
			}
		}},
	})
	return append(all, each([]kind{udp4, udp6}, []script{
		{"the largest payload", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			largest := 65507
			if k == udp6 {
				largest = 65527
			}
			set(x, s, SO_RCVBUF, 100000)
			for _, n := range []int{largest, largest + 1, 70000} {
				x.send(c, strings.Repeat("0123456789abcdef", 5000)[:n], 0)
			}
			x.recv(s, 70000, 0)
			x.recv(s, 70000, MSG_DONTWAIT)
		}},
		{"port 0 and addresses that are too short", func(x *calls, k kind) {
			f := x.opened(k)
			x.sendto(f, "x", 0, loopback(k.family, 0))
			for _, n := range []int{1, 2, 8, 15, 23} {
				x.sendto(f, "x", 0, resized(x.server(k), n))
			}
		}},
		{"MSG_MORE grows one datagram", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.send(c, "one", MSG_MORE)
			x.send(c, "two", MSG_MORE)
			x.ready(s)
			x.send(c, "three", 0)
			x.recv(s, 20, 0)
			x.recv(s, 20, MSG_DONTWAIT)
		}},
		{"UDP_CORK grows one datagram", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			set(x, c, UDP_CORK, true)
			x.send(c, "one", 0)
			x.send(c, "two", 0)
			x.ready(s)
			set(x, c, UDP_CORK, false)
			x.recv(s, 20, 0)
		}},
		{"a corked socket has one receiver", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.bind(x.opened(k), x.other(k))
			x.send(c, "one", MSG_MORE)
			x.sendto(c, "two", 0, x.other(k))
			x.recv(s, 20, 0)
		}},
		{"UDP_SEGMENT cuts one send", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			set(x, c, UDP_SEGMENT, 4)
			x.send(c, "aaaabbbbcc", 0)
			for range 3 {
				x.recv(s, 20, 0)
			}
			x.recv(s, 20, MSG_DONTWAIT)
		}},
		{"UDP_SEGMENT as ancillary data", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.sendmsg(c, message("aaaabb", Sockaddr{}, AppendSegmentSize(nil, 4), nil), 0)
			x.recv(s, 20, 0)
			x.recv(s, 20, 0)
			x.sendmsg(c, message(strings.Repeat("x", 200), Sockaddr{}, AppendSegmentSize(nil, 1), nil), 0)
		}},
		{"UDP_GRO keeps them together", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			set(x, s, UDP_GRO, true)
			x.sendmsg(c, message("aaaabbbbcc", Sockaddr{}, AppendSegmentSize(nil, 4), nil), 0)
			x.recvmsg(s, room(20, 64), 0)
			x.send(c, "alone", 0)
			x.recvmsg(s, room(20, 64), 0)
		}},
		{"a full receive queue drops what comes", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			set(x, s, SO_RCVBUF, 0)
			set(x, s, SO_RXQ_OVFL, true)
			for range 20 {
				x.quietly(func() { x.send(c, strings.Repeat("x", 500), 0) })
			}
			x.awaitQuietly(s, POLLIN)
			n := 0
			for p := make([]byte, 500); ; n++ {
				if _, err := s.s.Recv(p, MSG_DONTWAIT); err != nil {
					break
				}
			}
			x.note("some of 20 were kept, not all: %t", n > 0 && n < 20)
		}},
		{"MSG_DONTROUTE", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.send(c, "x", MSG_DONTROUTE)
			x.recv(s, 5, 0)
			x.sendto(x.opened(k), "x", MSG_DONTROUTE, elsewhere(k))
		}},
		{"no route", func(x *calls, k kind) {
			f := x.opened(k)
			x.sendto(f, "x", 0, elsewhere(k))
			x.connect(f, elsewhere(k))
			x.getsockname(f)
		}},
		{"to any address is to the loopback", func(x *calls, k kind) {
			var s *fd
			x.quietly(func() { s = x.as("server", x.bound(k)) })
			x.sendto(x.opened(k), "x", 0, unspecified(k.family, port))
			x.recvfrom(s, 5, 0)
		}},
		{"reconnecting moves the filter", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			o := x.opened(k)
			x.bind(o, x.other(k))
			x.connect(c, x.other(k))
			x.getpeername(c)
			x.sendto(s, "old peer", 0, x.name(c))
			x.sendto(o, "new peer", 0, x.name(c))
			x.recv(c, 10, 0)
		}},
		{"AF_UNSPEC takes the filter away", func(x *calls, k kind) {
			f := x.bound(k)
			x.connect(f, x.third(k))
			x.connect(f, Sockaddr{})
			x.sendto(x.opened(k), "x", 0, x.server(k))
			x.recv(f, 5, 0)
			x.send(f, "x", 0)
		}},
	})...)
}
