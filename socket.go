package sockeye

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

// A Socket is an open socket: what a descriptor names in C. Its calls carry
// the names, flags and errors of the manual pages. All may be called at once,
// from any goroutine.
//
// A call that has to wait parks its goroutine, until it can go on, the
// deadline passes (os.ErrDeadlineExceeded), the context of WithContext ends, or
// Close wakes it (net.ErrClosed, EBADF). On a non-blocking socket, and with
// MSG_DONTWAIT, it gives EAGAIN instead. SO_RCVTIMEO and SO_SNDTIMEO bound
// each call as in C, and give EAGAIN too.
type Socket struct {
	c   *core
	ctx context.Context // nil: none
}

// A core is what the views of one socket share.
type core struct {
	host *Host
	ep   Endpoint

	closed   atomic.Bool
	shutRead atomic.Bool // Shutdown was called for reading
	nonblock atomic.Bool
	typ      atomic.Int32    // SO_TYPE once known
	deadline [2]atomic.Int64 // by Direction; since epoch, 0: none
	timeout  [2]atomic.Int64 // SO_RCVTIMEO and SO_SNDTIMEO in nanoseconds, 0: none, or atOnce
	rcvlowat atomic.Int64    // SO_RCVLOWAT, 0: as it was, which is 1
	family   atomic.Int32    // SO_DOMAIN once known

	mu   sync.Mutex
	peer Sockaddr // where Connect or Accept led
}

// WithContext is the same socket, with calls that end when ctx does, with
// ctx's error. Closing either closes both.
func (s *Socket) WithContext(ctx context.Context) *Socket {
	if ctx == nil {
		panic("sockeye: nil context")
	}
	return &Socket{c: s.c, ctx: ctx}
}

// Context is the context of WithContext, or context.Background().
func (s *Socket) Context() context.Context {
	if s.ctx == nil {
		return context.Background()
	}
	return s.ctx
}

// Host is the host that the socket was opened on.
func (s *Socket) Host() *Host { return s.c.host }

// Descriptor is the number that names the socket in traces: on the kernel
// engine, the file descriptor. It is for people to read; use SyscallConn to
// work with the descriptor.
func (s *Socket) Descriptor() int { return s.c.ep.Descriptor() }

// Endpoint is the engine's side of the socket, for what only one engine has.
func (s *Socket) Endpoint() Endpoint { return s.c.ep }

// Family is the family that the socket was opened with (SO_DOMAIN).
func (s *Socket) Family() Family { return s.c.domain() }

// Type is the type that the socket was opened with (SO_TYPE), without flags.
func (s *Socket) Type() Type { return s.c.socktype() }

// Protocol is the protocol that the socket speaks (SO_PROTOCOL).
func (s *Socket) Protocol() Protocol {
	return Protocol(s.c.number(SO_PROTOCOL.Level, SO_PROTOCOL.Name))
}

// Nonblock tells whether the socket is non-blocking (O_NONBLOCK).
func (s *Socket) Nonblock() bool { return s.c.nonblock.Load() }

// SetNonblock makes the socket non-blocking, or blocking again. Calls that
// wait already go on waiting.
func (s *Socket) SetNonblock(on bool) { s.c.nonblock.Store(on) }

// Bind is bind(2): it gives the socket its local address.
func (s *Socket) Bind(sa Sockaddr) error {
	if t := s.c.host.tracer; t != nil {
		return t.bind(s, sa)
	}
	return s.bind(sa)
}

func (s *Socket) bind(sa Sockaddr) error {
	if err := s.c.ep.Bind(sa); err != nil {
		return s.c.fail(callBind, sa, err)
	}
	return nil
}

// Listen is listen(2): it makes the socket passive. The backlog bounds the
// established connections that wait for Accept; the system cuts it to
// net.core.somaxconn.
func (s *Socket) Listen(backlog int) error {
	if t := s.c.host.tracer; t != nil {
		return t.listen(s, backlog)
	}
	return s.listen(backlog)
}

func (s *Socket) listen(backlog int) error {
	if err := s.c.ep.Listen(backlog); err != nil {
		return s.c.fail(callListen, Sockaddr{}, err)
	}
	return nil
}

// Shutdown is shutdown(2). After SHUT_WR the peer reads the end of the stream
// and can still send.
func (s *Socket) Shutdown(how How) error {
	if t := s.c.host.tracer; t != nil {
		return t.shutdown(s, how)
	}
	return s.shutdown(how)
}

func (s *Socket) shutdown(how How) error {
	if how != SHUT_WR {
		s.c.shutRead.Store(true) // and unconnected sockets that answer ENOTCONN are shut down too
	}
	if err := s.c.ep.Shutdown(how); err != nil {
		return s.c.fail(callShutdown, Sockaddr{}, err)
	}
	return nil
}

// Close is close(2). It wakes every call that waits on the socket. Data that
// was received and not read turns the end of the connection into a RST.
func (s *Socket) Close() error {
	if t := s.c.host.tracer; t != nil {
		return t.close(s)
	}
	return s.close()
}

func (s *Socket) close() error {
	s.c.closed.Store(true)
	if err := s.c.ep.Close(); err != nil {
		return &Error{Call: callClose.name, Err: closedErrno(err)}
	}
	return nil
}

// Getsockname is getsockname(2): the local address.
func (s *Socket) Getsockname() (Sockaddr, error) {
	if t := s.c.host.tracer; t != nil {
		return t.getsockname(s)
	}
	return s.getsockname()
}

func (s *Socket) getsockname() (Sockaddr, error) {
	sa, err := s.c.ep.Getsockname()
	if err != nil {
		return Sockaddr{}, s.c.fail(callGetsockname, Sockaddr{}, err)
	}
	return sa, nil
}

// Getpeername is getpeername(2): the address of the connected peer.
func (s *Socket) Getpeername() (Sockaddr, error) {
	if t := s.c.host.tracer; t != nil {
		return t.getpeername(s)
	}
	return s.getpeername()
}

func (s *Socket) getpeername() (Sockaddr, error) {
	sa, err := s.c.ep.Getpeername()
	if err != nil {
		return Sockaddr{}, s.c.fail(callGetpeername, Sockaddr{}, err)
	}
	return sa, nil
}

// Getsockopt is getsockopt(2) by number. It fills in val, as C lays the value
// out, and returns the length of the value in bytes.
func (s *Socket) Getsockopt(level, name int, val []byte) (int, error) {
	if t := s.c.host.tracer; t != nil {
		return t.getsockopt(s, level, name, val)
	}
	return s.getsockopt(level, name, val)
}

func (s *Socket) getsockopt(level, name int, val []byte) (int, error) {
	n, err := s.c.ep.Getsockopt(level, name, val)
	if err != nil {
		return 0, s.c.fail(callGetsockopt, Sockaddr{}, err)
	}
	return n, nil
}

// Setsockopt is setsockopt(2) by number, with a value as C lays it out.
func (s *Socket) Setsockopt(level, name int, val []byte) error {
	if t := s.c.host.tracer; t != nil {
		return t.setsockopt(s, level, name, val)
	}
	return s.setsockopt(level, name, val)
}

func (s *Socket) setsockopt(level, name int, val []byte) error {
	if err := s.c.ep.Setsockopt(level, name, val); err != nil {
		return s.c.fail(callSetsockopt, Sockaddr{}, err)
	}
	if level == SOL_SOCKET {
		s.c.noteOption(name)
		s.c.noteNegativeTimeout(name, val)
	}
	return nil
}

// GetsockoptInt is Getsockopt of a C int.
func (s *Socket) GetsockoptInt(level, name int) (int, error) {
	var b [4]byte
	n, err := s.Getsockopt(level, name, b[:])
	if err != nil || n == 0 {
		return 0, err
	}
	return decodeInt(b[:n]), nil
}

// SetsockoptInt is Setsockopt of a C int.
func (s *Socket) SetsockoptInt(level, name, v int) error {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(v))
	return s.Setsockopt(level, name, b[:])
}

// The requests of ioctl(2) that sockets answer with an int.
const (
	siocinq    = 0x541b
	siocoutq   = 0x5411
	siocatmark = 0x8905
)

// Inq is how many bytes wait to be received (SIOCINQ, tcp(7)); of a datagram
// socket, how long the next one is.
func (s *Socket) Inq() (int, error) { return s.askIoctl(siocinq) }

// Outq is how many bytes the peer has not acknowledged yet (SIOCOUTQ).
func (s *Socket) Outq() (int, error) { return s.askIoctl(siocoutq) }

// AtMark tells whether the next byte is the urgent one (sockatmark(3)).
func (s *Socket) AtMark() (bool, error) {
	n, err := s.askIoctl(siocatmark)
	return n != 0, err
}

func (s *Socket) askIoctl(req uint) (int, error) {
	if t := s.c.host.tracer; t != nil {
		return t.ioctl(s, req)
	}
	return s.ioctl(req)
}

func (s *Socket) ioctl(req uint) (int, error) {
	n, err := s.c.ep.Ioctl(req)
	if err != nil {
		return 0, s.c.fail(callIoctl, Sockaddr{}, err)
	}
	return n, nil
}

// remote is where Connect or Accept led, for errors.
func (c *core) remote() Sockaddr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer
}

func (c *core) setRemote(sa Sockaddr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peer = sa
}

// Option numbers that blocking depends on: the engine's sockets never block,
// so it falls to this package to honour them.
const (
	soRcvlowat    = 18
	soRcvtimeo    = 20
	soSndtimeo    = 21
	soRcvtimeoNew = 66 // the same with 64-bit time on 32-bit machines
	soSndtimeoNew = 67
)

// noteOption remembers an option of SOL_SOCKET that blocking depends on, after
// it was set.
func (c *core) noteOption(name int) {
	switch name {
	case soRcvtimeo, soRcvtimeoNew:
		c.timeout[ForRead].Store(int64(c.getTimeval(soRcvtimeo)))
	case soSndtimeo, soSndtimeoNew:
		c.timeout[ForWrite].Store(int64(c.getTimeval(soSndtimeo)))
	case soRcvlowat:
		var b [4]byte
		if n, err := c.ep.Getsockopt(SOL_SOCKET, soRcvlowat, b[:]); err == nil && n == 4 {
			c.rcvlowat.Store(int64(decodeInt(b[:])))
		}
	}
}

func (c *core) getTimeval(name int) time.Duration {
	b := make([]byte, timevalCodec.size)
	if n, err := c.ep.Getsockopt(SOL_SOCKET, name, b); err != nil || n < timevalCodec.min {
		return 0
	}
	return timevalCodec.decode(b)
}

// atOnce is the timeout of calls that do not wait.
const atOnce = -1

// noteNegativeTimeout remembers a timeout of less than nothing: Linux then does
// not wait at all (sock_set_timeout in net/core/sock.c), but reads it as 0.
func (c *core) noteNegativeTimeout(name int, val []byte) {
	if len(val) < timevalCodec.min || getWord(val) >= 0 {
		return
	}
	switch name {
	case soRcvtimeo, soRcvtimeoNew:
		c.timeout[ForRead].Store(atOnce)
	case soSndtimeo, soSndtimeoNew:
		c.timeout[ForWrite].Store(atOnce)
	}
}

// learnOptions is noteOption of all, for a socket that somebody else set up.
func (c *core) learnOptions() {
	c.noteOption(soRcvtimeo)
	c.noteOption(soSndtimeo)
	c.noteOption(soRcvlowat)
}

// inheritOptions is for a socket that accept made: it has its listener's.
func (c *core) inheritOptions(listener *core) {
	for d := range c.timeout {
		c.timeout[d].Store(listener.timeout[d].Load())
	}
	c.rcvlowat.Store(listener.rcvlowat.Load())
}
