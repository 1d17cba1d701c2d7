// Package wire has the packet formats of the Internet as plain Go values: it
// parses, checks and builds them without an allocation, with nothing
// beneath it but the standard library. (The lines for people, String and Describe,
// do allocate.)
//
// A format is a small struct with its fields in host order. A host that hands a
// packet to another host in the same process passes the struct and never
// builds bytes; a host on a device parses and builds. Both see the same value:
//
//	ip, segment, err := wire.ParseIPv4(packet)
//	tcp, payload, err := wire.ParseTCP(segment)
//	ok := wire.PseudoSum(ip.Src, ip.Dst, ip.Protocol, len(segment)).Add(segment).Valid()
//
//	n := ip.Put(packet, tcp.Len()+len(payload))
//	m := tcp.Put(packet[n:])
//	copy(packet[n+m:], payload)
//	wire.FillTCP(packet[n:], wire.PseudoSum(ip.Src, ip.Dst, wire.IPPROTO_TCP, m+len(payload)))
//
// # The template
//
// Each format has a file of its own, laid out alike:
//
//   - the offsets of its fields as constants, with the RFC's section;
//   - the value. It has no length and no checksum, which belong to the bytes;
//   - Parse, which gives the value, the bytes that follow it (cut to what the
//     length fields say) and an error. It never panics, whatever the bytes;
//   - Len, the bytes that Put will write, and Put, which writes them and returns
//     their number. Put panics when b is shorter than Len, as
//     binary.BigEndian.PutUint16 does; a value that Parse gave always fits.
//
// Slices in a value and the payload alias the parsed bytes.
//
// # Errors
//
// Each parser's error is an [Error], a small number that names the reason. It is
// an index for drop counters ([NumErrors]), as netstat -s has them.
//
// # Checksums
//
// Where a format's checksum covers the format alone (the IPv4 header, ICMPv4,
// IGMP), Parse checks it and Put writes it. Where it also covers a
// pseudo-header (TCP, UDP, ICMPv6 with neighbour and listener discovery), Parse
// leaves it to the caller, who alone knows the addresses and whether a device
// has checked it already: see [PseudoSum], [CheckUDP], [FillTCP], [FillUDP] and
// [FillICMPv6]. [VirtioNet] describes a checksum or a segmentation that is left to
// the other side of a device.
//
// # What is left out
//
// Jumbograms (RFC 2675), IPsec headers, mobile and segment routing (a routing
// header with segments left is refused), more than one 802.1Q tag, 802.3 frames
// with a length, ARP for anything but IPv4 over Ethernet, ICMP extensions (RFC
// 4884), TCP-MD5, TCP-AO and MPTCP options (skipped), neighbour discovery options
// other than link-layer address, prefix, MTU and redirected header (skipped).
// Reassembly, routing and answers to bad packets are a host's work; this package
// only tells what an answer needs (see [Problem] and [Quote]).
package wire
