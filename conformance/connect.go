package conformance

import (
	"time"

	. "sockeye"
)

// connects is what connect(2) answers, on TCP first of all.
func connects() []Scenario {
	all := each([]kind{tcp4, tcp6}, []script{
		{"to a port that nobody listens on", func(x *calls, k kind) {
			c := x.opened(k)
			x.connect(c, x.server(k))
			x.get(c, SO_ERROR)
			x.ready(c)
			x.connect(c, x.server(k))
			x.listening(k, 1)
			x.connect(c, x.server(k))
		}},
		{"to a bound socket that does not listen", func(x *calls, k kind) {
			x.bound(k)
			x.connect(x.opened(k), x.server(k))
		}},
		{"blocking", func(x *calls, k kind) {
			_, c, a := x.connected(k)
			x.getsockname(c)
			x.getpeername(c)
			x.getsockname(a)
			x.getpeername(a)
			x.connect(c, x.server(k))
			x.connect(c, x.third(k))
		}},
		{"non-blocking", func(x *calls, k kind) {
			l := x.listening(k, 1)
			c := x.opened(k)
			x.nonblock(c)
			x.connect(c, x.server(k))
			x.await(c, POLLOUT)
			x.get(c, SO_ERROR)
			x.connect(c, x.server(k))
			x.connect(c, x.server(k))
			x.accept(l)
		}},
		{"non-blocking, refused", func(x *calls, k kind) {
			c := x.opened(k)
			x.nonblock(c)
			x.connect(c, x.server(k))
			x.await(c, POLLERR|POLLHUP)
			x.get(c, SO_ERROR)
			x.get(c, SO_ERROR)
			x.connect(c, x.server(k))
			x.await(c, POLLHUP)
			x.connect(c, x.server(k))
		}},
		{"non-blocking, refused, told by recv", func(x *calls, k kind) {
			c := x.opened(k)
			x.nonblock(c)
			x.connect(c, x.server(k))
			x.await(c, POLLERR|POLLHUP)
			x.recv(c, 1, 0)
			x.recv(c, 1, 0)
		}},
		{"non-blocking, under way", func(x *calls, k kind) {
			x.quietly(func() { x.fullListener(k) })
			c := x.opened(k)
			x.nonblock(c)
			x.connect(c, x.server(k))
			x.connect(c, x.server(k))
			x.ready(c)
			x.get(c, SO_ERROR)
			x.getpeername(c)
			x.shutdown(c, SHUT_RDWR)
			x.ready(c)
			x.connect(c, x.server(k))
		}},
		{"SO_SNDTIMEO leaves it under way", func(x *calls, k kind) {
			x.quietly(func() { x.fullListener(k) })
			c := x.opened(k)
			set(x, c, SO_SNDTIMEO, 20*time.Millisecond)
			x.connect(c, x.server(k))
			x.connect(c, x.server(k))
		}},
		{"TCP_USER_TIMEOUT ends it", func(x *calls, k kind) {
			x.quietly(func() { x.fullListener(k) })
			c := x.opened(k)
			set(x, c, TCP_USER_TIMEOUT, 20*time.Millisecond)
			x.connect(c, x.server(k))
			x.get(c, SO_ERROR)
			x.ready(c)
		}},
		{"to any address is to the loopback", func(x *calls, k kind) {
			l := x.listening(k, 1)
			c := x.opened(k)
			x.connect(c, unspecified(k.family, port))
			x.getpeername(c)
			x.accept(l)
		}},
		{"to port 0", func(x *calls, k kind) { x.connect(x.opened(k), loopback(k.family, 0)) }},
		{"to itself", func(x *calls, k kind) {
			c := x.bound(k)
			x.connect(c, x.server(k))
			x.send(c, "hello", 0)
			x.recv(c, 10, 0)
			x.shutdown(c, SHUT_WR)
			x.recv(c, 10, 0)
			x.awaitTCP(c, TCP_CLOSE)
			x.get(c, TCP_INFO)
		}},
		{"from a bound address", func(x *calls, k kind) {
			l := x.listening(k, 1)
			c := x.opened(k)
			x.bind(c, x.third(k))
			x.connect(c, x.server(k))
			x.accept(l)
		}},
		{"twice between the same two addresses", func(x *calls, k kind) {
			x.listening(k, 5)
			for range 2 {
				c := x.opened(k)
				set(x, c, SO_REUSEADDR, true)
				x.bind(c, x.third(k))
				x.connect(c, x.server(k))
			}
		}},
		{"AF_UNSPEC and again elsewhere", func(x *calls, k kind) {
			l, c, a := x.connected(k)
			x.connect(c, Sockaddr{})
			x.await(a, POLLHUP|POLLERR)
			x.recv(a, 1, 0)
			x.getpeername(c)
			x.ready(c)
			x.send(c, "x", 0)
			x.connect(c, x.server(k))
			x.accept(l)
			x.get(c, TCP_INFO)
		}},
		{"AF_UNSPEC makes a listener a fresh socket", func(x *calls, k kind) {
			l := x.listening(k, 1)
			x.connect(l, Sockaddr{})
			x.get(l, SO_ACCEPTCONN)
			x.getsockname(l)
			x.listen(l, 1)
			x.connect(x.opened(k), x.server(k))
		}},
		{"addresses that are too short or of another family", func(x *calls, k kind) {
			for _, n := range []int{1, 2, 8, 15, 23} {
				x.connect(x.opened(k), resized(x.server(k), n))
			}
			for _, f := range []int{int(AF_UNIX), int(AF_IPX), 999} {
				x.connect(x.opened(k), rawFamily(f, 28))
			}
			x.connect(x.opened(k), wrongFamily(k))
		}},
		{"multicast and broadcast", func(x *calls, k kind) {
			if k.family == AF_INET {
				x.connect(x.opened(k), ip4("239.1.1.1", port))
				x.connect(x.opened(k), ip4("255.255.255.255", port))
				x.connect(x.opened(k), ip4("127.255.255.255", port))
			} else {
				x.connect(x.opened(k), ip6("ff01::1", port))
			}
		}},
		{"no route", func(x *calls, k kind) {
			x.connect(x.opened(k), elsewhere(k))
		}},
	})
	for _, k := range []kind{tcp4, tcp6, udp4, udp6} {
		all = append(all, Scenario{Name: k.name + "/to addresses that interfaces have or lead to", Needs: Needs{Ethernet: true}, body: func(x *calls) {
			for _, a := range []string{"192.0.2.1", "192.0.2.255", "198.51.100.1", "239.1.1.1", "255.255.255.255", "2001:db8::1", "2001:db8:1::1", "fe80::1", "ff02::1"} {
				if sa := ip4OrIP6(a, port); sa.Family() == k.family {
					c := x.opened(k)
					x.nonblock(c)
					x.connect(c, sa)
					x.getsockname(c)
				}
			}
		}})
	}
	return append(all,
		Scenario{Name: "tcp/a neighbour that does not answer",
			Needs: Needs{Ethernet: true, Sysctls: []string{"net.ipv4.neigh.eth0.mcast_solicit=1", "net.ipv4.neigh.eth0.retrans_time_ms=50"}},
			body: func(x *calls) {
				c := x.opened(tcp4)
				x.connect(c, ip4("192.0.2.77", port))
				x.get(c, SO_ERROR)
			}},
		Scenario{Name: "dual stack/IPv4 clients of an IPv6 listener", body: func(x *calls) {
			l := x.opened(tcp6)
			x.bind(l, unspecified(AF_INET6, port))
			x.listen(l, 1)
			c := x.opened(tcp4)
			x.connect(c, loopback(AF_INET, port))
			a := x.accept(l)
			x.getsockname(a)
			x.getpeername(a)
			x.get(a, SO_DOMAIN)
			x.get(a, IPV6_V6ONLY)
			x.setInt(a, IP_TTL, 5)
			x.get(a, IP_TTL)
			x.setInt(a, IPV6_UNICAST_HOPS, 5)
			x.send(c, "hello", 0)
			x.recv(a, 5, 0)
		}},
		Scenario{Name: "dual stack/IPv6 sockets reach IPv4 servers", body: func(x *calls) {
			l := x.listening(tcp4, 1)
			c := x.opened(tcp6)
			x.connect(c, ip6("::ffff:127.0.0.1", port))
			x.getsockname(c)
			x.getpeername(c)
			x.accept(l)
			u := x.opened(udp6)
			x.connect(u, ip6("::ffff:127.0.0.1", port))
			x.getsockname(u)
		}},
		Scenario{Name: "dual stack/not with IPV6_V6ONLY", body: func(x *calls) {
			x.listening(tcp4, 1)
			for _, k := range []kind{tcp6, udp6} {
				c := x.opened(k)
				set(x, c, IPV6_V6ONLY, true)
				x.connect(c, ip6("::ffff:127.0.0.1", port))
			}
			l := x.opened(tcp6)
			set(x, l, IPV6_V6ONLY, true)
			x.bind(l, unspecified(AF_INET6, port+1))
			x.listen(l, 1)
			x.connect(x.opened(tcp4), loopback(AF_INET, port+1))
		}},
		Scenario{Name: "fast open/with a cookie", Needs: Needs{Sysctls: []string{"net.ipv4.tcp_fastopen=3"}}, body: fastOpen},
		Scenario{Name: "fast open/without cookies", Needs: Needs{Sysctls: []string{"net.ipv4.tcp_fastopen=519"}}, body: fastOpen},
		Scenario{Name: "fast open/switched off", Needs: Needs{Sysctls: []string{"net.ipv4.tcp_fastopen=0"}}, body: fastOpen},
		Scenario{Name: "fast open/TCP_FASTOPEN_CONNECT", Needs: Needs{Sysctls: []string{"net.ipv4.tcp_fastopen=519"}}, body: func(x *calls) {
			l := x.opened(tcp4)
			x.setInt(l, TCP_FASTOPEN, 5)
			x.bind(l, x.server(tcp4))
			x.listen(l, 5)
			c := x.opened(tcp4)
			set(x, c, TCP_FASTOPEN_CONNECT, true)
			x.connect(c, x.server(tcp4))
			x.ready(c)
			x.send(c, "early", 0)
			a := x.accept(l)
			x.recv(a, 10, 0)
			x.get(a, TCP_INFO)
			x.send(a, "late", 0)
			x.recv(c, 10, 0)
			x.get(c, TCP_INFO)
		}},
		Scenario{Name: "fast open/refused", Needs: Needs{Sysctls: []string{"net.ipv4.tcp_fastopen=519"}}, body: func(x *calls) {
			c := x.opened(tcp4)
			x.sendto(c, "early", MSG_FASTOPEN, x.server(tcp4))
		}},
		Scenario{Name: "udp/the source address follows the route", body: func(x *calls) {
			for _, k := range []kind{udp4, udp6} {
				c := x.opened(k)
				x.getsockname(c)
				x.connect(c, x.server(k))
				x.getsockname(c)
				x.connect(c, Sockaddr{})
				x.getsockname(c)
				x.getpeername(c)
			}
		}},
		Scenario{Name: "udp/a bound address stays after AF_UNSPEC", body: func(x *calls) {
			for _, k := range []kind{udp4, udp6} {
				c := x.bound(k)
				x.connect(c, x.third(k))
				x.connect(c, Sockaddr{})
				x.getsockname(c)
			}
		}},
	)
}

// elsewhere is an address outside of every network.
func elsewhere(k kind) Sockaddr {
	if k.family == AF_INET6 {
		return ip6("2001:db8:1::1", port)
	}
	return ip4("198.51.100.1", port)
}

func fastOpen(x *calls) {
	l := x.opened(tcp4)
	x.setInt(l, TCP_FASTOPEN, 5)
	x.get(l, TCP_FASTOPEN)
	x.bind(l, x.server(tcp4))
	x.listen(l, 5)
	for range 2 { // the first one brings the cookie
		c := x.opened(tcp4)
		if x.sendto(c, "early", MSG_FASTOPEN, x.server(tcp4)) == 0 {
			continue
		}
		a := x.accept(l)
		x.recv(a, 10, 0)
		x.send(a, "late", 0)
		x.recv(c, 10, 0)
		x.get(c, TCP_INFO)
	}
}
