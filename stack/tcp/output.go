package tcp

import "sockeye/wire"

// A sent is a segment in the retransmission queue, with what SACK (RFC 2018), RACK (RFC 8985) and the
// undo of needless recoveries must know of it.
type sent struct {
	seq, end  Seq
	at        Time   // last transmission
	delivered uint32 // how much had been delivered then
	segs      uint16 // segments of size bytes that it stands for
	size      uint16
	flags     sentFlags
}

type sentFlags uint8

const (
	sacked  sentFlags = 1 << iota // the peer has it
	lost                          // it is taken for lost
	retrans                       // and was sent again since
	everRetrans
	hasSYN
	hasFIN
	hasPSH
)

func (s *sent) is(f sentFlags) bool { return s.flags&f != 0 }

// data is the length without SYN and FIN.
func (s *sent) data() int {
	n := s.end.Diff(s.seq)
	if s.is(hasSYN) {
		n--
	}
	if s.is(hasFIN) {
		n--
	}
	return n
}

func (s *sent) count() {
	s.segs = 1
	if n := s.data(); n > int(s.size) {
		s.segs = uint16((n + int(s.size) - 1) / int(s.size))
	}
}

// wndEnd is the right edge of the peer's window.
func (c *Conn) wndEnd() Seq { return c.sndUna.Add(int(c.sndWnd)) }

// sendMSS is the payload of a full segment now: SACK blocks take room.
func (c *Conn) sendMSS() int {
	mss := int(c.mss)
	if n := c.optionsLen(); n > timestampsLen || n > 0 && !c.is(useTS) {
		if c.is(useTS) {
			n -= timestampsLen
		}
		mss -= n
	}
	return mss
}

// transmit sends new data as far as the windows, Nagle and the cork let it. With probe one segment
// goes out whatever the congestion window says (a tail loss probe).
func (c *Conn) transmit(probe bool) (some bool) {
	mss := c.sendMSS()
	limit := max(mss, int(c.cfg.GSO)/mss*mss)
	limited := false
	for c.hasUnsent() {
		room := int(c.cwnd) - c.inFlight()
		if probe && room <= 0 {
			room = 1
		}
		if room <= 0 {
			limited = true
			break
		}
		avail := c.unsent()
		wnd := c.wndEnd().Diff(c.sndNxt)
		whole := avail // or up to the end of a record
		if c.sndNxt.Less(c.recordEnd) && c.recordEnd.Less(c.writeSeq) {
			whole = c.recordEnd.Diff(c.sndNxt)
		}
		most := limit
		if c.is(sndUrgent) && c.sndNxt.Less(c.sndUp) { // Linux makes no large segments of what is urgent
			most = mss
		}
		n := min(whole, most, room*mss)
		fin := c.is(finQueued) && n == avail
		if wnd < max(min(n, mss), 1) {
			break // RFC 9293 section 3.8.6.2.1: whole segments only
		}
		if n >= wnd {
			n, fin = wnd, false
		}
		if n > mss && n < whole {
			n -= n % mss
		}
		if part := n % mss; part != 0 && n == avail && !fin && !c.mayBePartial() {
			if n -= part; n == 0 {
				break
			}
		}
		c.sendNew(n, fin, mss)
		some = true
		if probe {
			break
		}
	}
	if some {
		c.setLossProbe(false)
	}
	if limited = limited || c.inFlight() >= int(c.cwnd); some || limited {
		c.validateWindow(limited)
	}
	return some
}

// mayBePartial tells whether a partial segment at the end of the queue may go out now: Nagle's
// algorithm (RFC 9293 section 3.7.4) in Minshall's form, where only a small segment in flight holds
// back another, as Linux has it.
func (c *Conn) mayBePartial() bool {
	switch {
	case c.nagleOff, c.is(sndUrgent) && c.sndNxt.Less(c.sndUp), c.is(finQueued):
		return true
	case c.cfg.Cork, c.is(moreComing):
		return false
	case c.cfg.NoDelay, c.rtx.len() == 0:
		return true
	}
	small := c.sndUna.Less(c.sndSml) && c.sndSml.LessEq(c.sndNxt)
	return !small
}

// sendNew sends n bytes, and the FIN, for the first time.
func (c *Conn) sendNew(n int, fin bool, mss int) {
	s := sent{seq: c.sndNxt, end: c.sndNxt.Add(n), at: c.h.now, delivered: c.delivered, size: uint16(mss)}
	if fin {
		s.end++
		s.flags |= hasFIN
	}
	s.count()
	if n > 0 {
		c.markPush(&s, s.seq.Add(n))
	}
	if c.inFlight() == 0 {
		c.txStart()
	}
	if c.rtx.len() == 0 {
		c.busySince = c.h.now
	}
	c.rtx.push(s, &sentPools)
	c.sndNxt = s.end
	c.packetsOut += uint32(s.segs)
	if n%mss != 0 {
		c.sndSml = s.end
	}
	if c.cutting() {
		c.prrOut += uint32(s.segs)
	}
	c.h.TCPOrigDataSent += uint64(s.segs)
	c.emit(&s)
	if c.packetsOut == uint32(s.segs) || c.timer == timerNone || c.timer == timerProbe {
		c.armRTO()
	}
}

// markPush sets PSH at the end of what the user pushed (RFC 9293 section 3.9.1.2), when half of the peer's
// window has gone without, and on large segments, as Linux does.
func (c *Conn) markPush(s *sent, end Seq) {
	if s.seq.Less(c.pushed) && c.pushed.LessEq(end) && (end == c.writeSeq || end == c.pushed) ||
		end.Diff(c.lastPush) > int(c.maxWnd/2) && !c.is(sndUrgent) || s.segs > 1 {
		s.flags |= hasPSH
		c.lastPush = maxSeq(c.lastPush, end)
	}
}

// emit puts a segment of the retransmission queue on its way.
func (c *Conn) emit(s *sent) {
	if s.is(hasSYN) {
		c.emitSYN()
		return
	}
	n := s.data()
	g := c.next()
	g.Seq, g.Flags = s.seq, ACK
	if n > 0 {
		c.gather(&g.Payload, s.seq, n)
		if n > int(s.size) {
			g.GSO = int(s.size)
		}
		if s.is(hasPSH) {
			g.Flags |= PSH
		}
		c.bytesSent += uint64(n)
		c.dataSegsOut += uint32(s.segs)
		c.markECN(g, s)
		c.dataSent()
	}
	if s.is(hasFIN) {
		g.Flags |= FIN
	}
	c.finish(g)
}

// next gives the next place in the host's list.
func (c *Conn) next() *Segment {
	g := c.h.next()
	g.Conn = c
	return g
}

func (h *Host) next() *Segment {
	h.Out = append(h.Out, Segment{})
	return &h.Out[len(h.Out)-1]
}

// finish fills in what all segments have: the acknowledgement, the window, the options.
func (c *Conn) finish(g *Segment) {
	g.Ack = c.rcvNxt
	c.putOptions(&g.Options)
	g.Window = c.putWindow()
	if c.is(sndUrgent) && g.Seq.Less(c.sndUp) {
		if d := c.sndUp.Diff(g.Seq); d < 0x10000 { // RFC 6093: the pointer is to what follows
			g.Urgent, g.Flags = uint16(d), g.Flags|URG
		} else if c.sndNxt.Less(g.Seq.Add(0xffff)) {
			g.Urgent, g.Flags = 0xffff, g.Flags|URG
		}
	}
	if c.is(useECN) && c.is(ecnEcho) {
		g.Flags |= ECE
	}
	c.count(g)
	c.ackSent()
}

func (c *Conn) count(g *Segment) {
	c.h.OutSegs += uint64(g.Parts())
	c.segsOut += uint32(g.Parts())
	c.ackSentAt = c.h.now
}

// dataSent notes an answer: data that follows soon on the peer's makes the connection interactive.
func (c *Conn) dataSent() {
	c.sentAt = c.h.now
	if c.rcvdAt != 0 && c.h.now-c.rcvdAt < c.ato && c.pingpong < 255 {
		c.pingpong++
	}
}

// sendACK sends a segment without data.
func (c *Conn) sendACK() {
	g := c.next()
	g.Seq, g.Flags = c.ackSeq(), ACK
	c.finish(g)
}

// ackSeq is the sequence number of segments without data: within the peer's window, even if that
// has shrunk (RFC 9293 section 3.8.6).
func (c *Conn) ackSeq() Seq {
	if end := c.wndEnd(); !c.sndNxt.LessEq(end) && c.in(synchronized) {
		if d := c.sndNxt.Diff(end); c.sndShift > 0 && d < 1<<c.sndShift {
			return c.sndNxt
		}
		return end
	}
	return c.sndNxt
}

// sendReset sends a RST for a connection that we give up.
func (c *Conn) sendReset() {
	g := c.next()
	g.Seq, g.Flags = c.ackSeq(), RST|ACK
	g.Ack = c.rcvNxt
	c.putOptions(&g.Options)
	g.Window = c.putWindow()
	c.h.OutRsts++
	c.count(g)
}

// reset answers a segment that belongs to no connection (RFC 9293 section 3.10.7.1).
func (h *Host) reset(s *Segment) {
	if s.Flags&RST != 0 {
		return
	}
	g := h.next()
	if s.Flags&ACK != 0 {
		g.Seq, g.Flags = s.Ack, RST
	} else {
		g.Ack, g.Flags = s.End(), RST|ACK
	}
	h.OutRsts++
	h.OutSegs++
}

// Reset answers a segment that belongs to no connection, and drops it.
func (h *Host) Reset(now Time, s *Segment) {
	h.at(now)
	h.InSegs += uint64(s.Parts())
	h.reset(s)
	s.Payload.Release()
}

// emitSYN sends the SYN, or the SYN-ACK.
func (c *Conn) emitSYN() {
	g := c.next()
	g.Seq, g.Flags = c.iss, SYN
	c.putSYNOptions(&g.Options)
	// The window of a SYN is not scaled (RFC 7323 section 2.2).
	g.Window = uint16(min(c.rcvWnd, 65535))
	if c.state != SynSent {
		g.Flags |= ACK
		g.Ack = c.rcvNxt
		c.rcvWup = c.rcvNxt
		if c.is(useECN) {
			g.Flags |= ECE
		}
	} else {
		if c.is(useECN) && c.retransmits == 0 {
			g.Flags |= ECE | CWR
		}
		c.putFastOpen(g)
	}
	c.count(g)
}

// markECN makes a first transmission ECN-capable, and tells the peer that its echo was heeded
// (RFC 3168 sections 6.1.2 and 6.1.5: never on retransmissions).
func (c *Conn) markECN(g *Segment, s *sent) {
	if !c.is(useECN) || s.is(everRetrans) {
		return
	}
	g.ECN = wire.ECT0
	if c.is(ecnCWR) {
		c.flags &^= ecnCWR
		g.Flags |= CWR
	}
}
