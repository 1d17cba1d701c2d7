package conformance

import . "sockeye"

// families asks socket(2) and socketpair(2) for every family, type and
// protocol, with and without privilege.
func families() []Scenario {
	var all []Scenario
	for _, f := range []struct {
		family    Family
		protocols []Protocol
	}{
		{AF_UNIX, []Protocol{0, 1, 2, IPPROTO_TCP}},
		{AF_INET, ipProtocols},
		{AF_INET6, ipProtocols},
	} {
		for _, t := range []struct {
			name string
			typ  Type
		}{
			{"type 0", 0}, {"SOCK_STREAM", SOCK_STREAM}, {"SOCK_DGRAM", SOCK_DGRAM}, {"SOCK_RAW", SOCK_RAW},
			{"SOCK_RDM", SOCK_RDM}, {"SOCK_SEQPACKET", SOCK_SEQPACKET}, {"types that do not exist", 11},
		} {
			all = append(all, Scenario{
				Name: f.family.String() + "/" + t.name,
				body: func(x *calls) { openEach(x, f.family, t.typ, f.protocols) },
			})
		}
	}
	for _, family := range []Family{AF_UNSPEC, AF_IPX, AF_APPLETALK, AF_NS, AF_ISO, 255} {
		all = append(all, Scenario{
			Name: family.String() + "/any type",
			body: func(x *calls) {
				for _, typ := range []Type{SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, 11} {
					x.socket(family, typ, 0)
					x.socketpair(family, typ, 0)
				}
			},
		})
	}
	return append(all,
		Scenario{Name: "socketpair/each family and type", body: pairs},
		Scenario{Name: "unprivileged/raw sockets", Needs: Needs{Unprivileged: true}, body: func(x *calls) {
			for _, family := range []Family{AF_INET, AF_INET6, AF_UNIX} {
				for _, p := range []Protocol{0, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_OSPF, IPPROTO_RAW, 256} {
					x.socket(family, SOCK_RAW, p)
				}
			}
		}},
		Scenario{Name: "unprivileged/all others", Needs: Needs{Unprivileged: true}, body: func(x *calls) {
			for _, k := range []kind{tcp4, tcp6, udp4, udp6, unixStream, unixDgram, unixSeqpacket, ping4, ping6} {
				x.opened(k)
			}
		}},
		Scenario{Name: "ping/a group outside of ping_group_range", body: func(x *calls) {
			x.opened(ping4)
			x.opened(ping6)
		}},
		Scenario{Name: "ping/a group of ping_group_range",
			Needs: Needs{Unprivileged: true, Sysctls: []string{pingAllowed}}, body: func(x *calls) {
				x.opened(ping4)
				x.opened(ping6)
				x.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6)
				x.socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP)
			}},
		Scenario{Name: "flags/SOCK_NONBLOCK and SOCK_CLOEXEC", body: func(x *calls) {
			for _, k := range []kind{udp4, udp6, unixDgram} {
				f := x.socket(k.family, k.typ|SOCK_NONBLOCK|SOCK_CLOEXEC, k.proto)
				x.recv(f, 1, 0)
			}
			a, b := x.socketpair(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK, 0)
			x.recv(a, 1, 0)
			x.recv(b, 1, 0)
		}},
		Scenario{Name: "names/what a socket says of itself", body: func(x *calls) {
			for _, k := range kinds {
				f := x.opened(k)
				x.get(f, SO_DOMAIN)
				x.get(f, SO_TYPE)
				x.get(f, SO_PROTOCOL)
				x.getsockname(f)
			}
		}, Needs: Needs{Sysctls: []string{pingAllowed}}},
	)
}

var ipProtocols = []Protocol{
	0, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IPV6, IPPROTO_ICMPV6, IPPROTO_OSPF, 253, IPPROTO_RAW, 256, 1000, -1,
}

func openEach(x *calls, family Family, typ Type, protocols []Protocol) {
	for _, p := range protocols {
		if f := x.socket(family, typ, p); f != nil {
			x.get(f, SO_PROTOCOL)
			x.closeQuietly(f)
		}
	}
}

func pairs(x *calls) {
	for _, typ := range []Type{SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW} {
		a, _ := x.socketpair(AF_UNIX, typ, 0)
		x.get(a, SO_TYPE)
	}
	x.socketpair(AF_UNIX, SOCK_STREAM, 1)
	x.socketpair(AF_UNIX, SOCK_STREAM, IPPROTO_TCP)
	x.socketpair(AF_UNIX, SOCK_RDM, 0)
	for _, family := range []Family{AF_INET, AF_INET6} {
		for _, typ := range []Type{SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW} {
			x.socketpair(family, typ, 0)
		}
		x.socketpair(family, SOCK_RAW, 253)
	}
}
