package tcp

import "sockeye/wire"

// acks is when to acknowledge: Linux's delayed ACK with its quick-ack mode.
type acks struct {
	ackPending bool // something is to be acknowledged
	ackNow     bool // by a rule of the protocol, at once
	pushedData bool // data that the peer pushed waits: acknowledge it once it was read
	pushedMore bool // and more than one small segment of it
	sentACK    bool
	pingpong   uint8 // an interactive exchange, from the host's threshold on
	quick      uint8 // ACKs still to send without delay
	ownTail    bool  // the last slice of rcvq is in a block that may be appended to
	probes     uint8 // zero window or keepalive probes without an answer
	totalRTO   uint16
	rcvMSS     uint16
	ato        Time // the delay
	rcvdAt     Time // when data last came
	oowAt      Time // last answer to a segment out of the window
	dup        wire.SACKBlock
}

const (
	atoMin       = 40 * Millisecond
	delackMin    = 40 * Millisecond
	delackMax    = 200 * Millisecond
	maxQuickACKs = 16
	tick         = 4 * Millisecond
	defaultMSS   = 536
	defaultMSS6  = 1220
	minMSS       = 88
)

// quickAcks turns on quick ACKs: enough for the sender's slow start, half a window of segments.
func (c *Conn) quickAcks(most uint8) {
	n := c.rcvWnd / (2 * uint32(max(c.rcvMSS, 1)))
	if n == 0 {
		n = 2
	}
	c.quick = max(c.quick, uint8(min(n, uint32(most))))
	c.pingpong, c.ato = 0, atoMin
}

// moreQuickAcks is quickAcks for a connection that goes on as it was.
func (c *Conn) moreQuickAcks() {
	pingpong, ato := c.pingpong, c.ato
	c.quickAcks(maxQuickACKs)
	c.pingpong, c.ato = pingpong, ato
}

// dataReceived adapts the delay to the pace at which data comes.
func (c *Conn) dataReceived(s *Segment, size int) {
	now := c.h.now
	c.ackPending = true
	c.measureMSS(s)
	c.measureRcvRTT(s)
	switch gap := now - c.rcvdAt; {
	case c.ato == 0: // the first data: the sender is in slow start
		c.moreQuickAcks()
		c.ato = atoMin
	case gap <= atoMin/2:
		c.ato = c.ato/2 + atoMin/2
	case gap < c.ato:
		c.ato = min(c.ato/2+gap, c.rto)
	case gap > c.rto: // so long that the sender has restarted slow start
		c.moreQuickAcks()
	}
	c.rcvdAt = now
	if size >= 128 {
		c.growTrust(s.Len())
	}
}

// measureMSS learns what the peer's full segments are, for "every second full segment".
func (c *Conn) measureMSS(s *Segment) {
	size := s.Len()
	if s.GSO > 0 {
		size = min(size, s.GSO)
	}
	if size >= int(c.rcvMSS) {
		c.rcvMSS = uint16(min(size, int(c.advMSS())))
		if s.Flags&PSH != 0 {
			c.pushedData = true
		}
		return
	}
	c.pushedMore = c.pushedMore || c.pushedData
	c.pushedData = true
}

// ackIfDue sends the ACK that is pending now, or sets its timer (Linux's __tcp_ack_snd_check).
func (c *Conn) ackIfDue() {
	if !c.ackPending {
		return
	}
	got := c.rcvNxt.Diff(c.rcvWup)
	switch {
	case c.ackNow, c.quick > 0 && c.pingpong < c.h.PingpongThreshold, c.ooo != nil,
		// More than one full segment, and the window moves: RFC 5681 section 4.2.
		got > int(c.rcvMSS) && (c.rcvNxt.Diff(c.copied) < max(int(c.cfg.RcvLowat), 1) || c.selectWindow() >= c.rcvWnd):
		c.sendACK()
	default:
		c.delayACK()
	}
}

func (c *Conn) delayACK() {
	ato := c.ato
	if ato > delackMin {
		most := 500 * Millisecond
		if c.pingpong >= c.h.PingpongThreshold || c.pushedData {
			most = delackMax
		}
		if c.srtt != 0 { // half as often as a lost ACK would be noticed
			most = min(most, max(c.srtt, delackMin))
		}
		ato = min(ato, most)
	}
	if ato = min(ato, delackMax); ato == 0 { // nothing but the FIN came: as soon as Linux's timer ticks
		ato = tick
	}
	at := c.h.now + ato
	if c.delackAt != 0 {
		if c.delackAt <= c.h.now+ato/4 { // it would fire soon: do it now
			c.sendACK()
			return
		}
		at = min(at, c.delackAt)
	}
	c.delackAt = at
}

// delackTimeout is the timer: a delay that ran out was too long for this peer.
func (c *Conn) delackTimeout() {
	c.delackAt = 0
	if !c.ackPending || c.in(states(Closed, Listen)) {
		return
	}
	if c.pingpong < c.h.PingpongThreshold {
		c.ato = min(2*c.ato, c.rto)
	} else {
		c.pingpong, c.ato = 0, atoMin
	}
	c.h.DelayedACKs++
	c.sendACK()
}

// ackSent takes note that a segment with our ACK went out.
func (c *Conn) ackSent() {
	if c.ackPending && c.quick > 0 {
		if c.quick--; c.quick == 0 {
			c.ato = atoMin
		}
	}
	c.ackPending, c.ackNow, c.pushedData, c.pushedMore, c.sentACK = false, false, false, false, true
	c.delackAt = 0
}

// ackAfterRead acknowledges what a delayed ACK waits for once the user has read it, and tells
// the peer of a window that opened (Linux's tcp_cleanup_rbuf).
func (c *Conn) ackAfterRead(n int) {
	if c.h.ReadLater != nil {
		*c.h.ReadLater += n
		return
	}
	if n > 0 {
		c.adjustBuffer()
	}
	if c.in(states(Closed, Listen, SynSent, SynReceived)) {
		return
	}
	empty := c.rcvq.len() == 0
	due := c.ackPending && (c.rcvNxt.Diff(c.rcvWup) > int(c.rcvMSS) ||
		n > 0 && empty && (c.pushedMore || c.pushedData && c.pingpong < c.h.PingpongThreshold))
	if n > 0 && !due && !c.is(finReceived) {
		if now := c.offered(); 2*now <= c.cfg.WindowClamp {
			if w := c.selectWindow(); w != 0 && w >= 2*now {
				due = true
			}
		}
	}
	if due {
		c.sendACK()
	}
}

// SetQuickACK is TCP_QUICKACK.
func (c *Conn) SetQuickACK(now Time, on bool) {
	c.h.at(now)
	if !on {
		c.pingpong = c.h.PingpongThreshold
		return
	}
	c.pingpong = 0
	if c.in(states(Established, CloseWait)) && c.ackPending {
		c.pushedData = true
		c.sendACK()
	}
}

// QuickACK is TCP_QUICKACK as getsockopt gives it.
func (c *Conn) QuickACK() bool { return c.pingpong < c.h.PingpongThreshold }

// outOfWindowLimited tells whether an answer to a segment out of the window must wait, so that two
// sides that disagree cannot answer each other for ever (tcp_invalid_ratelimit). Segments with
// data are always answered. An answer that is left out is counted.
func (c *Conn) outOfWindowLimited(s *Segment, skipped *uint64) bool {
	return (s.Len() == 0 || s.Flags&SYN != 0) && c.answerLimited(skipped)
}

func (c *Conn) answerLimited(skipped *uint64) bool {
	if c.oowAt != 0 && c.h.now-c.oowAt < c.h.InvalidRatelimit {
		*skipped++
		return true
	}
	c.oowAt = c.h.now
	return false
}

// dupACK answers a segment that is not acceptable with our state (RFC 9293 section 3.10.7.4).
func (c *Conn) dupACK(s *Segment) {
	if s.End() != s.Seq && s.Seq.Less(c.rcvNxt) {
		c.h.DelayedACKLost++
		c.quickAcks(maxQuickACKs)
		c.dsack(s.Seq, minSeq(s.End(), c.rcvNxt), &c.h.TCPDSACKOldSent)
	}
	c.sendACK()
}

// challengeACK makes a peer prove that it is one (RFC 5961 section 3.2), within limits for the
// connection and the host (section 7).
func (c *Conn) challengeACK() {
	if c.answerLimited(&c.h.TCPACKSkippedChallenge) {
		return
	}
	h := c.h
	if h.now-h.challengeAt >= Second || h.challengeAt == 0 {
		h.challengeAt, h.challenges = h.now, h.ChallengeACKLimit
	}
	if h.challenges <= 0 {
		return
	}
	h.challenges--
	h.TCPChallengeACK++
	c.sendACK()
}
