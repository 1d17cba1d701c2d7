// Package accept serves the connections of a listening socket through what goes
// wrong on the way: connections that end before they are accepted, and a process
// that runs out of descriptors.
package accept

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sockeye"
)

// A Server serves the connections of a listening socket.
type Server struct {
	s *sockeye.Socket
	*Workers
	freed    chan struct{} // a connection has ended
	starving atomic.Int32  // connections that wait for descriptors

	mu    sync.Mutex
	conns map[*sockeye.Socket]struct{}
	open  sync.WaitGroup // the same
}

// New makes a server of a listening socket, which becomes the server's to close.
func New(s *sockeye.Socket) *Server {
	return &Server{s: s, Workers: NewWorkers(), freed: make(chan struct{}, 1), conns: make(map[*sockeye.Socket]struct{})}
}

// A Handler begins to serve a connection. It must not wait, but leaves what has to
// to Server.Go, and Ends the connection in time.
type Handler func(ctx context.Context, conn *sockeye.Socket, from sockeye.Sockaddr)

// Serve accepts connections until ctx ends, which gives nil, or the socket fails,
// and calls handle for each. When it ends itself it closes them all, and returns
// when the last was Ended.
func (v *Server) Serve(ctx context.Context, handle Handler) error {
	return v.ServeFrom(ctx, blocking{v, handle})
}

// An Acceptor is what one goroutine accepts connections with.
type Acceptor interface {
	// Accept waits for a connection.
	Accept() (*sockeye.Socket, sockeye.Sockaddr, error)
	// Handle is the Handler.
	Handle(ctx context.Context, conn *sockeye.Socket, from sockeye.Sockaddr)
	// Wait waits until there may be a descriptor to have.
	Wait(ctx context.Context)
	// Finish is called when there is nothing more to accept, for what else the
	// goroutine has to do until Close.
	Finish()
	Close()
}

// blocking is the Acceptor that does nothing else.
type blocking struct {
	*Server
	handle Handler
}

func (b blocking) Accept() (*sockeye.Socket, sockeye.Sockaddr, error) { return b.s.Accept() }

func (b blocking) Handle(ctx context.Context, conn *sockeye.Socket, from sockeye.Sockaddr) {
	b.handle(ctx, conn, from)
}

func (blocking) Finish() {}
func (blocking) Close()  {}

// ServeFrom is Serve with several that accept, each in a goroutine of its own.
func (v *Server) ServeFrom(ctx context.Context, from ...Acceptor) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		<-ctx.Done()
		v.s.Close()
	})
	ended := make(chan error, len(from))
	for _, a := range from {
		running.Go(func() {
			ended <- v.accept(ctx, a)
			a.Finish()
		})
	}
	err := <-ended
	cancel()
	for range from[1:] {
		<-ended
	}
	v.closeAll()
	v.open.Wait()
	for _, a := range from {
		a.Close()
	}
	running.Wait()
	v.Stop()
	return err
}

func (v *Server) accept(ctx context.Context, a Acceptor) error {
	for {
		for v.starving.Load() > 0 && ctx.Err() == nil {
			a.Wait(ctx) // who was accepted comes first
		}
		conn, from, err := a.Accept()
		switch {
		case err == nil:
			v.add(conn)
			a.Handle(ctx, conn, from)
		case ctx.Err() != nil:
			return nil
		case is(err, gone):
		case Starved(err):
			// Who waits in the backlog is served once there are descriptors.
			a.Wait(ctx)
		default:
			return err
		}
	}
}

func (v *Server) add(conn *sockeye.Socket) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.conns[conn] = struct{}{}
	v.open.Add(1)
}

// End closes a connection.
func (v *Server) End(conn *sockeye.Socket) {
	v.mu.Lock()
	delete(v.conns, conn)
	v.mu.Unlock()
	conn.Close()
	select {
	case v.freed <- struct{}{}:
	default:
	}
	v.open.Done()
}

func (v *Server) closeAll() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for conn := range v.conns {
		conn.Close()
	}
}

// Scarcity is how long to go without a descriptor before asking again, when
// none of the server's own connections has ended: others may have freed one.
const Scarcity = 100 * time.Millisecond

// Wait waits until there may be a descriptor to have.
func (v *Server) Wait(ctx context.Context) {
	t := time.NewTimer(Scarcity)
	defer t.Stop()
	select {
	case <-v.freed:
	case <-t.C:
	case <-ctx.Done():
	}
}

// Pause keeps the server from accepting until Resume: for connections that
// want descriptors of their own and get none.
func (v *Server) Pause() { v.starving.Add(1) }

// Resume ends a Pause.
func (v *Server) Resume() { v.starving.Add(-1) }

// gone is what accept(2) says of one connection, which is no longer in the
// backlog: the next may be well.
var gone = []syscall.Errno{
	syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EPERM, syscall.EPROTO, syscall.ENOPROTOOPT, syscall.ETIMEDOUT,
	syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH,
}

// Starved tells whether a call failed for want of descriptors or memory.
func Starved(err error) bool {
	return is(err, []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM})
}

func is(err error, errnos []syscall.Errno) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && slices.Contains(errnos, errno)
}
