package unix

import (
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
)

// sendDatagram is unix_dgram_sendmsg, for datagrams and records.
func (s *Socket) sendDatagram(m *sockeye.Message, flags sockeye.MsgFlags) error {
	rights, cred, told, err := s.ancillary(m)
	if err != nil {
		return err
	}
	sent := false
	defer func() {
		if !sent {
			drop(rights)
		}
	}()
	if flags&sockeye.MSG_OOB != 0 {
		return syscall.EOPNOTSUPP
	}
	to := s.peer
	named := !m.Name.IsZero() && !s.connectionOriented()
	if named {
		if err := valid(m.Name); err != nil {
			return err
		}
	}
	if s.Opt.PassCred && !s.bound() {
		if err := s.autobind(); err != nil {
			return err
		}
	}
	n := m.Len()
	switch {
	case n > s.Opt.Sndbuf-32:
		return syscall.EMSGSIZE
	case s.Err != 0:
		return s.TakeError()
	case s.Shut&sock.SendShutdown != 0:
		return syscall.EPIPE
	case s.wmem >= s.Opt.Sndbuf:
		return syscall.EAGAIN
	}
	if named {
		if to, err = s.family.find(m.Name, s.Type); err != nil {
			return err
		}
	}
	switch {
	case to == nil:
		return syscall.ENOTCONN
	case !s.maySend(to):
		return syscall.EPERM
	case to.gone:
		if s.connectionOriented() {
			return syscall.EPIPE
		}
		s.peer, s.state = nil, closed
		s.disconnected(to)
		return syscall.ECONNREFUSED
	case to.Shut&sock.RcvShutdown != 0:
		return syscall.EPIPE
	case to.peer != s && to.full():
		to.block(s)
		return syscall.EAGAIN
	}
	s.put(to, gather(m.Buffers, 0, n), rights, cred, told)
	sent = true
	m.N = n
	return nil
}

// full is unix_recvq_full.
func (s *Socket) full() bool { return len(s.queue) > s.Host.Sysctl.MaxDgramQlen }

// recvDatagram is unix_dgram_recvmsg.
func (s *Socket) recvDatagram(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if flags&sockeye.MSG_OOB != 0 {
		return syscall.EOPNOTSUPP
	}
	if s.Err != 0 {
		return s.TakeError()
	}
	i, skip := 0, 0
	peek := flags&sockeye.MSG_PEEK != 0
	if peek && s.Opt.PeekOff > 0 {
		i, skip = s.peekAt(s.Opt.PeekOff)
	}
	if i >= len(s.queue) {
		if s.connectionOriented() && s.Shut&sock.RcvShutdown != 0 {
			return nil
		}
		return syscall.EAGAIN
	}
	from := s.queue[i]
	data := from.data[skip:]
	n := scatter(m.Buffers, 0, data)
	m.N, m.Name = n, nameOf(from)
	if n < len(data) {
		m.Flags |= sockeye.MSG_TRUNC
		if flags&sockeye.MSG_TRUNC != 0 {
			m.N = len(data)
		}
	}
	s.tell(m, from, peek)
	if s.Opt.PeekOff >= 0 {
		if peek {
			s.OwnOptions().PeekOff += n
		} else {
			s.OwnOptions().PeekOff = max(0, s.Opt.PeekOff-len(from.data))
		}
	}
	if !peek {
		s.take()
	}
	return nil
}

// peekAt finds the message, and the byte in it, that an offset of SO_PEEK_OFF
// falls on.
func (s *Socket) peekAt(off int) (i, skip int) {
	for i, m := range s.queue {
		if n := len(m.rest()); off < n || n == 0 && off == 0 {
			return i, off
		}
		off -= len(m.rest())
	}
	return len(s.queue), 0
}

// nameOf is the address that the sender has by now, as recvfrom tells it: none of an unnamed one.
func nameOf(m *message) sockeye.Sockaddr {
	if !m.sender.bound() {
		return sockeye.Sockaddr{}
	}
	return m.sender.name
}
