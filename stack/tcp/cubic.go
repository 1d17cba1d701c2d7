package tcp

import "math"

// cubicState is what the algorithm keeps for a connection whose window has grown, or was reduced.
type cubicState struct {
	wMax     float64 // window before the last reduction, in segments
	wEst     float64 // what Reno would have (RFC 9438 section 4.3)
	k        float64 // seconds until the curve is back at its origin
	origin   float64
	epochAt  Time // when this curve began; 0: with the next ACK
	ackedCnt float64

	hystart hystart
}

// The constants of RFC 9438 sections 4.1 and 4.6; beta as Linux has it, 717/1024.
const (
	cubicC    = 0.4
	cubicBeta = 717.0 / 1024
)

// cubic is CUBIC (RFC 9438), with HyStart to leave slow start before a loss.
var cubic = congestion{
	name:     "cubic",
	ssthresh: cubicSsthresh,
	avoid:    cubicAvoid,
	acked:    cubicAcked,
	lost:     (*Conn).resetCubic,
	undone: func(c *Conn) {
		if c.cubic != nil {
			c.cubic.epochAt = 0
		}
	},
	restart: func(c *Conn, idle Time) { // time without sending is not on the curve (section 5.8)
		if q := c.cubic; q != nil && q.epochAt != 0 && idle > 0 {
			q.epochAt = min(q.epochAt+idle, c.h.now)
		}
	},
}

// resetCubic makes the state as it was at the beginning.
func (c *Conn) resetCubic() {
	c.leastRTT = 0
	if c.cubic != nil {
		*c.cubic = cubicState{}
	}
}

// needCubic gives the state to be changed.
func (c *Conn) needCubic() *cubicState {
	if c.cubic == nil {
		c.cubic = new(cubicState)
	}
	return c.cubic
}

// cubicSsthresh is the multiplicative decrease (section 4.6), with fast convergence (section 4.7).
func cubicSsthresh(c *Conn) uint32 {
	q, w := c.needCubic(), float64(c.cwnd)
	q.epochAt = 0
	if w < q.wMax {
		q.wMax = w * (1 + cubicBeta) / 2
	} else {
		q.wMax = w
	}
	return max(uint32(w*cubicBeta), 2)
}

// cubicAvoid opens the window along W(t) = C*(t-K)^3 + W_max, or as Reno would where that is
// faster (sections 4.2 to 4.5).
func cubicAvoid(c *Conn, acked uint32) {
	q, w := c.needCubic(), float64(c.cwnd)
	if q.epochAt == 0 {
		q.epochAt = c.h.now
		q.ackedCnt = 0
		q.wEst = w
		if q.wMax <= w {
			q.k, q.origin = 0, w
		} else {
			q.k, q.origin = math.Cbrt((q.wMax-w)/cubicC), q.wMax
		}
	}
	q.ackedCnt += float64(acked)
	t := seconds(c.h.now - q.epochAt + c.minRTT.v) // the window is for one round trip from now
	d := t - q.k
	// In whole segments, towards the origin, as Linux's fixed point has it.
	target := q.origin + math.Trunc(float64(cubicC*float64(d*float64(d*d))))
	every := 100 * w // no growth to speak of
	if target > w {
		// Section 4.4: by at most half in a round trip.
		every = max(w/(target-w), 2)
	}
	if q.wMax == 0 && every > 20 { // nothing is known yet: explore
		every = 20
	}
	// Section 4.3: the Reno-friendly region.
	const alpha = 3 * (1 - cubicBeta) / (1 + cubicBeta)
	if per := math.Floor(w / alpha); q.ackedCnt > per {
		n := math.Floor(q.ackedCnt / per)
		q.wEst += n
		q.ackedCnt -= float64(n * per)
	}
	if q.wEst > w {
		every = min(every, w/(q.wEst-w))
	}
	c.grow(max(uint32(every), 2), acked)
}

func seconds(t Time) float64 { return float64(t) / float64(Second) }

// hystart is HyStart as Linux has it: slow start ends when ACKs come in a train as long as half
// the least round trip, or when the round trip grows.
type hystart struct {
	end      Seq // of the round
	samples  uint8
	begun    bool
	found    bool
	roundRTT Time
	roundAt  Time
	lastAck  Time
}

const (
	hystartLow      = 16 // segments: below, slow start goes on
	hystartSamples  = 8
	hystartDelayMin = 4 * Millisecond
	hystartDelayMax = 16 * Millisecond
	hystartSpacing  = 2 * Millisecond
)

func cubicAcked(c *Conn, sentAt Time) {
	if sentAt == 0 {
		return
	}
	now := c.h.now
	rtt := max(now-sentAt, Microsecond)
	if q := c.cubic; q != nil && q.epochAt != 0 && now-q.epochAt < Second { // just after a loss
		return
	}
	if c.leastRTT == 0 || rtt < c.leastRTT {
		c.leastRTT = rtt
	}
	if !c.inSlowStart() || c.cwnd < hystartLow {
		return
	}
	h := &c.needCubic().hystart
	if h.found {
		return
	}
	if !h.begun || h.end.Less(c.sndUna) {
		*h = hystart{begun: true, end: c.sndNxt, roundAt: now, lastAck: now}
	}
	if now-h.lastAck <= hystartSpacing {
		h.lastAck = now
		if now-h.roundAt > c.leastRTT/2 {
			h.found = true
			c.h.TCPHystartTrainDetect++
		}
	}
	if h.samples < hystartSamples {
		h.samples++
		if h.roundRTT == 0 || rtt < h.roundRTT {
			h.roundRTT = rtt
		}
	} else if h.roundRTT > c.leastRTT+min(max(c.leastRTT/8, hystartDelayMin), hystartDelayMax) {
		h.found = true
		c.h.TCPHystartDelayDetect++
	}
	if h.found {
		c.ssthresh = c.cwnd
	}
}
