package lab

import "maps"

// A pair is two hosts, the one with the lower number first.
type pair [2]*Host

func pairOf(a, b *Host) pair {
	if a.number > b.number {
		a, b = b, a
	}
	return pair{a, b}
}

// Part keeps the hosts of each group from those of the others, both ways, wherever they are. A
// packet is lost if it arrives while its sender and the receiver are parted. Part adds to what was
// parted before.
func (n *Network) Part(groups ...[]*Host) {
	n.part(func(add func(a, b *Host)) {
		for i, g := range groups {
			for _, other := range groups[i+1:] {
				for _, a := range g {
					for _, b := range other {
						add(a, b)
					}
				}
			}
		}
	})
}

// PartOneWay lets nothing through from some hosts to others, wherever they are; the other way is open. It adds to
// what was parted before.
func (n *Network) PartOneWay(from, to []*Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ways := make(map[[2]*Host]bool)
	if old := n.oneWay.Load(); old != nil {
		maps.Copy(ways, *old)
	}
	for _, a := range from {
		for _, b := range to {
			if a != b {
				ways[[2]*Host{a, b}] = true
			}
		}
	}
	n.oneWay.Store(&ways)
}

// Isolate parts a host from all others.
func (n *Network) Isolate(h *Host) {
	n.part(func(add func(a, b *Host)) {
		for _, other := range n.hosts {
			add(h, other)
		}
	})
}

// part adds pairs to those that are parted. Who looks them up needs no lock: they are never changed.
func (n *Network) part(pairs func(add func(a, b *Host))) {
	n.mu.Lock()
	defer n.mu.Unlock()
	parted := make(map[pair]bool)
	if old := n.parted.Load(); old != nil {
		maps.Copy(parted, *old)
	}
	pairs(func(a, b *Host) {
		if a != b {
			parted[pairOf(a, b)] = true
		}
	})
	n.parted.Store(&parted)
}

// Join ends every Part, PartOneWay and Isolate.
func (n *Network) Join() {
	n.parted.Store(nil)
	n.oneWay.Store(nil)
}
