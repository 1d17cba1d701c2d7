package inet

import (
	"sync/atomic"
	"syscall"
	"time"

	"sockeye"
	"sockeye/packet"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// A datagram is one that waits to be received.
type datagram struct {
	p       *packet.Packet // what the program receives is its header and payload; nil: it is in queue.data
	from, n int            // where there
	h       header
	port    uint16 // of the sender
	dstPort uint16
	at      time.Time // when it came, if anybody asked
	segment int       // UDP_GRO: the size of those that it is made of
	peeked  bool      // it is empty, and was peeked at
	pktinfo bool      // IP_PKTINFO was wanted when it came (ipv4_pktinfo_prepare)
	drops   uint32    // SO_RXQ_OVFL: how many were dropped before it
	charge  int
}

func (d *datagram) len() int {
	if d.p == nil {
		return d.n
	}
	return d.p.Len()
}

// A queue holds the datagrams that came, in order.
type queue struct {
	list  []datagram
	first int
	data  []byte // of small ones
}

// small is how long datagrams are at most that a queue holds without packets and blocks.
const small = 256

// overhead is what Linux counts for a packet besides its data: a struct sk_buff and
// its shared info.
const overhead = 576

// charge is the memory that n bytes take of a buffer, in Linux's measure.
func charge(n int) int { return overhead + (n+63)&^63 }

func (q *queue) len() int { return len(q.list) - q.first }

func (q *queue) at(i int) *datagram { return &q.list[q.first+i] }

// add gives a place at the end for a datagram. What was there before is to be overwritten.
func (q *queue) add() *datagram {
	if q.first > 0 && len(q.list) == cap(q.list) { // room in front is used again
		q.pack()
	}
	if n := len(q.list); n < cap(q.list) {
		q.list = q.list[:n+1]
	} else {
		q.list = append(q.list, datagram{})
	}
	return &q.list[len(q.list)-1]
}

// pack moves all to the front.
func (q *queue) pack() {
	off := len(q.data)
	for i := q.first; i < len(q.list); i++ {
		if d := &q.list[i]; d.p == nil {
			off = d.from
			break
		}
	}
	q.data = q.data[:copy(q.data, q.data[off:])]
	n := copy(q.list, q.list[q.first:])
	clear(q.list[n:])
	q.list, q.first = q.list[:n], 0
	q.shift(0, -off)
}

// shift notes that data of datagrams from the i-th on has been moved.
func (q *queue) shift(i, by int) {
	for ; i < len(q.list); i++ {
		q.list[i].from += by
	}
}

// join appends what is in r, which is empty then.
func (q *queue) join(r *queue) {
	n, off := len(q.list), len(q.data)
	q.list, q.data = append(q.list, r.list[r.first:]...), append(q.data, r.data...)
	q.shift(n, off)
	clear(r.list)
	r.list, r.first, r.data = r.list[:0], 0, r.data[:0]
}

// take removes the first datagram, and tells what it was charged with.
func (q *queue) take() int {
	d := q.at(0)
	if d.p != nil {
		d.p.Release()
		d.p = nil
	}
	if q.first++; q.first == len(q.list) {
		q.list, q.first, q.data = q.list[:0], 0, q.data[:0]
	}
	return d.charge
}

func (q *queue) purge() {
	for q.len() > 0 {
		q.take()
	}
}

// A mailbox is a socket that receives datagrams.
type mailbox struct {
	base
	queue  queue
	memory atomic.Int64 // what is in use of SO_RCVBUF: sk_rmem_alloc
	drops  uint32       // since there was no room

	// Linux's UDP takes all datagrams that wait into a second queue, and serves receivers from that one until it
	// is empty. It gives their memory back when it is, or when that is a quarter of the buffer
	// (__skb_recv_udp and udp_rmem_release in net/ipv4/udp.c).
	batch int // how many of queue would be in the second one
	freed int // what is to be given back: forward_deficit
}

// ready is datagram_poll.
func (b *mailbox) ready() sockeye.Events {
	var e sockeye.Events
	if b.Err != 0 || b.errors.len() > 0 {
		e |= sockeye.POLLERR
	}
	if b.Shut&sock.RcvShutdown != 0 {
		e |= sockeye.POLLRDHUP | sockeye.POLLIN | sockeye.POLLRDNORM
	}
	if b.Shut == sock.RcvShutdown|sock.SendShutdown {
		e |= sockeye.POLLHUP
	}
	if b.queue.len() > 0 {
		e |= sockeye.POLLIN | sockeye.POLLRDNORM
	}
	return e | sockeye.POLLOUT | sockeye.POLLWRNORM | sockeye.POLLWRBAND
}

// room gives a place for a datagram of n bytes, or nil when the buffer is full.
func (b *mailbox) room(n int) *datagram {
	used, more := int(b.memory.Load()), charge(n)
	if 2*used > b.Opt.Rcvbuf {
		b.Host.Crowded = true
	}
	if used > b.Opt.Rcvbuf || used+more > b.Opt.Rcvbuf && used > 0 {
		b.drops++
		return nil
	}
	b.memory.Add(int64(more))
	d := b.queue.add()
	d.charge, d.drops, d.at = more, b.drops, time.Time{}
	if b.Opt.Stamps() {
		d.at = time.Now()
	}
	d.pktinfo, d.peeked = b.ip.has(recvPktinfo|recvPktinfo6), false
	return d
}

// accept queues a packet, and tells whether there was room.
func (b *mailbox) accept(p *packet.Packet, h *header, ports wire.UDP, segment int) bool {
	d := b.room(p.Len())
	if d == nil {
		return false
	}
	d.p, d.h, d.port, d.dstPort, d.segment = p, *h, ports.SrcPort, ports.DstPort, segment
	b.arrived()
	return true
}

// arrived wakes those who wait for a datagram. None of them has come since there was one, but for those who peek
// behind it.
func (b *mailbox) arrived() {
	if b.queue.len() == 1 || b.Opt.PeekOff >= 0 {
		b.Wake(sockeye.ForRead)
	}
}

// acceptSmall queues a datagram of n bytes, which are copied, and tells whether there was room.
func (b *mailbox) acceptSmall(buffers [][]byte, n int, h *header, ports wire.UDP) bool {
	d := b.room(n)
	if d == nil {
		return false
	}
	q := &b.queue
	d.from, d.n = len(q.data), n
	d.h, d.port, d.dstPort, d.segment = *h, ports.SrcPort, ports.DstPort, 0
	for _, p := range buffers {
		q.data = append(q.data, p...)
	}
	b.arrived()
	return true
}

// take removes the first datagram.
func (b *mailbox) take() {
	b.freed += b.queue.take()
	b.batch--
	if b.batch <= 0 || b.freed >= b.Opt.Rcvbuf/4 || b.Type == sockeye.SOCK_RAW || b.Proto != sockeye.IPPROTO_UDP {
		b.memory.Add(-int64(b.freed))
		b.batch, b.freed = max(b.batch, 0), 0
	}
}

// receive is recvmsg(2).
func (b *mailbox) receive(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if flags&sockeye.MSG_ERRQUEUE != 0 {
		return b.receiveError(m, flags)
	}
	if b.ip.pathMTU != nil && b.ip.has(recvPathMTU) {
		b.receiveMTU(m)
		return nil
	}
	peek := flags&sockeye.MSG_PEEK != 0
	i, skip := 0, 0
	if peek && (b.Opt.PeekOff >= 0 || b.Proto != sockeye.IPPROTO_UDP) {
		i, skip = b.peekAt(max(0, b.Opt.PeekOff))
	}
	if b.Err != 0 {
		return b.TakeError()
	}
	if i >= b.queue.len() {
		return syscall.EAGAIN
	}
	if b.batch == 0 {
		b.batch = b.queue.len()
	}
	d := b.queue.at(i)
	whole := d.len()
	n := b.queue.scatter(m.Buffers, d, skip)
	m.N = n
	if n < whole-skip {
		m.Flags |= sockeye.MSG_TRUNC
		if flags&sockeye.MSG_TRUNC != 0 {
			m.N = whole - skip
		}
	}
	m.Name = b.name(d.h.src, d.port, d.h.iface.Index)
	if b.ip.flowInfoSend && !d.h.src.Is4() {
		m.Name = sockeye.SockaddrInet6(d.h.src.As16(), d.port, uint32(d.h.tos)<<20|d.h.flow, m.Name.ScopeID())
	}
	b.tell(m, d)
	if b.Opt.PeekOff >= 0 {
		if peek {
			b.OwnOptions().PeekOff += n
		} else {
			b.OwnOptions().PeekOff = max(0, b.Opt.PeekOff-whole)
		}
	}
	d.peeked = peek && whole == 0
	if !peek {
		b.take()
	}
	return nil
}

// peekAt finds the datagram, and the byte in it, that an offset of SO_PEEK_OFF falls on. An empty
// datagram is peeked at once (__skb_try_recv_from_queue): sockets without the option have it so, too.
func (b *mailbox) peekAt(off int) (i, skip int) {
	for i := range b.queue.len() {
		d := b.queue.at(i)
		if off < d.len() || off == 0 && !d.peeked {
			return i, off
		}
		off -= d.len()
	}
	return b.queue.len(), 0
}

// scatter copies a datagram, from byte skip on, into the buffers, and tells how much
// found room.
func (q *queue) scatter(buffers [][]byte, d *datagram, skip int) (n int) {
	to := 0
	b := []byte(nil)
	put := func(data []byte) {
		k := min(skip, len(data))
		skip -= k
		for data = data[k:]; len(data) > 0; {
			for len(b) == 0 {
				if to == len(buffers) {
					return
				}
				b = buffers[to]
				to++
			}
			k := copy(b, data)
			b, data, n = b[k:], data[k:], n+k
		}
	}
	if d.p == nil {
		put(q.data[d.from : d.from+d.n])
		return n
	}
	put(d.p.Header())
	for _, s := range d.p.Payload {
		put(s.Bytes())
	}
	return n
}

// gather appends the buffers of a message to a packet's payload.
func gather(p *packet.Packet, buffers [][]byte, n int) {
	if n == 0 {
		return
	}
	block := packet.New(n)
	to := block.Bytes()
	for _, b := range buffers {
		to = to[copy(to, b):]
	}
	p.Append(block.Slice(0, n))
}

// ioctl has SIOCOUTQ and SIOCINQ of datagrams; sent is what was sent and has not left.
func (b *mailbox) ioctl(req uint, sent int) (int, error) {
	switch req {
	case siocoutq:
		return sent, nil
	case siocinq:
		if b.queue.len() == 0 {
			return 0, nil
		}
		return b.queue.at(0).len(), nil
	}
	return 0, syscall.ENOTTY
}

// The requests of ioctl(2).
const (
	siocinq  = 0x541b
	siocoutq = 0x5411
)

// sender is the error that keeps a datagram from being sent, if any.
func (b *base) sender() error {
	if b.Err != 0 {
		return b.TakeError()
	}
	if b.Shut&sock.SendShutdown != 0 {
		return syscall.EPIPE
	}
	return nil
}

// hops is the time to live of what is sent to dst.
func (b *base) hops(dst wire.Addr, c cast) uint8 {
	s := &b.stack.Sysctl
	o := b.ip
	switch {
	case !dst.Is4() && c == multicast:
		return uint8(o.multicastHops)
	case !dst.Is4() && o.hopLimit >= 0:
		return uint8(o.hopLimit)
	case !dst.Is4():
		return s.DefaultHopLimit
	case c == multicast:
		return uint8(o.multicastTTL)
	case o.ttl > 0:
		return uint8(o.ttl)
	}
	return s.DefaultTTL
}
