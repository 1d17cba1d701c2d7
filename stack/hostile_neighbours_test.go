package stack_test

import (
	"strconv"

	"sockeye/wire"
)

func itoa(n int) string { return strconv.Itoa(n) }

var (
	hisMAC   = wire.MAC{2, 0, 0, 0, 0, 1}
	myMAC    = wire.MAC{2, 0, 0, 0, 0, 2}
	otherMAC = wire.MAC{2, 0, 0, 0, 0, 3}
)

// frame is an Ethernet frame to the host.
func frame(typ wire.EtherType, body []byte, edits ...func(*wire.Ethernet)) []byte {
	h := wire.Ethernet{Dst: hisMAC, Src: myMAC, Type: typ}
	for _, e := range edits {
		e(&h)
	}
	b := make([]byte, wire.EthernetLen+len(body))
	h.Put(b)
	copy(b[wire.EthernetLen:], body)
	return b
}

func toAll(h *wire.Ethernet) { h.Dst = wire.BroadcastMAC }

// nd is a message of neighbour discovery in a frame: fixed is what follows the header.
func nd(src, dst string, typ uint8, rest uint32, fixed []byte, edits ...func(*wire.IPv6)) []byte {
	hops := func(h *wire.IPv6) { h.HopLimit = 255 }
	body := icmp6(src, dst, typ, 0, rest, fixed...)
	edits = append([]func(*wire.IPv6){from6(src), to6(dst), hops}, edits...)
	to := hisMAC
	if ip(dst).IsMulticast() {
		to = ip(dst).MulticastMAC()
	}
	return frame(wire.ETH_P_IPV6, ip6(58, body, edits...), func(h *wire.Ethernet) { h.Dst = to })
}

func hostileNeighbours() []scenario {
	arp := func(edits ...func(*wire.ARP)) []byte {
		a := wire.ARP{Op: wire.ARPOP_REQUEST, SenderMAC: myMAC, SenderIP: ip("10.0.0.2"), TargetIP: ip("10.0.0.1")}
		for _, e := range edits {
			e(&a)
		}
		b := make([]byte, wire.ARPLen)
		a.Put(b)
		return frame(wire.ETH_P_ARP, b, toAll)
	}
	mac := func(typ byte, m wire.MAC) []byte { return append([]byte{typ, 1}, m[:]...) }
	join := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	const solicit, advert, redirect, routerAdvert = 135, 136, 137, 134
	target, mine := sixteen("fd00::1"), sixteen("fd00::2")
	node := ip("fd00::1").SolicitedNode().String()
	good := nd("fd00::2", node, solicit, 0, join(target, mac(1, myMAC)))
	echo := frame(wire.ETH_P_IP, ip4(1, icmp(8, 0, 7<<16|1, hello...)))
	echo6 := frame(wire.ETH_P_IPV6, ip6(58, icmp6("fd00::2", "fd00::1", 128, 0, 7<<16|1, hello...)))
	return []scenario{
		thrown("arp request", arp()),
		thrown("arp request for somebody else", arp(func(a *wire.ARP) { a.TargetIP = ip("10.0.0.9") })),
		thrown("arp request from nobody", arp(func(a *wire.ARP) { a.SenderIP = ip("0.0.0.0") })),
		thrown("arp request from a group", arp(func(a *wire.ARP) { a.SenderIP = ip("224.0.0.1") })),
		thrown("arp request for a group", arp(func(a *wire.ARP) { a.TargetIP = ip("224.0.0.1") })),
		thrown("arp request for the loopback", arp(func(a *wire.ARP) { a.TargetIP = ip("127.0.0.1") })),
		thrown("arp request from the host's own address", arp(func(a *wire.ARP) { a.SenderIP = ip("10.0.0.1") })),
		thrown("arp reply that nobody asked for", arp(func(a *wire.ARP) { a.Op = wire.ARPOP_REPLY }), echo),
		thrown("arp of an unknown operation", arp(func(a *wire.ARP) { a.Op = 9 })),
		thrown("arp cut", arp()[:30]),
		thrown("arp with addresses of other lengths", edit(arp(), 18, 8, 16)),
		thrown("arp for other hardware", edit(arp(), 14, 0, 7)),
		thrown("arp reply that changes an address", arp(), echo,
			arp(func(a *wire.ARP) { a.Op, a.SenderMAC = wire.ARPOP_REPLY, otherMAC }), echo),
		thrown("solicitation", good),
		thrown("solicitation from the link", nd("fe80::2", "fe80::1", solicit, 0, join(sixteen("fe80::1"), mac(1, myMAC)))),
		thrown("solicitation that passed a router", nd("fd00::2", node, solicit, 0, join(target, mac(1, myMAC)), func(h *wire.IPv6) { h.HopLimit = 254 })),
		thrown("solicitation without the sender's address", good[:len(good)-8]),
		thrown("solicitation with an option of length zero", nd("fd00::2", node, solicit, 0, join(target, []byte{1, 0, 2, 0, 0, 0, 0, 2}))),
		thrown("solicitation with an option that is cut", nd("fd00::2", node, solicit, 0, join(target, []byte{1, 3, 2, 0, 0, 0, 0, 2}))),
		thrown("solicitation that is cut", nd("fd00::2", node, solicit, 0, target[:8])),
		thrown("solicitation for a group", nd("fd00::2", node, solicit, 0, join(sixteen("ff02::1"), mac(1, myMAC)))),
		thrown("solicitation for somebody else", nd("fd00::2", node, solicit, 0, join(sixteen("fd00::9"), mac(1, myMAC)))),
		thrown("probe for a duplicate", nd("::", node, solicit, 0, target)),
		thrown("probe for a duplicate with the sender's address", nd("::", node, solicit, 0, join(target, mac(1, myMAC)))),
		thrown("probe for a duplicate to one host", nd("::", "fd00::1", solicit, 0, target)),
		thrown("solicitation from a group", nd("ff02::2", node, solicit, 0, join(target, mac(1, myMAC)))),
		thrown("advertisement that nobody asked for", nd("fd00::2", "fd00::1", advert, 0x60000000, join(mine, mac(2, myMAC))), echo6),
		thrown("advertisement that is solicited and for many", good, nd("fd00::2", "ff02::1", advert, 0x60000000, join(mine, mac(2, otherMAC))), echo6),
		thrown("advertisement that changes an address", good, nd("fd00::2", "fd00::1", advert, 0x60000000, join(mine, mac(2, otherMAC))), echo6),
		thrown("advertisement that may not change an address", good, nd("fd00::2", "fd00::1", advert, 0x40000000, join(mine, mac(2, otherMAC))), echo6),
		thrown("advertisement that passed a router", good, nd("fd00::2", "fd00::1", advert, 0x60000000, join(mine, mac(2, otherMAC)), func(h *wire.IPv6) { h.HopLimit = 64 }), echo6),
		thrown("advertisement of a group", nd("fd00::2", "fd00::1", advert, 0x60000000, join(sixteen("ff02::1"), mac(2, otherMAC)))),
		thrown("redirect from a stranger", nd("fe80::9", "fd00::1", redirect, 0, join(sixteen("fe80::8"), sixteen("fd99::9")))),
		thrown("redirect that is not of the link", nd("fd00::9", "fd00::1", redirect, 0, join(sixteen("fe80::8"), sixteen("fd99::9")))),
		thrown("router advertisement that passed a router", nd("fe80::9", "ff02::1", routerAdvert, 0x40001000, make([]byte, 8), func(h *wire.IPv6) { h.HopLimit = 64 })),
		thrown("router advertisement that is not of the link", nd("fd00::9", "ff02::1", routerAdvert, 0x40001000, make([]byte, 8))),
		thrown("IPv6 in a frame of IPv4", frame(wire.ETH_P_IP, ip6(58, icmp6("fd00::2", "fd00::1", 128, 0, 7<<16|1)))),
		thrown("IPv4 in a frame of IPv6", frame(wire.ETH_P_IPV6, ip4(1, icmp(8, 0, 7<<16|1)))),
		thrown("a frame to another station", frame(wire.ETH_P_IP, ip4(1, icmp(8, 0, 7<<16|1)), func(h *wire.Ethernet) { h.Dst = otherMAC })),
		thrown("one host's packet in a frame to all", arp(), frame(wire.ETH_P_IP, ip4(17, udp4(8, "x")), toAll)),
		thrown("a frame of an unknown type", frame(0x1234, []byte("12345678"))),
	}
}
