package tcp

import "sockeye/packet"

// readEnd is the end of what was received in order, without the FIN.
func (c *Conn) readEnd() Seq {
	if c.is(finReceived) {
		return c.rcvNxt - 1
	}
	return c.rcvNxt
}

func (c *Conn) unread() int { return c.readEnd().Diff(c.copied) }

// Unread is how many bytes a read can take now (SIOCINQ): up to the urgent mark, if there is one.
func (c *Conn) Unread() int {
	n := c.unread()
	if n > 0 && c.is(urgPending) && !c.cfg.OOBInline {
		if d := c.rcvUp.Diff(c.copied); d >= 0 && d < n {
			n-- // the urgent octet is not read in line
		}
	}
	return n
}

// HasData tells whether there is anything to read, be it the urgent octet alone.
func (c *Conn) HasData() bool { return c.unread() > 0 }

// Inq is what SIOCINQ gives: Unread, up to the urgent octet if that is ahead (tcp_inq).
func (c *Conn) Inq() int {
	if n := c.unread(); c.is(urgPending) && !c.cfg.OOBInline {
		if d := c.rcvUp.Diff(c.copied); d >= 0 && d < n {
			return d
		}
	}
	return c.Unread()
}

// InqHint is what TCP_INQ tells: all that waits, and the FIN (tcp_inq_hint).
func (c *Conn) InqHint() int {
	n := c.unread()
	if c.is(finReceived) {
		n++
	}
	return n
}

// Unsent is what SIOCOUTQ and SIOCOUTQNSD give: bytes not acknowledged, and not sent. The FIN counts.
func (c *Conn) Unsent() (unacked, unsent int) {
	end := c.writeSeq
	if c.is(finQueued) {
		end++
	}
	return end.Diff(maxSeq(c.sndUna, c.iss+1)), end.Diff(maxSeq(c.sndNxt, c.iss+1))
}

// EOF tells whether reads have come to the end: nothing is queued and nothing will come.
func (c *Conn) EOF() bool { return c.is(rcvShutdown) && c.unread() == 0 }

// Readable tells whether a read would not wait.
func (c *Conn) Readable() bool {
	least := max(int(c.cfg.RcvLowat), 1)
	if c.AtMark() && !c.cfg.OOBInline {
		least++ // the urgent octet is not read in line
	}
	return c.unread() >= least || c.is(rcvShutdown) || c.err != 0
}

// span is how many bytes one read may take at offset off: it stops before the urgent mark, and
// skips the urgent octet when that is not in line.
func (c *Conn) span(off, most int) (skip, n int) {
	n = min(most, c.unread()-off)
	if n > 0 && c.is(urgPending) {
		switch d := c.rcvUp.Diff(c.copied.Add(off)); {
		case d == 0 && !c.cfg.OOBInline:
			return 1, min(most, c.unread()-off-1)
		case d > 0 && d < n:
			n = d
		}
	}
	return 0, max(n, 0)
}

// Read copies what was received to p and tells how much. 0 and no error: the end of the stream, where
// EOF says so, else nothing there yet. An error of the connection comes after the data, once.
func (c *Conn) Read(now Time, p []byte) (int, error) {
	c.h.at(now)
	skip, n := c.span(0, len(p))
	if n == 0 && skip == 0 {
		return 0, c.readErr()
	}
	c.consume(skip, func(packet.Slice) {})
	rest := p[:n]
	c.consume(n, func(s packet.Slice) { rest = rest[copy(rest, s.Bytes()):] })
	c.ackAfterRead(n + skip)
	return n, nil
}

// Take is Read without the copy: it gives slices with at most that many bytes, for the caller to copy
// and release, without the host's lock if it likes.
func (c *Conn) Take(now Time, list *packet.List, most int) (int, error) {
	c.h.at(now)
	skip, n := c.span(0, most)
	if n == 0 && skip == 0 {
		return 0, c.readErr()
	}
	c.consume(skip, func(packet.Slice) {})
	c.consume(n, func(s packet.Slice) { list.Push(s.Retain()) })
	c.ackAfterRead(n + skip)
	return n, nil
}

// Discard is Read of n bytes into nothing (MSG_TRUNC on a stream).
func (c *Conn) Discard(now Time, most int) (int, error) {
	c.h.at(now)
	skip, n := c.span(0, most)
	if n == 0 && skip == 0 {
		return 0, c.readErr()
	}
	c.consume(skip+n, func(packet.Slice) {})
	c.ackAfterRead(n + skip)
	return n, nil
}

// Peek copies what was received from offset off on, and leaves it there (MSG_PEEK, SO_PEEK_OFF).
func (c *Conn) Peek(p []byte, off int) (int, error) {
	if off >= c.unread() {
		return 0, c.readErr()
	}
	skip, n := c.span(off, len(p))
	off += skip
	p = p[:n]
	got := 0
	for i := 0; i < c.rcvq.len() && got < len(p); i++ {
		b := c.rcvq.at(i).Bytes()
		if off >= len(b) {
			off -= len(b)
			continue
		}
		got += copy(p[got:], b[off:])
		off = 0
	}
	return got, nil
}

// PeekLen is how many bytes Peek would copy to n bytes.
func (c *Conn) PeekLen(n, off int) int {
	if off >= c.unread() {
		return 0
	}
	skip, n := c.span(off, n)
	return max(0, min(n, c.unread()-off-skip))
}

func (c *Conn) readErr() error {
	if c.unread() > 0 {
		return nil
	}
	if c.err != 0 && !c.is(finReceived) {
		return c.TakeErr()
	}
	return nil
}

// consume takes n bytes off the queue and shows them, piece by piece.
func (c *Conn) consume(n int, show func(packet.Slice)) {
	for n > 0 {
		s := c.rcvq.at(0)
		k := min(n, s.Len())
		show(s.Sub(0, k))
		c.copied = c.copied.Add(k)
		n -= k
		if k < s.Len() {
			*s = s.Sub(k, s.Len())
			break
		}
		s.Release()
		c.rcvq.pop(&slicePools)
	}
	c.passUrgent()
}

// AfterRead acknowledges what was read while Host.ReadLater was set: n bytes.
func (c *Conn) AfterRead(now Time, n int) {
	c.h.at(now)
	c.ackAfterRead(n)
}
