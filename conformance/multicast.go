package conformance

import (
	. "sockeye"
)

// multicasts is one datagram to many: groups and broadcast.
func multicasts() []Scenario {
	group4, group6 := ip4("239.1.1.1", port), SockaddrInet6(ip6("ff02::77", 0).Addr().As16(), port, 0, 2)
	join4 := Membership{Group: group4.Addr(), Ifindex: 2}
	join6 := Membership{Group: ip6("ff02::77", 0).Addr(), Ifindex: 2}
	scenarios := []Scenario{
		{Name: "udp4/a member receives its own sends", body: func(x *calls) {
			s := x.opened(udp4)
			x.bind(s, unspecified(AF_INET, port))
			set(x, s, IP_ADD_MEMBERSHIP, join4)
			c := x.opened(udp4)
			x.sendto(c, "hello", 0, group4)
			x.recvfrom(s, 10, 0)
		}},
		{Name: "udp6/a member receives its own sends", body: func(x *calls) {
			s := x.opened(udp6)
			x.bind(s, unspecified(AF_INET6, port))
			set(x, s, IPV6_ADD_MEMBERSHIP, join6)
			c := x.opened(udp6)
			x.sendto(c, "hello", 0, group6)
			x.recvfrom(s, 10, 0)
		}},
		{Name: "udp4/every member has a copy", body: func(x *calls) {
			var members []*fd
			for range 3 {
				s := x.opened(udp4)
				set(x, s, SO_REUSEADDR, true)
				x.bind(s, group4)
				set(x, s, IP_ADD_MEMBERSHIP, join4)
				members = append(members, s)
			}
			x.sendto(x.opened(udp4), "hello", 0, group4)
			for _, s := range members {
				x.recv(s, 10, 0)
			}
		}},
		{Name: "udp4/IP_MULTICAST_LOOP off", body: func(x *calls) {
			s := x.opened(udp4)
			x.bind(s, unspecified(AF_INET, port))
			set(x, s, IP_ADD_MEMBERSHIP, join4)
			c := x.opened(udp4)
			set(x, c, IP_MULTICAST_LOOP, false)
			x.sendto(c, "not looped", 0, group4)
			set(x, c, IP_MULTICAST_LOOP, true)
			x.sendto(c, "looped", 0, group4)
			x.recv(s, 20, 0)
		}},
		{Name: "udp6/IPV6_MULTICAST_LOOP off", body: func(x *calls) {
			s := x.opened(udp6)
			x.bind(s, unspecified(AF_INET6, port))
			set(x, s, IPV6_ADD_MEMBERSHIP, join6)
			c := x.opened(udp6)
			set(x, c, IPV6_MULTICAST_LOOP, false)
			x.sendto(c, "not looped", 0, group6)
			set(x, c, IPV6_MULTICAST_LOOP, true)
			x.sendto(c, "looped", 0, group6)
			x.recv(s, 20, 0)
		}},
		{Name: "udp4/the time to live of multicast", body: func(x *calls) {
			s := x.opened(udp4)
			x.bind(s, unspecified(AF_INET, port))
			set(x, s, IP_ADD_MEMBERSHIP, join4)
			set(x, s, IP_RECVTTL, true)
			set(x, s, IP_PKTINFO, true)
			c := x.opened(udp4)
			x.sendto(c, "one hop", 0, group4)
			x.recvmsg(s, room(10, 128), 0)
			set(x, c, IP_MULTICAST_TTL, 5)
			x.sendto(c, "five", 0, group4)
			x.recvmsg(s, room(10, 128), 0)
		}},
		{Name: "udp6/the hop limit of multicast", body: func(x *calls) {
			s := x.opened(udp6)
			x.bind(s, unspecified(AF_INET6, port))
			set(x, s, IPV6_ADD_MEMBERSHIP, join6)
			set(x, s, IPV6_RECVHOPLIMIT, true)
			set(x, s, IPV6_RECVPKTINFO, true)
			c := x.opened(udp6)
			x.sendto(c, "one hop", 0, group6)
			x.recvmsg(s, room(10, 128), 0)
			set(x, c, IPV6_MULTICAST_HOPS, 5)
			x.sendto(c, "five", 0, group6)
			x.recvmsg(s, room(10, 128), 0)
		}},
		{Name: "udp4/joining and leaving", body: func(x *calls) {
			s := x.opened(udp4)
			set(x, s, IP_DROP_MEMBERSHIP, join4)
			set(x, s, IP_ADD_MEMBERSHIP, join4)
			set(x, s, IP_ADD_MEMBERSHIP, join4)
			set(x, s, IP_DROP_MEMBERSHIP, join4)
			set(x, s, IP_DROP_MEMBERSHIP, join4)
			set(x, s, IP_ADD_MEMBERSHIP, Membership{Group: join4.Group, Interface: ip4("192.0.2.1", 0).Addr()})
			set(x, s, IP_ADD_MEMBERSHIP, Membership{Group: ip4("192.0.2.9", 0).Addr(), Ifindex: 2})
			set(x, s, IP_ADD_MEMBERSHIP, Membership{Group: join4.Group, Ifindex: 99})
		}},
		{Name: "udp6/joining and leaving", body: func(x *calls) {
			s := x.opened(udp6)
			set(x, s, IPV6_DROP_MEMBERSHIP, join6)
			set(x, s, IPV6_ADD_MEMBERSHIP, join6)
			set(x, s, IPV6_ADD_MEMBERSHIP, join6)
			set(x, s, IPV6_DROP_MEMBERSHIP, join6)
			set(x, s, IPV6_DROP_MEMBERSHIP, join6)
			set(x, s, IPV6_ADD_MEMBERSHIP, Membership{Group: ip6("2001:db8::9", 0).Addr(), Ifindex: 2})
			set(x, s, IPV6_ADD_MEMBERSHIP, Membership{Group: join6.Group, Ifindex: 99})
		}},
		{Name: "udp4/more groups than igmp_max_memberships", body: func(x *calls) {
			s := x.opened(udp4)
			for i := range 22 {
				set(x, s, IP_ADD_MEMBERSHIP, Membership{Group: ip4("239.1.2."+itoa(i), 0).Addr(), Ifindex: 2})
			}
			set(x, s, IP_DROP_MEMBERSHIP, Membership{Group: ip4("239.1.2.0", 0).Addr(), Ifindex: 2})
			set(x, s, IP_ADD_MEMBERSHIP, join4)
		}},
		{Name: "udp6/more groups than IPv4 allows", body: func(x *calls) {
			s := x.opened(udp6)
			for i := range 22 {
				set(x, s, IPV6_ADD_MEMBERSHIP, Membership{Group: ip6("ff02::1:"+itoa(i), 0).Addr(), Ifindex: 2})
			}
		}},
		{Name: "udp4/more sources than igmp_max_msf", body: func(x *calls) {
			s := x.opened(udp4)
			for i := range 12 {
				set(x, s, IP_ADD_SOURCE_MEMBERSHIP, SourceMembership{
					Group: group4.Addr(), Interface: ip4("192.0.2.1", 0).Addr(), Source: ip4("192.0.2."+itoa(i+1), 0).Addr()})
			}
		}},
		{Name: "udp4/who has not joined receives nothing", body: func(x *calls) {
			member, other := x.opened(udp4), x.opened(udp4)
			for _, s := range []*fd{member, other} {
				set(x, s, SO_REUSEADDR, true)
				set(x, s, IP_MULTICAST_ALL, false)
				x.bind(s, unspecified(AF_INET, port))
			}
			set(x, member, IP_ADD_MEMBERSHIP, join4)
			x.sendto(x.opened(udp4), "hello", 0, group4)
			x.recv(member, 10, 0)
			x.recv(other, 10, MSG_DONTWAIT)
		}},
		{Name: "udp4/IP_MULTICAST_IF chooses the interface", body: func(x *calls) {
			c := x.opened(udp4)
			set(x, c, IP_MULTICAST_IF, MulticastInterface{Addr: ip4("192.0.2.1", 0).Addr()})
			x.get(c, IP_MULTICAST_IF)
			set(x, c, IP_MULTICAST_IF, MulticastInterface{Ifindex: 1})
			x.get(c, IP_MULTICAST_IF)
			set(x, c, IP_MULTICAST_IF, MulticastInterface{Addr: ip4("198.51.100.1", 0).Addr()})
			set(x, c, IP_MULTICAST_IF, MulticastInterface{Ifindex: 99})
			x.connect(c, group4)
			x.getsockname(c)
		}},
		{Name: "udp6/a group of the link needs an interface", body: func(x *calls) {
			c := x.opened(udp6)
			x.sendto(c, "x", 0, ip6("ff02::77", port))
			x.connect(c, ip6("ff02::77", port))
			set(x, c, IPV6_MULTICAST_IF, 2)
			x.get(c, IPV6_MULTICAST_IF)
			x.connect(c, ip6("ff02::77", port))
			x.getsockname(c)
			x.getpeername(c)
		}},
		{Name: "udp4/source membership", body: func(x *calls) {
			s := x.opened(udp4)
			x.bind(s, unspecified(AF_INET, port))
			m := SourceMembership{Group: group4.Addr(), Interface: ip4("192.0.2.1", 0).Addr(), Source: ip4("192.0.2.1", 0).Addr()}
			set(x, s, IP_ADD_SOURCE_MEMBERSHIP, m)
			x.sendto(x.opened(udp4), "hello", 0, group4)
			x.recvfrom(s, 10, 0)
			set(x, s, IP_DROP_SOURCE_MEMBERSHIP, m)
			set(x, s, IP_DROP_SOURCE_MEMBERSHIP, m)
		}},
		{Name: "udp4/broadcast needs SO_BROADCAST", body: func(x *calls) {
			s, c := x.opened(udp4), x.opened(udp4)
			x.bind(s, unspecified(AF_INET, port))
			for _, a := range []string{"192.0.2.255", "255.255.255.255", "127.255.255.255"} {
				x.sendto(c, "x", 0, ip4(a, port))
				x.connect(c, ip4(a, port))
			}
			set(x, c, SO_BROADCAST, true)
			x.sendto(c, "hello", 0, ip4("192.0.2.255", port))
			x.recvfrom(s, 10, 0)
			x.connect(c, ip4("192.0.2.255", port))
			x.getpeername(c)
		}},
		{Name: "udp4/SO_DONTROUTE reaches the own network only", body: func(x *calls) {
			c := x.opened(udp4)
			x.sendto(c, "x", MSG_DONTROUTE, ip4("192.0.2.77", port))
			x.sendto(c, "x", MSG_DONTROUTE, ip4("198.51.100.1", port))
			set(x, c, SO_DONTROUTE, true)
			x.sendto(c, "x", 0, ip4("198.51.100.1", port))
			x.connect(c, ip4("198.51.100.1", port))
		}},
		{Name: "udp4/SO_BINDTODEVICE keeps to one interface", body: func(x *calls) {
			c := x.opened(udp4)
			set(x, c, SO_BINDTODEVICE, "lo")
			x.sendto(c, "x", 0, ip4("198.51.100.1", port))
			s := x.opened(udp4)
			set(x, s, SO_BINDTODEVICE, "eth0")
			x.bind(s, unspecified(AF_INET, port))
			x.sendto(x.opened(udp4), "over lo", 0, ip4("127.0.0.1", port))
			x.recv(s, 10, MSG_DONTWAIT)
		}},
	}
	for i := range scenarios {
		scenarios[i].Needs.Ethernet = true
	}
	return scenarios
}
