package inet

import (
	"slices"
	"syscall"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/packet"
	"sockeye/stack/sock"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// tcpInput hands a segment to its connection or listener (tcp_v4_rcv). It takes over p.
func (s *Stack) tcpInput(p *packet.Packet, h *header) {
	g := &s.tcp.in
	if h.cast != unicast || !s.readTCP(p, h, g) {
		p.Release()
		return
	}
	s.segmentInput(h, g)
}

func (s *Stack) segmentInput(h *header, g *tcp.Segment) {
	l := &s.tcp
	f := flow{h.dst, h.src, g.DstPort, g.SrcPort, zoneOf(h.src, h.iface.Index)}
	to := l.flows.get(f)
	if t, ok := to.(*TCP); ok && t.claim.ifindex != 0 && t.claim.ifindex != h.iface.Index {
		to = nil // it was bound to another interface since
	}
	if to != nil {
		to.take(h, g)
		return
	}
	port := g.DstPort
	if h.proxied {
		port = h.iface.TProxy
	}
	listener := pick(s, l.listeners[port], h, g.SrcPort, g.DstPort)
	switch {
	case listener != nil && (!h.proxied || listener.ip.transparent):
		listener.called(f, h, g)
		return
	case h.proxied: // as TPROXY has it (tproxy_tg4)
		g.Payload.Release()
		return
	}
	// Linux looks for ::1 on the interface whose address was called, and finds no way
	// (tcp_v6_send_response).
	if !h.src.Is4() && h.src.IsLoopback() && h.dst != h.src {
		g.Payload.Release()
		return
	}
	l.host.Reset(s.now(), g)
	s.answerSegment(f, s.echoOptions(h))
}

// readTCP reads and checks the header, and moves the payload from p, which is released
// if all is well.
func (s *Stack) readTCP(p *packet.Packet, h *header, g *tcp.Segment) (ok bool) {
	c := &s.Counters
	if !p.Pullup(wire.TCPLen) {
		return false
	}
	n := int(p.Header()[12]>>4) * 4
	switch {
	case n < wire.TCPLen:
		s.tcp.host.InErrs++
		return false
	case n > len(p.Header()) && !p.Pullup(n):
		return false
	case p.Sum == packet.SumUnknown && !tcpSum(p, h):
		s.tcp.host.InErrs++
		c.InCsumErrors++
		return false
	}
	var rest []byte
	var err error
	if g.TCP, rest, err = wire.ParseTCP(p.Header()); err != nil {
		s.tcp.host.InErrs++
		return false
	}
	g.GSO, g.ECN, g.Conn = p.GSO.Size, h.tos.ECN(), nil
	if len(rest) > 0 { // the packet came in pieces
		g.Payload.Push(packet.Of(rest))
	}
	for _, b := range p.Take() {
		g.Payload.Push(b)
	}
	p.Release()
	return true
}

// tcpSum checks the checksum.
func tcpSum(p *packet.Packet, h *header) bool {
	b := p.Header()
	sum := wire.PseudoSum(h.src, h.dst, wire.IPPROTO_TCP, p.Len()).Add(b)
	at := len(b)
	for _, sl := range p.Payload {
		sum = sum.AddAt(at, sl.Bytes())
		at += sl.Len()
	}
	return sum.Valid()
}

// take implements segmentTaker.
func (t *TCP) take(h *header, g *tcp.Segment) {
	if h.ttl < t.minTTL(h) { // IP_MINTTL (RFC 5082)
		t.stack.Counters.TCPMinTTLDrop++
		g.Payload.Release()
		return
	}
	if t.Opt.Stamps() {
		t.stamp = time.Now().UnixNano()
	}
	now := t.stack.now()
	was := t.conn.State()
	t.conn.Input(now, g)
	if was == tcp.SynReceived && t.Shut&sock.SendShutdown != 0 && t.conn.State() == tcp.Established {
		t.conn.CloseWrite(now) // it was shut down before a simultaneous open
	}
	t.settle(now)
}

func (b *base) minTTL(h *header) uint8 {
	if h.dst.Is4() {
		return b.ip.minTTL
	}
	return uint8(b.ip.minHopCount)
}

// transmit sends what the connection has to send.
func (t *TCP) transmit() {
	s := t.stack
	if t.near && t.claim.ifindex == 0 && t.ip.options == nil && t.marks == nil && !s.sniffed() {
		if lo := s.ifaces[0]; lo.MTU < t.conn.PathMTU() {
			t.conn.SetPathMTU(lo.MTU)
		}
		h := t.packetHeader(t.remote)
		s.loopSegments(t.key(), &h, 0)
		return
	}
	to := t.remote
	if to.Is4() {
		to = t.ip.options.hop(to)
	}
	w, err := s.find(to, t.way(to))
	if err != nil { // lost: it will be sent again, or time out
		s.tcp.lose()
		return
	}
	if w.mtu < t.conn.PathMTU() { // another connection to the same host has learned it
		t.conn.SetPathMTU(w.mtu)
	}
	s.sendSegments(t.key(), t.packetHeader(w.dst), w, t)
}

// packetHeader is the IP header of the socket's segments.
func (b *base) packetHeader(dst wire.Addr) header {
	h := header{src: b.claim.ip, dst: dst, proto: wire.IPPROTO_TCP, ttl: b.hops(dst, unicast), flow: b.flow & 0xfffff}
	if dst.Is4() {
		h.tos, h.options, h.df = wire.TOS(b.ip.tos), b.ip.options.to(b.remote), b.ip.mtuDiscover != 0
	} else {
		h.tos = wire.TOS(max(0, b.ip.tclass))
	}
	return h
}

// answerSegment sends what a segment without a connection got for an answer, with options.
func (s *Stack) answerSegment(f flow, options *ipOptions) {
	l := &s.tcp
	if len(l.host.Out) == 0 {
		return
	}
	options = options.to(f.remote)
	to := options.hop(f.remote)
	w, err := s.find(to, way{src: f.local, ifindex: int(f.zone), anySrc: true}) // which may be proxied
	if err != nil {
		l.lose()
		return
	}
	h := header{src: f.local, dst: to, proto: wire.IPPROTO_TCP, ttl: s.Sysctl.DefaultTTL, df: true, options: options}
	if !f.remote.Is4() {
		h.ttl = s.Sysctl.DefaultHopLimit
	}
	s.sendSegments(f, h, w, nil)
}

// sendSegments sends the segments in Host.Out, which are all of one flow, and of a socket or of none.
func (s *Stack) sendSegments(f flow, h header, w path, t *TCP) {
	marked := t != nil && t.marks != nil
	if w.iface.loops && h.options == nil && !marked && !s.sniffed() {
		s.loopSegments(f, &h, w.via)
		return
	}
	out := s.tcp.host.Out
	tos := h.tos
	for i := range out {
		g := &out[i]
		g.SrcPort, g.DstPort = f.localPort, f.remotePort
		p := packet.NewPacket()
		p.GSO.Size = g.GSO
		for _, b := range g.Payload.Slices() {
			p.Append(b)
		}
		g.Payload.Forget()
		g.Put(p.Push(g.TCP.Len()))
		if marked {
			p.Told = t.stampOf(g.Seq, p)
		}
		h.tos = tos.WithECN(g.ECN)
		s.output(p, h, w)
		g.Conn = nil
	}
	s.tcp.host.Out = out[:0]
}

// lose drops the segments in Host.Out.
func (l *tcpLayer) lose() {
	for i := range l.host.Out {
		l.host.Out[i].Payload.Release()
		l.host.Out[i].Conn = nil
	}
	l.host.Out = l.host.Out[:0]
}

// tcpError tells the connection that sent the segment which an error quotes, if there is one (tcp_v4_err).
func (s *Stack) tcpError(h *header, q *wire.Quote, e icmpError) (known bool) {
	src, dst := q.Ports()
	taker := s.tcp.flows.get(flow{q.Src, q.Dst, src, dst, zoneOf(q.Dst, h.iface.Index)})
	t, ok := taker.(*TCP)
	if !ok {
		return taker != nil
	}
	seq, now := q.Seq(), s.now()
	switch state := t.conn.State(); {
	case !t.conn.InFlight(seq):
		s.Counters.OutOfWindowIcmps++
	case e.errno == syscall.EMSGSIZE:
		s.learnMTU(q, e)
		if t.discover() != sockeye.IP_PMTUDISC_DONT {
			t.conn.PacketTooBig(now, int(e.info), seq)
		}
	default:
		keep := t.recvErr(e.dst)
		if keep && (state == tcp.SynSent || state == tcp.SynReceived) {
			e.port, e.payload = dst, slices.Clone(q.Payload)
			t.errors.put(e)
		}
		t.conn.Unreachable(now, e.errno, seq, keep)
	}
	t.settle(now)
	return true
}

// discover is IP_MTU_DISCOVER of the version of IP that is in use.
func (t *TCP) discover() int {
	if t.remote.Is4() {
		return t.ip.mtuDiscover
	}
	return t.ip.mtuDiscover6
}

// A lingering is a flow in TIME-WAIT, or in FIN-WAIT-2 without a user.
type lingering struct {
	flow
	chained
	stack  *Stack
	family sockeye.Family
	tw     tcp.TimeWait
	hold   *hold
	timer  event.Event
}

// linger leaves what is left of a connection in its place, unless there are too many.
func (s *Stack) linger(t *TCP) {
	w, _ := t.conn.TimeWait()
	s.tcp.flows.remove(t)
	if s.tcp.lingering >= s.Sysctl.TCP.MaxTWBuckets {
		s.Counters.TCPTimeWaitOverflow++
		return
	}
	s.tcp.lingering++
	c := t.claim
	c.port = t.port
	k := &lingering{flow: t.key(), stack: s, family: t.Family, tw: w, hold: s.tcp.share(c, t.hold != nil && t.hold.dialed)}
	k.timer.Handler = k
	s.tcp.flows.put(k)
	s.schedule(event.Time(w.Deadline), &k.timer)
}

func (k *lingering) forget() {
	l := &k.stack.tcp
	l.lingering--
	l.flows.remove(k)
	l.drop(k.hold)
	k.stack.loop.Cancel(&k.timer)
}

// take implements segmentTaker.
func (k *lingering) take(h *header, g *tcp.Segment) {
	s := k.stack
	due := k.tw.Deadline
	switch verdict, next := k.tw.Input(s.tcp.host, s.now(), g); verdict {
	case tcp.Forget:
		k.forget()
	case tcp.Reuse:
		to := pick(s, s.tcp.listeners[g.DstPort], h, g.SrcPort, g.DstPort)
		if to == nil {
			g.Payload.Release()
			return
		}
		k.forget()
		to.synFrom(k.flow, h, g, next)
		return
	}
	s.answerSegment(k.flow, s.echoOptions(h))
	if k.tw.Deadline != due {
		s.schedule(event.Time(k.tw.Deadline), &k.timer)
	}
}

// Handle implements event.Handler: the time is over.
func (k *lingering) Handle(event.Time, any) {
	k.stack.host.Lock()
	defer k.stack.host.Unlock()
	k.forget()
}
