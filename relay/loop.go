package relay

import (
	"context"
	"runtime"
	"time"

	"sockeye"
	"sockeye/internal/accept"
)

// A loop accepts and relays, in one goroutine, the connections on which little
// happens at a time: those that are short, and those that wait. That spares a
// short connection two goroutines, with what it costs to park and to wake them.
// Whatever has to wait for anything but input leaves the loop.
type loop struct {
	all      *connections
	s        *sockeye.Socket
	epoll    *sockeye.Epoll // of s, and of the connections' sockets with their pipes
	events   []sockeye.EpollEvent
	buf      []byte
	accepted int  // since the last turn
	idle     bool // nobody waits to be accepted, until s tells
}

const (
	maxLoops   = 4   // each is woken for every new connection
	maxEvents  = 128 // that a loop takes at a time
	maxAccepts = 16  // between two turns, so that new connections do not starve old ones
)

// newLoops gives none where there are none to be had, and as many as there are
// processors to run them, within reason.
func (all *connections) newLoops(s *sockeye.Socket) (loops []accept.Acceptor) {
	if all.typ != sockeye.SOCK_STREAM {
		return nil
	}
	for range min(runtime.GOMAXPROCS(0), maxLoops) {
		epoll, err := s.Host().NewEpoll()
		if err == nil {
			if err = epoll.Add(s, sockeye.POLLIN, nil); err != nil {
				epoll.Close()
			}
		}
		if err != nil {
			return loops
		}
		loops = append(loops, &loop{
			all: all, s: s, epoll: epoll,
			events: make([]sockeye.EpollEvent, maxEvents),
			buf:    make([]byte, largeBuffer),
		})
		s.SetNonblock(true)
	}
	return loops
}

// Accept relays until there is a new connection.
func (l *loop) Accept() (*sockeye.Socket, sockeye.Sockaddr, error) {
	for {
		if l.accepted == maxAccepts {
			l.turn(0)
		}
		if !l.idle {
			conn, from, err := l.s.Accept()
			if !isAgain(err) {
				l.accepted++
				return conn, from, err
			}
			l.idle = true
		}
		if err := l.turn(-1); err != nil {
			return nil, sockeye.Sockaddr{}, err
		}
	}
}

// Handle begins to relay a connection.
func (l *loop) Handle(ctx context.Context, conn *sockeye.Socket, from sockeye.Sockaddr) {
	l.all.serve(ctx, conn, from, l)
}

// Wait relays for a while.
func (l *loop) Wait(context.Context) { l.turn(accept.Scarcity) }

// Finish relays until Close.
func (l *loop) Finish() {
	for l.turn(-1) == nil {
	}
}

// Close ends the loop.
func (l *loop) Close() { l.epoll.Close() }

// turn works on the connections that have become ready.
func (l *loop) turn(limit time.Duration) error {
	l.accepted = 0
	n, err := l.epoll.Wait(context.Background(), l.events, limit)
	for _, ev := range l.events[:n] {
		if p, ok := ev.Data.(*pipe); ok {
			l.work(p, ev.Events)
		} else { // l.s
			l.idle = false
		}
	}
	clear(l.events[:n])
	return err
}

// work moves what has come in a pipe.
func (l *loop) work(p *pipe, events sockeye.Events) {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left || p.ended || p.turn(l.buf, events) {
		return
	}
	l.epoll.Delete(c.peer)
	l.epoll.Delete(c.target)
	c.leave()
}

// first receives what the peer of a new connection has sent by now. An end is
// there to be read again.
func (l *loop) first(c *connection) []byte {
	n, err := c.peer.Recv(l.buf, sockeye.MSG_DONTWAIT)
	if !isAgain(err) {
		c.fail(err)
	}
	return l.buf[:n]
}

// take begins to relay a connection, unless it is not for the loop.
func (l *loop) take(c *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l == nil || c.target.Type() != sockeye.SOCK_STREAM || c.target.Host() != c.peer.Host() || !l.begin(c) {
		c.leave()
	}
}

func (l *loop) begin(c *connection) bool {
	if len(c.first) > 0 {
		return false
	}
	if c.sent == 0 {
		buf := smallBuffers.Get().(*[smallBuffer]byte)
		defer smallBuffers.Put(buf)
		if !c.pipes[0].turn(buf[:], 0) { // most peers have sent something by now
			return false
		}
	}
	const input = sockeye.POLLIN | sockeye.POLLPRI | sockeye.POLLRDHUP
	if l.epoll.Add(c.peer, input, &c.pipes[0]) != nil {
		return false
	}
	if l.epoll.Add(c.target, input, &c.pipes[1]) != nil {
		l.epoll.Delete(c.peer)
		return false
	}
	return true
}
