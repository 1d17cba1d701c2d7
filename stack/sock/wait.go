package sock

import (
	"context"
	"net"
	"os"
	"syscall"
	"time"

	"sockeye"
)

// A waitlist holds the calls that wait for one direction of a socket.
type waitlist struct {
	happened    uint64 // counts events, so that one between Try and parking is seen
	interrupted uint64 // counts interruptions
	parked      []chan struct{}
}

// wake tells all that something happened. Each channel has room for one token:
// who has one already will look anyway.
func (l *waitlist) wake() {
	l.happened++
	for _, c := range l.parked {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (l *waitlist) leave(c chan struct{}) {
	for i, d := range l.parked {
		if c == d {
			l.parked = append(l.parked[:i], l.parked[i+1:]...)
			return
		}
	}
}

// Wake makes the calls that wait in the direction try again. The host is
// locked.
func (s *Socket) Wake(d sockeye.Direction) { s.waits[d].wake() }

// WakeAll is Wake both ways.
func (s *Socket) WakeAll() {
	s.Wake(sockeye.ForRead)
	s.Wake(sockeye.ForWrite)
}

// Wait is what sockeye.Endpoint asks for.
func (fd *Descriptor) Wait(d sockeye.Direction, w sockeye.Waiter) error {
	s := fd.base
	l := &s.waits[d]
	s.Host.Lock()
	interrupted := l.interrupted
	s.Host.Unlock()
	deadline := w.Deadline() // after which a change is an interruption

	var timer *time.Timer
	var timeout <-chan time.Time
	var wake chan struct{}
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		s.Host.Lock()
		happened := l.happened
		closed := fd.closed
		s.Host.Unlock()
		switch {
		case closed:
			return net.ErrClosed
		case !deadline.IsZero() && !time.Now().Before(deadline):
			return os.ErrDeadlineExceeded
		case w.Try():
			return nil
		}

		s.Host.Lock()
		switch {
		case l.interrupted != interrupted:
			s.Host.Unlock()
			return sockeye.ErrInterrupted
		case l.happened != happened || fd.closed:
			s.Host.Unlock()
			continue
		}
		if wake == nil {
			wake = s.Host.takeWake()
		}
		l.parked = append(l.parked, wake)
		s.Host.Unlock()

		if timer == nil && !deadline.IsZero() {
			timer = time.NewTimer(time.Until(deadline))
			timeout = timer.C
		}
		select {
		case <-wake:
		case <-timeout:
		}
		s.Host.Lock()
		l.leave(wake)
		s.Host.giveWake(wake)
		wake = nil
		s.Host.Unlock()
	}
}

// takeWake gives a channel to park on. Those of earlier waits are used again;
// they were made by this host, and so in its testing/synctest bubble.
func (h *Host) takeWake() chan struct{} {
	if n := len(h.wakes); n > 0 {
		c := h.wakes[n-1]
		h.wakes = h.wakes[:n-1]
		return c
	}
	return make(chan struct{}, 1)
}

func (h *Host) giveWake(c chan struct{}) {
	select {
	case <-c: // a token that came as the wait ended
	default:
	}
	h.wakes = append(h.wakes, c)
}

// Interrupt is what sockeye.Endpoint asks for.
func (fd *Descriptor) Interrupt(d sockeye.Direction) {
	s := fd.base
	s.Host.Lock()
	defer s.Host.Unlock()
	s.waits[d].interrupted++
	s.waits[d].wake()
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
	h.Lock()
	wake := h.takeWake()
	for _, fd := range fds {
		for d := range fd.base.waits {
			l := &fd.base.waits[d]
			l.parked = append(l.parked, wake)
		}
	}
	h.Unlock()
	defer func() {
		h.Lock()
		defer h.Unlock()
		for _, fd := range fds {
			for d := range fd.base.waits {
				fd.base.waits[d].leave(wake)
			}
		}
		h.giveWake(wake)
	}()

	var timeout <-chan time.Time
	for {
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
