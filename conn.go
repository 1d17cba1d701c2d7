package sockeye

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// NewConn makes a net.Conn of a connected socket, or of a datagram socket that
// need not be: a *TCPConn, *UDPConn, *IPConn or *UnixConn. It takes the socket
// over, with its options and deadlines.
func NewConn(s *Socket) (net.Conn, error) {
	n, err := networkOf(s)
	if err != nil {
		return nil, err
	}
	remote, err := s.Getpeername()
	if err != nil && (!errors.Is(err, syscall.ENOTCONN) || n.typ == SOCK_STREAM || n.typ == SOCK_SEQPACKET) {
		return nil, err
	}
	return newConn(s, n, remote), nil
}

// newConn makes the connection of a network. remote is the peer, or zero where
// there is none.
func newConn(s *Socket, n network, remote Sockaddr) net.Conn {
	local, _ := s.Getsockname()
	c := conn{s: s, n: n, connected: !remote.IsZero()}
	if n.kind == "unix" {
		c.names = &[2]net.Addr{n.netAddr(local), n.netAddr(remote)}
	} else {
		c.local, c.remote = endOf(local), endOf(remote)
	}
	switch n.kind {
	case "tcp":
		return &TCPConn{c}
	case "udp":
		return &UDPConn{c}
	case "ip":
		c.n.name, _, _ = strings.Cut(n.name, ":") // in errors, as package net has it
		return &IPConn{c}
	}
	if n.typ == SOCK_SEQPACKET {
		// An empty record then comes with a control message, which the end
		// of the connection does not; nothing else tells them apart.
		SO_TIMESTAMPNS.Set(s, true)
	}
	return &UnixConn{c}
}

// A conn is what all connections have.
type conn struct {
	s             *Socket
	n             network
	connected     bool
	local, remote end
	names         *[2]net.Addr // of a unix socket: local and remote
}

// An end is an IP address and port in little memory: programs have many connections, and ask few
// for their addresses.
type end struct {
	ip     [16]byte
	scope  uint32
	port   uint16
	family Family // AF_UNSPEC: there is none
}

func endOf(sa Sockaddr) end {
	return end{ip: sa.ip, scope: sa.scopeID, port: sa.port, family: sa.family}
}

func (e end) netAddr(n *network) net.Addr {
	return n.netAddr(Sockaddr{family: e.family, port: e.port, scopeID: e.scope, ip: e.ip})
}

// Read is net.Conn's: the end of a stream is io.EOF.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.s.Recv(p, 0)
	switch {
	case err != nil:
		return n, c.failed("read", "read", err)
	case n == 0 && c.n.typ == SOCK_STREAM:
		return 0, io.EOF
	}
	return n, nil
}

// Write is net.Conn's: a stream takes all of p, or tells how much it took and
// why not all.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.s.Send(p, 0)
	if err == nil && n < len(p) && c.n.typ == SOCK_STREAM {
		err = syscall.EAGAIN // SO_SNDTIMEO
	}
	return n, c.failed("write", "write", err)
}

// Close closes the socket and wakes whoever waits on it.
func (c *conn) Close() error { return c.failed("close", "close", c.s.Close()) }

// LocalAddr is the address of this side.
func (c *conn) LocalAddr() net.Addr {
	if c.names != nil {
		return c.names[0]
	}
	return c.local.netAddr(&c.n)
}

// RemoteAddr is the address of the peer; nil where there is none.
func (c *conn) RemoteAddr() net.Addr {
	if c.names != nil {
		return c.names[1]
	}
	return c.remote.netAddr(&c.n)
}

// Socket is the socket below, with all of its calls. It shares the deadlines.
func (c *conn) Socket() *Socket { return c.s }

// SyscallConn gives access to the file descriptor (syscall.Conn).
func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.s.SyscallConn() }

// SetDeadline bounds reading and writing; the zero time takes the bound away.
func (c *conn) SetDeadline(t time.Time) error { return c.setError(c.s.SetDeadline(t)) }

// SetReadDeadline bounds reading; the zero time takes the bound away.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setError(c.s.SetReadDeadline(t)) }

// SetWriteDeadline bounds writing; the zero time takes the bound away.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setError(c.s.SetWriteDeadline(t)) }

// SetReadBuffer sets SO_RCVBUF, in bytes.
func (c *conn) SetReadBuffer(bytes int) error { return c.setError(SO_RCVBUF.Set(c.s, bytes)) }

// SetWriteBuffer sets SO_SNDBUF, in bytes.
func (c *conn) SetWriteBuffer(bytes int) error { return c.setError(SO_SNDBUF.Set(c.s, bytes)) }

func (c *conn) shutdown(how How) error {
	return c.failed("close", "shutdown", c.s.Shutdown(how))
}

// failed is opError of a call that is between both ends.
func (c *conn) failed(op, call string, err error) error {
	if err == nil {
		return nil
	}
	return c.opError(op, call, c.RemoteAddr(), err)
}

// opError is a failed call as package net tells it.
func (c *conn) opError(op, call string, to net.Addr, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: c.n.name, Source: c.LocalAddr(), Addr: to, Err: cause(call, err)}
}

// setError is the error of an option or a deadline.
func (c *conn) setError(err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: "set", Net: c.n.name, Addr: c.LocalAddr(), Err: cause("setsockopt", err)}
}

// cause is what package net has inside a *net.OpError: net.ErrClosed, an
// *os.SyscallError that names the call, os.ErrDeadlineExceeded, or the error
// as it is.
func cause(call string, err error) error {
	if e, ok := err.(*Error); ok {
		err = e.Err
	}
	switch errno, ok := err.(syscall.Errno); {
	case !ok:
		return err
	case errno == syscall.EBADF:
		return net.ErrClosed
	default:
		return os.NewSyscallError(call, errno)
	}
}
