// Package lab makes whole networks to test programs on: hosts with names, on links with
// faults, in virtual or in real time, the same again from the same seed.
//
//	func TestRetry(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			n := lab.New(t)
//			client, server := n.Host("client"), n.Host("server")
//			wan := n.Link(client, server, link.Faults{Delay: 50 * time.Millisecond, Loss: 0.01})
//			go serve(server.MustListen("tcp", ":80"))
//			conn, err := client.Dial("tcp", "server:80")
//			...
//			wan.Cut()
//		})
//	}
//
// A network is described first, and comes to life when it is first used: then hosts get the
// addresses that they were not given, and routes to all others. Every host has the whole
// Berkeley socket interface, as Linux has it (package sockeye), and what package net's users
// expect: Dial, Listen, ListenPacket, a net.Resolver, an http.Transport.
//
// Faults may change at any moment. Packets that are on their way keep the delay and the fate
// that they drew when they were sent; a cut link and a crashed host lose those that would
// arrive in the meantime.
package lab
