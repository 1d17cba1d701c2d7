package inet

import (
	"time"

	"sockeye/event"
	"sockeye/wire"
)

// Better gateways that redirects told of (RFC 1122 section 3.3.1.2, RFC 4861 section 8.3): bounded, and
// forgotten after a while (route/gc_timeout).
const (
	maxDetours    = 4096
	detourExpires = 5 * time.Minute
)

type detours struct {
	known map[wire.Addr]detour
	order []wire.Addr // in which they were learned
}

// A detour is the gateway to use for one host instead of what the route says.
type detour struct {
	instead, gateway wire.Addr
	iface            *Iface
	expires          event.Time
}

// next is the gateway for dst, of a route.
func (d *detours) next(dst wire.Addr, r *Route, now event.Time) wire.Addr {
	if len(d.known) == 0 {
		return r.Gateway
	}
	if t, ok := d.known[dst]; ok && t.instead == r.Gateway && t.iface == r.Iface && now <= t.expires {
		return t.gateway
	}
	return r.Gateway
}

func (d *detours) learn(dst wire.Addr, t detour) {
	if _, known := d.known[dst]; !known {
		if d.known == nil {
			d.known = make(map[wire.Addr]detour)
		}
		if len(d.order) == maxDetours {
			delete(d.known, d.order[0])
			d.order = d.order[1:]
		}
		d.order = append(d.order, dst)
	}
	d.known[dst] = t
}

// divert follows a redirect by src for packets to dst, if the host takes redirects and src is the gateway that such
// packets go to now.
func (s *Stack) divert(i *Iface, src, dst, gateway wire.Addr) {
	r := s.route(dst, way{ifindex: i.Index})
	w, err := s.find(dst, way{ifindex: i.Index, transit: true})
	if err != nil || r == nil || r.Gateway.IsUnspecified() || w.next != src {
		return
	}
	if i.props.Ethernet && gateway.Is4() {
		switch n := i.neighbour(gateway); n.state { // a gateway that does not answer is none
		case FAILED:
			n.probes = 0
			i.solicit(n)
			return
		case INCOMPLETE:
			return
		}
	}
	s.changes++
	s.detours.learn(dst, detour{r.Gateway, gateway, i, s.loop.Now().Add(detourExpires)})
}

// takesRedirects is so of hosts, unless they are told otherwise, and not of routers.
func (s *Stack) takesRedirects() bool { return s.Sysctl.AcceptRedirects && !s.Sysctl.Forwarding }

// redirected4 follows a redirect about a packet that a socket sent (__ip_do_redirect). As media are taken to be
// shared (conf.*.shared_media), the new gateway may have an address of another network.
func (s *Stack) redirected4(h *header, q *wire.Quote, m wire.ICMPv4) {
	if !s.sentBySocket(h, q) {
		s.Counters.ICMP.InErrors++
		return
	}
	gateway := m.Gateway()
	c, mine := s.castOf(gateway)
	if m.Code&7 <= wire.ICMP_REDIR_HOSTTOS && s.takesRedirects() && gateway != h.src && c == unicast && mine == nil && !gateway.IsUnspecified() {
		s.divert(h.iface, h.src, q.Dst, gateway)
	}
}

// redirected6 is redirected4 of IPv6 (ndisc_redirect_rcv, rt6_do_redirect).
func (s *Stack) redirected6(h *header, b []byte) {
	m, err := wire.ParseRedirect(b)
	if err != nil || !h.src.IsLinkLocal() {
		return
	}
	if m.Options.Has(wire.OptRedirected) {
		q, err := wire.ParseQuote6(m.Options.Redirected)
		if err != nil || !s.sentBySocket(h, &q) {
			s.Counters.ICMP6.InErrors++
			return
		}
		// Linux looks for the route by the device that the socket is bound to, and finds none without.
		if q.Protocol == wire.IPPROTO_UDP && s.quotedUDP(h, &q).claim.ifindex == 0 {
			return
		}
	}
	if !s.takesRedirects() {
		return
	}
	if m.Options.Has(wire.OptTargetMAC) && h.iface.props.Ethernet {
		h.iface.meet(m.Target, m.Options.Target)
	}
	s.divert(h.iface, h.src, m.Dest, m.Target)
}

// sentBySocket tells whether there is a socket that may have sent what an error quotes.
func (s *Stack) sentBySocket(h *header, q *wire.Quote) bool {
	src, dst := q.Ports()
	switch q.Protocol {
	case wire.IPPROTO_TCP:
		return s.tcp.flows.get(flow{q.Src, q.Dst, src, dst, zoneOf(q.Dst, h.iface.Index)}) != nil
	case wire.IPPROTO_UDP:
		return s.quotedUDP(h, q) != nil
	}
	return true
}

// quotedUDP is the socket that may have sent the datagram which an error quotes.
func (s *Stack) quotedUDP(h *header, q *wire.Quote) *UDP {
	src, dst := q.Ports()
	iface := h.iface
	if q.Dst.Is4() { // __udp4_lib_err asks for the device, __udp6_lib_err for the interface
		iface = h.link
	}
	return s.udpFind(&header{src: q.Dst, dst: q.Src, iface: iface}, wire.UDP{SrcPort: dst, DstPort: src})
}
