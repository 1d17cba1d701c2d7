package inet

import (
	"syscall"

	"sockeye"
	"sockeye/event"
	"sockeye/stack/sock"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// A TCP is a TCP socket (tcp(7)): package tcp's connection, or a listener's queues, with a
// name, options and waits around it.
type TCP struct {
	base
	chained
	conn  *tcp.Conn   // of the last connection; nil: there was none
	cfg   *tcp.Config // its options, or those of the next
	queue *acceptQueue
	hold  *hold // on claim.port
	opt   *tcpOptions
	timer event.Event
	armed tcp.Time // what timer is set to; 0: nothing
	marks *marks   // of what was sent, whose times are wanted; nil: none
	stamp int64    // when data last came, in Unix nanoseconds, if anybody asked

	zone      int32  // of flow
	stale     int32  // what SIOCOUTQ tells of a connection that AF_UNSPEC ended
	port      uint16 // as getsockname tells it: it stays when the port is given up
	synIface  uint16
	synTTL    uint8
	status    status
	deferred  bool   // TCP_FASTOPEN_CONNECT: the first send connects
	near      bool   // the peer is on this host
	early     bool   // accepted before the handshake was done (RFC 7413)
	slowAck   bool   // TCP_QUICKACK was turned off before there was a connection
	optShared bool   // opt is not the socket's own: see ownTCP
	syn4      bool   // the SYN came by IPv4
	mss       uint16 // of the last connection, once AF_UNSPEC ended it
}

// A status is what the calls have made of a socket, Linux's socket_state. It may lag behind
// the connection's state, until the program asks.
type status uint8

const (
	unconnected status = iota
	connecting
	connected
	disconnecting // shut down before the connection was told of: for good, but for AF_UNSPEC
)

// OpenTCP makes a TCP socket.
func (s *Stack) OpenTCP(family sockeye.Family) *TCP {
	t := s.newTCP(family)
	set := &s.Sysctl.TCP
	t.ShareOptions(s.tcp.defaults.With(set.SndBuf, set.RcvBuf))
	t.cfg, t.opt, t.optShared = &s.tcp.config, &s.tcp.options, true
	return t
}

func (s *Stack) newTCP(family sockeye.Family) *TCP {
	t := new(TCP)
	t.init(s, family, sockeye.SOCK_STREAM, sockeye.IPPROTO_TCP)
	t.timer.Handler = t
	return t
}

// state is that of the connection, or LISTEN, or CLOSED.
func (t *TCP) state() tcp.State {
	switch {
	case t.queue != nil:
		return tcp.Listen
	case t.conn == nil:
		return tcp.Closed
	}
	return t.conn.State()
}

// shut has the halves that are over.
func (t *TCP) shut() sock.Shut {
	shut := t.Shut
	if t.conn != nil {
		read, write := t.conn.Over()
		if read {
			shut |= sock.RcvShutdown
		}
		if write {
			shut |= sock.SendShutdown
		}
	}
	return shut
}

// Bind is bind(2).
func (t *TCP) Bind(sa sockeye.Sockaddr) error {
	h, was := &hold{claim: &t.claim}, t.claim
	if sa.Port() == 0 { // a port that the host chooses is not shared
		t.claim.reuse, t.claim.share = false, false
	}
	err := bindPort(h, &t.base, t.stack.tcp.ports, sa, t.state() != tcp.Closed)
	t.claim.reuse, t.claim.share = was.reuse, was.share
	if err != nil {
		return err
	}
	if t.claim.port != 0 {
		t.hold = h
	}
	t.port = t.claim.port
	return nil
}

// Getsockname is getsockname(2).
func (t *TCP) Getsockname() (sockeye.Sockaddr, error) {
	ip := t.claim.ip
	if ip.IsUnspecified() {
		ip = t.source
	}
	return t.name(ip, t.port, t.scope), nil
}

// Connect is connect(2), __inet_stream_connect.
func (t *TCP) Connect(sa sockeye.Sockaddr) error {
	if sa.Family() == sockeye.AF_UNSPEC {
		if len(sa.AppendBytes(nil)) == 1 {
			return syscall.EINVAL
		}
		t.disconnect()
		return nil
	}
	switch t.status {
	case connected:
		return syscall.EISCONN
	case disconnecting:
		return syscall.EINVAL
	case unconnected:
		if t.state() != tcp.Closed {
			return syscall.EISCONN
		}
		return t.begin(sa)
	}
	switch t.state() {
	case tcp.SynSent, tcp.SynReceived:
		return syscall.EALREADY
	case tcp.Closed:
		if t.deferred { // TCP_FASTOPEN_CONNECT: the first send connects
			return syscall.EALREADY
		}
		err := t.TakeError()
		if err == nil {
			err = syscall.ECONNABORTED
		}
		t.disconnect()
		return err
	}
	t.status = connected
	return nil
}

// begin starts the handshake, or leaves that to the first send.
func (t *TCP) begin(sa sockeye.Sockaddr) error {
	to, err := t.destination(sa)
	if err != nil {
		return err
	}
	if t.opt.fastOpenConnect && t.stack.mayFastOpen(t, to.ip) {
		t.deferred, t.ownTCP().deferredTo = true, sa
		t.status = connecting
		return nil
	}
	o := &t.stack.tcp.connect
	*o = tcp.ConnectOptions{FastOpen: t.opt.fastOpenConnect} // a cookie for the next time
	if err := t.open(to, o); err != nil {
		return err
	}
	t.status = connecting
	return syscall.EINPROGRESS
}

// destination reads the address to connect to (tcp_v4_connect, tcp_v6_connect).
func (t *TCP) destination(sa sockeye.Sockaddr) (to target, err error) {
	if to, err = t.address(sa, false, syscall.EAFNOSUPPORT); err != nil {
		return to, err
	}
	if t.Family == sockeye.AF_INET6 {
		switch {
		case to.ip.IsUnspecified() && !to.ip.Is4():
			to.ip = loopbackOf(t.claim.ip)
		case to.ip.Is4() && t.claim.v6only, to.ip.IsMulticast():
			return to, syscall.ENETUNREACH
		}
	}
	return to, nil
}

// open gives the socket its addresses and sends the SYN.
func (t *TCP) open(to target, o *tcp.ConnectOptions) error {
	s := t.stack
	ifindex, err := t.scoped(to, 0)
	if err != nil {
		return err
	}
	want := t.way(to.ip)
	if ifindex != 0 {
		want.ifindex = ifindex
	}
	w, err := s.find(to.ip, want)
	switch {
	case err != nil:
		return err
	case w.cast != unicast:
		return syscall.ENETUNREACH
	}
	was, source := t.claim, t.source
	if needsScope(to.ip) {
		t.claim.ifindex, t.scope = ifindex, ifindex
	}
	if t.source.IsUnspecified() { // or bound to a broadcast address or a group
		t.source, t.claim.ip = w.src, w.src
	}
	t.remote, t.remotePort, t.flow, t.zone = w.dst, to.port, to.flow, zoneOf(w.dst, ifindex)
	seq, err := t.claimFlow()
	if err != nil {
		t.claim, t.source = was, source
		return err
	}
	t.port, t.Err, t.stale = t.claim.port, 0, 0
	s.tcp.flows.put(t)
	t.near = w.iface.loops
	now, f := s.now(), t.key().names()
	o.TSOffset = s.tcp.host.TSOffset(f)
	if o.ISN = seq; seq == 0 {
		o.ISN = s.tcp.host.ISN(now, f)
	}
	t.setConn(s.tcp.host.Connect(now, t.configFor(w), o))
	t.settle(now)
	return nil
}

// setConn makes c the socket's connection.
func (t *TCP) setConn(c *tcp.Conn) {
	t.conn, t.cfg = c, c.Config()
	c.SetCongestion(t.opt.congestion)
	if t.slowAck {
		c.SetQuickACK(t.stack.now(), false)
	}
}

// route sets what a connection has to know of its path.
func (t *TCP) route(w path, cfg *tcp.Config) {
	cfg.MTU, cfg.GSO = int32(w.mtu), int32(w.iface.props.MaxGSO)
	h := header{dst: w.dst}
	if w.dst.Is4() {
		h.options = t.ip.options
	}
	cfg.IPHeader, cfg.IPv6 = uint8(h.len()), !w.dst.Is4()
}

// key implements segmentTaker: the flow of the socket's connection.
func (t *TCP) key() flow {
	return flow{t.claim.ip, t.remote, t.port, t.remotePort, t.zone}
}

// disconnect is connect(2) to AF_UNSPEC, tcp_disconnect: the socket is as new, but for
// what bind gave it.
func (t *TCP) disconnect() {
	s := t.stack
	t.status = unconnected
	t.deferred = false
	was := t.state()
	switch {
	case was == tcp.Listen:
		t.stopListening()
		t.stale += int32(staleOf(0))
	case t.conn == nil:
		t.stale += int32(staleOf(0))
	default:
		unacked, _ := t.conn.Unsent()
		now := s.now()
		info := t.conn.Info(now)
		if was != tcp.Closed && was != tcp.Closing && was != tcp.LastAck {
			t.Err = syscall.ECONNRESET
		}
		t.stale = int32(unacked + staleOf(int(info.SndWnd)))
		t.conn.Close(now, true)
		err := t.Err
		t.settle(now)
		t.Err = err
		cfg := *t.cfg
		t.conn, t.cfg, t.mss = nil, &cfg, uint16(t.conn.MSS())
	}
	t.connected, t.remote, t.remotePort, t.Shut = false, wire.Addr{}, 0, 0
	if !t.givenIP {
		t.reset()
	}
	if was != tcp.Closed { // it lost its port then
		t.unclaim()
	}
	t.WakeAll()
}

// staleOf is what disconnecting adds to SIOCOUTQ: Linux moves write_seq beyond the peer's
// window, and leaves snd_una where it was.
func staleOf(window int) int { return window + 2 }

// Shutdown is shutdown(2), inet_shutdown.
func (t *TCP) Shutdown(how sockeye.How) error {
	if how < sockeye.SHUT_RD || how > sockeye.SHUT_RDWR {
		return syscall.EINVAL
	}
	halves := sock.Shut(how) + 1 // which makes the two bits of it
	state := t.state()
	if t.status == connecting {
		t.status = connected
		if state == tcp.SynSent || state == tcp.SynReceived || state == tcp.Closed {
			t.status = disconnecting
		}
	}
	switch state {
	case tcp.Closed:
		t.Shut |= halves
		t.WakeAll()
		return syscall.ENOTCONN
	case tcp.Listen:
		if halves&sock.RcvShutdown != 0 {
			t.disconnect()
		}
		return nil
	case tcp.SynSent:
		t.disconnect()
		return nil
	}
	now := t.stack.now()
	if halves&sock.RcvShutdown != 0 {
		t.conn.CloseRead()
	}
	if halves&sock.SendShutdown != 0 {
		t.conn.CloseWrite(now)
	}
	t.settle(now)
	t.WakeAll()
	return nil
}

// Release is the last close, tcp_close. The connection goes on alone to its end.
func (t *TCP) Release() {
	t.leaveGroups()
	if t.queue != nil {
		t.stopListening()
	}
	if t.conn != nil {
		now := t.stack.now()
		t.conn.Close(now, t.Opt.Linger.On && t.Opt.Linger.Seconds == 0)
		t.settle(now)
	}
	t.givenPort = false
	if t.state() == tcp.Closed {
		t.unclaim()
	}
	t.WakeAll()
}

// Ready is tcp_poll.
func (t *TCP) Ready() (e sockeye.Events) {
	const (
		in  = sockeye.POLLIN | sockeye.POLLRDNORM
		out = sockeye.POLLOUT | sockeye.POLLWRNORM
	)
	state := t.state()
	if state == tcp.Listen {
		if t.queue.len() > 0 {
			return in
		}
		return 0
	}
	shut := t.shut()
	if shut == sock.RcvShutdown|sock.SendShutdown || state == tcp.Closed && !t.deferred {
		e |= sockeye.POLLHUP
	}
	if shut&sock.RcvShutdown != 0 {
		e |= in | sockeye.POLLRDHUP
	}
	switch {
	case t.conn == nil:
		// What AF_UNSPEC ended counts as not sent (tcp_stream_memory_free).
		if most := int(t.cfg.NotsentLowat); most == 0 || 2*int(t.stale) < most || shut&sock.SendShutdown != 0 {
			e |= out
		}
	case state != tcp.SynSent && (state != tcp.SynReceived || t.early):
		if t.conn.Readable() {
			e |= in
		}
		if shut&sock.SendShutdown != 0 || t.conn.Writable() {
			e |= out
		}
		if t.conn.UrgentReady() {
			e |= sockeye.POLLPRI
		}
	}
	if t.Err != 0 || t.errors.len() > 0 {
		e |= sockeye.POLLERR
	}
	return e
}

// settle does what a call on the connection has left to do: it sends, wakes those who
// wait, and sets the timer.
func (t *TCP) settle(now tcp.Time) {
	s, c := t.stack, t.conn
	if t.Host.Later() {
		t.posted()
		return
	}
	if len(s.tcp.host.Out) > 0 {
		t.transmit()
	}
	if t.marks != nil {
		t.acknowledged()
	}
	if e := c.Events(); e != 0 {
		t.happened(e)
	}
	if d := c.Deadline(); d != 0 && (t.armed == 0 || d < t.armed) {
		s.timed(t)
	}
}

// setTimer implements timed. A later deadline leaves the timer as it is: it looks again when it fires.
func (t *TCP) setTimer() {
	if t.conn == nil {
		return
	}
	if d := t.conn.Deadline(); d != 0 && (t.armed == 0 || d < t.armed) {
		t.armed = d
		t.stack.schedule(event.Time(d), &t.timer)
	}
}

// happened takes note of events of the connection.
func (t *TCP) happened(e tcp.Events) {
	if e&tcp.EventError != 0 {
		if err, ok := t.conn.TakeErr().(syscall.Errno); ok {
			t.Err = err
		}
	}
	if e&tcp.EventConnected != 0 {
		t.connected = true
		t.early = false
		t.stack.keepCookie(t)
	}
	switch {
	case e&tcp.EventTimeWait != 0:
		t.stack.linger(t)
		t.ended()
	case e&tcp.EventClosed != 0:
		t.forget()
	}
	if e&(tcp.EventHup|tcp.EventError) != 0 {
		e |= tcp.EventReadable | tcp.EventWritable
	}
	if e&(tcp.EventReadable|tcp.EventUrgent) != 0 {
		t.Wake(sockeye.ForRead)
	}
	if e&(tcp.EventWritable|tcp.EventConnected) != 0 {
		t.Wake(sockeye.ForWrite)
	}
}

// forget implements segmentTaker.
func (t *TCP) forget() {
	t.stack.tcp.flows.remove(t)
	t.ended()
}

// ended is for a connection that is over: the port that no bind gave is free.
func (t *TCP) ended() {
	t.connected = false
	t.stack.loop.Cancel(&t.timer)
	t.armed = 0
	t.unclaim()
}

// unclaim gives the port up, unless bind gave it.
func (t *TCP) unclaim() {
	if t.hold != nil && !t.givenPort {
		t.stack.tcp.drop(t.hold)
		t.hold, t.claim.port = nil, 0
	}
}

// Handle implements event.Handler: a time has come for the connection.
func (t *TCP) Handle(now event.Time, _ any) {
	s := t.stack
	s.begin(now)
	defer s.host.Unlock()
	t.armed = 0
	if t.conn != nil {
		t.conn.Timeout(s.now())
		t.settle(s.now())
	}
	s.host.Pending = false // the loop that called carries it
}
