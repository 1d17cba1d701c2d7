package tcp

import "sockeye/wire"

// ecnArrived looks at a data segment's IP header (RFC 3168 section 6.1.3): a CE mark is echoed until
// the sender says that it has reduced its window.
func (c *Conn) ecnArrived(s *Segment) {
	if !c.is(useECN) {
		return
	}
	if s.Flags&CWR != 0 {
		c.flags &^= ecnEcho
		if s.Len() > 0 {
			c.ackNow = true // the sender waits for an ACK without ECE
		}
	}
	switch s.ECN {
	case wire.CE:
		if !c.is(ecnEcho) {
			c.moreQuickAcks() // tell it at once
			c.flags |= ecnEcho
		}
		c.flags |= ecnSeen
	case wire.NotECT:
		// A retransmission: it may have lost a CE mark with its first copy.
		if c.is(ecnSeen) && s.Len() > 0 {
			c.moreQuickAcks()
		}
	default:
		c.flags |= ecnSeen
	}
}
