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
package event
