// Package datagram receives and sends datagrams, many with one call where the
// system can: with recvmmsg(2) and sendmmsg(2), and, of UDP, with datagrams of
// one flow glued together on their way through the system (UDP_GRO and
// UDP_SEGMENT, udp(7)).
package datagram

import (
	"errors"
	"iter"
	"net/netip"
	"slices"
	"syscall"

	"sockeye"
	"sockeye/internal/record"
)

// A Datagram is one that was received, or several of one sender.
type Datagram struct {
	Peer    sockeye.Sockaddr
	Local   netip.Addr // the address to answer from; zero: the socket's own
	Data    []byte     // what came, one datagram after the other
	Segment int        // the size of each but the last; 0: there is but one
}

// Each goes through the datagrams one by one.
func (d Datagram) Each() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := d.Data
		for d.Segment > 0 && len(rest) > d.Segment {
			if !yield(rest[:d.Segment]) {
				return
			}
			rest = rest[d.Segment:]
		}
		yield(rest)
	}
}

// How many messages one call takes. Each holds one datagram, or several glued
// together.
const (
	batchSize    = 32
	borrowedSize = 8
)

// maxPayload is more than the largest UDP datagram.
const maxPayload = 64 << 10

// A batch is room for messages.
type batch struct {
	ms  []sockeye.Message
	got []Datagram
}

func newBatch(size int) *batch {
	b := &batch{make([]sockeye.Message, size), make([]Datagram, size)}
	for i := range b.ms {
		b.ms[i].Buffers = [][]byte{make([]byte, maxPayload)}
		b.ms[i].Control = make([]byte, sockeye.ControlSpace(20)+sockeye.ControlSpace(4))
	}
	return b
}

// idle are batches to borrow: thousands of receivers that wait need none. There
// are as many as were ever borrowed at once, up to its capacity.
var idle = make(chan *batch, 16)

// A Receiver receives from one socket.
type Receiver struct {
	s     *sockeye.Socket
	batch *batch         // nil: none yet, or none borrowed
	whole *record.Reader // for the families whose datagrams can be of any size
	one   [1]Datagram
	want  int // messages to ask for: room for many costs, where few come
}

// NewReceiver makes a receiver for a socket of SOCK_DGRAM.
func NewReceiver(s *sockeye.Socket) (*Receiver, error) {
	local, err := s.Getsockname()
	if err != nil {
		return nil, err
	}
	r := &Receiver{s: s}
	if f := local.Family(); f != sockeye.AF_INET && f != sockeye.AF_INET6 {
		r.whole, err = record.NewReader(s, sockeye.SOCK_DGRAM)
		return r, err
	}
	if local.Addr().IsUnspecified() {
		// Bound to every address: which one was meant, each datagram tells.
		option := sockeye.IP_PKTINFO
		if local.Family() == sockeye.AF_INET6 {
			option = sockeye.IPV6_RECVPKTINFO
		}
		if err := option.Set(s, true); err != nil {
			return nil, err
		}
	}
	sockeye.UDP_GRO.Set(s, true) // who does not know it gives datagrams one by one
	return r, nil
}

// Receive waits for datagrams. What it gives stays as it is until the next call
// of Receive or Release.
func (r *Receiver) Receive() ([]Datagram, error) {
	if r.whole != nil {
		p, from, err := r.whole.Next()
		if err != nil {
			return nil, err
		}
		r.one[0] = Datagram{Peer: from, Data: p}
		return r.one[:], nil
	}
	if r.batch == nil {
		r.batch = newBatch(batchSize)
	}
	r.want = min(max(1, r.want), len(r.batch.ms))
	ms, got := r.batch.ms[:r.want], r.batch.got
	n, err := r.s.Recvmmsg(ms, sockeye.MSG_WAITFORONE)
	if n == 0 {
		return nil, err
	}
	switch {
	case n == r.want:
		r.want *= 2
	case n < r.want/2:
		r.want--
	}
	for i := range ms[:n] {
		m := &ms[i]
		got[i] = Datagram{Peer: m.Name, Data: m.Buffers[0][:m.N]}
		if m.ControlN > 0 {
			got[i].readControl(m)
		}
	}
	return got[:n], nil
}

// ReceiveBorrowing is Receive for one of thousands of receivers: memory for
// datagrams is borrowed when there are some, for as long as use runs.
func (r *Receiver) ReceiveBorrowing(use func([]Datagram)) error {
	if _, err := r.s.Recv(nil, sockeye.MSG_PEEK); err != nil {
		return err
	}
	select {
	case r.batch = <-idle:
	default:
		r.batch = newBatch(borrowedSize)
	}
	ds, err := r.Receive()
	if err == nil {
		use(ds)
	}
	select {
	case idle <- r.batch:
	default:
	}
	r.batch = nil
	return err
}

func (d *Datagram) readControl(m *sockeye.Message) {
	for c := range m.ControlMessages() {
		switch info, ok := c.Pktinfo(); {
		case ok && info.Local.IsValid() && !info.Local.IsUnspecified():
			d.Local = info.Local // of a broadcast or multicast too
		case ok && !info.Dst.IsMulticast():
			d.Local = info.Dst // IPv6, or it came before IP_PKTINFO was set
		case c.Level == sockeye.UDP_GRO.Level && c.Type == sockeye.UDP_GRO.Name:
			if size, ok := c.Int(); ok && size < m.N {
				d.Segment = size
			}
		}
	}
}

// passing are errors that say how an earlier datagram fared: the socket is well.
var passing = []syscall.Errno{
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.ENETUNREACH,
	syscall.ENETDOWN, syscall.EPROTO, syscall.ENOPROTOOPT, syscall.EACCES, syscall.EMSGSIZE,
}

// Passing tells whether a receive failed for what became of a datagram sent
// before (ip(7), IP_RECVERR), so that the next may succeed.
func Passing(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && slices.Contains(passing, errno)
}
