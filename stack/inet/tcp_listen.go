package inet

import (
	"slices"
	"syscall"

	"sockeye"
	"sockeye/event"
	"sockeye/stack/sock"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// An acceptQueue is a listener's: the handshakes that are under way, and the connections
// that wait for accept.
type acceptQueue struct {
	most   int // backlog
	halves map[*half]struct{}
	calls  map[*Call]struct{}
	screen func(*Call) // nil: the listener answers by itself
	ready  []*TCP

	cookies  bool // have been sent, and
	cookieAt tcp.Time
}

func (q *acceptQueue) len() int { return len(q.ready) }

// full tells whether no connection more may wait. One more than the backlog may, as on
// Linux (sk_acceptq_is_full).
func (q *acceptQueue) full() bool { return len(q.ready) > q.most }

// A half is a connection whose handshake is under way: half-open.
type half struct {
	tcp.Request
	flow
	chained
	listener *TCP
	options  *ipOptions // of the answers
	timer    event.Event
}

// Listen is listen(2), inet_listen.
func (t *TCP) Listen(backlog int) error {
	if most := t.Host.Sysctl.Somaxconn; backlog < 0 || backlog > most {
		backlog = most
	}
	state := t.state()
	switch {
	case t.status != unconnected, state != tcp.Closed && state != tcp.Listen:
		return syscall.EINVAL
	case state == tcp.Listen:
		t.queue.most = backlog
		return nil
	}
	l := &t.stack.tcp
	if t.claim.port == 0 {
		h := &hold{claim: &t.claim}
		if autobind(h, &t.base, l.ports) != nil {
			return syscall.EADDRINUSE
		}
		t.hold, t.port = h, t.claim.port
	} else if slices.ContainsFunc(l.ports[t.claim.port], func(h *hold) bool {
		return h != t.hold && t.claim.conflicts(h.claim)
	}) {
		return syscall.EADDRINUSE
	}
	t.claim.listens = true
	t.queue = &acceptQueue{most: backlog, halves: make(map[*half]struct{})}
	l.listeners[t.port] = append(l.listeners[t.port], t)
	return nil
}

// stopListening resets the connections that nobody has accepted.
func (t *TCP) stopListening() {
	l := &t.stack.tcp
	rest := slices.DeleteFunc(l.listeners[t.port], func(other *TCP) bool { return other == t })
	if l.listeners[t.port] = rest; len(rest) == 0 {
		delete(l.listeners, t.port)
	}
	q := t.queue
	t.queue, t.claim.listens = nil, false
	for r := range q.halves {
		r.forget()
	}
	for c := range q.calls {
		c.forget()
	}
	for _, c := range q.ready {
		c.OwnOptions().Linger = sockeye.Linger{On: true}
		c.Release()
	}
}

// Accept is accept(2), inet_csk_accept.
func (t *TCP) Accept() (sock.File, sockeye.Sockaddr, error) {
	switch {
	case t.queue == nil:
		return nil, sockeye.Sockaddr{}, syscall.EINVAL
	case t.queue.len() == 0:
		return nil, sockeye.Sockaddr{}, syscall.EAGAIN
	}
	q := t.queue
	c := q.ready[0]
	q.ready[0] = nil
	if q.ready = q.ready[1:]; len(q.ready) == 0 {
		q.ready = nil
	}
	return c, c.name(c.remote, c.remotePort, c.scope), nil
}

// called handles a segment for a listener that is of no flow (tcp_rcv_state_process in
// LISTEN, RFC 9293 section 3.10.7.2).
func (t *TCP) called(f flow, h *header, g *tcp.Segment) {
	s := t.stack
	switch {
	case h.ttl < t.minTTL(h):
		s.Counters.TCPMinTTLDrop++
		g.Payload.Release()
	case g.Flags&tcp.RST != 0:
		g.Payload.Release()
	case g.Flags&tcp.ACK != 0:
		t.ackFrom(f, h, g)
	case g.Flags&(tcp.SYN|tcp.FIN) == tcp.SYN:
		t.synFrom(f, h, g, 0)
	default:
		g.Payload.Release()
	}
	s.answerSegment(f, s.echoOptions(h))
}

// synFrom begins a handshake (tcp_conn_request). The sequence number is given where the
// flow was in TIME-WAIT.
func (t *TCP) synFrom(f flow, h *header, g *tcp.Segment, seq tcp.Seq) {
	s, q := t.stack, t.queue
	set, c, host := &s.Sysctl.TCP, &s.Counters, s.tcp.host
	now := s.now()
	cookie := set.SYNCookies == 2 && seq == 0
	if len(q.halves) > q.most && seq == 0 {
		cookie = set.SYNCookies != 0
		if !cookie {
			c.TCPReqQFullDrop++
		} else {
			c.TCPReqQFullDoCookies++
		}
	}
	last := set.MaxSYNBacklog/4 > set.MaxSYNBacklog-len(q.halves) // kept for known peers
	switch {
	case q.full(), len(q.calls) > q.most:
		c.ListenOverflows++
		fallthrough
	case len(q.halves) > q.most && !cookie, set.SYNCookies == 0 && last:
		c.ListenDrops++
		host.Overflow(now, g, false)
		return
	}
	w, err := s.find(f.remote, t.wayTo(f))
	if err != nil {
		c.ListenDrops++
		host.Overflow(now, g, false)
		return
	}
	if q.screen != nil {
		t.ask(f, h, g)
		return
	}
	cfg := t.configFor(w)
	if cookie {
		q.cookieAt, q.cookies = now, true
		host.SYNCookie(now, cfg, f.names(), g)
		return
	}
	if seq == 0 {
		seq = host.ISN(now, f.names())
	}
	r := &half{flow: f, listener: t, options: s.echoOptions(h)}
	r.Request = host.NewRequest(now, cfg, g, seq, host.TSOffset(f.names()))
	if t.opt.fastOpen > 0 && t.takesEarly(r, f, g) {
		if conn := r.AcceptFastOpen(host, now, cfg, g); conn != nil {
			t.push(conn, f, h).early = true
		}
		return
	}
	r.SYNACK(host, now, cfg)
	g.Payload.Release()
	r.timer.Handler = r
	q.halves[r] = struct{}{}
	s.tcp.flows.put(r)
	s.timed(r)
}

// ackFrom takes an ACK that may answer a SYN cookie.
func (t *TCP) ackFrom(f flow, h *header, g *tcp.Segment) {
	s := t.stack
	now, host := s.now(), s.tcp.host
	if g.Flags&tcp.SYN != 0 || s.Sysctl.TCP.SYNCookies == 0 || !t.queue.cookies || now-t.queue.cookieAt > tcp.CookieLife {
		host.Reset(now, g)
		return
	}
	if t.queue.full() {
		if !host.IsCookie(now, f.names(), g) {
			host.Reset(now, g)
			return
		}
		s.Counters.ListenOverflows++
		s.Counters.ListenDrops++
		host.Overflow(now, g, false)
		return
	}
	w, err := s.find(f.remote, t.wayTo(f))
	if err != nil {
		g.Payload.Release()
		return
	}
	conn := host.FromCookie(now, t.configFor(w), f.names(), g)
	if conn == nil {
		host.Reset(now, g)
		return
	}
	t.push(conn, f, h)
}

// wayTo is what the listener's connections ask of a route.
func (t *TCP) wayTo(f flow) way {
	w := t.way(f.remote)
	w.src = f.local
	if f.zone != 0 {
		w.ifindex = int(f.zone)
	}
	return w
}

// configFor is what the socket's options make of a connection on a path.
func (t *TCP) configFor(w path) *tcp.Config {
	cfg := &t.stack.tcp.conn
	*cfg = *t.cfg
	t.route(w, cfg)
	return cfg
}

// push makes a socket of a connection, and puts it into the queue.
func (t *TCP) push(conn *tcp.Conn, f flow, h *header) *TCP {
	c := t.child(conn, f, h)
	t.queue.ready = append(t.queue.ready, c)
	t.Wake(sockeye.ForRead)
	return c
}

// child makes a socket of a connection.
func (t *TCP) child(conn *tcp.Conn, f flow, h *header) *TCP {
	s := t.stack
	c := s.newTCP(t.Family)
	c.InheritOptions(&t.Socket)
	c.ip, c.opt = t.ip, t.opt
	c.shared, t.shared, c.optShared, t.optShared = true, true, true, true
	if options := t.stack.echoOptions(h); c.ip.groups != nil || c.ip.options != nil || options != nil { // of the listener alone
		c.own()
		c.ip.groups, c.ip.options = nil, options
	}
	if c.opt.fastOpen != 0 {
		c.ownTCP().fastOpen = 0
	}
	t.slowAck = false
	if c.Opt.Priority != 0 {
		c.OwnOptions().Priority = 0
	}
	c.synTTL, c.syn4, c.synIface = h.ttl, f.remote.Is4(), uint16(h.iface.Index)
	c.claim = t.claim
	c.claim.ip, c.source, c.claim.port, c.claim.listens = f.local, f.local, f.localPort, false
	c.remote, c.remotePort, c.port, c.zone = f.remote, f.remotePort, f.localPort, f.zone
	if f.zone != 0 {
		c.claim.ifindex, c.scope = h.iface.Index, h.iface.Index
	}
	c.givenIP = t.givenIP
	c.hold, c.near = s.tcp.share(c.claim, false), h.iface.loops
	c.status, c.connected = connected, true
	c.setConn(conn)
	if c.ip.options != nil {
		conn.SetIPHeader(wire.IPv4Len + c.ip.options.len())
	}
	c.cfg.DeferAccept = 0
	s.tcp.flows.put(c)
	if t.Shut&sock.RcvShutdown != 0 { // shut down before it listened, of which its connections take after
		conn.CloseRead()
	}
	if t.Shut&sock.SendShutdown != 0 {
		conn.CloseWrite(s.now())
	}
	c.settle(s.now())
	return c
}

// take implements segmentTaker.
func (r *half) take(h *header, g *tcp.Segment) {
	t := r.listener
	s := t.stack
	// IP_MINTTL is of no concern here: Linux looks at it where a listener or a whole socket is found.
	w, err := s.find(r.remote, t.wayTo(r.flow))
	if err != nil {
		g.Payload.Release()
		return
	}
	now, host, cfg := s.now(), s.tcp.host, t.configFor(w)
	switch r.Input(host, now, cfg, g) {
	case tcp.Complete:
		if t.queue.full() {
			s.Counters.ListenOverflows++
			s.Counters.ListenDrops++
			abort := s.Sysctl.TCP.AbortOnOverflow
			if host.Overflow(now, g, abort); abort {
				r.forget()
			}
			break
		}
		r.forget()
		t.push(r.Accept(host, now, cfg, g), r.flow, h)
		return
	case tcp.Abandoned:
		r.forget()
	default:
		r.arm()
	}
	s.answerSegment(r.flow, r.options)
}

// setTimer implements timed.
func (r *half) setTimer() {
	if r.listener.stack.tcp.flows.get(r.flow) == segmentTaker(r) {
		r.arm()
	}
}

func (r *half) arm() { r.listener.stack.schedule(event.Time(r.Deadline()), &r.timer) }

func (r *half) forget() {
	t := r.listener
	t.stack.tcp.flows.remove(r)
	t.stack.loop.Cancel(&r.timer)
	if t.queue != nil {
		delete(t.queue.halves, r)
	}
}

// Handle implements event.Handler: the SYN-ACK is due again.
func (r *half) Handle(now event.Time, _ any) {
	s := r.listener.stack
	s.begin(now)
	defer s.host.Unlock()
	w, err := s.find(r.remote, r.listener.wayTo(r.flow))
	if err != nil || r.Timeout(s.tcp.host, s.now(), r.listener.configFor(w)) == tcp.Abandoned {
		r.forget()
		return
	}
	s.answerSegment(r.flow, r.options)
	r.arm()
	s.host.Pending = false
}
