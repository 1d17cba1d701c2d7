package link

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Faults are what befalls packets in one direction of an impaired link. The zero
// Faults is a perfect link. Probabilities are from 0 to 1. What they do to one packet
// happens in the order of the fields: a packet that is lost, say, takes no room in
// the queue.
type Faults struct {
	Partition bool    // nothing gets through
	Loss      float64 // probability that a packet is lost, each by itself
	Burst     Burst   // loss in bursts
	Duplicate float64 // probability that a packet comes twice
	Corrupt   float64 // probability that one bit of a packet is flipped
	Reorder   Reorder // packets that overtake

	Rate  int64 // bits per second at which packets leave the queue; 0: no limit
	Queue Queue // where they wait for it

	Delay        time.Duration // from the queue to the other end
	Jitter       time.Duration // variation of the delay
	Distribution Distribution  // of the variation
	// KeepOrder makes a packet that jitter, or a shorter Delay set later, would let
	// overtake another arrive right behind it. Without it packets arrive as their
	// delays have it, as with netem.
	KeepOrder bool
}

// Burst is the model of Gilbert and Elliott: a channel that is now good and now bad,
// and may change after each packet.
type Burst struct {
	GoodToBad, BadToGood float64 // probabilities of the changes
	LossGood, LossBad    float64 // probabilities of loss in either state
}

// Reorder is netem's way of reordering: every Gap-th packet, with a probability, is
// sent on at once, past the queue and the delay.
type Reorder struct {
	Probability float64
	Gap         int // 0: 1, every packet may overtake
}

// Queue is where packets wait to be sent at a rate. A packet that finds it full is
// dropped. The packet that is being sent is still in it.
type Queue struct {
	Packets  int // most packets; 0: 1000 if Bytes is 0 too, else no limit
	Bytes    int // most bytes; 0: no limit
	Overhead int // bytes that each packet takes of the rate on top of its own, such as preamble and gap
}

// Distribution is how delays vary.
type Distribution uint8

const (
	// Uniform is any delay from Delay-Jitter to Delay+Jitter.
	Uniform Distribution = iota
	// Normal has the standard deviation Jitter, and ends at four times that.
	Normal
)

// check gives an error that says which field is wrong, and why.
func (f *Faults) check() error {
	for _, p := range []struct {
		name  string
		value float64
	}{
		{"Loss", f.Loss}, {"Burst.GoodToBad", f.Burst.GoodToBad}, {"Burst.BadToGood", f.Burst.BadToGood},
		{"Burst.LossGood", f.Burst.LossGood}, {"Burst.LossBad", f.Burst.LossBad},
		{"Duplicate", f.Duplicate}, {"Corrupt", f.Corrupt}, {"Reorder.Probability", f.Reorder.Probability},
	} {
		if math.IsNaN(p.value) || p.value < 0 || p.value > 1 {
			return fmt.Errorf("link: %s is %v: a probability is from 0 to 1", p.name, p.value)
		}
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"Rate", f.Rate}, {"Queue.Packets", int64(f.Queue.Packets)}, {"Queue.Bytes", int64(f.Queue.Bytes)},
		{"Queue.Overhead", int64(f.Queue.Overhead)}, {"Reorder.Gap", int64(f.Reorder.Gap)},
		{"Delay", int64(f.Delay)}, {"Jitter", int64(f.Jitter)},
	} {
		if n.value < 0 {
			return fmt.Errorf("link: %s is %d: it cannot be below 0", n.name, n.value)
		}
	}
	switch {
	case f.Reorder.Probability > 0 && f.Delay == 0:
		return fmt.Errorf("link: Reorder without a Delay: there is nothing to overtake")
	case f.Reorder.Gap > 0 && f.Reorder.Probability == 0:
		return fmt.Errorf("link: Reorder.Gap is %d and its Probability 0: no packet would overtake", f.Reorder.Gap)
	case f.Distribution > Normal:
		return fmt.Errorf("link: Distribution is %d: it is Uniform or Normal", f.Distribution)
	}
	return nil
}

// delay draws how long a packet is on its way.
func (f *Faults) delay(random *rand.Rand) time.Duration {
	if f.Jitter == 0 {
		return f.Delay
	}
	v := 2*random.Float64() - 1
	if f.Distribution == Normal {
		v = max(-4, min(4, random.NormFloat64()))
	}
	return max(0, f.Delay+time.Duration(v*float64(f.Jitter)))
}

// sendTime is how long a packet of n bytes takes to leave the queue.
func (f *Faults) sendTime(n int) time.Duration {
	if f.Rate == 0 {
		return 0
	}
	return time.Duration(float64(n+f.Queue.Overhead) * 8 * 1e9 / float64(f.Rate))
}

// holds tells whether a queue that has these packets and bytes takes n bytes more.
func (q *Queue) holds(packets, bytes, n int) bool {
	limit := q.Packets
	if limit == 0 && q.Bytes == 0 {
		limit = 1000
	}
	return (limit == 0 || packets < limit) && (q.Bytes == 0 || bytes+n <= q.Bytes)
}
