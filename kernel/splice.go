//go:build linux && !386 && !s390x

package kernel

import (
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sockeye"
)

// When much data comes without a pause, waking up for every piece costs more than
// moving it. The source is then told to wake its reader for gatherBytes and no
// less (SO_RCVLOWAT, tcp(7)), which takes about half of a relay's processor time
// away. The stream may pause with less, so that the wait is bounded, and a wait
// in vain ends it until as much has come again.
const (
	gatherAfter = 4 << 20
	gatherBytes = pipeSize
	gatherTime  = time.Millisecond
)

// A transfer is one SpliceTo.
type transfer struct {
	src, dst *endpoint
	wait     sockeye.Waits
	p        *pipe // borrowed while data moves, not while there is none
	held     int   // bytes in the pipe
	max      int64
	total    int64

	n   int // what the last splice(2) moved
	err error

	streak    int64 // bytes since the last pause
	gathering bool
	lowat     int // SO_RCVLOWAT as it was
}

// SpliceTo moves bytes through a pipe, without a copy where the kernel knows how.
// It holds each descriptor only while it uses it: Close of one socket must not
// have to wait for the other.
func (ep *endpoint) SpliceTo(to sockeye.Endpoint, max int64, wait sockeye.Waits) (int64, error) {
	dst, ok := to.(*endpoint)
	if !ok {
		return 0, unix.EINVAL
	}
	t := transfer{src: ep, dst: dst, wait: wait, max: max}
	err := t.run()
	t.gather(false)
	t.giveBack()
	return t.total, err
}

func (t *transfer) run() error {
	fill, drain := t.fill, t.drain
	for t.total < t.max {
		if err := t.read(fill); err != nil || t.n == 0 {
			return err
		}
		t.held, t.streak = t.n, t.streak+int64(t.n)
		for t.held > 0 {
			if err := t.wait(t.dst, sockeye.ForWrite, 0, drain); err != nil {
				return err
			}
			if t.err != nil {
				return t.err
			}
			t.held -= t.n
			t.total += int64(t.n)
		}
	}
	return nil
}

// read waits for data and moves it into the pipe: t.n bytes, 0 at the end.
func (t *transfer) read(fill func() bool) error {
	if fill() {
		return t.err
	}
	if t.streak > gatherAfter {
		t.gather(true)
		if err := t.wait(t.src, sockeye.ForRead, gatherTime, fill); err != unix.EAGAIN {
			return firstError(err, t.err)
		}
		t.gather(false)
		t.streak = 0
		if fill() {
			return t.err
		}
	}
	start := time.Now()
	err := t.wait(t.src, sockeye.ForRead, 0, fill)
	if time.Since(start) > gatherTime {
		t.streak = 0
	}
	return firstError(err, t.err)
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// fill makes one splice(2) into the pipe; false: there is nothing yet.
func (t *transfer) fill() bool {
	if t.p == nil {
		if t.p, t.err = borrowPipe(); t.err != nil {
			t.n, t.err = 0, unix.EINVAL // without a pipe the data can still be copied
			return true
		}
	}
	if !t.src.use() {
		t.n, t.err = 0, net.ErrClosed
		return true
	}
	t.n, t.err = splice(t.src.fd, t.p.w, int(min(t.max-t.total, pipeSize)))
	t.src.release()
	if t.err == unix.EAGAIN {
		t.giveBack()
		return false
	}
	return true
}

// drain makes one splice(2) out of the pipe.
func (t *transfer) drain() bool {
	if !t.dst.use() {
		t.n, t.err = 0, net.ErrClosed
		return true
	}
	defer t.dst.release()
	t.n, t.err = splice(t.p.r, t.dst.fd, t.held)
	return t.err != unix.EAGAIN
}

func (t *transfer) giveBack() {
	if t.p != nil {
		t.p.giveBack(t.held == 0)
		t.p = nil
	}
}

// gather has the source wake its reader for much data only, or as before.
func (t *transfer) gather(on bool) {
	if on == t.gathering || t.src.family != sockeye.AF_INET && t.src.family != sockeye.AF_INET6 {
		return
	}
	if !t.src.use() {
		return
	}
	defer t.src.release()
	t.gathering = on
	if on {
		t.lowat, _ = unix.GetsockoptInt(t.src.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT)
		unix.SetsockoptInt(t.src.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, gatherBytes)
		return
	}
	unix.SetsockoptInt(t.src.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, t.lowat)
}

func splice(from, to, n int) (int, error) {
	for {
		m, err := unix.Splice(from, nil, to, nil, n, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		if err != unix.EINTR {
			return int(m), err
		}
	}
}

// sendfileMax keeps one sendfile(2) within what its count can hold.
const sendfileMax = 1 << 30

// Sendfile is sendfile(2).
func (ep *endpoint) Sendfile(file *os.File, max int64, wait sockeye.Waits) (total int64, err error) {
	conn, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	offset, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, unix.EINVAL // not a file that sendfile(2) can read
	}
	defer func() { file.Seek(offset, io.SeekStart) }()
	for total < max {
		var n int
		var opErr error
		if err := wait(ep, sockeye.ForWrite, 0, func() bool {
			if !ep.use() {
				opErr = net.ErrClosed
				return true
			}
			defer ep.release()
			if err := conn.Control(func(fd uintptr) {
				n, opErr = sendfile(ep.fd, int(fd), &offset, int(min(max-total, sendfileMax)))
			}); err != nil {
				opErr = err
			}
			return opErr != unix.EAGAIN
		}); err != nil {
			return total, err
		}
		if opErr != nil || n == 0 {
			return total, opErr
		}
		total += int64(n)
	}
	return total, nil
}

func sendfile(to, from int, offset *int64, n int) (int, error) {
	for {
		m, err := unix.Sendfile(to, from, offset, n)
		if err != unix.EINTR {
			return m, err
		}
	}
}
