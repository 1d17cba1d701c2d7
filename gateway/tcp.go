package gateway

import (
	"context"
	"net/netip"
	"syscall"

	"sockeye"
	"sockeye/relay"
	"sockeye/stack"
)

// backlog is how many connections may be under way outside at once; further ones try again.
const backlog = 4096

// openTCP answers for every address of a family.
func (g *Gateway) openTCP(family sockeye.Family) error {
	s, err := g.transparent(sockeye.SOCK_STREAM, 0, netip.AddrPortFrom(anyOf(family), tproxyPort))
	if err != nil {
		return err
	}
	// What comes in pieces goes on in pieces.
	if err := sockeye.TCP_NODELAY.Set(s, true); err != nil {
		return err
	}
	if err := s.Listen(backlog); err != nil {
		return err
	}
	return stack.Screen(s, func(c *stack.Call) { g.run(func() { g.call(c) }) })
}

// call connects who calls with whom it calls.
func (g *Gateway) call(c *stack.Call) {
	ev := Event{Protocol: "tcp", From: c.From, To: c.To}
	out, err := g.connect(c.To)
	if err != nil {
		c.Refuse(refusal(err))
		ev.Err = err
		g.Log(ev)
		return
	}
	in, err := c.Accept()
	if err != nil { // it has given up
		sockeye.SO_LINGER.Set(out, sockeye.Linger{On: true})
		out.Close()
		ev.Err = err
		g.Log(ev)
		return
	}
	ev.Opened = true
	g.Log(ev)
	ev.Opened = false
	ev.Sent, ev.Received, ev.Err = relay.Join(g.ctx, g.run, in, out)
	g.Log(ev)
}

// connect makes the connection outside.
func (g *Gateway) connect(to netip.AddrPort) (*sockeye.Socket, error) {
	to, err := g.lead(to)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(g.ctx, connectTimeout)
	defer cancel()
	return g.dial(ctx, sockeye.SOCK_STREAM, to)
}

// refusal is what a caller is told of an error outside.
func refusal(err error) syscall.Errno {
	switch errno := errnoOf(err); errno {
	case syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, syscall.ENETDOWN, syscall.EINVAL, syscall.EPERM:
		return syscall.ENETUNREACH // this machine has no way there
	case syscall.EHOSTDOWN, syscall.ENONET:
		return syscall.EHOSTUNREACH
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, 0:
		return syscall.ETIMEDOUT // it tries again
	default:
		return errno
	}
}
