// Package link is what an interface of a host is plugged into. A link has ends, and
// each end is a [Port]: what a host sends into one comes out of another.
//
// Packets begin with their IP header, or, on a link that has hardware addresses,
// with their Ethernet header. A link that cannot damage them leaves their checksums
// alone and takes large segments; a link that leaves the process fills in and
// cuts what the other side expects.
//
// # Links
//
//	Loopback   what is sent comes back
//	Cable      two ends in this process
//	Switch     any number of Ethernet ends in this process
//	OpenTUN    the machine's own kernel, by a TUN or TAP device (Linux)
//	NewStream  a virtual machine or another process, over a stream socket
//
// # Wrappers
//
// A wrapper is a port that stands in front of another one:
//
//	Impair     delay, jitter, rate and queue, loss, duplicates, reordering, damage, partition
//	Capture    a pcapng file of what goes through
//
// Their order counts: a capture outside of an impairment sees what the host sent,
// one inside of it what the link carried. [Patch] joins two ports, so that a link may be
// made of others.
//
// # Rules that all ports keep
//
// Every port takes large packets and packets without a checksum, whatever its
// properties say; those tell what it does not have to change. What is longer than the
// MTU is dropped.
//
// A link runs on its network's [event.Loop] and has no goroutine, except for
// a device (a TUN or a stream), whose goroutines end with its Close. On a link without
// delay a packet is delivered when its sender calls Run. No packet allocates memory
// once pools and queues have grown.
package link
