package echo

import (
	"context"
	"errors"
	"sync"
	"syscall"

	"sockeye"
	"sockeye/internal/datagram"
)

func serveDatagrams(ctx context.Context, s *sockeye.Socket, log func(Event)) error {
	ctx, cancel := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	others.Go(func() {
		<-ctx.Done()
		s.Close()
	})
	local, err := s.Getsockname()
	if err != nil {
		return err
	}
	in, err := datagram.NewReceiver(s)
	if err != nil {
		return err
	}
	answer := answerAll(s, log)
	if local.Family() == sockeye.AF_UNIX {
		answer = answerUnix(s, log, &others)
	}
	for {
		ds, err := in.Receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !datagram.Passing(err):
			return err
		}
		answer(ds)
	}
}

// answerAll sends a batch back as a batch.
func answerAll(s *sockeye.Socket, log func(Event)) func([]datagram.Datagram) {
	out := datagram.NewSender(s, 0)
	failed := func(to sockeye.Sockaddr, _ []byte, err error) { log(Event{Peer: to, Err: err}) }
	return func(ds []datagram.Datagram) {
		for _, d := range ds {
			out.Add(d.Peer, d)
		}
		out.Flush(failed)
	}
}

// answerUnix sends datagrams back through unix sockets, where a sender waits
// while the receiver's queue is full (unix(7)). For a peer who is slow to take
// its answers they wait in a backlog, with a goroutine that sends them, so that
// no other peer has to.
func answerUnix(s *sockeye.Socket, log func(Event), others *sync.WaitGroup) func([]datagram.Datagram) {
	var slow datagram.Backlog[sockeye.Sockaddr]
	return func(ds []datagram.Datagram) {
		for _, d := range ds {
			to := d.Peer
			send := func(p []byte, flags sockeye.MsgFlags) (done bool) {
				_, err := s.Sendto(p, flags, to)
				if errors.Is(err, syscall.EAGAIN) {
					return false
				}
				if err != nil {
					log(Event{Peer: to, Err: err})
				}
				return true
			}
			if to.Path() == "" {
				// An unbound sender has no address, and a send without one
				// would go to whom the socket is connected to.
				log(Event{Peer: to, Err: syscall.EDESTADDRREQ})
				continue
			}
			taken, err := slow.Add(to, d.Data)
			switch {
			case err != nil:
				log(Event{Peer: to, Err: err})
			case !taken && !send(d.Data, sockeye.MSG_DONTWAIT):
				slow.Hold(to)
				slow.Add(to, d.Data)
				others.Go(func() {
					slow.Drain(to, func(p []byte) { send(p, 0) })
				})
			}
		}
	}
}
