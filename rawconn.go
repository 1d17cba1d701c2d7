package sockeye

import "syscall"

// SyscallConn gives access to the file descriptor, for system calls that this
// package does not have. The Read and Write of the syscall.RawConn wait as the
// socket's calls do: with its deadlines and context. On an engine without
// descriptors SyscallConn gives EOPNOTSUPP.
func (s *Socket) SyscallConn() (syscall.RawConn, error) {
	ep, ok := s.c.ep.(Controller)
	if !ok {
		return nil, &Error{Call: callSyscallConn.name, Err: syscall.EOPNOTSUPP}
	}
	return rawConn{s, ep}, nil
}

type rawConn struct {
	s  *Socket
	ep Controller
}

func (c rawConn) Control(f func(fd uintptr)) error {
	if err := c.ep.Control(f); err != nil {
		return c.s.c.fail(callSyscallConn, Sockaddr{}, err)
	}
	return nil
}

func (c rawConn) Read(f func(fd uintptr) bool) error { return c.wait(ForRead, f) }

func (c rawConn) Write(f func(fd uintptr) bool) error { return c.wait(ForWrite, f) }

func (c rawConn) wait(d Direction, f func(fd uintptr) bool) error {
	o := c.s.newOp(d, func(*op) error {
		done := false
		if err := c.ep.Control(func(fd uintptr) { done = f(fd) }); err != nil {
			return err
		}
		if !done {
			return syscall.EAGAIN
		}
		return nil
	})
	defer o.free()
	if err := o.block(); err != nil {
		return c.s.c.fail(callSyscallConn, Sockaddr{}, err)
	}
	return nil
}
