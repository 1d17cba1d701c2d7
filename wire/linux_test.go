package wire_test

import (
	"bytes"
	"testing"

	"sockeye/wire"
)

// Frames as Linux 6.18 sent them between two network namespaces, checksum offload
// off, each with the line that tcpdump 4.99 writes for it.
var linuxFrames = []struct{ line, hex string }{
	{`IP6 :: > ff02::1:ff00:2: ICMP6, neighbor solicitation, who has fe80::ff:fe00:2, length 32`,
		`3333ff00000202000000000286dd6000000000203aff00000000000000000000000000000000ff020000000000000000
			0001ff0000028700ba1500000000fe80000000000000000000fffe0000020e0192e3fa6f27b1`},
	{`IP6 fe80::ff:fe00:2 > ff02::16: HBH ICMP6, multicast listener report v2, 1 group record(s), length 28`,
		`33330000001602000000000286dd6000000000240001fe80000000000000000000fffe000002ff020000000000000000
			0000000000163a000502000001008f0072050000000104000000ff0200000000000000000001ff000002`},
	{`IP6 fe80::ff:fe00:2 > ff02::2: ICMP6, router solicitation, length 16`,
		`33330000000202000000000286dd6000000000103afffe80000000000000000000fffe000002ff020000000000000000
			00000000000285007b2a000000000101020000000002`},
	{`ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28`,
		`ffffffffffff020000000001080600010800060400010200000000010a0000010000000000000a000002`},
	{`ARP, Reply 10.0.0.2 is-at 02:00:00:00:00:02, length 28`,
		`020000000001020000000002080600010800060400020200000000020a0000020200000000010a000001`},
	{`IP 10.0.0.1.49197 > 10.0.0.2.9999: UDP, length 5`,
		`0200000000020200000000010800450000211b69400040110b610a0000010a000002c02d270f000dc0c268656c6c6f`},
	{`IP 10.0.0.2 > 10.0.0.1: ICMP 10.0.0.2 udp port 9999 unreachable, length 41`,
		`020000000001020000000002080045c0003d8d1400004001d8e90a0000020a0000010303111e00000000450000211b69
			400040110b610a0000010a000002c02d270f000dc0c268656c6c6f`},
	{`IP6 fe80::ff:fe00:2 > fe80::ff:fe00:1: ICMP6, neighbor advertisement, tgt is fe80::ff:fe00:2, length 32`,
		`02000000000102000000000286dd6000000000203afffe80000000000000000000fffe000002fe800000000000000000
			00fffe00000188001b1a60000000fe80000000000000000000fffe0000020201020000000002`},
	{`IP6 fe80::ff:fe00:1 > fe80::ff:fe00:2: frag (1448|160)`,
		`02000000000202000000000186dd60075f8d00a82c40fe80000000000000000000fffe000001fe800000000000000000
			00fffe000002110005a8d1ce7b2568686868686868686868686868686868686868686868686868686868686868686868
			686868686868686868686868686868686868686868686868686868686868686868686868686868686868686868686868
			686868686868686868686868686868686868686868686868686868686868686868686868686868686868686868686868
			686868686868686868686868686868686868686868686868686868686868`},
	{`IP 10.0.0.1.46508 > 10.0.0.2.80: Flags [SEW], seq 3777730065, win 64240, options [mss 1460,sackOK,TS val 3546760019 ecr 0,nop,wscale 10,tfo  cookiereq,nop,nop], length 0`,
		`0200000000020200000000010800450000402c4640004006fa6f0a0000010a000002b5ac0050e12b961100000000b0c2
			faf0c14d0000020405b40402080ad3674353000000000103030a22020101`},
	{`IP 10.0.0.2.80 > 10.0.0.1.46508: Flags [S.E], seq 2590273204, ack 3777730066, win 65160, options [mss 1460,sackOK,TS val 993526373 ecr 3546760019,nop,wscale 10,tfo  cookie 1a62c9fbcccc9657,nop,nop], length 0`,
		`02000000000102000000000208004500004800004000400626ae0a0000020a0000010050b5ac9a646eb4e12b9612d052
			fe880fdc0000020405b40402080a3b380265d36743530103030a220a1a62c9fbcccc96570101`},
	{`IP 10.0.0.1.46508 > 10.0.0.2.80: Flags [P.], seq 3777730066:3777730071, ack 2590273205, win 63, options [nop,nop,TS val 3546760019 ecr 993526373], length 5`,
		`0200000000020200000000010800450200392c4740004006fa730a0000010a000002b5ac0050e12b96129a646eb58018
			003f93ef00000101080ad36743533b38026568656c6c6f`},
	{`IP 10.0.0.1.46508 > 10.0.0.2.80: Flags [F.], seq 3777730071, ack 2590273205, win 63, options [nop,nop,TS val 3546760019 ecr 993526373], length 0`,
		`0200000000020200000000010800450000342c4840004006fa790a0000010a000002b5ac0050e12b96179a646eb58011
			003fd7c800000101080ad36743533b380265`},
	{`IP 10.0.0.1.46512 > 10.0.0.2.80: Flags [SEW], seq 3170892404:3170892409, win 64240, options [mss 1460,sackOK,TS val 1640106694 ecr 0,nop,wscale 10,tfo  cookie 1a62c9fbcccc9657,nop,nop], length 5`,
		`02000000000202000000000108004500004db5614000400671470a0000010a000002b5b00050bcfffa7400000000d0c2
			faf07fdb0000020405b40402080a61c20ac6000000000103030a220a1a62c9fbcccc9657010168656c6c6f`},
	{`IP 10.0.0.1 > 224.0.0.22: igmp v3 report, 1 group record(s)`,
		`01005e000016020000000001080046c00028000040000102f9f80a000001e0000016940400002200e9f9000000010300
			0000ef010203`},
	{`IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 21711, seq 1, length 64`,
		`02000000000202000000000108004f00007ca3284000400147460a0000010a000002010727080a000001000000000000
			00000000000000000000000000000000000000000000000000000800eef554cf0001a31e006b000000004ddd04000000
			0000101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637`},
	{`IP 10.0.0.2 > 10.0.0.1: ICMP echo reply, id 21711, seq 1, length 64`,
		`02000000000102000000000208004f00007c8d1700004001b3220a0000020a0000010727100a0000010a0000020a0000
			02000000000000000000000000000000000000000000000000000000f6f554cf0001a31e006b000000004ddd04000000
			0000101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637`},
	{`IP6 fe80::ff:fe00:1 > fe80::ff:fe00:2: ICMP6, echo request, id 21712, seq 1, length 64`,
		`02000000000202000000000186dd6000eab500403a40fe80000000000000000000fffe000001fe800000000000000000
			00fffe0000028000136854d00001a31e006b00000000b5ea040000000000101112131415161718191a1b1c1d1e1f2021
			22232425262728292a2b2c2d2e2f3031323334353637`},
	{`IP 10.0.0.2 > 10.0.0.1: ICMP host 10.9.0.1 unreachable, length 92`,
		`020000000001020000000002080045c000708d1a00004001d8b00a0000020a0000010301fcfe0000000045000054ec0f
			400040013a8f0a0000010a0900010800eaad54d60001a31e006b00000000511e05000000000010111213141516171819
			1a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637`},
	{`IP 10.0.0.2 > 10.0.0.1: ICMP time exceeded in-transit, length 92`,
		`020000000001020000000002080045c000708d1b00004001d8af0a0000020a0000010b00f4ff000000004500005460a6
			4000010104fa0a0000010a0800010800f1a054d70001a31e006b000000004a2a05000000000010111213141516171819
			1a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637`},
}

func TestLinuxFramesAreDescribedAsTcpdumpDoes(t *testing.T) {
	for _, f := range linuxFrames {
		if got := wire.DescribeFrame(unhex(f.hex)); got != f.line {
			t.Errorf("\n got %s\nwant %s", got, f.line)
		}
	}
}

func TestLinuxFramesAreRebuiltByteForByte(t *testing.T) {
	for _, f := range linuxFrames {
		t.Run(f.line, func(t *testing.T) {
			t.Parallel()
			frame := unhex(f.hex)
			if got := rebuildFrame(t, frame); !bytes.Equal(got, frame) {
				t.Errorf("\n got %x\nwant %x", got, frame)
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rebuildFrame parses a frame down to the last format that it has and builds it
// from the values.
func rebuildFrame(t *testing.T, frame []byte) []byte {
	h, payload, err := wire.ParseEthernet(frame)
	check(t, err)
	b := dirty(len(frame))
	n := h.Put(b)
	switch h.Type {
	case wire.ETH_P_ARP:
		p, err := wire.ParseARP(payload)
		check(t, err)
		p.Put(b[n:])
	case wire.ETH_P_IP:
		ip, payload, err := wire.ParseIPv4(payload)
		check(t, err)
		n += ip.Put(b[n:], len(payload))
		rebuildTransport(t, b[n:], ip.Src, ip.Dst, ip.Protocol, payload)
	case wire.ETH_P_IPV6:
		ip, payload, err := wire.ParseIPv6(payload)
		check(t, err)
		x, rest, err := wire.WalkExtensions(ip.NextHeader, payload)
		check(t, err)
		n += ip.Put(b[n:], len(payload))
		if x.HasRouterAlert {
			n += wire.PutRouterAlert(b[n:], x.Protocol)
		}
		if x.HasFragment {
			n += x.Fragment.Put(b[n:], x.Protocol)
			copy(b[n:], rest)
			break
		}
		rebuildTransport(t, b[n:], ip.Src, ip.Dst, x.Protocol, rest)
	default:
		t.Fatalf("type %#x", h.Type)
	}
	return b
}

func rebuildTransport(t *testing.T, b []byte, src, dst wire.Addr, p wire.Protocol, message []byte) {
	pseudo := wire.PseudoSum(src, dst, p, len(message))
	switch p {
	case wire.IPPROTO_TCP:
		if !pseudo.Add(message).Valid() {
			t.Error("TCP checksum is not valid")
		}
		h, payload, err := wire.ParseTCP(message)
		check(t, err)
		n := h.Put(b)
		wire.FillTCP(b[:n], pseudo+wire.CopySum(b[n:], payload))
	case wire.IPPROTO_UDP:
		check(t, wire.CheckUDP(message, src, dst))
		h, payload, err := wire.ParseUDP(message)
		check(t, err)
		n := h.Put(b, len(payload))
		wire.FillUDP(b[:n], pseudo+wire.CopySum(b[n:], payload))
	case wire.IPPROTO_ICMP:
		h, body, err := wire.ParseICMPv4(message)
		check(t, err)
		copy(b[h.Len():], body)
		h.Put(b)
	case wire.IPPROTO_IGMP:
		records, err := all(wire.ParseIGMPReport(message))
		check(t, err)
		wire.PutIGMPReport(b, records)
	case wire.IPPROTO_ICMPV6:
		if !pseudo.Add(message).Valid() {
			t.Error("ICMPv6 checksum is not valid")
		}
		rebuildICMPv6(t, b, message)
		wire.FillICMPv6(b, pseudo)
	default:
		t.Fatal(p)
	}
}

func rebuildICMPv6(t *testing.T, b, message []byte) {
	h, body, err := wire.ParseICMPv6(message)
	check(t, err)
	switch h.Type {
	case wire.NDISC_ROUTER_SOLICITATION:
		m, err := wire.ParseRouterSolicit(message)
		check(t, err)
		m.Put(b)
	case wire.NDISC_NEIGHBOUR_SOLICITATION:
		m, err := wire.ParseNeighborSolicit(message)
		check(t, err)
		if m.Put(b) < len(b) { // a nonce (RFC 3971), which is passed over
			copy(b[m.Len():], message[m.Len():])
		}
	case wire.NDISC_NEIGHBOUR_ADVERTISEMENT:
		m, err := wire.ParseNeighborAdvert(message)
		check(t, err)
		m.Put(b)
	case wire.ICMPV6_MLD2_REPORT:
		records, err := all(wire.ParseMLDReport(message))
		check(t, err)
		wire.PutMLDReport(b, records)
	default:
		h.Put(b)
		copy(b[h.Len():], body)
	}
}
