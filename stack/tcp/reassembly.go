package tcp

import (
	"sync"

	"sockeye/packet"
	"sockeye/wire"
)

// A reassembly is what came out of order. A connection has one only while there is a gap.
type reassembly struct {
	pieces ring[piece] // by sequence number; none overlap
	recent [wire.MaxSACK]wire.SACKBlock
	n      int // of recent: SACK blocks, the latest first (RFC 2018 section 4)
	bytes  int
	finAt  Seq
	fin    bool
}

// A piece is a run of bytes that came out of order.
type piece struct {
	seq Seq
	packet.Slice
}

func (p piece) end() Seq { return p.seq.Add(p.Len()) }

var (
	piecePools   ringPools[piece]
	reassemblies = sync.Pool{New: func() any { return new(reassembly) }}
)

// maxPieces bounds the memory that a peer can take with tiny segments out of order, each of which keeps a
// block of its own: about as many as Linux's accounting of buffers lets in.
func (c *Conn) maxPieces() int { return max(int(c.cfg.RcvBuf)/256, 64) }

// highest is the end of the highest SACK block.
func (r *reassembly) highest() Seq {
	top := r.recent[0].Right
	for _, b := range r.recent[:r.n] {
		top = maxSeq(top, b.Right)
	}
	return top
}

// outOfOrder queues a segment that lies behind a gap (RFC 9293 section 3.10.7.4, seventh), and has it
// acknowledged at once (RFC 5681 section 4.2).
func (c *Conn) outOfOrder(s *Segment) {
	c.ackPending, c.ackNow = true, true
	if c.ooo == nil {
		c.ooo = reassemblies.Get().(*reassembly)
	}
	r := c.ooo
	if c.queued()+s.Len() > int(c.cfg.RcvBuf) || r.pieces.len() >= c.maxPieces() {
		c.h.TCPOFODrop++
		return
	}
	c.h.TCPOFOQueue++
	c.oooSegs += uint32(s.Parts())
	if s.Flags&FIN != 0 {
		r.fin, r.finAt = true, s.Seq.Add(s.Len())
	}
	seq := s.Seq
	r.report(wire.SACKBlock{Left: seq, Right: s.End()})
	if s.Len() == 0 {
		return
	}
	if c.is(useSACK) { // else the window must stay as it is, for the ACKs to be duplicates
		c.growTrust(s.Len())
	}
	for _, p := range s.Payload.Slices() {
		c.place(seq, p)
		seq = seq.Add(p.Len())
	}
	s.Payload.Forget()
}

// place puts the bytes of p that are missing into the queue.
func (c *Conn) place(seq Seq, p packet.Slice) {
	r, end := c.ooo, seq.Add(p.Len())
	// The first piece that ends after seq.
	lo, hi := 0, r.pieces.len()
	if hi > 0 && r.pieces.last().end().LessEq(seq) {
		lo = hi
	}
	for lo < hi {
		if mid := (lo + hi) / 2; r.pieces.at(mid).end().LessEq(seq) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for start := seq; start.Less(end); {
		stop := end
		if lo < r.pieces.len() {
			q := r.pieces.at(lo)
			if q.seq.LessEq(start) {
				stop = minSeq(end, q.end())
				c.dsack(start, stop, &c.h.TCPDSACKOfoSent)
				c.h.TCPOFOMerge++
				start = stop
				lo++
				continue
			}
			stop = minSeq(end, q.seq)
		}
		part := p.Sub(start.Diff(seq), stop.Diff(seq)).Retain()
		r.bytes += part.Len()
		r.pieces.insert(lo, piece{start, part}, &piecePools)
		start = stop
		lo++
	}
	p.Release()
}

// report makes what arrived, with the blocks that it touches, the first SACK block.
func (r *reassembly) report(b wire.SACKBlock) {
	kept := [wire.MaxSACK]wire.SACKBlock{}
	n := 1
	for _, old := range r.recent[:r.n] {
		if b.Left.LessEq(old.Right) && old.Left.LessEq(b.Right) {
			b.Left, b.Right = minSeq(b.Left, old.Left), maxSeq(b.Right, old.Right)
		} else if n < len(kept) {
			kept[n] = old
			n++
		}
	}
	kept[0] = b
	r.recent, r.n = kept, n
}

// reassemble moves what is in order now to the user's queue. It tells whether the FIN came up.
func (c *Conn) reassemble() (fin bool) {
	r := c.ooo
	moved, high := false, c.rcvNxt
	for r.pieces.len() > 0 && r.pieces.at(0).seq.LessEq(c.rcvNxt) {
		p := *r.pieces.at(0)
		r.pieces.pop(&piecePools)
		r.bytes -= p.Len()
		if p.seq.Less(high) {
			c.dsack(p.seq, minSeq(p.end(), high), &c.h.TCPDSACKOfoSent)
		}
		if p.end().LessEq(c.rcvNxt) {
			p.Release()
			continue
		}
		c.queue(p.Sub(c.rcvNxt.Diff(p.seq), p.Len()))
		moved = true
	}
	if moved {
		c.events |= EventReadable
	}
	n := 0
	for _, b := range r.recent[:r.n] {
		if c.rcvNxt.Less(b.Left) {
			r.recent[n] = b
			n++
		}
	}
	r.n = n
	fin = r.fin && r.finAt == c.rcvNxt
	if r.pieces.len() == 0 && (fin || !r.fin) {
		c.ackPending, c.ackNow = true, true // RFC 5681 section 4.2: the gap is filled
		c.dropOutOfOrder()
	}
	return fin
}

// dropOutOfOrder gives the reassembly queue back.
func (c *Conn) dropOutOfOrder() {
	r := c.ooo
	if r == nil {
		return
	}
	for r.pieces.len() > 0 {
		r.pieces.at(0).Release()
		r.pieces.pop(&piecePools)
	}
	*r = reassembly{}
	reassemblies.Put(r)
	c.ooo = nil
}

// dsack has a duplicate reported in the next ACK (RFC 2883 section 4).
func (c *Conn) dsack(left, right Seq, counter *uint64) {
	if !c.is(useSACK) || !c.h.DSACK || left == right {
		return
	}
	*counter++
	if c.is(dsackPending) {
		if c.dup.Left.LessEq(right) && left.LessEq(c.dup.Right) {
			c.dup.Left, c.dup.Right = minSeq(c.dup.Left, left), maxSeq(c.dup.Right, right)
		}
		return
	}
	c.flags |= dsackPending
	c.dup = wire.SACKBlock{Left: left, Right: right}
}

// sackBlocks is how many blocks the next ACK carries behind n bytes of other options.
func (c *Conn) sackBlocks(n int) (blocks int) {
	if c.is(dsackPending) {
		blocks = 1
	}
	if c.ooo != nil && c.is(useSACK) {
		blocks += c.ooo.n
	}
	return min(blocks, (wire.MaxTCPOptions-n-sackHeader)/sackBlockLen)
}

func (c *Conn) putSACK(o *wire.TCPOptions, blocks int) {
	n := 0
	if c.is(dsackPending) && blocks > 0 {
		o.SACK[0], n = c.dup, 1
		c.flags &^= dsackPending
	}
	if c.ooo != nil {
		n += copy(o.SACK[n:blocks], c.ooo.recent[:c.ooo.n])
	}
	o.NumSACK = uint8(n)
}
