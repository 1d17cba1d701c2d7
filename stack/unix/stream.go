package unix

import (
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
)

// Sendmsg is sendmsg(2).
func (s *Socket) Sendmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	m.N = 0
	switch s.Type {
	case sockeye.SOCK_STREAM:
		return s.sendStream(m, flags)
	case sockeye.SOCK_SEQPACKET:
		if s.Err != 0 {
			return s.TakeError()
		}
		if s.state != established {
			return syscall.ENOTCONN
		}
	}
	return s.sendDatagram(m, flags)
}

// Recvmsg is recvmsg(2).
func (s *Socket) Recvmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	switch s.Type {
	case sockeye.SOCK_STREAM:
		return s.recvStream(m, flags)
	case sockeye.SOCK_SEQPACKET:
		if s.state != established {
			return syscall.ENOTCONN
		}
	}
	return s.recvDatagram(m, flags)
}

// maxPiece is the most that one message of a stream holds.
const maxPiece = 32 << 10

// sendStream is unix_stream_sendmsg.
func (s *Socket) sendStream(m *sockeye.Message, flags sockeye.MsgFlags) error {
	rights, cred, told, err := s.ancillary(m)
	if err != nil {
		return err
	}
	defer func() { drop(rights) }()
	n := m.Len()
	switch {
	case flags&sockeye.MSG_OOB != 0 && n == 0:
		return syscall.EOPNOTSUPP
	case !m.Name.IsZero() && s.state == established:
		return syscall.EISCONN
	case !m.Name.IsZero():
		return syscall.EOPNOTSUPP
	case s.peer == nil:
		return syscall.ENOTCONN
	case s.Shut&sock.SendShutdown != 0:
		return syscall.EPIPE
	}
	whole := n
	if flags&sockeye.MSG_OOB != 0 {
		whole--
	}
	for m.N < whole {
		switch {
		case s.Err != 0:
			return partly(m, s.TakeError())
		case s.peer.gone || s.peer.Shut&sock.RcvShutdown != 0:
			return partly(m, syscall.EPIPE)
		case s.wmem >= s.Opt.Sndbuf:
			return partly(m, syscall.EAGAIN)
		}
		size := min(whole-m.N, s.Opt.Sndbuf/2-64, maxPiece)
		s.put(s.peer, gather(m.Buffers, m.N, size), rights, cred, told)
		rights = nil
		m.N += size
	}
	if whole < n {
		if s.peer.gone || s.peer.Shut&sock.RcvShutdown != 0 {
			return partly(m, syscall.EPIPE)
		}
		s.peer.oob = s.put(s.peer, gather(m.Buffers, whole, 1), rights, cred, told)
		rights = nil
		s.peer.WakeAll()
		m.N++
	}
	return nil
}

// partly is the answer of a call that failed: an error only if nothing went
// before it.
func partly(m *sockeye.Message, err error) error {
	if m.N > 0 {
		return nil
	}
	return err
}

// recvStream is unix_stream_read_generic.
func (s *Socket) recvStream(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if s.state != established {
		return syscall.EINVAL
	}
	if flags&sockeye.MSG_OOB != 0 {
		return s.recvOOB(m, flags)
	}
	peek := flags&sockeye.MSG_PEEK != 0
	room := m.Len()
	i, skip := 0, 0
	if peek && s.Opt.PeekOff > 0 {
		i, skip = s.peekAt(s.Opt.PeekOff)
	}
	if i >= len(s.queue) {
		return s.nothing(m)
	}
	var first *message
	content := false // it found what ends a receive, or the end of what there is to peek at
	for i < len(s.queue) && !content && (first == nil || m.N < room || peek) {
		from := s.queue[i]
		place := len(from.rest()) == 0 // an urgent byte was here
		switch {
		case from == s.oob && m.N > 0, place && m.N > 0 && s.oob == nil: // a receive stops at the mark
			content = true
			continue
		case place, from == s.oob && !s.Opt.OOBInline: // the byte is lost to those who read past it
			if peek {
				i++
			} else {
				s.take()
			}
			continue
		// Whose data it is may change only between two calls.
		case first != nil && s.Opt.PassCred && from.sentBy() != first.sentBy():
			content = true
			continue
		}
		n := scatter(m.Buffers, m.N, from.rest()[skip:])
		if first == nil {
			first = from
			m.Name = nameOf(from)
		}
		hadRights := len(from.rights) > 0
		if first == from || hadRights {
			s.tell(m, from, peek)
		}
		m.N += n
		left := len(from.rest()) - skip - n
		skip = 0
		if peek {
			if s.Opt.PeekOff >= 0 {
				s.OwnOptions().PeekOff += n
			}
			i++
			content = hadRights || i == len(s.queue)
			continue
		}
		if s.Opt.PeekOff >= 0 {
			s.OwnOptions().PeekOff = max(0, s.Opt.PeekOff-n)
		}
		from.off += n
		if left == 0 {
			s.take()
		}
		content = left > 0 || hadRights || m.N == room
	}
	switch {
	case content || m.N >= s.target(room, flags):
		return nil
	case m.N > 0: // it looked for more, and met the error
		s.TakeError()
		return nil
	}
	return s.nothing(m)
}

// target is how much a receive into so much room wants before it is content (sock_rcvlowat).
func (s *Socket) target(room int, flags sockeye.MsgFlags) int {
	if flags&sockeye.MSG_WAITALL != 0 {
		return max(1, room)
	}
	return max(1, min(room, s.Opt.Rcvlowat))
}

// nothing is how a stream answers that has no data. Its end has credentials too, which are all zero.
func (s *Socket) nothing(m *sockeye.Message) error {
	switch {
	case s.Err != 0:
		return s.TakeError()
	case s.Shut&sock.RcvShutdown != 0:
		s.tell(m, &message{told: true}, true)
		return nil
	}
	return syscall.EAGAIN
}

// recvOOB is unix_stream_recv_urg.
func (s *Socket) recvOOB(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if s.oob == nil || s.Opt.OOBInline {
		return syscall.EINVAL
	}
	scatter(m.Buffers, 0, s.oob.data)
	m.N = 1 // whether there is room or not
	m.Flags |= sockeye.MSG_OOB
	if flags&sockeye.MSG_PEEK == 0 { // its place remains, and stops a read as the mark does
		s.oob.off = len(s.oob.data)
		s.oob = nil
	}
	return nil
}
