// Package accept serves the connections of a listening socket, each in a
// goroutine of its own, through what goes wrong on the way: connections that end
// before they are accepted, and a process that runs out of descriptors.
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
}

// New makes a server of a listening socket, which becomes the server's to close.
func New(s *sockeye.Socket) *Server {
	return &Server{s: s, Workers: NewWorkers(), freed: make(chan struct{}, 1), conns: make(map[*sockeye.Socket]struct{})}
}

// Serve accepts connections and calls handle for each, until ctx ends, which
// gives nil, or the socket fails. It closes each connection after its handle, and
// all of them when it ends itself; it returns when the last handle has.
func (v *Server) Serve(ctx context.Context, handle func(ctx context.Context, conn *sockeye.Socket, from sockeye.Sockaddr)) error {
	ctx, cancel := context.WithCancel(ctx)
	var closer sync.WaitGroup
	closer.Go(func() {
		<-ctx.Done()
		v.s.Close()
	})
	defer func() {
		cancel()
		closer.Wait()
		v.closeAll()
		v.Stop()
	}()
	for {
		for v.starving.Load() > 0 && ctx.Err() == nil {
			v.Wait(ctx) // who was accepted comes first
		}
		conn, from, err := v.s.Accept()
		switch {
		case err == nil:
			v.add(conn)
			v.Go(func() {
				defer v.remove(conn)
				handle(ctx, conn, from)
			})
		case ctx.Err() != nil:
			return nil
		case is(err, gone):
		case Starved(err):
			// Who waits in the backlog is served once there are descriptors.
			v.Wait(ctx)
		default:
			return err
		}
	}
}

func (v *Server) add(conn *sockeye.Socket) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.conns[conn] = struct{}{}
}

func (v *Server) remove(conn *sockeye.Socket) {
	v.mu.Lock()
	delete(v.conns, conn)
	v.mu.Unlock()
	conn.Close()
	select {
	case v.freed <- struct{}{}:
	default:
	}
}

func (v *Server) closeAll() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for conn := range v.conns {
		conn.Close()
	}
}

// scarcity is how long to go without a descriptor before asking again, when
// none of the server's own connections has ended: others may have freed one.
const scarcity = 100 * time.Millisecond

// Wait waits until there may be a descriptor to have.
func (v *Server) Wait(ctx context.Context) {
	t := time.NewTimer(scarcity)
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
