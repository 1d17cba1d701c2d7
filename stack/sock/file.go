package sock

import (
	"net"
	"sync/atomic"
	"syscall"

	"sockeye"
)

// A File is an open socket: Linux's struct socket with its family's
// operations. Its methods are called with the host locked and never wait: a
// call that would gives EAGAIN, or EINPROGRESS from Connect.
type File interface {
	// Base is the Socket that the file embeds.
	Base() *Socket

	Bind(sa sockeye.Sockaddr) error
	Listen(backlog int) error
	Accept() (File, sockeye.Sockaddr, error)
	Connect(sa sockeye.Sockaddr) error
	Getsockname() (sockeye.Sockaddr, error)
	Getpeername() (sockeye.Sockaddr, error)
	Shutdown(how sockeye.How) error
	Sendmsg(m *sockeye.Message, flags sockeye.MsgFlags) error
	Recvmsg(m *sockeye.Message, flags sockeye.MsgFlags) error
	Getsockopt(level, name int, val []byte) (int, error)
	Setsockopt(level, name int, val []byte) error
	Ioctl(req uint) (int, error)
	// Ready tells all events that hold.
	Ready() sockeye.Events
	// Release ends the socket, when its last descriptor is closed.
	Release()
}

// A Descriptor names an open socket, as a file descriptor does. Several may
// name the same one, after SCM_RIGHTS passed it on.
type Descriptor struct {
	file   File
	base   *Socket
	fd     int32
	closed atomic.Bool
}

// Open gives an open socket a descriptor, or EMFILE; net.ErrClosed: the host is. The host
// is locked.
func Open(f File) (*Descriptor, error) {
	s := f.Base()
	fd, ok := s.Host.freeDescriptor()
	switch {
	case s.Host.closed:
		return nil, net.ErrClosed
	case !ok:
		return nil, syscall.EMFILE
	}
	s.Hold()
	d := &Descriptor{file: f, base: s, fd: int32(fd)}
	s.Host.setDescriptor(fd, d)
	return d, nil
}

// File is the open socket.
func (d *Descriptor) File() File { return d.file }

// Descriptor is the number.
func (d *Descriptor) Descriptor() int { return int(d.fd) }

// enter locks the host for a call; false: the descriptor is closed, and the
// host not locked.
func (d *Descriptor) enter() bool {
	d.base.Host.Lock()
	if d.closed.Load() {
		d.base.Host.Unlock()
		return false
	}
	return true
}

// leave ends a call.
func (d *Descriptor) leave() {
	if h := d.base.Host; h.turn {
		h.leaveTurn()
	}
	d.base.Host.Leave()
}

// Close gives the number back and, if no other descriptor names the socket,
// ends it.
func (d *Descriptor) Close() error {
	if !d.enter() {
		return net.ErrClosed
	}
	defer d.leave()
	d.close()
	return nil
}

func (d *Descriptor) close() {
	d.closed.Store(true)
	d.base.Host.setDescriptor(int(d.fd), nil)
	if d.base.Host.Later() {
		d.base.Host.Post(d.file, "", (*closing)(d))
		return
	}
	d.base.WakeAll()
	Drop(d.file)
}

// Bind is bind(2).
func (d *Descriptor) Bind(sa sockeye.Sockaddr) error {
	if !d.enterTurn("bind", sa) {
		return net.ErrClosed
	}
	defer d.leave()
	return d.file.Bind(sa)
}

// Listen is listen(2).
func (d *Descriptor) Listen(backlog int) error {
	if !d.enterTurn("listen", sockeye.Sockaddr{}) {
		return net.ErrClosed
	}
	defer d.leave()
	return d.file.Listen(backlog)
}

// Accept is accept(2); a call that would have to wait gives EAGAIN.
func (d *Descriptor) Accept() (sockeye.Endpoint, sockeye.Sockaddr, error) {
	if !d.enter() {
		return nil, sockeye.Sockaddr{}, net.ErrClosed
	}
	defer d.leave()
	if _, ok := d.base.Host.freeDescriptor(); !ok { // before a connection is taken
		return nil, sockeye.Sockaddr{}, syscall.EMFILE
	}
	f, from, err := d.file.Accept()
	if err != nil {
		return nil, sockeye.Sockaddr{}, err
	}
	conn, err := Open(f)
	return conn, from, err
}

// Connect is connect(2); a connection that is under way gives EINPROGRESS, and then EALREADY.
func (d *Descriptor) Connect(sa sockeye.Sockaddr) error {
	if !d.enterTurn("connect", sa) {
		return net.ErrClosed
	}
	defer d.leave()
	return d.file.Connect(sa)
}

// Getsockname is getsockname(2).
func (d *Descriptor) Getsockname() (sockeye.Sockaddr, error) {
	if !d.enter() {
		return sockeye.Sockaddr{}, net.ErrClosed
	}
	defer d.leave()
	return d.file.Getsockname()
}

// Getpeername is getpeername(2).
func (d *Descriptor) Getpeername() (sockeye.Sockaddr, error) {
	if !d.enter() {
		return sockeye.Sockaddr{}, net.ErrClosed
	}
	defer d.leave()
	return d.file.Getpeername()
}

// Shutdown is shutdown(2).
func (d *Descriptor) Shutdown(how sockeye.How) error {
	if !d.enterTurn("shutdown", sockeye.Sockaddr{}) {
		return net.ErrClosed
	}
	defer d.leave()
	return d.file.Shutdown(how)
}

// Getsockopt is getsockopt(2).
func (d *Descriptor) Getsockopt(level, name int, val []byte) (int, error) {
	if !d.enter() {
		return 0, net.ErrClosed
	}
	defer d.leave()
	return d.file.Getsockopt(level, name, val)
}

// Setsockopt is setsockopt(2).
func (d *Descriptor) Setsockopt(level, name int, val []byte) error {
	if !d.enterTurn("setsockopt", sockeye.Sockaddr{}) {
		return net.ErrClosed
	}
	defer d.leave()
	return d.file.Setsockopt(level, name, val)
}

// Ioctl is ioctl(2).
func (d *Descriptor) Ioctl(req uint) (int, error) {
	if !d.enter() {
		return 0, net.ErrClosed
	}
	defer d.leave()
	return d.file.Ioctl(req)
}

// Ready gives those of the events that hold now, with POLLERR, POLLHUP and POLLNVAL asked for or not.
func (d *Descriptor) Ready(events sockeye.Events) sockeye.Events {
	if !d.enter() {
		return sockeye.POLLNVAL
	}
	defer d.leave()
	return d.file.Ready() & (events | sockeye.POLLERR | sockeye.POLLHUP)
}

// Send is sendto(2); a call that would have to wait gives EAGAIN.
func (d *Descriptor) Send(p []byte, flags sockeye.MsgFlags, to sockeye.Sockaddr) (int, error) {
	if !d.enterSend(to) {
		return 0, net.ErrClosed
	}
	defer d.leave()
	h := d.base.Host
	m := h.takeMessage(p)
	m.Name, m.N = to, 0
	err := d.file.Sendmsg(m, flags)
	h.giveMessage(m)
	return m.N, err
}

// Recv is recv(2); a call that would have to wait gives EAGAIN.
func (d *Descriptor) Recv(p []byte, flags sockeye.MsgFlags) (int, error) {
	n, _, err := d.Recvfrom(p, flags)
	return n, err
}

// Recvfrom is recvfrom(2); a call that would have to wait gives EAGAIN.
func (d *Descriptor) Recvfrom(p []byte, flags sockeye.MsgFlags) (int, sockeye.Sockaddr, error) {
	var l lender
	lends := false
	if d.base.Type == sockeye.SOCK_DGRAM && flags&^sockeye.MSG_DONTWAIT == 0 && !d.closed.Load() {
		if l, lends = d.file.(lender); lends {
			if n, from, ok := l.RecvLent(p); ok {
				return n, from, nil
			}
		}
	}
	if !d.enter() {
		return 0, sockeye.Sockaddr{}, net.ErrClosed
	}
	defer d.leave()
	h := d.base.Host
	m := h.takeMessage(p)
	err := d.receive(m, flags)
	h.giveMessage(m)
	if lends && err == nil {
		l.Lend()
	}
	return m.N, m.Name, err
}

// A lender is a File that lends what is queued to receivers, who need not lock the host for it.
type lender interface {
	// RecvLent is Recvfrom without flags of something that is lent; false: there is none. It locks nothing
	// of the host's.
	RecvLent(p []byte) (n int, from sockeye.Sockaddr, ok bool)
	// Lend lends what is queued.
	Lend()
}

// receive is recvmsg into m, whatever was in its results before.
func (d *Descriptor) receive(m *sockeye.Message, flags sockeye.MsgFlags) error {
	m.Name, m.N, m.ControlN, m.Flags, m.Rights = sockeye.Sockaddr{}, 0, 0, 0, m.Rights[:0]
	return d.file.Recvmsg(m, flags)
}

// Sendmsg is sendmsg(2); a call that would have to wait gives EAGAIN.
func (d *Descriptor) Sendmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if !d.enterSend(m.Name) {
		return net.ErrClosed
	}
	defer d.leave()
	return d.file.Sendmsg(m, flags)
}

// Recvmsg is recvmsg(2); a call that would have to wait gives EAGAIN.
func (d *Descriptor) Recvmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if !d.enter() {
		return net.ErrClosed
	}
	defer d.leave()
	return d.receive(m, flags)
}

// Sendmmsg is sendmmsg(2); a call that would have to wait gives EAGAIN.
func (d *Descriptor) Sendmmsg(ms []sockeye.Message, flags sockeye.MsgFlags) (int, error) {
	if !d.enterSend(sockeye.Sockaddr{}) {
		return 0, net.ErrClosed
	}
	defer d.leave()
	for i := range ms {
		if err := d.file.Sendmsg(&ms[i], flags); err != nil {
			return countOrErr(i, err)
		}
		if ms[i].N < ms[i].Len() {
			return i + 1, nil
		}
		if i+1 < len(ms) && !d.settle() {
			return i + 1, nil
		}
	}
	return len(ms), nil
}

// settle lets what a call has sent arrive before it goes on, so that its next message meets what this one
// led to; false: the descriptor was closed meanwhile. A call that has its turn keeps the host to itself.
func (d *Descriptor) settle() bool {
	h := d.base.Host
	if h.Looped {
		h.Deliver()
	}
	if !h.Pending || h.turn {
		return true
	}
	h.Leave()
	h.Lock()
	return !d.closed.Load()
}

// Recvmmsg is recvmmsg(2); a call that would have to wait gives EAGAIN.
func (d *Descriptor) Recvmmsg(ms []sockeye.Message, flags sockeye.MsgFlags) (int, error) {
	if !d.enter() {
		return 0, net.ErrClosed
	}
	defer d.leave()
	if flags&sockeye.MSG_ERRQUEUE == 0 { // an error comes before what there is to receive
		if err := d.base.TakeError(); err != nil {
			return 0, err
		}
	}
	for i := range ms {
		if err := d.receive(&ms[i], flags); err != nil {
			if i > 0 && err != syscall.EAGAIN {
				// recvmmsg(2): the error is for the next call.
				d.base.Err, _ = err.(syscall.Errno)
			}
			return countOrErr(i, err)
		}
		if ms[i].Flags&sockeye.MSG_OOB != 0 {
			return i + 1, nil
		}
	}
	return len(ms), nil
}

// countOrErr is how the calls for many messages answer: an error only if no
// message went before it.
func countOrErr(n int, err error) (int, error) {
	if n > 0 {
		return n, nil
	}
	return 0, err
}
