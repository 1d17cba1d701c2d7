package stack_test

import (
	"strings"

	"sockeye"
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

// redirected are redirects to a host with two gateways, of which it uses the first. What it sends after each tells by
// which gateway.
func redirected() (list []scenario) {
	thirdMAC := wire.MAC{2, 0, 0, 0, 0, 4}
	arp := func(from string, mac wire.MAC) []byte {
		b := make([]byte, wire.ARPLen)
		wire.ARP{Op: wire.ARPOP_REQUEST, SenderMAC: mac, SenderIP: ip(from), TargetIP: ip("10.0.0.1")}.Put(b)
		return frame(wire.ETH_P_ARP, b, toAll)
	}
	solicit := func(from string, mac wire.MAC) []byte {
		return nd(from, "fe80::1", 135, 0, append(sixteen("fe80::1"), append([]byte{1, 1}, mac[:]...)...))
	}
	sends := func(a *assault, s *sockeye.Socket, to string) {
		if _, err := s.Sendto([]byte("x"), 0, at(to, 9)); err != nil {
			a.note("sendto: %v", errno(err))
		}
		for _, f := range a.heard() {
			if chatter(f, true) {
				continue
			}
			h, _, _ := wire.ParseEthernet(f)
			a.note("< to %v: %s", h.Dst, a.describe(f))
		}
	}
	const far4, far6 = "198.51.100.7", "2001:db8::7"
	sent4 := ip4(17, append([]byte{0, 7, 0, 9, 0, 9, 0, 0}, 'x'), from4("10.0.0.1"), to4(far4))
	sent6 := ip6(17, append([]byte{0, 7, 0, 9, 0, 9, 0, 0}, 'x'), from6("fd00::1"), to6(far6))
	by4 := func(from string, code uint8, gateway string, quote []byte) []byte {
		g := ip(gateway).As4()
		rest := uint32(g[0])<<24 | uint32(g[1])<<16 | uint32(g[2])<<8 | uint32(g[3])
		return frame(wire.ETH_P_IP, ip4(1, icmp(5, code, rest, quote...), from4(from)))
	}
	add4 := func(name string, redirect []byte) {
		list = append(list, scenario{"v4 " + name, func(a *assault) {
			a.throw(arp("10.0.0.254", otherMAC), arp("10.0.0.253", thirdMAC))
			s := a.bound("10.0.0.1", 7)
			sends(a, s, far4)
			a.throw(redirect)
			sends(a, s, far4)
			sends(a, s, "198.51.100.8") // which it was not about
		}})
	}
	for code := range uint8(5) {
		add4("of code "+itoa(int(code)), by4("10.0.0.254", code, "10.0.0.253", sent4))
	}
	add4("by another gateway", by4("10.0.0.253", 1, "10.0.0.253", sent4))
	add4("by another gateway to a third", by4("10.0.0.253", 1, "10.0.0.2", sent4))
	add4("to the gateway itself", by4("10.0.0.254", 1, "10.0.0.254", sent4))
	add4("to the host", by4("10.0.0.254", 1, "10.0.0.1", sent4))
	add4("to a group", by4("10.0.0.254", 1, "224.0.0.1", sent4))
	add4("to everybody", by4("10.0.0.254", 1, "255.255.255.255", sent4))
	add4("to everybody on the link", by4("10.0.0.254", 1, "10.0.0.255", sent4))
	add4("to network 0", by4("10.0.0.254", 1, "0.1.2.3", sent4))
	add4("about what no socket sent", by4("10.0.0.254", 1, "10.0.0.253", edit(sent4, 20, 0, 99)))
	add4("to what answers nobody", by4("10.0.0.254", 1, "10.0.0.99", sent4))

	by6 := func(from, target, dest string, options ...byte) []byte {
		return nd(from, "fd00::1", 137, 0, append(append(sixteen(target), sixteen(dest)...), options...))
	}
	header := func(quote []byte) []byte {
		quote = append([]byte{4, byte(1 + len(quote)/8), 0, 0, 0, 0, 0, 0}, quote[:len(quote)&^7]...)
		return quote
	}
	lladdr := []byte{2, 1, 2, 0, 0, 0, 0, 4}
	add6 := func(name string, redirect []byte) {
		list = append(list, scenario{"v6 " + name, func(a *assault) {
			a.throw(solicit("fe80::fe", otherMAC), solicit("fe80::fd", thirdMAC))
			s := a.bound("fd00::1", 7)
			sends(a, s, far6)
			a.throw(redirect)
			sends(a, s, far6)
			sends(a, s, "2001:db8::8")
		}})
	}
	add6("to another gateway", by6("fe80::fe", "fe80::fd", far6))
	bound := by6("fe80::fe", "fe80::fd", far6, header(sent6)...)
	list = append(list, scenario{"v6 to another gateway, about a packet of a socket that is bound to the device", func(a *assault) {
		a.throw(solicit("fe80::fe", otherMAC), solicit("fe80::fd", thirdMAC))
		s := a.bound("fd00::1", 7)
		sockeye.SO_BINDTODEVICE.Set(s, "tun0")
		sends(a, s, far6)
		a.throw(bound)
		sends(a, s, far6)
	}})
	add6("to another gateway, about a packet", by6("fe80::fe", "fe80::fd", far6, header(sent6)...))
	add6("to a gateway that was unknown", by6("fe80::fe", "fe80::77", far6, lladdr...))
	add6("to the host itself, on the link", by6("fe80::fe", far6, far6, lladdr...))
	add6("by another gateway", by6("fe80::fd", "fe80::fd", far6))
	add6("to a gateway that is not of the link", by6("fe80::fe", "fd00::fd", far6))
	add6("by an address that is not of the link", by6("fd00::fe", "fe80::fd", far6))
	add6("about a group", by6("fe80::fe", "fe80::fd", "ff0e::1"))
	add6("about what no socket sent", by6("fe80::fe", "fe80::fd", far6, header(edit(sent6, 40, 0, 99))...))
	return list
}
