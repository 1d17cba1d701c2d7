package tcp

// A congestion is an algorithm of congestion control: what TCP_CONGESTION chooses.
type congestion struct {
	name     string
	ssthresh func(*Conn) uint32  // slow start threshold after a loss, in segments
	avoid    func(*Conn, uint32) // n segments were acknowledged in congestion avoidance
	acked    func(*Conn, Time)   // an ACK came for what was last sent at that time; 0: not known
	lost     func(*Conn)         // a timeout
	undone   func(*Conn)         // the loss was none
	restart  func(*Conn, Time)   // sending again after so long without
}

var congestions = []*congestion{&cubic, &reno}

// Congestions are the names that SetCongestion takes.
func Congestions() (names []string) {
	for _, cc := range congestions {
		names = append(names, cc.name)
	}
	return names
}

func congestionNamed(name string) *congestion {
	for _, cc := range congestions {
		if cc.name == name {
			return cc
		}
	}
	return nil
}

// HasCongestion tells whether there is a congestion control of that name.
func HasCongestion(name string) bool { return congestionNamed(name) != nil }

// Congestion is TCP_CONGESTION.
func (c *Conn) Congestion() string { return c.cc.name }

// SetCongestion is TCP_CONGESTION. It tells whether there is such an algorithm.
func (c *Conn) SetCongestion(name string) bool {
	cc := congestionNamed(name)
	if cc == nil {
		return false
	}
	if cc != c.cc {
		c.cc = cc
		c.resetCubic()
	}
	return true
}

// mayRaise tells whether an ACK may open the window: with much reordering any progress may, else
// only what moves snd.una.
func (c *Conn) mayRaise(f ackFlags) bool {
	if int(c.reordering) > c.h.Reordering {
		return f&(ackDataAcked|ackSYNAcked|ackSacked) != 0
	}
	return f&(ackDataAcked|ackSYNAcked) != 0
}

// raise opens the window for n segments that were delivered: slow start and congestion avoidance
// (RFC 5681 section 3.1), but only if the window was what limited the sender (RFC 7661).
func (c *Conn) raise(n int) {
	if n <= 0 || !c.isLimited() {
		return
	}
	acked := uint32(n)
	if c.inSlowStart() {
		step := min(acked, c.ssthresh-c.cwnd)
		c.cwnd += step
		if acked -= step; acked == 0 {
			return
		}
	}
	c.cc.avoid(c, acked)
}

// grow opens the window by one segment for each `every` that are acknowledged.
func (c *Conn) grow(every, acked uint32) {
	if c.cwndCnt >= every {
		c.cwndCnt = 0
		c.cwnd++
	}
	c.cwndCnt += acked
	if c.cwndCnt >= every {
		d := c.cwndCnt / every
		c.cwndCnt -= d * every
		c.cwnd += d
	}
	c.cwnd = min(c.cwnd, maxWindow)
}

const maxWindow = 1 << 24 // segments

// isLimited tells whether the congestion window was in use. In slow start half of it is enough.
func (c *Conn) isLimited() bool {
	return c.wasLimited || c.inSlowStart() && c.cwnd < 2*c.maxOut
}

// validateWindow is called after sending: it keeps the most that was out in a round trip, and shrinks
// a window that stays unused (RFC 2861, 7661).
func (c *Conn) validateWindow(limited bool) {
	if !c.sndUna.Less(c.usageSeq) || limited || !c.wasLimited && c.packetsOut > c.maxOut {
		c.wasLimited = limited
		c.maxOut = c.packetsOut
		c.usageSeq = c.sndNxt
	}
	if c.isLimited() {
		c.cwndUsed, c.cwndAt = 0, c.h.now
		return
	}
	c.cwndUsed = max(c.cwndUsed, c.packetsOut)
	if c.h.SlowStartAfterIdle && c.h.now-c.cwndAt >= c.rto && c.cwndAt != 0 {
		if used := max(c.cwndUsed, uint32(c.h.InitialWindow)); c.caState == caOpen && !c.is(wantSpace) && used < c.cwnd {
			c.ssthresh = c.currentSsthresh()
			c.cwnd = (c.cwnd + used) / 2
		}
		c.cwndUsed, c.cwndAt = 0, c.h.now
	}
}

// restartAfterIdle halves the window for each RTO without sending (RFC 5681 section 4.1, as RFC 2861
// has it), down to the initial one.
func (c *Conn) restartAfterIdle() {
	if !c.h.SlowStartAfterIdle || c.packetsOut > 0 || c.sentAt == 0 {
		return
	}
	idle := c.h.now - c.sentAt
	if idle <= c.rto {
		return
	}
	floor := min(uint32(c.h.InitialWindow), c.cwnd)
	c.ssthresh = c.currentSsthresh()
	for idle -= c.rto; idle > 0 && c.cwnd > floor; idle -= c.rto {
		c.cwnd /= 2
	}
	c.cwnd = max(c.cwnd, floor)
	c.cwndAt, c.cwndUsed = c.h.now, 0
}

// txStart is called when sending begins with nothing in flight.
func (c *Conn) txStart() {
	if c.cc.restart != nil && c.sentAt != 0 {
		c.cc.restart(c, c.h.now-c.sentAt)
	}
}
