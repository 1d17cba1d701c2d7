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
	Gateway wire.Addr // zero: the network is on the link
	Iface   *Iface
	Source  wire.Addr // the address to send from; zero: one of the interface's
	Metric  int
	MTU     int // 0: the interface's
}

func (r *Route) is4() bool { return r.Dst.Is4() }

// AddRoute adds a route.
func (s *Stack) AddRoute(r Route) {
	i, _ := slices.BinarySearchFunc(s.routes, r, func(a, b Route) int {
		if a.Bits != b.Bits {
			return b.Bits - a.Bits
		}
		return a.Metric - b.Metric
	})
	s.routes = slices.Insert(s.routes, i, r)
}

// Routes is the routing table, in the order in which it is looked up.
func (s *Stack) Routes() []Route { return slices.Clone(s.routes) }

// A path is how one packet leaves the host.
type path struct {
	iface *Iface
	next  wire.Addr // the neighbour to hand it to
	src   wire.Addr
	mtu   int
	cast  cast
}

// A cast says to how many a packet goes.
type cast uint8

const (
	unicast cast = iota
	broadcast
	multicast
)

// A way is what a socket asks of a route.
type way struct {
	src       wire.Addr // zero: whatever is best
	ifindex   int       // 0: any
	onLink    bool      // MSG_DONTROUTE
	multicast int       // IP_MULTICAST_IF
}

// find looks up the path to dst, or gives ENETUNREACH or EHOSTUNREACH.
func (s *Stack) find(dst wire.Addr, w way) (path, error) {
	if dst.IsUnspecified() { // this host (RFC 1122 section 3.2.1.3)
		if dst.Is4() {
			dst = wire.AddrFrom4([4]byte{127, 0, 0, 1})
		} else {
			dst = wire.AddrFrom16([16]byte{15: 1})
		}
	}
	if i := s.local(dst); i != nil && (w.ifindex == 0 || w.ifindex == i.Index || w.ifindex == 1) {
		p := path{iface: s.ifaces[0], next: dst, src: w.src, mtu: s.ifaces[0].MTU}
		if p.src.IsUnspecified() {
			p.src = dst
		}
		return p, nil
	}
	if dst.IsMulticast() || dst.IsBroadcast() {
		return s.findGroup(dst, w)
	}
	for n := range s.routes {
		r := &s.routes[n]
		if r.is4() != dst.Is4() || r.Dst.CommonPrefix(dst) < r.Bits || !r.Iface.Up ||
			w.ifindex != 0 && w.ifindex != r.Iface.Index || w.onLink && !r.Gateway.IsUnspecified() {
			continue
		}
		p := path{iface: r.Iface, next: dst, src: w.src, mtu: r.Iface.MTU}
		if r.MTU > 0 {
			p.mtu = min(p.mtu, r.MTU)
		}
		if !r.Gateway.IsUnspecified() {
			p.next = r.Gateway
		}
		if p.src.IsUnspecified() {
			if p.src = r.Source; p.src.IsUnspecified() {
				var ok bool
				if p.src, ok = r.Iface.source(p.next); !ok {
					return path{}, syscall.EADDRNOTAVAIL
				}
			}
		}
		for _, a := range r.Iface.Addrs {
			if b, ok := a.broadcast(); ok && b == dst {
				p.cast = broadcast
			}
		}
		return p, nil
	}
	return path{}, syscall.ENETUNREACH
}

// findGroup is find for multicast and limited broadcast: they leave through the
// interface that was asked for, or through that of the default route or the first.
func (s *Stack) findGroup(dst wire.Addr, w way) (path, error) {
	index := w.ifindex
	if index == 0 && dst.IsMulticast() {
		index = w.multicast
	}
	out := s.Iface(index)
	if index == 0 {
		for n := range s.routes {
			r := &s.routes[n]
			if r.is4() == dst.Is4() && r.Iface.Up && r.Dst.CommonPrefix(dst) >= r.Bits {
				out = r.Iface
				break
			}
		}
		if out == nil && !w.src.IsUnspecified() {
			out = s.local(w.src)
		}
	}
	if out == nil || !out.Up {
		return path{}, syscall.ENETUNREACH
	}
	p := path{iface: out, next: dst, src: w.src, mtu: out.MTU, cast: multicast}
	if !dst.IsMulticast() {
		p.cast = broadcast
	}
	if p.src.IsUnspecified() {
		var ok bool
		if p.src, ok = out.source(dst); !ok {
			return path{}, syscall.EADDRNOTAVAIL
		}
	}
	return p, nil
}
