package tcp

import (
	"math/bits"
	"syscall"

	"sockeye/packet"
)

// A WriteFlags says how to send.
type WriteFlags uint8

// The flags of Write and Push.
const (
	More   WriteFlags = 1 << iota // MSG_MORE: hold a partial segment back
	Urgent                        // MSG_OOB: the last byte is urgent
	Record                        // MSG_EOR: what follows is not put into one segment with this
)

// Room is how many bytes Write takes now.
func (c *Conn) Room() int {
	if !c.in(canWrite) || c.is(finQueued|orphaned) {
		return 0
	}
	return max(int(c.cfg.SndBuf)-c.writeSeq.Diff(c.sndUna), 0)
}

// Writable tells whether a socket polls as writable: a third of the buffer is free, and what is not
// sent yet is below half of TCP_NOTSENT_LOWAT (__sk_stream_is_writeable).
func (c *Conn) Writable() bool {
	if c.is(sndShutdown) || c.err != 0 {
		return true
	}
	used := c.writeSeq.Diff(c.sndUna)
	if !c.in(canSend) || 3*used >= 2*int(c.cfg.SndBuf) || 2*c.unsent() >= c.notsentLowat() {
		c.flags |= wantSpace
		return false
	}
	return true
}

func (c *Conn) notsentLowat() int {
	if c.cfg.NotsentLowat != 0 {
		return int(c.cfg.NotsentLowat)
	}
	return int(c.h.NotsentLowat)
}

// writable gives the error of a write in this state (send(2)).
func (c *Conn) writable() error {
	switch {
	case c.err != 0:
		return c.TakeErr()
	case c.is(sndShutdown) || !c.in(canWrite):
		return syscall.EPIPE
	}
	return nil
}

// Write copies as much of p as there is room for into the send buffer and tells how much: 0 when it
// is full, or when the handshake is not done and nothing can be queued yet. What may be sent goes to
// Host.Out. An error of the connection comes once; EPIPE after the end.
func (c *Conn) Write(now Time, p []byte, flags WriteFlags) (int, error) {
	c.h.at(now)
	if err := c.writable(); err != nil {
		return 0, err
	}
	n := min(len(p), c.Room())
	if n < len(p) || n == 0 {
		c.flags |= wantSpace
	}
	if n == 0 {
		return 0, nil
	}
	c.beforeWrite()
	for rest := p[:n]; len(rest) > 0; {
		if c.sndq.len() > 0 && c.tailOpen {
			tail := c.sndq.last()
			var k int
			tail.Slice, k = tail.Append(rest)
			c.writeSeq, rest = c.writeSeq.Add(k), rest[k:]
			if k > 0 {
				continue
			}
		}
		// A block as large as what waits already, so that a stream of small writes fills
		// few blocks and a single one takes a small block.
		size := max(len(rest), min(c.unsent(), 16<<10))
		block := packet.New(min(size, packet.MaxPooled))
		k := copy(block.Bytes(), rest)
		c.sndq.push(chunk{c.writeSeq, block.Slice(0, k)}, &chunkPools)
		c.writeSeq, rest, c.tailOpen = c.writeSeq.Add(k), rest[k:], true
	}
	c.written(flags)
	return n, nil
}

// Push is Write for payload that is in a block already: it takes over the reference. It
// takes all or, without room for any, nothing; so ask Room first.
func (c *Conn) Push(now Time, s packet.Slice, flags WriteFlags) (bool, error) {
	c.h.at(now)
	if err := c.writable(); err != nil {
		return false, err
	}
	if c.Room() == 0 {
		c.flags |= wantSpace
		return false, nil
	}
	if s.Len() == 0 {
		s.Release()
		return true, nil
	}
	c.beforeWrite()
	c.sndq.push(chunk{c.writeSeq, s}, &chunkPools)
	c.writeSeq, c.tailOpen = c.writeSeq.Add(s.Len()), false
	c.written(flags)
	return true, nil
}

func (c *Conn) beforeWrite() {
	if c.sndNxt == c.writeSeq {
		c.restartAfterIdle()
	}
}

// written sends what may go after a write.
func (c *Conn) written(flags WriteFlags) {
	if flags&Urgent != 0 {
		c.sndUp = c.writeSeq
		c.flags |= sndUrgent
		flags &^= More
	}
	if !c.in(canSend) {
		return
	}
	if flags&More == 0 {
		c.pushed = c.writeSeq
	} else if c.pushed.Add(int(c.maxWnd / 2)).Less(c.writeSeq) {
		c.pushed = c.writeSeq // a receiver's buffer is filling: let it be read
	}
	c.set(moreComing, flags&More != 0)
	c.transmit(false)
	c.set(moreComing, false)
	if flags&Record != 0 {
		c.recordEnd = c.writeSeq
	}
	c.armProbe()
}

// Written is the sequence number after the last byte that was written, and Acked that after the last one which the
// peer has acknowledged.
func (c *Conn) Written() Seq { return c.writeSeq }

// Acked is documented at Written.
func (c *Conn) Acked() Seq { return c.sndUna }

// unsent is how many bytes were written and not sent.
func (c *Conn) unsent() int { return max(c.writeSeq.Diff(c.sndNxt), 0) }

// SetNoDelay is TCP_NODELAY: turned on, it sends what was held back.
func (c *Conn) SetNoDelay(now Time, on bool) {
	c.h.at(now)
	if c.cfg.NoDelay = on; on {
		c.nagleOff = true
		c.pushPending()
		c.nagleOff = false
	}
}

// SetCork is TCP_CORK: turned off, it sends what was held back.
func (c *Conn) SetCork(now Time, on bool) {
	c.h.at(now)
	if c.cfg.Cork = on; !on {
		c.nagleOff = c.cfg.NoDelay
		c.pushPending()
		c.nagleOff = false
	}
}

// pushPending sends what the windows allow now, and sees to it that a zero window is probed.
func (c *Conn) pushPending() {
	if c.hasUnsent() && c.in(canSend) {
		c.transmit(false)
		c.armProbe()
	}
}

// hasUnsent tells whether data or the FIN waits to be sent for the first time.
func (c *Conn) hasUnsent() bool {
	return c.sndNxt.Less(c.writeSeq) || c.is(finQueued) && c.sndNxt == c.writeSeq
}

// dropAcked releases the part of the send queue that the peer has.
func (c *Conn) dropAcked() {
	for c.sndq.len() > 0 && c.sndq.at(0).end().LessEq(c.sndUna) {
		c.sndq.at(0).Release()
		c.sndq.pop(&chunkPools)
	}
	if c.is(wantSpace) {
		c.growSendBuffer()
		if used := c.writeSeq.Diff(c.sndUna); 3*used < 2*int(c.cfg.SndBuf) && 2*c.unsent() < c.notsentLowat() {
			c.flags &^= wantSpace
			c.events |= EventWritable
		}
	}
}

// segmentCost is the memory that Linux counts for a full segment: the payload with room for headers and
// bookkeeping in a block of a power of two, and a struct sk_buff.
func segmentCost(mss uint16) int {
	const headers, shared, buff = 320, 320, 256
	return 1<<bits.Len(uint(int(mss)+headers+shared-1)) + buff
}

// growSendBuffer lets the buffer hold two windows of data, as tcp_sndbuf_expand does.
func (c *Conn) growSendBuffer() {
	if c.is(userSndBuf) {
		return
	}
	segs := max(c.cwnd, uint32(c.h.InitialWindow), uint32(c.reordering)+1)
	want := 2 * uint64(segs) * uint64(segmentCost(max(c.peerMSS, c.mss)))
	if want > uint64(c.cfg.SndBuf) {
		c.cfg.SndBuf = int32(min(want, uint64(c.h.SndBufMax)))
	}
}

// gather fills the payload of a segment that goes out with n bytes of the send queue from seq on.
func (c *Conn) gather(list *packet.List, seq Seq, n int) {
	lo, hi := 0, c.sndq.len()
	for lo < hi { // the first chunk that ends after seq
		if mid := (lo + hi) / 2; c.sndq.at(mid).end().LessEq(seq) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for ; n > 0; lo++ {
		ch := c.sndq.at(lo)
		i := seq.Diff(ch.seq)
		j := min(ch.Len(), i+n)
		list.Push(ch.Sub(i, j).Retain())
		seq, n = seq.Add(j-i), n-(j-i)
	}
}
