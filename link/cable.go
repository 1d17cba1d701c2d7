package link

import (
	"sync/atomic"

	"sockeye/event"
	"sockeye/packet"
)

const (
	// LoopbackMTU is the MTU of Linux's lo.
	LoopbackMTU = 65536
	// EthernetMTU is the MTU of Ethernet (RFC 894).
	EthernetMTU = 1500
	// MaxGSO is the most payload that fits one IP packet with whatever headers.
	MaxGSO = 65535 - 60 - 60
)

// An end is one end of a link inside the process that neither delays nor damages.
// What is sent into its peer comes out of it, by way of the loop.
type end struct {
	outlet
	loop   *event.Loop
	props  Properties
	peer   *end
	closed atomic.Bool
}

// Loopback is a link with one end, into which everything that is sent comes back.
func Loopback(loop *event.Loop) Port {
	e := &end{loop: loop, props: Properties{
		MTU: LoopbackMTU, MaxGSO: MaxGSO, Checksum: ChecksumByLink, Loopback: true,
	}}
	e.peer = e
	return e
}

// CableOptions are the properties of a cable. The zero value is a cable without
// hardware addresses, of MTU 1500, for single segments with checksums.
type CableOptions struct {
	MTU      int          // bytes of an IP packet; 0: EthernetMTU
	Ethernet bool         // packets begin with an Ethernet header
	Hardware [2][6]byte   // of the two ends, if Ethernet; zero: 02:00:00:00:00:01 and :02
	MaxGSO   int          // as in Properties
	Checksum ChecksumMode // as in Properties
}

// Cable is a link with two ends, without delay. A packet that is longer than the MTU
// is dropped. A large segment is cut and a missing checksum computed if the options
// do not allow them.
func Cable(loop *event.Loop, o CableOptions) (a, b Port) {
	if o.MTU == 0 {
		o.MTU = EthernetMTU
	}
	var ends [2]*end
	for i := range ends {
		ends[i] = &end{loop: loop, props: Properties{
			MTU: o.MTU, Ethernet: o.Ethernet, MaxGSO: o.MaxGSO, Checksum: o.Checksum,
		}}
		if o.Ethernet {
			ends[i].props.Hardware = o.Hardware[i]
			if o.Hardware[i] == [6]byte{} {
				ends[i].props.Hardware = localAddress(i + 1)
			}
		}
	}
	ends[0].peer, ends[1].peer = ends[1], ends[0]
	return ends[0], ends[1]
}

// localAddress is the nth of the locally administered hardware addresses.
func localAddress(n int) [6]byte {
	return [6]byte{2, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

// Send implements Port.
func (e *end) Send(p *packet.Packet) {
	switch {
	case e.closed.Load():
		p.Release()
	case e.props.carries(p):
		e.loop.Do(e.peer, p)
	default:
		var space [maxSegments]*packet.Packet
		for _, p := range e.props.conform(space[:0], p) {
			e.loop.Do(e.peer, p)
		}
	}
}

// Handle implements event.Handler: a packet arrives.
func (e *end) Handle(now event.Time, arg any) {
	p := arg.(*packet.Packet)
	if e.closed.Load() {
		p.Release()
		return
	}
	e.Receive(now, p)
}

func (e *end) Properties() Properties { return e.props }

func (e *end) Close() error {
	e.closed.Store(true)
	return nil
}
