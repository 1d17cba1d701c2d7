package tcp

// rackState is RACK's (RFC 8985 section 5.2).
type rackState struct {
	at        Time // when the most recently sent segment that is delivered was sent
	rtt       Time
	end       Seq
	steps     uint8 // of min_rtt/4 in the reordering window
	persist   uint8 // recoveries until it shrinks back
	dsackSeen bool
	advanced  bool
}

const rackPersist = 16 // recoveries (RFC 8985 section 6.2, step 4)

// sentAfter orders transmissions: by time, then by sequence number.
func sentAfter(at1 Time, end1 Seq, at2 Time, end2 Seq) bool {
	return at1 > at2 || at1 == at2 && end2.Less(end1)
}

// rackAdvance is step 2: the newest delivered segment. An answer sooner than the least round trip is
// to the original, not to the retransmission.
func (c *Conn) rackAdvance(e *sent) {
	rtt := c.h.now - e.at
	if rtt < c.minRTT.v && e.is(everRetrans) {
		return
	}
	c.rack.advanced = true
	c.rack.rtt = rtt
	if c.rack.at == 0 || sentAfter(e.at, e.end, c.rack.at, c.rack.end) {
		c.rack.at, c.rack.end = e.at, e.end
	}
}

// reorderWindow is step 4: none while there is no reason to expect reordering.
func (c *Conn) reorderWindow() Time {
	if c.reordSeen == 0 && (c.caState >= caRecovery || c.sackedOut >= uint32(c.reordering)) {
		return 0
	}
	return min(c.minRTT.v/4*Time(c.rack.steps), c.srtt)
}

func (c *Conn) rackRemaining(e *sent, window Time) Time {
	return c.rack.rtt + window - (c.h.now - e.at)
}

// rackMark is step 5: what was sent long enough before something that is delivered is lost. For the rest
// it sets the reordering timer, and tells so.
func (c *Conn) rackMark() bool {
	if !c.rack.advanced {
		return false
	}
	c.rack.advanced = false
	wait := c.rackDetect()
	if wait > 0 {
		c.setTimer(timerReorder, wait+timeoutMin)
	}
	return wait > 0
}

func (c *Conn) rackDetect() (wait Time) {
	window := c.reorderWindow()
	for i := range c.rtx.len() {
		e := c.rtx.at(i)
		if e.is(sacked) || e.is(lost) && !e.is(retrans) {
			continue
		}
		if !sentAfter(c.rack.at, c.rack.end, e.at, e.end) {
			if !e.is(everRetrans) {
				break // the rest was sent later still
			}
			continue
		}
		if left := c.rackRemaining(e, window); left <= 0 {
			c.markLost(e)
		} else {
			wait = max(wait, left)
		}
	}
	return wait
}

// reorderTimeout is the timer of section 6.2, step 5.
func (c *Conn) reorderTimeout() {
	flight, known := c.inFlight(), c.lostTotal
	c.rackDetect()
	if flight != c.inFlight() {
		if c.caState != caRecovery {
			c.enterRecovery(&ackRound{})
			c.reduce(1, int(c.lostTotal-known), 0)
		}
		c.retransmitLost()
	}
	if c.timer != timerRTO {
		c.armRTO()
	}
}

// adaptReorderWindow is step 4's adaptation: a DSACK says that the window was too small; without
// any for some recoveries it shrinks back.
func (c *Conn) adaptReorderWindow(r *ackRound) {
	k := &c.rack
	if r.priorDelivered == 0 {
		return
	}
	if int32(r.priorDelivered-c.rackDelivered) < 0 { // within a round trip of the last change
		k.dsackSeen = false
	}
	switch {
	case k.dsackSeen:
		k.steps = uint8(min(int(k.steps)+1, 255))
		k.dsackSeen, c.rackDelivered, k.persist = false, c.delivered, rackPersist
	case k.persist == 0:
		k.steps = 1
	}
}

// setLossProbe sets the timer of the tail loss probe (section 7.2) if one is called for. With advancing
// the RTO runs from now, else from when the head was sent.
func (c *Conn) setLossProbe(advancing bool) bool {
	if !c.h.EarlyRetrans || c.packetsOut == 0 || !c.is(useSACK) || c.caState != caOpen && c.caState != caCWR {
		return false
	}
	if !c.in(canSend) {
		return false
	}
	wait := Time(Second)
	if c.srtt != 0 {
		wait = 2 * c.srtt
		if c.packetsOut == 1 { // the peer may delay its ACK
			wait += c.h.RTOMin
		} else {
			wait += timeoutMin
		}
	}
	rto := c.rto
	if !advancing {
		rto = c.rtx.at(0).at + c.rto - c.h.now
	}
	if rto > 0 {
		wait = min(wait, rto)
	}
	c.setTimer(timerProbe, wait)
	return true
}

// sendLossProbe is section 7.3: new data if there is any, else the last segment once more.
func (c *Conn) sendLossProbe() {
	if c.tlpHigh != 0 { // one at a time
		c.armRTO()
		return
	}
	c.flags &^= tlpRetrans
	c.nagleOff = true
	fresh := c.unsent() > 0 && c.transmit(true)
	c.nagleOff = false
	switch {
	case fresh:
	case c.rtx.len() == 0:
		c.armRTO()
		return
	default:
		i := c.rtx.len() - 1
		if e := c.rtx.at(i); e.segs > 1 && c.split(i, e.end.Add(-max(1, e.data()-(int(e.segs)-1)*int(e.size)))) {
			i++
		}
		c.retransmit(i)
		c.flags |= tlpRetrans
	}
	c.h.TCPLossProbes++
	c.tlpHigh = c.sndNxt
	if c.tlpHigh == 0 {
		c.tlpHigh = 1
	}
	c.timer = timerNone // so that the timeout runs from now
	c.armRTO()
}

// probeAcked is section 7.4.2: was the probe answered, and did it repair a loss?
func (c *Conn) probeAcked(s *Segment, r *ackRound) {
	if s.Ack.Less(c.tlpHigh) {
		return
	}
	switch {
	case !c.is(tlpRetrans): // new data: nothing was repaired
		c.tlpHigh = 0
	case r.flags&ackDSACKProbe != 0: // the original arrived as well
		c.tlpHigh = 0
	case c.tlpHigh.Less(s.Ack): // the probe repaired a loss: reduce the window
		c.tlpHigh = 0
		c.initReduction()
		c.caState = caCWR
		c.endReduction()
		c.keepOpen()
		c.h.TCPLossProbeRecovery++
	case r.flags&(ackAdvanced|ackNotDup|ackSacked) == 0: // a duplicate ACK
		c.tlpHigh = 0
	}
}
