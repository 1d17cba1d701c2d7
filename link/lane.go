package link

import (
	"math/rand/v2"
	"sync"
	"time"

	"sockeye/event"
	"sockeye/packet"
)

// A lane is one direction of an impaired link: a queue that packets leave at a
// rate, and behind it a way that takes them some time.
type lane struct {
	loop      *event.Loop
	direction Direction
	observe   func(event.Time, Direction, Fate, *packet.Packet)
	ethernet  bool
	to        Receiver

	mu      sync.Mutex
	faults  Faults
	stats   Stats
	random  *rand.Rand
	closed  bool
	bad     bool // state of faults.Burst
	gap     int  // packets since one overtook
	queue   []waiting
	first   int         // of the queue
	sending event.Event // the first packet of the queue leaves it
	done    event.Time  // when that is
	last    event.Time  // the latest arrival so far, for KeepOrder
	flying  *flight     // the last that took off
	free    *flight
}

// A waiting packet is in the queue, with the delay that it will have behind it.
type waiting struct {
	p     *packet.Packet
	bytes int
	delay time.Duration
}

// A flight is a packet that arrives at a time.
type flight struct {
	event.Event
	p              *packet.Packet
	earlier, later *flight // of those in the air; earlier is the next free one when not used
}

// Receive implements Receiver: a packet enters the lane.
func (l *lane) Receive(now event.Time, p *packet.Packet) {
	var space [maxSegments]*packet.Packet
	l.mu.Lock()
	l.unlock(now, l.enter(space[:0], now, p))
}

// unlock ends the lock and passes on what has come out of the lane. Ways out keep the
// lock meanwhile, as there several goroutines may send and none may overtake; ways in
// lead to a host, and only the loop goes there.
func (l *lane) unlock(now event.Time, ready []*packet.Packet) {
	if l.direction == Out {
		defer l.mu.Unlock()
	} else {
		l.mu.Unlock()
	}
	for _, p := range ready {
		l.to.Receive(now, p)
	}
}

// enter gives, appended to ready, what comes out at once.
func (l *lane) enter(ready []*packet.Packet, now event.Time, p *packet.Packet) []*packet.Packet {
	if l.closed {
		p.Release()
		return ready
	}
	if p.GSO.Size == 0 {
		return l.impair(ready, now, p)
	}
	if l.faults == (Faults{}) && l.first == len(l.queue) {
		l.note(now, Sent, p)
		return l.arrive(ready, now, p)
	}
	var space [maxSegments]*packet.Packet
	for _, p := range Segment(space[:0], p, l.ethernet) {
		ready = l.impair(ready, now, p)
	}
	return ready
}

// impair draws the fate of a packet. All chances are drawn here and in the order of
// sending, so that they do not depend on when packets leave the queue.
func (l *lane) impair(ready []*packet.Packet, now event.Time, p *packet.Packet) []*packet.Packet {
	f := &l.faults
	l.note(now, Sent, p)
	switch {
	case f.Partition:
		l.drop(now, Partitioned, p)
		return ready
	case l.chance(f.Loss):
		l.drop(now, Lost, p)
		return ready
	case f.Burst != Burst{} && l.burst():
		l.drop(now, BurstLost, p)
		return ready
	}
	var twin *packet.Packet
	if l.chance(f.Duplicate) {
		l.note(now, Duplicated, p)
		twin = p.Clone()
	}
	ready = l.depart(ready, now, p)
	if twin != nil {
		ready = l.depart(ready, now, twin)
	}
	return ready
}

// depart sends a packet on its way: into the queue, or past it.
func (l *lane) depart(ready []*packet.Packet, now event.Time, p *packet.Packet) []*packet.Packet {
	f := &l.faults
	if l.chance(f.Corrupt) {
		p = l.corrupt(p)
		l.note(now, Corrupted, p)
	}
	if l.overtakes() {
		l.note(now, Reordered, p)
		return l.arrive(ready, now, p)
	}
	delay := f.delay(l.random)
	if f.Rate == 0 && l.first == len(l.queue) {
		return l.travel(ready, now, now.Add(delay), p)
	}
	n := p.Len()
	if !f.Queue.holds(len(l.queue)-l.first, l.stats.QueuedBytes, n) {
		l.drop(now, Overflowed, p)
		return ready
	}
	if l.first > 0 && len(l.queue) == cap(l.queue) {
		kept := copy(l.queue, l.queue[l.first:])
		clear(l.queue[kept:])
		l.queue, l.first = l.queue[:kept], 0
	}
	l.queue = append(l.queue, waiting{p, n, delay})
	l.stats.QueuedBytes += n
	if len(l.queue)-l.first == 1 {
		l.done = now
		l.start()
	}
	return ready
}

// start begins to send the first packet of the queue, when the one before is done.
func (l *lane) start() {
	l.done = l.done.Add(l.faults.sendTime(l.queue[l.first].bytes))
	l.loop.At(l.done, &l.sending)
}

// Handle implements event.Handler: a flight ends or, with no argument, a packet leaves
// the queue.
func (l *lane) Handle(now event.Time, arg any) {
	var space [1]*packet.Packet
	ready := space[:0]
	l.mu.Lock()
	switch fl, ok := arg.(*flight); {
	case ok:
		if !l.closed {
			ready = l.arrive(ready, now, l.land(fl))
		}
	case l.first < len(l.queue) && now >= l.done:
		w := &l.queue[l.first]
		p, at := w.p, l.done.Add(w.delay)
		l.stats.QueuedBytes -= w.bytes
		*w = waiting{}
		if l.first++; l.first < len(l.queue) {
			l.start()
		} else {
			l.queue, l.first = l.queue[:0], 0
		}
		ready = l.travel(ready, now, at, p)
	}
	l.unlock(now, ready)
}

// travel takes a packet to the other end, where it arrives at a time.
func (l *lane) travel(ready []*packet.Packet, now, at event.Time, p *packet.Packet) []*packet.Packet {
	if l.faults.KeepOrder {
		at = max(at, l.last)
	}
	if at <= now && (l.stats.InFlight == 0 || !l.faults.KeepOrder) {
		return l.arrive(ready, now, p)
	}
	l.last = max(l.last, at)
	fl := l.free
	if fl == nil {
		fl = new(flight)
		fl.Handler, fl.Arg = l, fl
	} else {
		l.free = fl.earlier
	}
	fl.p, fl.earlier = p, l.flying
	if l.flying != nil {
		l.flying.later = fl
	}
	l.flying = fl
	l.stats.InFlight++
	l.loop.At(at, &fl.Event)
	return ready
}

// land ends a flight, and gives its packet.
func (l *lane) land(fl *flight) *packet.Packet {
	if fl.later != nil {
		fl.later.earlier = fl.earlier
	} else {
		l.flying = fl.earlier
	}
	if fl.earlier != nil {
		fl.earlier.later = fl.later
	}
	p := fl.p
	fl.p, fl.later, fl.earlier, l.free = nil, nil, l.free, fl
	l.stats.InFlight--
	return p
}

// arrive is the end of the way.
func (l *lane) arrive(ready []*packet.Packet, now event.Time, p *packet.Packet) []*packet.Packet {
	if l.faults.Partition {
		l.drop(now, Partitioned, p)
		return ready
	}
	l.note(now, Delivered, p)
	return append(ready, p)
}

func (l *lane) drop(now event.Time, f Fate, p *packet.Packet) {
	l.note(now, f, p)
	p.Release()
}

func (l *lane) note(now event.Time, f Fate, p *packet.Packet) {
	n := segments(p)
	l.stats.Packets[f] += n
	l.stats.Bytes[f] += uint64(p.Len()) + (n-1)*uint64(len(p.Header()))
	if l.observe != nil {
		l.observe(now, l.direction, f, p)
	}
}

// chance draws with a probability. What cannot happen, or must, draws nothing.
func (l *lane) chance(probability float64) bool {
	return probability > 0 && (probability >= 1 || l.random.Float64() < probability)
}

// burst draws whether the packet is lost in the channel's present state, and then
// which state follows.
func (l *lane) burst() bool {
	b := &l.faults.Burst
	if l.bad {
		lost := l.chance(b.LossBad)
		l.bad = !l.chance(b.BadToGood)
		return lost
	}
	lost := l.chance(b.LossGood)
	l.bad = l.chance(b.GoodToBad)
	return lost
}

// overtakes draws whether the packet is one that overtakes.
func (l *lane) overtakes() bool {
	r := &l.faults.Reorder
	if r.Probability == 0 {
		return false
	}
	if l.gap < r.Gap-1 || !l.chance(r.Probability) {
		l.gap++
		return false
	}
	l.gap = 0
	return true
}

// corrupt flips a bit of the packet as it is on the wire, where its checksum is
// filled in, and reads it anew.
func (l *lane) corrupt(p *packet.Packet) *packet.Packet {
	n := p.Len()
	if n == 0 {
		return p
	}
	FillChecksum(p, l.ethernet)
	block := packet.New(n)
	b := p.AppendTo(block.Bytes()[:0])
	p.Release()
	bit := l.random.IntN(8 * n)
	b[bit/8] ^= 1 << (bit % 8)
	return FromWire(block.Slice(0, n), l.ethernet)
}

// set changes the faults.
func (l *lane) set(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if waits := l.first < len(l.queue); waits && f.Rate != l.faults.Rate {
		now := l.loop.Now()
		left := max(0, l.done.Sub(now))
		if f.Rate == 0 {
			left = 0
		} else if l.faults.Rate != 0 {
			left = time.Duration(float64(left) * float64(l.faults.Rate) / float64(f.Rate))
		}
		l.done = now.Add(left)
		l.loop.At(l.done, &l.sending)
	}
	if l.faults.Burst != f.Burst {
		l.bad = false
	}
	l.faults = f
}

func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.loop.Cancel(&l.sending)
	for l.flying != nil {
		l.loop.Cancel(&l.flying.Event)
		l.land(l.flying).Release()
	}
	for _, w := range l.queue[l.first:] {
		w.p.Release()
	}
	l.queue, l.first, l.stats.QueuedBytes = nil, 0, 0
}
