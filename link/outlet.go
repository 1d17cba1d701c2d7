package link

import (
	"sync/atomic"

	"sockeye/event"
	"sockeye/packet"
)

// An outlet is where packets come out of a port, to whoever is attached.
type outlet struct{ to atomic.Pointer[Receiver] }

// Attach implements Port.
func (o *outlet) Attach(r Receiver) {
	if r == nil {
		o.to.Store(nil)
		return
	}
	o.to.Store(&r)
}

// Receive gives a packet to who is attached.
func (o *outlet) Receive(now event.Time, p *packet.Packet) {
	if r := o.to.Load(); r != nil {
		(*r).Receive(now, p)
		return
	}
	p.Release()
}

// Patch joins two ports from outside: what comes out of one is sent into the
// other, such as a port of a switch and the frames of a stream. Whatever was
// attached to them no longer is.
func Patch(a, b Port) {
	a.Attach(inlet{b})
	b.Attach(inlet{a})
}

// An inlet sends what it receives.
type inlet struct{ port Port }

func (i inlet) Receive(_ event.Time, p *packet.Packet) { i.port.Send(p) }

// carries tells whether the link takes p as it is.
func (pr *Properties) carries(p *packet.Packet) bool {
	if pr.Checksum == ChecksumByHost && p.Sum == packet.SumPartial {
		return false
	}
	if p.GSO.Size == 0 {
		return p.Len() <= pr.MTU+pr.frameHeader(p)
	}
	n := packet.Len(p.Payload)
	return n <= pr.MaxGSO && len(p.Header())+min(n, p.GSO.Size) <= pr.MTU+pr.frameHeader(p)
}

// frameHeader is the length of what is before the IP header.
func (pr *Properties) frameHeader(p *packet.Packet) int {
	if !pr.Ethernet {
		return 0
	}
	if h := p.Header(); len(h) >= 18 && h[12] == 0x81 && h[13] == 0 {
		return 18 // tagged (IEEE 802.1Q)
	}
	return 14
}

// conform appends to list what the link takes in place of p, which it does not
// carry as it is: segments instead of a large one, with checksums where the link
// wants them. A packet that is too long is dropped.
func (pr *Properties) conform(list []*packet.Packet, p *packet.Packet) []*packet.Packet {
	first := len(list)
	if p.GSO.Size != 0 && packet.Len(p.Payload) > pr.MaxGSO {
		list = Segment(list, p, pr.Ethernet)
	} else {
		list = append(list, p)
	}
	kept := list[:first]
	for _, p := range list[first:] {
		if pr.Checksum == ChecksumByHost && p.GSO.Size == 0 {
			FillChecksum(p, pr.Ethernet)
		}
		if len(p.Header())+segmentLen(p) > pr.MTU+pr.frameHeader(p) {
			p.Release()
			continue
		}
		kept = append(kept, p)
	}
	return kept
}

// segmentLen is the payload of the largest segment of p.
func segmentLen(p *packet.Packet) int {
	n := packet.Len(p.Payload)
	if p.GSO.Size != 0 {
		n = min(n, p.GSO.Size)
	}
	return n
}

// maxSegments is how many segments a large packet usually is: the length of
// arrays that hold them without a visit to the heap.
const maxSegments = 48
