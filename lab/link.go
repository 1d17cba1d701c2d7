package lab

import (
	"fmt"
	"io"
	"slices"

	"sockeye/link"
)

// A Link joins two nodes, and what passes it meets its faults.
type Link struct {
	net      *Network
	name     string         // "": that of the ends
	a, b     Node           // as Link was called
	near     Node           // of these the one where the faults are, always a host if either is
	beyond   Node           // the other one
	impaired *link.Impaired // at near: Out is the way from there
	far      link.Port      // at beyond
	captures []*link.Pcapng
	down     bool
	faults   [2]link.Faults // by link.Direction: what there is, or will be when the link is up again
}

// Link joins two nodes. No faults mean a perfect link; one, the same both ways; two, those
// from a to b and those from b to a. A host may have any number of links, to hosts and
// switches. Links between switches must not make a circle.
func (n *Network) Link(a, b Node, faults ...link.Faults) *Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &Link{net: n, a: a, b: b, near: a, beyond: b}
	switch {
	case n.running:
		panic(fmt.Sprintf("lab: link %v comes too late: the network is in use already", l))
	case a == b || a.network() != n || b.network() != n:
		panic(fmt.Sprintf("lab: link %v is not between two nodes of one network", l))
	case len(faults) > 2:
		panic(fmt.Sprintf("lab: link %v is given %d faults: a link has two directions", l, len(faults)))
	}
	if _, ok := a.(*Switch); ok {
		l.near, l.beyond = b, a
	}
	if len(faults) > 0 {
		l.faults[l.direction(a)], l.faults[l.direction(b)] = faults[0], faults[len(faults)-1]
		n.faulty.Store(n.faulty.Load() || l.faults != [2]link.Faults{})
	}
	var near link.Port
	near, l.far = l.lay()
	var err error
	l.impaired, err = link.Impair(n.loop, near, link.Impairment{
		Out: l.faults[link.Out], In: l.faults[link.In], Seed: mix(n.seed, linkSeeds, uint64(len(n.links))),
		Observe: l.observe,
	})
	if err != nil {
		panic(fmt.Sprintf("lab: link %v: %v", l, err))
	}
	n.links = append(n.links, l)
	return l
}

// lay gives the two ends of the link without faults.
func (l *Link) lay() (near, far link.Port) {
	sw, _ := l.beyond.(*Switch)
	if sw == nil { // two hosts
		return link.Cable(l.net.loop, link.CableOptions{MaxGSO: link.MaxGSO, Checksum: link.ChecksumByLink})
	}
	near = sw.wire.Port(l.net.hardware())
	if s, ok := l.near.(*Switch); ok {
		far = s.wire.Port(l.net.hardware())
	}
	return near, far
}

// String is the link's name: alice-bob, or what SetName says.
func (l *Link) String() string {
	if l.name != "" {
		return l.name
	}
	return l.a.Name() + "-" + l.b.Name()
}

// SetName gives the link a name of its own, by which ladders, reports and captures call it. It is to be called before
// the network is used.
func (l *Link) SetName(name string) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if l.net.running {
		panic(fmt.Sprintf("lab: the name %q of link %v comes too late: the network is in use already", name, l))
	}
	l.name = name
}

// direction is the one of what comes from a node.
func (l *Link) direction(from Node) link.Direction {
	switch from {
	case l.near:
		return link.Out
	case l.beyond:
		return link.In
	}
	panic(fmt.Sprintf("lab: link %v does not lead to %s", l, from.Name()))
}

// Set changes the faults of both directions (link.Impaired.Set says what that means for
// packets on their way).
func (l *Link) Set(f link.Faults) error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	return l.set(f, link.Out, link.In)
}

// SetFrom changes the faults of what comes from a node.
func (l *Link) SetFrom(from Node, f link.Faults) error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	return l.set(f, l.direction(from))
}

func (l *Link) set(f link.Faults, ds ...link.Direction) error {
	for _, d := range ds {
		now := f
		now.Partition = now.Partition || l.down
		if err := l.impaired.Set(d, now); err != nil {
			return fmt.Errorf("lab: link %v: %w", l, err)
		}
		l.faults[d] = f
		if now != (link.Faults{}) {
			l.net.faulty.Store(true)
		}
	}
	return nil
}

// Faults are the present faults of what comes from a node. That the link is cut is none of
// them.
func (l *Link) Faults(from Node) link.Faults {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	return l.faults[l.direction(from)]
}

// Cut lets nothing through any more. What is on its way is lost, unless Mend comes before it
// would arrive.
func (l *Link) Cut() { l.setDown(true) }

// Mend ends Cut.
func (l *Link) Mend() { l.setDown(false) }

func (l *Link) setDown(down bool) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	l.down = down
	for d, f := range l.faults {
		l.set(f, link.Direction(d)) // which has been checked
	}
}

// Stats are the counters of what comes from a node.
func (l *Link) Stats(from Node) link.Stats { return l.impaired.Stats(l.direction(from)) }

// Capture writes what passes the link to a pcapng file, as the node sees it that the faults
// are at: its host, of two hosts the first. It is to be called before the network is used.
// Whether all could be written is found at file.Err.
func (l *Link) Capture(w io.Writer) *link.Pcapng {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if l.net.running {
		panic(fmt.Sprintf("lab: the capture of link %v comes too late: the network is in use already", l))
	}
	file := link.NewPcapng(w, l.net.begun)
	l.captures = append(l.captures, file)
	return file
}

// Capture writes what passes any link to one pcapng file, in which each link is an interface.
func (n *Network) Capture(w io.Writer) *link.Pcapng {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running {
		panic("lab: the capture comes too late: the network is in use already")
	}
	file := link.NewPcapng(w, n.begun)
	for _, l := range n.links {
		l.captures = append(l.captures, file)
	}
	return file
}

// plugIn gives the nodes their ends.
func (l *Link) plugIn() {
	port := link.Port(l.impaired)
	for _, file := range l.captures {
		port = link.Capture(l.net.loop, port, file, link.CaptureOptions{Name: l.String()})
	}
	near, ok := l.near.(*Host)
	if !ok {
		link.Patch(port, l.far)
		return
	}
	near.plugIn(l, port)
	if h, ok := l.beyond.(*Host); ok {
		h.plugIn(l, l.far)
	}
}

func (l *Link) close() {
	l.impaired.Close()
	if l.far != nil {
		l.far.Close()
	}
}

// Links are the links of two nodes, in the order in which they were made.
func (n *Network) Links(a, b Node) []*Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.links), func(l *Link) bool {
		return !(l.a == a && l.b == b || l.a == b && l.b == a)
	})
}

// hardware is the next hardware address.
func (n *Network) hardware() [6]byte {
	n.cards++
	return [6]byte{2, 0, byte(n.cards >> 24), byte(n.cards >> 16), byte(n.cards >> 8), byte(n.cards)}
}

// linkSeeds tells the seeds of links from those of hosts.
const linkSeeds = 1 << 32
