// Package link is what an interface of a host is plugged into. A link has ends, and
// each end is a [Port]: what a host sends into one comes out of another.
//
// Packets begin with their IP header, or, on a link that has hardware addresses,
// with their Ethernet header. A link that cannot damage them leaves their checksums
// alone and takes large segments; a link that leaves the process fills in and
// cuts what the other side expects.
package link
