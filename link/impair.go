package link

import (
	"math/rand/v2"

	"sockeye/event"
	"sockeye/packet"
)

// Direction tells the two ways through a port, as the host sees them.
type Direction uint8

const (
	Out Direction = iota // what the host sends
	In                   // what it receives
)

// String is "out" or "in".
func (d Direction) String() string { return [...]string{"out", "in"}[d&1] }

// Fate is what became of a packet on an impaired link.
type Fate uint8

const (
	Sent        Fate = iota // entered the link
	Delivered               // came out
	Lost                    // by Faults.Loss
	BurstLost               // by Faults.Burst
	Overflowed              // found the queue full
	Duplicated              // there was made a second one of it
	Reordered               // overtook by Faults.Reorder
	Corrupted               // had a bit flipped
	Partitioned             // met a partition

	NumFates // is how many there are
)

// String is the fate in a word, such as delivered.
func (f Fate) String() string {
	return [...]string{"sent", "delivered", "lost", "burst-lost", "overflowed", "duplicated", "reordered",
		"corrupted", "partitioned"}[f]
}

// Stats are the counters of one direction. A large packet counts as its segments.
// Sent and Duplicated together are Delivered, the four that are dropped, Queued and
// InFlight.
type Stats struct {
	Packets     [NumFates]uint64 // by fate: s.Packets[link.Lost]
	Bytes       [NumFates]uint64 // that these packets had, with their headers
	Queued      int              // packets in the queue now
	QueuedBytes int
	InFlight    int // packets behind the queue, on their way
}

// Impairment is how a link is impaired.
type Impairment struct {
	Out, In Faults
	// Seed is that of the generators from which chances are drawn, one per direction.
	// The same seed and the same packets at the same times have the same fates.
	Seed uint64
	// Observe, if not nil, is told the fate of each packet, in the order of what
	// happens in a direction. The packet is valid during the call, and not to be
	// changed. Observe must not call the port.
	Observe func(now event.Time, d Direction, f Fate, p *packet.Packet)
}

// An Impaired is a port of a link that is impaired.
type Impaired struct {
	outlet
	port  Port
	lanes [2]lane // by Direction
}

// Impair gives a port in place of another, whose packets meet faults. Large packets
// are cut into their segments first, so that each has its own fate, unless there
// are no faults in their direction.
//
// The error says which fault is not possible.
func Impair(loop *event.Loop, port Port, config Impairment) (*Impaired, error) {
	i := &Impaired{port: port}
	for d := range i.lanes {
		l := &i.lanes[d]
		*l = lane{
			loop: loop, direction: Direction(d), observe: config.Observe, ethernet: port.Properties().Ethernet,
			random: rand.New(rand.NewPCG(config.Seed, uint64(d))),
		}
		l.sending.Handler = l
	}
	i.lanes[Out].to, i.lanes[In].to = inlet{port}, &i.outlet
	if err := i.Set(Out, config.Out); err != nil {
		return nil, err
	}
	if err := i.Set(In, config.In); err != nil {
		return nil, err
	}
	port.Attach(&i.lanes[In])
	return i, nil
}

// Set changes the faults of one direction, at any time. Packets that are on their way
// keep the fate and the delay that they have drawn when they were sent, but what
// waits in the queue leaves it at the new rate, also the packet that is
// being sent, and what would arrive during a partition does not.
func (i *Impaired) Set(d Direction, f Faults) error {
	if err := f.check(); err != nil {
		return err
	}
	i.lanes[d&1].set(f)
	return nil
}

// Faults are the present faults of a direction.
func (i *Impaired) Faults(d Direction) Faults {
	l := &i.lanes[d&1]
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults
}

// Stats are the present counters of a direction.
func (i *Impaired) Stats(d Direction) Stats {
	l := &i.lanes[d&1]
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Queued = len(l.queue) - l.first
	return s
}

// Send implements Port.
func (i *Impaired) Send(p *packet.Packet) {
	l := &i.lanes[Out]
	l.Receive(l.loop.Now(), p)
}

// Properties are those of the port that is impaired.
func (i *Impaired) Properties() Properties { return i.port.Properties() }

// Close drops what is on its way, and closes the port that is impaired.
func (i *Impaired) Close() error {
	for d := range i.lanes {
		i.lanes[d].close()
	}
	return i.port.Close()
}
