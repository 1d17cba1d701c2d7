package sockeye

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A TraceEvent is the beginning or the end of a socket call, in the manner of
// strace(1): Call(Args) = Result.
type TraceEvent struct {
	ID      uint64        // the same at a call's beginning and end, and no other call's
	Done    bool          // this is its end
	Call    string        // "connect"
	Args    string        // `3, 127.0.0.1:80`
	Result  string        // at the end: `0`, `5 "hello"`, `-1 ECONNREFUSED (connection refused)`
	Err     error         // at the end: why it failed
	Elapsed time.Duration // at the end: how long it took, waiting included
}

var traceID atomic.Uint64

// A tracer makes calls and tells of them. The one there is, tracing, stands behind an interface so that a
// program without WithTrace contains neither these calls nor what puts them into words.
type tracer interface {
	socket(h *Host, family Family, typ Type, proto Protocol) (*Socket, error)
	socketpair(h *Host, family Family, typ Type, proto Protocol) (*Socket, *Socket, error)
	unlink(h *Host, path string) error
	bind(s *Socket, sa Sockaddr) error
	listen(s *Socket, backlog int) error
	connect(s *Socket, sa Sockaddr) error
	accept(s *Socket, flags Type) (*Socket, Sockaddr, error)
	shutdown(s *Socket, how How) error
	close(s *Socket) error
	getsockname(s *Socket) (Sockaddr, error)
	getpeername(s *Socket) (Sockaddr, error)
	getsockopt(s *Socket, level, name int, val []byte) (int, error)
	setsockopt(s *Socket, level, name int, val []byte) error
	recv(s *Socket, p []byte, flags MsgFlags) (int, error)
	recvfrom(s *Socket, p []byte, flags MsgFlags) (int, Sockaddr, error)
	recvmsg(s *Socket, m *Message, flags MsgFlags) (int, error)
	recvmmsg(s *Socket, ms []Message, flags MsgFlags) (int, error)
	send(s *Socket, p []byte, flags MsgFlags) (int, error)
	sendto(s *Socket, p []byte, flags MsgFlags, to Sockaddr) (int, error)
	sendmsg(s *Socket, m *Message, flags MsgFlags) (int, error)
	sendmmsg(s *Socket, ms []Message, flags MsgFlags) (int, error)
	splice(s *Socket, dst *Socket, max int64) (int64, error)
	sendfile(s *Socket, file *os.File, max int64) (int64, error)
	ioctl(s *Socket, req uint) (int, error)
	poll(h *Host, ctx context.Context, fds []PollFd, timeout time.Duration) (int, error)
	newEpoll(h *Host) (*Epoll, error)
	epollAdd(e *Epoll, s *Socket, events Events, data any) error
	epollDelete(e *Epoll, s *Socket) error
	epollWait(e *Epoll, ctx context.Context, events []EpollEvent, timeout time.Duration) (int, error)
	epollClose(e *Epoll) error
}

type tracing struct{ tell func(TraceEvent) }

// WithTrace is the same host, with f called at the beginning and the end of
// each call on its sockets. Several calls may be going on at once.
func (h *Host) WithTrace(f func(TraceEvent)) *Host {
	return &Host{engine: h.engine, tracer: &tracing{f}}
}

// begin reports a call's beginning; what it returns reports the end.
func (t *tracing) begin(call, format string, args ...any) func(err error, result string, more ...any) {
	ev := TraceEvent{ID: traceID.Add(1), Call: call, Args: fmt.Sprintf(format, args...)}
	start := time.Now()
	t.tell(ev)
	return func(err error, result string, more ...any) {
		ev.Done, ev.Err, ev.Elapsed = true, err, time.Since(start)
		ev.Result = fmt.Sprintf(result, more...)
		if err != nil {
			ev.Result = "-1 " + traceErr(err)
		}
		t.tell(ev)
	}
}

func (t *tracing) on(fd int, call, format string, args ...any) func(err error, result string, more ...any) {
	args = append([]any{fd}, args...)
	return t.begin(call, strings.TrimSuffix("%d, "+format, ", "), args...)
}

// traceErr names an error as strace does.
func traceErr(err error) string {
	for e := err; e != nil; {
		if errno, ok := e.(syscall.Errno); ok {
			return fmt.Sprintf("%s (%v)", ErrnoName(errno), errno)
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			return fmt.Sprintf("(%v)", e)
		}
		e = u.Unwrap()
	}
	return ""
}

// traceBytes shows data as C would write it, up to 32 bytes of it.
func traceBytes(p []byte) string {
	const show = 32
	if len(p) > show {
		return strconv.Quote(string(p[:show])) + "..."
	}
	return strconv.Quote(string(p))
}

func traceBuffers(buffers [][]byte, n int) string {
	var b []byte
	for _, p := range buffers {
		b = append(b, p[:min(len(p), n-len(b))]...)
	}
	return traceBytes(b)
}

// traceAddr shows an address as strace does, shorter.
func traceAddr(sa Sockaddr) string {
	if sa.IsZero() {
		return "NULL"
	}
	return "{" + sa.Family().String() + " " + sa.String() + "}"
}

func traceOption(level, name int) string {
	for _, o := range Options() {
		if l, n := o.Number(); l == level && n == name {
			return o.LevelName() + ", " + o.String()
		}
	}
	return fmt.Sprintf("%s, %d", levelNames.of(level), name)
}

func traceValue(b []byte) string {
	if len(b) == 4 {
		return strconv.Itoa(decodeInt(b))
	}
	return traceBytes(b)
}

func (t *tracing) socket(h *Host, family Family, typ Type, proto Protocol) (*Socket, error) {
	done := t.begin("socket", "%v, %v, %v", family, typ, proto)
	s, err := h.socket(family, typ, proto)
	if err != nil {
		done(err, "")
		return nil, err
	}
	done(nil, "%d", s.Descriptor())
	return s, nil
}

func (t *tracing) socketpair(h *Host, family Family, typ Type, proto Protocol) (*Socket, *Socket, error) {
	done := t.begin("socketpair", "%v, %v, %v", family, typ, proto)
	a, b, err := h.socketpair(family, typ, proto)
	if err != nil {
		done(err, "")
		return nil, nil, err
	}
	done(nil, "0, [%d, %d]", a.Descriptor(), b.Descriptor())
	return a, b, nil
}

func (t *tracing) unlink(h *Host, path string) error {
	done := t.begin("unlink", "%q", path)
	err := h.unlink(path)
	done(err, "0")
	return err
}

func (t *tracing) bind(s *Socket, sa Sockaddr) error {
	done := t.on(s.Descriptor(), "bind", "%s", traceAddr(sa))
	err := s.bind(sa)
	done(err, "0")
	return err
}

func (t *tracing) listen(s *Socket, backlog int) error {
	done := t.on(s.Descriptor(), "listen", "%d", backlog)
	err := s.listen(backlog)
	done(err, "0")
	return err
}

func (t *tracing) connect(s *Socket, sa Sockaddr) error {
	done := t.on(s.Descriptor(), "connect", "%s", traceAddr(sa))
	err := s.connect(sa)
	done(err, "0")
	return err
}

func (t *tracing) accept(s *Socket, flags Type) (*Socket, Sockaddr, error) {
	done := t.on(s.Descriptor(), "accept", "")
	conn, from, err := s.accept(flags)
	if err != nil {
		done(err, "")
		return nil, Sockaddr{}, err
	}
	done(nil, "%d, %s", conn.Descriptor(), traceAddr(from))
	return conn, from, nil
}

func (t *tracing) shutdown(s *Socket, how How) error {
	done := t.on(s.Descriptor(), "shutdown", "%v", how)
	err := s.shutdown(how)
	done(err, "0")
	return err
}

func (t *tracing) close(s *Socket) error {
	done := t.on(s.Descriptor(), "close", "")
	err := s.close()
	done(err, "0")
	return err
}

func (t *tracing) getsockname(s *Socket) (Sockaddr, error) {
	done := t.on(s.Descriptor(), "getsockname", "")
	sa, err := s.getsockname()
	done(err, "0, %s", traceAddr(sa))
	return sa, err
}

func (t *tracing) getpeername(s *Socket) (Sockaddr, error) {
	done := t.on(s.Descriptor(), "getpeername", "")
	sa, err := s.getpeername()
	done(err, "0, %s", traceAddr(sa))
	return sa, err
}

func (t *tracing) getsockopt(s *Socket, level, name int, val []byte) (int, error) {
	done := t.on(s.Descriptor(), "getsockopt", "%s", traceOption(level, name))
	n, err := s.getsockopt(level, name, val)
	done(err, "0, %s", traceValue(val[:n]))
	return n, err
}

func (t *tracing) setsockopt(s *Socket, level, name int, val []byte) error {
	done := t.on(s.Descriptor(), "setsockopt", "%s, %s", traceOption(level, name), traceValue(val))
	err := s.setsockopt(level, name, val)
	done(err, "0")
	return err
}

func (t *tracing) recv(s *Socket, p []byte, flags MsgFlags) (int, error) {
	done := t.on(s.Descriptor(), "recv", "%d, %v", len(p), flags)
	n, err := s.recv(p, flags)
	done(err, "%d %s", n, traceBytes(p[:min(n, len(p))]))
	return n, err
}

func (t *tracing) recvfrom(s *Socket, p []byte, flags MsgFlags) (int, Sockaddr, error) {
	done := t.on(s.Descriptor(), "recvfrom", "%d, %v", len(p), flags)
	n, from, err := s.recvfrom(p, flags)
	done(err, "%d %s, %s", n, traceBytes(p[:min(n, len(p))]), traceAddr(from))
	return n, from, err
}

func (t *tracing) recvmsg(s *Socket, m *Message, flags MsgFlags) (int, error) {
	done := t.on(s.Descriptor(), "recvmsg", "%d, %v", m.Len(), flags)
	n, err := s.recvmsg(m, flags)
	done(err, "%d %s, %s, %v", n, traceBuffers(m.Buffers, n), traceAddr(m.Name), m.Flags)
	return n, err
}

func (t *tracing) recvmmsg(s *Socket, ms []Message, flags MsgFlags) (int, error) {
	done := t.on(s.Descriptor(), "recvmmsg", "%d, %v", len(ms), flags)
	n, err := s.recvmmsg(ms, flags)
	done(err, "%d", n)
	return n, err
}

func (t *tracing) send(s *Socket, p []byte, flags MsgFlags) (int, error) {
	done := t.on(s.Descriptor(), "send", "%s, %d, %v", traceBytes(p), len(p), flags)
	n, err := s.send(callSend, p, flags, Sockaddr{})
	done(err, "%d", n)
	return n, err
}

func (t *tracing) sendto(s *Socket, p []byte, flags MsgFlags, to Sockaddr) (int, error) {
	done := t.on(s.Descriptor(), "sendto", "%s, %d, %v, %s", traceBytes(p), len(p), flags, traceAddr(to))
	n, err := s.send(callSendto, p, flags, to)
	done(err, "%d", n)
	return n, err
}

func (t *tracing) sendmsg(s *Socket, m *Message, flags MsgFlags) (int, error) {
	done := t.on(s.Descriptor(), "sendmsg", "%s, %d, %v, %s", traceBuffers(m.Buffers, m.Len()), m.Len(), flags, traceAddr(m.Name))
	n, err := s.sendmsg(m, flags)
	done(err, "%d", n)
	return n, err
}

func (t *tracing) sendmmsg(s *Socket, ms []Message, flags MsgFlags) (int, error) {
	done := t.on(s.Descriptor(), "sendmmsg", "%d, %v", len(ms), flags)
	n, err := s.sendmmsg(ms, flags)
	done(err, "%d", n)
	return n, err
}

func (t *tracing) splice(s *Socket, dst *Socket, max int64) (int64, error) {
	done := t.on(s.Descriptor(), "splice", "%d, %d", dst.Descriptor(), max)
	n, err := splice(dst, s, max)
	done(err, "%d", n)
	return n, err
}

func (t *tracing) sendfile(s *Socket, file *os.File, max int64) (int64, error) {
	done := t.on(s.Descriptor(), "sendfile", "%q, %d", file.Name(), max)
	n, err := s.sendfile(file, max)
	done(err, "%d", n)
	return n, err
}

func (t *tracing) ioctl(s *Socket, req uint) (int, error) {
	done := t.on(s.Descriptor(), "ioctl", "%s", ioctlNames.of(int(req)))
	n, err := s.ioctl(req)
	done(err, "0, %d", n)
	return n, err
}

var ioctlNames = names{siocinq: "SIOCINQ", siocoutq: "SIOCOUTQ", siocatmark: "SIOCATMARK"}

func (t *tracing) poll(h *Host, ctx context.Context, fds []PollFd, timeout time.Duration) (int, error) {
	show := func(events func(PollFd) Events) string {
		var b strings.Builder
		for _, fd := range fds {
			if fd.Socket != nil && events(fd) != 0 {
				fmt.Fprintf(&b, " %d:%v", fd.Socket.Descriptor(), events(fd))
			}
		}
		return "[" + strings.TrimPrefix(b.String(), " ") + "]"
	}
	limit := any(timeout)
	if timeout < 0 {
		limit = -1
	}
	done := t.begin("poll", "%s, %v", show(func(fd PollFd) Events { return fd.Events }), limit)
	n, err := h.poll(ctx, fds, timeout)
	done(err, "%d %s", n, show(func(fd PollFd) Events { return fd.Revents }))
	return n, err
}
