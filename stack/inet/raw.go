package inet

import (
	"encoding/binary"
	"syscall"

	"sockeye"
	"sockeye/packet"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// A Raw is a raw socket (raw(7)).
type Raw struct {
	mailbox
	filter   sockeye.ICMPFilter
	checksum int // IPV6_CHECKSUM: where in the packet it is; -1: nowhere

	pending *packet.Packet // what grows by MSG_MORE
	to      outgoing       // where it goes
}

// OpenRaw makes a raw socket for a protocol, of any number.
func (s *Stack) OpenRaw(family sockeye.Family, proto sockeye.Protocol) *Raw {
	r := &Raw{checksum: -1}
	r.init(s, family, sockeye.SOCK_RAW, proto)
	r.own()
	r.ip.hdrIncl = proto == sockeye.IPPROTO_RAW
	r.claim.port = uint16(proto) // as getsockname(2) tells
	r.claim.reuse, r.OwnOptions().ReuseAddr = true, true
	if family == sockeye.AF_INET6 && proto == sockeye.IPPROTO_ICMPV6 {
		r.checksum = icmpChecksumAt
	}
	s.raw = append(s.raw, r)
	return r
}

const icmpChecksumAt = 2

// Bind is raw_bind and rawv6_bind. The former reads any family's address as its own.
func (r *Raw) Bind(sa sockeye.Sockaddr) error {
	if r.Family == sockeye.AF_INET {
		var space [64]byte
		b := sa.AppendBytes(space[:0])
		if r.connected || len(b) < sizeofSockaddrIn {
			return syscall.EINVAL
		}
		sa = sockeye.SockaddrInet4([4]byte(b[4:8]), 0)
	}
	t, err := r.address(sa, false, syscall.EINVAL)
	switch {
	case err != nil:
		return err
	case r.Family == sockeye.AF_INET6 && t.ip.Is4():
		return syscall.EADDRNOTAVAIL
	case r.connected:
		return syscall.EINVAL
	}
	ifindex, err := r.scoped(t, 0)
	if err == nil {
		err = r.checkBind(t, ifindex, true)
	}
	if err != nil {
		return err
	}
	if needsScope(t.ip) {
		r.claim.ifindex, r.scope = ifindex, ifindex
	}
	v6only := r.claim.v6only
	r.setLocal(t)
	r.claim.v6only = v6only
	return nil // disconnecting will reset it: givenIP is not for raw sockets
}

// Connect is connect(2).
func (r *Raw) Connect(sa sockeye.Sockaddr) error {
	if len(sa.AppendBytes(nil)) == 1 {
		return syscall.EINVAL
	}
	if sa.Family() == sockeye.AF_UNSPEC { // which unhashes it: it receives no more
		r.disconnect()
		r.claim.port = 0
		return nil
	}
	if sa.Family() != r.Family && r.Family == sockeye.AF_INET6 {
		return syscall.EAFNOSUPPORT
	}
	t, err := r.address(sa, false, syscall.EAFNOSUPPORT)
	if err != nil {
		return err
	}
	return r.connectTo(t)
}

// Sendmsg is raw_sendmsg and rawv6_sendmsg.
func (r *Raw) Sendmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	m.N = 0
	n := m.Len()
	six := r.Family == sockeye.AF_INET6
	switch {
	case n > maxUDP && !six:
		return syscall.EMSGSIZE
	case flags&sockeye.MSG_OOB != 0:
		return syscall.EOPNOTSUPP
	}
	proto := r.Proto // a program may name it with the address, as IPPROTO_RAW stands for any
	t := target{ip: r.remote, scope: r.scope, flow: r.flow}
	if !m.Name.IsZero() {
		var err error
		if t, err = r.address(m.Name, !six, syscall.EAFNOSUPPORT); err != nil {
			return err
		}
		if six && t.port != 0 {
			if t.port != uint16(proto) && proto != sockeye.IPPROTO_RAW || t.port > 255 {
				return syscall.EINVAL
			}
			proto = sockeye.Protocol(t.port)
		}
	} else if !r.connected {
		return syscall.EDESTADDRREQ
	}
	wish, err := r.wishes(m, 0, !six)
	switch {
	case err != nil:
		return err
	case six && t.ip.Is4(): // to that very IPv6 address
		if err = r.stack.nowhere6(); err == nil {
			m.N = n
		}
		return err
	case n < probed && !r.ip.hdrIncl && (r.Proto == sockeye.IPPROTO_ICMP && !six || r.Proto == sockeye.IPPROTO_ICMPV6 && six):
		return syscall.EFAULT
	}
	if six && t.ip.IsUnspecified() {
		t.ip = loopbackOf(t.ip)
	}
	w, h, err := r.aim(t, &wish, flags)
	if err != nil {
		return err
	}
	if r.ip.hdrIncl {
		p := packet.NewPacket()
		p.Sum = packet.SumUnknown
		gather(p, m.Buffers, n)
		err = r.sendWhole(p, n, w, t, &wish)
	} else {
		h.proto = wire.Protocol(proto)
		err = r.append(m, n, outgoing{h: h, w: w, wish: wish}, flags)
	}
	if err == nil {
		m.N = n
	}
	return err
}

// probed is how much of an ICMP message Linux reads before it looks for a route.
const probed = 2

// append adds n bytes to what goes behind one IP header of this host's, and sends it unless
// there is more to come. It goes by the path that it began with; the last part of an IPv4 packet
// decides its addresses.
func (r *Raw) append(m *sockeye.Message, n int, to outgoing, flags sockeye.MsgFlags) error {
	p := r.pending
	r.pending = nil
	if p == nil {
		p = packet.NewPacket()
		p.Sum = packet.SumUnknown
		r.to = to
	}
	if err := r.fits(packet.Len(p.Payload)+n, &r.to); err != nil {
		p.Release()
		return err
	}
	if len(p.Payload) == 0 && p.Told == nil {
		p.Told = r.stamped(&r.to.wish, true)
	}
	gather(p, m.Buffers, n)
	if flags&sockeye.MSG_MORE != 0 {
		r.pending = p
		return nil
	}
	if to.h.dst.Is4() {
		r.to.h.src, r.to.h.dst = to.h.src, to.h.dst
	}
	return r.send(p, packet.Len(p.Payload), r.to.h, r.to.w)
}

// fits tells whether n bytes can be sent.
func (r *Raw) fits(n int, to *outgoing) error {
	most, discover := wire.MaxIPv6Payload, r.ip.mtuDiscover6
	if to.h.dst.Is4() {
		most, discover = wire.MaxIPv4-to.h.len(), r.ip.mtuDiscover
	}
	whole := discover >= sockeye.IP_PMTUDISC_DO && discover != sockeye.IP_PMTUDISC_OMIT
	if n > most || whole && to.h.len()+n > to.w.mtu {
		return r.tooLong(to.h.dst, 0, to.w.mtu)
	}
	return nil
}

// send sends n bytes behind an IP header of this host's.
func (r *Raw) send(p *packet.Packet, n int, h header, w path) error {
	if discover := r.ip.mtuDiscover; h.dst.Is4() {
		h.df = discover == sockeye.IP_PMTUDISC_DO || discover == sockeye.IP_PMTUDISC_PROBE ||
			discover == sockeye.IP_PMTUDISC_WANT && h.len()+n <= w.mtu
	}
	if r.checksum >= 0 && !h.dst.Is4() {
		if r.checksum+2 > n {
			p.Release()
			return syscall.EINVAL
		}
		if len(p.Payload) > 1 { // it grew
			whole, told := p.AppendTo(nil), p.Told
			p.Release()
			p = packet.NewPacket()
			p.Append(packet.Of(whole))
			p.Told = told
		}
		b := p.Payload[0].Bytes()[r.checksum:]
		b[0], b[1] = 0, 0
		sum := wire.PseudoSum(h.src, h.dst, h.proto, n).Add(p.Payload[0].Bytes()).Checksum()
		if sum == 0 {
			sum = 0xffff
		}
		binary.BigEndian.PutUint16(b, sum)
	}
	return r.stack.output(p, h, w)
}

// sendWhole sends a packet with the IP header of the program's (raw_send_hdrinc): the
// system fills in length, checksum, and a source or identification of zero.
func (r *Raw) sendWhole(p *packet.Packet, n int, w path, t target, wish *wish) error {
	if n > w.mtu {
		p.Release()
		return r.tooLong(w.dst, t.port, w.mtu)
	}
	least := wire.IPv4Len
	if !w.dst.Is4() {
		least = wire.IPv6Len
	}
	if !p.Pullup(least) {
		p.Release()
		return syscall.EINVAL
	}
	if err := r.sender(); err != nil {
		p.Release()
		return err
	}
	h := header{src: w.src, dst: w.dst, ttl: 1}
	if b := p.Header(); w.dst.Is4() {
		hlen := int(b[0]&15) * 4
		if hlen < wire.IPv4Len || !p.Pullup(hlen) {
			p.Release()
			return syscall.EINVAL
		}
		r.complete(p.Header()[:hlen], n, w)
	}
	r.stack.Counters.ip(h.dst).OutRequests++
	p.Told = r.stamped(wish, false)
	r.stack.transmit(p, &h, w)
	return nil
}

// complete fills in what the program left to the system of an IPv4 header.
func (r *Raw) complete(b []byte, n int, w path) {
	const length, id, sum, src = 2, 4, 10, 12
	be := binary.BigEndian
	be.PutUint16(b[length:], uint16(n))
	if be.Uint32(b[src:]) == 0 {
		ip := w.src.As4()
		copy(b[src:], ip[:])
	}
	if be.Uint16(b[id:]) == 0 {
		r.stack.ids++
		be.PutUint16(b[id:], uint16(r.stack.ids))
	}
	be.PutUint16(b[sum:], 0)
	be.PutUint16(b[sum:], wire.Sum(0).Add(b).Checksum())
}

// Recvmsg is recvmsg(2).
func (r *Raw) Recvmsg(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if flags&sockeye.MSG_OOB != 0 {
		return syscall.EOPNOTSUPP
	}
	return r.receive(m, flags)
}

// Ready is datagram_poll.
func (r *Raw) Ready() sockeye.Events { return r.ready() }

// Ioctl is raw_ioctl.
func (r *Raw) Ioctl(req uint) (int, error) { return r.ioctl(req, waiting(r.pending)) }

// Release is the last close.
func (r *Raw) Release() {
	if r.pending != nil {
		r.pending.Release()
	}
	r.queue.purge()
	r.leaveGroups()
	for i, other := range r.stack.raw {
		if other == r {
			r.stack.raw = append(r.stack.raw[:i:i], r.stack.raw[i+1:]...)
			break
		}
	}
	r.WakeAll()
}

// rawInput gives copies of a packet to the raw sockets that take it, and tells whether
// there were any.
func (s *Stack) rawInput(p *packet.Packet, h *header) (taken bool) {
	for _, r := range s.raw {
		if r.claim.port == 0 || r.Proto != sockeye.Protocol(h.proto) || (r.Family == sockeye.AF_INET) != h.dst.Is4() ||
			r.takes(h, r.remotePort) == 0 || h.cast == multicast && !r.allows(h) {
			continue
		}
		taken = true
		if r.blocks(p) {
			continue
		}
		q := p.Clone()
		if h.dst.Is4() { // with its IP header
			q.Push(len(q.NetworkHeader()))
		}
		if !r.accept(q, h, wire.UDP{}, 0) {
			q.Release()
		}
	}
	return taken
}

// blocks tells whether the socket's filter holds an ICMP message back (ICMP_FILTER,
// ICMPV6_FILTER), or that is too short to have a header.
func (r *Raw) blocks(p *packet.Packet) bool {
	switch {
	case r.Proto == sockeye.IPPROTO_ICMP && r.Family == sockeye.AF_INET && !p.Pullup(wire.ICMPLen),
		r.Proto == sockeye.IPPROTO_ICMPV6 && r.Family == sockeye.AF_INET6 && !p.Pullup(4):
		return true
	case r.filter == (sockeye.ICMPFilter{}) || !p.Pullup(1):
		return false
	}
	typ := p.Header()[0]
	if r.Family == sockeye.AF_INET && typ >= 32 {
		return false
	}
	return r.filter.Blocks(typ)
}

// rawError tells the raw sockets whose packet an error quotes (raw_err, rawv6_err).
func (s *Stack) rawError(q *wire.Quote, e icmpError) {
	for _, r := range s.raw {
		if r.claim.port == 0 || r.Proto != sockeye.Protocol(q.Protocol) || (r.Family == sockeye.AF_INET) != q.Dst.Is4() ||
			!r.claim.takes(q.Src) || r.connected && r.remote != q.Dst {
			continue
		}
		s.learnMTU(q, e)
		e.payload = quoted(q.Payload, 0)
		if r.ip.hdrIncl {
			e.payload = append(quoted(q.Header, 0), q.Payload...)
		}
		r.report(e)
	}
}

// hasFilter tells whether the socket has the filter of a level.
func (r *Raw) hasFilter(level, name int) bool {
	return level == sockeye.SOL_RAW && name == sockeye.ICMP_FILTER.Name && r.Family == sockeye.AF_INET ||
		level == sockeye.SOL_ICMPV6 && name == sockeye.ICMPV6_FILTER.Name && r.Family == sockeye.AF_INET6
}

// lacksFilter tells whether it is asked for a filter of messages that are not the
// socket's. Over IPv6 the level has nothing else.
func (r *Raw) lacksFilter(level, name int) bool {
	if level == sockeye.SOL_ICMPV6 {
		return r.Family == sockeye.AF_INET6 && r.Proto != sockeye.IPPROTO_ICMPV6
	}
	return r.hasFilter(level, name) && r.Proto != sockeye.IPPROTO_ICMP
}

// filterLen is the length of the filter's value.
func (r *Raw) filterLen() int {
	if r.Family == sockeye.AF_INET {
		return 4
	}
	return 32
}

const ipv6Checksum = 7 // IPV6_CHECKSUM

// hasOption tells whether a name is that of an option of raw sockets over IPv6, which
// go by two levels (do_rawv6_setsockopt).
func (r *Raw) hasOption(level, name, option int) bool {
	return name == option && r.Family == sockeye.AF_INET6 && (level == sockeye.SOL_IPV6 || level == sockeye.SOL_RAW)
}

// Getsockopt is getsockopt(2).
func (r *Raw) Getsockopt(level, name int, val []byte) (int, error) {
	switch {
	case r.lacksFilter(level, name):
		return 0, syscall.EOPNOTSUPP
	case r.hasFilter(level, name):
		var b []byte
		for _, w := range r.filter.Blocked {
			b = binary.NativeEndian.AppendUint32(b, w)
		}
		return copy(val, b[:r.filterLen()]), nil
	case r.hasOption(level, name, ipv6Checksum):
		return sock.PutInt(val, r.checksum)
	case r.hasOption(level, name, sockeye.IPV6_HDRINCL.Name):
		return sock.PutBool(val, r.ip.hdrIncl)
	}
	return r.getsockopt(level, name, val)
}

// Setsockopt is setsockopt(2).
func (r *Raw) Setsockopt(level, name int, val []byte) error {
	switch {
	case r.lacksFilter(level, name):
		return syscall.EOPNOTSUPP
	case r.hasFilter(level, name):
		for i := range min(len(val), r.filterLen()) {
			w := &r.filter.Blocked[i/4]
			shift := 8 * (i % 4)
			*w = *w&^(0xff<<shift) | uint32(val[i])<<shift
		}
		return nil
	case r.hasOption(level, name, ipv6Checksum):
		v, err := sock.Int(val)
		if err != nil || v > 0 && v&1 != 0 || r.Proto == sockeye.IPPROTO_ICMPV6 && level == sockeye.SOL_IPV6 {
			return syscall.EINVAL
		}
		r.checksum = max(v, -1)
		return nil
	case r.hasOption(level, name, sockeye.IPV6_HDRINCL.Name):
		v, err := sock.Int(val)
		if err == nil {
			r.ip.hdrIncl = v != 0
		}
		return err
	}
	return r.setsockopt(level, name, val)
}
