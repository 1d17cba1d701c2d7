// Package nat is the table of a network address translator for IPv4: which ports of its outside addresses stand
// for which ports inside, and what may come in by them. It does no I/O and has no clock: a packet and a time go
// in, and the packet comes out changed, with a [Verdict].
//
// How a translator behaves is a [Config], in the terms of RFC 4787 (UDP), RFC 5382 (TCP) and RFC 5508
// (ICMP). Translators of the kinds that RFC 3489 section 5 names are there by name:
//
//	                      mapping                      filtering
//	full-cone             endpoint-independent         endpoint-independent
//	restricted-cone       endpoint-independent         address-dependent
//	port-restricted-cone  endpoint-independent         address-and-port-dependent
//	symmetric             address-and-port-dependent   address-and-port-dependent
//
// Three calls are all that a router needs: [Table.Out] for what leaves by the outside interface, [Table.In] for
// what comes in there, and [Table.Hairpin] for what comes from inside for an outside address. Fragments are to be
// put together first. Package stack has such a router (stack.Interface.NAT), and package lab whole networks with some.
//
// What expires does so when its time is looked at, so that a table needs no timer.
package nat
