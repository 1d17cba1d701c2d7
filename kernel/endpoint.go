//go:build linux && !386 && !s390x

package kernel

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"sockeye"
)

// An endpoint is a socket's file descriptor. It is registered with Go's network
// poller, as a file, when a call has to wait for the first time: many sockets of
// short connections never do.
type endpoint struct {
	fd     int
	family sockeye.Family

	uses  atomic.Int64  // calls that use fd, and the closed bit
	freed chan struct{} // wakes Close when the last of them ends; made by Close

	// mayLinger says that close(2) may have to wait: SO_LINGER was set, or somebody
	// who had the descriptor may have.
	mayLinger atomic.Bool

	queue [2]queue // calls that wait, by direction

	mu     sync.Mutex
	file   atomic.Pointer[os.File] // nil: not registered
	parked map[*parking]struct{}   // waits that are not in a queue
	sets   []*epollSet             // that it was added to

	// connected says that a wait on a full unix backlog ended with the
	// connection made; see unix.go.
	connected  atomic.Bool
	connecting sync.Mutex
}

func newEndpoint(fd int, family sockeye.Family) *endpoint {
	ep := &endpoint{fd: fd, family: family}
	// The poller takes descriptors of its own with the first file, and panics
	// when there are none left: not when the program is short of them already.
	startPoller.Do(func() { ep.register() })
	return ep
}

var startPoller sync.Once

// register makes it possible to wait in Go's poller.
func (ep *endpoint) register() error {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.file.Load() != nil {
		return nil
	}
	file := os.NewFile(uintptr(ep.fd), "socket")
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	ep.queue[sockeye.ForRead].init(ep, sockeye.POLLIN, conn.Read, file.SetReadDeadline)
	ep.queue[sockeye.ForWrite].init(ep, sockeye.POLLOUT, conn.Write, file.SetWriteDeadline)
	ep.file.Store(file)
	return nil
}

// closedBit marks uses of an endpoint that is closed.
const closedBit = 1 << 62

// use keeps fd open until release; false: it is closed.
func (ep *endpoint) use() bool {
	if ep.uses.Add(1)&closedBit != 0 {
		ep.release()
		return false
	}
	return true
}

func (ep *endpoint) release() {
	if ep.uses.Add(-1) == closedBit {
		select {
		case ep.freed <- struct{}{}:
		default:
		}
	}
}

// Close wakes the calls that wait, and closes the descriptor once the last call
// has left it, so that its number can't be another file's by then.
func (ep *endpoint) Close() error {
	ep.mu.Lock()
	users := ep.uses.Load()
	for ; ; users = ep.uses.Load() {
		if users&closedBit != 0 {
			ep.mu.Unlock()
			return net.ErrClosed
		}
		if users > 0 && ep.freed == nil {
			ep.freed = make(chan struct{}, 1)
		}
		if ep.uses.CompareAndSwap(users, users|closedBit) {
			break
		}
	}
	ep.mu.Unlock()
	if users > 0 { // who comes later is turned away, and not waited for
		ep.Interrupt(sockeye.ForRead)
		ep.Interrupt(sockeye.ForWrite)
		ep.interruptParked(true)
		for ep.uses.Load() != closedBit {
			<-ep.freed
		}
	}
	for _, s := range ep.sets { // nobody adds it any more
		s.forget(ep)
	}
	switch file := ep.file.Load(); {
	case file != nil:
		return file.Close()
	case ep.mayLinger.Load():
		return unix.Close(ep.fd)
	}
	_, _, errno := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(ep.fd), 0, 0)
	return errnoErr(errno)
}

// Descriptor is the file descriptor.
func (ep *endpoint) Descriptor() int { return ep.fd }

// Control gives f the descriptor.
func (ep *endpoint) Control(f func(fd uintptr)) error {
	if !ep.use() {
		return net.ErrClosed
	}
	defer ep.release()
	ep.mayLinger.Store(true)
	f(uintptr(ep.fd))
	return nil
}

// call runs a system call on the descriptor that takes two pointers and a
// number. They stay pointers down to the call of package syscall: only there
// does Go keep what a uintptr points to where it is.
func (ep *endpoint) call(trap uintptr, p, q unsafe.Pointer, c uintptr) (int, error) {
	if !ep.use() {
		return 0, net.ErrClosed
	}
	defer ep.release()
	for {
		r, _, errno := syscall.RawSyscall6(trap, uintptr(ep.fd), uintptr(p), uintptr(q), c, 0, 0)
		if errno != unix.EINTR {
			return int(r), errnoErr(errno)
		}
	}
}

// callInt is call with numbers.
func (ep *endpoint) callInt(trap, v uintptr) error {
	if !ep.use() {
		return net.ErrClosed
	}
	defer ep.release()
	for {
		_, _, errno := syscall.RawSyscall(trap, uintptr(ep.fd), v, 0)
		if errno != unix.EINTR {
			return errnoErr(errno)
		}
	}
}

// callName is call with an address to go by.
func (ep *endpoint) callName(trap uintptr, r *rawSockaddr) error {
	if !ep.use() {
		return net.ErrClosed
	}
	defer ep.release()
	for {
		_, _, errno := syscall.RawSyscall(trap, uintptr(ep.fd), uintptr(unsafe.Pointer(&r.buf)), uintptr(r.n))
		if errno != unix.EINTR {
			return errnoErr(errno)
		}
	}
}

// A rawSockaddr is room for what C calls sockaddr_storage.
type rawSockaddr struct {
	buf [sockeye.SizeofSockaddr]byte
	n   uint32
}

func (r *rawSockaddr) put(sa sockeye.Sockaddr) { r.n = uint32(len(sa.AppendBytes(r.buf[:0]))) }

// putUnspec is put where the zero Sockaddr means AF_UNSPEC, and not a null
// pointer.
func (r *rawSockaddr) putUnspec(sa sockeye.Sockaddr) {
	if sa.IsZero() {
		r.n = 16
		return
	}
	r.put(sa)
}

func (r *rawSockaddr) get() sockeye.Sockaddr {
	return sockeye.SockaddrBytes(r.buf[:min(int(r.n), len(r.buf))])
}

func (ep *endpoint) Bind(sa sockeye.Sockaddr) error {
	var r rawSockaddr
	r.putUnspec(sa)
	return ep.callName(unix.SYS_BIND, &r)
}

func (ep *endpoint) Listen(backlog int) error {
	return ep.callInt(unix.SYS_LISTEN, uintptr(backlog))
}

func (ep *endpoint) Accept() (sockeye.Endpoint, sockeye.Sockaddr, error) {
	var r rawSockaddr
	r.n = uint32(len(r.buf))
	fd, err := ep.call(unix.SYS_ACCEPT4, unsafe.Pointer(&r.buf), unsafe.Pointer(&r.n), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		return nil, sockeye.Sockaddr{}, err
	}
	conn := newEndpoint(fd, ep.family)
	conn.mayLinger.Store(ep.mayLinger.Load())
	return conn, r.get(), nil
}

func (ep *endpoint) Connect(sa sockeye.Sockaddr) error {
	if ep.connected.CompareAndSwap(true, false) {
		return nil
	}
	var r rawSockaddr
	r.putUnspec(sa)
	return ep.callName(unix.SYS_CONNECT, &r)
}

// connect is connect(2) on a descriptor that is no endpoint's, or in the way
// that the descriptor's flags say.
func connect(fd int, r *rawSockaddr) error {
	_, _, errno := syscall.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&r.buf)), uintptr(r.n))
	return errnoErr(errno)
}

func (ep *endpoint) Getsockname() (sockeye.Sockaddr, error) { return ep.name(unix.SYS_GETSOCKNAME) }

func (ep *endpoint) Getpeername() (sockeye.Sockaddr, error) { return ep.name(unix.SYS_GETPEERNAME) }

func (ep *endpoint) name(trap uintptr) (sockeye.Sockaddr, error) {
	var r rawSockaddr
	r.n = uint32(len(r.buf))
	if _, err := ep.call(trap, unsafe.Pointer(&r.buf), unsafe.Pointer(&r.n), 0); err != nil {
		return sockeye.Sockaddr{}, err
	}
	return r.get(), nil
}

func (ep *endpoint) Shutdown(how sockeye.How) error {
	return ep.callInt(unix.SYS_SHUTDOWN, uintptr(how))
}

func (ep *endpoint) Getsockopt(level, name int, val []byte) (int, error) {
	if !ep.use() {
		return 0, net.ErrClosed
	}
	defer ep.release()
	n := uint32(len(val))
	_, _, errno := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(ep.fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(unsafe.SliceData(val))), uintptr(unsafe.Pointer(&n)), 0)
	return int(n), errnoErr(errno)
}

func (ep *endpoint) Setsockopt(level, name int, val []byte) error {
	if !ep.use() {
		return net.ErrClosed
	}
	defer ep.release()
	if level == unix.SOL_SOCKET && name == unix.SO_LINGER {
		ep.mayLinger.Store(true)
	}
	return errnoErr(setsockopt(ep.fd, level, name, val))
}

func (ep *endpoint) Ioctl(req uint) (int, error) {
	if !ep.use() {
		return 0, net.ErrClosed
	}
	defer ep.release()
	var v int32
	_, _, errno := syscall.Syscall(unix.SYS_IOCTL, uintptr(ep.fd), uintptr(req), uintptr(unsafe.Pointer(&v)))
	return int(v), errnoErr(errno)
}

func (ep *endpoint) Ready(events sockeye.Events) sockeye.Events {
	if !ep.use() {
		return sockeye.POLLNVAL
	}
	defer ep.release()
	fds := [1]unix.PollFd{{Fd: int32(ep.fd), Events: int16(events)}}
	poll(fds[:])
	return sockeye.Events(fds[0].Revents)
}

// poll is poll(2) without waiting.
func poll(fds []unix.PollFd) (int, error) {
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return n, err
		}
	}
}
