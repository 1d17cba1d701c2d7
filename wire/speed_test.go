package wire_test

import (
	"testing"

	"sockeye/wire"
)

// A work is what a host does with one format for a packet.
type work struct {
	name       string
	parse, put func()
}

// works has the parsing and building of each format, on buffers made before.
func works(t testing.TB) []work {
	out := make([]byte, 2048)
	tcp := tcpValue
	data := wire.TCP{SrcPort: 80, DstPort: 40000, Seq: 1, Ack: 2, Flags: wire.ACK,
		Options: wire.TCPOptions{Set: wire.OptTimestamps, TSVal: 1, TSEcr: 2}}
	sack := data
	sack.Options.NumSACK, sack.Options.SACK = 3, [4]wire.SACKBlock{{1, 2}, {3, 4}, {5, 6}}
	bytesOf := func(h *wire.TCP) []byte {
		b := make([]byte, h.Len())
		h.Put(b)
		return b
	}
	ip4, ip6 := ipv4Value, ipv6Value
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	parseTCP := func(b []byte) func() {
		return func() { _, _, err := wire.ParseTCP(b); must(err) }
	}
	ip4Bytes, ip6Bytes := sealIPv4(unhex(ipv4Hex)), unhex(ipv6Hex)
	udpBytes, ethBytes, arpBytes := unhex(udpHex), unhex(frameHex), unhex(arpHex)
	echoBytes, echo6Bytes := unhex(echoHex), unhex(echo6Hex)
	quoteBytes, extBytes := unhex(quote6Hex), unhex("3a 00 05020000 0100")
	solicitBytes, raBytes := unhex(solicitHex), unhex(raHex)
	igmpBytes, reportBytes := sealIGMP(unhex(igmpQueryHex)), sealIGMP(unhex(igmpReportHex))
	mldBytes, vnet := unhex(mldQueryHex), vnetBytes(1, 1, 52, 1448, 20, 16, 64)
	solicit, err := wire.ParseNeighborSolicit(solicitBytes)
	must(err)
	ra, err := wire.ParseRouterAdvert(raBytes)
	must(err)
	query, err := wire.ParseIGMPQuery(igmpBytes)
	must(err)
	mldQuery, err := wire.ParseMLDQuery(mldBytes)
	must(err)
	records, err := all(wire.ParseIGMPReport(reportBytes))
	must(err)
	virtio, _, err := wire.ParseVirtioNet(vnet)
	must(err)
	arp, err := wire.ParseARP(arpBytes)
	must(err)

	return []work{
		{"Ethernet", func() { _, _, err := wire.ParseEthernet(ethBytes); must(err) },
			func() { wire.Ethernet{Dst: macB, Src: macA, Type: wire.ETH_P_IP}.Put(out) }},
		{"ARP", func() { _, err := wire.ParseARP(arpBytes); must(err) }, func() { arp.Put(out) }},
		{"IPv4", func() { _, _, err := wire.ParseIPv4(ip4Bytes); must(err) }, func() { ip4.Put(out, 4) }},
		{"IPv6", func() { _, _, err := wire.ParseIPv6(ip6Bytes); must(err) }, func() { ip6.Put(out, 4) }},
		{"Extensions", func() { _, _, err := wire.WalkExtensions(wire.IPPROTO_HOPOPTS, extBytes); must(err) },
			func() { wire.PutRouterAlert(out, wire.IPPROTO_ICMPV6) }},
		{"UDP", func() { _, _, err := wire.ParseUDP(udpBytes); must(err) },
			func() { wire.UDP{SrcPort: 1, DstPort: 2}.Put(out, 3) }},
		{"TCP/plain", parseTCP(bytesOf(&wire.TCP{})), func() { (&wire.TCP{}).Put(out) }},
		{"TCP/timestamps", parseTCP(bytesOf(&data)), func() { data.Put(out) }},
		{"TCP/SYN", parseTCP(bytesOf(&tcp)), func() { tcp.Put(out) }},
		{"TCP/SACK", parseTCP(bytesOf(&sack)), func() { sack.Put(out) }},
		{"ICMPv4", func() { _, _, err := wire.ParseICMPv4(echoBytes); must(err) },
			func() { wire.ICMPv4Echo(wire.ICMP_ECHO, 1, 2).Put(out[:64]) }},
		{"ICMPv6", func() { _, _, err := wire.ParseICMPv6(echo6Bytes); must(err) },
			func() { wire.ICMPv6Echo(wire.ICMPV6_ECHO_REQUEST, 1, 2).Put(out) }},
		{"Quote", func() { _, err := wire.ParseQuote6(quoteBytes); must(err) }, func() {}},
		{"NeighborSolicit", func() { _, err := wire.ParseNeighborSolicit(solicitBytes); must(err) }, func() { solicit.Put(out) }},
		{"RouterAdvert", func() { _, err := wire.ParseRouterAdvert(raBytes); must(err) }, func() { ra.Put(out) }},
		{"IGMPQuery", func() { _, err := wire.ParseIGMPQuery(igmpBytes); must(err) }, func() { query.PutIGMP(out) }},
		{"IGMPReport", func() { _, err := wire.ParseIGMPReport(reportBytes); must(err) },
			func() { wire.PutIGMPReport(out, records) }},
		{"MLDQuery", func() { _, err := wire.ParseMLDQuery(mldBytes); must(err) }, func() { mldQuery.PutMLD(out) }},
		{"VirtioNet", func() { _, _, err := wire.ParseVirtioNet(vnet); must(err) }, func() { virtio.Put(out) }},
	}
}

func TestNothingIsAllocated(t *testing.T) {
	for _, w := range works(t) {
		allocatesNothing(t, w.name+" parsed", w.parse)
		allocatesNothing(t, w.name+" built", w.put)
	}
	segment := unhex(tcpHex)
	src, dst := addr("10.0.0.1"), addr("10.0.0.2")
	allocatesNothing(t, "checksum", func() {
		wire.FillTCP(segment, wire.PseudoSum(src, dst, wire.IPPROTO_TCP, len(segment)))
	})
	records, err := wire.ParseIGMPReport(sealIGMP(unhex(igmpReportHex)))
	check(t, err)
	allocatesNothing(t, "records", func() {
		for r := records; ; {
			if _, ok := r.Next(); !ok {
				break
			}
		}
	})
	var drops [wire.NumErrors]int
	allocatesNothing(t, "an error", func() {
		_, _, err := wire.ParseTCP(nil)
		drops[err.(wire.Error)]++
	})
}

func BenchmarkParse(b *testing.B) {
	for _, w := range works(b) {
		b.Run(w.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.parse()
			}
		})
	}
}

func BenchmarkPut(b *testing.B) {
	for _, w := range works(b) {
		b.Run(w.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.put()
			}
		})
	}
}
