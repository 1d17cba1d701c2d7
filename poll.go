package sockeye

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// A PollFd is one socket that Poll watches, C's struct pollfd.
type PollFd struct {
	Socket  *Socket // nil: not watched
	Events  Events  // what to wait for
	Revents Events  // what Poll found
}

// Poll is poll(2): it waits until something that it watches for holds for one
// of the sockets, fills in Revents, and tells for how many. A negative timeout
// waits for ever, zero does not wait; when the timeout passes the answer is 0
// and no error. A socket that is closed gives POLLNVAL. All sockets are of this
// host.
func (h *Host) Poll(ctx context.Context, fds []PollFd, timeout time.Duration) (int, error) {
	if t := h.tracer; t != nil {
		return t.poll(h, ctx, fds, timeout)
	}
	return h.poll(ctx, fds, timeout)
}

func (h *Host) poll(ctx context.Context, fds []PollFd, timeout time.Duration) (int, error) {
	var deadline time.Time
	if timeout >= 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		closed := countClosed(fds)
		n, err := h.pollUntil(ctx, fds, deadline)
		switch {
		case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
			return n, nil
		case errors.Is(err, net.ErrClosed) && countClosed(fds) > closed:
			// A socket was closed meanwhile, and gives POLLNVAL now.
		default:
			return 0, &Error{Call: callPoll.name, Err: closedErrno(err)}
		}
	}
}

func countClosed(fds []PollFd) (n int) {
	for _, fd := range fds {
		if fd.Socket != nil && fd.Socket.c.closed.Load() {
			n++
		}
	}
	return n
}

func (h *Host) pollUntil(ctx context.Context, fds []PollFd, deadline time.Time) (int, error) {
	eps := make([]Endpoint, 0, len(fds))
	events := make([]Events, len(fds), 2*len(fds))
	revents := events[len(fds):cap(events)]
	at := make([]int, 0, len(fds))
	closed := 0
	for i := range fds {
		fds[i].Revents = 0
		s := fds[i].Socket
		switch {
		case s == nil:
		case s.c.closed.Load():
			fds[i].Revents = POLLNVAL
			closed++
		default:
			events[len(eps)] = fds[i].Events
			eps, at = append(eps, s.c.ep), append(at, i)
		}
	}
	if closed > 0 { // there is something to tell already
		deadline = time.Now()
	}
	n, err := h.engine.Poll(ctx, eps, events[:len(eps)], revents[:len(eps)], deadline)
	for i, r := range revents[:len(eps)] {
		fds[at[i]].Revents = r
	}
	return n + closed, err
}

// Select is select(2) in terms of Poll: it gives those of the sockets that can
// be read without waiting, those that can be written, and those with urgent
// data. The timeout is Poll's. A nil socket is not watched, and a closed one
// gives EBADF.
func (h *Host) Select(ctx context.Context, read, write, except []*Socket, timeout time.Duration) (r, w, e []*Socket, err error) {
	// The sets of fs/select.c: what select takes for readable, writable and
	// exceptional.
	const (
		in  = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR
		out = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR
		ex  = POLLPRI
	)
	var fds []PollFd
	for _, s := range read {
		fds = append(fds, PollFd{Socket: s, Events: in})
	}
	for _, s := range write {
		fds = append(fds, PollFd{Socket: s, Events: out})
	}
	for _, s := range except {
		fds = append(fds, PollFd{Socket: s, Events: ex})
	}
	if _, err := h.Poll(ctx, fds, timeout); err != nil {
		return nil, nil, nil, err
	}
	for i, fd := range fds {
		switch {
		case fd.Revents&POLLNVAL != 0:
			return nil, nil, nil, &Error{Call: "select", Err: syscall.EBADF}
		case i < len(read):
			if fd.Revents&in != 0 {
				r = append(r, fd.Socket)
			}
		case i < len(read)+len(write):
			if fd.Revents&out != 0 {
				w = append(w, fd.Socket)
			}
		default:
			if fd.Revents&ex != 0 {
				e = append(e, fd.Socket)
			}
		}
	}
	return r, w, e, nil
}

// Ready tells which of events hold now, and POLLERR and POLLHUP if they do.
func (s *Socket) Ready(events Events) Events {
	if s.c.closed.Load() {
		return POLLNVAL
	}
	return s.c.ep.Ready(events)
}
