package tcp

import (
	"fmt"
	"unsafe"
)

// Check tells what is wrong inside a connection.
func (c *Conn) Check() error {
	var packets, sackedSegs, lostSegs, retransSegs uint32
	if c.sndNxt.Less(c.sndUna) {
		return fmt.Errorf("snd.una %d is beyond snd.nxt %d", c.sndUna, c.sndNxt)
	}
	next := c.sndUna
	for i := range c.rtx.len() {
		e := c.rtx.at(i)
		if e.seq != next || !e.seq.Less(e.end) {
			return fmt.Errorf("retransmission queue: segment %d is %d:%d, want it to begin at %d", i, e.seq, e.end, next)
		}
		next = e.end
		n := uint32(e.segs)
		packets += n
		if e.is(sacked) {
			sackedSegs += n
		}
		if e.is(lost) {
			lostSegs += n
		}
		if e.is(retrans) {
			retransSegs += n
		}
		if e.is(sacked) && e.is(lost|retrans) {
			return fmt.Errorf("segment %d has flags %b", i, e.flags)
		}
	}
	if c.state != Closed && next != c.sndNxt {
		return fmt.Errorf("retransmission queue ends at %d, snd.nxt is %d", next, c.sndNxt)
	}
	if packets != c.packetsOut || lostSegs != c.lostOut || retransSegs != c.retransOut || c.is(useSACK) && sackedSegs != c.sackedOut {
		return fmt.Errorf("counts are out %d sacked %d lost %d retrans %d, queue has %d %d %d %d",
			c.packetsOut, c.sackedOut, c.lostOut, c.retransOut, packets, sackedSegs, lostSegs, retransSegs)
	}
	if c.inFlight() < 0 {
		return fmt.Errorf("in flight: %d", c.inFlight())
	}
	queued := 0
	for i := range c.rcvq.len() {
		queued += c.rcvq.at(i).Len()
	}
	if queued != c.unread() {
		return fmt.Errorf("receive queue has %d bytes, sequence numbers say %d", queued, c.unread())
	}
	if c.rtx.len() > 0 && c.timerAt == 0 {
		return fmt.Errorf("%v: data is out and no timer runs", c.state)
	}
	if c.hasUnsent() && c.rtx.len() == 0 && c.in(canSend) && c.timerAt == 0 {
		return fmt.Errorf("%v: data waits, nothing is out and no timer runs", c.state)
	}
	return nil
}

// The sizes of what a connection and a host take.
const (
	SizeofConn    = unsafe.Sizeof(Conn{})
	SizeofHost    = unsafe.Sizeof(Host{})
	SizeofRequest = unsafe.Sizeof(Request{})
	SizeofSegment = unsafe.Sizeof(Segment{})
)
