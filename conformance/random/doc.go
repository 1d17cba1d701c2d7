// Package random holds the Go engine to the answers of the kernel in programs that nobody thought of.
//
// Its test draws sequences of socket calls, on two hosts with a cable between them, and makes them on
// both engines. What is drawn next depends on the state that the sockets are in, so that most calls do
// something: connections with data in flight, half closed, reset; full queues; errors that nobody asked
// for yet. Both transcripts must be equal. A program that tells the engines apart is cut down, and shown
// as the calls of a scenario of package conformance, to be pasted there.
//
// The programs are always the same unless another seed is given; 0 is a new one each time:
//
//	go test ./conformance/random -rapid.checks=100000 -rapid.seed=0
//
// # What is left out
//
// Where the kernel's answer depends on time or on its accounts of memory there is nothing to compare: how
// full buffers are, what waits for an acknowledgement, the round-trip time. The generator says where it
// leaves out a call for that.
//
// In these places Linux does what nobody can want, and the Go engine does not:
//
//   - A connected IPv4 datagram socket that fails to connect to another address, or that sends there with
//     MSG_MORE, keeps the address in the flow that it sends by. What it sends to its peer from then on goes
//     there, by the old route, and reaches neither.
//   - A TCP socket of AF_INET6 whose connection to an IPv4-mapped address failed sends IPv4 packets when it
//     connects to an IPv6 address.
//   - SIOCINQ of a unix stream goes on counting an urgent byte that was read past (Linux 6.18).
package random
