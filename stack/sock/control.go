package sock

import (
	"encoding/binary"
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
	var space [128]byte
	b := sockeye.AppendControl(space[:0], level, typ, data)
	c.used += copy(c.m.Control[c.used:], b)
}

// AddInt adds a message whose data is an int.
func (c *Control) AddInt(level, typ, v int) {
	c.Add(level, typ, binary.NativeEndian.AppendUint32(make([]byte, 0, 4), uint32(v)))
}

// Descriptors is how many descriptors there is room for.
func (c *Control) Descriptors() int { return max(0, (len(c.m.Control)-c.used-headerSize)/4) }

// Done tells the receiver how much was filled in.
func (c *Control) Done() { c.m.ControlN = c.used }

// TellTime adds when a packet came, as far as the socket wants to know (__sock_recv_timestamp). The zero Time
// is that of one that came before the socket said so, which SO_TIMESTAMP takes for now.
func (s *Socket) TellTime(c *Control, t time.Time) {
	if t.IsZero() && (s.Opt.Timestamp || s.Opt.TimestampNS) {
		t = time.Now()
	}
	switch {
	case s.Opt.TimestampNS:
		c.Add(sockeye.SOL_SOCKET, sockeye.SCM_TIMESTAMPNS, encodeWords(t.Unix(), int64(t.Nanosecond())))
	case s.Opt.Timestamp:
		c.Add(sockeye.SOL_SOCKET, sockeye.SCM_TIMESTAMP, encodeWords(t.Unix(), int64(t.Nanosecond()/1000)))
	}
	if s.Opt.Timestamping&sockeye.SOF_TIMESTAMPING_SOFTWARE != 0 && !t.IsZero() { // C's struct scm_timestamping, of which the last two are hardware's
		c.Add(sockeye.SOL_SOCKET, sockeye.SCM_TIMESTAMPING, encodeWords(t.Unix(), int64(t.Nanosecond()), 0, 0, 0, 0))
	}
}
