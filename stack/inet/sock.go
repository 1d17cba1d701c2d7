package inet

import (
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// A base is the part of an Internet socket that does not depend on its protocol:
// addresses, and the options of IPPROTO_IP and IPPROTO_IPV6.
type base struct {
	sock.Socket
	stack *Stack

	claim  claim     // the local address and port: inet_rcv_saddr and inet_num
	source wire.Addr // what is sent from: inet_saddr
	remote wire.Addr
	last   wire.Addr // the last peer of an IPv6 socket: see takes
	scope  int       // of a link-local address that it is bound or connected to
	ip     *options
	errors errorQueue

	flow       uint32
	stampKey   uint32 // sk_tskey: what SOF_TIMESTAMPING_OPT_ID counts from
	remotePort uint16
	connected  bool
	shared     bool // ip is not the socket's own: see own
	givenIP    bool // by bind, so that disconnecting leaves them
	givenPort  bool
}

func (b *base) init(s *Stack, family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) {
	b.Init(s.host, family, typ, proto)
	b.stack = s
	b.claim.family = family
	b.claim.v6only = s.Sysctl.BindV6Only
	b.reset()
	b.ip, b.shared = &defaults4, true
	if family == sockeye.AF_INET6 {
		b.ip = &defaults6
	}
}

var anyIPv4 = wire.AddrFrom4([4]byte{})

// any is the unspecified address of the socket's family.
func (b *base) any() wire.Addr {
	if b.Family == sockeye.AF_INET {
		return anyIPv4
	}
	return wire.Addr{}
}

// reset makes the local address unspecified.
func (b *base) reset() { b.claim.ip, b.source = b.any(), b.any() }

// claimed is for ports.
func (b *base) claimed() *claim { return &b.claim }

// name is an address as the program sees it: an IPv6 socket sees IPv4 addresses in
// their mapped form, and link-local ones with their scope.
func (b *base) name(ip wire.Addr, port uint16, scope int) sockeye.Sockaddr {
	if b.Family == sockeye.AF_INET {
		return sockeye.SockaddrInet4(ip.As4(), port)
	}
	if ip.Is4() || !ip.IsLinkLocal() && !ip.IsLinkLocalMulticast() {
		scope = 0
	}
	return sockeye.SockaddrInet6(ip.As16(), port, 0, uint32(scope))
}

// Getsockname is getsockname(2).
func (b *base) Getsockname() (sockeye.Sockaddr, error) {
	ip := b.claim.ip
	if ip.IsUnspecified() {
		ip = b.source
	}
	return b.name(ip, b.claim.port, b.scope), nil
}

// Getpeername is getpeername(2).
func (b *base) Getpeername() (sockeye.Sockaddr, error) {
	if !b.connected || b.remotePort == 0 {
		return sockeye.Sockaddr{}, syscall.ENOTCONN
	}
	return b.name(b.remote, b.remotePort, b.scope), nil
}

// Listen is listen(2), which only streams know.
func (b *base) Listen(int) error { return syscall.EOPNOTSUPP }

// Accept is accept(2), which only streams know.
func (b *base) Accept() (sock.File, sockeye.Sockaddr, error) {
	return nil, sockeye.Sockaddr{}, syscall.EOPNOTSUPP
}

// A target is an address that the program gave.
type target struct {
	ip    wire.Addr
	port  uint16
	scope int
	flow  uint32
}

// Lengths of C's sockaddrs. An IPv6 one may lack its scope id (RFC 2133).
const (
	sizeofSockaddrIn   = 16
	sizeofSockaddrIn6  = 28
	sizeofSockaddrRFC6 = 24
)

// address reads a sockaddr. One that is too short is EINVAL, one of the wrong family
// is wrong. AF_UNSPEC counts as AF_INET where loose.
func (b *base) address(sa sockeye.Sockaddr, loose bool, wrong error) (t target, err error) {
	if b.Family == sockeye.AF_INET6 && sa.Family() != sockeye.AF_INET6 && !raw(sa) {
		return b.otherFamily(sa, loose, wrong)
	}
	if sa.Family() == b.Family && !raw(sa) {
		t = target{ip: wire.AddrFromNetip(sa.Addr()), port: sa.Port(), scope: int(sa.ScopeID()), flow: sa.Flowinfo()}
		return t, nil
	}
	var space [64]byte
	c := sa.AppendBytes(space[:0])
	switch {
	case b.Family == sockeye.AF_INET && len(c) < sizeofSockaddrIn,
		b.Family == sockeye.AF_INET6 && len(c) < sizeofSockaddrRFC6:
		return t, syscall.EINVAL
	case sa.Family() == b.Family && b.Family == sockeye.AF_INET:
		return b.address(sockeye.SockaddrBytes(c[:sizeofSockaddrIn]), loose, wrong)
	case sa.Family() == b.Family:
		c = append(c, 0, 0, 0, 0)
		return b.address(sockeye.SockaddrBytes(c[:sizeofSockaddrIn6]), loose, wrong)
	case loose && b.Family == sockeye.AF_INET && sa.Family() == sockeye.AF_UNSPEC:
		be := c[2:]
		return target{ip: wire.AddrFrom4([4]byte(be[2:6])), port: uint16(be[0])<<8 | uint16(be[1])}, nil
	}
	return t, wrong
}

// otherFamily is address for an IPv6 socket that was given a whole sockaddr of
// another family: datagrams may be sent to AF_INET ones.
func (b *base) otherFamily(sa sockeye.Sockaddr, loose bool, wrong error) (t target, err error) {
	switch {
	case loose && sa.Family() == sockeye.AF_INET && !b.claim.v6only:
		return target{ip: wire.AddrFromNetip(sa.Addr()), port: sa.Port()}, nil
	case loose && sa.Family() == sockeye.AF_INET:
		return t, syscall.ENETUNREACH
	case len(sa.AppendBytes(nil)) < sizeofSockaddrRFC6:
		return t, syscall.EINVAL
	}
	return t, wrong
}

// raw tells an address that is no whole sockaddr of its family.
func raw(sa sockeye.Sockaddr) bool { return sa.Data() != nil || sa.Family() == sockeye.AF_UNSPEC }

// checkBind tells whether the socket may be bound to an address (inet_addr_valid_or_
// nonlocal and inet6_bind).
func (b *base) checkBind(t target, ifindex int, groups bool) error {
	if t.ip.Is4() && b.Family == sockeye.AF_INET6 && b.claim.v6only {
		return syscall.EINVAL
	}
	if c, _ := b.stack.castOf(t.ip); c != unicast && !groups && t.ip.Is4() {
		return syscall.EADDRNOTAVAIL
	}
	if t.ip.IsUnspecified() || b.ip.freebind || b.ip.transparent || b.stack.Sysctl.NonlocalBind {
		return nil
	}
	c, near := b.stack.castOf(t.ip)
	if here := !t.ip.Is4() && t.ip.IsLoopback() && ifindex != 0; c == unicast && (here || needsScope(t.ip)) {
		if near = b.stack.Iface(ifindex); near != nil && !near.has(t.ip) {
			near = nil
		}
	}
	switch {
	case c != unicast && (c == multicast || t.ip.Is4()):
		if groups {
			return nil
		}
		return syscall.EADDRNOTAVAIL
	case near == nil:
		return syscall.EADDRNOTAVAIL
	}
	return nil
}

// needsScope tells IPv6 addresses that mean something on one link alone.
func needsScope(ip wire.Addr) bool {
	return !ip.Is4() && (ip.IsLinkLocal() || ip.IsLinkLocalMulticast())
}

// scoped resolves the scope of a link-local address, EINVAL without one. It is that of
// other where the address does not tell.
func (b *base) scoped(t target, other int) (ifindex int, err error) {
	ifindex = b.claim.ifindex
	if !needsScope(t.ip) {
		return ifindex, nil
	}
	if t.scope != 0 {
		if ifindex != 0 && t.scope != ifindex {
			return 0, syscall.EINVAL
		}
		ifindex = t.scope
	}
	if ifindex == 0 && t.ip.IsMulticast() {
		ifindex = other
	}
	if ifindex == 0 {
		return 0, syscall.EINVAL
	}
	return ifindex, nil
}

// setLocal binds the socket to an address; the port is claimed elsewhere.
func (b *base) setLocal(t target) {
	b.claim.ip, b.source = t.ip, t.ip
	if c, _ := b.stack.castOf(t.ip); c != unicast {
		b.source = b.any()
	}
	if !t.ip.IsUnspecified() && !t.ip.Is4() {
		b.claim.v6only = true
	}
}

// mayUse tells whether the program may take a port (ip_unprivileged_port_start).
func (b *base) mayUse(port uint16) bool {
	return port == 0 || port >= b.stack.Sysctl.UnprivilegedPortStart || b.Host.Privileged
}

// portRange is where the socket's ephemeral ports come from: ip_local_port_range, and
// IP_LOCAL_PORT_RANGE within it.
func (b *base) portRange() (low, high uint16) {
	r := b.stack.Sysctl.LocalPortRange
	low, high = r[0], r[1]
	if l := uint16(b.ip.portRange); l >= low && l <= high {
		low = l
	}
	if h := uint16(b.ip.portRange >> 16); h >= low && h <= high {
		high = h
	}
	return low, high
}

// connectTo fixes the peer (__ip4_datagram_connect and __ip6_datagram_connect).
func (b *base) connectTo(t target) error {
	if t.ip.Is4() && b.Family == sockeye.AF_INET6 && b.claim.v6only {
		return syscall.ENETUNREACH
	}
	if t.ip.IsUnspecified() && !t.ip.Is4() {
		t.ip = loopbackOf(b.claim.ip)
	}
	ifindex, err := b.scoped(t, b.ip.multicastIf)
	if err != nil {
		return err
	}
	w := b.way(t.ip)
	if ifindex != 0 {
		w.ifindex = ifindex
	}
	p, err := b.stack.find(t.ip, w)
	if err == nil && t.ip.Is4() && t.ip.IsUnspecified() { // Linux looks for the address that it got again (ip_route_connect)
		w.src = p.src
		p, err = b.stack.find(p.dst, w)
	}
	if err != nil {
		return err
	}
	if p.cast == broadcast && !b.Opt.Broadcast {
		return syscall.EACCES
	}
	if needsScope(t.ip) {
		b.claim.ifindex, b.scope = ifindex, ifindex
	}
	if b.source.IsUnspecified() {
		b.source = p.src
	}
	if b.claim.ip.IsUnspecified() {
		b.claim.ip = p.src
	}
	b.remote, b.remotePort, b.flow, b.connected = p.dst, t.port, t.flow, true
	b.last = p.dst
	return nil
}

// disconnect takes the peer away, and what connecting made of the local address
// (__udp_disconnect).
func (b *base) disconnect() {
	b.connected, b.remote, b.remotePort = false, wire.Addr{}, 0
	b.claim.ifindex = 0
	if !b.givenIP {
		b.reset()
	}
}

// Shutdown is shutdown(2), inet_shutdown. Without a peer it takes effect all the same.
func (b *base) Shutdown(how sockeye.How) error {
	if how < sockeye.SHUT_RD || how > sockeye.SHUT_RDWR {
		return syscall.EINVAL
	}
	b.Shut |= sock.Shut(how) + 1 // which makes the two bits of it
	b.WakeAll()
	if !b.connected {
		return syscall.ENOTCONN
	}
	return nil
}

// way is what the socket asks of a route to dst.
func (b *base) way(dst wire.Addr) way {
	w := way{
		src: b.source, ifindex: b.claim.ifindex, onLink: b.Opt.DontRoute,
		anySrc: b.ip.transparent || b.ip.hdrIncl || !dst.Is4(), noLoop: !b.ip.multicastLoop,
	}
	switch {
	case dst.IsMulticast():
		if w.ifindex == 0 {
			w.ifindex = b.ip.multicastIf
		}
		if w.src.IsUnspecified() && dst.Is4() {
			w.src = b.ip.multicastSrc
		}
	case w.ifindex == 0:
		w.ifindex = b.ip.unicastIf
	}
	if w.ifindex == 0 && !dst.Is4() {
		w.ifindex = b.ip.pktinfoIf
	}
	if dst.Is4() && !w.src.Is4() { // an IPv6 socket has an IPv4 address only if it is bound or connected to one
		w.src = anyIPv4
	}
	return w
}

// takes tells how well a packet to the socket's port fits it (compute_score in
// net/ipv4/udp.c); 0: not at all.
func (b *base) takes(h *header, sport uint16) int {
	c := &b.claim
	score := 1
	switch {
	case c.ifindex != 0 && c.ifindex != h.iface.Index, !c.takes(h.dst):
		return 0
	case c.ifindex != 0:
		score += 4
	}
	if c.family == sockeye.AF_INET && h.dst.Is4() {
		score++
	}
	if !c.ip.IsUnspecified() {
		score += 4
	}
	if b.connected {
		if b.remote != h.src || b.remotePort != 0 && b.remotePort != sport {
			return 0
		}
		score += 8
	} else if b.last != (wire.Addr{}) && b.last != h.src && !h.src.Is4() {
		return 0 // AF_UNSPEC leaves sk_v6_daddr as it was: Linux goes on receiving from that peer alone
	}
	return score
}

// shares tells whether the socket is one of those that SO_REUSEPORT spreads packets over.
func (b *base) shares() bool { return b.claim.share && !b.connected }
