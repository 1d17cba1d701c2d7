package sock

import (
	"net"
	"syscall"

	"sockeye"
	"sockeye/packet"
)

// A Stream is a File whose data can be taken and given without a copy.
type Stream interface {
	File
	// Take adds up to most bytes of what was received to list. None, and no error, is the end.
	Take(list *packet.List, most int) error
	// Fit is how many bytes are best given next, EAGAIN while there is no room.
	Fit() (int, error)
	// Give sends what is in a block, and takes over the reference unless there is an error: EAGAIN without
	// any room.
	Give(s packet.Slice) error
}

// mostTaken is how much is taken at once: it waits for nobody but the receiver, who has made room
// for no more.
const mostTaken = 256 << 10

// stream is the descriptor's, if calls on it are made at once: nil in lockstep.
func (d *Descriptor) stream() Stream {
	s, _ := d.file.(Stream)
	if d.base.Host.Order != nil {
		return nil
	}
	return s
}

// call calls f with the host locked.
func (d *Descriptor) call(f func() error) error {
	if !d.enter() {
		return net.ErrClosed
	}
	defer d.leave()
	return f()
}

// MoveTo implements sockeye.Mover.
func (d *Descriptor) MoveTo(dst sockeye.Endpoint, max int64, wait sockeye.Waits) (n int64, err error) {
	from := d.stream()
	if from == nil {
		return 0, syscall.EINVAL
	}
	var (
		list packet.List
		m    sockeye.Message
		most int
	)
	defer list.Release()
	locked := func() error { return from.Take(&list, most) }
	take := func() bool {
		err = d.call(locked)
		return err != syscall.EAGAIN
	}
	send := func() bool {
		err = dst.Sendmsg(&m, 0)
		return err != syscall.EAGAIN
	}
	for n < max {
		most = int(min(max-n, mostTaken))
		if waited := wait(d, sockeye.ForRead, 0, take); waited != nil {
			return n, waited
		}
		if err != nil || list.Len() == 0 {
			return n, err
		}
		for list.Len() > 0 {
			m.Buffers = m.Buffers[:0]
			for _, s := range list.Slices() {
				m.Buffers = append(m.Buffers, s.Bytes())
			}
			if waited := wait(dst, sockeye.ForWrite, 0, send); waited != nil {
				return n, waited
			}
			if err != nil {
				return n, err
			}
			n += int64(m.N)
			list.TrimFront(m.N)
		}
	}
	return n, nil
}

// MoveFrom implements sockeye.Mover.
func (d *Descriptor) MoveFrom(src sockeye.Endpoint, max int64, wait sockeye.Waits) (n int64, err error) {
	to := d.stream()
	if to == nil {
		return 0, syscall.EINVAL
	}
	var room, got int
	var block *packet.Block
	locked := func() (err error) {
		room, err = to.Fit()
		return err
	}
	fit := func() bool {
		err = d.call(locked)
		return err != syscall.EAGAIN
	}
	receive := func() bool { // the block is for as long as there is something to receive
		block = packet.New(room)
		if got, err = src.Recv(block.Bytes()[:room], 0); err != nil || got == 0 {
			block.Slice(0, 0).Release()
		}
		return err != syscall.EAGAIN
	}
	lockedGive := func() error { return to.Give(block.Slice(0, got)) }
	give := func() bool { // at once, unless somebody else has sent meanwhile
		err = d.call(lockedGive)
		return err != syscall.EAGAIN
	}
	for n < max {
		if waited := wait(d, sockeye.ForWrite, 0, fit); waited != nil {
			return n, waited
		}
		if err != nil {
			return n, err
		}
		room = int(min(max-n, int64(room)))
		if waited := wait(src, sockeye.ForRead, 0, receive); waited != nil {
			return n, waited
		}
		if err != nil || got == 0 {
			return n, err
		}
		waited := wait(d, sockeye.ForWrite, 0, give)
		if waited == nil {
			waited = err
		}
		if waited != nil {
			block.Slice(0, 0).Release()
			return n, waited
		}
		n += int64(got)
	}
	return n, nil
}
