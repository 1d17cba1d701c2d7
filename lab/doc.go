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
// # Nodes
//
//	Host        programs run on it
//	Router      forwards packets between its links
//	NAT         translates addresses, as a full cone up to symmetric (package nat)
//	NameServer  tells all names by DNS; Host.Resolver asks it
//	Switch      joins any number of hosts to one Ethernet
//
// # Faults
//
// They may change at any moment:
//
//	Link.Set, Link.SetFrom, Link.SetProfile, Link.Cut     a link, both ways or one
//	Network.SetBetween, Network.SetFromTo, Network.Part   pairs and groups of hosts, whatever is between them
//	Host.Crash, Host.Restart, Network.Isolate             a host
//	Network.Play                                          a schedule of them
//
// Packets that are on their way keep the delay and the fate that they drew when they were sent; a cut link and a crashed
// host lose those that would arrive in the meantime. Faults of pairs befall packets where they arrive (SetBetween).
//
// # Looking for faults
//
// Explore runs a test on many networks with faults drawn at random, and shrinks what makes it fail. A schedule of faults
// may as well be the input of a fuzz test, which then looks for one that reaches new code:
//
//	func FuzzFaults(f *testing.F) {
//		f.Fuzz(func(t *testing.T, data []byte) {
//			s := lab.ScheduleOf(data, 10*time.Second)
//			if failed := lab.Try(t, 1, s, time.Hour, run); failed != nil {
//				t.Error(failed)
//			}
//		})
//	}
//
// # When a test fails
//
// It logs the seed, the sockets with their states and queues, mappings of translators, what is on its way on each link, and
// the end of the last conversations as ladders (Report). A test that hangs prints the same on standard error before the
// runtime or go test's -timeout ends it.
package lab
