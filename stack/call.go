package stack

import (
	"fmt"
	"net/netip"
	"syscall"

	"sockeye"
	"sockeye/stack/inet"
	"sockeye/stack/sock"
)

// A Call is a TCP connection that a peer asks for, and that has had no answer yet.
type Call struct {
	From, To netip.AddrPort

	base *sockeye.Socket // the listener
	call *inet.Call
	host *sock.Host
}

// Screen makes a listening TCP socket of a Go host ask f about each connection, which it
// neither completes nor gives to Accept any more: a program can find out first whether it can
// serve. As many calls as the backlog wait; further peers try again. f is called with the host
// locked: it must neither wait nor use a socket of the host.
func Screen(s *sockeye.Socket, f func(*Call)) error {
	d, _ := s.Endpoint().(*sock.Descriptor)
	if d == nil {
		return fmt.Errorf("stack: Screen: the socket is of %v, not of a host in pure Go", s.Host())
	}
	t, _ := d.File().(*inet.TCP)
	if t == nil {
		return fmt.Errorf("stack: Screen: the socket is not of TCP")
	}
	h := t.Base().Host
	h.Lock()
	defer h.Unlock()
	err := t.Screen(func(c *inet.Call) {
		n := c.Names()
		f(&Call{From: n.Remote, To: n.Local, base: s, call: c, host: h})
	})
	if err != nil {
		return fmt.Errorf("stack: Screen: the socket does not listen: %w", err)
	}
	return nil
}

// Accept answers with a SYN-ACK, and gives the connection, on which can be sent before the
// handshake is done. The error is ECONNABORTED if the peer has given up.
func (c *Call) Accept() (*sockeye.Socket, error) {
	d, err := c.accept()
	if err != nil {
		return nil, err
	}
	return c.base.Host().Adopt(d), nil
}

func (c *Call) accept() (*sock.Descriptor, error) {
	c.host.Lock()
	defer c.host.Leave()
	t, err := c.call.Accept()
	if err != nil {
		return nil, err
	}
	d, err := sock.Open(t)
	if err != nil {
		t.Release()
		return nil, err
	}
	return d, nil
}

// Refuse makes the peer's connect fail with an error: ECONNREFUSED, ENETUNREACH, EHOSTUNREACH,
// or EACCES, which IPv4 makes EHOSTUNREACH of. With ETIMEDOUT it gets no answer to this try.
func (c *Call) Refuse(err syscall.Errno) {
	c.host.Lock()
	defer c.host.Leave()
	c.call.Refuse(err)
}
