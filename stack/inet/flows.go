package inet

import (
	"iter"
	"math/bits"
)

// A flowTable finds what a flow has at this host. Its chains run through what is in it, so that an entry takes
// 16 to 32 bytes; in a map, with the flow as its key, it takes more than 100. Keyed by the host's seed, as the peers choose
// half of a flow.
type flowTable struct {
	chains []segmentTaker // a power of two of them
	n      int
	key    uint64
}

// Chained is the part of a segmentTaker that the table needs.
type chained struct{ after segmentTaker }

func (c *chained) next() *segmentTaker { return &c.after }

// chain is where a flow's chain begins.
func (l *flowTable) chain(f flow) *segmentTaker {
	const a, b = 0x9e3779b97f4a7c15, 0xd1b54a32d192ed03 // any odd numbers of many bits
	hi, lo := f.remote.Words()
	h := mix(hi^l.key^a, lo^l.key^b)
	hi, lo = f.local.Words()
	h = mix(h^hi, lo^l.key^b)
	h = mix(h^a, l.key^uint64(f.localPort)<<48^uint64(f.remotePort)<<32^uint64(uint32(f.zone)))
	return &l.chains[h&uint64(len(l.chains)-1)]
}

// mix spreads what two words hold over one.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// get is what has the flow; nil: nothing.
func (l *flowTable) get(f flow) segmentTaker {
	if l.n == 0 {
		return nil
	}
	t := *l.chain(f)
	for t != nil && t.key() != f {
		t = *t.next()
	}
	return t
}

// put adds what has a flow that is free. The flow must not change until it is removed.
func (l *flowTable) put(t segmentTaker) {
	if l.n == len(l.chains) {
		l.grow()
	}
	l.n++
	l.link(t)
}

func (l *flowTable) link(t segmentTaker) {
	first := l.chain(t.key())
	*t.next(), *first = *first, t
}

func (l *flowTable) grow() {
	old := l.chains
	l.chains = make([]segmentTaker, max(16, 2*len(old)))
	for _, t := range old {
		for t != nil {
			after := *t.next()
			l.link(t)
			t = after
		}
	}
}

// remove takes t out, if it is there.
func (l *flowTable) remove(t segmentTaker) {
	if l.n == 0 {
		return
	}
	for at := l.chain(t.key()); *at != nil; at = (*at).next() {
		if *at == t {
			*at, *t.next() = *t.next(), nil
			l.n--
			return
		}
	}
}

// all gives everything in the table, in no order.
func (l *flowTable) all() iter.Seq[segmentTaker] {
	return func(yield func(segmentTaker) bool) {
		for _, t := range l.chains {
			for t != nil {
				after := *t.next() // t may be removed meanwhile
				if !yield(t) {
					return
				}
				t = after
			}
		}
	}
}
