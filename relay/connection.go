package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
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
	to      Target
	log     func(Event) // or nil
	relayed atomic.Int32
	turn    chan struct{} // of the connection that is the next to get a descriptor
}

func serveConnections(ctx context.Context, s *sockeye.Socket, typ sockeye.Type, to Target, log func(Event)) error {
	// Accepted sockets have it from their listener: what comes in pieces goes
	// on in pieces. Other families know no such option.
	sockeye.TCP_NODELAY.Set(s, true)
	all := &connections{Server: accept.New(s), typ: typ, to: to, log: log, turn: make(chan struct{}, 1)}
	if loops := all.newLoops(s); len(loops) > 0 {
		return all.ServeFrom(ctx, loops...)
	}
	return all.Serve(ctx, func(ctx context.Context, peer *sockeye.Socket, from sockeye.Sockaddr) {
		all.serve(ctx, peer, from, nil)
	})
}

// serve begins to relay a connection at once or, if that takes waiting, in a
// goroutine.
func (all *connections) serve(ctx context.Context, peer *sockeye.Socket, from sockeye.Sockaddr, l *loop) {
	all.relayed.Add(1)
	c := &connection{owner: all, ctx: ctx, peer: peer, event: Event{Peer: from}}
	if l != nil && all.to.DialNow != nil {
		first := l.first(c)
		c.target, c.sent = all.to.DialNow(first)
		c.first = bytes.Clone(first[c.sent:])
		if c.target != nil {
			all.open(c, l)
			return
		}
	}
	all.Go(func() { all.dial(c, l) })
}

func (all *connections) dial(c *connection, l *loop) {
	var err error
	c.target, err = all.to.Dial(c.ctx)
	if accept.Starved(err) {
		all.relayed.Add(-1)
		c.target, err = all.dialStarved(c.ctx, c.peer)
	}
	if err != nil {
		abort(c.ctx, c.peer)
		c.fail(err)
		all.close(c)
		return
	}
	all.open(c, l)
}

// open begins to relay a connection whose target is there.
func (all *connections) open(c *connection, l *loop) {
	if typ := c.target.Type(); typ != sockeye.SOCK_STREAM && typ != sockeye.SOCK_SEQPACKET {
		c.fail(fmt.Errorf("relay: the target's socket is of %v: want SOCK_STREAM or SOCK_SEQPACKET", typ))
		all.close(c)
		return
	}
	c.join()
	if all.log != nil {
		c.event.Target, _ = c.target.Getpeername()
		c.event.Opened = true
		all.log(c.event)
	}
	l.take(c)
}

// close ends a connection.
func (all *connections) close(c *connection) {
	if c.target != nil {
		c.target.Close()
	}
	all.relayed.Add(-1)
	if all.log != nil {
		ev := c.event
		ev.Opened, ev.Sent, ev.Received, ev.Err = false, c.pipes[0].total, c.pipes[1].total, c.cause()
		all.log(ev)
	}
	all.End(c.peer)
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
		target, err = all.to.Dial(ctx)
		if !accept.Starved(err) || ctx.Err() != nil {
			return target, err
		}
		if all.relayed.Load() == 0 || time.Since(start) > patience {
			abort(ctx, peer)
			return nil, err
		}
	}
}

// A connection is relayed by a loop or, if that can't, by two goroutines.
type connection struct {
	owner        owner
	ctx          context.Context
	peer, target *sockeye.Socket
	pipes        [2]pipe // from the peer, and from the target
	event        Event
	sent         int    // bytes that were sent to the target when it was dialed
	first        []byte // that were received from the peer by then, but for these

	ended  atomic.Int32 // how many pipes have
	closed atomic.Int32 // how many have passed that on, too
	broken atomic.Bool  // one ended with an error
	err    error        // the first

	mu   sync.Mutex // held by the loop, and by who gives it the connection
	left bool       // the loop has nothing to do with it
}

// An owner is who a connection is relayed for.
type owner interface {
	// Go runs f in a goroutine.
	Go(f func())
	// close is called when both pipes have ended.
	close(c *connection)
}

// join makes the pipes between the peer and the target.
func (c *connection) join() {
	peer, target := end{c.peer, c.peer.Type()}, end{c.target, c.target.Type()}
	c.pipes = [2]pipe{{c: c, src: peer, dst: target, total: int64(c.sent), rest: c.first}, {c: c, src: target, dst: peer}}
}

// leave gives what has not ended to goroutines.
func (c *connection) leave() {
	c.left = true
	for i := range c.pipes {
		if p := &c.pipes[i]; !p.ended {
			c.owner.Go(p.run)
		}
	}
}

// cause is why the connection is broken; nil: it isn't.
func (c *connection) cause() error {
	if c.err != nil && c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return c.err
}

// fail notes why the connection is broken, unless it was before.
func (c *connection) fail(err error) {
	if err != nil && c.broken.CompareAndSwap(false, true) {
		c.err = err
	}
}

// end notes that the pipe has ended, and passes that on: an end as such, and a
// reset as a reset. mayBeReset says that an end may hide one.
func (p *pipe) end(err error, mayBeReset bool) {
	c := p.c
	p.ended = true
	c.fail(err)
	last := c.ended.Add(1) == 2
	if err == nil && !last && mayBeReset && wasReset(p.src) {
		c.fail(syscall.ECONNRESET)
	}
	switch {
	case !c.broken.Load():
		if !last { // else both are closed, which says as much
			p.dst.Shutdown(sockeye.SHUT_WR)
		}
	case !last && !isGone(p.src) && (isGone(p.dst) || errors.Is(err, syscall.EPIPE)):
		// What dst sent before is still to be delivered: the other pipe finds its
		// end.
	default:
		c.owner.Go(func() { // it may have to wait
			abort(c.ctx, p.dst.Socket)
			abort(c.ctx, p.src.Socket)
			p.close()
		})
		return
	}
	p.close()
}

// close ends the connection after its second pipe.
func (p *pipe) close() {
	if c := p.c; c.closed.Add(1) == 2 {
		c.owner.close(c)
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
