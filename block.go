package sockeye

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"
)

// An op is one call that may have to wait. Its fields are the call's arguments
// and results; do makes the call once, without waiting, and gives EAGAIN while
// it is not done. Ops are pooled, so that calls allocate nothing.
type op struct {
	c   *core
	ctx context.Context
	dir Direction
	do  func(*op) error

	p      []byte
	name   Sockaddr
	m      *Message
	ms     []Message
	flags  MsgFlags
	target int // bytes to receive before the call is done
	ep     Endpoint
	n      int
	try    func() bool

	connecting bool
	accepting  bool

	limit time.Time // from SO_RCVTIMEO, SO_SNDTIMEO or a transfer
	first error     // what the call answered before it waited, where there is a limit
	err   error
}

var ops = sync.Pool{New: func() any { return new(op) }}

func (s *Socket) newOp(d Direction, do func(*op) error) *op {
	o := ops.Get().(*op)
	o.c, o.ctx, o.dir, o.do = s.c, s.ctx, d, do
	return o
}

func (o *op) free() {
	*o = op{}
	ops.Put(o)
}

// Try is for Endpoint.Wait.
func (o *op) Try() bool {
	if o.ctx != nil {
		if o.err = o.ctx.Err(); o.err != nil {
			return true
		}
	}
	o.err = o.do(o)
	if o.err == syscall.EAGAIN && o.dir == ForRead && o.c.shutRead.Load() {
		o.readShutDown()
	}
	return !pending(o.err)
}

// readShutDown ends a call that would wait on a socket that was shut down for
// reading. On datagram sockets and unix listeners Linux gives EAGAIN where the
// call must not wait, but no bytes, or EINVAL from accept, where it may
// (__skb_wait_for_more_packets in net/core/datagram.c).
func (o *op) readShutDown() {
	if o.neverWaits() || o.c.ep.Ready(POLLRDHUP)&POLLRDHUP == 0 {
		return
	}
	typ := o.c.socktype()
	switch {
	case o.accepting:
		o.err = syscall.EINVAL
	case typ == SOCK_DGRAM || typ == SOCK_RAW:
		o.err = nil
		if o.m != nil {
			o.m.end()
		}
		for ; o.n < len(o.ms); o.n++ {
			o.ms[o.n].end()
		}
	}
}

// pending tells whether a call that waits would go on waiting.
func pending(err error) bool {
	return err == syscall.EAGAIN || err == syscall.EINPROGRESS || err == syscall.EALREADY
}

// Deadline is for Endpoint.Wait.
func (o *op) Deadline() time.Time {
	d := o.c.getDeadline(o.dir)
	if d.IsZero() || !o.limit.IsZero() && o.limit.Before(d) {
		return o.limit
	}
	return d
}

// Target is for Endpoint.Wait.
func (o *op) Target() (to Sockaddr, connecting bool) { return o.name, o.connecting }

// run makes the call and waits as the socket and the flags say.
func (o *op) run() error {
	if o.neverWaits() {
		o.Try()
		return o.err
	}
	return o.block()
}

// block makes the call and waits.
func (o *op) block() error {
	limit := o.c.timeout[o.dir].Load()
	cancels := o.ctx != nil && o.ctx.Done() != nil
	if limit == 0 && !cancels {
		return o.wait()
	}
	// A call that need not wait is spared the price of AfterFunc, and a short
	// timeout takes nothing from it. A connection to this machine is often made
	// when connect says that it is in progress.
	if d := o.Deadline(); (d.IsZero() || time.Now().Before(d)) && (o.Try() || cancels && o.connecting && o.Try()) {
		return o.err
	}
	o.first = o.err
	switch {
	case limit == atOnce:
		return o.timedOut()
	case limit != 0:
		if t := time.Now().Add(time.Duration(limit)); o.limit.IsZero() || t.Before(o.limit) {
			o.limit = t
		}
	}
	if !cancels {
		return o.wait()
	}
	c, d := o.c, o.dir
	stop := context.AfterFunc(o.ctx, func() { c.ep.Interrupt(d) })
	defer stop()
	return o.wait()
}

// neverWaits is for non-blocking sockets, and for flags whose calls do not wait
// on a blocking one either: MSG_DONTWAIT, and receiving urgent data or queued
// errors (tcp(7), recvmsg(2)).
func (o *op) neverWaits() bool {
	return o.flags&MSG_DONTWAIT != 0 || o.dir == ForRead && o.flags&(MSG_OOB|MSG_ERRQUEUE) != 0 ||
		o.c.nonblock.Load()
}

func (o *op) wait() error {
	for {
		switch err := o.c.ep.Wait(o.dir, o); err {
		case nil:
			return o.err
		case ErrInterrupted: // the deadline was moved, or ctx ended, which Try finds
		case os.ErrDeadlineExceeded:
			if d := o.c.getDeadline(o.dir); o.limit.IsZero() || !d.IsZero() && d.Before(o.limit) {
				return os.ErrDeadlineExceeded
			}
			return o.timedOut()
		default:
			return err
		}
	}
}

// timedOut is how a call ends that SO_RCVTIMEO or SO_SNDTIMEO bounds.
func (o *op) timedOut() error {
	if o.n > 0 { // socket(7): a timeout after some data gives the count
		return nil
	}
	if o.connecting && o.first != nil {
		return o.first // EINPROGRESS, EALREADY when asked again, EAGAIN of a full unix backlog
	}
	return syscall.EAGAIN
}

// epoch is what deadlines count from: an int64 can be read without a lock, and
// a difference keeps the monotonic clock.
var epoch = time.Now()

func (c *core) getDeadline(d Direction) time.Time {
	if v := c.deadline[d].Load(); v != 0 {
		return epoch.Add(time.Duration(v))
	}
	return time.Time{}
}

func (c *core) setDeadline(d Direction, t time.Time) {
	var v int64
	if !t.IsZero() {
		// A time without a monotonic reading gets one here.
		v = int64(time.Now().Add(time.Until(t)).Sub(epoch))
		if v == 0 {
			v = 1
		}
	}
	c.deadline[d].Store(v)
	c.ep.Interrupt(d)
}

// SetDeadline bounds every call, those that wait already too. A call that
// passes it gives os.ErrDeadlineExceeded. The zero time takes the bound away.
func (s *Socket) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

// SetReadDeadline is SetDeadline for receiving and Accept.
func (s *Socket) SetReadDeadline(t time.Time) error { return s.setDeadline(ForRead, t) }

// SetWriteDeadline is SetDeadline for sending and Connect.
func (s *Socket) SetWriteDeadline(t time.Time) error { return s.setDeadline(ForWrite, t) }

func (s *Socket) setDeadline(d Direction, t time.Time) error {
	if s.c.closed.Load() {
		return &Error{Call: "setdeadline", Err: syscall.EBADF}
	}
	s.c.setDeadline(d, t)
	return nil
}
