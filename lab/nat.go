package lab

import (
	"sockeye/event"
	"sockeye/nat"
	"sockeye/packet"
)

// A translation follows packets through a translator, so that a step is one packet from its sender to its receiver,
// whatever its addresses are on the way. Ladders show the inside ones.
type translation struct {
	host   *Host
	next   func(event.Time, nat.Way, nat.Verdict, *packet.Packet)
	before Step // the packet that the table is about
	known  bool
}

// observe is nat.Config.Observe.
func (x *translation) observe(now event.Time, w nat.Way, v nat.Verdict, p *packet.Packet) {
	if v == nat.Arrived {
		x.before = Step{}
		x.known = x.before.read(p, false)
	} else if x.known {
		x.become(w, v, p)
	}
	if x.next != nil {
		x.next(now, w, v, p)
	}
}

// become notes in the trace what became of the packet.
func (x *translation) become(w nat.Way, v nat.Verdict, p *packet.Packet) {
	t := &x.host.net.trace
	t.mu.Lock()
	defer t.mu.Unlock()
	var after Step
	switch {
	case v.Dropped():
		if i, ok := t.land(x.before.hash); ok {
			t.steps[i].Lost = v.String() + " at " + x.host.name
		} else if i, ok := t.latest[x.before.hash]; ok { // it was for the translator, as far as its link could tell
			t.steps[i].Arrived, t.steps[i].Lost = 0, v.String()+" at "+x.host.name
		}
	case v != nat.Translated || !after.read(p, false):
	default:
		t.translate(x.before.hash, &after, w)
	}
}

// translate lets a packet go on as another.
func (t *trace) translate(before uint64, after *Step, w nat.Way) {
	i, ok := t.land(before)
	if !ok {
		if i, ok = t.latest[before]; !ok {
			return
		}
		delete(t.latest, before)
	}
	s := &t.steps[i]
	s.hash, s.Arrived, s.translated = after.hash, 0, true
	if w == nat.Inward {
		s.Dst = after.Dst
	}
	t.underway[s.hash] = append(t.underway[s.hash], i)
}

// sentOn tells whether a packet with a hash is one that was translated and now leaves the translator.
func (t *trace) sentOn(hash uint64) bool {
	for _, i := range t.underway[hash] {
		if s := &t.steps[i]; s.translated {
			s.translated = false
			return true
		}
	}
	return false
}
