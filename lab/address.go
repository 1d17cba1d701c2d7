package lab

import (
	"fmt"
	"net/netip"
	"slices"
)

// A segment is hosts that reach each other without a router: a cable, or the switches that
// are joined and the hosts at them.
type segment struct {
	plugs    []*plug
	routers  []*plug         // of the plugs
	prefixes [2]netip.Prefix // of IPv4 and IPv6
}

// Networks that are handed out: 10.0.0.0/16, 10.1.0.0/16 ... and fd00:0:0:1::/64, fd00:0:0:2::/64 ...
// (RFC 1918, RFC 4193), a small one of 172.16.0.0/12 where there are but two hosts.
func handOut(number, cables int, cable bool) [2]netip.Prefix {
	six := [16]byte{0: 0xfd, 4: byte((number + 1) >> 24), 5: byte((number + 1) >> 16), 6: byte((number + 1) >> 8), 7: byte(number + 1)}
	four := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(number - cables), 0, 0}), 16)
	if cable {
		n := cables << 2
		four = netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16 + byte(n>>16), byte(n >> 8), byte(n)}), 30)
	}
	return [2]netip.Prefix{four, netip.PrefixFrom(netip.AddrFrom16(six), 64)}
}

// segments finds them, in the order of the links.
func (n *Network) segments() []*segment {
	root := make([]int, len(n.switches)) // a switch of the same segment, at last itself
	for i := range root {
		root[i] = i
	}
	find := func(s *Switch) int {
		i := s.number
		for root[i] != i {
			i = root[i]
		}
		return i
	}
	for _, l := range n.links {
		a, ok := l.a.(*Switch)
		b, ok2 := l.b.(*Switch)
		if ok && ok2 {
			if find(a) == find(b) {
				panic(fmt.Sprintf("lab: link %v makes a circle of switches, in which packets would go round for ever", l))
			}
			root[find(b)] = find(a)
		}
	}
	var all []*segment
	bySwitch := make(map[int]*segment)
	byLink := make(map[*Link]*segment)
	for _, h := range n.hosts {
		for _, p := range h.plugs {
			var s *segment
			if sw := p.link.at(); sw != nil {
				s = bySwitch[find(sw)]
				if s == nil {
					s = new(segment)
					bySwitch[find(sw)] = s
				}
			} else if s = byLink[p.link]; s == nil {
				s = new(segment)
				byLink[p.link] = s
			}
			if len(s.plugs) == 0 {
				all = append(all, s)
			}
			s.plugs = append(s.plugs, p)
			if h.Forwards() {
				s.routers = append(s.routers, p)
			}
			p.segment = s
		}
	}
	return all
}

// at is the switch that a host's link leads to; nil: it leads to a host.
func (l *Link) at() *Switch {
	s, _ := l.beyond.(*Switch)
	return s
}

// address gives every plug its addresses.
func (n *Network) address(all []*segment) {
	for _, h := range n.hosts {
		h.takeGiven()
	}
	cables := 0
	for i, s := range all {
		cable := len(s.plugs) == 2 && s.plugs[0].link == s.plugs[1].link
		s.prefixes = handOut(i, cables, cable)
		if cable {
			cables++
		}
		for v := range s.prefixes {
			s.addressVersion(v)
		}
	}
	z := &n.zone
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, h := range n.hosts {
		name := canonical(h.name)
		for _, p := range h.plugs {
			for _, a := range p.addrs {
				if o := n.owners[a.Addr()]; o != nil {
					panic(fmt.Sprintf("lab: hosts %s and %s have the same address %v", o.name, h.name, a.Addr()))
				}
				n.owners[a.Addr()] = h
				z.hosts[name], z.owners[a.Addr()] = append(z.hosts[name], a.Addr()), name
			}
		}
	}
}

// takeGiven shares the addresses that the host was given out among its links: a second one
// of a version is for the next link.
func (h *Host) takeGiven() {
	var next [2]int
	for _, a := range h.config.Addrs {
		v := version(a.Addr())
		if next[v] == len(h.plugs) {
			panic(fmt.Sprintf("lab: host %s has the address %v, and no link for it", h.name, a))
		}
		p := h.plugs[next[v]]
		p.addrs = append(p.addrs, a)
		next[v]++
	}
}

// version is 0 for IPv4 and 1 for IPv6.
func version(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// addressVersion hands out addresses of one version: in the network that a host was given, if
// any was.
func (s *segment) addressVersion(v int) {
	taken := make(map[netip.Addr]bool)
	for _, p := range s.plugs {
		if i := slices.IndexFunc(p.addrs, func(a netip.Prefix) bool { return version(a.Addr()) == v }); i >= 0 {
			s.prefixes[v] = p.addrs[i].Masked()
			taken[p.addrs[i].Addr()] = true
		}
	}
	prefix := s.prefixes[v]
	next := prefix.Addr().Next()
	for _, p := range s.plugs {
		if slices.ContainsFunc(p.addrs, func(a netip.Prefix) bool { return version(a.Addr()) == v }) {
			continue
		}
		for taken[next] {
			next = next.Next()
		}
		if !prefix.Contains(next) {
			panic(fmt.Sprintf("lab: the network %v at host %s has no more addresses", prefix, p.host.name))
		}
		p.addrs = append(p.addrs, netip.PrefixFrom(next, prefix.Bits()))
		slices.SortStableFunc(p.addrs, func(a, b netip.Prefix) int { return version(a.Addr()) - version(b.Addr()) })
		next = next.Next()
	}
}
