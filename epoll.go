package sockeye

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// An Epoll tells which of its sockets have become ready, as epoll(7) does with
// EPOLLET: of each once, and then again when something more has happened to it.
// It costs as much as there is to tell, and not, as Poll does, as many sockets
// as there are: it is for who serves thousands in one goroutine. After an event
// a socket is to be read or written until it gives EAGAIN.
//
// All methods may be called at once.
type Epoll struct {
	host *Host
	set  EpollSet
}

// An EpollEvent is a socket that has become ready.
type EpollEvent struct {
	Events Events
	Data   any // as Add was given it
}

// NewEpoll is epoll_create(2). An engine that has no such thing gives
// EOPNOTSUPP.
func (h *Host) NewEpoll() (*Epoll, error) {
	if t := h.tracer; t != nil {
		return t.newEpoll(h)
	}
	return h.newEpoll()
}

func (h *Host) newEpoll() (*Epoll, error) {
	e, ok := h.engine.(Epoller)
	if !ok {
		return nil, &Error{Call: callEpollCreate.name, Err: syscall.EOPNOTSUPP}
	}
	set, err := e.Epoll()
	if err != nil {
		return nil, &Error{Call: callEpollCreate.name, Err: err}
	}
	return &Epoll{h, set}, nil
}

// Add puts a socket of the same host into the set (EPOLL_CTL_ADD), to be told
// when some of events hold, and POLLERR and POLLHUP; at once, if some do. Each event
// comes with data. A socket that is in the set already gives EEXIST. One that is
// closed leaves the set, with a last event of POLLNVAL.
func (e *Epoll) Add(s *Socket, events Events, data any) error {
	if t := e.host.tracer; t != nil {
		return t.epollAdd(e, s, events, data)
	}
	return e.add(s, events, data)
}

func (e *Epoll) add(s *Socket, events Events, data any) error {
	if err := e.set.Add(s.c.ep, events, data); err != nil {
		return s.c.fail(callEpollCtl, Sockaddr{}, err)
	}
	return nil
}

// Delete takes a socket out of the set (EPOLL_CTL_DEL). One that is not in it
// gives ENOENT.
func (e *Epoll) Delete(s *Socket) error {
	if t := e.host.tracer; t != nil {
		return t.epollDelete(e, s)
	}
	return e.delete(s)
}

func (e *Epoll) delete(s *Socket) error {
	if err := e.set.Delete(s.c.ep); err != nil {
		return s.c.fail(callEpollCtl, Sockaddr{}, err)
	}
	return nil
}

// Wait is epoll_wait(2): it waits until there is something to tell, and fills in
// events, which must have room for one. A negative timeout waits for ever, zero
// does not wait; when the timeout passes the answer is 0 and no error. Several
// that wait take turns.
func (e *Epoll) Wait(ctx context.Context, events []EpollEvent, timeout time.Duration) (int, error) {
	if t := e.host.tracer; t != nil {
		return t.epollWait(e, ctx, events, timeout)
	}
	return e.wait(ctx, events, timeout)
}

func (e *Epoll) wait(ctx context.Context, events []EpollEvent, timeout time.Duration) (int, error) {
	err := error(syscall.EINVAL)
	if len(events) > 0 {
		var deadline time.Time
		if timeout >= 0 {
			deadline = time.Now().Add(timeout)
		}
		var n int
		n, err = e.set.Wait(ctx, events, deadline)
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return n, nil
		}
	}
	return 0, &Error{Call: callEpollWait.name, Err: closedErrno(err)}
}

// Close closes the set, and none of its sockets. It wakes who waits, with EBADF.
func (e *Epoll) Close() error {
	if t := e.host.tracer; t != nil {
		return t.epollClose(e)
	}
	return e.close()
}

func (e *Epoll) close() error {
	if err := e.set.Close(); err != nil {
		return &Error{Call: callClose.name, Err: closedErrno(err)}
	}
	return nil
}
