package tcp

import "syscall"

// A timerKind says what the retransmission timer is for: only one at a time.
type timerKind uint8

const (
	timerNone    timerKind = iota
	timerRTO               // RFC 6298
	timerReorder           // RACK's reordering window
	timerProbe             // tail loss probe
	timerWindow            // zero window probe
)

// timers are the connection's three timers and the times they look at.
type timers struct {
	timerAt   Time
	delackAt  Time
	keepAt    Time // keepalive; FIN-WAIT-2 of an orphan
	sentAt    Time // data last went out
	ackSentAt Time
	ackRcvdAt Time
	probeAt   Time // since when the window has been shut
}

const timeoutMin = 2 * Millisecond // Linux's TCP_TIMEOUT_MIN: two ticks

func (c *Conn) setTimer(k timerKind, d Time) {
	c.timer, c.timerAt = k, c.h.now+max(d, 1)
}

// Deadline is when Timeout must be called; zero: never.
func (c *Conn) Deadline() Time {
	return earliest(earliest(c.timerAt, c.delackAt), c.keepAt)
}

func earliest(a, b Time) Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Timeout does what is due at now. It may be called early, and does nothing then.
func (c *Conn) Timeout(now Time) {
	c.h.at(now)
	if c.delackAt != 0 && c.delackAt <= now {
		c.delackTimeout()
	}
	if c.timerAt != 0 && c.timerAt <= now {
		c.timerAt = 0
		switch c.timer {
		case timerRTO:
			c.timer = timerNone
			c.retransmitTimeout()
		case timerWindow:
			c.timer = timerNone
			c.windowTimeout()
		case timerReorder:
			c.reorderTimeout()
		case timerProbe:
			c.sendLossProbe()
		}
	}
	if c.keepAt != 0 && c.keepAt <= now {
		c.keepAt = 0
		c.keepTimeout()
	}
}

// armRTO starts the retransmission timer, or stops it when nothing is out (RFC 6298 section 5).
func (c *Conn) armRTO() {
	if c.rtx.len() == 0 {
		if c.timer != timerWindow {
			c.timer, c.timerAt = timerNone, 0
		}
		return
	}
	wait := c.rto
	if c.timer == timerReorder || c.timer == timerProbe { // it has run since the head was sent
		wait = max(c.rtx.at(0).at+c.rto-c.h.now, Microsecond)
	}
	c.setTimer(timerRTO, wait)
}

func (c *Conn) armAfterAck() {
	if !c.setLossProbe(true) {
		c.armRTO()
	}
}

// retransmitTimeout is RFC 6298 sections 5.4 to 5.7, and giving up (RFC 9293 section 3.8.3).
func (c *Conn) retransmitTimeout() {
	if c.rtx.len() == 0 {
		return
	}
	h := c.h
	if c.sndWnd == 0 && !c.is(orphaned) && c.state != SynSent && c.state != SynReceived {
		// The window was shut on data in flight: as long as the peer answers, go on asking.
		if h.now-c.ackRcvdAt > h.RTOMax {
			c.timeOut()
			return
		}
		c.enterLoss()
		c.retransmit(0)
	} else {
		if c.giveUp() {
			return
		}
		h.TCPTimeouts++
		if c.retransmits == 0 {
			switch c.caState {
			case caRecovery:
				if c.is(useSACK) {
					h.TCPSackFailures++
				} else {
					h.TCPRenoFailures++
				}
			case caLoss:
				h.TCPLossFailures++
			}
		}
		c.enterLoss()
		c.retransmits++
		c.totalRTO++
		c.retransmit(0)
	}
	if c.state != SynSent || int(c.totalRTO) > h.SYNLinearTimeouts {
		c.backOff()
	}
	c.setTimer(timerRTO, c.clampToUserTimeout(c.rto))
}

// clampToUserTimeout lets the timer fire when the user's patience ends (TCP_USER_TIMEOUT).
func (c *Conn) clampToUserTimeout(d Time) Time {
	if c.cfg.UserTimeout == 0 || c.retransAt == 0 {
		return d
	}
	left := c.cfg.UserTimeout.Time() - (c.h.now - c.retransAt)
	return min(d, max(left, Millisecond))
}

// giveUp ends the connection when it was tried long enough.
func (c *Conn) giveUp() bool {
	h := c.h
	expired := false
	switch c.state {
	case SynSent, SynReceived:
		most := h.SYNRetries
		if c.state == SynReceived {
			most = h.SYNACKRetries
		}
		if c.cfg.SYNCount != 0 && c.state == SynSent {
			most = int(c.cfg.SYNCount)
		}
		if c.state == SynSent {
			most += h.SYNLinearTimeouts
		}
		expired = int(c.retransmits) >= most || c.cfg.UserTimeout != 0 && c.timedOut(most, c.cfg.UserTimeout.Time())
	default:
		if c.timedOut(h.Retries1, 0) {
			c.suspectBlackHole()
		}
		most := h.Retries2
		if c.is(orphaned) {
			most = h.orphanRetries(c.rto < h.RTOMax)
		}
		expired = c.timedOut(most, c.cfg.UserTimeout.Time())
	}
	if expired {
		c.timeOut()
	}
	return expired
}

func (h *Host) orphanRetries(alive bool) int {
	if h.OrphanRetries == 0 && alive {
		return 8
	}
	return h.OrphanRetries
}

// timeOut ends the connection with what ICMP said was the reason, or ETIMEDOUT.
func (c *Conn) timeOut() {
	c.h.TCPAbortOnTimeout++
	if c.state == SynSent || c.state == SynReceived {
		c.h.AttemptFails++
	}
	if c.soft != 0 {
		c.fail(syscall.Errno(c.soft))
		return
	}
	c.fail(syscall.ETIMEDOUT)
}

// Zero window probes (RFC 9293 section 3.8.6.1).

// armProbe starts probing when there is something to send, nothing in flight whose ACK could
// open the window, and no other timer.
func (c *Conn) armProbe() {
	if c.rtx.len() == 0 && c.timer == timerNone && c.hasUnsent() && c.in(canSend) {
		c.setTimer(timerWindow, max(c.rto, c.h.RTOMin))
	}
}

func (c *Conn) probeWait() Time {
	d := max(c.rto, c.h.RTOMin)
	if c.backoff < 30 {
		d = min(d<<c.backoff, c.h.RTOMax)
	} else {
		d = c.h.RTOMax
	}
	return d
}

// windowOpened is called for an ACK with nothing in flight.
func (c *Conn) windowOpened() {
	if !c.hasUnsent() {
		return
	}
	if n := min(c.unsent(), c.sendMSS()); c.sndNxt.Add(n).LessEq(c.wndEnd()) {
		c.backoff, c.probeAt = 0, 0
		if c.timer == timerWindow {
			c.timer, c.timerAt = timerNone, 0
		}
		return
	}
	c.setTimer(timerWindow, c.clampProbe(c.probeWait()))
}

func (c *Conn) clampProbe(d Time) Time {
	if c.cfg.UserTimeout == 0 || c.probeAt == 0 {
		return d
	}
	return min(d, max(c.cfg.UserTimeout.Time()-(c.h.now-c.probeAt), Millisecond))
}

func (c *Conn) windowTimeout() {
	h := c.h
	if c.rtx.len() > 0 || !c.hasUnsent() || !c.in(canSend) {
		c.probes, c.probeAt = 0, 0
		return
	}
	if c.probeAt == 0 {
		c.probeAt = h.now
	} else if c.cfg.UserTimeout != 0 && h.now-c.probeAt >= c.cfg.UserTimeout.Time() {
		c.timeOut()
		return
	}
	most := h.Retries2
	if c.is(orphaned) {
		alive := c.probeWait() < h.RTOMax
		most = h.orphanRetries(alive)
		if !alive && int(c.backoff) >= most {
			c.timeOut()
			return
		}
	}
	if int(c.probes) >= most {
		c.timeOut()
		return
	}
	c.sendWindowProbe()
	if c.rtx.len() > 0 || !c.hasUnsent() {
		c.probes, c.backoff = 0, 0
		return
	}
	c.probes++
	if int(c.backoff) < h.Retries2 {
		c.backoff++
	}
	c.setTimer(timerWindow, c.clampProbe(c.probeWait()))
}

// sendWindowProbe sends what little the window lets through; else a segment just below it, which the
// peer must answer.
func (c *Conn) sendWindowProbe() {
	if n := min(c.wndEnd().Diff(c.sndNxt), c.unsent()); n > 0 {
		mss := c.sendMSS()
		n = min(n, mss)
		c.pushed = c.sndNxt.Add(n)
		c.sendNew(n, c.is(finQueued) && n == c.unsent() && n < c.wndEnd().Diff(c.sndNxt), mss)
		return
	}
	if c.is(sndUrgent) && c.sndUna.Less(c.sndUp) {
		c.sendProbe(c.sndUna)
	}
	c.h.TCPWinProbe++
	c.sendProbe(c.sndUna - 1)
}

func (c *Conn) sendProbe(seq Seq) {
	g := c.next()
	g.Seq, g.Flags = seq, ACK
	c.finish(g)
}

// Keepalive (RFC 9293 section 3.8.4).

// SetKeepAlive is SO_KEEPALIVE.
func (c *Conn) SetKeepAlive(now Time, on bool) {
	c.h.at(now)
	was := c.cfg.KeepAlive
	c.cfg.KeepAlive = on
	switch {
	case c.in(states(Closed, Listen, SynSent)) || c.is(orphaned):
	case on && !was:
		c.keepAt = now + c.keepIdle()
	case !on:
		c.keepAt = 0
	}
}

// SetKeepIdle is TCP_KEEPIDLE.
func (c *Conn) SetKeepIdle(now Time, d Seconds) {
	c.h.at(now)
	c.cfg.KeepIdle = d
	if c.cfg.KeepAlive && !c.in(states(Closed, Listen, SynSent)) && !c.is(orphaned) {
		c.keepAt = now + max(c.keepIdle()-c.quiet(), 1)
	}
}

func (c *Conn) keepIdle() Time {
	if c.cfg.KeepIdle != 0 {
		return c.cfg.KeepIdle.Time()
	}
	return c.h.KeepIdle
}

// quiet is how long nothing came from the peer.
func (c *Conn) quiet() Time { return c.h.now - max(c.rcvdAt, c.ackRcvdAt) }

func (c *Conn) keepTimeout() {
	h := c.h
	if c.is(orphaned) && c.state == FinWait2 { // TCP_LINGER2 beyond TIME-WAIT's length
		if c.cfg.Linger2 >= 0 {
			if left := c.finTimeout() - h.TimeWait; left > 0 {
				c.timeWait(FinWait2, left)
				return
			}
		}
		c.sendReset()
		c.done()
		return
	}
	if !c.cfg.KeepAlive || c.in(states(Closed, SynSent, SynReceived, Listen)) {
		return
	}
	idle := c.keepIdle()
	if c.rtx.len() > 0 || c.hasUnsent() { // it is alive without
		c.keepAt = h.now + idle
		return
	}
	quiet := c.quiet()
	if quiet < idle {
		c.keepAt = h.now + idle - quiet
		return
	}
	most, interval := h.KeepCount, h.KeepInterval
	if c.cfg.KeepCount != 0 {
		most = int(c.cfg.KeepCount)
	}
	if c.cfg.KeepInterval != 0 {
		interval = c.cfg.KeepInterval.Time()
	}
	if c.cfg.UserTimeout != 0 && quiet >= c.cfg.UserTimeout.Time() && c.probes > 0 ||
		c.cfg.UserTimeout == 0 && int(c.probes) >= most {
		c.sendReset()
		c.timeOut()
		return
	}
	h.TCPKeepAlive++
	c.sendProbe(c.sndUna - 1)
	c.probes++
	c.keepAt = h.now + interval
}
