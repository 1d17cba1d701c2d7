package tcp

import (
	"syscall"

	"sockeye/packet"
	"sockeye/wire"
)

// The control bits that this package handles.
const (
	FIN = wire.FIN
	SYN = wire.SYN
	RST = wire.RST
	PSH = wire.PSH
	ACK = wire.ACK
	URG = wire.URG
	ECE = wire.ECE
	CWR = wire.CWR
)

// Input takes a segment that came for the connection, and its payload: SEGMENT ARRIVES of
// RFC 9293 section 3.10.7.
func (c *Conn) Input(now Time, s *Segment) {
	c.h.at(now)
	c.h.InSegs += uint64(s.Parts())
	c.segsIn += uint32(s.Parts())
	if s.Len() > 0 {
		c.dataSegsIn += uint32(s.Parts())
	}
	switch c.state {
	case Closed:
		c.h.reset(s)
	case SynSent:
		c.inputSynSent(s)
	default:
		c.inputSynchronized(s)
	}
	s.Payload.Release()
}

// inputSynSent is section 3.10.7.3.
func (c *Conn) inputSynSent(s *Segment) {
	// First, check the ACK bit.
	if s.Flags&ACK != 0 {
		if !c.sndUna.Less(s.Ack) || c.sndNxt.Less(s.Ack) {
			c.h.reset(s)
			return
		}
		if o := &s.Options; c.is(useTS) && o.Has(wire.OptTimestamps) && o.TSEcr != 0 && !c.echoes(o.TSEcr) {
			c.h.PAWSActive++
			c.h.reset(s)
			return
		}
	}
	// Second, the RST bit: only with an acceptable ACK.
	if s.Flags&RST != 0 {
		if s.Flags&ACK != 0 {
			c.h.AttemptFails++
			c.fail(syscall.ECONNREFUSED)
		}
		return
	}
	// Third, security: none. Fourth, the SYN bit.
	if s.Flags&SYN == 0 {
		return
	}
	c.takeSYNOptions(s)
	c.rcvNxt, c.rcvWup, c.copied = s.Seq+1, s.Seq+1, s.Seq+1
	c.sndWl1, c.sndWnd, c.maxWnd = s.Seq, uint32(s.Window), uint32(s.Window)
	c.syncMSS()
	if s.Flags&ACK == 0 { // simultaneous open
		c.setState(SynReceived)
		c.set(useECN, false)
		c.emitSYN()
		return
	}
	// RFC 3168 section 6.1.1: ECE without CWR accepts.
	c.set(useECN, c.is(useECN) && s.Flags&(ECE|CWR) == ECE)
	c.ack(s, 0)
	c.establish()
	c.synAckFastOpen(s)
	s.trimSYN()
	if s.Len() > 0 || s.Flags&FIN != 0 { // data with the SYN-ACK (RFC 7413)
		c.data(s)
	}
	if c.state == Closed {
		return
	}
	c.pushPending()
	// With quick ACKs turned off (TCP_QUICKACK) the ACK of the handshake waits for data to go with.
	if c.pingpong >= c.h.PingpongThreshold && !c.ackNow {
		c.quickAcks(maxQuickACKs)
		c.ackPending = true
		c.delackAt = c.h.now + delackMax
		return
	}
	if c.rcvWup != c.rcvNxt || !c.sentACK {
		c.sendACK()
	}
}

// trimSYN drops the SYN from the segment.
func (s *Segment) trimSYN() {
	if s.Flags&SYN != 0 {
		s.Flags &^= SYN
		s.Seq++
	}
}

// inputSynchronized is section 3.10.7.4, for all states but CLOSED, LISTEN and SYN-SENT.
func (c *Conn) inputSynchronized(s *Segment) {
	if !c.acceptable(s) || s.Flags&(ACK|RST|SYN) == 0 {
		return
	}
	// Fifth, check the ACK field: if the ACK bit is off, drop the segment.
	if s.Flags&ACK == 0 {
		return
	}
	s.trimSYN() // the SYN-ACK of a simultaneous open
	if !c.inputACK(s) {
		return
	}
	// Sixth, the URG bit; seventh, the segment text; eighth, the FIN bit.
	c.urgent(s)
	switch c.state {
	case Established:
		c.data(s)
	case FinWait1, FinWait2:
		if c.is(rcvShutdown) && s.Len() > 0 && c.rcvNxt.Less(s.Seq.Add(s.Len())) {
			// RFC 9293 section 3.6.1: the user cannot read any more.
			c.tooLate(s)
			return
		}
		c.data(s)
	case CloseWait, Closing, LastAck: // the peer has sent its FIN: nothing can follow
		switch {
		case s.End() == s.Seq || !s.Seq.Less(c.rcvNxt):
		case c.rcvNxt.Less(s.Seq.Add(s.Len())):
			c.tooLate(s)
			return
		default:
			c.duplicate(s.Seq, s.End())
		}
	}
	if c.state == Closed {
		return
	}
	c.pushPending()
	c.ackIfDue()
}

// tooLate resets a connection whose peer sends data that nobody can read.
func (c *Conn) tooLate(s *Segment) {
	c.h.TCPAbortOnData++
	c.h.reset(s)
	c.resetByPeer()
}

// acceptable has the first four checks, as RFC 5961 changed them. It answers what is not
// acceptable itself.
func (c *Conn) acceptable(s *Segment) bool {
	// RFC 7323 section 5.3: R1, before the sequence number.
	if c.paws(s) && s.Flags&RST == 0 {
		c.h.PAWSEstab++
		if !c.outOfWindowLimited(s, &c.h.TCPACKSkippedPAWS) {
			c.dupACK(s)
		}
		return false
	}
	// First, check the sequence number.
	if !c.inWindow(s) {
		switch {
		case s.Flags&RST != 0:
			// Some peers send the RST after their FIN with the FIN's own number.
			if s.Seq == c.rcvNxt-1 && c.is(finReceived) && c.in(states(CloseWait, LastAck, Closing)) {
				c.resetByPeer()
			}
		case s.Flags&SYN != 0:
			c.synChallenge()
		default:
			if !s.End().Less(c.rcvWup) {
				c.h.BeyondWindow++
			}
			if !c.outOfWindowLimited(s, &c.h.TCPACKSkippedSeq) {
				c.dupACK(s)
			}
		}
		return false
	}
	// Second, the RST bit: only the exact number resets (RFC 5961 section 3.2); Linux also takes
	// the number after the last SACK block, which a peer that lost its state would use.
	if s.Flags&RST != 0 {
		if s.Seq == c.rcvNxt || s.Seq == c.rcvNxt-1 && c.is(finReceived) || c.ooo != nil && s.Seq == c.ooo.highest() {
			c.resetByPeer()
		} else {
			c.challengeACK()
		}
		return false
	}
	// Fourth, the SYN bit (RFC 5961 section 4.2), but for the SYN-ACK of a simultaneous open.
	if s.Flags&SYN != 0 {
		if c.state == SynReceived && s.Flags&ACK != 0 && s.End() == s.Seq+1 && s.End() == c.rcvNxt && s.Ack == c.sndNxt {
			c.duplicate(s.Seq, s.End())
			c.ackNow = true
			return true
		}
		c.synChallenge()
		return false
	}
	return true
}

func (c *Conn) synChallenge() {
	c.h.InErrs++
	c.h.TCPSYNChallenge++
	c.challengeACK()
}

// inWindow is the acceptability test of RFC 9293 section 3.4. A segment may reach past the window
// only if nothing waits to be read.
func (c *Conn) inWindow(s *Segment) bool {
	seq, end := s.Seq, s.End()
	if end.Less(c.rcvWup) {
		return false
	}
	if right := c.rcvNxt.Add(int(c.offered())); right.Less(end) {
		if right.Less(seq) {
			return false
		}
		if s.Len() > 0 && c.rcvq.len() > 0 && right != seq {
			return false
		}
	}
	return true
}

// inputACK is the fifth step: the acknowledgement and what it does to the state. It tells
// whether to go on with the segment.
func (c *Conn) inputACK(s *Segment) bool {
	ok := c.ack(s, ackUpdateTS)
	if c.state == Closed {
		return false
	}
	switch {
	case !ok && c.state == SynReceived:
		c.h.reset(s) // section 3.10.7.4: an unacceptable ACK in SYN-RECEIVED
		return false
	case !ok:
		if c.sndNxt.Less(s.Ack) {
			c.challengeACK()
		}
		return false
	}
	switch c.state {
	case SynReceived:
		if !c.iss.Less(c.sndUna) {
			return false
		}
		c.sndWl1 = s.Seq
		c.sndWnd = uint32(s.Window) << c.sndShift
		c.maxWnd = max(c.maxWnd, c.sndWnd)
		c.establish()
		if c.is(finQueued) {
			c.setState(FinWait1)
		}
	case FinWait1:
		if c.sndUna != c.writeSeq+1 {
			break
		}
		return c.finAcked(s)
	case Closing:
		if c.sndUna == c.writeSeq+1 {
			c.timeWait(InTimeWait, c.h.TimeWait)
			return false
		}
	case LastAck:
		if c.sndUna == c.writeSeq+1 {
			c.done()
			return false
		}
	}
	return true
}

// data is the seventh and the eighth step: the text and the FIN (Linux's tcp_data_queue).
func (c *Conn) data(s *Segment) {
	if s.Len() == 0 && s.Flags&FIN == 0 {
		return
	}
	c.ecnArrived(s)
	c.flags &^= dsackPending
	seq, end := s.Seq, s.End()
	window := c.offered()
	switch right := c.rcvNxt.Add(int(window)); {
	case end.LessEq(c.rcvNxt): // a retransmission of what is here
		c.h.DelayedACKLost++
		c.duplicate(seq, end)
	case !seq.Less(right) && seq != c.rcvNxt: // out of the window: a zero window probe, say
		c.quickAcks(maxQuickACKs)
		c.ackPending = true
	case seq.LessEq(c.rcvNxt):
		if seq != c.rcvNxt {
			c.dsack(seq, c.rcvNxt, &c.h.TCPDSACKOldSent)
		}
		if window == 0 && s.Len() > 0 {
			c.h.TCPZeroWindowDrop++
			c.quickAcks(maxQuickACKs)
			c.ackPending, c.ackNow = true, true
			return
		}
		s.trimFront(c.rcvNxt.Diff(seq))
		c.inOrder(s)
	default:
		c.outOfOrder(s)
	}
}

// duplicate answers what came before: at once, with a DSACK (RFC 2883).
func (c *Conn) duplicate(seq, end Seq) {
	c.dsack(seq, end, &c.h.TCPDSACKOldSent)
	c.quickAcks(maxQuickACKs)
	c.ackPending = true
}

// inOrder queues the text that follows what was received, and what it joins up with.
func (c *Conn) inOrder(s *Segment) {
	fin := s.Flags&FIN != 0
	if s.Len() > 0 {
		size := s.Len()
		if s.GSO > 0 {
			size = s.GSO
		}
		c.dataReceived(s, size)
		for _, p := range s.Payload.Slices() {
			c.queue(p)
		}
		s.Payload.Forget()
		c.events |= EventReadable
	}
	if c.ooo != nil && !fin {
		fin = c.reassemble()
	}
	if fin {
		c.peerFIN()
	}
}

// queue appends payload to what the user can read. Small pieces, which would each keep a block of
// their own, are copied together.
func (c *Conn) queue(p packet.Slice) {
	n := p.Len()
	c.rcvNxt = c.rcvNxt.Add(n)
	c.received += uint64(n)
	if c.rcvq.len() > 0 {
		if joined, ok := packet.Join(*c.rcvq.last(), p); ok {
			*c.rcvq.last() = joined
			return
		}
		if n <= smallPiece && c.rcvq.len() >= manyPieces {
			c.compact(p)
			return
		}
	}
	c.rcvq.push(p, &slicePools)
	c.ownTail = false
}

const (
	smallPiece = 256 // bytes that are cheaper copied than kept in a block of their own
	manyPieces = 16
)

// compact copies a small piece behind the last one, in a block of our own.
func (c *Conn) compact(p packet.Slice) {
	c.h.TCPRcvCollapsed++
	if c.ownTail {
		tail, n := c.rcvq.last().Append(p.Bytes())
		*c.rcvq.last() = tail
		if n == p.Len() {
			p.Release()
			return
		}
		p = p.Sub(n, p.Len())
	}
	block := packet.New(16 * smallPiece)
	n := copy(block.Bytes(), p.Bytes())
	p.Release()
	c.rcvq.push(block.Slice(0, n), &slicePools)
	c.ownTail = true
}

// peerFIN is the eighth step, the FIN bit.
func (c *Conn) peerFIN() {
	c.rcvNxt++
	c.received++ // TCP_INFO counts it, as Linux does
	c.flags |= finReceived | rcvShutdown
	c.ackPending = true
	c.dropOutOfOrder()
	c.events |= EventReadable
	switch c.state {
	case SynReceived, Established:
		c.setState(CloseWait)
		c.pingpong = c.h.PingpongThreshold // an answer is near: the user's own FIN
	case FinWait1: // our FIN is not acknowledged: simultaneous close
		c.sendACK()
		c.setState(Closing)
	case FinWait2:
		c.sendACK()
		c.timeWait(InTimeWait, c.h.TimeWait)
	}
}

// resetByPeer is what a valid RST does in each state.
func (c *Conn) resetByPeer() {
	switch c.state {
	case CloseWait:
		c.fail(syscall.EPIPE)
	case SynReceived:
		if c.is(passive) {
			c.fail(syscall.ECONNRESET)
		} else {
			c.fail(syscall.ECONNREFUSED)
		}
	default:
		c.fail(syscall.ECONNRESET)
	}
}
