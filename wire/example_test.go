package wire_test

import (
	"fmt"
	"net/netip"

	"sockeye/wire"
)

// A SYN is built as Linux builds it, taken apart again, and refused when a byte
// of it changes.
func Example() {
	ip := wire.IPv4{
		Src:      wire.AddrFrom4([4]byte{10, 0, 0, 1}),
		Dst:      wire.AddrFromNetip(netip.MustParseAddr("10.0.0.2")),
		Protocol: wire.IPPROTO_TCP, TTL: 64, DF: true,
	}
	tcp := wire.TCP{
		SrcPort: 40000, DstPort: 80, Seq: 1, Flags: wire.SYN, Window: 64240,
		Options: wire.TCPOptions{
			Set: wire.OptMSS | wire.OptSACKPermitted | wire.OptTimestamps | wire.OptWindowScale,
			MSS: 1460, TSVal: 1, WindowScale: 7,
		},
	}
	packet := make([]byte, ip.Len()+tcp.Len())
	segment := packet[ip.Put(packet, tcp.Len()):]
	tcp.Put(segment)
	wire.FillTCP(segment, wire.PseudoSum(ip.Src, ip.Dst, ip.Protocol, len(segment)))
	fmt.Println(wire.Describe(packet))

	got, segment, err := wire.ParseIPv4(packet)
	valid := wire.PseudoSum(got.Src, got.Dst, got.Protocol, len(segment)).Add(segment).Valid()
	fmt.Println(err, valid)

	packet[8]-- // the time to live
	_, _, err = wire.ParseIPv4(packet)
	fmt.Println(err)
	// Output:
	// IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 1, win 64240, options [mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7], length 0
	// <nil> true
	// bad checksum
}

// Drops are counted by reason.
func ExampleError() {
	var drops [wire.NumErrors]uint64
	for _, packet := range [][]byte{{0x45}, make([]byte, 20), {0x45}} {
		if _, _, err := wire.ParseIPv4(packet); err != nil {
			drops[err.(wire.Error)]++
		}
	}
	for reason, n := range drops {
		if n > 0 {
			fmt.Println(n, wire.Error(reason))
		}
	}
	// Output:
	// 2 packet too short
	// 1 bad version or type
}
