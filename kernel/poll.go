//go:build linux && !386 && !s390x

package kernel

import (
	"context"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sockeye"
)

// Poll asks poll(2) without waiting. If nothing holds, it waits for an epoll
// instance of the descriptors, which is a descriptor that Go's poller takes.
func (engine) Poll(ctx context.Context, eps []sockeye.Endpoint, events, revents []sockeye.Events, deadline time.Time) (int, error) {
	fds := make([]unix.PollFd, len(eps))
	for i, ep := range eps {
		ep, ok := ep.(*endpoint)
		if !ok {
			return 0, unix.EINVAL // of another engine
		}
		if !ep.use() {
			return 0, net.ErrClosed
		}
		defer ep.release()
		fds[i] = unix.PollFd{Fd: int32(ep.fd), Events: int16(events[i])}
	}
	ask := func() (int, error) {
		n, err := poll(fds)
		for i := range fds {
			revents[i] = sockeye.Events(fds[i].Revents)
		}
		return n, err
	}
	if n, err := ask(); n > 0 || err != nil {
		return n, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if !deadline.IsZero() && !time.Now().Before(deadline) {
		return 0, os.ErrDeadlineExceeded
	}

	set, err := epollOf(fds)
	if err != nil {
		return 0, err
	}
	p := &parking{file: set, polled: true}
	defer set.Close()
	for _, ep := range eps {
		ep := ep.(*endpoint)
		defer ep.leave(p)
		if !ep.enter(p) {
			return 0, net.ErrClosed
		}
	}
	p.setDeadline(deadline)
	defer context.AfterFunc(ctx, p.interrupt)()

	conn, err := set.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var askErr error
	err = p.verdict(conn.Read(func(uintptr) bool {
		n, askErr = ask()
		return n > 0 || askErr != nil
	}))
	switch {
	case err == sockeye.ErrInterrupted && ctx.Err() != nil:
		return 0, ctx.Err()
	case err == sockeye.ErrInterrupted:
		return 0, net.ErrClosed // the other reason to interrupt a Poll
	case err != nil:
		return 0, err
	}
	return n, askErr
}

// epollOf makes an epoll instance that is readable when one of fds is ready.
// The bits of epoll(7) are those of poll(2).
func epollOf(fds []unix.PollFd) (*os.File, error) {
	set, setFd, err := newEpoll()
	if err != nil {
		return nil, err
	}
	watched := make(map[int32]uint32)
	for _, fd := range fds {
		op := unix.EPOLL_CTL_ADD
		if _, twice := watched[fd.Fd]; twice {
			op = unix.EPOLL_CTL_MOD
		}
		watched[fd.Fd] |= uint32(uint16(fd.Events))
		ev := unix.EpollEvent{Events: watched[fd.Fd], Fd: fd.Fd}
		if err := unix.EpollCtl(setFd, op, int(fd.Fd), &ev); err != nil {
			set.Close()
			return nil, err
		}
	}
	return set, nil
}
