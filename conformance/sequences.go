package conformance

import (
	"net/netip"

	. "sockeye"
)

// sequences are programs of the kind that the random test in the directory random makes, each cut down to
// what once told the Go engine from the kernel.
func sequences() []Scenario {
	all := each([]kind{unixStream}, unixStreamSequences)
	all = append(all, each([]kind{unixDgram, unixSeqpacket}, unixDatagramSequences)...)
	all = append(all, each([]kind{tcp4, tcp6}, tcpSequences)...)
	all = append(all, each([]kind{udp4, udp6}, udpSequences)...)
	all = append(all, each([]kind{raw4, raw6}, rawSequences)...)
	for _, s := range []script{
		{"ping4/is bound once, to an address that is here", func(x *calls, _ kind) {
			s := x.opened(ping4)
			x.bind(s, ip4("192.0.2.1", port))
			x.bind(s, ip4("255.255.255.255", port))
			x.bind(s, ip4("127.0.0.1", port))
		}},
		{"ping4/longer than the MTU, which must not be cut", func(x *calls, _ kind) {
			s := x.opened(ping4)
			x.setInt(s, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
			x.quietly(func() { x.sendto(s, ping4.payload()+string(make([]byte, 3000)), 0, ip4("192.0.2.7", 0)) })
			x.sendto(s, ping4.payload()+string(make([]byte, 3000)), 0, ip4("192.0.2.7", 0))
		}},
		{"ping4/MSG_TRUNC does not tell the length", func(x *calls, k kind) {
			s := x.opened(ping4)
			x.sendto(s, ping4.payload(), 0, ip4("127.0.0.1", 0))
			x.awaitQuietly(s, POLLIN)
			x.recv(s, 0, MSG_TRUNC)
		}},
		{"ping6/the unspecified address is nobody's", func(x *calls, _ kind) {
			x.sendto(x.opened(ping6), ping6.payload(), 0, ip6("::", 0))
		}},
		{"ping6/not to IPv4", func(x *calls, _ kind) {
			x.sendto(x.opened(ping6), ping6.payload(), 0, ip6("::ffff:127.0.0.1", 0))
		}},
		{"icmp4/a message that is shorter than its header", func(x *calls, _ kind) {
			s := x.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
			x.nonblock(s)
			x.sendto(s, "more", 0, ip4("127.0.0.1", 0))
			x.recv(s, 9, 0)
		}},
		{"icmp4/no message without a type", func(x *calls, _ kind) {
			s := x.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
			x.sendto(s, "", 0, ip4("127.0.0.1", 0))
			x.sendto(s, "\x08", 0, ip4("198.51.100.1", 0))
		}},
		{"tcp4/a listener that is bound to the interface of its address", func(x *calls, _ kind) {
			l := x.opened(tcp4)
			x.bind(l, ip4("192.0.2.1", port))
			x.listen(l, 1)
			x.setInt(l, SO_BINDTOIFINDEX, 2)
			x.connect(x.opened(tcp4), ip4("192.0.2.1", port))
			x.await(l, POLLIN)
		}},
		{"tcp4/from the loopback to a broadcast address", func(x *calls, _ kind) {
			c := x.bound(tcp4)
			x.connect(c, ip4("192.0.2.255", port))
		}},
		{"udp4/from the loopback to a broadcast address", func(x *calls, _ kind) {
			s := x.opened(udp4)
			x.connect(s, ip4("127.0.0.1", port))
			x.connect(s, ip4("192.0.2.255", port))
			s = x.opened(udp4)
			x.bind(s, ip4("127.0.0.1", port))
			x.sendto(s, "h", 0, ip4("192.0.2.255", port))
			x.sendto(s, "h", 0, ip4("192.0.2.7", port))
		}},
		{"udp4/PKTINFO with an interface alone gives up the source", func(x *calls, _ kind) {
			s, c := x.opened(udp4), x.opened(udp4)
			x.bind(s, ip4("127.0.0.1", port))
			x.bind(c, ip4("127.0.0.2", port+1))
			x.sendmsg(c, message("x", ip4("127.0.0.1", port), AppendPktinfo4(nil, 1, netip.Addr{}), nil), 0)
			x.awaitQuietly(s, POLLIN)
			x.recvfrom(s, 9, 0)
		}},
		{"udp4/PKTINFO tells the interface that has the address", func(x *calls, _ kind) {
			s := x.opened(udp4)
			x.bind(s, ip4("192.0.2.1", port))
			x.setInt(s, IP_PKTINFO, 1)
			x.sendto(x.opened(udp4), "x", 0, ip4("192.0.2.1", port))
			x.awaitQuietly(s, POLLIN)
			x.recvmsg(s, room(9, 128), 0)
		}},
		{"udp4/bound to an interface, and to itself", func(x *calls, _ kind) {
			s := x.opened(udp4)
			x.setInt(s, SO_BINDTOIFINDEX, 2)
			x.bind(s, ip4("0.0.0.0", port))
			x.sendto(s, "w", 0, ip4("0.0.0.0", port))
			x.await(s, POLLIN)
			x.recvfrom(s, 9, 0)
			s = x.opened(udp4)
			x.bind(s, ip4("127.0.0.1", port+1))
			x.setInt(s, SO_BINDTOIFINDEX, 2)
			x.sendto(s, "w", 0, ip4("0.0.0.0", port+1))
			x.await(s, POLLIN)
		}},
		{"udp6/one version of IP to the other", func(x *calls, _ kind) {
			s := x.opened(udp6)
			x.bind(s, ip6("::ffff:127.0.0.1", port))
			x.sendto(s, "m", 0, ip6("::1", port+1))
			s = x.opened(udp6)
			x.bind(s, ip6("::ffff:0.0.0.0", port+1))
			x.sendto(s, "m", 0, ip6("::1", port))
			x.connect(s, Sockaddr{})
			x.getsockname(s)
			s = x.opened(udp6)
			x.bind(s, ip6("::1", port+2))
			x.sendto(s, "m", 0, ip6("::ffff:127.0.0.1", 0))
		}},
		{"udp6/the unspecified IPv4 address is this host's IPv4 one", func(x *calls, _ kind) {
			s := x.opened(udp6)
			x.connect(s, ip6("::ffff:0.0.0.0", port))
			x.getsockname(s)
			x.getpeername(s)
			x.sendto(s, "m", 0, ip6("::1", port))
			x.sendto(s, "m", MSG_OOB, ip6("::", port))
		}},
		{"udp6/UDP_NO_CHECK6_TX needs UDP_NO_CHECK6_RX", func(x *calls, _ kind) {
			c, s := x.datagrams(udp6)
			x.nonblock(s)
			x.setInt(c, UDP_NO_CHECK6_TX, 1)
			x.send(c, "unchecked", 0)
			x.recv(s, 20, 0)
			x.setInt(s, UDP_NO_CHECK6_RX, 1)
			x.send(c, "unchecked", 0)
			x.await(s, POLLIN)
			x.recv(s, 20, 0)
		}},
		{"udp6/AF_UNSPEC leaves the last peer as the only one", func(x *calls, _ kind) {
			s, c := x.opened(udp6), x.opened(udp6)
			x.bind(s, ip6("::", port))
			x.connect(s, ip6("::ffff:127.0.0.1", port))
			x.connect(s, Sockaddr{})
			x.connect(c, ip6("::1", port))
			x.send(c, "g", 0)
			x.await(c, POLLERR)
			x.get(c, SO_ERROR)
		}},
		{"raw4/a header of the program's that is too short", func(x *calls, _ kind) {
			s := x.opened(raw4)
			x.setInt(s, IP_HDRINCL, 1)
			x.shutdown(s, SHUT_WR)
			x.sendto(s, "short", 0, ip4("127.0.0.1", 0))
			x.sendto(s, string(make([]byte, 20)), 0, ip4("127.0.0.1", 0))
		}},
		{"raw4/into lo for somebody else", func(x *calls, _ kind) {
			s := x.opened(raw4)
			x.sendmsg(s, message("x", ip4("198.51.100.1", 0), AppendPktinfo4(nil, 1, netip.Addr{}), nil), 0)
			x.awaitQuietly(s, POLLIN)
			x.recvfrom(s, 0, 0)
		}},
		{"raw6/not to IPv4", func(x *calls, _ kind) {
			s := x.opened(raw6)
			x.sendto(s, "", 0, ip6("::ffff:127.0.0.1", 0))
			x.bind(s, ip6("::1", 0))
			x.connect(s, ip6("::ffff:127.0.0.1", 0))
			x.send(s, "", 0)
			x.sendto(s, "c", 0, ip6("::", 0))
		}},
	} {
		all = append(all, Scenario{
			Name: s.name, Needs: Needs{Ethernet: true, Sysctls: []string{pingAllowed}}, body: func(x *calls) { s.body(x, kind{}) },
		})
	}
	return all
}

var unixStreamSequences = []script{
	{"a peek at nothing names the sender", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.send(a, "g", 0)
		x.recvmsg(c, room(0, 64), MSG_PEEK)
		x.recvmsg(c, room(0, 64), 0)
		x.recv(c, 4, 0)
	}},
	{"no room for descriptors, nor for data", func(x *calls, k kind) {
		a, b := x.socketpair(k.family, k.typ, 0)
		x.sendmsg(a, message("hello", Sockaddr{}, nil, rights(b)), 0)
		x.recvmsg(b, room(0, 0), 0)
		x.recvmsg(b, room(8, 64), 0)
	}},
	{"urgent nothing, to a peer that is gone", func(x *calls, k kind) {
		a, b := x.socketpair(k.family, k.typ, 0)
		x.close(b)
		x.send(a, "", MSG_OOB)
		x.send(a, "x", MSG_OOB)
	}},
	{"an urgent byte without room for it", func(x *calls, k kind) {
		a, b := x.socketpair(k.family, k.typ, 0)
		x.send(a, "m", MSG_OOB)
		x.recv(b, 0, MSG_OOB)
		x.recv(b, 1, MSG_OOB|MSG_DONTWAIT)
	}},
	{"a peek without room goes on to the urgent byte", func(x *calls, k kind) {
		a, b := x.socketpair(k.family, k.typ, 0)
		x.nonblock(b)
		x.send(a, "abc", MSG_OOB)
		x.recv(b, 0, MSG_PEEK)
		x.recv(b, 0, 0)
		x.recv(b, 9, 0)
	}},
	{"a receive that wants more than there is takes the error with it", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.nonblock(c)
		x.send(a, "o", 0)
		x.send(c, "unread", 0)
		x.close(a)
		x.ready(c)
		x.recv(c, 4, MSG_WAITALL)
		x.ready(c)
	}},
	{"descriptors end a receive before it meets the error", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.send(c, "unread", 0)
		x.sendmsg(a, message("o", Sockaddr{}, nil, rights(x.opened(udp4))), 0)
		x.close(a)
		x.nonblock(c)
		x.recv(c, 4, MSG_WAITALL)
		x.ready(c)
	}},
	{"what was sent before accept has credentials", func(x *calls, k kind) {
		l := x.listening(k, 1)
		c := x.opened(k)
		x.connect(c, x.server(k))
		x.send(c, "before", 0)
		a := x.accept(l)
		x.send(c, "after", 0)
		x.setInt(a, SO_PASSCRED, 1)
		x.recvmsg(a, room(20, 64), 0)
		x.recvmsg(a, room(20, 64), 0)
	}},
	{"the end of the stream with SO_PASSSEC and no room", func(x *calls, k kind) {
		a, b := x.socketpair(k.family, k.typ, 0)
		x.shutdown(b, SHUT_WR)
		x.setInt(a, SO_PASSSEC, 1)
		x.recvmsg(a, room(4, 0), 0)
	}},
	{"the end of the stream with SO_PASSCRED", func(x *calls, k kind) {
		a, b := x.socketpair(k.family, k.typ, 0)
		x.shutdown(b, SHUT_WR)
		x.setInt(a, SO_PASSCRED, 1)
		x.recvmsg(a, room(4, 64), 0)
		x.recvmsg(a, room(4, 0), 0)
	}},
}

var unixDatagramSequences = []script{
	{"bad ancillary data comes before MSG_OOB", func(x *calls, k kind) {
		a, _ := x.socketpair(k.family, k.typ, 0)
		x.sendmsg(a, message("p", Sockaddr{}, AppendInt(nil, SOL_SOCKET, 91, 1), nil), MSG_OOB)
	}},
	{"the sender has the name that it has by now", func(x *calls, k kind) {
		a, b := x.socketpair(k.family, k.typ, 0)
		x.send(a, "ff", 0)
		x.bind(a, x.path("late"))
		x.recvfrom(b, 4, 0)
	}},
	{"an empty message is no reason for a reset", func(x *calls, k kind) {
		a, b := x.socketpair(k.family, k.typ, 0)
		x.send(a, "", 0)
		x.close(b)
		x.ready(a)
		x.send(a, "i", 0)
	}},
}

var tcpSequences = []script{
	{"bind looks at the address before it says that there is one", func(x *calls, k kind) {
		l := x.listening(k, 1)
		x.bind(l, k.foreign())
		c, _ := x.connected2(k, l)
		x.bind(c, k.foreign())
	}},
	{"a bind that fails takes the address away", func(x *calls, k kind) {
		l := x.listening(k, 1)
		c, _ := x.connected2(k, l)
		x.connect(c, Sockaddr{})
		x.bind(c, x.name(l))
		x.getsockname(c)
	}},
	{"what was accepted keeps the address of the listener", func(x *calls, k kind) {
		l := x.listening(k, 1)
		_, a := x.connected2(k, l)
		x.connect(a, Sockaddr{})
		x.getsockname(a)
		x.listen(a, 1)
		x.getsockname(a)
	}},
	{"shut down before connect was told", func(x *calls, k kind) {
		for _, how := range []How{SHUT_RD, SHUT_WR} {
			x.section("%v", how)
			x.listening(k, 1)
			c := x.opened(k)
			x.nonblock(c)
			x.connect(c, x.server(k))
			x.awaitTCP(c, TCP_ESTABLISHED)
			x.shutdown(c, how)
			x.connect(c, x.server(k))
		}
		x.section("refused")
		c := x.opened(k)
		x.nonblock(c)
		x.connect(c, x.third(k))
		x.awaitTCP(c, TCP_CLOSE)
		x.shutdown(c, SHUT_WR)
		x.connect(c, x.server(k))
	}},
	{"a listener that was shut down gives connections that are", func(x *calls, k kind) {
		l := x.opened(k)
		x.shutdown(l, SHUT_RDWR)
		x.listen(l, 5)
		c := x.opened(k)
		x.connect(c, loopback(k.family, x.name(l).Port()))
		x.await(c, POLLRDHUP)
	}},
	{"shut down, and connected to itself", func(x *calls, k kind) {
		s := x.opened(k)
		x.shutdown(s, SHUT_RDWR)
		x.bind(s, loopback(k.family, port))
		x.nonblock(s)
		x.connect(s, loopback(k.family, port))
		x.await(s, POLLHUP)
	}},
	{"urgent and more to come", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.send(a, "ppppp", MSG_OOB|MSG_MORE)
		x.await(c, POLLPRI)
		x.recv(c, 1, MSG_OOB)
	}},
	{"urgent after SHUT_RD", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.shutdown(c, SHUT_RD)
		x.send(a, "uuuu", MSG_OOB)
		x.await(c, POLLPRI)
	}},
	{"urgent, and reset since", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.send(a, "v", MSG_OOB)
		x.await(c, POLLPRI)
		x.connect(a, Sockaddr{})
		x.await(c, POLLERR)
		x.recv(c, 1, MSG_OOB)
	}},
	{"SIOCINQ ends at the urgent byte", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.send(a, "abc", MSG_OOB)
		x.send(a, "de", 0)
		x.awaitInfo(c, func(t TCPInfo) bool { return t.BytesReceived == 5 })
		x.inq(c)
		x.recv(c, 2, 0)
		x.inq(c)
		x.recv(c, 9, 0)
	}},
	{"the urgent byte with MSG_TRUNC", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.send(a, "m", MSG_OOB)
		x.await(c, POLLPRI)
		x.recv(c, 0, 0)
		x.recv(c, 4, MSG_OOB|MSG_TRUNC)
	}},
	{"a peek with MSG_TRUNC ends at the urgent byte", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.send(a, "abc", MSG_OOB)
		x.send(a, "d", 0)
		x.awaitInfo(c, func(t TCPInfo) bool { return t.BytesReceived == 4 })
		x.recv(c, 9, MSG_PEEK|MSG_TRUNC)
	}},
	{"writable below half of TCP_NOTSENT_LOWAT", func(x *calls, k kind) {
		c, _ := x.connection(k)
		x.setInt(c, TCP_NOTSENT_LOWAT, 2)
		x.setInt(c, TCP_CORK, 1)
		x.send(c, "a", 0)
		x.ready(c)
		x.setInt(c, TCP_NOTSENT_LOWAT, 3)
		x.ready(c)
	}},
	{"records go one by one", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.send(a, "first", MSG_EOR|MSG_MORE)
		x.send(a, "second", MSG_EOR|MSG_MORE)
		x.await(c, POLLIN)
		x.recv(c, 20, 0)
	}},
	{"recvmmsg gives the error before what there is", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.close(c)
		x.awaitQuietly(a, POLLRDHUP)
		x.send(a, "n", 0)
		x.awaitQuietly(a, POLLERR)
		x.recvmmsg(a, []Message{*room(9, 0)}, 0)
		x.recvmmsg(a, []Message{*room(9, 0)}, 0)
	}},
	{"TCP_MAXSEG of a connection that is over", func(x *calls, k kind) {
		c := x.opened(k)
		x.connect(c, x.third(k))
		x.get(c, TCP_MAXSEG)
		x.get(c, SO_PEERNAME)
	}},
	{"SO_PEERNAME of a peer that is gone", func(x *calls, k kind) {
		c, a := x.connection(k)
		set(x, a, SO_LINGER, Linger{On: true})
		x.close(a)
		x.awaitQuietly(c, POLLERR)
		x.getpeername(c)
		x.get(c, SO_PEERNAME)
	}},
	{"TCP_INQ at the end", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.setInt(c, TCP_INQ, 1)
		x.send(a, "abcd", 0)
		x.close(a)
		x.awaitQuietly(c, POLLRDHUP)
		x.recvmsg(c, room(2, 64), 0)
		x.recvmsg(c, room(9, 64), 0)
		x.recvmsg(c, room(9, 64), 0)
	}},
	{"TCP_NOTSENT_LOWAT after AF_UNSPEC", func(x *calls, k kind) {
		c := x.opened(k)
		x.connect(c, Sockaddr{})
		x.ready(c)
		x.setInt(c, TCP_NOTSENT_LOWAT, 2)
		x.ready(c)
		x.shutdown(c, SHUT_RDWR)
		x.ready(c)
	}},
	{"TCP_FASTOPEN_CONNECT of a listener", func(x *calls, k kind) {
		x.setInt(x.listening(k, 1), TCP_FASTOPEN_CONNECT, 1)
	}},
	{"options of the SYN are those of its version", func(x *calls, k kind) {
		_, a := x.connection(k)
		x.get(a, IP_MULTICAST_TTL)
		x.get(a, IPV6_MULTICAST_HOPS)
		x.get(a, IPV6_MULTICAST_IF)
		x.connect(a, Sockaddr{})
		x.get(a, IP_MULTICAST_TTL)
	}},
	{"a connection that is bound to another interface is reset", func(x *calls, k kind) {
		c, a := x.connection(k)
		x.setInt(a, SO_BINDTOIFINDEX, 2)
		x.send(c, "sssss", 0)
		x.await(c, POLLERR)
		x.get(c, SO_ERROR)
	}},
	{"from a bound port in TIME-WAIT", func(x *calls, k kind) {
		l := x.listening(k, 1)
		c, a := x.connected2(k, l)
		to := x.name(c)
		x.connect(l, Sockaddr{})
		x.close(a)
		x.awaitQuietly(c, POLLRDHUP)
		x.close(c)
		x.connect(l, to)
	}},
	{"IP_OPTIONS end with the end", func(x *calls, k kind) {
		c := x.opened(k)
		x.setBytes(c, IP_OPTIONS, []byte{0, 1, 0, 0})
		x.get(c, IP_OPTIONS)
	}},
}

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

// connected2 is a connection to a listener that is there.
func (x *calls) connected2(k kind, l *fd) (c, a *fd) {
	c = x.opened(k)
	x.connect(c, x.server(k))
	return c, x.accept(l)
}

// foreign is an address of the kind that no host here has.
func (k kind) foreign() Sockaddr {
	if k.family == AF_INET6 {
		return ip6("2001:db8:9::1", port)
	}
	return ip4("198.51.100.1", port)
}
