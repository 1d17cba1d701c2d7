package nat

import (
	"math/bits"

	"sockeye/event"
	"sockeye/wire"
)

// create makes a mapping; nil: no port is free, or no session.
func (t *Table) create(now event.Time, proto wire.Protocol, in, remote endpoint) *mapping {
	if len(t.outside) == 0 || !t.room(now) {
		return nil
	}
	m := &mapping{
		withinKey: withinKey{proto, in, t.config.Mapping.narrow(remote)},
		made:      now, sessions: make(map[endpoint]*session),
	}
	b := in.addr.As4()
	m.out.addr = t.outside[int(be.Uint32(b[:])%uint32(len(t.outside)))]
	taken := t.portsOf(proto, m.out.addr)
	var ok bool
	if m.out.port, ok = t.port(proto, taken, in.port); !ok {
		t.sweep(now)
		if m.out.port, ok = t.port(proto, taken, in.port); !ok {
			return nil
		}
	}
	taken.set(m.out.port, true)
	t.within[m.withinKey] = m
	t.without[withoutKey{proto, m.out}] = m
	t.counters.Made++
	return m
}

// wellKnown is where the ports end that need privileges on most systems.
const wellKnown = 1024

// port chooses a free port for one inside: of the same range and parity, or else of the same range.
func (t *Table) port(proto wire.Protocol, taken *portSet, inside uint16) (uint16, bool) {
	if t.config.Ports == PreservePort && inside != 0 && !taken.has(inside) && !t.serves(proto, inside) {
		return inside, true
	}
	low, high := wellKnown, 1<<16
	switch {
	case proto == wire.IPPROTO_ICMP: // identifiers have no ranges
		low = 1
	case inside < wellKnown:
		low, high = 1, wellKnown
	}
	first := low + t.random.IntN(high-low)
	if next := int(t.last) + 1; t.config.Ports == NextPort && next >= low && next < high {
		first = next
	}
	for _, parity := range []uint64{uint64(inside) & 1, ^uint64(inside) & 1} {
		for _, part := range [][2]int{{first, high}, {low, first}} {
			for port := part[0]; ; port++ {
				if port = taken.free(port, parity); port >= part[1] {
					break
				}
				if !t.serves(proto, uint16(port)) {
					t.last = uint16(port)
					return t.last, true
				}
			}
		}
	}
	return 0, false
}

func (t *Table) serves(proto wire.Protocol, port uint16) bool {
	return t.Serves != nil && t.Serves(proto, port)
}

// A portSet has a bit for each port.
type portSet [1 << 16 / 64]uint64

// A portsKey is whose ports they are.
type portsKey struct {
	proto wire.Protocol
	addr  wire.Addr
}

// portsOf are the ports of an outside address that mappings have.
func (t *Table) portsOf(proto wire.Protocol, addr wire.Addr) *portSet {
	k := portsKey{proto, addr}
	if t.ports[k] == nil {
		t.ports[k] = new(portSet)
	}
	return t.ports[k]
}

func (s *portSet) has(port uint16) bool { return s[port/64]>>(port%64)&1 != 0 }

func (s *portSet) set(port uint16, taken bool) {
	s[port/64] &^= 1 << (port % 64)
	if taken {
		s[port/64] |= 1 << (port % 64)
	}
}

// free is the first port that is not taken from one on, of a parity; 65536: there is none.
func (s *portSet) free(from int, parity uint64) int {
	const even = 0x5555555555555555
	for word := from / 64; word < len(s); word++ {
		open := ^s[word] & (even << parity)
		if word == from/64 {
			open &= ^uint64(0) << (from % 64)
		}
		if open != 0 {
			return word*64 + bits.TrailingZeros64(open)
		}
	}
	return 1 << 16
}
