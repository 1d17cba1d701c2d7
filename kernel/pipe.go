//go:build linux && !386 && !s390x

package kernel

import (
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// pipeSize is what the kernel is asked for as a pipe's capacity, and the most
// that one splice moves.
const pipeSize = 512 << 10

// A pipe is where splice(2) keeps data between two sockets.
type pipe struct {
	r, w      int
	forgotten runtime.Cleanup // closes it when the pool drops it
}

// pipes are those to borrow. Only transfers that move data hold one: a few
// are enough for thousands.
var pipes sync.Pool

func borrowPipe() (*pipe, error) {
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

// giveBack ends a borrowing. A pipe that is not empty is of no more use.
func (p *pipe) giveBack(empty bool) {
	if empty {
		pipes.Put(p)
		return
	}
	p.forgotten.Stop()
	closeAll([]int{p.r, p.w})
}
