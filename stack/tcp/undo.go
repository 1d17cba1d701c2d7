package tcp

// delayed tells whether the peer answered the original and not the retransmission: its timestamp
// echo is older than the first retransmission (Eifel, RFC 3522).
func (c *Conn) delayed() bool {
	if c.retransAt == 0 || !c.is(useTS) || c.lastEcr == 0 {
		return false
	}
	sentTick := uint32(c.retransAt/Millisecond) + c.tsOffset
	return int32(c.lastEcr-sentTick) < 0
}

func (c *Conn) mayUndo() bool {
	return c.undoMarker != 0 && (c.undoRetrans == 0 || c.delayed())
}

// undo takes the reduction of the window back: nothing was lost.
func (c *Conn) undo(unmark bool) {
	if unmark {
		for i := range c.rtx.len() {
			c.rtx.at(i).flags &^= lost
		}
		c.lostOut = 0
	}
	if c.priorSsthresh != 0 {
		c.cwnd = max(c.cwnd, c.priorCwnd)
		if c.priorSsthresh > c.ssthresh {
			c.ssthresh = c.priorSsthresh
			c.flags &^= ecnCWR
		}
		c.cc.undone(c)
	}
	c.cwndAt, c.undoMarker = c.h.now, 0
	c.rack.advanced = true
}

// undoRecovery ends a recovery whose last segment is acknowledged. It tells whether the state is to
// be kept: without SACK, until something beyond is acknowledged (RFC 6582 section 3.2: else old
// duplicate ACKs would start it again).
func (c *Conn) undoRecovery() (keep bool) {
	if c.mayUndo() {
		if c.caState == caLoss {
			c.h.TCPLossUndo++
		} else {
			c.h.TCPFullUndo++
		}
		c.undo(false)
	} else if c.rack.persist > 0 {
		c.rack.persist--
	}
	if c.keepForReno() {
		return true
	}
	c.caState = caOpen
	return false
}

func (c *Conn) keepForReno() bool {
	if c.sndUna == c.highSeq && !c.is(useSACK) {
		if !c.anyRetransOut() {
			c.retransAt = 0
		}
		return true
	}
	return false
}

func (c *Conn) undoDSACK() bool {
	if c.undoMarker == 0 || c.undoRetrans != 0 {
		return false
	}
	c.h.TCPDSACKUndo++
	c.undo(false)
	return true
}

// undoPartial ends a recovery in which a partial ACK shows that the original arrived late.
func (c *Conn) undoPartial(r *ackRound) bool {
	if c.undoMarker == 0 || !c.delayed() {
		return false
	}
	c.sawReordering(r.priorUna, &c.h.TCPTSReorder)
	if c.retransOut > 0 { // until they are answered nothing is known
		return true
	}
	if !c.anyRetransOut() {
		c.retransAt = 0
	}
	c.h.TCPPartialUndo++
	c.undo(true)
	c.keepOpen()
	return false
}

func (c *Conn) undoLoss(spurious bool) bool {
	if !spurious && !c.mayUndo() {
		return false
	}
	c.undo(true)
	c.h.TCPLossUndo++
	if spurious {
		c.h.TCPSpuriousRTOs++
	}
	c.retransmits = 0
	if c.keepForReno() {
		return true
	}
	if spurious || c.is(useSACK) {
		c.caState = caOpen
	}
	return true
}

// sawReordering takes note that a segment came after later ones.
func (c *Conn) sawReordering(low Seq, counter *uint64) {
	top := c.highestSacked()
	if !low.Less(top) {
		return
	}
	if d := top.Diff(low); d > int(c.reordering)*int(c.mss) {
		c.reordering = uint16(min((d+int(c.mss)-1)/int(c.mss), c.h.MaxReordering))
	}
	c.reordSeen++
	*counter++
}

// The count of duplicate ACKs stands in for SACK where there is none (RFC 6582).

func (c *Conn) addDupacks(r *ackRound) {
	if c.is(useSACK) || r.dupacks == 0 {
		return
	}
	before := c.sackedOut
	c.sackedOut += uint32(r.dupacks)
	c.limitDupacks()
	c.delivered += c.sackedOut - before
}

// limitDupacks: more duplicates than segments behind the hole are reordering.
func (c *Conn) limitDupacks() {
	holes := min(max(c.lostOut, 1), c.packetsOut)
	if c.sackedOut+holes > c.packetsOut {
		c.sackedOut = c.packetsOut - holes
		c.reordering = uint16(min(int(c.packetsOut)+1, c.h.MaxReordering))
		c.reordSeen++
		c.h.TCPRenoReorder++
	}
}

func (c *Conn) removeDupacks(acked int) {
	if acked > 0 {
		c.delivered += uint32(max(acked-int(c.sackedOut), 1))
		if acked-1 >= int(c.sackedOut) {
			c.sackedOut = 0
		} else {
			c.sackedOut -= uint32(acked - 1)
		}
	}
	if c.sackedOut > 0 {
		c.limitDupacks()
	}
}

func (c *Conn) resetDupacks() {
	if !c.is(useSACK) {
		c.sackedOut = 0
	}
}
