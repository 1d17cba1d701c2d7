package inet

import (
	"syscall"

	"sockeye"
	"sockeye/packet"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// An outgoing is a datagram's header and path, once they are known.
type outgoing struct {
	h       header
	w       path
	port    uint16
	segment int
	wish    wish
}

// maxUDP is the most that a datagram's length field says.
const maxUDP = 65535

// Sendmsg is udp_sendmsg and udpv6_sendmsg.
func (u *UDP) Sendmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	m.N = 0
	if u.claim.port == 0 {
		u.stack.changes++
		if err := autobind(u, &u.base, u.stack.udp); err != nil {
			return err
		}
	}
	n := m.Len()
	if err := u.direct(m, n, flags); err != nil {
		return err
	}
	if n <= small && u.sendNear(m, n, flags) {
		m.N = n
		return nil
	}
	p, err := u.pending, error(nil)
	u.pending = nil
	if p == nil { // what has begun may go on
		p = packet.NewPacket()
		err = u.sender()
	}
	if err == nil {
		err = u.fits(packet.Len(p.Payload)+n, &u.to)
	}
	if err != nil {
		p.Release()
		return err
	}
	if u.to.wish.stamp != 0 && len(p.Payload) == 0 && p.Told == nil {
		p.Told = u.stamped(&u.to.wish, u.cork || flags&sockeye.MSG_MORE != 0)
	}
	gather(p, m.Buffers, n)
	if u.cork || flags&sockeye.MSG_MORE != 0 {
		u.pending = p
	} else if err := u.push(p); err != nil {
		return err
	}
	m.N = n
	return nil
}

// direct checks whom a message of n bytes is for, and aims at them unless it goes on with a
// datagram that goes somewhere already. An IPv6 socket leaves what goes to IPv4 to udp_sendmsg.
func (u *UDP) direct(m *sockeye.Message, n int, flags sockeye.MsgFlags) (err error) {
	// That of a socket to its peer on this host goes where the one before went, as long as nothing has changed.
	again := u.pending == nil && u.connected && m.Name.IsZero() && len(m.Control) == 0 && n <= maxUDP &&
		flags&(sockeye.MSG_DONTROUTE|sockeye.MSG_OOB) == 0
	if again && u.aimed == u.stack.changes && u.aimed != 0 {
		return nil
	}
	six, grows := u.Family == sockeye.AF_INET6, u.pending != nil
	var t target
	ip4 := !six || grows && u.to.h.dst.Is4()
	if six && !(grows && m.Name.IsZero()) {
		if t, err = u.receiver(m); err != nil {
			return err
		}
		if t.ip == (wire.Addr{}) && u.source.Is4() { // this host, by the version that the socket uses
			t.ip = loopbackOf(u.source)
		}
		ip4 = ip4 || t.ip.Is4()
		if t.ip.Is4() && u.claim.v6only {
			return syscall.ENETUNREACH
		}
	}
	switch {
	case n > maxUDP:
		return syscall.EMSGSIZE
	case ip4 && flags&sockeye.MSG_OOB != 0:
		return syscall.EOPNOTSUPP
	case grows && ip4 && !u.to.h.dst.Is4():
		return syscall.EINVAL
	case grows:
		return nil
	case !six:
		if t, err = u.receiver(m); err != nil {
			return err
		}
	}
	if t.port == 0 && (six && ip4 || !m.Name.IsZero()) {
		return syscall.EINVAL
	}
	u.aimed, u.near = 0, nil
	if err = u.aim(&u.to, t, m, flags); again && err == nil && u.to.w.iface.loops {
		u.aimed = u.stack.changes
	}
	return err
}

// receiver is who a datagram is for: who is named, or else the peer.
func (u *UDP) receiver(m *sockeye.Message) (t target, err error) {
	if m.Name.IsZero() {
		if !u.connected {
			return t, syscall.EDESTADDRREQ
		}
		return target{u.remote, u.remotePort, u.scope, u.flow}, nil
	}
	wrong := syscall.EAFNOSUPPORT
	if u.Family == sockeye.AF_INET6 {
		wrong = syscall.EINVAL
	}
	return u.address(m.Name, true, wrong)
}

// aim decides where a datagram to t goes, and how.
func (u *UDP) aim(to *outgoing, t target, m *sockeye.Message, flags sockeye.MsgFlags) error {
	wish, err := u.wishes(m, u.segment, t.ip.Is4())
	if err != nil {
		return err
	}
	w, h, err := u.base.aim(t, &wish, flags)
	if err != nil {
		return err
	}
	h.proto = wire.IPPROTO_UDP
	*to = outgoing{h: h, w: w, port: t.port, segment: wish.segment, wish: wish}
	return nil
}

// aim finds the path to t, and makes the IP header of what is sent there.
func (b *base) aim(t target, wish *wish, flags sockeye.MsgFlags) (w path, h header, err error) {
	if t.ip.IsUnspecified() && !t.ip.Is4() {
		t.ip = loopbackOf(b.claim.ip)
	}
	q := b.way(t.ip)
	if needsScope(t.ip) && t.scope != 0 {
		q.ifindex = t.scope
	}
	if wish.srcGiven {
		q.src = wish.src
	}
	if q.src.IsUnspecified() && t.ip.Is4() && t.ip.IsMulticast() {
		q.src = b.ip.multicastSrc
	}
	if wish.ifindex != 0 {
		q.ifindex = wish.ifindex
	}
	q.onLink = q.onLink || flags&sockeye.MSG_DONTROUTE != 0
	options := b.ip.options
	if wish.options != nil {
		options = wish.options
	}
	to := t.ip
	if options != nil && to.Is4() {
		to = options.hop(to)
		q.onLink = q.onLink || options.strict
	}
	if w, err = b.stack.find(to, q); err != nil {
		return w, h, err
	}
	if w.cast == broadcast && !b.Opt.Broadcast {
		return w, h, syscall.EACCES
	}
	h = header{src: w.src, dst: w.dst, ttl: b.hops(w.dst, w.cast), flow: t.flow & 0xfffff, options: options.to(t.ip)}
	tos, discover := b.ip.tos, b.ip.mtuDiscover
	if !w.dst.Is4() {
		tos, discover, h.options = max(0, b.ip.tclass), b.ip.mtuDiscover6, nil
	}
	if wish.ttl >= 0 {
		h.ttl = uint8(wish.ttl)
	}
	if wish.tos >= 0 {
		tos = wish.tos
	}
	h.tos = wire.TOS(tos)
	if discover >= sockeye.IP_PMTUDISC_PROBE {
		w.mtu = w.iface.MTU
	}
	if b.ip.mtu6 != 0 && !w.dst.Is4() {
		w.mtu = min(w.mtu, b.ip.mtu6)
	}
	return w, h, nil
}

// fits tells whether n bytes of payload may be sent: what IP can carry, or the path's
// MTU if it must not be cut (__ip_append_data).
func (u *UDP) fits(n int, to *outgoing) error {
	most := maxUDP
	discover := u.ip.mtuDiscover6
	if to.h.dst.Is4() {
		most, discover = wire.MaxIPv4-to.h.len(), u.ip.mtuDiscover
	}
	whole := discover >= sockeye.IP_PMTUDISC_DO && discover != sockeye.IP_PMTUDISC_OMIT || to.wish.dontFrag && !to.h.dst.Is4()
	size := wire.UDPLen + n
	switch {
	case to.wish.dontFrag && to.segment == 0 && to.h.len()+size > to.w.mtu:
		u.noteMTU(to.h.dst, to.w.mtu)
		fallthrough
	case size > most:
		return u.tooLong(to.h.dst, to.port, to.w.mtu)
	case whole && to.segment == 0 && to.h.len()+size > to.w.mtu:
		return u.tooLong(to.h.dst, to.port, to.w.mtu)
	}
	return nil
}

// push sends the datagram, or several of one size if it is to be cut (UDP_SEGMENT).
func (u *UDP) push(p *packet.Packet) error {
	to := &u.to
	n := packet.Len(p.Payload)
	bare := u.bare()
	if g := to.segment; g != 0 {
		if (n+g-1)/g > maxSegments || to.h.len()+wire.UDPLen+g > to.w.mtu || bare {
			p.Release()
			return syscall.EINVAL
		}
		if n > g {
			p.GSO.Size = g
		}
	}
	h := to.h
	h.df = u.dontFragment(p, to)
	ports := wire.UDP{SrcPort: u.claim.port, DstPort: to.port}
	if to.w.iface.loops && !bare && p.Told == nil && !u.Host.Later() && u.stack.loopDatagram(p, h, ports, to.w) {
		return nil
	}
	ports.Put(p.Push(wire.UDPLen), n)
	if bare {
		p.Sum = packet.SumGood
	}
	u.stack.Counters.udp(h.dst).OutDatagrams++
	if u.Host.Later() {
		u.Host.Post(u, u.name(h.dst, to.port, 0).String(), &datagramOut{u.stack, p, h, to.w})
		return nil
	}
	return u.stack.output(p, h, to.w)
}

// bare tells whether datagrams go without a checksum.
func (u *UDP) bare() bool {
	if u.to.h.dst.Is4() {
		return u.Opt.NoCheck
	}
	return u.noSum6[0]
}

// loopDatagram gives a datagram to a socket of this host at once, if there is one that it is for
// and nobody else looks at packets. It takes over p if so.
func (s *Stack) loopDatagram(p *packet.Packet, sent header, ports wire.UDP, w path) bool {
	if !s.short(&w, &sent) || p.GSO.Size == 0 && sent.len()+wire.UDPLen+p.Len() > w.mtu {
		return false
	}
	h := &s.in
	*h = sent
	s.turnRound(h, &w)
	to := s.udpFind(h, ports)
	if to == nil {
		return false
	}
	s.countLooped(h)
	to.take(p, h, ports)
	return true
}

// turnRound makes the header of what is sent to this host that of what comes in.
func (s *Stack) turnRound(h *header, w *path) {
	h.iface, h.link, h.cast = w.iface, w.iface, unicast
	if _, near := s.castOf(h.dst); near != nil {
		s.arriveAt(h, near, int32(w.via))
	}
}

// short tells whether what is sent on a path to this host may go to its receiver at once.
func (s *Stack) short(w *path, h *header) bool {
	return w.cast == unicast && !w.loops && h.options == nil && len(s.looped) == 0 && !s.sniffed() && w.iface.Up
}

// countLooped counts a datagram that takes the short way.
func (s *Stack) countLooped(h *header) {
	c := s.Counters.ip(h.dst)
	c.OutRequests++
	c.InReceives++
	c.InDelivers++
	s.Counters.udp(h.dst).OutDatagrams++
}

// sendNear copies a small datagram right into the queue of a socket of this host: no packet is made of it, and whom it
// is for is looked up once as long as nothing changes. It gives false where there is more to it.
func (u *UDP) sendNear(m *sockeye.Message, n int, flags sockeye.MsgFlags) bool {
	to, s := &u.to, u.stack
	if u.pending != nil || u.cork || flags&sockeye.MSG_MORE != 0 || to.segment != 0 || u.Err != 0 || u.Shut&sock.SendShutdown != 0 ||
		u.bare() || to.wish.stamp != 0 || !to.w.iface.loops || u.Host.Later() || !s.short(&to.w, &to.h) || to.h.len()+wire.UDPLen+n > to.w.mtu {
		return false
	}
	h := &to.h
	ports := wire.UDP{SrcPort: u.claim.port, DstPort: to.port}
	r := u.near
	if r == nil {
		s.turnRound(h, &to.w)
		if r = s.udpFind(h, ports); r == nil {
			return false
		}
		if u.aimed != 0 {
			u.near = r
		}
	}
	s.countLooped(h)
	c := s.Counters.udp(h.dst)
	if r.acceptSmall(m.Buffers, n, h, ports) {
		c.InDatagrams++
	} else {
		c.InErrors++
		c.RcvbufErrors++
	}
	return true
}

// dontFragment tells whether the datagram has DF set: when routers shall not cut it,
// and this host need not.
func (b *base) dontFragment(p *packet.Packet, to *outgoing) bool {
	if !to.h.dst.Is4() {
		return false
	}
	switch b.ip.mtuDiscover {
	case sockeye.IP_PMTUDISC_DO, sockeye.IP_PMTUDISC_PROBE:
		return true
	case sockeye.IP_PMTUDISC_WANT:
		return p.GSO.Size != 0 || to.h.len()+wire.UDPLen+packet.Len(p.Payload) <= to.w.mtu
	}
	return false
}

// maxSegments is the most datagrams that one send is cut into (UDP_MAX_SEGMENTS).
const maxSegments = 128

// uncork sends what grew.
func (u *UDP) uncork() error {
	p := u.pending
	if p == nil {
		return nil
	}
	u.pending = nil
	return u.push(p)
}

// waiting is the memory that a datagram takes while it grows.
func waiting(pending *packet.Packet) int {
	if pending == nil {
		return 0
	}
	return overhead + 256*((packet.Len(pending.Payload)+255)/256)
}
