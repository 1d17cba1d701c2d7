package tcp

// retransmit sends segment i of the queue again.
func (c *Conn) retransmit(i int) {
	e := c.rtx.at(i)
	if e.is(hasSYN) {
		c.h.TCPSynRetrans++
	} else {
		c.fit(i)
		c.collapse(i)
	}
	e = c.rtx.at(i)
	n := uint32(e.segs)
	c.h.RetransSegs += uint64(n)
	c.totalRetrans += n
	c.needAside().bytesRetrans += uint64(e.data())
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

// fit cuts what is larger now than a segment may be off segment i: after a change of the path's MTU, or when
// SACK blocks take room.
func (c *Conn) fit(i int) {
	mss := c.sendMSS()
	e := c.rtx.at(i)
	if int(e.size) > mss && e.data() > mss {
		old := uint32(e.segs)
		e.size = uint16(mss)
		e.count()
		c.addSegs(e, uint32(e.segs)-old)
	}
	if most := max(mss, int(c.cfg.GSO)/mss*mss); e.data() > most {
		c.split(i, e.seq.Add(most))
	}
}

// collapse joins the small segments behind segment i with it, as far as one segment holds them
// (tcp_retrans_collapse).
func (c *Conn) collapse(i int) {
	mss := c.sendMSS()
	for e := c.rtx.at(i); i+1 < c.rtx.len() && e.segs == 1; e = c.rtx.at(i) {
		next := c.rtx.at(i + 1)
		if next.is(sacked) || next.segs > 1 || e.data()+next.data() > mss || c.wndEnd().Less(next.end) {
			return
		}
		c.addSegs(next, ^uint32(0))
		e.end = next.end
		e.flags |= next.flags & (everRetrans | hasFIN | hasPSH)
		c.rtx.remove(i + 1)
	}
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
		c.retransmit(i)
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
