package tcp

import "syscall"

// CloseWrite is shutdown(SHUT_WR): a FIN follows what was written (RFC 9293 section 3.10.4).
// In SYN-SENT it gives the connection up, as Linux does; ENOTCONN after the end.
func (c *Conn) CloseWrite(now Time) error {
	c.h.at(now)
	switch c.state {
	case Established, CloseWait, SynReceived:
	case SynSent:
		c.fail(syscall.ECONNRESET)
		return nil
	case Closed, Listen:
		return syscall.ENOTCONN
	default:
		return nil
	}
	c.flags |= sndShutdown
	c.queueFIN()
	return nil
}

// CloseRead is shutdown(SHUT_RD): reading ends where the queue ends now. Nothing is told to the
// peer.
func (c *Conn) CloseRead() error {
	switch c.state {
	case SynSent:
		c.fail(syscall.ECONNRESET)
		return nil
	case Closed, Listen:
		return syscall.ENOTCONN
	}
	c.flags |= rcvShutdown
	c.events |= EventReadable
	return nil
}

func (c *Conn) queueFIN() {
	if c.is(finQueued) {
		return
	}
	c.flags |= finQueued | sndShutdown
	switch c.state {
	case Established:
		c.setState(FinWait1)
	case CloseWait:
		c.setState(LastAck)
	}
	c.pushed = c.writeSeq
	c.pushPending()
}

// Close is close(2): the user is gone. What was written is still sent, and the FIN; what was received
// and not read makes it a RST (RFC 9293 section 3.6.1), as does SO_LINGER with a time of zero,
// which reset stands for.
func (c *Conn) Close(now Time, reset bool) {
	c.h.at(now)
	if c.state == Closed || c.is(orphaned) {
		c.orphan()
		return
	}
	unread := c.unread() > 0
	switch {
	case unread && c.state != SynSent:
		c.h.TCPAbortOnClose++
		c.sendReset()
		c.done()
		return
	case reset:
		c.h.TCPAbortOnLinger++
		c.abort()
		return
	case c.state == SynSent:
		c.done()
		return
	}
	c.orphan()
	switch c.state {
	case SynReceived:
		c.queueFIN()
		c.setState(FinWait1)
	case Established, CloseWait:
		c.queueFIN()
	case FinWait2:
		c.orphanedFinWait2()
	}
}

func (c *Conn) orphan() {
	c.flags |= orphaned | rcvShutdown | sndShutdown
	c.dropReceived()
	c.keepAt = 0
}

func (c *Conn) finTimeout() Time {
	d := c.h.FinTimeout
	if c.cfg.Linger2 != 0 {
		d = c.cfg.Linger2.Time()
	}
	return max(d, c.rto<<2-c.rto>>1)
}

// orphanedFinWait2 waits for the peer's FIN without a user: not for ever (TCP_LINGER2).
func (c *Conn) orphanedFinWait2() {
	if c.cfg.Linger2 < 0 {
		c.h.TCPAbortOnLinger++
		c.sendReset()
		c.done()
		return
	}
	if d := c.finTimeout(); d > c.h.TimeWait {
		c.keepAt = c.h.now + d - c.h.TimeWait
	} else {
		c.timeWait(FinWait2, d)
	}
}

// finAcked is FIN-WAIT-1 when the FIN is acknowledged. It tells whether the segment may go on.
func (c *Conn) finAcked(s *Segment) bool {
	c.setState(FinWait2)
	c.flags |= sndShutdown
	if !c.is(orphaned) {
		c.events |= EventWritable
		return true
	}
	if c.cfg.Linger2 < 0 {
		c.h.TCPAbortOnData++
		c.h.reset(s)
		c.done()
		return false
	}
	if s.Len() > 0 && c.rcvNxt.Less(s.Seq.Add(s.Len())) {
		c.h.TCPAbortOnData++
		c.h.reset(s)
		c.done()
		return false
	}
	if s.Flags&FIN != 0 {
		c.keepAt = c.h.now + c.finTimeout()
		return true
	}
	c.orphanedFinWait2()
	return false
}

// Abort is the ABORT call (RFC 9293 section 3.10.5): what is queued is dropped and the peer is
// reset. The user's later calls get ECONNABORTED.
func (c *Conn) Abort(now Time) {
	c.h.at(now)
	if c.state == Closed {
		return
	}
	c.err = errno(syscall.ECONNABORTED)
	c.events |= EventError
	c.abort()
}

func (c *Conn) abort() {
	// RFC 9293 section 3.10.5: not in SYN-SENT, CLOSING, LAST-ACK and TIME-WAIT; Linux also not
	// where the peer has nothing more to come.
	if c.in(states(Established, CloseWait, FinWait1, FinWait2, SynReceived)) {
		c.sendReset()
	}
	c.done()
}

// fail ends the connection with an error for the user.
func (c *Conn) fail(err syscall.Errno) {
	if c.in(states(Established, CloseWait)) {
		c.h.EstabResets++
	}
	if !c.is(orphaned) {
		c.err = errno(err)
		c.events |= EventError
	}
	c.done()
}

// done enters CLOSED. What was received can still be read.
func (c *Conn) done() {
	c.setState(Closed)
	c.timer, c.timerAt, c.delackAt, c.keepAt = timerNone, 0, 0, 0
	c.ackPending = false
	c.flags |= rcvShutdown | sndShutdown
	c.events |= EventHup | EventClosed | EventReadable | EventWritable
	for c.sndq.len() > 0 {
		c.sndq.at(0).Release()
		c.sndq.pop(&chunkPools)
	}
	for c.rtx.len() > 0 {
		c.rtx.pop(&sentPools)
	}
	c.packetsOut, c.sackedOut, c.lostOut, c.retransOut = 0, 0, 0, 0
	c.dropOutOfOrder()
	if c.is(orphaned) {
		c.dropReceived()
	}
}

// dropReceived gives back what nobody will read.
func (c *Conn) dropReceived() {
	for c.rcvq.len() > 0 {
		c.rcvq.at(0).Release()
		c.rcvq.pop(&slicePools)
	}
	c.copied = c.readEnd()
}

// Err is the error that waits for the user (SO_ERROR without clearing it); 0: none.
func (c *Conn) Err() syscall.Errno { return syscall.Errno(c.err) }

// TakeErr is SO_ERROR: the error, once.
func (c *Conn) TakeErr() error {
	err := c.err
	c.err = 0
	if err == 0 {
		return nil
	}
	return syscall.Errno(err)
}

// Unreachable tells of an ICMP error for a segment with this sequence number: hard errors end the
// handshake, and nothing else (RFC 5461, RFC 9293 section 3.9.2.2). With report (IP_RECVERR) the user
// hears of it at once.
func (c *Conn) Unreachable(now Time, err syscall.Errno, seq Seq, report bool) {
	c.h.at(now)
	if c.state == Closed || !c.InFlight(seq) {
		return
	}
	switch {
	case c.state == SynSent || c.state == SynReceived:
		c.h.AttemptFails++
		c.fail(err)
	case report:
		c.err = errno(err)
		c.events |= EventError
	default:
		c.soft = errno(err)
	}
}

// InFlight tells whether a sequence number is one of those that the peer has not acknowledged. An ICMP error
// about another is a blind attack (RFC 5927 section 4.1).
func (c *Conn) InFlight(seq Seq) bool { return seq.In(c.sndUna, c.sndNxt.Diff(c.sndUna)+1) }

// TakeSoftErr is what an ICMP error told that did not end the connection, once; 0: nothing.
func (c *Conn) TakeSoftErr() syscall.Errno {
	err := c.soft
	c.soft = 0
	return syscall.Errno(err)
}

// Over tells which directions are over for the user: reading, by the peer's FIN, SHUT_RD or the end of
// the connection, and writing.
func (c *Conn) Over() (read, write bool) { return c.is(rcvShutdown), c.is(sndShutdown) }

// PeerDone tells whether the peer's FIN has come.
func (c *Conn) PeerDone() bool { return c.is(finReceived) }
