package unix

import (
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
)

// Getsockopt is getsockopt(2): unix sockets have the options of SOL_SOCKET.
func (s *Socket) Getsockopt(level, name int, val []byte) (int, error) {
	if level != sockeye.SOL_SOCKET {
		return 0, syscall.EOPNOTSUPP
	}
	switch name {
	case sockeye.SO_PASSCRED.Name:
		return sock.PutBool(val, s.Opt.PassCred)
	case sockeye.SO_PEEK_OFF.Name:
		return sock.PutInt(val, s.Opt.PeekOff)
	case sockeye.SO_ACCEPTCONN.Name:
		return sock.PutBool(val, s.state == listening)
	case sockeye.SO_PEERCRED.Name:
		return copy(val, sock.EncodeCredentials(s.peerCred)), nil
	case sockeye.SO_PEERGROUPS.Name:
		if s.peerCred == noCred {
			return 0, syscall.ENODATA
		}
		if len(val) < 4 {
			return 0, syscall.ERANGE
		}
		return sock.PutInt(val, int(s.peerCred.GID))
	case sockeye.SO_PEERNAME.Name:
		if s.peer == nil {
			return 0, syscall.ENOTCONN
		}
		return copy(val, s.peer.name.AppendBytes(nil)), nil
	}
	return s.GetSockopt(name, val)
}

// Setsockopt is setsockopt(2).
func (s *Socket) Setsockopt(level, name int, val []byte) error {
	if level != sockeye.SOL_SOCKET {
		return syscall.EOPNOTSUPP
	}
	switch name {
	case sockeye.SO_PASSCRED.Name, sockeye.SO_PEEK_OFF.Name:
		v, err := sock.Int(val)
		if err != nil {
			return err
		}
		if name == sockeye.SO_PASSCRED.Name {
			s.OwnOptions().PassCred = v != 0
		} else {
			s.OwnOptions().PeekOff = v
		}
		return nil
	case sockeye.SO_REUSEPORT.Name:
		if v, err := sock.Int(val); err != nil || v != 0 {
			if err == nil {
				err = syscall.EOPNOTSUPP
			}
			return err
		}
	}
	return s.SetSockopt(name, val)
}

// The requests of ioctl(2).
const (
	siocinq    = 0x541b
	siocoutq   = 0x5411
	siocatmark = 0x8905
)

// Ioctl is unix_ioctl.
func (s *Socket) Ioctl(req uint) (int, error) {
	switch req {
	case siocoutq:
		return s.wmem, nil
	case siocinq:
		if s.state == listening {
			return 0, syscall.EINVAL
		}
		return s.unread(), nil
	case siocatmark:
		if s.Type != sockeye.SOCK_STREAM {
			return 0, syscall.EOPNOTSUPP
		}
		// A connection that waits counts as an empty message, which Linux
		// takes for a mark.
		if len(s.embryos) > 0 || len(s.queue) > 0 && (s.queue[0] == s.oob || s.oob == nil && len(s.queue[0].rest()) == 0) {
			return 1, nil
		}
		return 0, nil
	}
	return 0, syscall.ENOTTY
}

// unread is what can be received: all of it, or the first datagram (unix_inq_len).
func (s *Socket) unread() (n int) {
	for _, m := range s.queue {
		n += len(m.rest())
		if !s.connectionOriented() {
			break
		}
	}
	return n
}

// Ready is unix_poll and unix_dgram_poll.
func (s *Socket) Ready() sockeye.Events {
	var e sockeye.Events
	if s.Err != 0 {
		e |= sockeye.POLLERR
	}
	if s.Shut == sock.RcvShutdown|sock.SendShutdown {
		e |= sockeye.POLLHUP
	}
	if s.Shut&sock.RcvShutdown != 0 {
		e |= sockeye.POLLRDHUP | sockeye.POLLIN | sockeye.POLLRDNORM
	}
	if len(s.queue) > 0 || len(s.embryos) > 0 {
		e |= sockeye.POLLIN | sockeye.POLLRDNORM
	}
	if s.oob != nil {
		e |= sockeye.POLLPRI
	}
	if s.connectionOriented() && s.state == closed {
		e |= sockeye.POLLHUP
	}
	if s.writable() {
		e |= sockeye.POLLOUT | sockeye.POLLWRNORM | sockeye.POLLWRBAND
	}
	return e
}

func (s *Socket) writable() bool {
	if s.state == listening || s.wmem*4 > s.Opt.Sndbuf {
		return false
	}
	if p := s.peer; !s.connectionOriented() && p != nil && p.peer != s && p.full() {
		p.block(s)
		return false
	}
	return true
}
