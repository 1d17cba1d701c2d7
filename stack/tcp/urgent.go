package tcp

import (
	"syscall"

	"sockeye/packet"
)

// Urgent data (RFC 6093): the last octet of what was sent as urgent is out of band for the user, unless
// SO_OOBINLINE is set. The pointer is to the octet after it, as all systems have it.

// urgent is the sixth step of SEGMENT ARRIVES: the URG bit.
func (c *Conn) urgent(s *Segment) {
	if s.Flags&URG != 0 && s.Urgent > 0 && !c.is(finReceived) {
		c.urgentMark(s.Seq.Add(int(s.Urgent) - 1))
	}
	if c.is(urgPending) && !c.is(urgValid) && !c.is(urgRead) {
		if d := c.rcvUp.Diff(s.Seq); d >= 0 && d < s.Len() {
			var b [1]byte
			s.Payload.CopyTo(b[:], d)
			c.urgOctet = b[0]
			c.flags |= urgValid
			c.events |= EventUrgent | EventReadable
		}
	}
}

// urgentMark takes a new mark.
func (c *Conn) urgentMark(up Seq) {
	if up.Less(c.copied) || up.Less(c.rcvNxt) && c.copied.Diff(up) > 0 {
		return // already read past it
	}
	if c.is(urgPending) && up.LessEq(c.rcvUp) {
		return
	}
	// A new mark before the last one was read: the older octet becomes ordinary data, but for one
	// that stands right at the reader, which is dropped as Linux does.
	if c.rcvUp == c.copied && c.is(urgPending) && !c.cfg.OOBInline && c.unread() > 0 && !c.is(urgRead) {
		c.consume(1, func(packet.Slice) {})
	}
	c.rcvUp = up
	c.flags = c.flags&^(urgValid|urgRead) | urgPending
	c.events |= EventUrgent
}

// passUrgent forgets the mark once the user is past it.
func (c *Conn) passUrgent() {
	if c.is(urgPending) && c.rcvUp.Less(c.copied) {
		c.flags &^= urgPending | urgValid | urgRead
	}
}

// ReadUrgent is recv with MSG_OOB: the urgent octet. EINVAL when there is none, when it was read, or when it
// is in line; EAGAIN when only its mark has come.
func (c *Conn) ReadUrgent(peek bool) (byte, error) {
	switch {
	case c.cfg.OOBInline || !c.is(urgPending) || c.is(urgRead):
		return 0, syscall.EINVAL
	case c.state == Closed && !c.is(finReceived):
		return 0, syscall.ENOTCONN
	case !c.is(urgValid):
		return 0, syscall.EAGAIN
	}
	if !peek {
		c.flags = c.flags&^urgValid | urgRead
	}
	return c.urgOctet, nil
}

// AtMark is SIOCATMARK: the next octet to read is the urgent one.
func (c *Conn) AtMark() bool { return c.is(urgPending) && c.rcvUp == c.copied }

// UrgentReady tells whether poll gives POLLPRI.
func (c *Conn) UrgentReady() bool { return c.is(urgValid) }
