package sock

import (
	"context"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"sockeye"
)

// A waitlist holds the calls that wait for one direction of a socket.
type waitlist struct {
	happened    atomic.Uint32 // counts events, so that one between Try and parking is seen
	interrupted atomic.Uint32 // counts interruptions
	parked      []chan struct{}
}

func (l *waitlist) leave(c chan struct{}) {
	if i := slices.Index(l.parked, c); i >= 0 {
		l.parked = slices.Delete(l.parked, i, i+1)
	}
}

// Wake makes the calls that wait in the direction try again, once the host is unlocked.
// The host is locked.
func (s *Socket) Wake(d sockeye.Direction) {
	l := &s.waits[d]
	l.happened.Add(1)
	if s.Host.Order != nil {
		l.parked = s.wakeInTurn(l.parked)
	} else if len(l.parked) > 0 {
		s.Host.woken = append(s.Host.woken, l.parked...)
		clear(l.parked)
		l.parked = l.parked[:0]
	}
}

// WakeAll is Wake both ways.
func (s *Socket) WakeAll() {
	s.Wake(sockeye.ForRead)
	s.Wake(sockeye.ForWrite)
}

// Wait is what sockeye.Endpoint asks for.
func (fd *Descriptor) Wait(d sockeye.Direction, w sockeye.Waiter) error {
	if d == sockeye.ForRead {
		fd.awaitTurn()
	}
	l := &fd.base.waits[d]
	interrupted := l.interrupted.Load()
	deadline := w.Deadline() // after which a change is an interruption
	for {
		happened := l.happened.Load()
		switch {
		case fd.closed.Load():
			return net.ErrClosed
		case !deadline.IsZero() && time.Until(deadline) <= 0:
			return os.ErrDeadlineExceeded
		case w.Try():
			return nil
		}
		if l.interrupted.Load() != interrupted {
			return sockeye.ErrInterrupted
		}
		if l.happened.Load() == happened { // what a connect on this host sent may have had its answer
			fd.park(l, happened, deadline)
		}
	}
}

// park waits until something happens that is not counted in happened, or until the
// deadline.
func (fd *Descriptor) park(l *waitlist, happened uint32, deadline time.Time) {
	h := fd.base.Host
	h.Lock()
	if l.happened.Load() != happened || fd.closed.Load() {
		h.Unlock()
		return
	}
	wake := h.takeWake()
	l.parked = append(l.parked, wake)
	h.Unlock()
	switch {
	case deadline.IsZero():
		<-wake
	case h.Order != nil:
		timer := fd.alarm(deadline, wake)
		<-wake
		timer.Stop()
		h.Lock()
		l.leave(wake)
		h.Unlock()
	default:
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		select {
		case <-wake:
		case <-timer.C:
			h.Lock()
			l.leave(wake)
			h.Unlock()
		}
	}
	h.giveWake(wake)
}

// takeWake gives a channel to park on. Those of earlier waits are used again;
// they were made by this host, and so in its testing/synctest bubble.
func (h *Host) takeWake() chan struct{} {
	if h.Order != nil {
		return make(chan struct{}, 1) // and no token of an earlier wait
	}
	if c, ok := h.wakes.Get().(chan struct{}); ok {
		return c
	}
	return make(chan struct{}, 1)
}

// giveWake takes a channel back. A token may still come to it, of a wake that overlapped the
// end of the wait: whoever parks next looks once more than need be.
func (h *Host) giveWake(c chan struct{}) { h.wakes.Put(c) }

// Unlock unlocks the host, and then wakes those who wait for what happened: they find it
// unlocked.
func (h *Host) Unlock() {
	if h.Looped {
		h.Deliver()
	}
	if h.Clock != 0 {
		h.Clock, h.Latest = 0, h.Clock
	}
	if len(h.woken) == 0 {
		h.mu.Unlock()
		return
	}
	var space [8]chan struct{}
	now := append(space[:0], h.woken...)
	clear(h.woken)
	h.woken = h.woken[:0]
	h.mu.Unlock()
	for _, c := range now {
		select {
		case c <- struct{}{}:
		default: // it has a token, and will look anyway
		}
	}
}

// Interrupt is what sockeye.Endpoint asks for.
func (fd *Descriptor) Interrupt(d sockeye.Direction) {
	s := fd.base
	s.Host.Lock()
	defer s.Host.Unlock()
	if s.Host.Later() {
		s.Host.Post(fd.file, "", &interruption{s, d})
		return
	}
	s.interrupt(d)
}

func (s *Socket) interrupt(d sockeye.Direction) {
	s.waits[d].interrupted.Add(1)
	s.Wake(d)
}

// Poll is what sockeye.Engine asks for.
func (h *Host) Poll(ctx context.Context, eps []sockeye.Endpoint, events, revents []sockeye.Events, deadline time.Time) (int, error) {
	fds := make([]*Descriptor, len(eps))
	for i, ep := range eps {
		fd, ok := ep.(*Descriptor)
		if !ok || fd.base.Host != h {
			return 0, syscall.EINVAL
		}
		fds[i] = fd
	}
	wake := h.takeWake()
	everywhere := func(do func(l *waitlist)) {
		h.Lock()
		defer h.Unlock()
		for _, fd := range fds {
			for d := range fd.base.waits {
				do(&fd.base.waits[d])
			}
		}
	}
	defer func() {
		everywhere(func(l *waitlist) { l.leave(wake) })
		h.giveWake(wake)
	}()

	var timeout <-chan time.Time
	for {
		everywhere(func(l *waitlist) {
			l.leave(wake) // where it was not what woke us
			l.parked = append(l.parked, wake)
		})
		n := 0
		for i, fd := range fds {
			revents[i] = fd.Ready(events[i])
			if revents[i] == sockeye.POLLNVAL {
				return 0, net.ErrClosed
			}
			if revents[i] != 0 {
				n++
			}
		}
		switch {
		case n > 0:
			return n, nil
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case deadline.IsZero():
		case !time.Now().Before(deadline):
			return 0, os.ErrDeadlineExceeded
		case timeout == nil && h.Order != nil && len(fds) > 0:
			defer fds[0].alarm(deadline, wake).Stop()
			timeout = make(chan time.Time) // never: it is wake that is sent to
		case timeout == nil:
			t := time.NewTimer(time.Until(deadline))
			defer t.Stop()
			timeout = t.C
		}
		select {
		case <-wake:
		case <-ctx.Done():
		case <-timeout:
		}
	}
}
