package inet

import (
	"slices"
	"time"

	"sockeye/event"
	"sockeye/wire"
)

// allRouters is ff02::2.
var allRouters = wire.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 2})

// Metrics of routes that routers tell of: those to prefixes, and to everything (IP6_RT_PRIO_ADDRCONF and _USER).
const (
	metricPrefix = 256
	metricRouter = 1024
)

// routerAdvertised takes a router advertisement (RFC 4861 section 6.3.4, ndisc_router_discovery).
func (i *Iface) routerAdvertised(b []byte, h *header) {
	m, err := wire.ParseRouterAdvert(b)
	a := i.auto
	if err != nil || a == nil || !h.src.IsLinkLocal() || !a.takes() {
		return
	}
	now, s := i.stack.loop.Now(), i.stack
	a.heard, a.askAt = true, 0
	a.defaultRouter(now, &m, h.src)
	if m.HopLimit != 0 { // accept_ra_min_hop_limit is 1
		s.Sysctl.DefaultHopLimit = m.HopLimit
	}
	if m.Options.Has(wire.OptSourceMAC) {
		i.meet(h.src, m.Options.Source)
	}
	if mtu := int(m.Options.MTU); m.Options.Has(wire.OptLinkMTU) && mtu >= wire.MinMTU6 && mtu <= i.MTU {
		i.mtu6 = mtu
	}
	for _, p := range m.Prefixes[:m.NumPrefixes] {
		if p.Prefix.IsLinkLocal() || p.Prefix.IsMulticast() || p.Preferred > p.Valid {
			continue
		}
		if p.OnLink {
			network := Addr{IP: p.Prefix, Bits: int(p.Bits)}.network()
			a.keepRoute(Route{Dst: network, Bits: int(p.Bits), Iface: i, Metric: metricPrefix}, after(now, p.Valid), p.Valid == 0)
		}
		if p.Autonomous && p.Bits == 64 && s.Sysctl.IPv6.Autoconf {
			a.prefix(now, &p)
		}
	}
	s.changes++
	a.schedule()
}

// defaultRouter notes who told of itself. A lifetime of zero takes it back.
func (a *autoconf) defaultRouter(now event.Time, m *wire.RouterAdvert, router wire.Addr) {
	r := Route{Iface: a.iface, Gateway: router, Metric: metricRouter, preference: m.Preference}
	a.keepRoute(r, now.Add(m.Lifetime), m.Lifetime == 0)
}

// keepRoute adds a route, or notes until when it is valid now, or takes it away.
func (a *autoconf) keepRoute(r Route, until event.Time, gone bool) {
	same := func(o madeRoute) bool { return o.Dst == r.Dst && o.Bits == r.Bits && o.Gateway == r.Gateway }
	n := slices.IndexFunc(a.routes, same)
	if n >= 0 && !gone && a.routes[n].Route == r {
		a.routes[n].until = until
		return
	}
	if n >= 0 {
		a.iface.stack.removeRoute(a.routes[n].Route)
		a.routes = slices.Delete(a.routes, n, n+1)
	}
	if !gone {
		a.routes = append(a.routes, madeRoute{r, until})
		a.iface.stack.AddRoute(r)
	}
}

// minValid is for how long nobody can take an address away that has longer to live (RFC 4862 section 5.5.3 e).
const minValid = 2 * time.Hour

// prefix makes an address in a prefix, or gives the one that is there new lifetimes.
func (a *autoconf) prefix(now event.Time, p *wire.PrefixInfo) {
	n := slices.IndexFunc(a.made, func(m *madeAddr) bool { return m.contains(p.Prefix) })
	if n < 0 {
		if p.Valid > 0 && a.iface.stack.Sysctl.IPv6.AddrGenMode != AddrGenNone {
			a.make(now, &madeAddr{prefix: p.Prefix, valid: after(now, p.Valid), preferred: after(now, p.Preferred)})
		}
		return
	}
	m := a.made[n]
	until, least := after(now, p.Valid), min(m.valid, now.Add(minValid))
	m.valid, m.preferred = max(until, least), after(now, p.Preferred)
	if m.flags &^= IFA_F_PERMANENT; m.valid == never {
		m.flags |= IFA_F_PERMANENT
	}
	if m.flags&IFA_F_TENTATIVE == 0 {
		a.deprecate(m, p.Preferred == 0)
	}
}

// An Advertisement is what a router tells of itself on a link (RFC 4861 section 6.2).
type Advertisement struct {
	wire.RouterAdvert
	// Interval is the longest time between two that nobody asked for, at least 4 seconds; 0: 10 minutes.
	Interval time.Duration
}

// Advertise makes the interface tell of the host as a router, once its link-local address is there.
func (i *Iface) Advertise(m Advertisement) {
	if m.Interval == 0 {
		m.Interval = 10 * time.Minute
	}
	i.auto = &autoconf{iface: i, advert: &m}
	i.auto.Handler = i.auto
}

// Times of a router (RFC 4861 section 10).
const (
	maxInitialInterval = 16 * time.Second
	maxInitialAdverts  = 3
	maxAdvertDelay     = 500 * time.Millisecond
	minAdvertGap       = 3 * time.Second
)

// advertise tells all hosts of the router, and plans the next time.
func (a *autoconf) advertise(now event.Time) {
	i := a.iface
	src, ok := i.source(allNodes)
	if a.advertAt = 0; !ok || !src.IsLinkLocal() {
		return
	}
	m := a.advert.RouterAdvert
	m.Options.Set |= wire.OptSourceMAC
	m.Options.Source = i.props.Hardware
	b := make([]byte, m.Len())
	m.Put(b)
	i.sendND(b, src, allNodes, allNodes.MulticastMAC())
	a.sent++
	a.sentAt = now
	least := a.advert.Interval / 3
	wait := least + time.Duration(i.stack.rand.Int64N(int64(a.advert.Interval-least)))
	if a.sent < maxInitialAdverts {
		wait = min(wait, maxInitialInterval)
	}
	a.advertAt = now.Add(wait)
}

// routerSolicited answers who asks for routers, all at once (section 6.2.6).
func (i *Iface) routerSolicited(b []byte, h *header) {
	m, err := wire.ParseRouterSolicit(b)
	a := i.auto
	if err != nil || a == nil || a.advert == nil || a.advertAt == 0 || h.src.IsUnspecified() && m.Options.Has(wire.OptSourceMAC) {
		return
	}
	if m.Options.Has(wire.OptSourceMAC) {
		i.meet(h.src, m.Options.Source)
	}
	soon := i.stack.loop.Now().Add(time.Duration(i.stack.rand.Int64N(int64(maxAdvertDelay))))
	a.advertAt = min(a.advertAt, max(soon, a.sentAt.Add(minAdvertGap)))
	a.schedule()
}
