package inet

import (
	"encoding/binary"
	"math"
	"syscall"

	"sockeye"
	"sockeye/packet"
	"sockeye/wire"
)

// A Ping is a socket that sends echo requests and receives the replies to them, without
// privilege (icmp(7)). Its port is the identifier of its requests.
type Ping struct{ mailbox }

// OpenPing makes a ping socket. Groups outside of ping_group_range may not: EACCES.
func (s *Stack) OpenPing(family sockeye.Family, proto sockeye.Protocol) (*Ping, error) {
	if g := s.host.Credentials.GID; g < s.Sysctl.PingGroupRange[0] || g > s.Sysctl.PingGroupRange[1] {
		return nil, syscall.EACCES
	}
	p := new(Ping)
	p.init(s, family, sockeye.SOCK_DGRAM, proto)
	p.claim.reuse, p.OwnOptions().ReuseAddr = true, true
	p.claim.v6only = family == sockeye.AF_INET6
	return p, nil
}

// Bind is ping_bind.
func (g *Ping) Bind(sa sockeye.Sockaddr) error {
	t, err := g.address(sa, g.Family == sockeye.AF_INET, syscall.EAFNOSUPPORT)
	switch {
	case err != nil:
		return err
	case sa.Family() == sockeye.AF_UNSPEC && !t.ip.IsUnspecified():
		return syscall.EAFNOSUPPORT
	case g.Family == sockeye.AF_INET6 && t.ip.Is4():
		return syscall.EINVAL
	}
	ifindex, err := g.scoped(t, 0)
	if err == nil && ifindex != 0 && g.stack.Iface(ifindex) == nil && g.Family == sockeye.AF_INET6 && !t.ip.IsUnspecified() {
		err = syscall.ENODEV
	}
	if err == nil {
		err = g.checkBind(t, ifindex, false)
	}
	switch {
	case err != nil:
		return err
	case g.claim.port != 0:
		return syscall.EINVAL
	}
	was := g.claim
	g.setLocal(t)
	g.claim.port = t.port
	if err := g.stack.ping.bind(g.stack, g, 1, math.MaxUint16); err != nil {
		g.claim = was
		g.reset()
		return err
	}
	g.givenIP, g.givenPort = !t.ip.IsUnspecified(), t.port != 0
	return nil
}

// autobind gives the socket an identifier if it has none.
func (g *Ping) autobind() error {
	if g.claim.port == 0 && g.stack.ping.bind(g.stack, g, 1, math.MaxUint16) != nil {
		return syscall.EAGAIN
	}
	return nil
}

// Connect is connect(2).
func (g *Ping) Connect(sa sockeye.Sockaddr) error {
	if sa.Family() != sockeye.AF_UNSPEC {
		if err := g.autobind(); err != nil {
			return err
		}
		if sa.Family() != g.Family && g.Family == sockeye.AF_INET6 {
			return syscall.EAFNOSUPPORT
		}
	}
	return connectPort(g, &g.base, g.stack.ping, sa)
}

// Sendmsg is ping_v4_sendmsg and ping_v6_sendmsg: what is sent begins with the header
// of an echo request, whose identifier and checksum the system fills in.
func (g *Ping) Sendmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	m.N = 0
	if err := g.autobind(); err != nil {
		return err
	}
	n := m.Len()
	switch {
	case n > maxUDP:
		return syscall.EMSGSIZE
	case n < wire.ICMPLen:
		return syscall.EINVAL
	case flags&sockeye.MSG_OOB != 0:
		return syscall.EOPNOTSUPP
	}
	p := packet.NewPacket()
	gather(p, m.Buffers, n)
	err := g.send(p, n, m, flags)
	if err != nil {
		return err
	}
	m.N = n
	return nil
}

// send takes over p, an echo request of n bytes.
func (g *Ping) send(p *packet.Packet, n int, m *sockeye.Message, flags sockeye.MsgFlags) (err error) {
	sent := false
	defer func() {
		if !sent {
			p.Release()
		}
	}()
	b := p.Payload[0].Bytes()
	six := g.Family == sockeye.AF_INET6
	request := byte(wire.ICMP_ECHO)
	if six {
		request = wire.ICMPV6_ECHO_REQUEST
	}
	if b[0] != request || b[1] != 0 {
		return syscall.EINVAL
	}
	t := target{ip: g.remote, scope: g.scope, flow: g.flow}
	if !m.Name.IsZero() {
		wrong := error(syscall.EAFNOSUPPORT)
		if six {
			wrong = syscall.EINVAL
		}
		if t, err = g.address(m.Name, false, wrong); err != nil {
			return err
		}
	} else if !g.connected {
		return syscall.EDESTADDRREQ
	}
	if six && t.ip.Is4() {
		return syscall.EINVAL
	}
	wish, err := g.wishes(m, 0, !six)
	if err != nil {
		return err
	}
	if six && t.ip.IsUnspecified() { // which is no word for the loopback here
		return g.stack.nowhere6()
	}
	w, h, err := g.aim(t, &wish, flags)
	if err != nil {
		return err
	}
	if err := g.sender(); err != nil {
		return err
	}
	discover := g.ip.mtuDiscover
	if six {
		discover = g.ip.mtuDiscover6
	}
	whole := discover >= sockeye.IP_PMTUDISC_DO && discover != sockeye.IP_PMTUDISC_OMIT
	if h.len()+n > wire.MaxIPv4 && !six || whole && h.len()+n > w.mtu {
		return g.tooLong(h.dst, 0, w.mtu)
	}
	p.Told = g.stamped(&wish, true)
	binary.BigEndian.PutUint16(b[4:], g.claim.port)
	b[2], b[3] = 0, 0
	sum := wire.Sum(0)
	h.proto = wire.IPPROTO_ICMP
	if six {
		h.proto = wire.IPPROTO_ICMPV6
		sum = wire.PseudoSum(h.src, h.dst, h.proto, n)
	}
	binary.BigEndian.PutUint16(b[2:], sum.Add(b).Checksum())
	p.Sum = packet.SumGood
	h.df = !six && g.ip.mtuDiscover != sockeye.IP_PMTUDISC_DONT && h.len()+n <= w.mtu
	sent = true
	g.stack.Counters.icmp(h.dst).sent(b[0])
	return g.stack.output(p, h, w)
}

// Recvmsg is recvmsg(2).
func (g *Ping) Recvmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if flags&sockeye.MSG_OOB != 0 {
		return syscall.EOPNOTSUPP
	}
	return g.receive(m, flags&^sockeye.MSG_TRUNC) // which ping_recvmsg does not know
}

// Ready is datagram_poll.
func (g *Ping) Ready() sockeye.Events { return g.ready() }

// Ioctl is ioctl(2), which knows nothing of these sockets.
func (g *Ping) Ioctl(uint) (int, error) { return 0, syscall.ENOTTY }

// Release is the last close.
func (g *Ping) Release() {
	g.queue.purge()
	g.leaveGroups()
	if g.claim.port != 0 {
		g.stack.ping.release(g)
	}
	g.WakeAll()
}

// Getsockopt is getsockopt(2).
func (g *Ping) Getsockopt(level, name int, val []byte) (int, error) {
	return g.getsockopt(level, name, val)
}

// Setsockopt is setsockopt(2).
func (g *Ping) Setsockopt(level, name int, val []byte) error { return g.setsockopt(level, name, val) }

// pingFind is the socket whose requests have the identifier.
func (s *Stack) pingFind(h *header, id uint16) *Ping {
	list := s.ping[id]
	for i := len(list) - 1; i >= 0; i-- {
		if g := list[i]; (g.Family == sockeye.AF_INET) == h.dst.Is4() && g.claim.takes(h.dst) &&
			(g.claim.ifindex == 0 || g.claim.ifindex == h.iface.Index) {
			return g
		}
	}
	return nil
}

// pingInput hands an echo reply to the socket that asked. It takes over p.
func (s *Stack) pingInput(p *packet.Packet, h *header, id uint16) {
	if g := s.pingFind(h, id); g == nil || !g.accept(p, h, wire.UDP{}, 0) {
		p.Release()
	}
}

// pingError tells the socket whose request an error quotes (ping_err).
func (s *Stack) pingError(q *wire.Quote, e icmpError) {
	if t := q.Payload[0]; q.Dst.Is4() && t != wire.ICMP_ECHO || !q.Dst.Is4() && t != wire.ICMPV6_ECHO_REQUEST {
		return
	}
	h := header{src: q.Dst, dst: q.Src, iface: s.ifaces[0]}
	if g := s.pingFind(&h, q.EchoID()); g != nil {
		e.payload = quoted(q.Payload, 0)
		g.report(e)
	}
}
