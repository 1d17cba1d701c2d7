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

// routes finds the shortest ways from a host to all segments, by breadth-first search. A host
// that knows but one router sends everything there.
func routes(h *Host) (list []stack.Route) {
	gateways := make(map[*plug]bool) // routers beside the host
	for _, p := range h.plugs {
		for _, q := range p.segment.plugs {
			if q.host != h && q.host.config.Forward {
				gateways[q] = true
			}
		}
	}
	if len(gateways) == 1 {
		for gw := range gateways {
			return gw.gateway(everywhere)
		}
	}
	// A way is a segment that is reached, by a first router; nil: it is the host's own.
	type way struct {
		to  *segment
		via *plug
	}
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
	for i := 0; i < len(ways); i++ {
		w := ways[i]
		if w.via != nil {
			list = append(list, w.via.gateway(w.to.prefixes)...)
		}
		for _, q := range w.to.plugs {
			if q.host == h || !q.host.config.Forward {
				continue
			}
			via := w.via
			if via == nil {
				via = q
			}
			for _, r := range q.host.plugs {
				reach(r.segment, via)
			}
		}
	}
	return list
}

// gateway is the routes to networks by way of a router's plug.
func (p *plug) gateway(to [2]netip.Prefix) (list []stack.Route) {
	for _, a := range p.addrs {
		list = append(list, stack.Route{Dst: to[version(a.Addr())], Gateway: a.Addr()})
	}
	return list
}
