package sockeye

import (
	"io"
	"syscall"
)

// Send is send(2): to the connected peer. On a blocking stream it goes on until
// all is taken; when that fails midway it gives both the count and the error. A
// non-blocking stream may take fewer bytes than it was given.
func (s *Socket) Send(p []byte, flags MsgFlags) (int, error) {
	if t := s.c.host.tracer; t != nil {
		return t.send(s, p, flags)
	}
	return s.send(callSend, p, flags, Sockaddr{})
}

// Sendto is sendto(2): Send that names the receiver. The zero Sockaddr names
// the connected peer.
func (s *Socket) Sendto(p []byte, flags MsgFlags, to Sockaddr) (int, error) {
	if t := s.c.host.tracer; t != nil {
		return t.sendto(s, p, flags, to)
	}
	return s.send(callSendto, p, flags, to)
}

func (s *Socket) send(call *call, p []byte, flags MsgFlags, to Sockaddr) (int, error) {
	n := 0
	if s.ctx == nil && s.c.deadline[ForWrite].Load() == 0 { // most sends need not wait: these take no op
		var err error
		if n, err = s.c.ep.Send(p, flags, to); err == nil && n < len(p) {
			err = syscall.EAGAIN
		}
		if !pending(err) || flags&MSG_DONTWAIT != 0 || s.c.nonblock.Load() {
			return s.sent(call, n, to, err)
		}
	}
	o := s.newOp(ForWrite, doSend)
	o.p, o.n, o.flags, o.name = p, n, flags, to
	err := o.run()
	n = o.n
	o.free()
	return s.sent(call, n, to, err)
}

// sent is how a send ends that took n bytes: a part of them is no error.
func (s *Socket) sent(call *call, n int, to Sockaddr, err error) (int, error) {
	if err != nil && (n == 0 || err != syscall.EAGAIN) {
		return n, s.c.fail(call, to, err)
	}
	return n, nil
}

func doSend(o *op) error {
	n, err := o.c.ep.Send(o.p[o.n:], o.flags, o.name)
	o.n += n
	if err == nil && o.n < len(o.p) {
		return syscall.EAGAIN
	}
	return err
}

// Sendmsg is sendmsg(2). It sets m.N, and gives it. On a blocking stream it
// goes on until all is taken, as Send does.
func (s *Socket) Sendmsg(m *Message, flags MsgFlags) (int, error) {
	if t := s.c.host.tracer; t != nil {
		return t.sendmsg(s, m, flags)
	}
	return s.sendmsg(m, flags)
}

func (s *Socket) sendmsg(m *Message, flags MsgFlags) (int, error) {
	o := s.newOp(ForWrite, doSendmsg)
	o.m, o.flags, o.name = m, flags, m.Name
	err := o.run()
	n := o.n
	o.free()
	m.N = n
	if err != nil && (n == 0 || err != syscall.EAGAIN) {
		return n, s.c.fail(callSendmsg, m.Name, err)
	}
	return n, nil
}

func doSendmsg(o *op) error {
	if o.n == 0 {
		if err := o.c.ep.Sendmsg(o.m, o.flags); err != nil {
			return err
		}
		o.n = o.m.N
	} else { // the ancillary data went with the first piece
		rest := Message{Name: o.m.Name, Buffers: advance(o.m.Buffers, o.n)}
		if err := o.c.ep.Sendmsg(&rest, o.flags); err != nil {
			return err
		}
		o.n += rest.N
	}
	if o.n < o.m.Len() && o.c.socktype() == SOCK_STREAM {
		return syscall.EAGAIN
	}
	return nil
}

// Sendmmsg is sendmmsg(2): it sends messages in their order, sets the N of
// each, and tells how many went. An error after some messages comes together
// with their number.
func (s *Socket) Sendmmsg(ms []Message, flags MsgFlags) (int, error) {
	if t := s.c.host.tracer; t != nil {
		return t.sendmmsg(s, ms, flags)
	}
	return s.sendmmsg(ms, flags)
}

func (s *Socket) sendmmsg(ms []Message, flags MsgFlags) (int, error) {
	if s.c.socktype() == SOCK_STREAM && flags&MSG_DONTWAIT == 0 && !s.Nonblock() {
		return s.sendmsgs(ms, flags) // each may take several calls
	}
	o := s.newOp(ForWrite, doSendmmsg)
	o.ms, o.flags = ms, flags
	if len(ms) > 0 {
		o.name = ms[0].Name
	}
	err := o.run()
	n := o.n
	o.free()
	if err != nil && (n == 0 || err != syscall.EAGAIN) {
		return n, s.c.fail(callSendmmsg, Sockaddr{}, err)
	}
	return n, nil
}

// doSendmmsg asks again after a part: sendmmsg(2) keeps the error of a message
// that is not the first for the next call, and no event will tell of it.
func doSendmmsg(o *op) error {
	for {
		n, err := o.c.ep.Sendmmsg(o.ms[o.n:], o.flags)
		o.n += n
		if err != nil || o.n == len(o.ms) {
			return err
		}
		o.name = o.ms[o.n].Name
	}
}

func (s *Socket) sendmsgs(ms []Message, flags MsgFlags) (int, error) {
	for i := range ms {
		n, err := s.sendmsg(&ms[i], flags)
		if err != nil {
			return i, err
		}
		if n < ms[i].Len() { // SO_SNDTIMEO: what follows would leave a gap
			return i + 1, nil
		}
	}
	return len(ms), nil
}

// Write is Send as io.Writer has it.
func (s *Socket) Write(p []byte) (int, error) {
	n, err := s.Send(p, 0)
	if n < len(p) && err == nil {
		err = io.ErrShortWrite // SO_SNDTIMEO, or a non-blocking socket
	}
	return n, err
}
