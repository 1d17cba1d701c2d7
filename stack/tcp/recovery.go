package tcp

// caState is the state of loss recovery, numbered as Linux's enum tcp_ca_state.
type caState uint8

const (
	caOpen     caState = iota
	caDisorder         // duplicate ACKs or SACK blocks, nothing known to be lost
	caCWR              // the window is being reduced for ECN
	caRecovery         // fast retransmit (RFC 6675, 8985)
	caLoss             // after a timeout
)

// recovery is the sender's view of the network: the congestion window (in segments, as Linux counts
// it), what is out, and the state of loss recovery.
type recovery struct {
	cwnd       uint32
	ssthresh   uint32
	cwndCnt    uint32 // acknowledged since the window last grew
	cwndUsed   uint32
	maxOut     uint32 // most segments out in the round that usageSeq ends
	usageSeq   Seq
	cwndAt     Time
	packetsOut uint32
	sackedOut  uint32 // without SACK: duplicate ACKs
	lostOut    uint32
	retransOut uint32

	caState       caState
	retransmits   uint8 // timeouts in a row
	reordering    uint16
	wasLimited    bool
	frto          bool
	highSeq       Seq // recovery ends here
	sackTop       Seq
	tlpHigh       Seq // end of what the tail loss probe sent again; 0: none out
	oooSegs       uint32
	retransAt     Time // first retransmission of this episode
	undoMarker    Seq  // snd.una when the window was cut; 0: nothing to undo
	undoRetrans   int32
	lastEcr       uint32 // the timestamp that the segment at hand echoes; 0: none
	priorSsthresh uint32 // to go back to
	priorCwnd     uint32
	prrDelivered  uint32
	prrOut        uint32
	delivered     uint32
	deliveredCE   uint32
	lostTotal     uint32
	rack          rackState
	leastRTT      Time        // for HyStart
	cubic         *cubicState // nil: as at the beginning
}

const infiniteSsthresh = 1<<31 - 1

func (c *Conn) inFlight() int {
	return int(c.packetsOut) - int(c.sackedOut+c.lostOut) + int(c.retransOut)
}

// cutting tells whether the window is being reduced now.
func (c *Conn) cutting() bool { return c.caState == caCWR || c.caState == caRecovery }

func (c *Conn) inSlowStart() bool { return c.cwnd < c.ssthresh }

// currentSsthresh is where slow start would end if the window were set back now.
func (c *Conn) currentSsthresh() uint32 {
	if c.cutting() {
		return c.ssthresh
	}
	return max(c.ssthresh, c.cwnd/2+c.cwnd/4)
}

// alert is the state machine of loss recovery, for ACKs that are not plain progress (Linux's
// tcp_fastretrans_alert).
func (c *Conn) alert(r *ackRound) {
	if c.packetsOut == 0 {
		c.sackedOut = 0
	}
	if r.flags&ackECE != 0 {
		c.priorSsthresh = 0 // congestion was real: no undo
	}
	if r.flags&ackReneged != 0 && r.flags&ackAdvanced != 0 {
		// The peer dropped what it had SACKed (RFC 2018 section 8): start over, soon.
		c.setTimer(timerRTO, max(c.srtt/16, 10*Millisecond))
		r.flags &^= ackRearm
		return
	}
	if c.caState == caOpen {
		c.retransAt = 0
	} else if !c.sndUna.Less(c.highSeq) {
		switch c.caState {
		case caCWR:
			if c.sndUna != c.highSeq {
				c.endReduction()
				c.caState = caOpen
			}
		case caRecovery:
			c.resetDupacks()
			if c.undoRecovery() {
				return
			}
			c.endReduction()
		}
	}
	switch c.caState {
	case caRecovery:
		if r.flags&ackAdvanced == 0 {
			c.addDupacks(r)
		} else if c.undoPartial(r) {
			return
		}
		if c.undoDSACK() {
			c.tryOpen(r)
		}
		c.findLosses(r)
		if c.caState != caRecovery {
			if c.lostOut == 0 {
				return
			}
			c.enterRecovery(r)
		}
	case caLoss:
		c.inLoss(r)
		if c.caState != caLoss {
			c.findLosses(r)
		}
		if c.caState != caOpen && r.flags&ackLostRetrans == 0 {
			return
		}
		c.recoverOrOpen(r)
	default:
		c.recoverOrOpen(r)
	}
	r.rexmit = r.rexmit || c.caState == caRecovery
}

func (c *Conn) recoverOrOpen(r *ackRound) {
	if !c.is(useSACK) {
		if r.flags&ackAdvanced != 0 {
			c.resetDupacks()
		}
		c.addDupacks(r)
	}
	if c.caState <= caDisorder {
		c.undoDSACK()
	}
	c.findLosses(r)
	if c.lostOut == 0 {
		c.tryOpen(r)
		return
	}
	if c.caState == caLoss && c.undoMarker != 0 {
		r.rexmit = true
		return
	}
	c.enterRecovery(r)
}

// findLosses marks what is lost: by time where there is SACK (RFC 8985), else by counting duplicate
// ACKs (RFC 6582).
func (c *Conn) findLosses(r *ackRound) {
	if c.rtx.len() == 0 {
		return
	}
	if c.is(useSACK) {
		before := c.retransOut
		if c.rackMark() {
			r.flags &^= ackRearm // the reordering timer runs in the timeout's place
		}
		if before > c.retransOut {
			r.flags |= ackLostRetrans
		}
		return
	}
	if c.caState < caRecovery && c.sackedOut >= uint32(c.reordering) ||
		c.caState == caRecovery && r.flags&ackAdvanced != 0 {
		head := c.rtx.at(0)
		if !head.is(lost) {
			if head.segs > 1 && c.split(0, head.seq.Add(int(head.size))) {
				head = c.rtx.at(0)
			}
			c.markLost(head)
		}
	}
}

// markLost takes a segment for lost; one that was sent again, for lost again.
func (c *Conn) markLost(e *sent) {
	if e.is(sacked) {
		return
	}
	n := uint32(e.segs)
	switch {
	case !e.is(lost):
		c.lostOut += n
		c.lostTotal += n
	case !e.is(retrans):
		return
	default:
		c.lostTotal += n
		c.h.TCPLostRetransmit += uint64(n)
	}
	if e.is(retrans) {
		c.retransOut -= n
	}
	e.flags = e.flags&^retrans | lost
}

func (c *Conn) enterRecovery(r *ackRound) {
	if c.is(useSACK) {
		c.h.TCPSackRecovery++
	} else {
		c.h.TCPRenoRecovery++
	}
	c.priorSsthresh = 0
	c.initUndo()
	if !c.cutting() {
		if r.flags&ackECE == 0 {
			c.priorSsthresh = c.currentSsthresh()
		}
		c.initReduction()
	}
	c.caState = caRecovery
	r.rexmit = true
}

// initUndo remembers where the window was cut, to tell later whether that was needed.
func (c *Conn) initUndo() {
	c.undoMarker = c.sndUna
	if c.undoMarker == 0 {
		c.undoMarker = 1
	}
	c.undoRetrans = int32(c.retransOut)
	if c.undoRetrans == 0 {
		c.undoRetrans = -1
	}
}

// initReduction starts proportional rate reduction (RFC 6937).
func (c *Conn) initReduction() {
	c.highSeq, c.tlpHigh = c.sndNxt, 0
	c.cwndCnt, c.priorCwnd = 0, c.cwnd
	c.prrDelivered, c.prrOut = 0, 0
	c.ssthresh = c.cc.ssthresh(c)
	if c.is(useECN) {
		c.flags |= ecnCWR
	}
}

// reduce is a step of it: RFC 6937 section 3, with the slow-start reduction bound only while
// the recovery makes progress.
func (c *Conn) reduce(acked, newlyLost int, flags ackFlags) {
	if acked <= 0 || c.priorCwnd == 0 {
		return
	}
	flight := c.inFlight()
	delta := int(c.ssthresh) - flight
	c.prrDelivered += uint32(acked)
	var send int
	if delta < 0 {
		d := uint64(c.ssthresh)*uint64(c.prrDelivered) + uint64(c.priorCwnd) - 1
		send = int(d/uint64(c.priorCwnd)) - int(c.prrOut)
	} else {
		send = max(int(c.prrDelivered)-int(c.prrOut), acked)
		if flags&ackAdvanced != 0 && newlyLost == 0 {
			send++
		}
		send = min(delta, send)
	}
	if c.prrOut == 0 { // the fast retransmission itself
		send = max(send, 1)
	}
	c.cwnd = uint32(max(flight+max(send, 0), 1))
}

func (c *Conn) endReduction() {
	if c.ssthresh < infiniteSsthresh && (c.caState == caCWR || c.undoMarker != 0) {
		c.cwnd, c.cwndAt = max(c.ssthresh, 1), c.h.now
	}
}

// enterCWR reduces the window for congestion without loss (RFC 3168 section 6.1.2).
func (c *Conn) enterCWR() {
	c.priorSsthresh = 0
	if c.caState < caCWR {
		c.undoMarker = 0
		c.initReduction()
		c.caState = caCWR
	}
}

func (c *Conn) tryOpen(r *ackRound) {
	if !c.anyRetransOut() {
		c.retransAt = 0
	}
	if r.flags&ackECE != 0 {
		c.enterCWR()
	}
	if c.caState != caCWR {
		c.keepOpen()
	}
}

func (c *Conn) keepOpen() {
	state := caOpen
	if c.sackedOut+c.lostOut != 0 || c.anyRetransOut() {
		state = caDisorder
	}
	if c.caState != state {
		c.caState = state
		c.highSeq = c.sndNxt
	}
}

// anyRetransOut tells whether a retransmission is in flight.
func (c *Conn) anyRetransOut() bool {
	return c.retransOut > 0 || c.rtx.len() > 0 && c.rtx.at(0).is(everRetrans)
}

// enterLoss is what a retransmission timeout does to the state (RFC 5681 section 3.1, RFC 8985
// section 6.3: what was sent within a round trip is not lost yet).
func (c *Conn) enterLoss() {
	fresh := c.caState < caRecovery
	head := c.rtx.at(0)
	reneged := head.is(sacked)
	if reneged {
		c.h.TCPSACKReneging++
		c.sackedOut = 0
	} else if !c.is(useSACK) {
		c.resetDupacks()
	}
	for i := range c.rtx.len() {
		e := c.rtx.at(i)
		if reneged {
			e.flags &^= sacked
		} else if i > 0 && c.is(useSACK) && c.rackRemaining(e, 0) > 0 {
			continue
		}
		c.markLost(e)
	}
	if c.caState <= caDisorder || !c.sndUna.Less(c.highSeq) || c.caState == caLoss && c.retransmits == 0 {
		c.priorSsthresh, c.priorCwnd = c.currentSsthresh(), c.cwnd
		c.ssthresh = c.cc.ssthresh(c)
		c.cc.lost(c)
		c.initUndo()
	}
	c.cwnd, c.cwndCnt, c.cwndAt = uint32(c.inFlight()+1), 0, c.h.now
	if c.caState <= caDisorder && c.sackedOut >= uint32(c.h.Reordering) {
		c.reordering = min(c.reordering, uint16(c.h.Reordering))
	}
	c.caState, c.highSeq, c.tlpHigh = caLoss, c.sndNxt, 0
	if c.is(useECN) {
		c.flags |= ecnCWR
	}
	// F-RTO (RFC 5682): perhaps the timeout was needless.
	c.frto = c.h.FRTO && (fresh || c.retransmits > 0)
}

// inLoss goes on after a timeout: F-RTO's steps of RFC 5682 section 3.1, then the recovery.
func (c *Conn) inLoss(r *ackRound) {
	recovered := !c.sndUna.Less(c.highSeq)
	if r.flags&ackAdvanced != 0 && c.undoLoss(false) {
		return
	}
	if c.frto {
		// 3b: what was sent once has arrived: the timeout was spurious.
		if r.flags&ackOrigAcked != 0 && c.undoLoss(true) {
			return
		}
		if c.highSeq.Less(c.sndNxt) {
			if r.flags&ackSacked != 0 || r.dupacks > 0 {
				c.frto = false // 3a: the loss was real
			}
		} else if r.flags&ackAdvanced != 0 && !recovered {
			c.highSeq = c.sndNxt
			// 2b: send new data, and see.
			if c.hasUnsent() && c.sndNxt.Less(c.wndEnd()) {
				r.newData = true
				return
			}
			c.frto = false
		}
	}
	if recovered {
		c.resetDupacks()
		c.undoRecovery()
		return
	}
	if !c.is(useSACK) {
		if c.highSeq.Less(c.sndNxt) && r.dupacks > 0 {
			c.addDupacks(r)
		} else if r.flags&ackAdvanced != 0 {
			c.resetDupacks()
		}
	}
	r.rexmit = true
}
