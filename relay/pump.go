package relay

import (
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

// pump moves data until the end of src, and tells how much.
func pump(dst, src end) (int64, error) {
	p := pipe{dst: dst, src: src.Socket}
	err := error(nil)
	if src.typ == sockeye.SOCK_SEQPACKET {
		err = p.records()
	} else {
		err = p.stream()
	}
	return p.total, err
}

// A pipe is one direction of a connection.
type pipe struct {
	dst     end
	src     *sockeye.Socket
	total   int64
	nodelay bool // was asked for
}

func (p *pipe) send(b []byte) error {
	if p.total > 0 && !p.nodelay {
		// Only the second send can have to wait for the acknowledgement of the
		// first. Other families know no such option.
		sockeye.TCP_NODELAY.Set(p.dst.Socket, true)
		p.nodelay = true
	}
	n, err := p.dst.Send(b, 0)
	p.total += int64(n)
	return err
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
			n, err := sockeye.Splice(p.dst.Socket, p.src, -1)
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
	r, err := record.NewReader(p.src, sockeye.SOCK_SEQPACKET)
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
