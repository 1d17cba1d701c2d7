package relay

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"sockeye"
	"sockeye/internal/accept"
)

// A connections serves those of one listening socket.
type connections struct {
	*accept.Server
	typ     sockeye.Type
	dial    func(context.Context) (*sockeye.Socket, error)
	log     func(Event) // or nil
	relayed atomic.Int32
	turn    chan struct{} // of the connection that is the next to get a descriptor
}

func serveConnections(ctx context.Context, s *sockeye.Socket, typ sockeye.Type, dial func(context.Context) (*sockeye.Socket, error), log func(Event)) error {
	// Accepted sockets have it from their listener: what comes in pieces goes
	// on in pieces. Other families know no such option.
	sockeye.TCP_NODELAY.Set(s, true)
	all := &connections{accept.New(s), typ, dial, log, atomic.Int32{}, make(chan struct{}, 1)}
	return all.Serve(ctx, all.serve)
}

func (all *connections) serve(ctx context.Context, peer *sockeye.Socket, from sockeye.Sockaddr) {
	all.relayed.Add(1)
	target, err := all.dial(ctx)
	if accept.Starved(err) {
		all.relayed.Add(-1)
		target, err = all.dialStarved(ctx, peer)
	}
	defer all.relayed.Add(-1)
	ev := Event{Peer: from}
	if err == nil {
		err = all.relay(ctx, end{peer, all.typ}, target, &ev)
	} else {
		abort(ctx, peer)
	}
	if all.log == nil {
		return
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	ev.Opened, ev.Err = false, err
	all.log(ev)
}

// patience is how long a connection whose turn it is waits for a descriptor.
const patience = 5 * time.Second

// dialStarved dials when there is no descriptor to have: one connection at a
// time, with the next as those that are relayed end. With none relayed, all
// descriptors are with connections that wait for one more, and one has to give up
// its own for the others to go on.
func (all *connections) dialStarved(ctx context.Context, peer *sockeye.Socket) (target *sockeye.Socket, err error) {
	all.Pause()
	defer all.Resume()
	select {
	case all.turn <- struct{}{}:
	case <-ctx.Done():
		all.relayed.Add(1)
		return nil, ctx.Err()
	}
	defer func() {
		all.relayed.Add(1)
		<-all.turn
	}()
	for start := time.Now(); ; all.Wait(ctx) {
		target, err = all.dial(ctx)
		if !accept.Starved(err) || ctx.Err() != nil {
			return target, err
		}
		if all.relayed.Load() == 0 || time.Since(start) > patience {
			abort(ctx, peer)
			return nil, err
		}
	}
}

// An end is one of the two sockets of a connection that is relayed.
type end struct {
	*sockeye.Socket
	typ sockeye.Type
}

// A connection is relayed by two goroutines, one for each direction.
type connection struct {
	ctx    context.Context
	ends   [2]end       // the peer's and the target's
	ended  atomic.Int32 // how many directions have
	broken atomic.Bool  // one ended with an error
	err    error        // the first
}

// relay moves data between two sockets until both directions have ended.
func (all *connections) relay(ctx context.Context, peer end, target *sockeye.Socket, ev *Event) error {
	defer target.Close()
	typ, err := sockeye.SO_TYPE.Get(target)
	if err != nil {
		return err
	}
	if typ != sockeye.SOCK_STREAM && typ != sockeye.SOCK_SEQPACKET {
		return fmt.Errorf("relay: the target's socket is of %v: want SOCK_STREAM or SOCK_SEQPACKET", typ)
	}
	if all.log != nil {
		ev.Target, _ = target.Getpeername()
		ev.Opened = true
		all.log(*ev)
	}
	c := &connection{ctx: ctx, ends: [2]end{peer, {target, typ}}}
	back := make(chan int64)
	all.Go(func() { back <- c.forward(1, 0) })
	ev.Sent = c.forward(0, 1)
	ev.Received = <-back
	return c.err
}

// forward moves data in one direction, tells how much, and passes on its end.
func (c *connection) forward(from, to int) int64 {
	src, dst := c.ends[from], c.ends[to]
	n, err := pump(dst, src)
	c.fail(err)
	last := c.ended.Add(1) == 2
	if err == nil && !last && wasReset(src) {
		c.fail(syscall.ECONNRESET)
	}
	switch {
	case !c.broken.Load():
		if !last { // else both are closed, which says as much
			dst.Shutdown(sockeye.SHUT_WR)
		}
	case !last && !isGone(src) && (isGone(dst) || errors.Is(err, syscall.EPIPE)):
		// What dst sent before is still to be delivered: the other direction
		// finds its end.
	default:
		abort(c.ctx, dst.Socket)
		abort(c.ctx, src.Socket)
	}
	return n
}

// fail notes why the connection is broken, unless it was before.
func (c *connection) fail(err error) {
	if err != nil && c.broken.CompareAndSwap(false, true) {
		c.err = err
	}
}

func isGone(s end) bool {
	return s.Ready(0)&(sockeye.POLLERR|sockeye.POLLHUP|sockeye.POLLNVAL) != 0
}

// wasReset tells whether a connection of which the end was read is reset: a
// failed send in the other direction may have taken the error, of which receiving
// then knows nothing. After an orderly end it would still have a peer.
func wasReset(s end) bool {
	_, err := s.Getpeername()
	return err != nil
}

// flushTime bounds how long a reset waits for the data sent before it.
const flushTime = 5 * time.Second

// abort closes a socket with a reset (SO_LINGER of 0, socket(7)), once what was
// sent on it has left.
func abort(ctx context.Context, s *sockeye.Socket) {
	// With TCP_NOTSENT_LOWAT of 1 a socket is writable when all is sent.
	if sockeye.TCP_NOTSENT_LOWAT.Set(s, 1) == nil {
		s.Host().Poll(ctx, []sockeye.PollFd{{Socket: s, Events: sockeye.POLLOUT}}, flushTime)
	}
	sockeye.SO_LINGER.Set(s, sockeye.Linger{On: true})
	s.Close()
}
