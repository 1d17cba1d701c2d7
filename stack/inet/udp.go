package inet

import (
	"syscall"

	"sockeye"
	"sockeye/packet"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// A UDP is a UDP socket (udp(7)).
type UDP struct {
	mailbox

	cork    bool // UDP_CORK
	gro     bool
	segment int // UDP_SEGMENT
	noSum6  [2]bool

	pending *packet.Packet // what grows while corked
	to      outgoing       // where it goes
}

// An outgoing is a datagram's header and path, once they are known.
type outgoing struct {
	h       header
	w       path
	port    uint16
	segment int
	wish    wish
}

// OpenUDP makes a UDP socket.
func (s *Stack) OpenUDP(family sockeye.Family) *UDP {
	u := new(UDP)
	u.init(s, family, sockeye.SOCK_DGRAM, sockeye.IPPROTO_UDP)
	return u
}

// Bind is bind(2).
func (u *UDP) Bind(sa sockeye.Sockaddr) error { return bindPort(u, &u.base, u.stack.udp, sa) }

// bindPort is inet_bind and inet6_bind for a socket of a protocol that has ports.
func bindPort[S claimer](s S, b *base, all ports[S], sa sockeye.Sockaddr) error {
	t, err := b.address(sa, b.Family == sockeye.AF_INET, syscall.EAFNOSUPPORT)
	switch {
	case err != nil:
		return err
	case sa.Family() == sockeye.AF_UNSPEC && !t.ip.IsUnspecified():
		return syscall.EAFNOSUPPORT
	case t.ip.IsMulticast() && t.ip.Is4() && b.Family == sockeye.AF_INET6:
		return syscall.EINVAL
	}
	if b.Family == sockeye.AF_INET6 {
		if !b.mayUse(t.port) {
			return syscall.EACCES
		}
		if b.claim.port != 0 {
			return syscall.EINVAL
		}
	}
	ifindex, err := b.scoped(t, 0)
	if err == nil && ifindex != 0 && b.stack.Iface(ifindex) == nil {
		err = syscall.ENODEV
	}
	if err == nil {
		err = b.checkBind(t, ifindex, true)
	}
	switch {
	case err != nil:
		return err
	case !b.mayUse(t.port):
		return syscall.EACCES
	case b.claim.port != 0:
		return syscall.EINVAL
	}
	was := b.claim
	if needsScope(t.ip) {
		b.claim.ifindex, b.scope = ifindex, ifindex
	}
	b.setLocal(t)
	b.claim.port = t.port
	low, high := b.portRange()
	if err := all.bind(b.stack, s, low, high); err != nil {
		b.claim = was
		b.source = b.any()
		return err
	}
	b.givenIP, b.givenPort = !t.ip.IsUnspecified(), t.port != 0
	return nil
}

// autobind gives the socket an ephemeral port if it has none.
func autobind[S claimer](s S, b *base, all ports[S]) error {
	if b.claim.port != 0 {
		return nil
	}
	low, high := b.portRange()
	if all.bind(b.stack, s, low, high) != nil {
		return syscall.EAGAIN
	}
	return nil
}

// connectPort is inet_dgram_connect.
func connectPort[S claimer](s S, b *base, all ports[S], sa sockeye.Sockaddr) error {
	if len(sa.AppendBytes(nil)) == 1 {
		return syscall.EINVAL
	}
	if sa.Family() == sockeye.AF_UNSPEC {
		b.disconnect()
		if !b.givenPort && b.claim.port != 0 {
			all.release(s)
			b.claim.port = 0
		}
		return nil
	}
	t, err := b.address(sa, b.Family == sockeye.AF_INET6, syscall.EAFNOSUPPORT)
	if err != nil && b.Family == sockeye.AF_INET6 && b.claim.v6only && sa.Family() == sockeye.AF_INET {
		err = syscall.EAFNOSUPPORT
	}
	if err := autobind(s, b, all); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return b.connectTo(t)
}

// Connect is connect(2).
func (u *UDP) Connect(sa sockeye.Sockaddr) error {
	return connectPort(u, &u.base, u.stack.udp, sa)
}

// maxUDP is the most that a datagram's length field says.
const maxUDP = 65535

// Sendmsg is udp_sendmsg and udpv6_sendmsg.
func (u *UDP) Sendmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	m.N = 0
	if err := autobind(u, &u.base, u.stack.udp); err != nil {
		return err
	}
	n := m.Len()
	var t target
	var err error
	switch {
	case n > maxUDP:
		return syscall.EMSGSIZE
	case flags&sockeye.MSG_OOB != 0 && u.Family == sockeye.AF_INET:
		return syscall.EOPNOTSUPP
	}
	if !m.Name.IsZero() {
		wrong := error(syscall.EAFNOSUPPORT)
		if u.Family == sockeye.AF_INET6 {
			wrong = syscall.EINVAL
		}
		if t, err = u.address(m.Name, true, wrong); err == nil && t.port == 0 {
			err = syscall.EINVAL
		}
		if err != nil && u.Family == sockeye.AF_INET6 {
			return err
		}
	}
	more := u.cork || flags&sockeye.MSG_MORE != 0
	switch {
	case u.pending != nil:
	case err != nil:
		return err
	case m.Name.IsZero() && !u.connected:
		return syscall.EDESTADDRREQ
	case m.Name.IsZero():
		t = target{u.remote, u.remotePort, u.scope, u.flow}
		fallthrough
	default:
		if err := u.aim(&u.to, t, m, flags); err != nil {
			return err
		}
	}
	if err := u.sender(); err != nil {
		u.dropPending()
		return err
	}
	p := u.pending
	if p == nil {
		p = packet.NewPacket()
	}
	if err := u.fits(packet.Len(p.Payload)+n, &u.to); err != nil {
		p.Release()
		u.pending = nil
		return err
	}
	gather(p, m.Buffers, n)
	u.pending = nil
	m.N = n
	if more {
		u.pending = p
		return nil
	}
	return u.push(p)
}

// aim decides where a datagram to t goes, and how.
func (u *UDP) aim(to *outgoing, t target, m *sockeye.Message, flags sockeye.MsgFlags) error {
	if t.ip.Is4() && u.Family == sockeye.AF_INET6 && u.claim.v6only {
		return syscall.ENETUNREACH
	}
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
	if !wish.src.IsUnspecified() {
		q.src = wish.src
	}
	if wish.ifindex != 0 {
		q.ifindex = wish.ifindex
	}
	q.onLink = q.onLink || flags&sockeye.MSG_DONTROUTE != 0
	if w, err = b.stack.find(t.ip, q); err != nil {
		return w, h, err
	}
	if w.cast == broadcast && !b.Opt.Broadcast {
		return w, h, syscall.EACCES
	}
	h = header{src: w.src, dst: w.dst, ttl: b.hops(w.dst, w.cast), flow: t.flow & 0xfffff, options: b.ip.options}
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
	if g := to.segment; g != 0 && n > g {
		if (n+g-1)/g > maxSegments || to.h.len()+wire.UDPLen+g > to.w.mtu || u.Opt.NoCheck {
			p.Release()
			return syscall.EINVAL
		}
		p.GSO.Size = g
	}
	h := to.h
	h.df = u.dontFragment(p, to)
	wire.UDP{SrcPort: u.claim.port, DstPort: to.port}.Put(p.Push(wire.UDPLen), n)
	if u.Opt.NoCheck && h.dst.Is4() {
		p.Sum = packet.SumGood // none at all
	}
	s := u.stack
	s.Counters.UDPOutDatagrams++
	return s.output(p, h, to.w)
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

func (u *UDP) dropPending() {
	if u.pending != nil {
		u.pending.Release()
		u.pending = nil
	}
}

// uncork sends what grew.
func (u *UDP) uncork() error {
	p := u.pending
	if p == nil {
		return nil
	}
	u.pending = nil
	return u.push(p)
}

// Recvmsg is recvmsg(2).
func (u *UDP) Recvmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	return u.receive(m, flags, tellUDP)
}

func tellUDP(b *mailbox, m *sockeye.Message, d *datagram) {
	m.Name = b.name(d.h.src, d.port, d.h.iface.Index)
	tellAll(b, m, d)
}

// Ready is udp_poll.
func (u *UDP) Ready() sockeye.Events { return u.ready() }

// unsent is the memory that a corked datagram takes.
func (u *UDP) unsent() int {
	if u.pending == nil {
		return 0
	}
	return overhead + 256*((packet.Len(u.pending.Payload)+255)/256)
}

// Ioctl is udp_ioctl.
func (u *UDP) Ioctl(req uint) (int, error) { return u.ioctl(req, u.unsent()) }

// Release is the last close.
func (u *UDP) Release() {
	u.dropPending()
	u.queue.purge()
	u.leaveGroups()
	if u.claim.port != 0 {
		u.stack.udp.release(u)
	}
	u.WakeAll()
}

// udpInput hands a datagram to the socket that it is for (__udp4_lib_rcv). It takes
// over p.
func (s *Stack) udpInput(p *packet.Packet, h *header) {
	u, ok := s.readUDP(p, h)
	if !ok {
		s.Counters.UDPInErrors++
		p.Release()
		return
	}
	if h.cast != unicast {
		s.udpToMany(p, h, u)
		return
	}
	to := s.udpFind(h, u)
	if to == nil {
		s.Counters.UDPNoPorts++
		s.sendError(p, h, portUnreachable)
		return
	}
	p.Pull(wire.UDPLen)
	to.take(p, h, u)
}

// readUDP reads and checks the header.
func (s *Stack) readUDP(p *packet.Packet, h *header) (u wire.UDP, ok bool) {
	if !p.Pullup(wire.UDPLen) {
		return u, false
	}
	b := p.Header()
	n := int(b[4])<<8 | int(b[5])
	switch {
	case n < wire.UDPLen, n > p.Len():
		return u, false
	case p.Sum == packet.SumUnknown:
		p.Truncate(n)
		if !s.udpSum(p, h, n) {
			s.Counters.UDPInCsumErrors++
			return u, false
		}
	}
	return wire.UDP{SrcPort: uint16(b[0])<<8 | uint16(b[1]), DstPort: uint16(b[2])<<8 | uint16(b[3])}, true
}

// udpSum checks the checksum; zero is none, which IPv4 allows.
func (s *Stack) udpSum(p *packet.Packet, h *header, n int) bool {
	b := p.Header()
	if b[wire.UDPChecksumOffset] == 0 && b[wire.UDPChecksumOffset+1] == 0 {
		return h.dst.Is4()
	}
	sum := wire.PseudoSum(h.src, h.dst, wire.IPPROTO_UDP, n).Add(b)
	at := len(b)
	for _, sl := range p.Payload {
		sum = sum.AddAt(at, sl.Bytes())
		at += sl.Len()
	}
	return sum.Valid()
}

// udpFind is the socket that fits best, the latest of several. Those that share a port
// by SO_REUSEPORT are chosen by the flow.
func (s *Stack) udpFind(h *header, u wire.UDP) *UDP {
	list := s.udp[u.DstPort]
	var best *UDP
	score, shared := 0, uint64(0)
	for i := len(list) - 1; i >= 0; i-- {
		to := list[i]
		n := to.takes(h, u.SrcPort)
		switch {
		case n > score:
			best, score, shared = to, n, 1
		case n == score && n > 0 && to.claim.share && best.claim.share && !to.connected:
			shared++
		}
	}
	if shared < 2 {
		return best
	}
	k := s.flowHash(h, u) % shared
	for _, to := range list {
		if to.claim.share && to.takes(h, u.SrcPort) == score {
			if k == 0 {
				return to
			}
			k--
		}
	}
	return best
}

// flowHash is the same for all datagrams of a flow (FNV-1a, from the host's seed).
func (s *Stack) flowHash(h *header, u wire.UDP) uint64 {
	var space [40]byte
	b := append(h.src.Append(h.dst.Append(space[:0])), byte(u.SrcPort>>8), byte(u.SrcPort), byte(u.DstPort>>8), byte(u.DstPort))
	k := s.seed ^ 14695981039346656037
	for _, v := range b {
		k = (k ^ uint64(v)) * 1099511628211
	}
	return k ^ k>>32
}

// udpToMany hands a multicast or broadcast datagram to every socket that takes it.
func (s *Stack) udpToMany(p *packet.Packet, h *header, u wire.UDP) {
	p.Pull(wire.UDPLen)
	for _, to := range s.udp[u.DstPort] {
		if to.takes(h, u.SrcPort) > 0 && (h.cast != multicast || to.allows(h)) {
			to.take(p.Clone(), h, u)
		}
	}
	p.Release()
}

// take queues a datagram, or drops and counts it. Datagrams that came as one go apart
// unless the socket wants them together (UDP_GRO).
func (u *UDP) take(p *packet.Packet, h *header, from wire.UDP) {
	if g := p.GSO.Size; g != 0 && !u.gro {
		for _, q := range split(p, g) {
			u.take(q, h, from)
		}
		return
	}
	c := &u.stack.Counters
	d := datagram{p: p, h: *h, port: from.SrcPort, dstPort: from.DstPort, segment: p.GSO.Size}
	if !u.accept(d) {
		c.UDPInErrors++
		c.UDPRcvbufErrors++
		p.Release()
		return
	}
	c.UDPInDatagrams++
}

// split cuts a packet's payload into packets of size bytes, which share its memory.
func split(p *packet.Packet, size int) (list []*packet.Packet) {
	p.GSO.Size = 0
	rest := packet.Len(p.Payload)
	i, off := 0, 0
	for rest > 0 {
		q := packet.NewPacket()
		q.Sum = p.Sum
		for need := min(size, rest); need > 0; {
			s := p.Payload[i]
			n := min(need, s.Len()-off)
			q.Append(s.Sub(off, off+n).Retain())
			off, need, rest = off+n, need-n, rest-n
			if off == s.Len() {
				i, off = i+1, 0
			}
		}
		list = append(list, q)
	}
	p.Release()
	return list
}

// udpError tells the socket that sent the datagram which an error quotes (udp_err).
func (s *Stack) udpError(h *header, q *wire.Quote, e icmpError) {
	src, dst := q.Ports()
	u := s.udpFind(&header{src: q.Dst, dst: q.Src, iface: h.iface}, wire.UDP{SrcPort: dst, DstPort: src})
	if u == nil {
		return
	}
	e.port, e.payload = dst, quoted(q.Payload, wire.UDPLen)
	u.report(e)
}

// Getsockopt is getsockopt(2).
func (u *UDP) Getsockopt(level, name int, val []byte) (int, error) {
	if level != sockeye.SOL_UDP {
		return u.getsockopt(level, name, val)
	}
	v, ok := map[int]int{
		sockeye.UDP_CORK.Name: b2i(u.cork), sockeye.UDP_SEGMENT.Name: u.segment, sockeye.UDP_GRO.Name: b2i(u.gro),
		sockeye.UDP_NO_CHECK6_TX.Name: b2i(u.noSum6[0]), sockeye.UDP_NO_CHECK6_RX.Name: b2i(u.noSum6[1]),
	}[name]
	if !ok {
		return 0, syscall.ENOPROTOOPT
	}
	return sock.PutInt(val, v)
}

// Setsockopt is setsockopt(2), of IPPROTO_UDP udp_lib_setsockopt.
func (u *UDP) Setsockopt(level, name int, val []byte) error {
	if level != sockeye.SOL_UDP {
		return u.setsockopt(level, name, val)
	}
	v, err := sock.Int(val)
	if err != nil {
		return err
	}
	switch name {
	case sockeye.UDP_CORK.Name:
		u.cork = v != 0
		if !u.cork {
			u.uncork()
		}
	case sockeye.UDP_SEGMENT.Name:
		if v < 0 || v > 65535 {
			return syscall.EINVAL
		}
		u.segment = v
	case sockeye.UDP_GRO.Name:
		u.gro = v != 0
	case sockeye.UDP_NO_CHECK6_TX.Name:
		u.noSum6[0] = v != 0
	case sockeye.UDP_NO_CHECK6_RX.Name:
		u.noSum6[1] = v != 0
	default:
		return syscall.ENOPROTOOPT
	}
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
