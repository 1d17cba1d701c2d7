package tcp

import "sockeye/wire"

// A TimeWait is what remains of a connection that waits for old segments to die (RFC 9293 section
// 3.6.1), or, in FIN-WAIT-2, for the FIN of a peer whose user-side is gone. The host keeps it in place of
// the Conn, under the same flow.
type TimeWait struct {
	State    State // InTimeWait or FinWait2
	Deadline Time  // when to forget it

	rcvNxt Seq
	sndNxt Seq
	rcvWnd uint32
	shift  uint8
	useTS  bool
	oowAt  Time
	timestamps
}

// timeWait ends the Conn and leaves a TimeWait in its place.
func (c *Conn) timeWait(s State, d Time) {
	tw := TimeWait{
		State: s, rcvNxt: c.rcvNxt, sndNxt: c.sndNxt, rcvWnd: c.offered(), shift: c.rcvShift,
		useTS: c.is(useTS), timestamps: c.timestamps,
	}
	if s == FinWait2 {
		d = max(d, c.rto<<2-c.rto>>1) // three and a half timeouts: the peer may have to repeat its FIN
	}
	tw.Deadline = c.h.now + d
	c.h.TW++
	if c.aside == nil {
		c.aside = new(aside)
	}
	c.aside.timeWait = &tw
	c.done()
	c.events |= EventTimeWait
}

// TimeWait gives what waits on after EventTimeWait, once.
func (c *Conn) TimeWait() (tw TimeWait, ok bool) {
	if c.aside == nil || c.aside.timeWait == nil {
		return tw, false
	}
	tw, c.aside = *c.aside.timeWait, nil
	return tw, true
}

// A TimeWaitVerdict says what the host is to do after TimeWait.Input.
type TimeWaitVerdict uint8

// The verdicts.
const (
	Keep   TimeWaitVerdict = iota // the TimeWait goes on; its Deadline may have changed
	Forget                        // it is over
	Reuse                         // over, and the segment, untouched, is a SYN for a new connection
)

// Input takes a segment of the flow (RFC 9293 section 3.10.7.4, as Linux's tcp_timewait_state_process
// has it). For Reuse, next is where the new connection's sequence numbers must begin.
func (tw *TimeWait) Input(h *Host, now Time, s *Segment) (v TimeWaitVerdict, next Seq) {
	h.at(now)
	v = tw.input(h, s)
	if v == Reuse {
		if next = tw.sndNxt + 65535 + 2; next == 0 {
			next = 1
		}
		return v, next
	}
	h.InSegs += uint64(s.Parts())
	s.Payload.Release()
	return v, 0
}

func (tw *TimeWait) input(h *Host, s *Segment) TimeWaitVerdict {
	hasTS := tw.useTS && s.Options.Has(wire.OptTimestamps)
	old := hasTS && tw.olderThan(s.Options.TSVal, h.now)
	if tw.State == FinWait2 {
		return tw.inputFinWait2(h, s, hasTS, old)
	}
	// An exact RST, or a bare ACK in order.
	if !old && s.Seq == tw.rcvNxt && (s.End() == s.Seq || s.Flags&RST != 0) {
		if s.Flags&RST != 0 {
			if !h.RFC1337 { // RFC 1337: TIME-WAIT assassination
				return Forget
			}
		} else {
			tw.restart(h)
		}
		tw.store(h, s, hasTS)
		return Keep
	}
	// RFC 9293 section 3.10.7.4 (TIME-WAIT): a SYN that is clearly newer opens a new connection.
	newer := tw.rcvNxt.Less(s.Seq) || hasTS && int32(s.Options.TSVal-tw.tsRecent) > 0
	if s.Flags&(SYN|RST|ACK) == SYN && !old && newer {
		h.TWRecycled++
		return Reuse
	}
	if old {
		h.PAWSEstab++
	}
	if s.Flags&RST == 0 {
		if old || s.Flags&ACK != 0 { // a FIN again: the ACK was lost
			tw.restart(h)
		}
		tw.answer(h, s)
	}
	return Keep
}

// inputFinWait2 takes the peer's FIN; data that nobody can read any more is reset.
func (tw *TimeWait) inputFinWait2(h *Host, s *Segment, hasTS, old bool) TimeWaitVerdict {
	right := tw.rcvNxt.Add(int(tw.rcvWnd))
	if old || s.End().Less(tw.rcvNxt) || right.Less(s.Seq) {
		if s.Flags&RST == 0 {
			tw.answer(h, s)
		}
		return Keep
	}
	switch {
	case s.Flags&RST != 0:
		return Forget
	case s.Flags&SYN != 0 && !s.Seq.Less(tw.rcvNxt):
		h.reset(s)
		return Forget
	case s.Flags&ACK == 0 || !tw.rcvNxt.Less(s.End()) || s.End() == s.Seq:
		return Keep
	case s.Flags&FIN == 0 || s.End() != tw.rcvNxt+1:
		h.TCPAbortOnData++
		h.reset(s)
		return Forget
	}
	tw.State, tw.rcvNxt = InTimeWait, s.End()
	tw.store(h, s, hasTS)
	tw.restart(h)
	tw.ack(h)
	return Keep
}

func (tw *TimeWait) restart(h *Host) { tw.Deadline = h.now + h.TimeWait }

func (tw *TimeWait) store(h *Host, s *Segment, hasTS bool) {
	if hasTS {
		tw.tsRecent, tw.tsSeen = s.Options.TSVal, h.now
	}
}

// answer acknowledges what came, not too often.
func (tw *TimeWait) answer(h *Host, s *Segment) {
	if bare := s.Len() == 0 || s.Flags&SYN != 0; bare && tw.oowAt != 0 && h.now-tw.oowAt < h.InvalidRatelimit {
		if tw.State == FinWait2 {
			h.TCPACKSkippedFinWait2++
		} else {
			h.TCPACKSkippedTimeWait++
		}
		return
	}
	tw.oowAt = h.now
	tw.ack(h)
}

func (tw *TimeWait) ack(h *Host) {
	g := h.next()
	g.Seq, g.Ack, g.Flags = tw.sndNxt, tw.rcvNxt, ACK
	g.Window = uint16(tw.rcvWnd >> tw.shift)
	if tw.useTS {
		g.Options.Set, g.Options.TSVal, g.Options.TSEcr = wire.OptTimestamps, h.tick()+tw.tsOffset, tw.tsRecent
	}
	h.OutSegs++
}

// MayConnect tells whether an active open may take over the flow: timestamps tell its segments from the
// old ones, a second later if the host chose the port (tcp_tw_reuse), and at once from a port that the
// program bound. It gives where its sequence numbers must begin.
func (tw *TimeWait) MayConnect(h *Host, now Time, loopback, bound bool) (iss Seq, ok bool) {
	reuse := (h.TWReuse == 1 || h.TWReuse == 2 && loopback) && tw.State == InTimeWait && now-tw.tsSeen > Second
	if !tw.useTS || !bound && !reuse {
		return 0, false
	}
	return tw.sndNxt + 65535 + 2, true
}
