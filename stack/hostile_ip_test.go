package stack_test

import (
	"slices"

	"sockeye"
	"sockeye/wire"
)

// thrown is a scenario that throws packets.
func thrown(name string, packets ...[]byte) scenario {
	return scenario{name, func(a *assault) { a.throw(packets...) }}
}

// served is thrown at a host with a UDP socket on port 7 of every address, and tells what that
// receives.
func served(name string, packets ...[]byte) scenario {
	return scenario{name, func(a *assault) {
		s4, s6 := a.bound("0.0.0.0", 7), a.socket(sockeye.AF_INET6, sockeye.SOCK_DGRAM, 0)
		sockeye.IPV6_V6ONLY.Set(s6, true)
		s6.Bind(at("::", 7))
		for _, p := range packets {
			a.throw(p)
			s := s4
			if wire.Version(p) == 6 {
				s = s6
			}
			a.recv(s)
		}
	}}
}

func hostileIP() []scenario {
	good4, good6 := ip4(17, udp4(7, "hello")), ip6(17, udp6(7, "hello"))
	with := func(options ...byte) []byte {
		return ip4(17, udp4(7, "hello"), func(h *wire.IPv4) { h.Options = options })
	}
	// chain is IPv6 with extension headers, each of 8 bytes: the protocol of the first, and what
	// follows the next header and the length in each.
	chain := func(next wire.Protocol, headers ...[]byte) []byte {
		var b []byte
		for i, h := range headers {
			follows := byte(17)
			if i+1 < len(headers) {
				follows = headers[i+1][0]
			}
			b = append(append(b, follows), h[1:]...)
		}
		return ip6(next, append(b, udp6(7, "hello")...))
	}
	const hop, routing, options = 0, 43, 60
	option := func(proto, typ byte) []byte { return []byte{proto, 0, typ, 4, 0, 0, 0, 0} }
	list := []scenario{
		served("v4 good", good4),
		served("v6 good", good6),
		thrown("v4 header of four words", resum(edit(good4, 0, 0x44))),
		thrown("v4 header longer than the packet", edit(good4[:24], 0, 0x47)),
		thrown("v4 shorter than a header", good4[:19]),
		thrown("v4 total length less than the header", resum(edit(good4, 2, 0, 19))),
		thrown("v4 total length more than the packet", resum(edit(good4, 2, 0, 200))),
		thrown("v4 wrong header checksum", edit(good4, 10, 1, 2)),
		served("v4 with a trailer", append(slices.Clone(good4), "trailer"...)),
		served("v4 without time to live", ip4(17, udp4(7, "hello"), func(h *wire.IPv4) { h.TTL = 0 })),
		thrown("v4 of an unknown protocol", ip4(253, []byte("12345678"))),
		thrown("v4 of an unknown protocol to everybody", ip4(253, []byte("12345678"), to4("10.0.0.255"))),
		thrown("v4 to somebody else", ip4(17, datagram("10.0.0.2", "10.9.9.9", 7, "x"), to4("10.9.9.9"))),
		thrown("v6 shorter than a header", good6[:39]),
		thrown("v6 payload longer than the packet", edit(good6, 4, 0, 200)),
		served("v6 with a trailer", append(slices.Clone(good6), "trailer"...)),
		thrown("v6 without payload", ip6(17, nil)),
		thrown("v6 of an unknown protocol", ip6(253, []byte("12345678"))),
		thrown("v6 of an unknown protocol to everybody", ip6(253, []byte("12345678"), to6("ff02::1"))),
		thrown("v6 no next header", ip6(59, []byte("12345678"))),
		thrown("v6 to somebody else", ip6(17, datagram("fd00::2", "fd99::9", 7, "x"), to6("fd99::9"))),

		served("v4 option without a length", with(68)),
		served("v4 option with a length of one", with(7, 1, 4, 0)),
		served("v4 option longer than the header", with(7, 200, 4, 0)),
		served("v4 record route without a pointer", with(7, 2, 0, 0)),
		served("v4 record route with a pointer into itself", with(7, 7, 3, 0, 0, 0, 0)),
		served("v4 record route that is full", with(7, 7, 8, 1, 2, 3, 4)),
		served("v4 timestamps that overflow", with(68, 8, 9, 0xf0, 0, 0, 0, 0)),
		served("v4 timestamp with a wrong pointer", with(68, 8, 4, 0, 0, 0, 0, 0)),
		served("v4 timestamp of unknown kind", with(68, 8, 5, 7, 0, 0, 0, 0)),
		served("v4 source route", with(131, 7, 4, 10, 0, 0, 2)),
		served("v4 strict source route", with(137, 7, 4, 10, 0, 0, 2)),
		served("v4 two source routes", with(131, 7, 4, 10, 0, 0, 2, 131, 7, 4, 10, 0, 0, 2)),
		served("v4 router alert", with(148, 4, 0, 0)),
		served("v4 unknown option", with(30, 4, 0, 0)),
		served("v4 only padding", with(1, 1, 1, 1)),
		served("v4 garbage after the end", with(0, 7, 200, 4)),

		served("v6 options to skip", chain(hop, option(hop, 0x1e))),
		thrown("v6 options to drop", chain(hop, option(hop, 0x5e))),
		thrown("v6 options to answer", chain(hop, option(hop, 0x9e))),
		thrown("v6 options to answer unless to many", chain(hop, option(hop, 0xde))),
		thrown("v6 option longer than its header", chain(hop, []byte{hop, 0, 0x1e, 200, 0, 0, 0, 0})),
		thrown("v6 header longer than the packet", chain(hop, []byte{hop, 200, 1, 4, 0, 0, 0, 0})),
		thrown("v6 padding that is not zero", chain(hop, []byte{hop, 0, 1, 4, 1, 2, 3, 4})),
		thrown("v6 too much padding", chain(hop, []byte{hop, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})),
		thrown("v6 jumbo payload in a packet with a length", chain(hop, []byte{hop, 0, 0xc2, 4, 0, 1, 0, 0})),
		thrown("v6 jumbo payload that is not", chain(hop, []byte{hop, 0, 0xc2, 4, 0, 0, 1, 0})),
		thrown("v6 hop-by-hop options further behind", chain(options, option(options, 1), option(hop, 1))),
		served("v6 destination options", chain(options, option(options, 1))),
		thrown("v6 destination options to answer", chain(options, option(options, 0x9e))),
		thrown("v6 routing header of type 0", chain(routing, []byte{routing, 0, 0, 1, 0, 0, 0, 0})),
		served("v6 routing header that is done", chain(routing, []byte{routing, 0, 0, 0, 0, 0, 0, 0})),
		thrown("v6 routing header of an unknown type", chain(routing, []byte{routing, 0, 99, 1, 0, 0, 0, 0})),
		served("v6 long chain of options", chain(options, slices.Repeat([][]byte{option(options, 1)}, 30)...)),
		thrown("v6 nine options", chain(hop, []byte{hop, 2, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0, 1, 2, 0, 0})),
		served("v6 IPv6 in options in fragments", chain(44, []byte{44, 0, 0, 0, 0, 0, 0, 7})),
	}
	for _, src := range []string{"224.0.0.1", "255.255.255.255", "127.0.0.1", "0.0.0.0", "0.1.2.3", "10.0.0.1", "240.0.0.1", "10.0.0.255"} {
		list = append(list, served("v4 from "+src, ip4(17, datagram(src, "10.0.0.1", 7, "x"), from4(src))))
	}
	for _, dst := range []string{"127.0.0.1", "0.0.0.0", "240.0.0.1", "255.255.255.255", "10.0.0.255", "10.0.0.0", "224.0.0.1", "224.0.0.9"} {
		list = append(list, served("v4 to "+dst, ip4(17, datagram("10.0.0.2", dst, 7, "x"), to4(dst))))
	}
	for _, src := range []string{"ff02::1", "::1", "::", "fd00::1", "::ffff:10.0.0.2"} {
		list = append(list, served("v6 from "+src, edit(ip6(17, datagram(src, "fd00::1", 7, "x"), from6("fd00::2")), 8, sixteen(src)...)))
	}
	for _, dst := range []string{"::1", "::", "ff00::1", "ff01::1", "ff02::1", "ff02::99", "::ffff:10.0.0.1"} {
		list = append(list, served("v6 to "+dst, edit(ip6(17, datagram("fd00::2", dst, 7, "x")), 24, sixteen(dst)...)))
	}
	return list
}

func sixteen(s string) []byte {
	b := ip(s).As16()
	return b[:]
}

func hostileToRouters() []scenario {
	far4 := func(edits ...func(*wire.IPv4)) []byte {
		return ip4(17, datagram("10.0.0.2", "10.9.9.9", 7, "x"), append(edits, to4("10.9.9.9"))...)
	}
	far6 := func(edits ...func(*wire.IPv6)) []byte {
		return ip6(17, datagram("fd00::2", "fd99::9", 7, "x"), append(edits, to6("fd99::9"))...)
	}
	ttl4 := func(n uint8) func(*wire.IPv4) { return func(h *wire.IPv4) { h.TTL = n } }
	ttl6 := func(n uint8) func(*wire.IPv6) { return func(h *wire.IPv6) { h.HopLimit = n } }
	return []scenario{
		thrown("v4 no route", far4()),
		thrown("v6 no route", far6()),
		thrown("v4 the last hop", ip4(17, datagram("10.0.0.2", "10.0.0.77", 7, "x"), to4("10.0.0.77"), ttl4(1))),
		thrown("v6 the last hop", ip6(17, datagram("fd00::2", "fd00::77", 7, "x"), to6("fd00::77"), ttl6(1))),
		thrown("v4 no hop left and no route", far4(ttl4(1))),
		thrown("v4 an error that has no route", ip4(1, icmp(3, 1, 0, far4()...), to4("10.9.9.9"))),
		thrown("v4 from nobody", far4(from4("0.0.0.0"))),
		thrown("v4 from the loopback", far4(from4("127.0.0.1"))),
		thrown("v4 to the loopback", far4(to4("127.0.0.1"))),
		thrown("v4 to class E", far4(to4("240.0.0.1"))),
		thrown("v6 from nobody", far6(from6("::"))),
		thrown("v6 from the loopback", far6(from6("::1"))),
		thrown("v6 from a link-local address", far6(from6("fe80::2"))),
		thrown("v6 to a group", ip6(17, datagram("fd00::2", "ff0e::77", 7, "x"), to6("ff0e::77"))),
		thrown("v4 to a group", ip4(17, datagram("10.0.0.2", "239.1.2.3", 7, "x"), to4("239.1.2.3"))),
		thrown("v4 options that are wrong", ip4(17, udp4(7, "x"), to4("10.9.9.9"), func(h *wire.IPv4) { h.Options = []byte{7, 200, 4, 0} })),
	}
}

func hostileFragments() []scenario {
	// Of a datagram of 64 bytes: from, to, whether more follow.
	whole4, whole6 := udp4(7, string(noise(56))), udp6(7, string(noise(56)))
	f4 := func(from, to int, more bool, edits ...func(*wire.IPv4)) []byte {
		return ip4(17, whole4[from:to], append(edits, func(h *wire.IPv4) { h.FragOffset, h.MF = uint16(from), more })...)
	}
	f6 := func(from, to int, more bool) []byte {
		b := make([]byte, wire.FragmentLen)
		wire.Fragment{ID: 77, Offset: uint16(from), More: more}.Put(b, 17)
		return ip6(44, append(b, whole6[from:to]...))
	}
	at := func(offset, n int, more bool) []byte {
		return ip4(17, make([]byte, n), func(h *wire.IPv4) { h.FragOffset, h.MF = uint16(offset), more })
	}
	at6 := func(offset, n int, more bool) []byte {
		b := make([]byte, wire.FragmentLen+n)
		wire.Fragment{ID: 77, Offset: uint16(offset), More: more}.Put(b, 17)
		return ip6(44, b)
	}
	return []scenario{
		served("v4 in order", f4(0, 32, true), f4(32, 64, false)),
		served("v6 in order", f6(0, 32, true), f6(32, 64, false)),
		served("v4 backwards", f4(48, 64, false), f4(32, 48, true), f4(0, 32, true)),
		served("v6 backwards", f6(48, 64, false), f6(32, 48, true), f6(0, 32, true)),
		served("v4 one twice", f4(0, 32, true), f4(0, 32, true), f4(32, 64, false)),
		served("v6 one twice", f6(0, 32, true), f6(0, 32, true), f6(32, 64, false)),
		served("v4 one within another", f4(0, 32, true), f4(8, 24, true), f4(32, 64, false)),
		served("v6 one within another", f6(0, 32, true), f6(8, 24, true), f6(32, 64, false)),
		served("v4 one around another", f4(8, 24, true), f4(0, 32, true), f4(32, 64, false)),
		served("v6 one around another", f6(8, 24, true), f6(0, 32, true), f6(32, 64, false)),
		served("v4 overlap at the front", f4(16, 48, true), f4(0, 24, true), f4(24, 64, false)),
		served("v6 overlap at the front", f6(16, 48, true), f6(0, 24, true), f6(24, 64, false)),
		served("v4 overlap at the end", f4(0, 32, true), f4(24, 64, false), f4(32, 64, false)),
		served("v6 overlap at the end", f6(0, 32, true), f6(24, 64, false), f6(32, 64, false)),
		served("v4 two ends", f4(32, 64, false), f4(32, 56, false), f4(0, 32, true)),
		served("v6 two ends", f6(32, 64, false), f6(32, 56, false), f6(0, 32, true)),
		served("v4 beyond the end", f4(32, 48, false), f4(48, 64, true), f4(0, 32, true)),
		served("v6 beyond the end", f6(32, 48, false), f6(48, 64, true), f6(0, 32, true)),
		served("v4 an end before what is there", f4(32, 64, true), f4(16, 32, false), f4(0, 16, true)),
		served("v6 an end before what is there", f6(32, 64, true), f6(16, 32, false), f6(0, 16, true)),
		served("v4 no multiple of eight", f4(0, 30, true), f4(32, 64, false)),
		served("v6 no multiple of eight", f6(0, 30, true), f6(32, 64, false)),
		served("v4 without payload", at(8, 0, true), at(0, 0, true)),
		served("v6 without payload", at6(8, 0, true), at6(0, 0, true)),
		served("v4 beyond 65535", at(65528, 20, false), at(65528, 8, true)),
		served("v6 beyond 65535", at6(65528, 20, false), at6(65528, 8, true)),
		served("v4 reaching past 65535 with its header", at(65512, 20, false)),
		served("v6 whole", f6(0, 64, false)),
		served("v4 don't fragment", f4(0, 32, true, func(h *wire.IPv4) { h.DF = true }), f4(32, 64, false)),
		served("v4 to everybody", f4(0, 32, true, to4("10.0.0.255")), f4(32, 64, false, to4("10.0.0.255"))),
		served("v4 of two protocols", f4(0, 32, true), f4(32, 64, false, func(h *wire.IPv4) { h.Protocol = 6 })),
		served("v4 from two senders", f4(0, 32, true), f4(32, 64, false, from4("10.0.0.3"))),
		served("v6 header that is cut", ip6(44, []byte{17, 0, 0, 1})),
		served("v6 within a fragment", ip6(44, append([]byte{44, 0, 0, 0, 0, 0, 0, 1, 17, 0, 0, 0, 0, 0, 0, 2}, whole6...))),
		served("v6 first one without the transport's header", ip6(44, []byte{60, 0, 0, 1, 0, 0, 0, 7, 17, 1, 1, 0, 0, 0, 0, 0})),
	}
}
