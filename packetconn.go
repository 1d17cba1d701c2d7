package sockeye

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// A msgCall is a Message of one buffer, pooled so that calls allocate nothing.
type msgCall struct {
	m     Message
	buf   [1][]byte
	space [64]byte // for ancillary data that nobody sees
}

var msgCalls = sync.Pool{New: func() any { return new(msgCall) }}

// newMsg makes a message of one buffer.
func newMsg(p, control []byte) *msgCall {
	c := msgCalls.Get().(*msgCall)
	c.buf[0] = p
	c.m = Message{Buffers: c.buf[:], Control: control}
	return c
}

func (c *msgCall) free() {
	*c = msgCall{}
	msgCalls.Put(c)
}

// recvmsg receives one message. Descriptors among its ancillary data are
// closed: those who expect some use the Socket's Recvmsg.
func (c *conn) recvmsg(p, control []byte) (n, controlN int, flags MsgFlags, from Sockaddr, err error) {
	m := newMsg(p, control)
	defer m.free()
	_, err = c.s.Recvmsg(&m.m, 0)
	for _, d := range m.m.Rights {
		d.Close()
	}
	return m.m.N, m.m.ControlN, m.m.Flags, m.m.Name, err
}

func (c *conn) sendmsg(p, control []byte, to Sockaddr) (int, error) {
	m := newMsg(p, control)
	defer m.free()
	m.m.Name = to
	return c.s.Sendmsg(&m.m, 0)
}

// misaddressed is the error of a datagram that names a receiver on a connected
// socket, or none on another.
func (c *conn) misaddressed(to net.Addr) error {
	if c.connected {
		return c.opError("write", "", to, net.ErrWriteToConnected)
	}
	return c.opError("write", "", to, errMissingAddress)
}

// sendto sends a datagram to an address of IP.
func (c *conn) sendto(p []byte, ap netip.AddrPort) (int, error) {
	to, err := c.s.c.host.inetSockaddr(c.n.family, ap)
	if err != nil {
		return 0, err
	}
	return c.s.Sendto(p, 0, to)
}

// errorAddr is an address for an error of package net.
func errorAddr(ap netip.AddrPort) net.Addr {
	if !ap.IsValid() {
		return nil
	}
	return net.UDPAddrFromAddrPort(ap)
}

// A UDPConn is a net.Conn and a net.PacketConn over UDP, with the methods of
// *net.UDPConn that golang.org/x/net and QUIC want. Those that end in AddrPort
// allocate nothing, but for zones.
//
// Libraries that take SyscallConn for the promise of a file descriptor, as
// quic-go does, are to be given struct{ net.PacketConn }{c} on a host that has none.
type UDPConn struct{ conn }

// ReadFrom receives a datagram. What does not fit into p is lost.
func (c *UDPConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDP(p)
	if from == nil {
		return n, nil, err
	}
	return n, from, err
}

// ReadFromUDP is ReadFrom with the sender's type.
func (c *UDPConn) ReadFromUDP(p []byte) (int, *net.UDPAddr, error) {
	n, from, err := c.ReadFromUDPAddrPort(p)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromUDPAddrPort is ReadFrom without an allocation. On a socket of both
// families IPv4 senders come IPv4-mapped.
func (c *UDPConn) ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error) {
	n, from, err := c.s.Recvfrom(p, 0)
	if err != nil {
		return n, netip.AddrPort{}, c.failed("read", "recvfrom", err)
	}
	return n, from.AddrPort(), nil
}

// ReadMsgUDP receives a datagram and its ancillary data, which
// ControlMessages takes apart. flags are those of recvmsg(2), such as MSG_TRUNC.
func (c *UDPConn) ReadMsgUDP(p, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	n, oobn, flags, from, err := c.ReadMsgUDPAddrPort(p, oob)
	if from.IsValid() {
		addr = net.UDPAddrFromAddrPort(from)
	}
	return n, oobn, flags, addr, err
}

// ReadMsgUDPAddrPort is ReadMsgUDP without an allocation.
func (c *UDPConn) ReadMsgUDPAddrPort(p, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	n, oobn, f, from, err := c.recvmsg(p, oob)
	if err != nil {
		return n, oobn, int(f), addr, c.failed("read", "recvmsg", err)
	}
	return n, oobn, int(f), from.AddrPort(), nil
}

// WriteTo sends a datagram to a *net.UDPAddr.
func (c *UDPConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: c.n.name, Source: c.LocalAddr(), Addr: addr, Err: syscall.EINVAL}
	}
	return c.WriteToUDP(p, to)
}

// WriteToUDP is WriteTo with the receiver's type.
func (c *UDPConn) WriteToUDP(p []byte, addr *net.UDPAddr) (int, error) {
	if c.connected || addr == nil {
		return 0, c.misaddressed(udpAddr(addr))
	}
	n, err := c.sendto(p, addr.AddrPort())
	return n, c.opError("write", "sendto", addr, err)
}

// WriteToUDPAddrPort is WriteTo without an allocation.
func (c *UDPConn) WriteToUDPAddrPort(p []byte, addr netip.AddrPort) (int, error) {
	if c.connected || !addr.IsValid() {
		return 0, c.misaddressed(errorAddr(addr))
	}
	n, err := c.sendto(p, addr)
	if err != nil {
		return n, c.opError("write", "sendto", errorAddr(addr), err)
	}
	return n, nil
}

// WriteMsgUDP sends a datagram with ancillary data, which the Append functions
// build. A connected socket takes no address.
func (c *UDPConn) WriteMsgUDP(p, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	if c.connected == (addr != nil) {
		return 0, 0, c.misaddressed(udpAddr(addr))
	}
	return c.writeMsg(p, oob, addr.AddrPort())
}

// WriteMsgUDPAddrPort is WriteMsgUDP without an allocation. A connected socket
// takes the zero addr.
func (c *UDPConn) WriteMsgUDPAddrPort(p, oob []byte, addr netip.AddrPort) (n, oobn int, err error) {
	if c.connected == addr.IsValid() {
		return 0, 0, c.misaddressed(errorAddr(addr))
	}
	return c.writeMsg(p, oob, addr)
}

func (c *UDPConn) writeMsg(p, oob []byte, ap netip.AddrPort) (n, oobn int, err error) {
	var to Sockaddr
	if !c.connected {
		if to, err = c.s.c.host.inetSockaddr(c.n.family, ap); err != nil {
			return 0, 0, c.opError("write", "sendmsg", errorAddr(ap), err)
		}
	}
	if n, err = c.sendmsg(p, oob, to); err != nil {
		return n, 0, c.opError("write", "sendmsg", errorAddr(ap), err)
	}
	return n, len(oob), nil
}

// udpAddr is a as a net.Addr, nil if it is nil.
func udpAddr(a *net.UDPAddr) net.Addr {
	if a == nil {
		return nil
	}
	return a
}
