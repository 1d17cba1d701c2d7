package tcp

import "math/bits"

// recvWindow is what we offer the peer and why.
type recvWindow struct {
	rcvWnd   uint32 // as last sent, counted from rcvWup
	rcvTrust uint32 // how much of the buffer is offered; grows as data comes (Linux's rcv_ssthresh)

	// Dynamic right-sizing: what the user takes in a round trip, and the round trip as a
	// receiver sees it.
	spaceAt  Time
	space    uint32
	spaceSeq Seq
	rcvRTT   Time
	rttAt    Time
}

// queued is what the receive buffer holds.
func (c *Conn) queued() int {
	n := c.rcvNxt.Diff(c.copied)
	if c.is(finReceived) {
		n--
	}
	if c.ooo != nil {
		n += c.ooo.bytes
	}
	return max(n, 0)
}

// windowOf is the part of a buffer that is offered; the rest is for overhead.
func windowOf(buf int32) uint32 { return uint32(buf) / 2 }

// offered is how much of the offered window is left.
func (c *Conn) offered() uint32 {
	return uint32(max(c.rcvWup.Add(int(c.rcvWnd)).Diff(c.rcvNxt), 0))
}

// initWindow sets the window of the SYN and the scale of those that follow, as
// tcp_select_initial_window does: a multiple of the MSS, at most 65535.
func (c *Conn) initWindow(mss uint32) {
	space := windowOf(c.cfg.RcvBuf)
	if c.cfg.WindowClamp == 0 {
		c.cfg.WindowClamp = space
	}
	space = min(space, c.cfg.WindowClamp)
	if space > mss {
		space -= space % mss
	}
	c.rcvWnd = min(space, 65535)
	if c.is(useScaling) {
		most := max(space, uint32(c.h.RcvBufMax))
		if c.is(userRcvBuf) {
			most = space
		}
		most = min(most, max(c.cfg.WindowClamp, uint32(c.h.RcvBufMax)))
		c.rcvShift = uint8(min(max(bits.Len32(most)-16, 0), maxScale))
	}
	c.rcvTrust = c.rcvWnd
}

// selectWindow is the window to offer now: RFC 9293 section 3.8.6.2.2, receiver's silly window
// avoidance, as Linux's __tcp_select_window does it.
func (c *Conn) selectWindow() uint32 {
	mss := uint32(c.rcvMSS)
	allowed := windowOf(c.cfg.RcvBuf)
	full := min(c.cfg.WindowClamp, allowed)
	free := uint32(max(int(allowed)-c.queued(), 0))
	if mss = min(mss, full); mss == 0 {
		return 0
	}
	if free < full/2 {
		c.quick = 0
		free = free >> c.rcvShift << c.rcvShift
		if free < allowed/16 || free < mss {
			return 0
		}
	}
	free = min(free, c.rcvTrust)
	if c.rcvShift > 0 {
		return alignUp(free, c.rcvShift)
	}
	w := c.rcvWnd
	switch {
	case int64(w) <= int64(free)-int64(mss) || w > free:
		w = free - free%mss
	case mss == full && free > w+full/2:
		w = free
	}
	return w
}

func alignUp(n uint32, shift uint8) uint32 {
	unit := uint32(1)<<shift - 1
	return (n + unit) &^ unit
}

// putWindow chooses the window of a segment that is going out. An offer is never taken back
// (RFC 9293 section 3.8.6).
func (c *Conn) putWindow() uint16 {
	was := c.rcvWnd
	left := c.offered()
	w := c.selectWindow()
	if w < left {
		if w == 0 {
			c.h.TCPWantZeroWindowAdv++
		}
		w = alignUp(left, c.rcvShift)
	}
	if c.rcvShift == 0 {
		w = min(w, 65535)
	} else {
		w = min(w, 65535<<c.rcvShift)
	}
	c.rcvWnd, c.rcvWup = w, c.rcvNxt
	switch {
	case w == 0 && was != 0:
		c.h.TCPToZeroWindowAdv++
	case w != 0 && was == 0:
		c.h.TCPFromZeroWindowAdv++
	}
	return uint16(w >> c.rcvShift)
}

// growTrust opens the window as data comes in: two segments for each, as slow start does at
// the other end.
func (c *Conn) growTrust(n int) {
	most := min(c.cfg.WindowClamp, windowOf(c.cfg.RcvBuf))
	if free := uint32(max(int(windowOf(c.cfg.RcvBuf))-c.queued(), 0)); free < most {
		most = free
	}
	if c.rcvTrust < most {
		c.quick |= 1
		c.rcvTrust += min(most-c.rcvTrust, max(2*uint32(c.advMSS()), 2*uint32(n)))
	}
}

// measureRcvRTT tells how long a round trip takes for one who only receives: by the
// peer's echo of our timestamps, or the time that a window of data takes.
func (c *Conn) measureRcvRTT(s *Segment) {
	now := c.h.now
	if c.hasTS(s) && s.Options.TSEcr != 0 {
		if s.Len() >= int(c.rcvMSS) {
			if d := int32(c.tick() - s.Options.TSEcr); d >= 0 {
				c.rcvRTTSample(max(Time(d)*Millisecond, Millisecond))
			}
		}
		return
	}
	if c.rttAt != 0 {
		if c.rcvNxt.Less(c.rttEnd) {
			return
		}
		c.rcvRTTSample(max(now-c.rttAt, Microsecond))
	}
	c.rttEnd, c.rttAt = c.rcvNxt.Add(int(c.rcvWnd)), now
}

func (c *Conn) rcvRTTSample(d Time) {
	if c.rcvRTT == 0 || d < c.rcvRTT {
		c.rcvRTT = d
		return
	}
	c.rcvRTT += (d - c.rcvRTT) / 8
}

// adjustBuffer grows the receive buffer so that the user's pace, not the buffer, limits the
// connection (tcp_moderate_rcvbuf). It is called after the user has read.
func (c *Conn) adjustBuffer() {
	now := c.h.now
	if c.rcvRTT == 0 || now-c.spaceAt < c.rcvRTT {
		return
	}
	if took := uint32(c.copied.Diff(c.spaceSeq)); took > c.space {
		if c.h.ModerateRcvBuf && !c.is(userRcvBuf) {
			// Twice what was taken, for the round trip until the sender sees the new window, and
			// as much again as the pace has grown.
			want := 2*uint64(took) + 16*uint64(c.advMSS())
			want += 2 * want * uint64(took-c.space) / uint64(max(c.space, 1))
			if buf := min(2*want, uint64(c.h.RcvBufMax)); buf > uint64(c.cfg.RcvBuf) {
				c.cfg.RcvBuf = int32(buf)
				c.cfg.WindowClamp = max(c.cfg.WindowClamp, windowOf(c.cfg.RcvBuf))
			}
		}
		c.space = took
	}
	c.spaceAt, c.spaceSeq = now, c.copied
}

// SetRcvBuf is SO_RCVBUF, as getsockopt gives it: Linux doubles what the user asked for. The buffer is not
// tuned any more.
func (c *Conn) SetRcvBuf(n int) {
	c.cfg.RcvBuf = int32(n)
	c.flags |= userRcvBuf
	c.cfg.WindowClamp = max(c.cfg.WindowClamp, windowOf(c.cfg.RcvBuf))
}

// SetSndBuf is SO_SNDBUF.
func (c *Conn) SetSndBuf(n int) {
	c.cfg.SndBuf = int32(n)
	c.flags |= userSndBuf
}
