package lab

import (
	"net/netip"

	"sockeye/stack"
)

// start brings the network to life, if it is not yet.
func (n *Network) start() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running {
		return
	}
	n.running = true
	for _, l := range n.links {
		l.plugIn()
	}
	all := n.segments()
	n.address(all)
	for _, h := range n.hosts {
		h.routes = routes(h)
	}
	for _, h := range n.hosts {
		h.boot()
	}
	n.play(n.schedule)
}

// everywhere is the default route of each version.
var everywhere = [2]netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// leads tells whether a router takes packets of a version from one of its links to another. A translator takes those of
// IPv4 from inside.
func (h *Host) leads(from, to *plug, version int) bool {
	switch {
	case from == to:
		return false
	case h.config.NAT != nil:
		return version == 0 && from != h.plugs[0]
	}
	return h.config.Forward
}

// routes finds the shortest ways from a host to all segments, by breadth-first search. A host that knows but one
// router sends everything there.
func routes(h *Host) (list []stack.Route) {
	for version := range everywhere {
		list = append(list, h.routesOf(version)...)
	}
	return list
}

// A way is a segment that is reached, by a first router; nil: it is the host's own.
type way struct {
	to  *segment
	via *plug
}

func (h *Host) routesOf(version int) (list []stack.Route) {
	var ways []way
	seen := make(map[*segment]bool)
	reach := func(s *segment, via *plug) {
		if !seen[s] {
			seen[s] = true
			ways = append(ways, way{s, via})
		}
	}
	for _, p := range h.plugs {
		reach(p.segment, nil)
	}
	gateways := make(map[*plug]bool) // routers beside the host
	for i := 0; i < len(ways); i++ {
		w := ways[i]
		if w.via != nil {
			list = append(list, w.via.gateway(w.to.prefixes[version])...)
		}
		for _, q := range w.to.routers {
			if q.host == h {
				continue
			}
			via := w.via
			if via == nil {
				via = q
			}
			for _, r := range q.host.plugs {
				if q.host.leads(q, r, version) {
					gateways[via] = true
					reach(r.segment, via)
				}
			}
		}
	}
	if len(gateways) == 1 {
		for gw := range gateways {
			return gw.gateway(everywhere[version])
		}
	}
	return list
}

// gateway is the routes to a network by way of a router's plug.
func (p *plug) gateway(to netip.Prefix) (list []stack.Route) {
	for _, a := range p.addrs {
		if version(a.Addr()) == version(to.Addr()) {
			list = append(list, stack.Route{Dst: to, Gateway: a.Addr()})
		}
	}
	return list
}
