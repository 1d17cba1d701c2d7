package lab

import (
	"net/netip"
	"time"

	"sockeye/event"
	"sockeye/link"
	"sockeye/packet"
)

// A Recorder remembers the last packets of a link that is in no network, to draw ladders of them.
type Recorder struct {
	ethernet bool
	names    map[netip.Addr]string
	trace    trace
}

// NewRecorder makes a recorder of a link, Ethernet or not, on which names are those of some addresses.
func NewRecorder(ethernet bool, names map[netip.Addr]string) *Recorder {
	return &Recorder{ethernet: ethernet, names: names}
}

// Observe is for link.Impairment, which may be without faults.
func (r *Recorder) Observe(now event.Time, _ link.Direction, f link.Fate, p *packet.Packet) {
	var s Step
	if s.read(p, r.ethernet) {
		r.trace.note(s, time.Duration(now), f, nil)
	}
}

// Conversations are what is remembered. Times are those of the link's loop.
func (r *Recorder) Conversations() []*Conversation {
	list := conversations(r.trace.all())
	for _, c := range list {
		for i, e := range c.Ends {
			c.Names[i] = r.names[e.Addr()]
		}
	}
	return list
}
