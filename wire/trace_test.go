package wire_test

import (
	"fmt"
	"strings"
	"testing"

	"sockeye/wire"
)

// ipv4Packet is a packet from 10.0.0.1 to 10.0.0.2.
func ipv4Packet(p wire.Protocol, payload []byte) []byte {
	h := wire.IPv4{Src: addr("10.0.0.1"), Dst: addr("10.0.0.2"), TTL: 64, Protocol: p}
	b := make([]byte, h.Len())
	h.Put(b, len(payload))
	return append(b, payload...)
}

// ipv6Packet is a packet from fe80::1 to fe80::2.
func ipv6Packet(next wire.Protocol, payload []byte) []byte {
	h := wire.IPv6{Src: addr("fe80::1"), Dst: addr("fe80::2"), HopLimit: 255, NextHeader: next}
	b := make([]byte, h.Len())
	h.Put(b, len(payload))
	return append(b, payload...)
}

// icmpv4Message is an error about quote4Hex.
func icmpv4Message(h wire.ICMPv4) []byte {
	b := append(make([]byte, h.Len()), unhex(quote4Hex)...)
	h.Put(b)
	return b
}

// icmpv6Message is an error about quote6Hex.
func icmpv6Message(h wire.ICMPv6) []byte {
	b := append(make([]byte, h.Len()), unhex(quote6Hex)...)
	h.Put(b)
	return b
}

func TestPacketsAreDescribed(t *testing.T) {
	unreachable := func(code uint8) wire.ICMPv4 { return wire.ICMPv4{Type: wire.ICMP_DEST_UNREACH, Code: code} }
	const icmp, icmp6, igmp = wire.IPPROTO_ICMP, wire.IPPROTO_ICMPV6, wire.IPPROTO_IGMP
	for _, c := range []struct {
		want   string
		packet []byte
	}{
		{"IP 10.0.0.1.80 > 10.0.0.2.40000: Flags [S.], seq 1, ack 2, win 65535, " +
			"options [mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7], length 0",
			ipv4Packet(wire.IPPROTO_TCP, unhex(tcpHex))},
		{"IP 10.0.0.1.80 > 10.0.0.2.40000: Flags [none], seq 1:3, win 256, length 2",
			ipv4Packet(wire.IPPROTO_TCP, unhex("0050 9c40 00000001 00000002 5000 0100 0000 0000 6869"))},
		{"IP 10.0.0.1.80 > 10.0.0.2.40000: Flags [.UEWe], ack 2, win 256, urg 1, length 0",
			ipv4Packet(wire.IPPROTO_TCP, unhex("0050 9c40 00000001 00000002 51f0 0100 0000 0001"))},
		{"IP6 fe80::1.40000 > fe80::2.53: UDP, length 3", ipv6Packet(wire.IPPROTO_UDP, unhex(udpHex))},
		{"IP 10.0.0.1 > 10.0.0.2: ICMP net 10.0.0.2 unreachable, length 36", ipv4Packet(icmp, icmpv4Message(unreachable(0)))},
		{"IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 protocol 6 unreachable, length 36", ipv4Packet(icmp, icmpv4Message(unreachable(2)))},
		{"IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 tcp port 80 unreachable, length 36", ipv4Packet(icmp, icmpv4Message(unreachable(3)))},
		{"IP 10.0.0.1 > 10.0.0.2: ICMP unreachable - code 13, length 36", ipv4Packet(icmp, icmpv4Message(unreachable(13)))},
		{"IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 unreachable - need to frag (mtu 1400), length 36",
			ipv4Packet(icmp, icmpv4Message(wire.ICMPv4FragNeeded(1400)))},
		{"IP 10.0.0.1 > 10.0.0.2: ICMP redirect 10.0.0.2 to 10.0.0.254, length 36",
			ipv4Packet(icmp, icmpv4Message(wire.ICMPv4Redirect(1, addr("10.0.0.254"))))},
		{"IP6 fe80::1 > fe80::2: ICMP6, packet too big, mtu 1400, fe80::2, length 72",
			ipv6Packet(icmp6, icmpv6Message(wire.ICMPv6PacketTooBig(1400)))},
		{"IP6 fe80::1 > fe80::2: ICMP6, destination unreachable, unreachable port, fe80::2 udp port 53, length 72",
			ipv6Packet(icmp6, icmpv6Message(wire.ICMPv6{Type: wire.ICMPV6_DEST_UNREACH, Code: wire.ICMPV6_PORT_UNREACH}))},
		{"IP6 fe80::1 > fe80::2: ICMP6, router advertisement, length 96", ipv6Packet(icmp6, unhex(raHex))},
		{"IP6 fe80::1 > fe80::2: ICMP6, redirect, 2001:db8::5 to fe80::9, length 64", ipv6Packet(icmp6, unhex(redirectHex))},
		{"IP6 fe80::1 > fe80::2: ICMP6, multicast listener done, ff02::fb, length 24", ipv6Packet(icmp6, unhex(mldDoneHex))},
		{"IP6 fe80::1 > fe80::2: ICMP6, multicast listener query v2 [max resp time 1m5.552s] [gaddr ff02::fb 2001:db8::1], length 44",
			ipv6Packet(icmp6, unhex(mldQueryHex))},
		{"IP 10.0.0.1 > 10.0.0.2: igmp leave 224.0.0.251", ipv4Packet(igmp, sealIGMP(unhex(igmpLeaveHex)))},
		{"IP 10.0.0.1 > 10.0.0.2: ip-proto-89, length 4", ipv4Packet(89, make([]byte, 4))},
		{"IP 10.0.0.1 > 10.0.0.2: udp packet too short", ipv4Packet(wire.IPPROTO_UDP, make([]byte, 4))},
		{"IP 10.0.0.1 > 10.0.0.2: ICMP bad checksum, length 8", ipv4Packet(icmp, make([]byte, 8))},
		{"IP6 fe80::1 > fe80::2: bad options", ipv6Packet(wire.IPPROTO_DSTOPTS, unhex("11 00 fe 04 00000000"))},
		{"IP bad checksum", set(8, 1)(ipv4Packet(89, nil))},
		{"IP6 packet truncated", ipv6Packet(89, make([]byte, 4))[:42]},
		{"IP bad version or no packet", nil},
	} {
		if got := wire.Describe(c.packet); got != c.want {
			t.Errorf("\n got %s\nwant %s", got, c.want)
		}
	}
}

func TestHeadersAreDescribed(t *testing.T) {
	query, err := wire.ParseIGMPQuery(sealIGMP(unhex(igmpQueryHex)))
	check(t, err)
	vnet, _, err := wire.ParseVirtioNet(vnetBytes(1, 0x81, 52, 1448, 20, 16, 64))
	check(t, err)
	for _, c := range []struct {
		want   string
		header fmt.Stringer
	}{
		{"10.0.0.1 > 10.0.0.2: udp, frag 7@1480+", &ipv4Value},
		{"fe80::ff:fe00:1 > ff02::1: icmp6", &ipv6Value},
		{"Flags [S.], seq 1, ack 2, win 65535, options [mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7]", &tcpValue},
		{"UDP 40000 > 53", wire.UDP{SrcPort: 40000, DstPort: 53}},
		{"v3 [max resp time 12.8s] [gaddr 224.0.0.251 10.0.0.1 10.0.0.2]", &query},
		{"vnet flags 1 gso 129 size 1448 hdr 52 csum 20+16", vnet},
	} {
		if got := c.header.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestFramesAreDescribed(t *testing.T) {
	for want, frame := range map[string][]byte{
		"02:00:00:00:00:01 > 02:00:00:00:00:02, vlan 42, ethertype 0x88cc": set(16, 0x88, 0xcc)(unhex(taggedHex)),
		"ARP, packet too short":       append(unhex("020000000002 020000000001 0806"), 0, 1),
		"packet too short":            {1},
		"IP6 packet too short":        append(unhex(taggedHex), 0x60),
		"IP bad version or no packet": unhex("020000000002 020000000001 0800"),
	} {
		if got := wire.DescribeFrame(frame); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	for _, frame := range linuxFrames {
		f.Add(unhex(frame.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, line := range []string{wire.DescribeFrame(b), wire.Describe(b)} {
			if line == "" || strings.Contains(line, "%!") {
				t.Fatalf("line %q", line)
			}
		}
	})
}
