package tcp

import "sockeye/wire"

// A Request is a connection in SYN-RECEIVED that a peer opened, in the few bytes that a SYN queue
// can spare for it. The host keeps it in the queue of a listening socket and gives it the segments of its
// flow; when the handshake is done it gives a Conn.
type Request struct {
	irs, iss  Seq
	tsRecent  uint32
	tsOffset  uint32
	timeout   Time // current RTO
	deadline  Time
	sentAt    Time
	window    uint32
	oowAt     Time
	mss       uint16
	shift     uint8 // of the peer's windows
	rcvShift  uint8
	resent    uint8
	acked     bool // the handshake is done for the peer, and TCP_DEFER_ACCEPT waits for data
	flags     connFlags
	cookieExp bool
	cookie    Cookie // Fast Open: to go with the SYN-ACK
}

// A Verdict says what the host is to do after Request.Input.
type Verdict uint8

// The verdicts.
const (
	Wait      Verdict = iota // nothing
	Complete                 // the handshake is done: call Accept with the same segment
	Abandoned                // drop the request; the peer reset it or went wrong
)

// NewRequest takes a SYN for a listening socket whose queue has room. It is called for a segment with
// SYN and without ACK and RST: Host.Reset answers an ACK, a RST is dropped (RFC 9293 section
// 3.10.7.2). The caller sends Request.SYNACK, and releases the payload.
func (h *Host) NewRequest(now Time, cfg *Config, syn *Segment, iss Seq, tsOffset uint32) Request {
	h.at(now)
	h.InSegs++
	c := &h.syn
	c.init(h, cfg)
	c.takeSYNOptions(syn)
	c.answerWindow()
	return h.request(c, syn, iss, tsOffset)
}

// answerWindow chooses the window again when it is known whether timestamps take from the MSS.
func (c *Conn) answerWindow() {
	mss := uint32(c.advMSS())
	if c.is(useTS) {
		mss -= timestampsLen
	}
	c.initWindow(mss)
}

func (h *Host) request(c *Conn, syn *Segment, iss Seq, tsOffset uint32) Request {
	r := Request{
		irs: syn.Seq, iss: iss, tsRecent: c.tsRecent, tsOffset: tsOffset, timeout: initialRTO,
		window: c.rcvWnd, mss: c.peerMSS, shift: c.sndShift, rcvShift: c.rcvShift,
		flags: c.flags & (useTS | useSACK | useScaling),
	}
	// RFC 3168 section 6.1.1: a SYN with both asks. RFC 3168 section 6.1.1 forbids ECT on it.
	if h.ECN > 0 && syn.Flags&(ECE|CWR) == ECE|CWR && syn.ECN == wire.NotECT {
		r.flags |= useECN
	}
	return r
}

// SYNACK sends the SYN-ACK, first or again, and sets the timer.
func (r *Request) SYNACK(h *Host, now Time, cfg *Config) {
	h.at(now)
	r.send(h, cfg)
	if r.sentAt == 0 {
		r.sentAt = now
	}
	r.deadline = now + r.timeout
}

func (r *Request) send(h *Host, cfg *Config) {
	c := Conn{h: h, cfg: *cfg, flags: r.flags, rcvShift: r.rcvShift}
	if c.cfg.IPHeader == 0 {
		c.cfg.IPHeader = 20
	}
	c.tsOffset, c.tsRecent = r.tsOffset, r.tsRecent
	g := h.next()
	g.Seq, g.Ack, g.Flags = r.iss, r.irs+1, SYN|ACK
	g.Window = uint16(min(r.window, 65535))
	c.putSYNOptions(&g.Options)
	if r.flags&useECN != 0 {
		g.Flags |= ECE
	}
	if r.cookie.Len > 0 && r.resent == 0 {
		g.Options.Set |= wire.OptFastOpen
		if r.cookieExp {
			g.Options.Set ^= wire.OptFastOpen | wire.OptFastOpenExp
		}
		g.Options.CookieLen, g.Options.Cookie = r.cookie.Len, r.cookie.B
	}
	h.OutSegs++
}

// Deadline is when Timeout must be called.
func (r *Request) Deadline() Time { return r.deadline }

// Timeout sends the SYN-ACK again, or gives up after tcp_synack_retries.
func (r *Request) Timeout(h *Host, now Time, cfg *Config) Verdict {
	if r.deadline == 0 || now < r.deadline {
		return Wait
	}
	if int(r.resent) >= h.SYNACKRetries && !(r.acked && r.resent < cfg.DeferAccept) {
		h.AttemptFails++
		return Abandoned
	}
	r.resent++
	if r.acked && r.resent < cfg.DeferAccept { // not before the end, for a last chance
		r.timeout = min(2*r.timeout, h.RTOMax)
		r.deadline = now + r.timeout
		return Wait
	}
	h.RetransSegs++
	h.TCPSynRetrans++
	r.timeout = min(2*r.timeout, h.RTOMax)
	r.SYNACK(h, now, cfg)
	return Wait
}

// Input takes a segment of the flow (Linux's tcp_check_req). At Complete the segment is untouched, for
// Accept; otherwise its payload is released.
func (r *Request) Input(h *Host, now Time, cfg *Config, s *Segment) Verdict {
	v := r.input(h, now, cfg, s)
	if v != Complete {
		h.InSegs += uint64(s.Parts())
		s.Payload.Release()
	}
	return v
}

func (r *Request) input(h *Host, now Time, cfg *Config, s *Segment) Verdict {
	h.at(now)
	ts := timestamps{tsRecent: r.tsRecent, tsSeen: now}
	old := r.flags&useTS != 0 && s.Options.Has(wire.OptTimestamps) && ts.olderThan(s.Options.TSVal, now)
	// The SYN once more: answer once more (RFC 9293 section 3.10.7.4 would say ACK).
	if s.Seq == r.irs && s.Flags&(SYN|RST|ACK) == SYN && !old {
		if !r.limited(h, s) {
			r.send(h, cfg)
			h.TCPSynRetrans++
			r.deadline = now + r.timeout
		}
		return Wait
	}
	// A segment that echoes what we never sent is not of this handshake.
	if ecr := s.Options.TSEcr; r.flags&useTS != 0 && s.Options.Has(wire.OptTimestamps) && ecr != 0 && s.Flags&RST == 0 {
		first := uint32(r.sentAt/Millisecond) + r.tsOffset
		if ecr-first > h.tick()+r.tsOffset-first {
			h.TSEcrRejected++
			if !r.limited(h, s) {
				r.ack(h)
			}
			return Wait
		}
	}
	// First the ACK of a connection that never was: reset, whatever else.
	if s.Flags&(ACK|RST|SYN) == ACK && s.Ack != r.iss+1 {
		h.reset(s)
		return Wait
	}
	right := r.irs.Add(1 + int(r.window))
	if old || !r.irs.Less(s.End()) && s.End() != s.Seq || s.Seq.Less(r.irs+1) && s.End() == s.Seq || right.Less(s.Seq) {
		if s.Flags&RST == 0 && !r.limited(h, s) {
			r.ack(h)
		}
		if old {
			h.PAWSEstab++
		}
		return Wait
	}
	switch {
	case s.Flags&RST != 0:
		if s.Seq != r.irs+1 { // RFC 5961 section 3.2
			r.ack(h)
			h.TCPChallengeACK++
			return Wait
		}
		h.AttemptFails++
		h.EmbryonicRsts++
		return Abandoned
	case s.Flags&SYN != 0:
		r.ack(h) // RFC 5961 section 4.2
		h.TCPSYNChallenge++
		return Wait
	case s.Flags&ACK == 0:
		return Wait
	}
	if r.resent < cfg.DeferAccept && s.End() == r.irs+1 {
		r.acked = true
		return Wait
	}
	return Complete
}

// DeferTimeouts is how many timeouts of a SYN-ACK fill so many seconds, rounded up: what
// TCP_DEFER_ACCEPT counts in.
func (h *Host) DeferTimeouts(seconds int) (n uint8) {
	wait, total := Time(initialRTO), Time(initialRTO)
	if seconds <= 0 {
		return 0
	}
	for n = 1; total < Time(seconds)*Second && n < 255; n++ {
		wait = min(2*wait, h.RTOMax)
		total += wait
	}
	return n
}

// DeferSeconds is how long so many timeouts take: TCP_DEFER_ACCEPT as getsockopt gives it.
func (h *Host) DeferSeconds(n uint8) int {
	wait, total := Time(initialRTO), Time(0)
	for ; n > 0; n-- {
		total += wait
		wait = min(2*wait, h.RTOMax)
	}
	return int(total / Second)
}

func (r *Request) limited(h *Host, s *Segment) bool {
	if r.oowAt != 0 && h.now-r.oowAt < h.InvalidRatelimit && s.Flags&SYN != 0 {
		h.TCPACKSkippedSynRecv++
		return true
	}
	r.oowAt = h.now
	return false
}

func (r *Request) ack(h *Host) {
	g := h.next()
	g.Seq, g.Ack, g.Flags = r.iss+1, r.irs+1, ACK
	g.Window = uint16(r.window >> r.rcvShift)
	if r.flags&useTS != 0 {
		g.Options.Set, g.Options.TSEcr = wire.OptTimestamps, r.tsRecent
		g.Options.TSVal = h.tick() + r.tsOffset
	}
	h.OutSegs++
}

// Accept makes the connection of a request that is complete, and takes the segment that completed it.
func (r *Request) Accept(h *Host, now Time, cfg *Config, s *Segment) *Conn {
	h.at(now)
	c := r.conn(h, cfg)
	c.state = SynReceived
	if r.resent == 0 { // Karn's rule
		c.rtx.at(0).at = r.sentAt
	} else {
		c.rtx.at(0).flags |= everRetrans
	}
	h.PassiveOpens++
	c.Input(now, s)
	return c
}

// conn is the connection in SYN-RECEIVED with its SYN-ACK in flight.
func (r *Request) conn(h *Host, cfg *Config) *Conn {
	c := h.newConn(cfg)
	c.flags = c.flags&^(useTS|useSACK|useScaling) | r.flags | passive
	c.start(r.iss, r.tsOffset)
	c.tsRecent = r.tsRecent
	if c.is(useTS) {
		c.tsSeen = h.now
	}
	c.sndShift, c.rcvShift, c.peerMSS = r.shift, r.rcvShift, r.mss
	if !c.is(useScaling) {
		c.cfg.WindowClamp = min(c.cfg.WindowClamp, 65535)
	}
	c.rcvNxt, c.rcvWup, c.copied = r.irs+1, r.irs+1, r.irs+1
	c.rcvWnd, c.rcvTrust = r.window, r.window
	c.sndWl1 = r.irs
	c.syncMSS()
	c.initRcvMSS()
	c.rtx.push(sent{seq: r.iss, end: r.iss + 1, at: h.now, segs: 1, size: c.mss, flags: hasSYN}, &sentPools)
	c.sndNxt, c.packetsOut = r.iss+1, 1
	return c
}

// Overflow answers a SYN that the queue has no room for: not at all, so that the peer tries again, or
// with RST under tcp_abort_on_overflow.
func (h *Host) Overflow(now Time, s *Segment, abort bool) {
	h.at(now)
	h.InSegs += uint64(s.Parts())
	if abort {
		h.reset(s)
	}
	s.Payload.Release()
}
