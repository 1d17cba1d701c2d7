package sockeye

import (
	"net"
	"syscall"
)

// An IPConn is a net.Conn and a net.PacketConn over raw sockets (raw(7)). It
// reads and writes what IP carries; on IPv4 Read and ReadMsgIP give the IP
// header with it.
type IPConn struct{ conn }

// ReadFrom receives a packet, without its IP header.
func (c *IPConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromIP(p)
	if from == nil {
		return n, nil, err
	}
	return n, from, err
}

// ReadFromIP is ReadFrom with the sender's type.
func (c *IPConn) ReadFromIP(p []byte) (int, *net.IPAddr, error) {
	n, from, err := c.s.Recvfrom(p, 0)
	if err != nil {
		return n, nil, c.failed("read", "recvfrom", err)
	}
	if from.Family() == AF_INET && n > 0 {
		if header := int(p[0]&0xf) * 4; p[0]>>4 == 4 && header >= 20 && header <= n {
			n = copy(p, p[header:n])
		}
	}
	return n, c.sender(from), nil
}

// ReadMsgIP receives a packet and its ancillary data, which ControlMessages takes
// apart. flags are those of recvmsg(2), such as MSG_TRUNC.
func (c *IPConn) ReadMsgIP(p, oob []byte) (n, oobn, flags int, addr *net.IPAddr, err error) {
	n, oobn, f, from, err := c.recvmsg(p, oob)
	if err != nil {
		return n, oobn, int(f), nil, c.failed("read", "recvmsg", err)
	}
	return n, oobn, int(f), c.sender(from), nil
}

func (c *IPConn) sender(sa Sockaddr) *net.IPAddr {
	a, _ := c.n.netAddr(sa).(*net.IPAddr)
	return a
}

// WriteTo sends a packet to a *net.IPAddr.
func (c *IPConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.IPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: c.n.name, Source: c.LocalAddr(), Addr: addr, Err: syscall.EINVAL}
	}
	return c.WriteToIP(p, to)
}

// WriteToIP is WriteTo with the receiver's type.
func (c *IPConn) WriteToIP(p []byte, addr *net.IPAddr) (int, error) {
	if c.connected || addr == nil {
		return 0, c.misaddressed(ipAddr(addr))
	}
	ap, _ := addrPort(addr)
	n, err := c.sendto(p, ap)
	return n, c.opError("write", "sendto", addr, err)
}

// WriteMsgIP sends a packet with ancillary data, which the Append functions
// build.
func (c *IPConn) WriteMsgIP(p, oob []byte, addr *net.IPAddr) (n, oobn int, err error) {
	if c.connected || addr == nil {
		return 0, 0, c.misaddressed(ipAddr(addr))
	}
	to, err := c.s.c.host.sockaddr(c.n.family, addr)
	if err == nil {
		n, err = c.sendmsg(p, oob, to)
	}
	if err != nil {
		return n, 0, c.opError("write", "sendmsg", addr, err)
	}
	return n, len(oob), nil
}

// ipAddr is a as a net.Addr, nil if it is nil.
func ipAddr(a *net.IPAddr) net.Addr {
	if a == nil {
		return nil
	}
	return a
}
