package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"sockeye"
)

// datagrams serves all who send to a datagram socket.
func (l *listener) datagrams(ctx context.Context, s *sockeye.Socket) error {
	typ := s.Type()
	r, err := newReceiver(s.WithContext(ctx), typ)
	if err != nil {
		return err
	}
	c := &correspondence{
		l: l, s: s, typ: typ, known: make(map[sockeye.Sockaddr]bool),
		places: make(chan struct{}, programs), wrote: make(chan struct{}),
	}
	if l.command == "" {
		go c.input(ctx)
	}
	for {
		p, from, err := r.receive()
		if errors.Is(err, os.ErrDeadlineExceeded) && l.wait > 0 {
			return nil
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			continue // an answer of ours found nobody
		}
		if err != nil {
			return err
		}
		c.heard(from)
		if l.command != "" {
			c.exec(ctx, append([]byte(nil), p...), from)
		} else if err := l.a.output(p); err != nil {
			return err
		}
		c.bound()
	}
}

// A correspondence is a datagram socket and those who wrote to it.
type correspondence struct {
	l      *listener
	s      *sockeye.Socket
	typ    sockeye.Type
	known  map[sockeye.Sockaddr]bool
	places chan struct{} // taken by programs that run

	mu    sync.Mutex
	last  sockeye.Sockaddr
	wrote chan struct{} // closed once somebody wrote
	over  bool          // the input has ended
}

// heard tells of a sender who had not written before.
func (c *correspondence) heard(from sockeye.Sockaddr) {
	if !c.known[from] {
		if len(c.known) == 1<<16 {
			clear(c.known)
		}
		c.known[from] = true
		c.l.a.console.event(event{Event: "heard", Peer: peerName(c.s, from)})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.IsZero() {
		defer close(c.wrote)
	}
	if c.last = from; from.IsZero() {
		c.last = sockeye.SockaddrUnix("") // without a name: it can't be answered
	}
}

// bound limits the wait for more after the end of input.
func (c *correspondence) bound() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over && c.l.wait > 0 {
		c.s.SetReadDeadline(time.Now().Add(c.l.wait))
	}
}

// input sends standard input to who wrote last.
func (c *correspondence) input(ctx context.Context) {
	defer c.bound()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.over = true
	}()
	buf := make([]byte, sendSize(c.s, c.typ))
	select {
	case <-c.wrote:
	case <-ctx.Done():
		return
	}
	for {
		n, err := c.l.a.stdin.Read(buf)
		if n > 0 {
			c.mu.Lock()
			to := c.last
			c.mu.Unlock()
			c.answer(ctx, buf[:n], to)
		}
		if err != nil {
			c.l.a.inputFailed(err)
			return
		}
	}
}

// answer sends one datagram, and tells if that can't be done.
func (c *correspondence) answer(ctx context.Context, p []byte, to sockeye.Sockaddr) {
	if _, err := c.s.WithContext(ctx).Sendto(p, 0, to); err != nil && ctx.Err() == nil {
		text := explain(err)
		if to.Family() == sockeye.AF_UNIX && to.Path() == "" {
			text = "it has no name that an answer could go to"
		}
		c.l.a.console.event(event{Peer: peerName(c.s, to), Error: text})
	}
}
