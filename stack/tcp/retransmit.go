package tcp

// resend is retransmit after a timeout: the head, whatever the window says.
func (c *Conn) resend(e *sent) { c.retransmit(e) }

// retransmit sends a segment of the queue again.
func (c *Conn) retransmit(e *sent) {
	if e.is(hasSYN) {
		c.h.TCPSynRetrans++
	} else if c.rackSize(e) {
		e = c.rtx.at(c.findSent(e.seq))
	}
	n := uint32(e.segs)
	c.h.RetransSegs += uint64(n)
	c.totalRetrans += n
	c.bytesRetrans += uint64(e.data())
	if c.retransAt == 0 {
		c.retransAt = c.h.now
	}
	if c.undoRetrans < 0 {
		c.undoRetrans = 0
	}
	c.undoRetrans += int32(n)
	if !e.is(retrans) {
		c.retransOut += n
	}
	e.flags |= retrans | everRetrans
	e.at, e.delivered = c.h.now, c.delivered
	copied := *e
	c.emit(&copied)
}

// rackSize cuts a segment that is larger than the MSS now, as after a change of the path's MTU. It
// tells whether it did.
func (c *Conn) rackSize(e *sent) bool {
	mss := c.sendMSS()
	if e.data() <= mss || int(e.size) <= mss {
		return false
	}
	old := uint32(e.segs)
	e.size = uint16(mss)
	e.count()
	c.addSegs(e, uint32(e.segs)-old)
	if e.data() > max(mss, int(c.cfg.GSO)) {
		i := c.findSent(e.seq)
		c.split(i, e.seq.Add(max(mss, int(c.cfg.GSO))))
	}
	return true
}

// retransmitLost sends again what is lost, as far as the congestion window lets it.
func (c *Conn) retransmitLost() {
	if c.rtx.len() == 0 || c.lostOut == 0 {
		c.afterRetransmit()
		return
	}
	head := false
	for i := 0; i < c.rtx.len(); i++ {
		room := int(c.cwnd) - c.inFlight()
		if room <= 0 || c.retransOut >= c.lostOut {
			break
		}
		e := c.rtx.at(i)
		if e.flags&(sacked|retrans) != 0 || !e.is(lost) {
			continue
		}
		if c.wndEnd().LessEq(e.seq) && e.seq != c.sndUna {
			break // the window has shrunk
		}
		if int(e.segs) > room && c.split(i, e.seq.Add(room*int(e.size))) {
			e = c.rtx.at(i)
		}
		if c.caState == caLoss {
			c.h.TCPSlowStartRetrans += uint64(e.segs)
		} else {
			c.h.TCPFastRetrans += uint64(e.segs)
		}
		if c.cutting() {
			c.prrOut += uint32(e.segs)
		}
		c.retransmit(e)
		head = head || i == 0
	}
	if head && c.timer != timerReorder {
		c.armRTO()
	}
	c.afterRetransmit()
}

// afterRetransmit sends new data with what window is left (RFC 6675 section 5, step 4.3).
func (c *Conn) afterRetransmit() {
	if c.hasUnsent() && c.in(canSend) {
		c.transmit(false)
	}
}
