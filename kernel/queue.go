//go:build linux && !386 && !s390x

package kernel

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sockeye"
)

// A queue holds the calls that wait on an endpoint in one direction. Go's
// poller takes one waiting goroutine for a descriptor and direction: the
// leader. The others follow: each waits on a channel until the leader has left,
// and one of them takes its place, or until the leader leaves something that
// may be enough for them.
type queue struct {
	ep          *endpoint
	event       sockeye.Events                    // what the direction waits for
	park        func(func(fd uintptr) bool) error // waits in Go's poller; Read or Write of the RawConn
	setDeadline func(time.Time) error             // on the file
	try         func(fd uintptr) bool             // tryLeader; made once

	mu          sync.Mutex
	leader      sockeye.Waiter
	interrupted bool // the leader is to leave
	deadline    time.Time
	followers   []*follower
	following   atomic.Int32 // how many there are, for who does not hold mu
}

type follower struct {
	bell   chan struct{} // holds a token when call is news
	called call
}

// A call is what a follower is told to do; a later one overrules those before.
type call int

const (
	stay call = iota
	tryAgain
	lead
	leave
)

// call is made with the queue's mu held.
func (f *follower) call(c call) {
	f.called = max(f.called, c)
	select {
	case f.bell <- struct{}{}:
	default: // not heard yet
	}
}

// past is a deadline that throws the leader out of the poller.
var past = time.Unix(1, 0)

func (q *queue) init(ep *endpoint, event sockeye.Events, park func(func(fd uintptr) bool) error, setDeadline func(time.Time) error) {
	q.ep, q.event, q.park, q.setDeadline = ep, event, park, setDeadline
	q.try = func(uintptr) bool { return q.tryLeader() }
}

// tryLeader tells the followers when the leader is not content with what there
// is: it may want all of its buffer, and they less.
func (q *queue) tryLeader() bool {
	if q.leader.Try() {
		return true
	}
	if q.following.Load() == 0 { // who comes later tries for itself
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.followers) > 0 && q.ep.Ready(q.event) != 0 {
		for _, f := range q.followers {
			f.call(tryAgain)
		}
	}
	return false
}

func (q *queue) wait(w sockeye.Waiter) error {
	q.mu.Lock()
	for q.leader != nil {
		if done, err := q.follow(w); done { // unlocks
			return err
		}
		q.mu.Lock()
	}
	q.leader, q.interrupted = w, false
	if d := w.Deadline(); !d.Equal(q.deadline) {
		q.deadline = d
		q.setDeadline(d)
	}
	q.mu.Unlock()

	err := q.park(q.try)

	q.mu.Lock()
	defer q.mu.Unlock()
	q.leader = nil
	q.callNext()
	switch {
	case err == nil:
		return nil
	case q.interrupted:
		return sockeye.ErrInterrupted
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	}
	return net.ErrClosed
}

// follow waits behind a leader. It is called with q.mu held and gives it back.
// done is false when the call may lead now.
func (q *queue) follow(w sockeye.Waiter) (done bool, err error) {
	f := &follower{bell: make(chan struct{}, 1)}
	q.followers = append(q.followers, f)
	q.following.Add(1)
	deadline := w.Deadline()
	q.mu.Unlock()

	var timeout <-chan time.Time
	if !deadline.IsZero() {
		left := time.Until(deadline)
		if left <= 0 {
			q.leave(f)
			return true, os.ErrDeadlineExceeded
		}
		t := time.NewTimer(left)
		defer t.Stop()
		timeout = t.C
	}
	for {
		if w.Try() {
			q.leave(f)
			return true, nil
		}
		select {
		case <-f.bell:
		case <-timeout:
			q.leave(f)
			return true, os.ErrDeadlineExceeded
		}
		switch q.listen(f) {
		case lead:
			return false, nil
		case leave:
			return true, sockeye.ErrInterrupted
		}
	}
}

// listen takes what f is told.
func (q *queue) listen(f *follower) call {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := f.called
	f.called = stay
	return c
}

// leave takes f out of the queue. If it was called to lead meanwhile, the next
// is called in its place.
func (q *queue) leave(f *follower) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.followers, f); i >= 0 {
		q.followers = slices.Delete(q.followers, i, i+1)
		q.following.Add(-1)
		return
	}
	q.callNext()
}

// callNext calls the first follower to lead, if nobody does.
func (q *queue) callNext() {
	if q.leader == nil && len(q.followers) > 0 {
		f := q.followers[0]
		q.followers = q.followers[1:]
		q.following.Add(-1)
		f.call(lead)
	}
}

// interrupt makes all leave.
func (q *queue) interrupt() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.leader != nil {
		q.interrupted, q.deadline = true, past
		q.setDeadline(past)
	}
	for _, f := range q.followers {
		f.call(leave)
	}
	q.followers = nil
	q.following.Store(0)
}

// Wait waits in the direction's queue.
func (ep *endpoint) Wait(d sockeye.Direction, w sockeye.Waiter) error {
	unixSend := false
	if d == sockeye.ForWrite || ep.file.Load() == nil { // sending seldom has to wait, receiving mostly
		to, connecting := w.Target()
		unixSend = ep.family == sockeye.AF_UNIX && d == sockeye.ForWrite && !to.IsZero()
		if !unixSend {
			if done, err := ep.tryFirst(w, connecting); done {
				return err
			}
		}
	}
	if !ep.use() {
		return net.ErrClosed
	}
	defer ep.release()
	if unixSend {
		to, connecting := w.Target()
		if connecting {
			return ep.waitUnixConnect(to, w)
		}
		return ep.waitUnixSend(to, w)
	}
	return ep.park(d, w)
}

// park waits in the queue, for which the endpoint must be in the poller.
func (ep *endpoint) park(d sockeye.Direction, w sockeye.Waiter) error {
	if ep.file.Load() == nil {
		if err := ep.register(); err != nil {
			return err
		}
	}
	return ep.queue[d].wait(w)
}

// tryFirst makes the call without the price of the queue, or of a registration
// with the poller.
func (ep *endpoint) tryFirst(w sockeye.Waiter, connecting bool) (done bool, err error) {
	if d := w.Deadline(); !d.IsZero() && !time.Now().Before(d) {
		if ep.uses.Load()&closedBit != 0 {
			return true, net.ErrClosed
		}
		return true, os.ErrDeadlineExceeded
	}
	// On loopback the handshake is over when connect(2) returns EINPROGRESS.
	return w.Try() || connecting && w.Try(), nil
}

// Interrupt throws out of the poller whoever waits in the direction.
func (ep *endpoint) Interrupt(d sockeye.Direction) {
	ep.queue[d].interrupt()
	if d == sockeye.ForWrite && ep.family == sockeye.AF_UNIX {
		ep.interruptParked(false)
	}
}
