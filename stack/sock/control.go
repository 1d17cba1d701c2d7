package sock

import (
	"time"

	"sockeye"
)

// A Control is the room for ancillary data that a receiver gave.
type Control struct {
	m    *sockeye.Message
	used int
}

// ControlOf is the room that m has.
func ControlOf(m *sockeye.Message) Control { return Control{m: m} }

// headerSize is that of a struct cmsghdr.
var headerSize = sockeye.ControlSpace(0)

// Add adds a message. What does not fit is cut, and MSG_CTRUNC tells of it
// (put_cmsg in net/core/scm.c).
func (c *Control) Add(level, typ int, data []byte) {
	left := len(c.m.Control) - c.used
	if left < headerSize {
		c.m.Flags |= sockeye.MSG_CTRUNC
		return
	}
	if len(data) > left-headerSize {
		c.m.Flags |= sockeye.MSG_CTRUNC
		data = data[:left-headerSize]
	}
	b := sockeye.AppendControl(nil, level, typ, data)
	c.used += copy(c.m.Control[c.used:], b)
}

// Descriptors is how many descriptors there is room for.
func (c *Control) Descriptors() int { return max(0, (len(c.m.Control)-c.used-headerSize)/4) }

// Done tells the receiver how much was filled in.
func (c *Control) Done() { c.m.ControlN = c.used }

// TellTime adds when a packet came, if the socket wants to know.
func (s *Socket) TellTime(c *Control, t time.Time) {
	switch {
	case s.Opt.TimestampNS:
		c.Add(sockeye.SOL_SOCKET, sockeye.SCM_TIMESTAMPNS, encodeWords(t.Unix(), int64(t.Nanosecond())))
	case s.Opt.Timestamp:
		c.Add(sockeye.SOL_SOCKET, sockeye.SCM_TIMESTAMP, encodeWords(t.Unix(), int64(t.Nanosecond()/1000)))
	}
}
