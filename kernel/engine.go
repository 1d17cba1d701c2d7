//go:build linux && !386 && !s390x

package kernel

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"sockeye"
)

type engine struct{}

var host = sockeye.NewHost(engine{})

// Host is the machine that the program runs on. A socket belongs to the network
// namespace of the thread that opened it.
func Host() *sockeye.Host { return host }

func (engine) Name() string { return "kernel" }

func (engine) Socket(family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) (sockeye.Endpoint, error) {
	fd, err := unix.Socket(int(family), int(typ)|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(proto))
	if err != nil {
		return nil, err
	}
	return newEndpoint(fd, family), nil
}

func (engine) Socketpair(family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) (a, b sockeye.Endpoint, err error) {
	fds, err := unix.Socketpair(int(family), int(typ)|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(proto))
	if err != nil {
		return nil, nil, err
	}
	return newEndpoint(fds[0], family), newEndpoint(fds[1], family), nil
}

func (engine) Unlink(path string) error { return unix.Unlink(path) }

// FromFile makes a socket of an open file that is one, such as a descriptor
// that another program passed on. The socket has a descriptor of its own: f
// stays the caller's to close. Both share one open file description, which
// becomes non-blocking.
func FromFile(f *os.File) (*sockeye.Socket, error) {
	closed := &sockeye.Error{Call: "fcntl", Err: unix.EBADF}
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, closed
	}
	var ep *endpoint
	var opErr error
	if err := conn.Control(func(fd uintptr) {
		dup, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			opErr = &sockeye.Error{Call: "fcntl", Err: err}
			return
		}
		if ep, err = fromFd(dup); err != nil {
			unix.Close(dup)
			opErr = &sockeye.Error{Call: "getsockopt", Err: err}
		}
	}); err != nil {
		return nil, closed
	}
	if opErr != nil {
		return nil, opErr
	}
	return Host().Adopt(ep), nil
}

// fromFd makes an endpoint of a descriptor, or gives ENOTSOCK.
func fromFd(fd int) (*endpoint, error) {
	family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	ep := newEndpoint(fd, sockeye.Family(family))
	ep.mayLinger.Store(true)
	return ep, nil
}

// errnoErr is the error of a system call, made without an allocation for what
// is met often.
func errnoErr(e syscall.Errno) error {
	switch e {
	case 0:
		return nil
	case unix.EAGAIN:
		return errEAGAIN
	case unix.EINPROGRESS:
		return errEINPROGRESS
	}
	return e
}

var (
	errEAGAIN      error = syscall.EAGAIN
	errEINPROGRESS error = syscall.EINPROGRESS
)
