// Package stack is a host in pure Go: an engine of package sockeye whose
// sockets answer as Linux's do, without a system call. It runs inside a test,
// also in a testing/synctest bubble.
//
// A [Host] has unix sockets, and of IPv4 and IPv6 TCP, UDP, ICMP echo ("ping") and raw
// sockets. Every scenario of package conformance gives the transcript that the kernel gave.
//
// [NewPair] puts two of them on a cable, which is enough for most tests.
//
// Hosts reach each other over ports of package link that share one order of events
// (package event). On a link without delay, what a call sends has arrived when the call
// returns: the caller carries the packet.
package stack
