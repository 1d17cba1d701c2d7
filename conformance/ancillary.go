package conformance

import (
	"net/netip"

	. "sockeye"
)

// ancillary is what datagrams carry besides data on IP sockets, both ways.
func ancillary() []Scenario {
	all := each([]kind{udp4, udp6}, []script{
		{"PKTINFO tells where a datagram came in", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.setInt(s, pktinfo(k), 1)
			x.send(c, "x", 0)
			x.recvmsg(s, room(5, 64), 0)
		}},
		{"PKTINFO chooses the source", func(x *calls, k kind) {
			_, s := x.datagrams(k)
			f := x.opened(k)
			if k == udp4 {
				x.sendmsg(f, message("x", x.server(k), AppendPktinfo4(nil, 0, netip.MustParseAddr("127.0.0.9")), nil), 0)
				x.sendmsg(f, message("x", x.server(k), AppendPktinfo4(nil, 1, netip.Addr{}), nil), 0)
				x.recvfrom(s, 5, 0)
			} else {
				x.sendmsg(f, message("x", x.server(k), AppendPktinfo6(nil, 0, netip.MustParseAddr("::1")), nil), 0)
				x.sendmsg(f, message("x", x.server(k), AppendPktinfo6(nil, 1, netip.Addr{}), nil), 0)
				x.recvfrom(s, 5, 0)
			}
			x.recvfrom(s, 5, 0)
		}},
		{"PKTINFO of an address or interface that is not here", func(x *calls, k kind) {
			f := x.opened(k)
			if k == udp4 {
				x.sendmsg(f, message("x", x.server(k), AppendPktinfo4(nil, 0, netip.MustParseAddr("198.51.100.1")), nil), 0)
				x.sendmsg(f, message("x", x.server(k), AppendPktinfo4(nil, 99, netip.Addr{}), nil), 0)
			} else {
				x.sendmsg(f, message("x", x.server(k), AppendPktinfo6(nil, 0, netip.MustParseAddr("2001:db8:1::1")), nil), 0)
				x.sendmsg(f, message("x", x.server(k), AppendPktinfo6(nil, 99, netip.Addr{}), nil), 0)
			}
		}},
		{"the time to live, as it was set and as it is asked for", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			recv, level := AnyOption(IP_RECVTTL), AnyOption(IP_TTL)
			if k == udp6 {
				recv, level = IPV6_RECVHOPLIMIT, IPV6_UNICAST_HOPS
			}
			x.setInt(s, recv, 1)
			x.send(c, "x", 0)
			x.recvmsg(s, room(5, 64), 0)
			x.setInt(c, level, 7)
			x.send(c, "x", 0)
			x.recvmsg(s, room(5, 64), 0)
			for _, v := range []int{9, 255, 0, 256} {
				x.sendmsg(c, message("x", Sockaddr{}, hopLimit(k, v), nil), 0)
			}
			x.recvmsg(s, room(5, 64), 0)
			x.recvmsg(s, room(5, 64), 0)
		}},
		{"the type of service, as it was set and as it is asked for", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			recv, level := AnyOption(IP_RECVTOS), AnyOption(IP_TOS)
			if k == udp6 {
				recv, level = IPV6_RECVTCLASS, IPV6_TCLASS
			}
			x.setInt(s, recv, 1)
			x.send(c, "x", 0)
			x.recvmsg(s, room(5, 64), 0)
			x.setInt(c, level, 0x28)
			x.send(c, "x", 0)
			x.recvmsg(s, room(5, 64), 0)
			for _, v := range []int{0x10, 0xff, 256, -2} {
				x.sendmsg(c, message("x", Sockaddr{}, trafficClass(k, v), nil), 0)
			}
			x.recvmsg(s, room(5, 64), 0)
			x.recvmsg(s, room(5, 64), 0)
		}},
		{"the original destination", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			if k == udp6 {
				x.setInt(s, IPV6_RECVORIGDSTADDR, 1)
			} else {
				x.setInt(s, IP_RECVORIGDSTADDR, 1)
			}
			x.send(c, "x", 0)
			x.recvmsg(s, room(5, 64), 0)
		}},
		{"all at once", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			wanted := []AnyOption{SO_TIMESTAMPNS, IP_PKTINFO, IP_RECVTTL, IP_RECVTOS}
			if k == udp6 {
				wanted = []AnyOption{SO_TIMESTAMPNS, IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS}
			}
			for _, o := range wanted {
				x.setInt(s, o, 1)
			}
			x.send(c, "x", 0)
			x.recvmsg(s, room(5, 256), 0)
			x.send(c, "x", 0)
			x.recvmsg(s, room(5, 80), 0)
		}},
		{"SO_TIMESTAMPING in software", func(x *calls, k kind) {
			c, s := x.datagrams(k)
			x.setInt(s, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE)
			x.send(c, "taken but not told", 0)
			x.recvmsg(s, room(20, 128), 0)
			// The kernel begins to take times a little later, but SO_TIMESTAMPNS makes up for it.
			x.setInt(s, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE|SOF_TIMESTAMPING_SOFTWARE)
			x.setInt(s, SO_TIMESTAMPNS, 1)
			x.send(c, "with SO_TIMESTAMPNS", 0)
			x.recvmsg(s, room(20, 128), 0)
			x.send(c, "with little room", 0)
			x.recvmsg(s, room(20, 64), 0)
		}},
		{"ancillary data that is wrong", func(x *calls, k kind) {
			c, _ := x.datagrams(k)
			for _, b := range [][]byte{
				AppendControl(nil, SOL_IP, 999, ints(1)), AppendControl(nil, SOL_IPV6, 999, ints(1)),
				AppendControl(nil, SOL_SOCKET, 999, ints(1)), AppendControl(nil, SOL_UDP, 999, ints(1)),
				AppendControl(nil, 999, 1, ints(1)), hopLimit(k, 5)[:17], make([]byte, 8), make([]byte, 16),
				AppendInt(nil, SOL_SOCKET, SO_MARK.Name, 5),
			} {
				x.note("control %x", b)
				x.sendmsg(c, message("x", Sockaddr{}, b, nil), 0)
			}
		}},
	})
	return append(all,
		Scenario{Name: "udp6/IPv4 on a dual-stack socket", body: func(x *calls) {
			s := x.opened(udp6)
			x.bind(s, unspecified(AF_INET6, port))
			for _, o := range []AnyOption{IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IP_PKTINFO, IP_RECVTTL, IP_RECVTOS} {
				x.setInt(s, o, 1)
			}
			x.sendto(x.opened(udp4), "x", 0, loopback(AF_INET, port))
			x.recvmsg(s, room(5, 512), 0)
		}},
		Scenario{Name: "udp4/SO_MARK as ancillary data unprivileged", Needs: Needs{Unprivileged: true}, body: func(x *calls) {
			c, _ := x.datagrams(udp4)
			x.sendmsg(c, message("x", Sockaddr{}, AppendInt(nil, SOL_SOCKET, SO_MARK.Name, 5), nil), 0)
		}},
		Scenario{Name: "udp6/a flow label", body: func(x *calls) {
			c, s := x.datagrams(udp6)
			x.setInt(c, IPV6_FLOWINFO_SEND, 1)
			x.sendto(c, "x", 0, SockaddrInet6(ip6("::1", 0).Addr().As16(), port, 0x12345, 0))
			x.recvfrom(s, 5, MSG_DONTWAIT)
		}},
		Scenario{Name: "udp4/a peer that is this host, through another interface", Needs: Needs{Ethernet: true}, body: func(x *calls) {
			for _, local := range []string{"127.0.0.1", "192.0.2.1", "0.0.0.0"} {
				x.section("from %s", local)
				s := x.opened(udp4)
				x.bind(s, ip4(local, port))
				set(x, s, SO_BINDTOIFINDEX, 2)
				x.connect(s, unspecified(AF_INET, 0))
				x.getpeername(s)
				x.sendto(s, "x", 0, unspecified(AF_INET, port))
			}
		}},
		Scenario{Name: "udp4/IP_MINTTL is of no concern to UDP", body: func(x *calls) {
			c, s := x.datagrams(udp4)
			x.setInt(s, IP_MINTTL, 64)
			x.setInt(c, IP_TTL, 63)
			x.send(c, "too far", 0)
			x.setInt(c, IP_TTL, 64)
			x.send(c, "near", 0)
			x.recv(s, 10, 0)
		}},
	)
}

func pktinfo(k kind) AnyOption {
	if k == udp6 {
		return IPV6_RECVPKTINFO
	}
	return IP_PKTINFO
}

func hopLimit(k kind, v int) []byte {
	if k == udp6 {
		return AppendInt(nil, SOL_IPV6, IPV6_HOPLIMIT.Name, v)
	}
	return AppendInt(nil, SOL_IP, IP_TTL.Name, v)
}

func trafficClass(k kind, v int) []byte {
	if k == udp6 {
		return AppendInt(nil, SOL_IPV6, IPV6_TCLASS.Name, v)
	}
	return AppendInt(nil, SOL_IP, IP_TOS.Name, v)
}
