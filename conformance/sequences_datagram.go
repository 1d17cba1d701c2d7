package conformance

import . "sockeye"

var udpSequences = []script{
	{"what has begun goes on after SHUT_WR", func(x *calls, k kind) {
		c, s := x.datagrams(k)
		x.send(c, "ee", MSG_MORE)
		x.shutdown(c, SHUT_WR)
		x.send(c, "pp", 0)
		x.await(s, POLLIN)
		x.recv(s, 9, 0)
		x.send(c, "qq", 0)
	}},
	{"what has begun goes where it began to", func(x *calls, k kind) {
		s := x.bound(k)
		c := x.opened(k)
		x.sendto(c, "ee", MSG_MORE, x.server(k))
		x.sendto(c, "pp", MSG_MORE, ip4("127.0.0.1", 9))
		x.sendto(c, "qq", 0, loopback(k.family, 0))
		x.await(s, POLLIN)
		x.recv(s, 9, 0)
	}},
	{"MSG_OOB to IPv4", func(x *calls, k kind) {
		s := x.opened(k)
		x.sendto(s, "l", MSG_OOB, ip4("127.0.0.1", port))
		x.sendto(s, "l", MSG_OOB, ip4("127.0.0.1", 0))
		x.connect(s, loopback(k.family, port))
		x.send(s, "l", MSG_OOB)
	}},
	{"an empty datagram is peeked at once", func(x *calls, k kind) {
		c, s := x.datagrams(k)
		x.nonblock(s)
		x.setInt(s, SO_PEEK_OFF, 0)
		x.send(c, "", 0)
		x.awaitQuietly(s, POLLIN)
		x.recv(s, 4, MSG_PEEK)
		x.recv(s, 4, MSG_PEEK)
		x.recv(s, 4, 0)
	}},
	{"PKTINFO that was asked for too late", func(x *calls, k kind) {
		c, s := x.datagrams(k)
		x.send(c, "f", 0)
		x.awaitQuietly(s, POLLIN)
		x.setInt(s, IP_PKTINFO, 1)
		x.setInt(s, IPV6_RECVPKTINFO, 1)
		x.recvmsg(s, room(9, 128), 0)
	}},
	{"bound to an interface that is not here", func(x *calls, k kind) {
		s := x.bound(k)
		x.setInt(s, SO_BINDTOIFINDEX, 99)
		x.bind(s, unspecified(k.family, 0))
		x.sendto(s, "x", 0, x.server(k))
	}},
}

var rawSequences = []script{
	{"more to come", func(x *calls, k kind) {
		s := x.opened(k)
		x.nonblock(s)
		x.sendto(s, "first", MSG_MORE, loopback(k.family, 0))
		x.ready(s)
		x.outq(s)
		x.sendto(s, "second", 0, loopback(k.family, 0))
		x.await(s, POLLIN)
		x.recv(s, 0, MSG_TRUNC)
	}},
	{"connected to a port, which it has none of", func(x *calls, k kind) {
		s := x.opened(k)
		x.connect(s, x.name(s))
		x.send(s, "f", 0)
		x.await(s, POLLIN)
	}},
	{"AF_UNSPEC takes a bound address away", func(x *calls, k kind) {
		s := x.bound(k)
		x.connect(s, Sockaddr{})
		x.getsockname(s)
		x.setInt(s, IPV6_V6ONLY, 1)
	}},
	{"AF_UNSPEC, and no error any more", func(x *calls, k kind) {
		s := x.opened(k)
		x.connect(s, Sockaddr{})
		x.connect(s, loopback(k.family, 0))
		x.sendto(s, "s", 0, loopback(k.family, 0))
		x.ready(s)
	}},
	{"an empty one is peeked at once", func(x *calls, k kind) {
		s := x.opened(k)
		x.nonblock(s)
		x.sendto(s, "", 0, loopback(k.family, 0))
		x.awaitQuietly(s, POLLIN)
		x.recv(s, 0, MSG_PEEK|MSG_TRUNC)
		x.recv(s, 0, MSG_PEEK|MSG_TRUNC)
		x.recv(s, 0, MSG_TRUNC)
	}},
	{"RECVORIGDSTADDR takes what is there for a port", func(x *calls, k kind) {
		s := x.opened(k)
		x.setInt(s, IP_RECVORIGDSTADDR, 1)
		x.setInt(s, IPV6_RECVORIGDSTADDR, 1)
		for _, data := range []string{"p", "\x00\x01\x00\x02"} {
			x.sendto(s, data, 0, loopback(k.family, 0))
			x.awaitQuietly(s, POLLIN)
			x.recvmsg(s, room(0, 64), 0)
		}
	}},
}
