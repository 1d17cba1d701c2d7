package inet

import (
	"slices"
	"syscall"

	"sockeye/wire"
)

// A Route says where packets for a network go.
type Route struct {
	Dst     wire.Addr // the network
	Bits    int       // of its prefix; 0: everything
	Gateway wire.Addr // unspecified: the network is on the link
	Iface   *Iface
	Source  wire.Addr // the address to send from; unspecified: one of the interface's
	Metric  int
	MTU     int // 0: the interface's

	preference int8 // of a router that told of itself (RFC 4191)
}

// AddRoute adds a route.
func (s *Stack) AddRoute(r Route) {
	s.changes++
	i, _ := slices.BinarySearchFunc(s.routes, r, func(a, b Route) int {
		if a.Bits != b.Bits {
			return b.Bits - a.Bits
		}
		if a.Metric != b.Metric {
			return a.Metric - b.Metric
		}
		return int(b.preference) - int(a.preference)
	})
	s.routes = slices.Insert(s.routes, i, r)
}

// removeRoute takes one away.
func (s *Stack) removeRoute(r Route) {
	s.changes++
	if i := slices.Index(s.routes, r); i >= 0 {
		s.routes = slices.Delete(s.routes, i, i+1)
	}
}

// Routes is the routing table, in the order in which it is looked up.
func (s *Stack) Routes() []Route { return slices.Clone(s.routes) }

// A path is how one packet leaves the host.
type path struct {
	iface *Iface
	next  wire.Addr // the neighbour to hand it to
	src   wire.Addr
	dst   wire.Addr // this host's, if none was named
	mtu   int       // that packets may have: the path MTU, as far as it is known
	cast  cast
	loops bool // this host takes a copy
	via   int  // of what this host sends to itself: the interface that was asked for
}

// A cast says to how many a packet goes.
type cast uint8

const (
	unicast cast = iota
	broadcast
	multicast
)

// A way is what a sender asks of a route.
type way struct {
	src     wire.Addr // unspecified: whatever is best
	ifindex int       // 0: any
	onLink  bool      // MSG_DONTROUTE
	anySrc  bool      // src may be foreign: IP_TRANSPARENT, IP_HDRINCL
	noLoop  bool      // multicast does not come back
	transit bool      // for a packet that came in
}

// castOf tells what the interfaces make of an address (inet_addr_type): local is the
// interface that has it, or whose broadcast address it is.
func (s *Stack) castOf(ip wire.Addr) (c cast, local *Iface) {
	switch {
	case ip.IsMulticast():
		return multicast, nil
	case ip.IsBroadcast():
		return broadcast, nil
	}
	if ip.Is4() {
		for _, i := range s.ifaces {
			for n := range i.Addrs {
				if i.Addrs[n].broadcast == ip {
					return broadcast, i
				}
			}
		}
	}
	return unicast, s.local(ip)
}

// find looks up the path to dst (ip_route_output_key_hash_rcu). It gives ENETUNREACH
// where none leads there or the source is not this host's, and ENODEV and EINVAL for
// an interface and a source that cannot be.
func (s *Stack) find(dst wire.Addr, w way) (path, error) {
	if i := s.Iface(w.ifindex); i != nil && dst.IsUnspecified() && dst.Is4() && w.src.IsUnspecified() {
		w.src, _ = i.source(dst)
	}
	self := dst.IsUnspecified() && dst.Is4()
	if dst.IsUnspecified() { // this host (RFC 1122 section 3.2.1.3)
		if dst = w.src; dst.IsUnspecified() || dst.IsMulticast() {
			dst = loopbackOf(w.src)
		}
	}
	if !dst.Is4() && w.src.Is4() { // ip6_dst_lookup_tail
		return path{}, syscall.EAFNOSUPPORT
	}
	if !w.src.IsUnspecified() && !w.anySrc {
		switch c, i := s.castOf(w.src); {
		case c != unicast:
			return path{}, syscall.EINVAL
		case i == nil:
			return path{}, syscall.ENETUNREACH
		}
	}
	if w.ifindex != 0 && s.Iface(w.ifindex) == nil {
		if !dst.Is4() {
			return path{}, syscall.ENETUNREACH
		}
		return path{}, syscall.ENODEV
	}
	p := path{dst: dst, next: dst, src: w.src}
	var near *Iface
	if p.cast, near = s.castOf(dst); p.cast == broadcast && near != nil && w.ifindex != 0 && w.ifindex != near.Index {
		p.cast = unicast // a broadcast address of another interface is none here
	}
	if near != nil && p.cast == unicast && (self || w.ifindex == 0 || w.ifindex == near.Index || dst.Is4() && w.ifindex == s.ifaces[0].Index) {
		p.iface, p.via = s.ifaces[0], w.ifindex
		if p.src.IsUnspecified() {
			p.src, _ = near.source(dst)
		}
		p.mtu = p.iface.MTU
		return p, nil
	}
	var r *Route
	switch {
	case w.ifindex == 0 && p.cast == broadcast && near != nil:
		p.iface = near
	case w.ifindex == 0 && p.cast != unicast && !w.src.IsUnspecified():
		p.iface = s.local(w.src)
	default:
		if r = s.route(dst, w); r != nil {
			p.iface = r.Iface
		} else if w.ifindex != 0 && (dst.Is4() || p.cast != unicast || dst.IsLinkLocal()) { // it is taken to be on the link
			p.iface = s.Iface(w.ifindex)
		}
	}
	// What is sent from 127.0.0.1 stays on this host (__mkroute_output).
	if p.iface != nil && w.src.Is4() && w.src.IsLoopback() && !p.iface.props.Loopback {
		return path{}, syscall.EINVAL
	}
	if p.iface == nil || !p.iface.Up {
		if !w.transit {
			s.Counters.ip(dst).OutNoRoutes++
		}
		return path{}, syscall.ENETUNREACH
	}
	p.mtu = p.iface.MTU
	if p.iface.mtu6 > 0 && !dst.Is4() {
		p.mtu = p.iface.mtu6
	}
	if r != nil && r.MTU > 0 {
		p.mtu = min(p.mtu, r.MTU)
	}
	if r != nil && p.cast == unicast && !r.Gateway.IsUnspecified() {
		p.next = s.detours.next(dst, r, s.loop.Now())
	}
	if p.src.IsUnspecified() && r != nil && p.cast == unicast {
		p.src = r.Source
	}
	if p.src.IsUnspecified() {
		var ok bool
		if p.src, ok = s.source(p.iface, p.next); !ok {
			return path{}, syscall.EADDRNOTAVAIL
		}
	}
	if p.cast == unicast {
		p.mtu = s.mtus.limit(dst, p.mtu, s.loop.Now())
	}
	p.loops = p.cast == broadcast || p.cast == multicast && !w.noLoop && p.iface.member(dst)
	p.loops = p.loops && !p.iface.props.Loopback
	return p, nil
}

// source is the address to send from to dst through an interface. Those of lo, for what
// is not lo's, are the last resort (inet_select_addr).
func (s *Stack) source(i *Iface, dst wire.Addr) (wire.Addr, bool) {
	if i.props.Loopback && !dst.IsLoopback() {
		for _, other := range s.ifaces {
			if !other.props.Loopback {
				if ip, ok := other.source(dst); ok {
					return ip, true
				}
			}
		}
	}
	return i.source(dst)
}

// route is the first route that leads to dst.
func (s *Stack) route(dst wire.Addr, w way) *Route {
	for n := range s.routes {
		r := &s.routes[n]
		if r.Dst.Is4() == dst.Is4() && r.Dst.CommonPrefix(dst) >= r.Bits && r.Iface.Up &&
			(w.ifindex == 0 || w.ifindex == r.Iface.Index) && !(w.onLink && !r.Gateway.IsUnspecified()) {
			return r
		}
	}
	return nil
}

// nowhere6 is what becomes of a packet to an IPv6 address that nobody can have, such as :: or an
// IPv4-mapped one: it is lost on its way if there is a default route.
func (s *Stack) nowhere6() error {
	for n := range s.routes {
		if r := &s.routes[n]; r.Bits == 0 && !r.Dst.Is4() && r.Iface.Up {
			return nil
		}
	}
	s.Counters.IP6.OutNoRoutes++
	return syscall.ENETUNREACH
}

func loopbackOf(family wire.Addr) wire.Addr {
	if family.Is4() {
		return wire.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return wire.AddrFrom16([16]byte{15: 1})
}

// Towards is the interface whose network has the address; nil: there is none.
func (s *Stack) Towards(ip wire.Addr) *Iface {
	if r := s.route(ip, way{onLink: true}); r != nil {
		return r.Iface
	}
	return nil
}
