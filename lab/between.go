package lab

import (
	"fmt"
	"maps"
	"time"

	"sockeye/event"
	"sockeye/link"
	"sockeye/packet"
)

// SetBetween sets the faults of what two hosts send each other, both ways, wherever it passes: besides those of links,
// and apart from others on the same links. No faults end them.
//
// They befall a packet where it arrives, behind the last link: that decides what becomes of it, and when it is
// taken in. So packets that are still on links when faults are set meet them, and those that have arrived keep the fate and the
// delay that they drew; only a partition loses also what would be taken in while it lasts.
//
// Who sent a packet is told by its source address: what passes a translator comes from that.
func (n *Network) SetBetween(a, b *Host, f link.Faults) error {
	if err := n.SetFromTo(a, b, f); err != nil {
		return err
	}
	return n.SetFromTo(b, a, f)
}

// SetFromTo is SetBetween one way: the faults of what one host sends to another.
func (n *Network) SetFromTo(from, to *Host, f link.Faults) error {
	n.start()
	n.mu.Lock()
	defer n.mu.Unlock()
	if from == to || from.net != n || to.net != n {
		return fmt.Errorf("lab: faults from %s to %s: they are to be two hosts of the network", from.name, to.name)
	}
	for _, p := range to.plugs {
		if err := p.setFrom(from, f); err != nil {
			return fmt.Errorf("lab: from %s to %s: %w", from.name, to.name, err)
		}
	}
	n.between[[2]*Host{from, to}] = f
	n.faulty.Store(true)
	return nil
}

// FaultsFromTo are the present faults of what one host sends to another, besides those of links.
func (n *Network) FaultsFromTo(from, to *Host) link.Faults {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.between[[2]*Host{from, to}]
}

// A passage is where packets from one host pass faults before another takes them. It is the other side of a link that
// carries nothing but them.
type passage struct {
	at       *plug
	from     *Host
	impaired *link.Impaired
	enter    link.Receiver // of the impairment
}

// setFrom makes a passage, or changes the faults of one. Who looks passages up needs no lock: the map is never
// changed.
func (p *plug) setFrom(from *Host, f link.Faults) error {
	var all map[*Host]*passage
	if old := p.passages.Load(); old != nil {
		if w := (*old)[from]; w != nil {
			return w.impaired.Set(link.In, f)
		}
		all = maps.Clone(*old)
	} else {
		all = make(map[*Host]*passage)
	}
	n := p.host.net
	w := &passage{at: p, from: from}
	var err error
	w.impaired, err = link.Impair(n.loop, w, link.Impairment{
		In: f, Observe: w.observe, Seed: mix(n.seed, passageSeeds, uint64(from.number), uint64(p.host.number)),
	})
	if err != nil {
		return err
	}
	w.impaired.Attach((*taken)(p))
	all[from] = w
	p.passages.Store(&all)
	return nil
}

const passageSeeds = 4 << 32

// passageOf is where a packet has to pass; nil: nowhere.
func (p *plug) passageOf(x *packet.Packet) *passage {
	all := p.passages.Load()
	if all == nil {
		return nil
	}
	src, ok := source(x, p.port.Properties().Ethernet)
	if !ok {
		return nil
	}
	return (*all)[p.host.net.owners[src]]
}

// closePassages drops what is in them.
func (p *plug) closePassages() {
	if all := p.passages.Load(); all != nil {
		for _, w := range *all {
			w.impaired.Close()
		}
	}
}

// observe tells the trace of packets that arrive later, or not at all.
func (w *passage) observe(now event.Time, _ link.Direction, f link.Fate, p *packet.Packet) {
	n, ethernet := w.at.host.net, w.Properties().Ethernet
	switch f {
	case link.Sent, link.Duplicated, link.Corrupted, link.Reordered:
	case link.Delivered:
		n.arrived(p, ethernet, time.Duration(now))
	default:
		n.dropped(p, ethernet, fmt.Sprintf("%v from %s to %s", f, w.from.name, w.at.host.name))
	}
}

// Send implements link.Port: nothing goes that way.
func (w *passage) Send(x *packet.Packet) { x.Release() }

// Attach implements link.Port.
func (w *passage) Attach(r link.Receiver) { w.enter = r }

// Properties implements link.Port.
func (w *passage) Properties() link.Properties { return w.at.port.Properties() }

// Close implements link.Port.
func (w *passage) Close() error { return nil }

// taken is a plug behind its passages.
type taken plug

// Receive implements link.Receiver.
func (t *taken) Receive(now event.Time, x *packet.Packet) { (*plug)(t).take(now, x) }

// Profile is the faults of a link from a user to the Internet, for Link, where the user comes first:
//
//	n.Link(phone, internet, lab.Profile("3g")...)
//
// It panics if there is no such profile (link.ProfileNames has them all).
func Profile(name string) []link.Faults {
	p, err := profile(name)
	if err != nil {
		panic(err.Error())
	}
	return []link.Faults{p.Up, p.Down}
}

func profile(name string) (link.Profile, error) {
	p, ok := link.ProfileNamed(name)
	if !ok {
		return p, fmt.Errorf("lab: there is no profile %q: there are %v", name, link.ProfileNames())
	}
	return p, nil
}

// SetProfile gives the link the faults of a profile, at any time; the user is at one of its ends. The error says that
// there is no such profile.
func (l *Link) SetProfile(user Node, name string) error {
	p, err := profile(name)
	if err != nil {
		return err
	}
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	up := l.direction(user)
	if err := l.set(p.Up, up); err != nil {
		return err
	}
	return l.set(p.Down, 1-up)
}
