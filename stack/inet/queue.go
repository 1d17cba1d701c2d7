package inet

import (
	"syscall"
	"time"

	"sockeye"
	"sockeye/packet"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// A datagram is one that waits to be received.
type datagram struct {
	p       *packet.Packet // what the program receives is its header and payload
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

func (d *datagram) len() int { return d.p.Len() }

// A queue holds the datagrams that came, in order.
type queue struct {
	list  []datagram
	first int
	bytes int    // as SO_RCVBUF counts
	drops uint32 // since there was no room
}

// overhead is what Linux counts for a packet besides its data: a struct sk_buff and
// its shared info.
const overhead = 576

// charge is the memory that n bytes take of a buffer, in Linux's measure.
func charge(n int) int { return overhead + (n+63)&^63 }

func (q *queue) len() int { return len(q.list) - q.first }

func (q *queue) at(i int) *datagram { return &q.list[q.first+i] }

// put adds a datagram, or gives false when the buffer is full.
func (q *queue) put(d datagram, rcvbuf int) bool {
	d.charge = charge(d.len())
	if q.bytes > rcvbuf || q.bytes+d.charge > rcvbuf && q.len() > 0 {
		q.drops++
		return false
	}
	d.drops = q.drops
	if q.first > 0 && len(q.list) == cap(q.list) { // room in front is used again
		n := copy(q.list, q.list[q.first:])
		clear(q.list[n:])
		q.list, q.first = q.list[:n], 0
	}
	q.list = append(q.list, d)
	q.bytes += d.charge
	return true
}

// take removes the first datagram.
func (q *queue) take() {
	q.bytes -= q.at(0).charge
	q.at(0).p.Release()
	q.list[q.first] = datagram{}
	if q.first++; q.first == len(q.list) {
		q.list, q.first = q.list[:0], 0
	}
}

func (q *queue) purge() {
	for q.len() > 0 {
		q.take()
	}
}

// A mailbox is a socket that receives datagrams.
type mailbox struct {
	base
	queue queue
}

// ready is datagram_poll.
func (b *mailbox) ready() sockeye.Events {
	var e sockeye.Events
	if b.Err != 0 || len(b.errors) > 0 {
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

// accept queues a datagram, and tells whether there was room.
func (b *mailbox) accept(d datagram) bool {
	if b.Opt.Timestamp || b.Opt.TimestampNS {
		d.at = time.Now()
	}
	d.pktinfo = b.ip.has(recvPktinfo | recvPktinfo6)
	if 2*b.queue.bytes > b.Opt.Rcvbuf {
		b.Host.Crowded = true
	}
	if !b.queue.put(d, b.Opt.Rcvbuf) {
		return false
	}
	b.Wake(sockeye.ForRead)
	return true
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
	d := b.queue.at(i)
	whole := d.len()
	n := scatter(m.Buffers, d.p, skip)
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
		b.queue.take()
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

// scatter copies a packet, from byte skip on, into the buffers, and tells how much
// found room.
func scatter(buffers [][]byte, p *packet.Packet, skip int) (n int) {
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
	put(p.Header())
	for _, s := range p.Payload {
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
