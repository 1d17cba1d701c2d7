package sockeye

import (
	"io"
	"sync/atomic"
	"syscall"
)

// Recv is recv(2): it fills in p and gives the number of bytes received. At the
// peer's orderly end of a stream it gives 0 and no error; a datagram may be empty
// too. What of a datagram does not fit into p is lost; with MSG_TRUNC the number
// is the datagram's true length.
func (s *Socket) Recv(p []byte, flags MsgFlags) (int, error) {
	if t := s.c.host.tracer; t != nil {
		return t.recv(s, p, flags)
	}
	return s.recv(p, flags)
}

func (s *Socket) recv(p []byte, flags MsgFlags) (int, error) {
	if flags&MSG_DONTWAIT != 0 && s.ctx == nil { // it takes no op
		n, err := s.c.ep.Recv(p, flags)
		if err != nil {
			return n, s.c.fail(callRecv, Sockaddr{}, err)
		}
		return n, nil
	}
	o := s.newOp(ForRead, doRecv)
	o.p, o.flags = p, flags
	if s.fills(flags) {
		o.do, o.target = doRecvFill, s.fillTarget(len(p), flags)
	}
	err := o.run()
	n := o.n
	o.free()
	if err != nil {
		return n, s.c.fail(callRecv, Sockaddr{}, err)
	}
	return n, nil
}

func doRecv(o *op) (err error) {
	o.n, err = o.c.ep.Recv(o.p, o.flags)
	return err
}

// Recvfrom is recvfrom(2): Recv that tells the sender.
func (s *Socket) Recvfrom(p []byte, flags MsgFlags) (int, Sockaddr, error) {
	if t := s.c.host.tracer; t != nil {
		return t.recvfrom(s, p, flags)
	}
	return s.recvfrom(p, flags)
}

func (s *Socket) recvfrom(p []byte, flags MsgFlags) (int, Sockaddr, error) {
	o := s.newOp(ForRead, doRecvfrom)
	o.p, o.flags = p, flags
	if s.fills(flags) {
		o.do, o.target = doRecvFill, s.fillTarget(len(p), flags)
	}
	err := o.run()
	n, from := o.n, o.name
	o.free()
	if err != nil {
		return n, from, s.c.fail(callRecvfrom, Sockaddr{}, err)
	}
	return n, from, nil
}

func doRecvfrom(o *op) (err error) {
	o.n, o.name, err = o.c.ep.Recvfrom(o.p, o.flags)
	return err
}

// Recvmsg is recvmsg(2): it fills in m, and gives m.N.
func (s *Socket) Recvmsg(m *Message, flags MsgFlags) (int, error) {
	if t := s.c.host.tracer; t != nil {
		return t.recvmsg(s, m, flags)
	}
	return s.recvmsg(m, flags)
}

func (s *Socket) recvmsg(m *Message, flags MsgFlags) (int, error) {
	o := s.newOp(ForRead, doRecvmsg)
	o.m, o.flags = m, flags
	if s.fills(flags) {
		o.do, o.target = doRecvmsgFill, s.fillTarget(m.Len(), flags)
	}
	err := o.run()
	n := o.n
	o.free()
	if err != nil {
		return n, s.c.fail(callRecvmsg, Sockaddr{}, err)
	}
	return n, nil
}

func doRecvmsg(o *op) error {
	err := o.c.ep.Recvmsg(o.m, o.flags)
	if err == nil {
		o.n = o.m.N
		o.c.adopt(o.m)
	}
	return err
}

// Recvmmsg is recvmmsg(2): it fills in messages in their order and tells how
// many. It waits until all are filled; with MSG_WAITFORONE, for the first. An
// error after some messages comes together with their number.
func (s *Socket) Recvmmsg(ms []Message, flags MsgFlags) (int, error) {
	if t := s.c.host.tracer; t != nil {
		return t.recvmmsg(s, ms, flags)
	}
	return s.recvmmsg(ms, flags)
}

func (s *Socket) recvmmsg(ms []Message, flags MsgFlags) (int, error) {
	o := s.newOp(ForRead, doRecvmmsg)
	o.ms, o.flags = ms, flags
	err := o.run()
	n := o.n
	o.free()
	if err != nil && (n == 0 || err != syscall.EAGAIN) {
		return n, s.c.fail(callRecvmmsg, Sockaddr{}, err)
	}
	return n, nil
}

// doRecvmmsg goes on after a part of the messages, as doSendmmsg does.
func doRecvmmsg(o *op) error {
	for {
		n, err := o.c.ep.Recvmmsg(o.ms[o.n:], o.flags)
		for i := range o.ms[o.n : o.n+n] {
			o.c.adopt(&o.ms[o.n+i])
		}
		o.n += n
		if err != nil || o.n == len(o.ms) || o.n > 0 && o.flags&MSG_WAITFORONE != 0 {
			return err
		}
	}
}

// Read is Recv as io.Reader has it: the end of a stream is io.EOF.
func (s *Socket) Read(p []byte) (int, error) {
	n, err := s.Recv(p, 0)
	if n == 0 && err == nil && len(p) > 0 && s.c.socktype() == SOCK_STREAM {
		return 0, io.EOF
	}
	return n, err
}

// fills tells whether a receive may have to gather more than one piece: a
// stream with MSG_WAITALL or SO_RCVLOWAT, that may wait.
func (s *Socket) fills(flags MsgFlags) bool {
	return (flags&MSG_WAITALL != 0 || s.c.rcvlowat.Load() > 1) &&
		flags&(MSG_DONTWAIT|MSG_OOB|MSG_ERRQUEUE) == 0 && !s.Nonblock() && s.c.socktype() == SOCK_STREAM
}

// fillTarget is how many bytes a receive of up to size waits for.
func (s *Socket) fillTarget(size int, flags MsgFlags) int {
	if flags&MSG_WAITALL != 0 {
		return size
	}
	return min(size, int(s.c.rcvlowat.Load()))
}

// doRecvFill names the sender too, which unix streams do.
func doRecvFill(o *op) error {
	if o.flags&MSG_PEEK != 0 { // what is peeked stays: look at all of it again
		n, from, err := o.c.ep.Recvfrom(o.p, o.flags)
		o.name = from
		return o.peeked(n, err)
	}
	for {
		n, from, err := o.c.ep.Recvfrom(o.p[o.n:], o.flags)
		if n > 0 {
			o.name = from
		}
		if done, err := o.gathered(n, err); done {
			return err
		}
	}
}

func doRecvmsgFill(o *op) error {
	if o.flags&MSG_PEEK != 0 {
		err := doRecvmsg(o)
		if err == nil && len(o.m.Rights) > 0 { // the stream pauses here, as below
			return nil
		}
		return o.peeked(o.m.N, err)
	}
	for {
		rest := *o.m
		rest.Buffers, rest.N = advance(o.m.Buffers, o.n), 0
		err := o.c.ep.Recvmsg(&rest, o.flags)
		if err == nil {
			rest.Buffers = o.m.Buffers
			*o.m = rest
			o.c.adopt(o.m)
		}
		done, err := o.gathered(rest.N, err)
		o.m.N = o.n
		if done || len(o.m.Rights) > 0 { // the stream pauses where descriptors came (unix(7))
			return err
		}
	}
}

// gathered takes note of one piece of what MSG_WAITALL gathers. An error after
// some data is left for the next call, as the kernel does.
func (o *op) gathered(n int, err error) (done bool, _ error) {
	if err != nil {
		return true, err
	}
	o.n += n
	if n == 0 || o.n >= o.target || o.c.ep.Ready(POLLERR)&POLLERR != 0 {
		return true, nil
	}
	return false, nil
}

func (o *op) peeked(n int, err error) error {
	if err != nil {
		return err
	}
	o.n = n
	if n >= o.target || o.c.ep.Ready(POLLRDHUP)&(POLLRDHUP|POLLERR|POLLHUP) != 0 {
		return nil
	}
	return syscall.EAGAIN
}

// advance is what remains of buffers after n bytes.
func advance(buffers [][]byte, n int) [][]byte {
	for i, b := range buffers {
		if n < len(b) {
			rest := append([][]byte{b[n:]}, buffers[i+1:]...)
			return rest
		}
		n -= len(b)
	}
	return nil
}

// socktype is SO_TYPE.
func (c *core) socktype() Type { return Type(c.known(&c.typ, SO_TYPE.Level, SO_TYPE.Name)) }

// domain is SO_DOMAIN.
func (c *core) domain() Family { return Family(c.known(&c.family, SO_DOMAIN.Level, SO_DOMAIN.Name)) }

// known asks for an option that never changes, once.
func (c *core) known(v *atomic.Int32, level, name int) int32 {
	if v.Load() == 0 {
		v.Store(c.number(level, name))
	}
	return v.Load()
}

// number is the value of an int option; 0 if there is none.
func (c *core) number(level, name int) int32 {
	var b [4]byte
	if n, err := c.ep.Getsockopt(level, name, b[:]); err == nil && n == 4 {
		return int32(decodeInt(b[:]))
	}
	return 0
}
