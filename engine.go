package sockeye

import (
	"context"
	"errors"
	"os"
	"time"
)

// An Engine opens sockets: it is what a Host stands on. Programs use a Host;
// this interface, and Endpoint, are for those who write engines. The value is a
// pointer, or another that can be compared.
//
// Errors of an engine are bare: a syscall.Errno wherever Linux has one. The
// Host's sockets add the call and the addresses.
type Engine interface {
	// Name is the engine's name in messages, such as "kernel".
	Name() string
	// Socket is socket(2). Flags in typ are not for the engine.
	Socket(family Family, typ Type, proto Protocol) (Endpoint, error)
	// Socketpair is socketpair(2).
	Socketpair(family Family, typ Type, proto Protocol) (Endpoint, Endpoint, error)
	// Poll is poll(2) over endpoints of this engine. It fills in revents, one
	// for each endpoint, and returns how many are not zero. It returns
	// os.ErrDeadlineExceeded when the deadline passes (the zero time never
	// does), and ctx.Err() when ctx ends.
	Poll(ctx context.Context, eps []Endpoint, events, revents []Events, deadline time.Time) (int, error)
}

// A Resolver is an Engine that knows the names of hosts. One that does not
// leaves names to the process's resolver.
type Resolver interface {
	// LookupHost gives the addresses of a name.
	LookupHost(ctx context.Context, name string) ([]string, error)
	// InterfaceIndex gives the index of an interface, the scope id of
	// link-local addresses on it.
	InterfaceIndex(name string) (int, error)
	// InterfaceName gives the name of the interface with an index.
	InterfaceName(index int) (string, error)
}

// An Unlinker is an Engine whose unix sockets leave their paths behind.
type Unlinker interface {
	// Unlink removes the path of a unix socket (unlink(2)).
	Unlink(path string) error
}

// An Epoller is an Engine that can watch many endpoints (epoll(7)).
type Epoller interface {
	// Epoll makes an empty set.
	Epoll() (EpollSet, error)
}

// An EpollSet is what an Epoll stands on. Its errors are bare, and its methods
// those of Epoll; after Close they give net.ErrClosed.
type EpollSet interface {
	// Descriptor is the number that names the set in traces.
	Descriptor() int
	Add(ep Endpoint, events Events, data any) error
	Delete(ep Endpoint) error
	// Wait fills in events, which has room, and tells how many. It returns as
	// Engine.Poll does.
	Wait(ctx context.Context, events []EpollEvent, deadline time.Time) (int, error)
	Close() error
}

// An Endpoint is one socket of an engine. No method but Wait blocks: a call
// that would gives EAGAIN, or EINPROGRESS from Connect. All methods may be
// called at once; after Close they give net.ErrClosed.
type Endpoint interface {
	// Descriptor is the number that names the socket in traces.
	Descriptor() int

	Bind(sa Sockaddr) error
	Listen(backlog int) error
	Accept() (Endpoint, Sockaddr, error)
	// Connect is a non-blocking connect(2). Called again while connecting it
	// gives EALREADY, and then, once, how that ended.
	Connect(sa Sockaddr) error
	Getsockname() (Sockaddr, error)
	Getpeername() (Sockaddr, error)
	Shutdown(how How) error

	Send(p []byte, flags MsgFlags, to Sockaddr) (int, error)
	Recv(p []byte, flags MsgFlags) (int, error)
	Recvfrom(p []byte, flags MsgFlags) (int, Sockaddr, error)
	Sendmsg(m *Message, flags MsgFlags) error
	Recvmsg(m *Message, flags MsgFlags) error
	Sendmmsg(ms []Message, flags MsgFlags) (int, error)
	Recvmmsg(ms []Message, flags MsgFlags) (int, error)

	// Getsockopt fills in val and returns the length of the value.
	Getsockopt(level, name int, val []byte) (int, error)
	Setsockopt(level, name int, val []byte) error
	// Ioctl is ioctl(2) with a request that gives back an int.
	Ioctl(req uint) (int, error)

	// Ready tells which of events, and of POLLERR and POLLHUP, hold now.
	Ready(events Events) Events

	// Wait calls w.Try until it gives true, and parks the goroutine in between.
	// It calls Try at once, and then each time that something happened in the
	// direction after the last call began: more data came, space was freed, an
	// error arose. Wait returns
	//   - nil once Try gave true;
	//   - os.ErrDeadlineExceeded when w.Deadline has passed, without a Try if
	//     it had passed before;
	//   - ErrInterrupted after Interrupt;
	//   - net.ErrClosed after Close.
	// Several goroutines may wait at once, in the same direction too.
	Wait(d Direction, w Waiter) error
	// Interrupt makes every Wait in the direction return ErrInterrupted.
	Interrupt(d Direction)

	// Close closes the socket and wakes whoever waits.
	Close() error
}

// ErrInterrupted is what Endpoint.Wait returns after Interrupt. It does not
// leave this package.
var ErrInterrupted = errors.New("interrupted")

// A Direction is what a call waits for.
type Direction int

// The directions. A connection that is under way is waited for as a write.
const (
	ForRead Direction = iota
	ForWrite
)

// A Waiter is a call that waits in Endpoint.Wait.
type Waiter interface {
	// Try makes the call, and tells whether it is done.
	Try() bool
	// Deadline is when to give up; the zero time: never. An engine asks once
	// it counts the call among those that Interrupt reaches, so that no change
	// is missed.
	Deadline() time.Time
	// Target is where the call connects or sends to, if it named an address:
	// readiness may depend on the receiver (unix sockets).
	Target() (to Sockaddr, connecting bool)
}

// A Splicer is an Endpoint whose engine moves data without bringing it to the
// program. Endpoints of an engine that cannot are copied.
type Splicer interface {
	// SpliceTo moves up to max bytes from the endpoint to dst, which is of the
	// same engine, until the end of the stream, and tells how many.
	// syscall.EINVAL means that this pair can't be spliced, or no longer:
	// what is left is to be copied.
	SpliceTo(dst Endpoint, max int64, wait Waits) (int64, error)
	// Sendfile sends up to max bytes of the file, from its current offset.
	Sendfile(file *os.File, max int64, wait Waits) (int64, error)
}

// A Mover is an Endpoint that takes part in a transfer to or from an endpoint of any engine, and
// gives and takes its own memory for it: what is moved is copied once less. syscall.EINVAL is as of
// Splicer.
type Mover interface {
	// MoveTo moves up to max bytes from the endpoint to dst, until the end of the stream.
	MoveTo(dst Endpoint, max int64, wait Waits) (int64, error)
	// MoveFrom moves up to max bytes from src to the endpoint, until the end of the stream.
	MoveFrom(src Endpoint, max int64, wait Waits) (int64, error)
}

// A Waits is how a transfer waits: it calls try, and again whenever ep may be
// ready in the direction, until it gives true. With a limit that is not 0 it
// gives up after that time, with EAGAIN. An error ends the transfer.
type Waits func(ep Endpoint, d Direction, limit time.Duration, try func() bool) error

// A Controller is an Endpoint with a file descriptor.
type Controller interface {
	// Control calls f with the descriptor, which stays open meanwhile.
	Control(f func(fd uintptr)) error
}
