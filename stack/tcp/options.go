package tcp

import "sockeye/wire"

// timestamps is the state of RFC 7323 sections 3 to 5.
type timestamps struct {
	tsOffset uint32 // makes our clock's values unguessable (section 5.4)
	tsRecent uint32
	tsSeen   Time // when tsRecent was taken; 0: none yet
}

const (
	timestampsLen = 12 // with the two NOPs that align it
	sackHeader    = 4  // with its NOPs
	sackBlockLen  = 8
	maxScale      = 14 // RFC 7323 section 2.3

	pawsWindow = 1                   // ticks that timestamps may go back
	pawsFresh  = 24 * 86400 * Second // section 5.5
)

// tick is the timestamp clock: milliseconds, as Linux has it.
func (h *Host) tick() uint32 { return uint32(h.now / Millisecond) }

func (c *Conn) tick() uint32 { return c.h.tick() + c.tsOffset }

// optionsLen is the length of the options of an ordinary segment now, SACK blocks included.
func (c *Conn) optionsLen() (n int) {
	if c.is(useTS) {
		n = timestampsLen
	}
	if blocks := c.sackBlocks(n); blocks > 0 {
		n += sackHeader + sackBlockLen*blocks
	}
	return n
}

// putOptions fills in the options of a segment without SYN.
func (c *Conn) putOptions(o *wire.TCPOptions) {
	n := 0
	if c.is(useTS) {
		o.Set, o.TSVal, o.TSEcr = wire.OptTimestamps, c.tick(), c.tsRecent
		n = timestampsLen
	}
	if c.is(useSACK) {
		c.putSACK(o, c.sackBlocks(n))
	}
}

// putSYNOptions fills in those of a SYN: what we offer, or, in answer to a SYN, what both have.
func (c *Conn) putSYNOptions(o *wire.TCPOptions) {
	o.Set, o.MSS = wire.OptMSS, c.advMSS()
	if c.is(useTS) {
		o.Set |= wire.OptTimestamps
		o.TSVal, o.TSEcr = c.tick(), c.tsRecent
	}
	if c.is(useScaling) {
		o.Set |= wire.OptWindowScale
		o.WindowScale = c.rcvShift
	}
	if c.is(useSACK) {
		o.Set |= wire.OptSACKPermitted
	}
}

// takeSYNOptions agrees on the options of both SYNs: each holds only if both sides sent it.
func (c *Conn) takeSYNOptions(s *Segment) {
	o := &s.Options
	c.set(useTS, c.is(useTS) && o.Has(wire.OptTimestamps))
	c.set(useSACK, c.is(useSACK) && o.Has(wire.OptSACKPermitted))
	if c.set(useScaling, c.is(useScaling) && o.Has(wire.OptWindowScale)); c.is(useScaling) {
		c.sndShift = min(o.WindowScale, maxScale)
	} else {
		c.sndShift, c.rcvShift = 0, 0
		c.cfg.WindowClamp = min(c.cfg.WindowClamp, 65535)
	}
	c.peerMSS = c.defaultMSS()
	if o.Has(wire.OptMSS) {
		c.peerMSS = o.MSS
	}
	if c.is(useTS) {
		c.tsRecent, c.tsSeen = o.TSVal, c.h.now
	}
}

// hasTS tells whether the segment has timestamps that count.
func (c *Conn) hasTS(s *Segment) bool { return c.is(useTS) && s.Options.Has(wire.OptTimestamps) }

// paws tells whether the segment is an old duplicate by its timestamp (RFC 7323 section 5).
func (c *Conn) paws(s *Segment) bool {
	if !c.hasTS(s) || !c.oldTS(s) {
		return false
	}
	// A pure ACK that a path of several queues brought late does no harm: it changes nothing, and
	// its clock is not older than a timeout.
	late := s.Flags&(ACK|SYN|FIN) == ACK && s.Len() == 0 && s.Seq == c.rcvNxt && s.Ack == c.sndUna &&
		!c.mayUpdateWindow(s.Ack, s.Seq, uint32(s.Window)<<c.sndShift) &&
		Time(c.tsRecent-s.Options.TSVal)*Millisecond <= c.rto
	return !late
}

func (t *timestamps) olderThan(val uint32, now Time) bool {
	return t.tsSeen != 0 && int32(t.tsRecent-val) > pawsWindow && now-t.tsSeen < pawsFresh
}

func (c *Conn) oldTS(s *Segment) bool { return c.olderThan(s.Options.TSVal, c.h.now) }

// storeTS takes the peer's timestamp from a segment that reaches the left edge of the window
// (RFC 7323 section 4.3).
func (c *Conn) storeTS(s *Segment) {
	if c.hasTS(s) && s.Seq.LessEq(c.rcvWup) &&
		(int32(c.tsRecent-s.Options.TSVal) <= 0 || c.h.now-c.tsSeen >= pawsFresh) {
		c.tsRecent, c.tsSeen = s.Options.TSVal, c.h.now
	}
}

// echoes tells whether a SYN-ACK's echo is of a clock value that we sent since the SYN.
func (c *Conn) echoes(ecr uint32) bool {
	first := uint32(c.retransAt/Millisecond) + c.tsOffset
	return ecr-first <= c.tick()-first
}
