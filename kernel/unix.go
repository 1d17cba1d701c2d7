//go:build linux && !386 && !s390x

package kernel

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sockeye"
)

// Two waits of unix sockets end with no event on the socket that waits: a
// datagram sent, by name, to a receiver whose queue others filled, and a
// connection to a listener whose backlog is full.

// A parking is a goroutine that waits in Go's poller on a descriptor of its
// own: not in an endpoint's queue, but interrupted and closed with it.
type parking struct {
	file   *os.File
	polled bool // it waits for no direction: Interrupt leaves it alone

	mu          sync.Mutex
	interrupted bool
}

func (p *parking) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.interrupted = true
	if p.file != nil {
		p.file.SetDeadline(past)
	}
}

// setDeadline bounds the wait, unless it was interrupted before.
func (p *parking) setDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.interrupted {
		p.file.SetDeadline(t)
	}
}

func (p *parking) wasInterrupted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.interrupted
}

// verdict is why a wait in the poller ended with err.
func (p *parking) verdict(err error) error {
	switch {
	case err == nil:
		return nil
	case p.wasInterrupted():
		return sockeye.ErrInterrupted
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	}
	return err
}

// enter makes p be interrupted with ep; false: ep is closed.
func (ep *endpoint) enter(p *parking) bool {
	ep.mu.Lock()
	if ep.parked == nil {
		ep.parked = make(map[*parking]struct{})
	}
	ep.parked[p] = struct{}{}
	ep.mu.Unlock()
	return ep.uses.Load()&closedBit == 0
}

func (ep *endpoint) leave(p *parking) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	delete(ep.parked, p)
}

// interruptParked interrupts the goroutines that wait to send or connect; when
// closing, all.
func (ep *endpoint) interruptParked(closing bool) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	for p := range ep.parked {
		if closing || !p.polled {
			p.interrupt()
		}
	}
}

// waitUnixSend waits until the receiver's queue has room, and the socket's own
// send buffer. Of the former tells a second socket that is connected to the
// receiver: it becomes writable then.
func (ep *endpoint) waitUnixSend(to sockeye.Sockaddr, w sockeye.Waiter) error {
	if d := w.Deadline(); !d.IsZero() && !time.Now().Before(d) {
		return os.ErrDeadlineExceeded
	}
	if w.Try() {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	var r rawSockaddr
	r.put(to)
	if err := connect(fd, &r); err != nil {
		// The receiver is gone, which Try finds, or connected to this very
		// socket, for which its queue is never full.
		unix.Close(fd)
		return ep.park(sockeye.ForWrite, w)
	}
	p := &parking{file: os.NewFile(uintptr(fd), "watch")}
	defer p.file.Close()
	defer ep.leave(p)
	if !ep.enter(p) {
		return net.ErrClosed
	}
	p.setDeadline(w.Deadline())
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	send := unixSend{Waiter: w, watch: fd}
	for {
		if err := p.verdict(conn.Write(send.tryReceiver)); err != nil || send.done {
			return err
		}
		if err := ep.park(sockeye.ForWrite, &send); err != nil || send.done {
			return err
		}
	}
}

// A unixSend waits for the receiver's queue and for the sender's buffer in turn,
// whichever it is that has no room.
type unixSend struct {
	sockeye.Waiter
	watch int // connected to the receiver
	done  bool
}

// tryReceiver ends the wait for the receiver.
func (s *unixSend) tryReceiver(uintptr) bool {
	s.done = s.Waiter.Try()
	return s.done || s.receiverHasRoom()
}

// Try ends the wait for the sender's buffer.
func (s *unixSend) Try() bool {
	s.done = s.Waiter.Try()
	return s.done || !s.receiverHasRoom()
}

// receiverHasRoom asks, which also makes the receiver tell the watching socket
// when it has room (unix_dgram_poll in net/unix/af_unix.c).
func (s *unixSend) receiverHasRoom() bool {
	fds := [1]unix.PollFd{{Fd: int32(s.watch), Events: unix.POLLOUT}}
	n, _ := poll(fds[:])
	return n > 0
}

// connectSlice is how long a thread waits in the kernel for a place in a
// backlog before it looks whether the call was interrupted.
const connectSlice = 50 * time.Millisecond

// waitUnixConnect waits for a place in a listener's backlog, of which no event
// tells: it takes a connect(2) that blocks, and so a thread, for as long as the
// backlog is full.
func (ep *endpoint) waitUnixConnect(to sockeye.Sockaddr, w sockeye.Waiter) error {
	p := new(parking)
	if !ep.enter(p) {
		return net.ErrClosed
	}
	defer ep.leave(p)
	deadline := w.Deadline()
	if !deadline.IsZero() && !time.Now().Before(deadline) {
		return os.ErrDeadlineExceeded
	}
	var r rawSockaddr
	r.putUnspec(to)
	for !w.Try() {
		if p.wasInterrupted() {
			return sockeye.ErrInterrupted
		}
		slice := connectSlice
		if !deadline.IsZero() {
			if slice = min(slice, time.Until(deadline)); slice <= 0 {
				return os.ErrDeadlineExceeded
			}
		}
		if ep.connectBlocking(&r, slice) == nil { // a failure Try finds too
			ep.connected.Store(true)
		}
	}
	return nil
}

func (ep *endpoint) connectBlocking(r *rawSockaddr, limit time.Duration) error {
	ep.connecting.Lock() // one at a time may change the description's flags
	defer ep.connecting.Unlock()
	was, err := unix.GetsockoptTimeval(ep.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO)
	if err != nil {
		return err
	}
	tv := unix.NsecToTimeval(max(int64(limit), int64(time.Microsecond)))
	if err := unix.SetsockoptTimeval(ep.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv); err != nil {
		return err
	}
	defer unix.SetsockoptTimeval(ep.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, was)
	if err := unix.SetNonblock(ep.fd, false); err != nil {
		return err
	}
	defer unix.SetNonblock(ep.fd, true)
	return connect(ep.fd, r)
}
