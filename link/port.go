package link

import (
	"sockeye/event"
	"sockeye/packet"
)

// A Port is one end of a link.
type Port interface {
	// Send takes a packet from the host. The port holds it from here on, and
	// releases what it drops. Send neither waits nor calls a host: it leaves
	// delivery to the network's loop, so that a host may call it under its lock.
	Send(p *packet.Packet)
	// Attach says who receives what comes out of this end; nil: nobody.
	Attach(r Receiver)
	// Properties are those of the link at this end. They do not change.
	Properties() Properties
	// Close unplugs this end, and gives back what the system lent it.
	Close() error
}

// A Receiver takes the packets that come out of a port: a host's interface, or
// whatever wraps a link. It holds the packet from here on. It is called from the
// network's loop, by one goroutine at a time, without locks.
type Receiver interface {
	Receive(now event.Time, p *packet.Packet)
}

// Properties say what may be sent into a port.
type Properties struct {
	MTU      int          // bytes of an IP packet
	Ethernet bool         // packets begin with an Ethernet header
	Hardware [6]byte      // this end's address, if Ethernet
	MaxGSO   int          // bytes of payload that one packet may hold for several segments; 0: no such packets
	Checksum ChecksumMode // who computes transport checksums
	Loopback bool         // what is sent comes back
}

// ChecksumMode says what a link expects of checksums.
type ChecksumMode uint8

const (
	// ChecksumByHost wants every checksum filled in.
	ChecksumByHost ChecksumMode = iota
	// ChecksumByLink takes packet.SumPartial, and fills it in if need be.
	ChecksumByLink
)
