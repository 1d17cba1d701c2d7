package tcp

import "sockeye/wire"

// An ackFlags says what an acknowledgement brought; Linux's FLAG_ values in tcp_input.c.
type ackFlags uint32

const (
	ackUpdateTS     ackFlags = 1 << iota // store the peer's timestamp
	ackHasData                           // the segment had text, or a FIN
	ackWinUpdate                         // the window changed
	ackDataAcked                         // new data was acknowledged
	ackSYNAcked                          // our SYN was
	ackRetransAcked                      // and some of it had been sent again
	ackOrigAcked                         // and some that was sent once, before the recovery's end
	ackSacked                            // new data was selectively acknowledged
	ackDSACK                             // the first block is a duplicate
	ackDSACKProbe                        // of our tail loss probe
	ackAdvanced                          // snd.una moved
	ackECE                               // the peer met congestion
	ackLostRetrans                       // a retransmission was lost
	ackReneged                           // the peer dropped what it had SACKed
	ackRearm                             // the retransmission timer starts anew

	ackNotDup = ackHasData | ackWinUpdate | ackDataAcked | ackSYNAcked
)

// An ackRound is what one acknowledgement did, gathered on its way.
type ackRound struct {
	flags          ackFlags
	priorUna       Seq
	priorFack      Seq
	delivered      uint32 // c.delivered before
	lostBefore     uint32
	priorDelivered uint32 // c.delivered when the latest delivered segment was sent
	firstAck       Time   // when the first and the last segment acknowledged were sent: once only
	lastAck        Time
	firstSack      Time
	reorder        Seq // the lowest segment that came late
	reordered      bool
	dupacks        int
	newData        bool // F-RTO: send new data instead of retransmissions
	rexmit         bool
}

// ack takes the acknowledgement of a segment, its window and its SACK blocks. It tells whether
// it was acceptable (Linux's tcp_ack).
func (c *Conn) ack(s *Segment, flags ackFlags) bool {
	r := ackRound{
		flags: flags, priorUna: c.sndUna, priorFack: c.highestSacked(), delivered: c.delivered, lostBefore: c.lostTotal,
	}
	if c.lastEcr = 0; c.hasTS(s) {
		c.lastEcr = s.Options.TSEcr
	}
	if s.Ack.Less(c.sndUna) {
		// RFC 5961 section 5.2: what is older than a window was not sent by the peer.
		if s.Ack.Less(c.sndUna.Add(-int(c.maxWnd))) {
			if c.in(synchronized) {
				c.challengeACK()
			}
			return false
		}
		if s.Options.NumSACK > 0 && c.is(useSACK) { // old, but its blocks may be news
			c.sackArrived(s, &r)
			c.alert(&r)
			c.afterAck(&r)
		}
		return true
	}
	if c.sndNxt.Less(s.Ack) {
		return false // RFC 9293 section 3.10.7.4: acknowledges what was never sent
	}
	if c.sndUna.Less(s.Ack) {
		r.flags |= ackAdvanced
		c.retransmits = 0
	}
	if flags&ackUpdateTS != 0 {
		c.storeTS(s)
	}
	if s.SeqLen(s.Len()) > 0 {
		r.flags |= ackHasData
	}
	c.updateWindow(s, &r)
	c.bytesAcked += uint64(s.Ack.Diff(c.sndUna))
	if r.priorUna == c.iss && r.flags&ackAdvanced != 0 {
		c.bytesAcked-- // the SYN
	}
	c.sndUna = s.Ack
	if c.is(sndUrgent) && c.sndUp.LessEq(c.sndUna) {
		c.flags &^= sndUrgent
	}
	if s.Options.NumSACK > 0 && c.is(useSACK) {
		c.sackArrived(s, &r)
	}
	if c.is(useECN) && s.Flags&(ECE|SYN) == ECE {
		r.flags |= ackECE
	}
	c.probes = 0
	c.ackRcvdAt = c.h.now
	if c.rtx.len() == 0 {
		if r.flags&ackDSACK != 0 {
			c.alert(&r)
		}
		c.windowOpened()
		return true
	}
	c.clean(&r)
	c.adaptReorderWindow(&r)
	if c.tlpHigh != 0 {
		c.probeAcked(s, &r)
	}
	if r.flags&ackNotDup == 0 || r.flags&(ackSacked|ackECE|ackDSACK) != 0 || c.caState != caOpen {
		if r.flags&(ackAdvanced|ackNotDup|ackDSACK) == 0 {
			r.dupacks = 1
		}
		c.alert(&r)
	}
	if r.flags&ackRearm != 0 {
		c.armAfterAck()
	}
	c.dropAcked()
	c.afterAck(&r)
	if c.rtx.len() == 0 && !c.hasUnsent() {
		c.busyTime += c.h.now - c.busySince
	}
	return true
}

// afterAck sets the congestion window and retransmits.
func (c *Conn) afterAck(r *ackRound) {
	newly := int(c.delivered - r.delivered)
	if c.state == Established || c.in(canSend) {
		switch {
		case c.cutting():
			c.reduce(newly, int(c.lostTotal-r.lostBefore), r.flags)
		case c.mayRaise(r.flags):
			c.raise(newly)
		}
	}
	if r.newData {
		c.nagleOff = true
		c.transmit(false)
		c.nagleOff = false
		if c.frto && !c.highSeq.Less(c.sndNxt) { // nothing new to send
			c.frto = false
			r.rexmit = true
		}
	}
	if r.rexmit {
		c.retransmitLost()
	}
}

// mayUpdateWindow is the test of RFC 9293 section 3.10.7.4 that keeps old segments from changing
// the window.
func (c *Conn) mayUpdateWindow(ack, seq Seq, wnd uint32) bool {
	return c.sndUna.Less(ack) || c.sndWl1.Less(seq) || c.sndWl1 == seq && (wnd > c.sndWnd || wnd == 0)
}

func (c *Conn) updateWindow(s *Segment, r *ackRound) {
	wnd := uint32(s.Window)
	if s.Flags&SYN == 0 {
		wnd <<= c.sndShift
	}
	if !c.mayUpdateWindow(s.Ack, s.Seq, wnd) {
		return
	}
	r.flags |= ackWinUpdate
	c.sndWl1 = s.Seq
	if c.sndWnd == wnd {
		return
	}
	c.sndWnd = wnd
	if wnd > c.maxWnd {
		c.maxWnd = wnd
		c.syncMSS()
	}
}

// clean takes what is acknowledged out of the retransmission queue, and measures the round trip.
func (c *Conn) clean(r *ackRound) {
	acked, full := 0, true
	hadSacked := c.sackedOut
	for c.rtx.len() > 0 && full {
		e := c.rtx.at(0)
		n := uint32(e.segs)
		if c.sndUna.Less(e.end) {
			if full = false; !e.seq.Less(c.sndUna) {
				break
			}
			e.seq = c.sndUna // a part of it
			e.count()
			if n -= uint32(e.segs); n == 0 {
				break
			}
		}
		switch {
		case e.is(everRetrans):
			if e.is(retrans) {
				c.retransOut -= n
			}
			r.flags |= ackRetransAcked
		case !e.is(sacked):
			r.lastAck = e.at
			if r.firstAck == 0 {
				r.firstAck = e.at
			}
			r.late(e.seq)
			if !c.highSeq.Less(e.end) {
				r.flags |= ackOrigAcked
			}
		}
		if e.is(sacked) {
			c.sackedOut -= n
		} else {
			if c.is(useSACK) {
				c.deliver(e, n, r)
				c.rackAdvance(e)
			}
		}
		if e.is(lost) {
			c.lostOut -= n
		}
		c.packetsOut -= n
		acked += int(n)
		if e.is(hasSYN) {
			r.flags |= ackSYNAcked
			c.retransAt = 0
		} else {
			r.flags |= ackDataAcked
		}
		if full {
			c.rtx.pop(&sentPools)
		}
	}
	if c.rtx.len() > 0 && c.rtx.at(0).is(sacked) {
		r.flags |= ackReneged
	}
	updated := c.measure(r, acked == 1 && full && hadSacked == 0)
	if r.flags&(ackDataAcked|ackSYNAcked) != 0 {
		r.flags |= ackRearm
		if !c.is(useSACK) {
			c.removeDupacks(acked)
			if r.flags&ackRetransAcked != 0 { // which of the two arrived cannot be told
				r.flags &^= ackOrigAcked
			}
		} else if r.reordered && r.reorder.Less(r.priorFack) {
			c.sawReordering(r.reorder, &c.h.TCPSACKReorder)
		}
		c.cc.acked(c, r.lastAck)
	} else if updated && r.firstSack != 0 && c.rtx.len() > 0 && r.firstSack < c.rtx.at(0).at {
		// Only if the head was sent again since: else the timer might never fire in a long
		// recovery.
		r.flags |= ackRearm
	}
}

// late notes a segment that was sent once: if later ones arrived before it, there is reordering.
func (r *ackRound) late(seq Seq) {
	if !r.reordered || seq.Less(r.reorder) {
		r.reorder, r.reordered = seq, true
	}
}

func (c *Conn) deliver(e *sent, n uint32, r *ackRound) {
	c.delivered += n
	c.h.TCPDelivered += uint64(n)
	if r.flags&ackECE != 0 {
		c.needAside().deliveredCE += n
		c.h.TCPDeliveredCE += uint64(n)
	}
	if !e.is(everRetrans) || r.priorDelivered == 0 {
		if d := c.h.now - e.at; d > 0 && int32(c.delivered-e.delivered) > 0 {
			c.rateSegs, c.rateTime = c.delivered-e.delivered, d
		}
	}
	if r.priorDelivered == 0 || int32(e.delivered-r.priorDelivered) > 0 {
		r.priorDelivered = e.delivered
	}
}

// measure takes the round-trip sample of the acknowledgement: not of what was sent more than once
// (Karn's rule, RFC 6298 section 3), unless timestamps tell.
func (c *Conn) measure(r *ackRound, single bool) bool {
	now := c.h.now
	rtt, ca := Time(-1), Time(-1)
	if r.firstAck != 0 && r.flags&ackRetransAcked == 0 {
		rtt, ca = now-r.firstAck, now-r.lastAck
	}
	if r.firstSack != 0 {
		if rtt < 0 {
			rtt = now - r.firstSack
		}
		ca = now - r.firstSack
	}
	// An ACK that a duplicate drew echoes what arrived before it, perhaps many timeouts ago.
	if rtt < 0 && r.flags&(ackDataAcked|ackSYNAcked) != 0 && r.flags&ackDSACK == 0 && c.lastEcr != 0 {
		if d := int32(c.tick() - c.lastEcr); d >= 0 {
			rtt = max(Time(d)*Millisecond, Millisecond)
			ca = rtt
		}
	}
	if rtt < 0 {
		return false
	}
	if ca >= 0 && !(single && r.flags&ackHasData == 0 && c.minRTT.v != 0 && ca > c.minRTT.v) {
		c.minRTT.add(now, ca)
	}
	c.sampleRTT(rtt)
	c.setRTO()
	c.backoff = 0
	return true
}

// highestSacked is the end of what the peer has told to have, at least snd.una.
func (c *Conn) highestSacked() Seq {
	if c.sackedOut == 0 || !c.is(useSACK) {
		return c.sndUna
	}
	return maxSeq(c.sndUna, c.sackTop)
}

// sackArrived takes the SACK blocks (RFC 2018 section 5, RFC 2883 section 4).
func (c *Conn) sackArrived(s *Segment, r *ackRound) {
	blocks := s.Options.SACK[:s.Options.NumSACK]
	first := blocks[0]
	switch {
	case first.Left.Less(s.Ack):
		r.flags |= ackDSACK
		c.h.TCPDSACKRecv++
	case len(blocks) > 1 && first.Right.LessEq(blocks[1].Right) && blocks[1].Left.LessEq(first.Left):
		r.flags |= ackDSACK
		c.h.TCPDSACKOfoRecv++
	}
	if r.flags&ackDSACK != 0 {
		c.dsackArrived(first, r)
		blocks = blocks[1:]
	}
	for _, b := range blocks {
		if !b.Left.Less(b.Right) || c.sndNxt.Less(b.Right) || !c.sndUna.Less(b.Right) {
			if b.Right.LessEq(c.sndUna) && c.sndUna.Add(-int(c.maxWnd)).Less(b.Right) {
				continue // an old one: no news
			}
			c.h.TCPSACKDiscard++
			continue
		}
		c.markSacked(b, r)
	}
	if r.reordered && c.caState != caLoss {
		c.sawReordering(r.reorder, &c.h.TCPSACKReorder)
	}
}

// dsackArrived counts a duplicate that our retransmission caused: recoveries that were needless are
// undone when all of theirs were duplicates.
func (c *Conn) dsackArrived(b wire.SACKBlock, r *ackRound) {
	if !b.Left.Less(b.Right) || c.sndNxt.Less(b.Right) {
		c.h.TCPSACKDiscard++
		return
	}
	n := uint32(1)
	if size := b.Right.Diff(b.Left); size > int(c.mss) {
		n = uint32((size + int(c.mss) - 1) / int(c.mss))
	}
	a := c.needAside()
	a.dsackDups += n
	if a.dsackDups > c.totalRetrans { // the network duplicated it
		c.h.TCPDSACKIgnoredNoUndo++
		return
	}
	if c.tlpHigh != 0 && c.tlpHigh == b.Right {
		r.flags |= ackDSACKProbe
	}
	c.rack.dsackSeen = true
	if b.Right.LessEq(r.priorUna) && c.undoMarker.Less(b.Right) && c.undoMarker != 0 && c.undoRetrans > 0 {
		c.undoRetrans = max(c.undoRetrans-int32(n), 0)
	}
}

// markSacked marks what a block covers. Large segments are cut at its edges.
func (c *Conn) markSacked(b wire.SACKBlock, r *ackRound) {
	i := c.findSent(b.Left)
	for ; i < c.rtx.len(); i++ {
		e := c.rtx.at(i)
		if b.Right.LessEq(e.seq) {
			break
		}
		if e.seq.Less(b.Left) { // the block begins within
			if e.segs == 1 || e.is(sacked) || !c.split(i, b.Left) {
				continue
			}
			continue
		}
		if b.Right.Less(e.end) {
			if e.segs == 1 || e.is(sacked) || !c.split(i, b.Right) {
				break
			}
			e = c.rtx.at(i)
		}
		c.sackOne(e, r)
	}
}

func (c *Conn) sackOne(e *sent, r *ackRound) {
	if e.is(sacked) {
		return
	}
	n := uint32(e.segs)
	c.rackAdvance(e)
	switch {
	case e.is(retrans):
		if e.is(lost) { // the retransmission, or the original after all
			c.lostOut -= n
			c.retransOut -= n
			e.flags &^= lost | retrans
		} else {
			c.retransOut -= n
			e.flags &^= retrans
		}
	default:
		if !e.is(everRetrans) {
			if e.seq.Less(r.priorFack) { // arrived behind later ones: reordering
				r.late(e.seq)
			}
			if !c.highSeq.Less(e.end) {
				r.flags |= ackOrigAcked
			}
			if r.firstSack == 0 {
				r.firstSack = e.at
			}
		}
		if e.is(lost) {
			c.lostOut -= n
			e.flags &^= lost
		}
	}
	e.flags |= sacked
	c.sackedOut += n
	if c.sackedOut == n || c.sackTop.Less(e.end) {
		c.sackTop = e.end
	}
	r.flags |= ackSacked
	c.deliver(e, n, r)
}

// findSent is the index of the first segment that ends after seq.
func (c *Conn) findSent(seq Seq) int {
	lo, hi := 0, c.rtx.len()
	for lo < hi {
		if mid := (lo + hi) / 2; c.rtx.at(mid).end.LessEq(seq) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// split cuts segment i of the queue at a whole number of its parts at or before seq. It tells
// whether there is such a place.
func (c *Conn) split(i int, seq Seq) bool {
	e := *c.rtx.at(i)
	n := seq.Diff(e.seq) / int(e.size) * int(e.size)
	if n <= 0 || n >= e.end.Diff(e.seq) {
		return false
	}
	head, tail := e, e
	head.end, tail.seq = e.seq.Add(n), e.seq.Add(n)
	head.flags &^= hasFIN | hasPSH
	tail.flags &^= hasSYN
	head.count()
	tail.count()
	*c.rtx.at(i) = tail
	c.rtx.insert(i, head, &sentPools)
	if d := uint32(head.segs) + uint32(tail.segs) - uint32(e.segs); d != 0 {
		c.addSegs(&tail, d)
	}
	return true
}

// addSegs corrects the counts when the size of segments changes; n may wrap to mean less.
func (c *Conn) addSegs(e *sent, n uint32) {
	c.packetsOut += n
	if e.is(sacked) {
		c.sackedOut += n
	}
	if e.is(lost) {
		c.lostOut += n
	}
	if e.is(retrans) {
		c.retransOut += n
	}
}
