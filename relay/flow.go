package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sockeye"
	"sockeye/internal/datagram"
)

// idle is how long a flow lasts without a datagram.
var idle = 2 * time.Minute

// A flowKey tells flows apart: who sends, to which of the socket's addresses.
type flowKey struct {
	peer  sockeye.Sockaddr
	local netip.Addr
}

// flows relays the datagrams of one socket.
type flows struct {
	ctx     context.Context
	s       *sockeye.Socket
	dial    func(context.Context) (*sockeye.Socket, error)
	log     func(Event)
	backlog datagram.Backlog[*flow]
	running sync.WaitGroup

	mu    sync.Mutex
	byKey map[flowKey]*flow
}

// A flow is one peer's way to the target. Its first datagrams wait in the
// backlog until the target is dialed.
type flow struct {
	all    *flows
	key    flowKey
	target *sockeye.Socket
	family sockeye.Family   // of target
	out    *datagram.Sender // to target; for the loop that receives
	active atomic.Int64     // when a datagram came last, in Unix nanoseconds

	sent, received atomic.Int64
}

func serveFlows(ctx context.Context, s *sockeye.Socket, dial func(context.Context) (*sockeye.Socket, error), log func(Event)) error {
	if log == nil {
		log = func(Event) {}
	}
	ctx, cancel := context.WithCancel(ctx)
	all := &flows{ctx: ctx, s: s, dial: dial, log: log, byKey: make(map[flowKey]*flow)}
	defer all.running.Wait()
	defer cancel()
	all.running.Go(func() {
		<-ctx.Done()
		s.Close()
	})
	in, err := datagram.NewReceiver(s)
	if err != nil {
		return err
	}
	var touched []*flow
	for {
		ds, err := in.Receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !datagram.Passing(err):
			return err
		}
		now := time.Now().UnixNano()
		for _, d := range ds {
			f := all.get(flowKey{d.Peer, d.Local})
			f.active.Store(now)
			if f.take(d) && (len(touched) == 0 || touched[len(touched)-1] != f) {
				touched = append(touched, f)
			}
		}
		for _, f := range touched {
			f.out.Flush(f.notSent)
		}
		clear(touched)
		touched = touched[:0]
	}
}

// get gives the flow of a key, a new one if need be.
func (all *flows) get(key flowKey) *flow {
	all.mu.Lock()
	defer all.mu.Unlock()
	f := all.byKey[key]
	if f == nil {
		f = &flow{all: all, key: key}
		f.active.Store(time.Now().UnixNano())
		all.byKey[key] = f
		all.backlog.Hold(f)
		all.running.Go(f.run)
	}
	return f
}

// take puts datagrams into the backlog or, if nothing waits there, into out.
func (f *flow) take(d datagram.Datagram) (added bool) {
	for p := range d.Each() {
		switch taken, err := f.all.backlog.Add(f, p); {
		case err != nil:
			f.failed(err)
		case taken:
		case f.out == nil: // it ended without a target
			f.all.backlog.Add(f.all.get(f.key), p)
		default:
			f.out.Add(sockeye.Sockaddr{}, datagram.Datagram{Data: p})
			f.sent.Add(int64(len(p)))
			added = true
		}
	}
	return added
}

// notSent is for datagrams that out could not send.
func (f *flow) notSent(_ sockeye.Sockaddr, p []byte, err error) {
	f.sent.Add(-int64(len(p)))
	switch {
	case errors.Is(err, syscall.EAGAIN): // the target is slow to take them
		if taken, _ := f.all.backlog.Add(f, p); taken {
			return
		}
		f.all.backlog.Hold(f)
		f.all.backlog.Add(f, p)
		f.all.running.Go(f.drain)
	case errors.Is(err, net.ErrClosed): // the flow has just ended: this begins another
		f.all.backlog.Add(f.all.get(f.key), p)
	default:
		f.failed(err)
	}
}

// drain sends what waits for the target.
func (f *flow) drain() {
	f.all.backlog.Drain(f, func(p []byte) {
		n, err := f.target.Send(p, 0)
		if errors.Is(err, syscall.ECONNREFUSED) && f.family != sockeye.AF_UNIX {
			n, err = f.target.Send(p, 0) // the error was an earlier datagram's
		}
		if err != nil {
			f.failed(err)
		}
		f.sent.Add(int64(n))
	})
}

// failed reports a datagram that was lost. A closed port may be opened again
// and the flow goes on, but a unix socket loses its peer for good.
func (f *flow) failed(err error) {
	if f.all.ctx.Err() != nil {
		return
	}
	f.all.log(f.event(err))
	if f.family == sockeye.AF_UNIX && !errors.Is(err, syscall.EMSGSIZE) {
		f.target.Close()
	}
}

func (f *flow) event(err error) Event {
	ev := Event{Peer: f.key.peer, Sent: f.sent.Load(), Received: f.received.Load(), Err: err}
	if f.target != nil {
		ev.Target, _ = f.target.Getpeername()
	}
	return ev
}

// run dials the target, and brings back its answers until the flow ends.
func (f *flow) run() {
	err := f.open()
	if err == nil {
		err = f.answer()
		f.target.Close()
	}
	f.all.mu.Lock()
	delete(f.all.byKey, f.key)
	f.all.mu.Unlock()
	f.all.backlog.Drain(f, func([]byte) {})
	if err != nil && f.all.ctx.Err() != nil {
		err = context.Cause(f.all.ctx)
	}
	f.all.log(f.event(err))
}

// open dials the target and sends what has come since.
func (f *flow) open() (err error) {
	target, err := f.all.dial(f.all.ctx)
	if err != nil {
		return err
	}
	if typ := target.Type(); typ != sockeye.SOCK_DGRAM {
		target.Close()
		return fmt.Errorf("relay: the target's socket is of %v: want SOCK_DGRAM", typ)
	}
	f.target, f.family = target, target.Family()
	f.out = datagram.NewSender(target, sockeye.MSG_DONTWAIT)
	ev := f.event(nil)
	ev.Opened = true
	f.all.log(ev)
	f.drain()
	return nil
}

// answer brings back what the target sends, until the flow is idle.
func (f *flow) answer() error {
	closed := make(chan struct{})
	stop := context.AfterFunc(f.all.ctx, func() {
		f.target.Close()
		close(closed)
	})
	defer func() {
		if !stop() {
			<-closed
		}
	}()
	in, err := datagram.NewReceiver(f.target)
	if err != nil {
		return err
	}
	back := datagram.NewSender(f.all.s, 0)
	failed := func(_ sockeye.Sockaddr, p []byte, err error) {
		f.received.Add(-int64(len(p)))
		f.failed(err)
	}
	send := func(ds []datagram.Datagram) {
		f.active.Store(time.Now().UnixNano())
		for _, d := range ds {
			d.Local = f.key.local
			f.received.Add(int64(len(d.Data)))
			back.Add(f.key.peer, d)
		}
		back.Flush(failed)
	}
	for {
		end := time.Unix(0, f.active.Load()).Add(idle)
		if !time.Now().Before(end) {
			return nil
		}
		f.target.SetReadDeadline(end)
		for err = nil; err == nil || datagram.Passing(err); {
			err = in.ReceiveBorrowing(send)
		}
		switch {
		case errors.Is(err, net.ErrClosed): // failed has told why
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
	}
}
