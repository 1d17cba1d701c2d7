package inet

import (
	"syscall"

	"sockeye/packet"
	"sockeye/stack/tcp"
)

// Take implements sock.Stream.
func (t *TCP) Take(list *packet.List, most int) error {
	switch {
	case t.state() == tcp.Listen:
		return syscall.ENOTCONN
	case t.conn == nil || t.conn.Unread() == 0 && !t.conn.AtMark():
		return t.nothing()
	}
	c, now := t.conn, t.stack.now()
	n, _ := c.Take(now, list, most)
	t.settle(now)
	if n == 0 {
		return t.nothing()
	}
	if t.Opt.PeekOff >= 0 {
		t.OwnOptions().PeekOff = max(0, t.Opt.PeekOff-n)
	}
	return nil
}

// Fit implements sock.Stream: whole segments, as many as one packet may hold for a link.
func (t *TCP) Fit() (int, error) {
	if err := t.sendable(); err != nil {
		return 0, err
	}
	if !t.conn.Writable() {
		return 0, syscall.EAGAIN
	}
	mss := max(1, t.conn.MSS())
	whole := max(mss, int(t.conn.Config().GSO)/mss*mss)
	return max(1, min(whole, t.conn.Room(), packet.MaxPooled)), nil
}

// Give implements sock.Stream.
func (t *TCP) Give(s packet.Slice) error {
	if err := t.sendable(); err != nil {
		return err
	}
	now := t.stack.now()
	ok, err := t.conn.Push(now, s, 0)
	t.settle(now)
	if err == nil && !ok {
		err = syscall.EAGAIN
	}
	return err
}
