//go:build linux && !386 && !s390x

package kernel

import (
	"io"
	"net"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"sockeye"
)

// pipeSize is what the kernel is asked for as a pipe's capacity, and the most
// that one splice moves. Larger ones cost cache misses: the pages that wait in
// the pipe are no longer in the processor's cache when they leave it.
const pipeSize = 256 << 10

// A pipe is where splice(2) keeps data between two sockets.
type pipe struct {
	r, w      int
	forgotten runtime.Cleanup // closes it when the pool drops it
}

var pipes = sync.Pool{}

func getPipe() (*pipe, error) {
	if p, ok := pipes.Get().(*pipe); ok {
		return p, nil
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	// Past the user's limit for pipes (pipe(7)) it stays as it is.
	unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, pipeSize)
	p := &pipe{r: fds[0], w: fds[1]}
	p.forgotten = runtime.AddCleanup(p, closeAll, fds[:])
	return p, nil
}

func (p *pipe) close() {
	p.forgotten.Stop()
	closeAll([]int{p.r, p.w})
}

// SpliceTo moves bytes through a pipe, without a copy where the kernel knows how.
// It holds each descriptor only while it uses it: Close of one socket must not
// have to wait for the other.
func (ep *endpoint) SpliceTo(to sockeye.Endpoint, max int64, wait sockeye.Waits) (total int64, err error) {
	dst, ok := to.(*endpoint)
	if !ok {
		return 0, unix.EINVAL
	}
	p, err := getPipe()
	if err != nil {
		return 0, err
	}
	held := 0 // bytes in the pipe
	defer func() {
		if held == 0 {
			pipes.Put(p)
		} else {
			p.close()
		}
	}()
	for total < max {
		var n int
		var opErr error
		if err := wait(ep, sockeye.ForRead, func() bool {
			if !ep.use() {
				opErr = net.ErrClosed
				return true
			}
			defer ep.release()
			n, opErr = splice(ep.fd, p.w, int(min(max-total, pipeSize)))
			return opErr != unix.EAGAIN
		}); err != nil {
			return total, err
		}
		if opErr != nil || n == 0 {
			return total, opErr
		}
		held += n
		for held > 0 {
			if err := wait(dst, sockeye.ForWrite, func() bool {
				if !dst.use() {
					opErr = net.ErrClosed
					return true
				}
				defer dst.release()
				n, opErr = splice(p.r, dst.fd, held)
				return opErr != unix.EAGAIN
			}); err != nil {
				return total, err
			}
			if opErr != nil {
				return total, opErr
			}
			held -= n
			total += int64(n)
		}
	}
	return total, nil
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
		if err := wait(ep, sockeye.ForWrite, func() bool {
			if !ep.use() {
				opErr = net.ErrClosed
				return true
			}
			defer ep.release()
			if err := conn.Control(func(fd uintptr) {
				n, opErr = unix.Sendfile(ep.fd, int(fd), &offset, int(min(max-total, sendfileMax)))
			}); err != nil {
				opErr = err
			}
			return opErr != unix.EAGAIN && opErr != unix.EINTR
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
