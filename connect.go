package sockeye

import "syscall"

// Connect is connect(2). On a stream it makes the connection; on a datagram
// socket it fixes the peer, and filters what is received; the zero Sockaddr
// takes that back. A deadline or context that ends the wait leaves the
// connection under way, as a signal does in C: call Connect again to wait on,
// or Close.
func (s *Socket) Connect(sa Sockaddr) error {
	if t := s.c.host.tracer; t != nil {
		return t.connect(s, sa)
	}
	return s.connect(sa)
}

func (s *Socket) connect(sa Sockaddr) error {
	o := s.newOp(ForWrite, doConnect)
	o.name, o.connecting = sa, true
	err := o.run()
	o.free()
	if err == nil || err == syscall.EINPROGRESS {
		s.c.setRemote(sa)
	}
	if err != nil {
		return s.c.fail(callConnect, sa, err)
	}
	return nil
}

func doConnect(o *op) error { return o.c.ep.Connect(o.name) }

// Accept is accept(2): it takes the first connection that waits, makes a new,
// blocking socket of it, and tells the peer's address.
func (s *Socket) Accept() (*Socket, Sockaddr, error) { return s.Accept4(0) }

// Accept4 is accept4(2): with SOCK_NONBLOCK the new socket is non-blocking.
func (s *Socket) Accept4(flags Type) (*Socket, Sockaddr, error) {
	if t := s.c.host.tracer; t != nil {
		return t.accept(s, flags)
	}
	return s.accept(flags)
}

func (s *Socket) accept(flags Type) (*Socket, Sockaddr, error) {
	if flags&^(SOCK_NONBLOCK|SOCK_CLOEXEC) != 0 {
		return nil, Sockaddr{}, s.c.fail(callAccept, Sockaddr{}, syscall.EINVAL)
	}
	o := s.newOp(ForRead, doAccept)
	o.accepting = true
	err := o.run()
	ep, from := o.ep, o.name
	o.free()
	if err != nil {
		return nil, Sockaddr{}, s.c.fail(callAccept, Sockaddr{}, err)
	}
	conn := s.c.host.newSocket(ep, Family(s.c.family.Load()), Type(s.c.typ.Load())|flags)
	conn.c.inheritOptions(s.c)
	conn.c.peer = from
	return conn, from, nil
}

func doAccept(o *op) (err error) {
	o.ep, o.name, err = o.c.ep.Accept()
	return err
}
