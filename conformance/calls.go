package conformance

import (
	"context"
	"sync"
	"time"

	. "sockeye"
)

// calls is what a scenario makes its socket calls with. Each method is one call,
// and logs it with its result as a line of the transcript, in the manner of
// strace(1).
type calls struct {
	site  Site
	quiet bool // calls that only set the scene are not logged
	lines []string
	*shared
}

// shared is what the actors of one scenario have in common.
type shared struct {
	deadline time.Time

	mu    sync.Mutex
	fds   []*fd
	next  int
	ports map[uint16]int // how many sockets have been given this ephemeral port
	paths []string       // names that unix sockets were bound to
}

func newShared() *shared {
	return &shared{deadline: time.Now().Add(patience), next: 3, ports: make(map[uint16]int)}
}

// An fd is an open socket and how transcripts call it: a number from 3 on, or a
// name.
type fd struct {
	name   string
	s      *Socket
	family Family
	ported bool // its ephemeral port has been counted
	ident  bool // a ping socket, whose port is an identifier that the system chooses anywhere
}

func (f *fd) String() string {
	if f == nil || f.s == nil {
		panic(failure{errNotOpen})
	}
	return f.name
}

// open gives a new socket its number.
func (x *calls) open(s *Socket, family Family) *fd {
	x.mu.Lock()
	defer x.mu.Unlock()
	f := &fd{name: itoa(x.next), s: s, family: family}
	x.next++
	x.fds = append(x.fds, f)
	s.SetDeadline(x.deadline)
	return f
}

// closeAll closes what the scenario left open, and leaves no connection behind
// that would hold an address.
func (x *calls) closeAll() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range x.fds {
		if f.family != AF_UNIX {
			SO_LINGER.Set(f.s, Linger{On: true})
		}
		f.s.Close()
	}
	for _, p := range x.paths {
		x.site.Unlink(p)
	}
	x.fds, x.paths, x.next = nil, nil, 3
}

// section begins anew, under a heading: with no socket open, and numbers and
// ports counted from the start.
func (x *calls) section(format string, args ...any) {
	x.closeAll()
	x.lines = append(x.lines, sectionMark+sprintf(format, args...))
}

// quietly makes calls that set the scene, and are not logged.
func (x *calls) quietly(f func()) {
	was := x.quiet
	x.quiet = true
	defer func() { x.quiet = was }()
	f()
}

// within makes calls whose answers hold for a limited time only. If they took
// longer, on a busy machine, they are made again from the start.
func (x *calls) within(limit time.Duration, f func()) {
	before := len(x.lines)
	for time.Now().Before(x.deadline) {
		start := time.Now()
		f()
		if time.Since(start) < limit {
			return
		}
		x.closeAll()
		x.lines = x.lines[:before]
	}
	x.fail("calls that have to end within %v never do", limit)
}

// as gives a socket a name to be called by.
func (x *calls) as(name string, f *fd) *fd {
	_ = f.String()
	f.name = name
	return f
}

func (x *calls) socket(family Family, typ Type, proto Protocol) *fd {
	s, err := x.site.Host.Socket(family, typ, proto)
	if err != nil {
		x.log(result(err), "socket(%v, %v, %v)", family, typ, protocol(family, proto))
		return nil
	}
	f := x.open(s, family)
	f.ident = typ.Base() == SOCK_DGRAM && (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
	x.log(f.name, "socket(%v, %v, %v)", family, typ, protocol(family, proto))
	return f
}

func (x *calls) socketpair(family Family, typ Type, proto Protocol) (*fd, *fd) {
	a, b, err := x.site.Host.Socketpair(family, typ, proto)
	if err != nil {
		x.log(result(err), "socketpair(%v, %v, %v)", family, typ, protocol(family, proto))
		return nil, nil
	}
	f, g := x.open(a, family), x.open(b, family)
	x.log("["+f.name+", "+g.name+"]", "socketpair(%v, %v, %v)", family, typ, protocol(family, proto))
	return f, g
}

func (x *calls) bind(f *fd, sa Sockaddr) error {
	call := sprintf("bind(%v, %v)", f, x.addr(sa))
	err := f.s.Bind(sa)
	x.countPort(f, err)
	f.ident = f.ident && sa.Port() == 0
	if p := sa.Path(); err == nil && p != "" && p[0] != 0 {
		x.paths = append(x.paths, p)
	}
	x.log(result(err), "%s", call)
	return err
}

func (x *calls) listen(f *fd, backlog int) error {
	err := f.s.Listen(backlog)
	x.countPort(f, err)
	x.log(result(err), "listen(%v, %d)", f, backlog)
	return err
}

func (x *calls) connect(f *fd, sa Sockaddr) error {
	call := sprintf("connect(%v, %v)", f, x.addrOr(sa, "AF_UNSPEC"))
	err := f.s.Connect(sa)
	x.countPort(f, nil)
	x.log(result(err), "%s", call)
	return err
}

func (x *calls) accept(f *fd) *fd { return x.accept4(f, 0) }

func (x *calls) accept4(f *fd, flags Type) *fd {
	call := sprintf("accept(%v)", f)
	if flags != 0 {
		call = sprintf("accept4(%v, %v)", f, acceptFlags(flags))
	}
	s, from, err := f.s.Accept4(flags)
	if err != nil {
		x.log(result(err), "%s", call)
		return nil
	}
	g := x.open(s, f.family)
	x.log(g.name+", "+x.addr(from), "%s", call)
	return g
}

func (x *calls) shutdown(f *fd, how How) error {
	err := f.s.Shutdown(how)
	x.log(result(err), "shutdown(%v, %v)", f, how)
	return err
}

func (x *calls) close(f *fd) error {
	err := f.s.Close()
	x.log(result(err), "close(%v)", f)
	return err
}

// closeQuietly is close where only the effect on others is of interest.
func (x *calls) closeQuietly(f *fd) { x.quietly(func() { x.close(f) }) }

func (x *calls) getsockname(f *fd) Sockaddr {
	sa, err := f.s.Getsockname()
	x.countPort(f, err)
	if f.ident && sa.Port() != 0 {
		sa = sa.WithPort(firstEphemeral)
	}
	x.log(result(err, x.addr(sa)), "getsockname(%v)", f)
	return sa
}

func (x *calls) getpeername(f *fd) Sockaddr {
	sa, err := f.s.Getpeername()
	x.log(result(err, x.addr(sa)), "getpeername(%v)", f)
	return sa
}

// name is where the socket is, not logged.
func (x *calls) name(f *fd) Sockaddr {
	_ = f.String()
	sa, err := f.s.Getsockname()
	if err != nil {
		x.fail("getsockname(%v): %v", f, err)
	}
	x.countPort(f, nil)
	return sa
}

// nonblock makes the socket non-blocking (O_NONBLOCK).
func (x *calls) nonblock(f *fd) {
	_ = f.String()
	f.s.SetNonblock(true)
	x.log("0", "fcntl(%v, F_SETFL, O_NONBLOCK)", f)
}

func (x *calls) send(f *fd, data string, flags MsgFlags) int {
	n, err := f.s.Send([]byte(data), flags)
	x.log(counted(n, err), "send(%v, %s, %v)", f, quote([]byte(data)), flags)
	return n
}

func (x *calls) sendto(f *fd, data string, flags MsgFlags, to Sockaddr) int {
	n, err := f.s.Sendto([]byte(data), flags, to)
	x.countPort(f, err)
	x.log(counted(n, err), "sendto(%v, %s, %v, %v)", f, quote([]byte(data)), flags, x.addr(to))
	return n
}

func (x *calls) write(f *fd, data string) int {
	n, err := f.s.Write([]byte(data))
	x.log(counted(n, err), "write(%v, %s)", f, quote([]byte(data)))
	return n
}

func (x *calls) read(f *fd, size int) string {
	p := make([]byte, size)
	n, err := f.s.Read(p)
	x.log(received(p, n, err), "read(%v, %d)", f, size)
	return string(p[:min(n, size)])
}

func (x *calls) recv(f *fd, size int, flags MsgFlags) string {
	p := make([]byte, size)
	n, err := f.s.Recv(p, flags)
	x.log(received(p, n, err), "recv(%v, %d, %v)", f, size, flags)
	return string(p[:min(n, size)])
}

func (x *calls) recvfrom(f *fd, size int, flags MsgFlags) (string, Sockaddr) {
	p := make([]byte, size)
	n, from, err := f.s.Recvfrom(p, flags)
	r := received(p, n, err)
	if err == nil {
		r += ", " + x.addr(from)
	}
	x.log(r, "recvfrom(%v, %d, %v)", f, size, flags)
	return string(p[:min(n, size)]), from
}

func (x *calls) inq(f *fd) int {
	n, err := f.s.Inq()
	x.log(result(err, itoa(n)), "ioctl(%v, SIOCINQ)", f)
	return n
}

func (x *calls) outq(f *fd) int {
	n, err := f.s.Outq()
	value := itoa(n)
	if t, closed := TCP_INFO.Get(f.s); n > 0 && (f.family == AF_UNIX || closed == nil && t.State == TCP_CLOSE) {
		value = "more than 0" // the kernel's own bookkeeping
	}
	x.log(result(err, value), "ioctl(%v, SIOCOUTQ)", f)
	return n
}

func (x *calls) sockatmark(f *fd) {
	at, err := f.s.AtMark()
	x.log(result(err, sprintf("%v", at)), "ioctl(%v, SIOCATMARK)", f)
}

// events is every event that poll(2) can tell of a socket.
const events = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP

// ready tells the events that hold now.
func (x *calls) ready(f *fd) Events {
	r := f.s.Ready(events)
	x.log(r.String(), "poll(%v)", f)
	return r
}

// await waits until all of the events hold, and then tells which do.
func (x *calls) await(f *fd, all Events) {
	_ = f.String()
	ctx, cancel := context.WithDeadline(context.Background(), x.deadline)
	defer cancel()
	for missing := all &^ f.s.Ready(all); missing != 0; missing = all &^ f.s.Ready(all) {
		fds := []PollFd{{Socket: f.s, Events: missing}}
		n, err := x.site.Host.Poll(ctx, fds, -1)
		if n > 0 && fds[0].Revents&missing == 0 { // POLLERR or POLLHUP, which always count
			x.pause()
		}
		if err != nil || ctx.Err() != nil {
			x.fail("poll(%v, %v) timed out with %v", f, all, f.s.Ready(events))
		}
	}
	x.ready(f)
}

// awaitQuietly is await to set the scene.
func (x *calls) awaitQuietly(f *fd, all Events) { x.quietly(func() { x.await(f, all) }) }

// awaitTCP waits for the state of a TCP connection, of which no event tells.
// Sockets of other families have no such state, and do not wait.
func (x *calls) awaitTCP(f *fd, state TCPState) {
	if f.family != AF_UNIX {
		x.awaitInfo(f, func(t TCPInfo) bool { return t.State == state })
	}
}

// awaitInfo waits until a TCP socket is as wanted.
func (x *calls) awaitInfo(f *fd, wanted func(TCPInfo) bool) {
	for {
		t, err := TCP_INFO.Get(f.s)
		switch {
		case err != nil:
			x.fail("TCP_INFO of %v: %v", f, err)
		case wanted(t):
			return
		case time.Now().After(x.deadline):
			x.fail("socket %v stays in state %v", f, t.State)
		}
		x.pause()
	}
}

// pause is for conditions that no event tells of.
func (x *calls) pause() { x.site.Host.Poll(context.Background(), nil, time.Millisecond) }

// sel is select(2) that does not wait, on one socket in all three sets.
func (x *calls) sel(f *fd) {
	_ = f.String()
	one := []*Socket{f.s}
	r, w, e, err := x.site.Host.Select(context.Background(), one, one, one, 0)
	x.log(result(err, sprintf("readable %t, writable %t, exceptional %t", len(r) > 0, len(w) > 0, len(e) > 0)), "select(%v)", f)
}

func (x *calls) unlink(path string) {
	err := x.site.Unlink(path)
	x.log(result(err), "unlink(%s)", quote([]byte(path)))
}

func (x *calls) chmod(path string, mode uint32) {
	err := x.site.Chmod(path, mode)
	x.log(result(err), "chmod(%s, %04o)", quote([]byte(path)), mode)
}

// An actor makes calls at the same time as the scenario's main line.
type actor struct {
	*calls
	done chan struct{}
	why  any // what it panicked with
}

// start makes calls that wait while the scenario goes on. They open no socket
// but by accept. What they log is told at join.
func (x *calls) start(f func(y *calls)) *actor {
	a := &actor{calls: &calls{site: x.site, quiet: x.quiet, shared: x.shared}, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		defer func() { a.why = recover() }()
		f(a.calls)
	}()
	return a
}

// join waits for the actor's calls and tells their results.
func (x *calls) join(a *actor) {
	<-a.done
	x.lines = append(x.lines, a.lines...)
	if a.why != nil {
		panic(a.why)
	}
}

// countPort takes note that a socket has an ephemeral port. The system may give
// one number to two sockets, one after the other.
func (x *calls) countPort(f *fd, err error) {
	if err != nil || f.ported {
		return
	}
	sa, err := f.s.Getsockname()
	if err != nil || !ephemeral(sa.Port()) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	f.ported = true
	x.ports[sa.Port()]++
}
