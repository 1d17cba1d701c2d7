package sockeye

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
)

// An Error is a call that failed: which, between which addresses, and why.
// errors.Is finds the errno (errors.Is(err, syscall.ECONNREFUSED)), or
// os.ErrDeadlineExceeded, or the context's error; a call on a closed socket is
// both EBADF and net.ErrClosed.
type Error struct {
	Call   string   // the call, as in socket(2)'s manual page
	Local  Sockaddr // the socket's own address, if it has one
	Remote Sockaddr // the address that the call was about, or the peer's
	Err    error
}

// Error is one line: the call, the addresses where they are known, and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Call)
	if local := e.Local.String(); !e.Local.IsZero() && local != "" {
		b.WriteString(" " + local)
		if !e.Remote.IsZero() {
			b.WriteString(" ->")
		}
	}
	if remote := e.Remote.String(); !e.Remote.IsZero() && remote != "" {
		b.WriteString(" " + remote)
	}
	b.WriteString(": " + e.Err.Error())
	return b.String()
}

// Unwrap gives the cause: a syscall.Errno, or the end of a deadline or context.
func (e *Error) Unwrap() error { return e.Err }

// Is makes a call on a closed socket match net.ErrClosed too.
func (e *Error) Is(target error) bool {
	return target == net.ErrClosed && e.Err == syscall.EBADF
}

// Timeout tells whether a deadline passed or the system gave up waiting, as
// net.Error has it.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Temporary is for net.Error.
func (e *Error) Temporary() bool {
	var t interface{ Temporary() bool }
	return errors.As(e.Err, &t) && t.Temporary()
}

// A call names a system call in errors. What tells that it would have to wait is
// made once: a loop over non-blocking sockets meets it all the time.
type call struct {
	name              string
	again, inProgress *Error
}

func newCall(name string) *call {
	return &call{name, &Error{Call: name, Err: syscall.EAGAIN}, &Error{Call: name, Err: syscall.EINPROGRESS}}
}

var (
	callSocket      = newCall("socket")
	callSocketpair  = newCall("socketpair")
	callBind        = newCall("bind")
	callListen      = newCall("listen")
	callAccept      = newCall("accept")
	callConnect     = newCall("connect")
	callRecv        = newCall("recv")
	callRecvfrom    = newCall("recvfrom")
	callRecvmsg     = newCall("recvmsg")
	callRecvmmsg    = newCall("recvmmsg")
	callSend        = newCall("send")
	callSendto      = newCall("sendto")
	callSendmsg     = newCall("sendmsg")
	callSendmmsg    = newCall("sendmmsg")
	callShutdown    = newCall("shutdown")
	callClose       = newCall("close")
	callGetsockname = newCall("getsockname")
	callGetpeername = newCall("getpeername")
	callGetsockopt  = newCall("getsockopt")
	callSetsockopt  = newCall("setsockopt")
	callIoctl       = newCall("ioctl")
	callPoll        = newCall("poll")
	callEpollCreate = newCall("epoll_create")
	callEpollCtl    = newCall("epoll_ctl")
	callEpollWait   = newCall("epoll_wait")
	callSplice      = newCall("splice")
	callSendfile    = newCall("sendfile")
	callUnlink      = newCall("unlink")
	callSyscallConn = newCall("syscallconn")
)

// fail wraps what an engine answered. to is the address that the call was
// about; without one the peer's is told.
func (c *core) fail(call *call, to Sockaddr, err error) error {
	switch err {
	case syscall.EAGAIN:
		return call.again
	case syscall.EINPROGRESS:
		return call.inProgress
	}
	e := &Error{Call: call.name, Remote: to, Err: closedErrno(err)}
	if local, err := c.ep.Getsockname(); err == nil && (local.port != 0 || !local.Addr().IsUnspecified()) {
		e.Local = local
	}
	if to.IsZero() {
		e.Remote = c.remote()
	}
	return e
}

// closedErrno is EBADF for what an engine answers after Close.
func closedErrno(err error) error {
	if err == net.ErrClosed || err == os.ErrClosed {
		return syscall.EBADF
	}
	return err
}
