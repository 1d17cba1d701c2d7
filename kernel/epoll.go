//go:build linux && !386 && !s390x

package kernel

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sockeye"
)

// An epollSet is an epoll instance, for which one waits in Go's poller as for
// any other descriptor.
type epollSet struct {
	fd   int
	file *os.File
	park func(func(fd uintptr) bool) error // waits in Go's poller
	look func(fd uintptr) bool             // collect; made once

	control func(func(fd uintptr)) error // keeps fd open meanwhile
	glance  func(fd uintptr)             // collect, for it; made once

	turn  sync.Mutex // held by who waits
	ready []sockeye.EpollEvent
	n     int // how many of ready are filled in
	err   error
	raw   [maxEpollEvents]unix.EpollEvent

	mu       sync.Mutex
	watched  map[int32]watched // by descriptor
	serial   int32             // of the last that was added
	gone     []any             // the data of sockets that were closed
	closed   bool
	waiting  bool
	deadline time.Time // of file
}

// maxEpollEvents is how many events are taken from the kernel at a time.
const maxEpollEvents = 128

// A watched is an endpoint in the set. Its serial number tells it from others
// that had the same descriptor, or have it in another process.
type watched struct {
	ep     *endpoint
	serial int32
	data   any
}

func (engine) Epoll() (sockeye.EpollSet, error) {
	file, fd, err := newEpoll()
	if err != nil {
		return nil, err
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &epollSet{fd: fd, file: file, park: conn.Read, control: conn.Control, watched: make(map[int32]watched)}
	s.look = func(uintptr) bool { return s.collect() }
	s.glance = func(uintptr) { s.collect() }
	return s, nil
}

// newEpoll makes an epoll instance that Go's poller has taken.
func newEpoll() (*os.File, int, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, 0, err
	}
	if err := unix.SetNonblock(fd, true); err != nil { // which makes os.NewFile take it to the poller
		unix.Close(fd)
		return nil, 0, err
	}
	return os.NewFile(uintptr(fd), "epoll"), fd, nil
}

func (s *epollSet) Descriptor() int { return s.fd }

func (s *epollSet) Add(to sockeye.Endpoint, events sockeye.Events, data any) error {
	ep, ok := to.(*endpoint)
	if !ok {
		return unix.EINVAL // of another engine
	}
	if !ep.use() {
		return net.ErrClosed
	}
	defer ep.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.serial++
	ev := unix.EpollEvent{Events: uint32(events) | unix.EPOLLET, Fd: int32(ep.fd), Pad: s.serial}
	if err := epollCtl(s.fd, unix.EPOLL_CTL_ADD, ep.fd, &ev); err != nil {
		return err
	}
	s.watched[ev.Fd] = watched{ep, s.serial, data}
	ep.join(s)
	return nil
}

func (s *epollSet) Delete(from sockeye.Endpoint) error {
	ep, ok := from.(*endpoint)
	if !ok {
		return unix.EINVAL
	}
	if !ep.use() {
		return net.ErrClosed
	}
	defer ep.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	delete(s.watched, int32(ep.fd))
	return epollCtl(s.fd, unix.EPOLL_CTL_DEL, ep.fd, nil)
}

func epollCtl(set, op, fd int, ev *unix.EpollEvent) error {
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(set), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(ev)), 0, 0)
	return errnoErr(errno)
}

// join notes that the endpoint is in the set.
func (ep *endpoint) join(s *epollSet) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if !slices.Contains(ep.sets, s) {
		ep.sets = append(ep.sets, s)
	}
}

// forget is for an endpoint that is being closed: closing its descriptor takes it
// out of the kernel's set.
func (s *epollSet) forget(ep *endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.watched[int32(ep.fd)]
	if !ok || w.ep != ep || s.closed {
		return
	}
	delete(s.watched, int32(ep.fd))
	s.gone = append(s.gone, w.data)
	s.wake()
}

// wake throws who waits out of the poller.
func (s *epollSet) wake() {
	if s.waiting && !s.deadline.Equal(past) {
		s.deadline = past
		s.file.SetReadDeadline(past)
	}
}

func (s *epollSet) Wait(ctx context.Context, events []sockeye.EpollEvent, deadline time.Time) (int, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.wake()
		})()
	}
	s.ready, s.n, s.err = events, 0, nil
	defer func() { s.ready = nil }()
	for {
		if !deadline.IsZero() && !time.Now().Before(deadline) {
			return s.collectOnce()
		}
		s.begin(deadline)
		err := ctx.Err() // if it ends from here on, it finds s waiting
		if err == nil && !s.glanceAround() {
			err = s.park(s.look)
		}
		s.end()
		switch {
		case s.n > 0 || s.err != nil:
			return s.n, s.err
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case !errors.Is(err, os.ErrDeadlineExceeded): // it is the deadline's, or wake's
			return 0, net.ErrClosed
		}
	}
}

// maxGlances is how often one looks before one parks.
const maxGlances = 10

// glanceAround looks a few times whether there is something to tell, and lets
// other programs run in between: those that are about to make something happen. It
// takes microseconds, about what it costs to park and to be woken.
func (s *epollSet) glanceAround() bool {
	for range maxGlances {
		if s.control(s.glance) != nil {
			return false
		}
		if s.n > 0 || s.err != nil {
			return true
		}
		syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
	return false
}

func (s *epollSet) begin(deadline time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = true
	if !s.deadline.Equal(deadline) {
		s.deadline = deadline
		s.file.SetReadDeadline(deadline)
	}
}

func (s *epollSet) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = false
}

// collectOnce collects for who does not wait.
func (s *epollSet) collectOnce() (int, error) {
	if err := s.control(s.glance); err != nil {
		return 0, net.ErrClosed
	}
	if s.n == 0 && s.err == nil {
		return 0, os.ErrDeadlineExceeded
	}
	return s.n, s.err
}

// collect fills in what there is to tell, if there is something.
func (s *epollSet) collect() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.n < len(s.ready) && len(s.gone) > 0 {
		s.tell(sockeye.POLLNVAL, s.gone[0])
		s.gone = s.gone[1:]
	}
	if s.n == len(s.ready) {
		return true
	}
	room := min(len(s.ready)-s.n, len(s.raw))
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(s.fd), uintptr(unsafe.Pointer(&s.raw)), uintptr(room), 0, 0, 0)
	if s.err = errnoErr(errno); s.err != nil {
		return true
	}
	for _, ev := range s.raw[:n] {
		if w, ok := s.watched[ev.Fd]; ok && w.serial == ev.Pad {
			s.tell(sockeye.Events(ev.Events), w.data)
		}
	}
	return s.n > 0
}

func (s *epollSet) tell(events sockeye.Events, data any) {
	s.ready[s.n] = sockeye.EpollEvent{Events: events, Data: data}
	s.n++
}

func (s *epollSet) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed, s.watched, s.gone = true, nil, nil
	s.mu.Unlock()
	return s.file.Close() // which waits for who collects, for which mu is needed
}
