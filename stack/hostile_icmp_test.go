package stack_test

import (
	"sockeye"
	"sockeye/wire"
)

func hostileUDP() []scenario {
	length := func(b []byte, n int) []byte { return edit(b, 4, be16(n)...) }
	sum := func(b []byte, v int) []byte { return edit(b, 6, be16(v)...) }
	both := func(name string, b4, b6 []byte) []scenario {
		return []scenario{served("v4 "+name, ip4(17, b4)), served("v6 "+name, ip6(17, b6))}
	}
	refill := func(src, dst string, b []byte) []byte {
		wire.FillUDP(b, wire.PseudoSum(ip(src), ip(dst), wire.IPPROTO_UDP, len(b)))
		return b
	}
	shorter4, shorter6 := length(udp4(7, "hello"), 10), length(udp6(7, "hello"), 10)
	refill("10.0.0.2", "10.0.0.1", shorter4[:10])
	refill("fd00::2", "fd00::1", shorter6[:10])
	list := both("without payload", udp4(7, ""), udp6(7, ""))
	for _, l := range [][]scenario{
		both("header that is cut", udp4(7, "")[:7], udp6(7, "")[:7]),
		both("length of less than a header", length(udp4(7, "x"), 7), length(udp6(7, "x"), 7)),
		both("length of zero", length(udp4(7, "x"), 0), length(udp6(7, "x"), 0)),
		both("length of more than there is", length(udp4(7, "x"), 10), length(udp6(7, "x"), 10)),
		both("length of less than there is", shorter4, shorter6),
		both("wrong checksum", sum(udp4(7, "hello"), 0x1234), sum(udp6(7, "hello"), 0x1234)),
		both("no checksum", sum(udp4(7, "hello"), 0), sum(udp6(7, "hello"), 0)),
		both("from port 0", refill("10.0.0.2", "10.0.0.1", edit(udp4(7, "x"), 0, 0, 0)), refill("fd00::2", "fd00::1", edit(udp6(7, "x"), 0, 0, 0))),
		both("to port 0", udp4(0, "x"), udp6(0, "x")),
		both("to a port that is closed", udp4(8, "x"), udp6(8, "x")),
		both("to a port that is closed, with a wrong checksum", sum(udp4(8, "x"), 7), sum(udp6(8, "x"), 7)),
	} {
		list = append(list, l...)
	}
	return append(list,
		scenario{"v6 no checksum, to a socket that asked for it", func(a *assault) {
			s := a.bound("fd00::1", 7)
			sockeye.UDP_NO_CHECK6_RX.Set(s, true)
			sockeye.UDP_NO_CHECK6_TX.Set(s, true)
			a.throw(ip6(17, sum(udp6(7, "hello"), 0)))
			a.recv(s)
			s.Sendto([]byte("x"), 0, at("fd00::2", 9))
			for _, p := range a.heard() {
				a.note("< checksum %x", p[46:48])
			}
		}},
		thrown("v4 to a port that is closed, to everybody", ip4(17, datagram("10.0.0.2", "10.0.0.255", 8, "x"), to4("10.0.0.255"))),
		thrown("v4 to a port that is closed, to a group", ip4(17, datagram("10.0.0.2", "224.0.0.1", 8, "x"), to4("224.0.0.1"))),
		thrown("v6 to a port that is closed, to a group", ip6(17, datagram("fd00::2", "ff02::1", 8, "x"), to6("ff02::1"))),
		thrown("v4 to a port that is closed, from nobody", ip4(17, datagram("0.0.0.0", "10.0.0.1", 8, "x"), from4("0.0.0.0"))),
		scenario{"v4 to a connected socket from another sender", func(a *assault) {
			s := a.bound("10.0.0.1", 7)
			s.Connect(at("10.0.0.2", 9))
			a.throw(ip4(17, udp4(7, "right")), ip4(17, datagram("10.0.0.3", "10.0.0.1", 7, "wrong"), from4("10.0.0.3")))
			a.recv(s)
			a.recv(s)
		}},
	)
}

// asked is a scenario with a connected UDP socket, which has sent a datagram, that errors are thrown
// at; it tells what the socket makes of them.
func asked(name string, errors ...[]byte) scenario {
	return scenario{name, func(a *assault) {
		s4, s6 := a.bound("10.0.0.1", 7), a.bound("fd00::1", 7)
		s4.Connect(at("10.0.0.2", 9))
		s6.Connect(at("fd00::2", 9))
		for _, p := range errors {
			a.throw(p)
			s := s4
			if wire.Version(p) == 6 {
				s = s6
			}
			a.pending(s)
		}
	}}
}

func hostileICMP() []scenario {
	const unreach, quench, redirect, exceeded, problem = wire.ICMP_DEST_UNREACH, wire.ICMP_SOURCE_QUENCH, wire.ICMP_REDIRECT, wire.ICMP_TIME_EXCEEDED, wire.ICMP_PARAMETERPROB
	// sent is what the host sent: an error quotes it.
	sent4 := ip4(17, append([]byte{0, 7, 0, 9, 0, 9, 0, 0}, 'x'), from4("10.0.0.1"), to4("10.0.0.2"))
	sent6 := ip6(17, append([]byte{0, 7, 0, 9, 0, 9, 0, 0}, 'x'), from6("fd00::1"), to6("fd00::2"))
	about := func(typ, code uint8, rest uint32, quote ...byte) []byte {
		return ip4(1, icmp(typ, code, rest, quote...))
	}
	about6 := func(typ, code uint8, rest uint32, quote ...byte) []byte {
		return ip6(58, icmp6("fd00::2", "fd00::1", typ, code, rest, quote...))
	}
	list := []scenario{
		thrown("v4 echo", ip4(1, icmp(8, 0, 7<<16|1, hello...))),
		thrown("v6 echo", ip6(58, icmp6("fd00::2", "fd00::1", 128, 0, 7<<16|1, hello...))),
		thrown("v4 echo with a code", ip4(1, icmp(8, 5, 7<<16|1, hello...))),
		thrown("v6 echo with a code", ip6(58, icmp6("fd00::2", "fd00::1", 128, 5, 7<<16|1, hello...))),
		thrown("v4 echo to everybody", ip4(1, icmp(8, 0, 7<<16|1, hello...), to4("10.0.0.255"))),
		thrown("v4 echo to a group", ip4(1, icmp(8, 0, 7<<16|1, hello...), to4("224.0.0.1"))),
		thrown("v6 echo to a group", ip6(58, icmp6("fd00::2", "ff02::1", 128, 0, 7<<16|1, hello...), to6("ff02::1"))),
		thrown("v4 echo from nobody", ip4(1, icmp(8, 0, 7<<16|1), from4("0.0.0.0"))),
		thrown("v4 echo with the options of a route", ip4(1, icmp(8, 0, 7<<16|1, hello...), func(h *wire.IPv4) { h.Options = []byte{7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0} })),
		thrown("v4 timestamp with a header alone", ip4(1, icmp(13, 0, 7<<16|1))),
		thrown("v4 timestamp to everybody", ip4(1, icmp(13, 0, 7<<16|1, make([]byte, 12)...), to4("10.0.0.255"))),
		thrown("v4 address mask", ip4(1, icmp(17, 0, 7<<16|1, 0, 0, 0, 0))),
		thrown("v4 information request", ip4(1, icmp(15, 0, 7<<16|1))),
		thrown("v4 of an unknown type", ip4(1, icmp(42, 0, 0))),
		thrown("v6 of an unknown type", about6(200, 0, 0)),
		thrown("v6 error of an unknown type", about6(99, 0, 0, sent6...)),
		thrown("v4 cut", ip4(1, []byte{8, 0, 0xf7})),
		thrown("v6 cut", ip6(58, []byte{128, 0, 0xf7})),
		thrown("v4 wrong checksum", ip4(1, edit(icmp(8, 0, 1), 2, 1, 2))),
		thrown("v6 wrong checksum", ip6(58, edit(icmp6("fd00::2", "fd00::1", 128, 0, 1), 2, 1, 2))),
		thrown("v4 reply to nobody", about(0, 0, 7<<16|1)),
		thrown("v6 reply to nobody", about6(129, 0, 7<<16|1)),
		thrown("v4 router advertisement", about(9, 0, 1<<24|2<<16|60, 10, 0, 0, 2, 0, 0, 0, 0)),

		asked("v4 port unreachable", about(unreach, 3, 0, sent4...)),
		asked("v6 port unreachable", about6(1, 4, 0, sent6...)),
		asked("v4 host unreachable", about(unreach, 1, 0, sent4...)),
		asked("v4 protocol unreachable", about(unreach, 2, 0, sent4...)),
		asked("v4 unreachable of an unknown code", about(unreach, 99, 0, sent4...)),
		asked("v6 unreachable of an unknown code", about6(1, 99, 0, sent6...)),
		asked("v4 about a datagram to another port", about(unreach, 3, 0, edit(sent4, 22, 0, 8)...)),
		asked("v4 about a datagram to another host", about(unreach, 3, 0, edit(sent4, 16, 10, 0, 0, 99)...)),
		asked("v4 about a datagram of another host", about(unreach, 3, 0, edit(sent4, 12, 10, 0, 0, 99)...)),
		asked("v4 about a later fragment", about(unreach, 3, 0, edit(sent4, 6, 0, 9)...)),
		asked("v4 about a protocol that nobody has", about(unreach, 3, 0, edit(sent4, 9, 253)...)),
		asked("v4 quoting nothing", about(unreach, 3, 0)),
		asked("v4 quoting a header alone", about(unreach, 3, 0, sent4[:20]...)),
		asked("v4 quoting seven bytes of payload", about(unreach, 3, 0, sent4[:27]...)),
		asked("v4 quoting options that are not there", about(unreach, 3, 0, edit(sent4, 0, 0x4f)...)),
		asked("v4 quoting IPv6", about(unreach, 3, 0, sent6...)),
		asked("v6 quoting nothing", about6(1, 4, 0)),
		asked("v6 quoting a header alone", about6(1, 4, 0, sent6[:40]...)),
		asked("v6 quoting extension headers that have no end", about6(1, 4, 0, edit(sent6, 6, 0)...)),
		asked("v6 quoting IPv4", about6(1, 4, 0, sent4...)),
		asked("v4 to everybody", ip4(1, icmp(unreach, 3, 0, sent4...), to4("10.0.0.255"))),
		asked("v4 time exceeded", about(exceeded, 0, 0, sent4...)),
		asked("v6 time exceeded", about6(3, 0, 0, sent6...)),
		asked("v4 parameter problem", about(problem, 0, 9<<24, sent4...)),
		asked("v6 parameter problem", about6(4, 1, 6, sent6...)),
		asked("v4 source quench", about(quench, 0, 0, sent4...)),
		asked("v4 redirect by a stranger", about(redirect, 1, 10<<24|99, sent4...)),
		asked("v4 redirect that is cut", about(redirect, 1, 10<<24|99)),
		asked("v4 fragmentation needed", about(unreach, 4, 1000, sent4...)),
		asked("v4 fragmentation needed below the least", about(unreach, 4, 68, sent4...)),
		asked("v4 fragmentation needed without an MTU", about(unreach, 4, 0, sent4...)),
		asked("v4 fragmentation needed above the link's", about(unreach, 4, 9000, sent4...)),
		asked("v6 too big", about6(2, 0, 1300, sent6...)),
		asked("v6 too big below the least", about6(2, 0, 100, sent6...)),
		asked("v6 too big above the link's", about6(2, 0, 9000, sent6...)),
		thrown("v4 an error about an error", about(unreach, 3, 0, about(unreach, 3, 0, sent4...)...)),
	}
	for _, mtu := range []int{1000, 552, 551, 100, 0, 9000} {
		list = append(list, scenario{"v4 the path MTU after fragmentation needed with " + itoa(mtu), func(a *assault) {
			s := a.bound("10.0.0.1", 7)
			s.Connect(at("10.0.0.2", 9))
			a.throw(about(unreach, 4, uint32(mtu), sent4...))
			a.pending(s)
			n, err := sockeye.IP_MTU.Get(s)
			a.note("IP_MTU: %d %v", n, err)
		}})
	}
	for _, mtu := range []int{1400, 1280, 1279, 0, 9000} {
		list = append(list, scenario{"v6 the path MTU after too big with " + itoa(mtu), func(a *assault) {
			s := a.bound("fd00::1", 7)
			s.Connect(at("fd00::2", 9))
			a.throw(about6(2, 0, uint32(mtu), sent6...))
			a.pending(s)
			n, err := sockeye.IPV6_MTU.Get(s)
			a.note("IPV6_MTU: %d %v", n, err)
		}})
	}
	many := func(p []byte) (list [][]byte) {
		for range 10 {
			list = append(list, p)
		}
		return list
	}
	list = append(list,
		thrown("v4 ten datagrams to a closed port", many(ip4(17, udp4(8, "x")))...),
		thrown("v6 ten datagrams to a closed port", many(ip6(17, udp6(8, "x")))...),
		thrown("v4 ten packets of an unknown protocol", many(ip4(253, []byte("x")))...),
		thrown("v4 ten echoes", many(ip4(1, icmp(8, 0, 1)))...),
		thrown("v6 ten echoes", many(ip6(58, icmp6("fd00::2", "fd00::1", 128, 0, 1)))...))
	return append(list, scenario{"v4 the path MTU after fragmentation needed about what was never sent", func(a *assault) {
		a.throw(about(unreach, 4, 700, edit(sent4, 22, 0, 99)...))
		s := a.bound("10.0.0.1", 7)
		s.Connect(at("10.0.0.2", 9))
		n, err := sockeye.IP_MTU.Get(s)
		a.note("IP_MTU: %d %v", n, err)
	}})
}
