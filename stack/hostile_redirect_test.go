package stack_test

import (
	"strings"

	"sockeye/wire"
)

// detours are packets that a router sends back to the link that they came from, where their sender could have
// sent them itself.
func detours() []scenario {
	v4 := func(dst, data string, edits ...func(*wire.IPv4)) []byte {
		return ip4(17, datagram("10.0.0.2", dst, 7, data), append(edits, to4(dst))...)
	}
	v6 := func(dst, data string, edits ...func(*wire.IPv6)) []byte {
		return ip6(17, datagram("fd00::2", dst, 7, data), append(edits, to6(dst))...)
	}
	many := func(p []byte, n int) (list [][]byte) {
		for range n {
			list = append(list, p)
		}
		return list
	}
	long := strings.Repeat("x", 1400)
	return []scenario{
		thrown("v4 to a neighbour", v4("10.0.0.77", "x")),
		thrown("v6 to a neighbour", v6("fd00::77", "x")),
		thrown("v4 long, to a neighbour", v4("10.0.0.77", long)),
		thrown("v6 long, to a neighbour", v6("fd00::77", long)),
		thrown("v4 with two hops left", v4("10.0.0.77", "x", func(h *wire.IPv4) { h.TTL = 2 })),
		thrown("v4 with one hop left", v4("10.0.0.77", "x", func(h *wire.IPv4) { h.TTL = 1 })),
		thrown("v6 with one hop left", v6("fd00::77", "x", func(h *wire.IPv6) { h.HopLimit = 1 })),
		thrown("v4 twice", many(v4("10.0.0.77", "x"), 2)...),
		thrown("v4 to two neighbours", v4("10.0.0.77", "x"), v4("10.0.0.78", "x")),
		thrown("v6 eight to one neighbour", many(v6("fd00::77", "x"), 8)...),
		thrown("v4 from somebody who is not on the link",
			ip4(17, datagram("10.7.0.2", "10.0.0.77", 7, "x"), from4("10.7.0.2"), to4("10.0.0.77"))),
		thrown("v4 an error", ip4(1, icmp(3, 3, 0, ip4(17, udp4(7, "x"), from4("10.0.0.77"))...), to4("10.0.0.77"))),
		thrown("v4 an echo", ip4(1, icmp(8, 0, 1), to4("10.0.0.77"))),
		thrown("v4 an ICMP redirect", ip4(1, icmp(5, 1, 10<<24|9, ip4(17, udp4(7, "x"), from4("10.0.0.77"))...), to4("10.0.0.77"))),
	}
}
