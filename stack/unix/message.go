package unix

import (
	"syscall"
	"time"

	"sockeye"
	"sockeye/stack/sock"
)

// A message is what one send put into a queue: a datagram, a record, or a piece
// of a stream.
type message struct {
	data   []byte
	off    int // bytes of data that were read already
	sender *Socket
	cred   sockeye.Credentials
	told   bool // cred was asked for when it was sent
	rights []sock.File
	size   int // what it counts in sender.wmem
	when   time.Time
}

func (m *message) rest() []byte { return m.data[m.off:] }

// overhead is what Linux counts for a packet besides its data, roughly: a
// struct sk_buff and its shared info.
const overhead = 576

// charge is the memory that data of n bytes takes of the send buffer.
func charge(n int) int { return n + overhead }

// put queues data at the receiver to.
func (s *Socket) put(to *Socket, data []byte, rights []sock.File, cred sockeye.Credentials, told bool) *message {
	m := &message{
		data: data, sender: s, rights: rights, size: charge(len(data)), when: time.Now(),
		cred: cred, told: told || to.Opt.PassCred || s.Opt.PassCred || to.embryo, // unix_maybe_add_creds
	}
	s.wmem += m.size
	s.family.passed(rights, to)
	to.queue = append(to.queue, m)
	to.Wake(sockeye.ForRead)
	return m
}

// take removes the first message of the queue.
func (s *Socket) take() {
	m := s.queue[0]
	s.queue[0] = nil
	s.queue = s.queue[1:]
	s.free(m)
	s.unblock()
}

// free is the end of a message.
func (s *Socket) free(m *message) {
	m.sender.wmem -= m.size
	m.sender.Wake(sockeye.ForWrite)
	if s.oob == m {
		s.oob = nil
	}
	s.family.arrived(m.rights, s)
	drop(m.rights)
	m.rights = nil
}

func (s *Socket) purge() {
	for _, m := range s.queue {
		s.free(m)
	}
	s.queue = nil
}

// gather copies the buffers of what is sent, from offset on, up to limit bytes.
func gather(buffers [][]byte, offset, limit int) []byte {
	data := make([]byte, 0, limit)
	for _, b := range buffers {
		if offset >= len(b) {
			offset -= len(b)
			continue
		}
		b = b[offset:]
		offset = 0
		data = append(data, b[:min(len(b), limit-len(data))]...)
	}
	return data
}

// scatter copies data into the buffers from offset on, and tells how much found
// room.
func scatter(buffers [][]byte, offset int, data []byte) int {
	n := 0
	for _, b := range buffers {
		if offset >= len(b) {
			offset -= len(b)
			continue
		}
		n += copy(b[offset:], data[n:])
		offset = 0
	}
	return n
}

// maxRights is SCM_MAX_FD.
const maxRights = 253

// ancillary reads what is to be sent beside the data. The caller owns a Hold
// on each of the files.
func (s *Socket) ancillary(m *sockeye.Message) (rights []sock.File, cred sockeye.Credentials, told bool, err error) {
	cred = s.cred
	for c := range sockeye.ControlMessages(m.Control) {
		if c.Level != sockeye.SOL_SOCKET {
			continue
		}
		if c.Type != sockeye.SCM_CREDENTIALS {
			return nil, cred, false, syscall.EINVAL
		}
		given, ok := c.Credentials()
		if !ok {
			return nil, cred, false, syscall.EINVAL
		}
		if given != s.cred && !s.Host.Privileged {
			return nil, cred, false, syscall.EPERM
		}
		cred, told = given, true
	}
	if len(m.Rights) > maxRights {
		return nil, cred, false, syscall.EINVAL
	}
	for _, d := range m.Rights {
		ep, ok := sockeye.EndpointOf(d)
		fd, mine := ep.(*sock.Descriptor)
		if !ok || !mine || fd.File().Base().Host != s.Host {
			drop(rights)
			return nil, cred, false, syscall.EBADF
		}
		fd.File().Base().Hold()
		rights = append(rights, fd.File())
	}
	return rights, cred, told, nil
}

func drop(files []sock.File) {
	for _, f := range files {
		sock.Drop(f)
	}
}

// nobody is whom SO_PASSCRED names for a message that was sent without
// credentials: the overflow user and group.
var nobody = sockeye.Credentials{UID: 65534, GID: 65534}

// sentBy is who sent the message, as far as the message says.
func (m *message) sentBy() sockeye.Credentials {
	if m.told {
		return m.cred
	}
	return nobody
}

// tell fills in what comes beside the data of a message: scm_recv_unix.
func (s *Socket) tell(m *sockeye.Message, from *message, peek bool) {
	room := sock.ControlOf(m)
	if s.Type != sockeye.SOCK_STREAM && (s.Opt.Timestamp || s.Opt.TimestampNS) {
		s.TellTime(&room, from.when)
	}
	if s.Opt.PassCred {
		room.Add(sockeye.SOL_SOCKET, sockeye.SCM_CREDENTIALS, sock.EncodeCredentials(from.sentBy()))
	}
	if s.Opt.PassSec && len(m.Control) == 0 {
		m.Flags |= sockeye.MSG_CTRUNC
	}
	room.Done()
	if len(from.rights) == 0 {
		return
	}
	fit := min(room.Descriptors(), len(from.rights))
	for _, f := range from.rights[:fit] {
		fd, err := sock.Open(f)
		if err != nil {
			break
		}
		m.Rights = append(m.Rights, fd)
	}
	if len(m.Rights) < len(from.rights) {
		m.Flags |= sockeye.MSG_CTRUNC
	}
	if !peek {
		s.family.arrived(from.rights, s)
		drop(from.rights)
		from.rights = nil
	}
}
