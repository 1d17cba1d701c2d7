package sockeye

import (
	"io"
	"net"
	"syscall"
)

// A UnixConn is a net.Conn over a unix socket of any type: streams ("unix"),
// datagrams ("unixgram", a net.PacketConn too) or records ("unixpacket").
// Descriptors and credentials pass through Sendmsg and Recvmsg of its Socket.
type UnixConn struct{ conn }

// Read receives from a stream, or one datagram or record. What does not fit
// into p of a datagram or record is lost. io.EOF is the peer's end; an empty
// datagram or record is 0 and no error.
func (c *UnixConn) Read(p []byte) (int, error) {
	if c.n.typ != SOCK_SEQPACKET {
		return c.conn.Read(p)
	}
	m := newMsg(p, nil)
	defer m.free()
	m.m.Control = m.space[:ControlSpace(16)] // for the time that newConn asked for, and no more
	n, err := c.s.Recvmsg(&m.m, 0)
	switch {
	case err != nil:
		return n, c.failed("read", "read", err)
	case n == 0 && m.m.ControlN == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// CloseRead ends receiving (SHUT_RD).
func (c *UnixConn) CloseRead() error { return c.shutdown(SHUT_RD) }

// CloseWrite ends sending: the peer reads io.EOF, and can still write (SHUT_WR).
func (c *UnixConn) CloseWrite() error { return c.shutdown(SHUT_WR) }

// ReadFrom receives a datagram. An unbound sender has no address: nil.
func (c *UnixConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUnix(p)
	if from == nil {
		return n, nil, err
	}
	return n, from, err
}

// ReadFromUnix is ReadFrom with the sender's type.
func (c *UnixConn) ReadFromUnix(p []byte) (int, *net.UnixAddr, error) {
	n, from, err := c.s.Recvfrom(p, 0)
	if err != nil {
		return n, nil, c.failed("read", "recvfrom", err)
	}
	if from.Path() == "" {
		return n, nil, nil
	}
	return n, c.n.unixAddr(from), nil
}

// WriteTo sends a datagram to a *net.UnixAddr.
func (c *UnixConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UnixAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: c.n.name, Source: c.LocalAddr(), Addr: addr, Err: syscall.EINVAL}
	}
	return c.WriteToUnix(p, to)
}

// WriteToUnix is WriteTo with the receiver's type.
func (c *UnixConn) WriteToUnix(p []byte, addr *net.UnixAddr) (int, error) {
	switch {
	case addr == nil:
		return 0, c.misaddressed(nil)
	case c.connected:
		return 0, c.misaddressed(addr)
	case addr.Net != c.n.name:
		return 0, &net.OpError{Op: "write", Net: c.n.name, Source: c.LocalAddr(), Addr: addr, Err: syscall.EAFNOSUPPORT}
	}
	n, err := c.s.Sendto(p, 0, unixSockaddr(addr.Name))
	return n, c.opError("write", "sendto", addr, err)
}
