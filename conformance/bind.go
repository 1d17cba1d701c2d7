package conformance

import (
	. "sockeye"
)

// binds is what bind(2) answers: which addresses there are, who may take them,
// and which two sockets may share one.
func binds() []Scenario {
	all := each([]kind{tcp4, tcp6, udp4, udp6}, []script{
		{"port 0 is a port of ip_local_port_range", func(x *calls, k kind) {
			f := x.opened(k)
			x.bind(f, loopback(k.family, 0))
			x.getsockname(f)
			x.note("in the range: %t", ephemeral(x.name(f).Port()))
		}},
		{"any address", func(x *calls, k kind) {
			f := x.opened(k)
			x.bind(f, unspecified(k.family, port))
			x.getsockname(f)
		}},
		{"twice", func(x *calls, k kind) {
			f := x.bound(k)
			x.bind(f, x.third(k))
			x.bind(f, x.server(k))
		}},
		{"addresses that are not here", func(x *calls, k kind) {
			for _, a := range []string{"198.51.100.1", "192.0.2.255", "255.255.255.255", "224.0.0.1", "2001:db8:1::1", "ff02::1", "fe80::1"} {
				sa := ip4OrIP6(a, port)
				if sa.Family() == k.family {
					x.bind(x.opened(k), sa)
				}
			}
		}},
		{"addresses that are too short or too long", func(x *calls, k kind) {
			for _, n := range []int{1, 2, 4, 8, 15, 16, 17, 23, 24, 27, 28, 29, 128} {
				f := x.opened(k)
				x.bind(f, resized(x.server(k), n))
				x.close(f)
			}
		}},
		{"addresses of other families", func(x *calls, k kind) {
			for _, f := range []int{int(AF_UNSPEC), int(AF_UNIX), int(AF_INET), int(AF_IPX), int(AF_INET6), 999} {
				x.bind(x.opened(k), rawFamily(f, 28))
			}
			x.bind(x.opened(k), ip4("127.0.0.1", port))
			x.bind(x.opened(k), ip6("::1", port))
			x.bind(x.opened(k), SockaddrUnix("/tmp/x"))
		}},
	})
	all = append(all,
		Scenario{Name: "AF_UNSPEC/counts as AF_INET for any address only", body: func(x *calls) {
			any, one := ip4("0.0.0.0", port).AppendBytes(nil), ip4("127.0.0.1", port).AppendBytes(nil)
			any[0], one[0] = 0, 0
			x.bind(x.opened(udp4), SockaddrBytes(any))
			x.bind(x.opened(udp4), SockaddrBytes(one))
		}},
		Scenario{Name: "IPv4-mapped/on a dual-stack socket", body: func(x *calls) {
			for _, k := range []kind{tcp6, udp6} {
				f := x.opened(k)
				x.bind(f, ip6("::ffff:127.0.0.1", port))
				x.getsockname(f)
				x.setInt(f, IPV6_V6ONLY, 1)
				x.bind(x.opened(k), ip6("::ffff:198.51.100.1", port))
			}
		}},
		Scenario{Name: "IPv4-mapped/on an IPV6_V6ONLY socket", body: func(x *calls) {
			for _, k := range []kind{tcp6, udp6} {
				f := x.opened(k)
				x.setInt(f, IPV6_V6ONLY, 1)
				x.bind(f, ip6("::ffff:127.0.0.1", port))
				x.bind(f, ip6("::", port))
				x.setInt(f, IPV6_V6ONLY, 0)
			}
		}},
		Scenario{Name: "IPv6/link-local addresses need their scope", Needs: Needs{Ethernet: true}, body: func(x *calls) {
			for _, scope := range []uint32{0, 1, 2, 99} {
				f := x.opened(udp6)
				x.bind(f, SockaddrInet6(ip6("fe80::1", 0).Addr().As16(), port, 0, scope))
				x.getsockname(f)
			}
			f := x.opened(udp6)
			x.bind(f, SockaddrInet6(ip6("::1", 0).Addr().As16(), port, 0x12345, 2))
			x.getsockname(f)
		}},
		Scenario{Name: "addresses/of an interface", Needs: Needs{Ethernet: true}, body: func(x *calls) {
			for _, a := range []string{"192.0.2.1", "192.0.2.255", "192.0.2.77", "127.3.2.1", "239.1.1.1", "2001:db8::1", "2001:db8::77"} {
				sa := ip4OrIP6(a, port)
				for _, k := range []kind{tcp4, udp4, tcp6, udp6} {
					if k.family == sa.Family() {
						f := x.opened(k)
						x.bind(f, sa)
						x.close(f)
					}
				}
			}
		}},
		Scenario{Name: "low ports/with privilege", body: lowPorts},
		Scenario{Name: "low ports/unprivileged", Needs: Needs{Unprivileged: true}, body: lowPorts},
		Scenario{Name: "low ports/unprivileged from ip_unprivileged_port_start=80",
			Needs: Needs{Unprivileged: true, Sysctls: []string{"net.ipv4.ip_unprivileged_port_start=80"}}, body: lowPorts},
		Scenario{Name: "low ports/unprivileged from ip_unprivileged_port_start=0",
			Needs: Needs{Unprivileged: true, Sysctls: []string{"net.ipv4.ip_unprivileged_port_start=0"}}, body: lowPorts},
		Scenario{Name: "foreign addresses/IP_FREEBIND", body: func(x *calls) { foreign(x, IP_FREEBIND, IPV6_FREEBIND) }},
		Scenario{Name: "foreign addresses/IP_TRANSPARENT", body: func(x *calls) { foreign(x, IP_TRANSPARENT, IPV6_TRANSPARENT) }},
		Scenario{Name: "foreign addresses/IP_FREEBIND unprivileged", Needs: Needs{Unprivileged: true},
			body: func(x *calls) { foreign(x, IP_FREEBIND, IPV6_FREEBIND) }},
		Scenario{Name: "foreign addresses/IP_TRANSPARENT unprivileged", Needs: Needs{Unprivileged: true},
			body: func(x *calls) { foreign(x, IP_TRANSPARENT, IPV6_TRANSPARENT) }},
		Scenario{Name: "foreign addresses/ip_nonlocal_bind",
			Needs: Needs{Sysctls: []string{"net.ipv4.ip_nonlocal_bind=1", "net.ipv6.ip_nonlocal_bind=1"}},
			body:  func(x *calls) { foreign(x, nil, nil) }},
		Scenario{Name: "ephemeral ports/used up", Needs: Needs{Sysctls: []string{"net.ipv4.ip_local_port_range=40000 40001"}},
			body: func(x *calls) {
				for _, k := range []kind{udp4, tcp4} {
					x.section("%s", k.name)
					for range 3 {
						x.bind(x.opened(k), loopback(AF_INET, 0))
					}
				}
			}},
		Scenario{Name: "ephemeral ports/used up by connections",
			Needs: Needs{Sysctls: []string{"net.ipv4.ip_local_port_range=40000 40001"}}, body: func(x *calls) {
				x.listening(tcp4, 5)
				for range 3 {
					x.connect(x.opened(tcp4), x.server(tcp4))
				}
			}},
		Scenario{Name: "ephemeral ports/IP_LOCAL_PORT_RANGE narrows them", body: func(x *calls) {
			for range 3 {
				f := x.opened(udp4)
				set(x, f, IP_LOCAL_PORT_RANGE, PortRange{Low: 40000, High: 40001})
				x.bind(f, loopback(AF_INET, 0))
			}
		}},
		Scenario{Name: "ephemeral ports/IP_BIND_ADDRESS_NO_PORT leaves them to connect", body: func(x *calls) {
			x.listening(tcp4, 5)
			f := x.opened(tcp4)
			set(x, f, IP_BIND_ADDRESS_NO_PORT, true)
			x.bind(f, loopback(AF_INET, 0))
			x.getsockname(f)
			x.connect(f, x.server(tcp4))
			x.getsockname(f)
		}},
		Scenario{Name: "SO_BINDTODEVICE/two sockets with one port on two interfaces", Needs: Needs{Ethernet: true}, body: func(x *calls) {
			for _, device := range []string{"lo", "eth0", "lo"} {
				f := x.opened(udp4)
				set(x, f, SO_BINDTODEVICE, device)
				x.bind(f, unspecified(AF_INET, port))
			}
			x.bind(x.opened(udp4), unspecified(AF_INET, port))
		}},
		Scenario{Name: "SO_BINDTODEVICE/unprivileged", Needs: Needs{Unprivileged: true}, body: func(x *calls) {
			f := x.opened(udp4)
			set(x, f, SO_BINDTODEVICE, "lo")
			set(x, f, SO_BINDTODEVICE, "lo")
			set(x, f, SO_BINDTODEVICE, "")
		}},
		Scenario{Name: "TIME-WAIT/holds the address", body: func(x *calls) { timeWait(x, false) }},
		Scenario{Name: "TIME-WAIT/SO_REUSEADDR takes it", body: func(x *calls) { timeWait(x, true) }},
		Scenario{Name: "listener closed/its connections hold the address", body: func(x *calls) {
			l, _, _ := x.connected(tcp4)
			x.close(l)
			x.bind(x.opened(tcp4), x.server(tcp4))
			f := x.opened(tcp4)
			set(x, f, SO_REUSEADDR, true)
			x.bind(f, x.server(tcp4))
		}},
		Scenario{Name: "listener closed/with SO_REUSEADDR from the start", body: func(x *calls) {
			l := x.opened(tcp4)
			set(x, l, SO_REUSEADDR, true)
			x.bind(l, x.server(tcp4))
			x.listen(l, 5)
			x.connect(x.opened(tcp4), x.server(tcp4))
			x.accept(l)
			x.close(l)
			f := x.opened(tcp4)
			set(x, f, SO_REUSEADDR, true)
			x.bind(f, x.server(tcp4))
			x.listen(f, 5)
		}},
		Scenario{Name: "SO_REUSEADDR/two bound, only one may listen", body: func(x *calls) {
			a, b := x.opened(tcp4), x.opened(tcp4)
			for _, f := range []*fd{a, b} {
				set(x, f, SO_REUSEADDR, true)
				x.bind(f, x.server(tcp4))
			}
			x.listen(a, 1)
			x.listen(b, 1)
		}},
		Scenario{Name: "SO_REUSEPORT/two listen", body: func(x *calls) {
			for range 2 {
				f := x.opened(tcp4)
				set(x, f, SO_REUSEPORT, true)
				x.bind(f, x.server(tcp4))
				x.listen(f, 1)
			}
		}},
		Scenario{Name: "SO_REUSEADDR/the last of two UDP sockets receives", body: func(x *calls) {
			a, b := x.opened(udp4), x.opened(udp4)
			for _, f := range []*fd{a, b} {
				set(x, f, SO_REUSEADDR, true)
				x.bind(f, x.server(udp4))
			}
			x.sendto(x.opened(udp4), "x", 0, x.server(udp4))
			x.recv(b, 5, 0)
			x.recv(a, 5, MSG_DONTWAIT)
		}},
	)
	return append(all, bindConflicts()...)
}

func ip4OrIP6(addr string, port uint16) Sockaddr {
	for _, c := range addr {
		if c == ':' {
			return ip6(addr, port)
		}
	}
	return ip4(addr, port)
}

func lowPorts(x *calls) {
	for _, k := range []kind{tcp4, udp4, tcp6, udp6} {
		for _, p := range []uint16{1, 79, 80, 1023, 1024} {
			f := x.opened(k)
			x.bind(f, loopback(k.family, p))
			x.closeQuietly(f)
		}
	}
}

// foreign binds to an address that no interface has.
func foreign(x *calls, o4, o6 AnyOption) {
	for _, k := range []kind{tcp4, udp4, tcp6, udp6} {
		f, o, sa := x.opened(k), o4, ip4("198.51.100.1", port)
		if k.family == AF_INET6 {
			o, sa = o6, ip6("2001:db8:1::1", port)
		}
		if o != nil {
			x.setInt(f, o, 1)
		}
		x.bind(f, sa)
	}
}

func timeWait(x *calls, reuse bool) {
	c, a := x.connection(tcp4)
	x.quietly(func() { x.close(x.fds[0]) }) // the listener
	x.close(a)
	x.await(c, POLLRDHUP)
	x.close(c)
	f := x.opened(tcp4)
	set(x, f, SO_REUSEADDR, reuse)
	x.bind(f, x.server(tcp4))
}

// bindConflicts binds two sockets to each pair of addresses, with each
// combination of the options that let them share.
func bindConflicts() []Scenario {
	type address struct {
		name   string
		sa     Sockaddr
		v6only bool
	}
	v4, v4any, v4other := address{"127.0.0.1", ip4("127.0.0.1", port), false},
		address{"0.0.0.0", ip4("0.0.0.0", port), false}, address{"127.0.0.2", ip4("127.0.0.2", port), false}
	v6, v6any, v6only := address{"::1", ip6("::1", port), false},
		address{"::", ip6("::", port), false}, address{":: alone", ip6("::", port), true}
	mapped := address{"::ffff:127.0.0.1", ip6("::ffff:127.0.0.1", port), false}
	var all []Scenario
	for _, typ := range []struct {
		name string
		typ  Type
	}{{"tcp", SOCK_STREAM}, {"udp", SOCK_DGRAM}} {
		for _, pair := range [][2]address{
			{v4, v4}, {v4, v4any}, {v4any, v4}, {v4, v4other}, {v6, v6}, {v6, v6any}, {v4, v6}, {v4any, v6any}, {v6any, v4any},
			{v6any, v4}, {v4any, v6only}, {v6only, v4any}, {v4, mapped}, {mapped, v6any}, {mapped, v6only}, {v6only, v6any},
		} {
			body := func(x *calls) {
				for _, first := range []AnyOption{nil, SO_REUSEADDR, SO_REUSEPORT} {
					for _, second := range []AnyOption{nil, SO_REUSEADDR, SO_REUSEPORT} {
						for _, listens := range []bool{false, true} {
							if listens && typ.typ == SOCK_DGRAM {
								continue
							}
							x.closeAll()
							var a, b *fd
							x.quietly(func() {
								a = x.sharing(pair[0].sa, typ.typ, pair[0].v6only, first)
								b = x.sharing(pair[1].sa, typ.typ, pair[1].v6only, second)
								x.bind(a, pair[0].sa)
								if listens {
									x.listen(a, 1)
								}
							})
							x.bind(x.as(sprintf("%s after %s%s", optionName(second), optionName(first), map[bool]string{true: " that listens"}[listens]), b), pair[1].sa)
						}
					}
				}
			}
			all = append(all, Scenario{Name: sprintf("%s/%s after %s", typ.name, pair[1].name, pair[0].name), body: body})
		}
	}
	return all
}

func optionName(o AnyOption) string {
	if o == nil {
		return "plain"
	}
	return o.String()
}

func (x *calls) sharing(sa Sockaddr, typ Type, v6only bool, o AnyOption) *fd {
	f := x.socket(sa.Family(), typ, 0)
	if v6only {
		set(x, f, IPV6_V6ONLY, true)
	}
	if o != nil {
		x.setInt(f, o, 1)
	}
	return f
}
