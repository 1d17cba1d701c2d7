package relay

import (
	"bytes"
	"io"
	"sync"
	"syscall"

	"sockeye"
	"sockeye/internal/record"
)

// A stream begins with a small buffer, which costs little while thousands wait.
// When data fills it, a large one is borrowed for as long as data is there; a
// stream of which much has come is spliced.
const (
	smallBuffer = 2 << 10
	largeBuffer = 64 << 10
	spliceAfter = 256 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// An end is one of the two sockets of a connection that is relayed.
type end struct {
	*sockeye.Socket
	typ sockeye.Type
}

// A pipe is one direction of a connection.
type pipe struct {
	c        *connection
	src, dst end
	total    int64  // bytes that dst took
	nodelay  bool   // was asked for
	rest     []byte // received, and not sent yet
	ended    bool
}

// run moves data until the end of src, waiting for it in a goroutine.
func (p *pipe) run() {
	err := error(nil)
	if len(p.rest) > 0 {
		err = p.send(p.rest)
		p.rest = nil
	}
	switch {
	case err != nil:
	case p.src.typ == sockeye.SOCK_SEQPACKET:
		err = p.records()
	default:
		err = p.stream()
	}
	p.end(err, true)
}

// turn moves what is there to receive, and waits for nothing; events are those of
// src, if known. It ends the pipe with the end of src. False: it takes a goroutine
// to go on, as dst has to be waited for, or much is coming.
func (p *pipe) turn(buf []byte, events sockeye.Events) bool {
	for p.total <= spliceAfter {
		n, err := p.src.Recv(buf, sockeye.MSG_DONTWAIT)
		switch {
		case isAgain(err):
			return true
		case n == 0 || err != nil:
			p.end(err, events == 0 || events&(sockeye.POLLHUP|sockeye.POLLERR) != 0)
			return true
		}
		sent, err := p.sendWith(buf[:n], sockeye.MSG_DONTWAIT)
		switch {
		case err != nil && !isAgain(err):
			p.end(err, false)
			return true
		case sent < n:
			p.rest = bytes.Clone(buf[sent:n])
			return false
		case n < len(buf) && p.src.drained(events):
			return true
		}
	}
	return false
}

// drained tells whether a receive that did not fill its buffer has taken all
// there was, so that more will be an event of its own. Unix sockets stop where the
// sender's credentials change, and TCP at urgent data, or before its end.
func (e end) drained(events sockeye.Events) bool {
	return e.Family() != sockeye.AF_UNIX && events&^(sockeye.POLLIN|sockeye.POLLOUT) == 0
}

// send sends all of b.
func (p *pipe) send(b []byte) error {
	_, err := p.sendWith(b, 0)
	return err
}

func (p *pipe) sendWith(b []byte, flags sockeye.MsgFlags) (int, error) {
	if p.total > 0 && !p.nodelay {
		// Only the second send can have to wait for the acknowledgement of the
		// first. Other families know no such option.
		sockeye.TCP_NODELAY.Set(p.dst.Socket, true)
		p.nodelay = true
	}
	n, err := p.dst.Send(b, flags)
	p.total += int64(n)
	return n, err
}

func (p *pipe) stream() error {
	small := smallBuffers.Get().(*[smallBuffer]byte)
	defer smallBuffers.Put(small)
	for {
		n, err := p.src.Recv(small[:], 0)
		if n == 0 || err != nil {
			return err
		}
		if err := p.send(small[:n]); err != nil {
			return err
		}
		if n < len(small) {
			continue
		}
		if err := p.waiting(); err != nil {
			return err
		}
		if p.total > spliceAfter && p.dst.typ == sockeye.SOCK_STREAM {
			p.forgetPath()
			n, err := sockeye.Splice(p.dst.Socket, p.src.Socket, -1)
			p.total += n
			return err
		}
	}
}

// forgetPath takes congestion control away from a connection that stays on this
// machine, where there is no path to share: the pacing of bbr, if that is the
// system's choice, costs a relay a third of its processor time.
func (p *pipe) forgetPath() {
	local, err := p.dst.Getsockname()
	if err != nil {
		return
	}
	remote, err := p.dst.Getpeername()
	if err != nil {
		return
	}
	if a, b := local.Addr().Unmap(), remote.Addr().Unmap(); a.IsValid() && (a == b || a.IsLoopback() && b.IsLoopback()) {
		sockeye.TCP_CONGESTION.Set(p.dst.Socket, "reno")
	}
}

// waiting moves what is there to receive, without waiting for more.
func (p *pipe) waiting() error {
	large := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(large)
	for p.total <= spliceAfter || p.dst.typ != sockeye.SOCK_STREAM {
		n, err := p.src.Recv(large[:], sockeye.MSG_DONTWAIT)
		switch {
		case isAgain(err):
			return nil
		case n == 0 || err != nil: // the end is there to be read again
			return err
		}
		if err := p.send(large[:n]); err != nil {
			return err
		}
	}
	return nil
}

func isAgain(err error) bool {
	e, ok := err.(*sockeye.Error)
	return ok && e.Err == syscall.EAGAIN
}

func (p *pipe) records() error {
	r, err := record.NewReader(p.src.Socket, sockeye.SOCK_SEQPACKET)
	if err != nil {
		return err
	}
	for {
		b, _, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.send(b); err != nil {
			return err
		}
	}
}
