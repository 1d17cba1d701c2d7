package inet

import (
	"syscall"
	"time"

	"sockeye"
	"sockeye/packet"
	"sockeye/stack/sock"
	"sockeye/stack/tcp"
)

// Sendmsg is sendmsg(2), tcp_sendmsg.
func (t *TCP) Sendmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	m.N = 0
	if flags&sockeye.MSG_FASTOPEN != 0 || t.deferred {
		if done, err := t.sendEarly(m, flags); done || err != nil {
			return err
		}
	}
	if err := t.sendable(); err != nil {
		return err
	}
	stamp, err := t.checkControl(m)
	if err != nil {
		return err
	}
	now := t.stack.now()
	n := m.Len()
	for _, b := range skip(m.Buffers, m.N) {
		var how tcp.WriteFlags
		last := m.N+len(b) == n
		if flags&sockeye.MSG_MORE != 0 || !last {
			how = tcp.More
		}
		if flags&sockeye.MSG_OOB != 0 && last && len(b) > 0 {
			how |= tcp.Urgent
		}
		if flags&sockeye.MSG_EOR != 0 && last {
			how |= tcp.Record
		}
		k := t.write(now, b, how, stamp*b2i(last))
		if m.N += k; k < len(b) {
			break
		}
	}
	if t.conn != nil {
		t.settle(now)
	}
	if m.N == 0 && n > 0 {
		return syscall.EAGAIN
	}
	return nil
}

// outside is from how many bytes on a copy is made with the host unlocked.
const outside = 8 << 10

// write takes what there is room for into the send buffer. Others may use the host, and the
// socket, while it copies.
func (t *TCP) write(now tcp.Time, b []byte, how tcp.WriteFlags, stamp int) (n int) {
	c, h := t.conn, t.Host
	if h.Later() {
		return t.posted().write(b, how, stamp)
	}
	for n < len(b) {
		rest := b[n:]
		k := min(len(rest), c.Room(), packet.MaxPooled)
		if k < outside {
			k, _ = c.Write(now, rest, how)
			if stamp != 0 && k > 0 && k == len(rest) {
				t.mark(stamp)
			}
			return n + k
		}
		last := how
		if k < len(rest) {
			last = tcp.More
		}
		h.Leave()
		s := packet.Of(rest[:k])
		h.Lock()
		now = t.stack.now()
		if ok, _ := c.Push(now, s, last); !ok {
			s.Release()
			return n
		}
		n += k
		if stamp != 0 && n == len(b) {
			t.mark(stamp)
		}
		if t.conn == c {
			t.settle(now)
		}
	}
	return n
}

// sendable is the error of a send in the state that the socket is in, if any.
func (t *TCP) sendable() error {
	switch {
	case t.Err != 0:
		return t.TakeError()
	case t.state() == tcp.SynSent, t.state() == tcp.SynReceived && !t.early:
		return syscall.EAGAIN
	case t.conn == nil, t.shut()&sock.SendShutdown != 0:
		return syscall.EPIPE
	}
	return nil
}

// checkControl checks ancillary data: that of other levels is passed over
// (sock_cmsg_send). It tells which times to take of what is sent.
func (t *TCP) checkControl(m *sockeye.Message) (stamp int, err error) {
	w := wish{stamp: t.Opt.Timestamping & stampsSent}
	if len(m.Control) == 0 {
		return w.stamp, nil
	}
	if !wellFormed(m.Control) {
		return 0, syscall.EINVAL
	}
	for c := range sockeye.ControlMessages(m.Control) {
		if c.Level == sockeye.SOL_SOCKET {
			if err := t.wishSocket(&w, c); err != nil {
				return 0, err
			}
		}
	}
	return w.stamp, nil
}

// skip is the buffers without their first n bytes.
func skip(buffers [][]byte, n int) [][]byte {
	for i, b := range buffers {
		if n < len(b) && n > 0 {
			return append([][]byte{b[n:]}, buffers[i+1:]...)
		}
		if n == 0 {
			return buffers[i:]
		}
		n -= len(b)
	}
	return nil
}

// Recvmsg is recvmsg(2), tcp_recvmsg.
func (t *TCP) Recvmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	switch {
	case flags&sockeye.MSG_ERRQUEUE != 0:
		return t.receiveError(m, flags)
	case t.state() == tcp.Listen:
		return syscall.ENOTCONN
	case flags&sockeye.MSG_OOB != 0:
		return t.recvUrgent(m, flags)
	case t.conn == nil:
		return t.nothing()
	}
	c := t.conn
	if c.Unread() == 0 && !c.AtMark() {
		if err := t.nothing(); err != nil {
			return err
		}
	}
	now := t.stack.now()
	for i, b := range m.Buffers {
		if i > 0 && m.N > 0 && c.AtMark() { // a receive stops at the mark
			break
		}
		n := t.read(now, c, m.N, b, flags)
		if m.N += n; n < len(b) {
			break
		}
	}
	if t.conn == c {
		t.settle(now)
	}
	if m.N == 0 && (m.Len() > 0 || !c.HasData()) {
		if err := t.nothing(); err != nil {
			return err
		}
	}
	if t.Opt.PeekOff >= 0 {
		if flags&sockeye.MSG_PEEK != 0 {
			t.OwnOptions().PeekOff += m.N
		} else {
			t.OwnOptions().PeekOff = max(0, t.Opt.PeekOff-m.N)
		}
	}
	t.tell(m, c)
	return nil
}

// read receives into one buffer, behind so many bytes in others. MSG_TRUNC leaves it as it
// is.
func (t *TCP) read(now tcp.Time, c *tcp.Conn, before int, b []byte, flags sockeye.MsgFlags) (n int) {
	if t.Host.Later() {
		t.stack.tcp.host.ReadLater = &t.posted().read
	}
	switch {
	case flags&sockeye.MSG_PEEK != 0:
		off := max(0, t.Opt.PeekOff) + before
		if flags&sockeye.MSG_TRUNC != 0 {
			n = c.PeekLen(len(b), off)
			break
		}
		n, _ = c.Peek(b, off)
	case flags&sockeye.MSG_TRUNC != 0:
		n, _ = c.Discard(now, len(b))
	case min(len(b), c.Unread()) < outside:
		n, _ = c.Read(now, b)
	default:
		var list packet.List
		n, _ = c.Take(now, &list, len(b))
		t.stack.tcp.host.ReadLater = nil
		if t.conn == c {
			t.settle(now)
		}
		t.Host.Leave()
		list.CopyTo(b, 0)
		list.Release()
		t.Host.Lock()
	}
	t.stack.tcp.host.ReadLater = nil
	return n
}

// nothing is how a receive answers when there is no data.
func (t *TCP) nothing() error {
	switch {
	case t.conn != nil && t.conn.PeerDone():
		return nil
	case t.Err != 0:
		return t.TakeError()
	case t.shut()&sock.RcvShutdown != 0:
		return nil
	case t.state() == tcp.Closed && !t.deferred:
		return syscall.ENOTCONN
	}
	return syscall.EAGAIN
}

// recvUrgent is tcp_recv_urg.
func (t *TCP) recvUrgent(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if t.conn == nil {
		return syscall.EINVAL
	}
	b, err := t.conn.ReadUrgent(flags&sockeye.MSG_PEEK != 0)
	switch {
	case err == syscall.EAGAIN && t.shut()&sock.RcvShutdown != 0:
		return nil
	case err != nil:
		return err
	}
	m.Flags |= sockeye.MSG_OOB
	for _, to := range m.Buffers {
		if len(to) > 0 {
			if m.N = 1; flags&sockeye.MSG_TRUNC == 0 {
				to[0] = b
			}
			return nil
		}
	}
	m.Flags |= sockeye.MSG_TRUNC
	return nil
}

// tell adds the ancillary data that the socket asked for.
func (t *TCP) tell(m *sockeye.Message, conn *tcp.Conn) {
	if !t.opt.inq && !t.Opt.Stamps() {
		return
	}
	c := sock.ControlOf(m)
	if t.stamp != 0 {
		t.TellTime(&c, time.Unix(0, t.stamp))
	}
	if t.opt.inq {
		c.AddInt(sockeye.SOL_TCP, tcpCmInq, conn.InqHint())
	}
	c.Done()
}

const tcpCmInq = 36 // TCP_CM_INQ

// Ioctl is tcp_ioctl.
func (t *TCP) Ioctl(req uint) (int, error) {
	state := t.state()
	switch req {
	case siocatmark:
		return b2i(t.conn != nil && state != tcp.Listen && t.conn.AtMark()), nil
	case siocinq, siocoutq, siocoutqnsd:
	default:
		return 0, syscall.ENOTTY
	}
	switch {
	case state == tcp.Listen:
		return 0, syscall.EINVAL
	case t.conn == nil:
		return int(t.stale) * b2i(req == siocoutq), nil
	case state == tcp.SynSent || state == tcp.SynReceived:
		return 0, nil
	case req == siocinq:
		return t.conn.Inq(), nil
	}
	unacked, unsent := t.conn.Unsent()
	if req == siocoutqnsd {
		return unsent, nil
	}
	if t.status == connecting && state == tcp.Closed {
		unacked++ // the SYN
	}
	return unacked, nil
}

// More requests of ioctl(2).
const (
	siocatmark  = 0x8905
	siocoutqnsd = 0x894b
)
