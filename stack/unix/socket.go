package unix

import (
	"slices"
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
)

// A state is that of a connection, in the names that Linux lends from TCP.
type state int

const (
	closed state = iota
	established
	listening
)

// A Socket is a unix socket.
type Socket struct {
	sock.Socket
	family *Family
	name   sockeye.Sockaddr
	state  state
	peer   *Socket
	gone   bool // released: SOCK_DEAD

	queue []*message // to be received
	oob   *message   // the last urgent byte, in queue too
	wmem  int        // of messages that this socket sent and nobody has received

	backlog int
	embryos []*Socket // connections that wait for accept; a listening socket's queue
	embryo  bool      // it waits for accept itself
	parent  *Socket   // where

	blocked []*Socket // sockets that wait for room in this one's queue

	cred     sockeye.Credentials // who runs the socket's program
	peerCred sockeye.Credentials // SO_PEERCRED
}

// noCred is SO_PEERCRED of a socket without a peer.
var noCred = sockeye.Credentials{UID: ^uint32(0), GID: ^uint32(0)}

// Open is socket(2).
func (f *Family) Open(typ sockeye.Type, proto sockeye.Protocol) (sock.File, error) {
	s, err := f.create(typ, proto)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (f *Family) create(typ sockeye.Type, proto sockeye.Protocol) (*Socket, error) {
	if proto != 0 && proto != sockeye.Protocol(sockeye.AF_UNIX) {
		return nil, syscall.EPROTONOSUPPORT
	}
	switch typ {
	case sockeye.SOCK_RAW: // as BSD had it
		typ = sockeye.SOCK_DGRAM
	case sockeye.SOCK_STREAM, sockeye.SOCK_DGRAM, sockeye.SOCK_SEQPACKET:
	default:
		return nil, syscall.ESOCKTNOSUPPORT
	}
	s := &Socket{family: f, cred: f.host.Credentials, peerCred: noCred}
	s.Init(f.host, sockeye.AF_UNIX, typ, 0)
	s.name = sockeye.SockaddrUnix("")
	return s, nil
}

// Pair is socketpair(2).
func (f *Family) Pair(typ sockeye.Type, proto sockeye.Protocol) (a, b sock.File, err error) {
	s, err := f.create(typ, proto)
	if err != nil {
		return nil, nil, err
	}
	t, _ := f.create(typ, proto)
	s.join(t)
	return s, t, nil
}

// join connects two sockets.
func (s *Socket) join(t *Socket) {
	s.peer, t.peer = t, s
	s.state, t.state = established, established
	s.peerCred, t.peerCred = t.cred, s.cred
}

func (s *Socket) bound() bool { return s.name.Path() != "" }

// connected types keep a connection; the other is the datagram.
func (s *Socket) connectionOriented() bool { return s.Type != sockeye.SOCK_DGRAM }

// Getsockname is getsockname(2): empty for a socket without a name.
func (s *Socket) Getsockname() (sockeye.Sockaddr, error) { return s.name, nil }

// Getpeername is getpeername(2).
func (s *Socket) Getpeername() (sockeye.Sockaddr, error) {
	if s.peer == nil {
		return sockeye.Sockaddr{}, syscall.ENOTCONN
	}
	return s.peer.name, nil
}

// Listen is unix_listen.
func (s *Socket) Listen(backlog int) error {
	if !s.connectionOriented() {
		return syscall.EOPNOTSUPP
	}
	if !s.bound() || s.state == established {
		return syscall.EINVAL
	}
	if backlog < 0 || backlog > s.Host.Sysctl.Somaxconn {
		backlog = s.Host.Sysctl.Somaxconn
	}
	s.state, s.backlog = listening, backlog
	s.peerCred = s.cred
	s.unblock()
	return nil
}

// Accept is unix_accept.
func (s *Socket) Accept() (sock.File, sockeye.Sockaddr, error) {
	if !s.connectionOriented() {
		return nil, sockeye.Sockaddr{}, syscall.EOPNOTSUPP
	}
	if s.state != listening {
		return nil, sockeye.Sockaddr{}, syscall.EINVAL
	}
	if len(s.embryos) == 0 {
		return nil, sockeye.Sockaddr{}, syscall.EAGAIN
	}
	conn := s.embryos[0]
	conn.embryo, conn.parent = false, nil
	s.embryos = s.embryos[1:]
	s.unblock()
	var from sockeye.Sockaddr
	if conn.peer != nil {
		from = conn.peer.name
	}
	return conn, from, nil
}

// block makes waiter be woken when there is room in s's queue.
func (s *Socket) block(waiter *Socket) {
	if !slices.Contains(s.blocked, waiter) {
		s.blocked = append(s.blocked, waiter)
	}
}

// unblock wakes those who wait for room in s's queue.
func (s *Socket) unblock() {
	for i, waiter := range s.blocked {
		waiter.Wake(sockeye.ForWrite)
		s.blocked[i] = nil
	}
	s.blocked = s.blocked[:0]
}

// Connect is unix_stream_connect and unix_dgram_connect.
func (s *Socket) Connect(sa sockeye.Sockaddr) error {
	if !s.connectionOriented() {
		return s.connectDatagram(sa)
	}
	if err := valid(sa); err != nil {
		return err
	}
	if s.Opt.PassCred && !s.bound() {
		if err := s.autobind(); err != nil {
			return err
		}
	}
	l, err := s.family.find(sa, s.Type)
	switch {
	case err != nil:
		return err
	case l.state != listening || l.Shut&sock.RcvShutdown != 0:
		return syscall.ECONNREFUSED
	case len(l.embryos) > l.backlog:
		l.block(s)
		return syscall.EAGAIN
	case s.state == established:
		return syscall.EISCONN
	case s.state == listening:
		return syscall.EINVAL
	}
	conn, err := s.family.create(s.Type, 0)
	if err != nil {
		return err
	}
	if l.Opt.PassCred || l.Opt.PassSec {
		o := conn.OwnOptions()
		o.PassCred, o.PassSec = l.Opt.PassCred, l.Opt.PassSec
	}
	conn.name, conn.embryo, conn.parent = l.name, true, l
	conn.join(s)
	s.peerCred = l.peerCred
	l.embryos = append(l.embryos, conn)
	l.Wake(sockeye.ForRead)
	s.WakeAll()
	return nil
}

func (s *Socket) connectDatagram(sa sockeye.Sockaddr) error {
	var other *Socket
	if sa.Family() != sockeye.AF_UNSPEC {
		if err := valid(sa); err != nil {
			return err
		}
		if s.Opt.PassCred && !s.bound() {
			if err := s.autobind(); err != nil {
				return err
			}
		}
		var err error
		if other, err = s.family.find(sa, s.Type); err != nil {
			return err
		}
		if !s.maySend(other) {
			return syscall.EPERM
		}
	}
	old := s.peer
	s.peer = other
	s.state = closed
	if other != nil {
		s.state, other.state = established, established
	}
	if old != nil && old != other {
		s.disconnected(old)
		if old.peer == nil {
			old.state = closed
		}
	}
	s.WakeAll()
	return nil
}

// disconnected is unix_dgram_disconnected: what the old peer had sent is thrown
// away, and if it counted on this socket it learns of it.
func (s *Socket) disconnected(old *Socket) {
	if len(s.queue) == 0 {
		return
	}
	s.purge()
	if old.peer == s && !old.gone {
		old.Err = syscall.ECONNRESET
		old.WakeAll()
	}
}

// maySend is unix_may_send: a connected socket receives from its peer alone.
func (s *Socket) maySend(to *Socket) bool { return to.peer == nil || to.peer == s }

// Shutdown is unix_shutdown.
func (s *Socket) Shutdown(how sockeye.How) error {
	if how < sockeye.SHUT_RD || how > sockeye.SHUT_RDWR {
		return syscall.EINVAL
	}
	mode := sock.Shut(how) + 1 // which makes the two bits of it
	s.Shut |= mode
	if s.peer != nil && s.connectionOriented() {
		var mirrored sock.Shut
		if mode&sock.RcvShutdown != 0 {
			mirrored |= sock.SendShutdown
		}
		if mode&sock.SendShutdown != 0 {
			mirrored |= sock.RcvShutdown
		}
		s.peer.Shut |= mirrored
		s.peer.WakeAll()
	}
	s.WakeAll()
	return nil
}

// leavesData tells whether there is a message that nobody read. An empty one in front, such as the
// place of an urgent byte, is none.
func (s *Socket) leavesData() bool {
	return len(s.queue) > 1 || len(s.queue) == 1 && len(s.queue[0].rest()) > 0
}

// Release is unix_release_sock: the last close. Data that nobody read turns the
// end of the stream into a reset.
func (s *Socket) Release() {
	s.forget()
	s.gone = true
	s.Shut = sock.RcvShutdown | sock.SendShutdown
	if p := s.peer; p != nil {
		if s.connectionOriented() {
			p.Shut = sock.RcvShutdown | sock.SendShutdown
			if s.leavesData() || s.embryo {
				p.Err = syscall.ECONNRESET
			}
		}
		p.WakeAll()
		s.peer = nil
	}
	s.state = closed
	for _, e := range s.embryos {
		e.Release()
	}
	s.embryos = nil
	s.purge()
	s.unblock()
	s.WakeAll()
	s.family.collect()
}
