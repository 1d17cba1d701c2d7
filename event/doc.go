// Package event is the order in which things happen on a Go network. A [Loop] has
// one queue for everything timed (delivery after a delay, retransmission,
// keepalive), ordered by time and then by who asked first, and one list of work
// that is due at once, such as a packet on a link without delay. Timers of Go
// that expire at one instant fire in no fixed order; events of a Loop do.
//
// Work that is due at once is done by the goroutine that caused it: it leaves the
// work in the list with [Loop.Do] while it holds its locks, and calls [Loop.Run]
// when it has given them back. If another goroutine is doing work already, that
// one does this work too, so that nothing overtakes.
//
// # Lockstep
//
// What is left to a loop by one goroutine at a time happens in the same order in each run. Of
// several that run at once the scheduler decides who is first, and with it which packet a
// lossy link drops. A loop of [NewLockstep], in a testing/synctest bubble, is for those: it does one
// thing at a time, and before the next it waits until all goroutines of the bubble do nothing but
// wait. What it is to wake goroutines for, it does one by one, and what several of them left to it at
// one instant it takes in an order that does not depend on who came first. So a whole concurrent
// program repeats to the byte, on any number of processors, under the race detector too.
//
// It cannot order what goroutines do among themselves at one instant: timers of the program's own
// that expire together, a select with several cases ready, a lock that several want, a map's
// iteration, numbers drawn without a seed, several senders to one unix socket. Nor can it tell apart calls that are alike, such as twenty
// goroutines of one host that dial one address at once: [Loop.Ties] tells of them. Hosts of their own, or a
// nanosecond between them, make them different.
package event
