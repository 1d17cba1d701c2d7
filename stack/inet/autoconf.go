package inet

import (
	"crypto/sha1"
	"encoding"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"sockeye/event"
	"sockeye/wire"
)

// Addresses that a host makes for itself (RFC 4862), and the routers that it finds (RFC 4861 section 6.3). All of this
// is done where the settings of IPv6Conf ask for it; addresses that the host was given need none of it.

// An IPv6Conf holds settings of net.ipv6.conf.*, for all interfaces with hardware addresses (ip-sysctl.rst in Linux's
// documentation). The zero IPv6Conf makes no addresses and looks for no routers: other than on Linux, a host has
// the addresses and routes that it was given.
type IPv6Conf struct {
	AddrGenMode  AddrGenMode // addr_gen_mode: how addresses are made
	StableSecret [16]byte    // stable_secret, of AddrGenStablePrivacy
	DADTransmits int         // dad_transmits: how often a new address is asked for, one second apart, before it is used

	AcceptRA              int           // accept_ra: 1 takes router advertisements unless this is a router, 2 always
	Autoconf              bool          // autoconf: makes an address in each prefix that is advertised for it
	RouterSolicitations   int           // router_solicitations: how often routers are asked for; -1: until one answers
	RtrSolicitInterval    time.Duration // router_solicitation_interval: until the second time; then twice as long each time
	RtrSolicitMaxInterval time.Duration // router_solicitation_max_interval
}

// AutoconfIPv6 is what Linux does by default.
func AutoconfIPv6() IPv6Conf {
	return IPv6Conf{AddrGenMode: AddrGenEUI64, DADTransmits: 1, AcceptRA: 1, Autoconf: true,
		RouterSolicitations: -1, RtrSolicitInterval: 4 * time.Second, RtrSolicitMaxInterval: time.Hour}
}

// An AddrGenMode says how the lower half of an address is made.
type AddrGenMode uint8

// The modes. Linux numbers them from EUI64 on.
const (
	AddrGenNone          AddrGenMode = iota // no link-local addresses, and none in prefixes
	AddrGenEUI64                            // of the hardware address (RFC 4291 appendix A)
	AddrGenStablePrivacy                    // of StableSecret, another one in each network (RFC 7217)
)

// AddrFlags tell the state of an address (IFA_FLAGS in rtnetlink(7)).
type AddrFlags uint32

// The flags.
const (
	IFA_F_DADFAILED      AddrFlags = 0x08 // somebody else has it
	IFA_F_DEPRECATED     AddrFlags = 0x20 // new connections use another one
	IFA_F_TENTATIVE      AddrFlags = 0x40 // it is not used until it is known that nobody else has it
	IFA_F_PERMANENT      AddrFlags = 0x80 // it has no end
	IFA_F_STABLE_PRIVACY AddrFlags = 0x800
)

// An autoconf is what an interface does for its own addresses and routers.
type autoconf struct {
	event.Event
	iface  *Iface
	made   []*madeAddr
	routes []madeRoute
	asked  int           // router solicitations that were sent
	wait   time.Duration // until the next
	askAt  event.Time    // 0: not at all
	heard  bool          // from a router

	advert   *Advertisement
	advertAt event.Time // when the next one is due
	sent     int        // advertisements
	sentAt   event.Time
}

// A madeAddr is an address that the host has made.
type madeAddr struct {
	Addr
	prefix           wire.Addr
	collisions       byte // addresses in the prefix that others had
	flags            AddrFlags
	probes           int        // of duplicate address detection that are to be sent
	at               event.Time // of the next; 0: it is over
	valid, preferred event.Time // until when; never: for good
}

// A madeRoute is a route that routers have told of.
type madeRoute struct {
	Route
	until event.Time
}

const never = event.Time(math.MaxInt64)

// after is a time so long from now.
func after(now event.Time, d time.Duration) event.Time {
	if d >= wire.Infinite {
		return never
	}
	return now.Add(d)
}

// Begin makes the interface's link-local address, if it is to have one.
func (i *Iface) Begin() {
	conf := &i.stack.Sysctl.IPv6
	if !i.props.Ethernet || conf.AddrGenMode == AddrGenNone && conf.AcceptRA == 0 && i.auto == nil || !i.Up {
		return
	}
	if i.auto == nil {
		i.auto = &autoconf{iface: i}
		i.auto.Handler = i.auto
	}
	a := i.auto
	now := i.stack.loop.Now()
	if conf.AddrGenMode != AddrGenNone {
		a.make(now, &madeAddr{prefix: wire.AddrFrom16([16]byte{0xfe, 0x80}), valid: never, preferred: never})
	} else if ip, ok := i.source(allNodes); ok && ip.IsLinkLocal() {
		a.linked(now)
	}
	a.schedule()
}

// make makes an address in a prefix of 64 bits, and begins to find out whether anybody has it.
func (a *autoconf) make(now event.Time, m *madeAddr) {
	s := a.iface.stack
	m.Addr, m.flags = Addr{IP: a.address(m.prefix, m.collisions), Bits: 64}, IFA_F_TENTATIVE
	if s.Sysctl.IPv6.AddrGenMode == AddrGenStablePrivacy {
		m.flags |= IFA_F_STABLE_PRIVACY
	}
	if m.valid == never {
		m.flags |= IFA_F_PERMANENT
	}
	a.made = append(a.made, m)
	m.probes, m.at = s.Sysctl.IPv6.DADTransmits, now
	if m.probes > 0 { // RFC 4862 section 5.4.2: hosts that start together do not ask together
		m.at = now.Add(time.Duration(s.rand.Int64N(int64(maxProbeDelay))))
		return
	}
	a.own(now, m)
}

// maxProbeDelay is MAX_RTR_SOLICITATION_DELAY (RFC 4861 section 10).
const maxProbeDelay = time.Second

// address is the host's address in a prefix (addrconf_ifid_eui48, ipv6_generate_stable_address).
func (a *autoconf) address(prefix wire.Addr, collisions byte) wire.Addr {
	b, mac, conf := prefix.As16(), a.iface.props.Hardware, &a.iface.stack.Sysctl.IPv6
	if conf.AddrGenMode == AddrGenEUI64 {
		copy(b[8:], []byte{mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]})
		return wire.AddrFrom16(b)
	}
	var block [sha1.BlockSize]byte // Linux hashes one block, without the padding that would end it
	copy(block[:], conf.StableSecret[:])
	copy(block[16:], b[:8])
	copy(block[24:], mac[:])
	block[56] = collisions
	h := sha1.New()
	h.Write(block[:])
	state, err := h.(encoding.BinaryAppender).AppendBinary(nil) // four bytes of a mark, then the words
	if err != nil {
		panic(err) // a hash of the standard library always tells its state
	}
	for w := range 2 {
		binary.LittleEndian.PutUint32(b[8+4*w:], binary.BigEndian.Uint32(state[4+4*w:]))
	}
	return wire.AddrFrom16(b)
}

// own begins to use an address (addrconf_dad_completed). With the link-local one the search for routers begins.
func (a *autoconf) own(now event.Time, m *madeAddr) {
	i := a.iface
	m.flags &^= IFA_F_TENTATIVE
	m.at = 0
	i.Addrs = append(i.Addrs, m.Addr)
	i.stack.changes++
	if !m.IP.IsLinkLocal() {
		return
	}
	i.stack.AddRoute(Route{Dst: m.network(), Bits: m.Bits, Iface: i, Source: m.IP})
	a.linked(now)
}

// linked begins what needs a link-local address.
func (a *autoconf) linked(now event.Time) {
	if conf := &a.iface.stack.Sysctl.IPv6; a.takes() && conf.RouterSolicitations != 0 && !a.heard {
		a.asked, a.askAt, a.wait = 0, now, a.jitter(conf.RtrSolicitInterval)
	}
	if a.advert != nil {
		a.advertAt = now
	}
}

// takes tells whether router advertisements are for this host (ipv6_accept_ra).
func (a *autoconf) takes() bool {
	s := &a.iface.stack.Sysctl
	return s.IPv6.AcceptRA == 2 || s.IPv6.AcceptRA == 1 && !s.Forwarding
}

// jitter is a time, a tenth more or less (RFC 7559 section 2).
func (a *autoconf) jitter(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(a.iface.stack.rand.Int64N(int64(d/5)+1))
}

// schedule sets the event to the earliest time that something is due at.
func (a *autoconf) schedule() {
	at := never
	sooner := func(t event.Time) {
		if t != 0 {
			at = min(at, t)
		}
	}
	for _, m := range a.made {
		sooner(m.at)
		if m.flags&(IFA_F_TENTATIVE|IFA_F_DEPRECATED) == 0 {
			sooner(m.preferred)
		}
		sooner(m.valid)
	}
	for _, r := range a.routes {
		sooner(r.until)
	}
	sooner(a.askAt)
	sooner(a.advertAt)
	a.iface.stack.loop.Cancel(&a.Event)
	if at != never {
		a.iface.stack.schedule(at, &a.Event)
	}
}

// Handle implements event.Handler: it does what is due.
func (a *autoconf) Handle(now event.Time, _ any) {
	s := a.iface.stack
	s.begin(now)
	defer s.host.Unlock()
	if a.iface.Up {
		a.run(now)
	}
	s.host.Pending = false
}

func (a *autoconf) run(now event.Time) {
	for _, m := range slices.Clone(a.made) {
		switch {
		case m.valid <= now:
			a.drop(m)
		case m.at != 0 && m.at <= now && m.probes > 0:
			m.probes--
			m.at = now.Add(a.iface.stack.Sysctl.NeighbourRetrans)
			a.probe(m.IP)
		case m.at != 0 && m.at <= now:
			a.own(now, m)
		case m.preferred <= now && m.flags&IFA_F_DEPRECATED == 0:
			a.deprecate(m, true)
		}
	}
	a.routes = slices.DeleteFunc(a.routes, func(r madeRoute) bool {
		if r.until <= now {
			a.iface.stack.removeRoute(r.Route)
		}
		return r.until <= now
	})
	if a.askAt != 0 && a.askAt <= now {
		a.solicitRouters(now)
	}
	if a.advertAt != 0 && a.advertAt <= now {
		a.advertise(now)
	}
	a.schedule()
}

// probe asks whether anybody has an address (RFC 4862 section 5.4.2).
func (a *autoconf) probe(ip wire.Addr) {
	m := wire.NeighborSolicit{Target: ip}
	b := make([]byte, m.Len())
	m.Put(b)
	a.iface.sendND(b, wire.Addr{}, ip.SolicitedNode(), ip.SolicitedNode().MulticastMAC())
}

// solicitRouters asks for routers once more (RFC 7559, addrconf_rs_timer).
func (a *autoconf) solicitRouters(now event.Time) {
	conf := &a.iface.stack.Sysctl.IPv6
	src, ok := a.iface.source(allRouters)
	if !ok || !src.IsLinkLocal() {
		a.askAt = 0
		return
	}
	m := wire.RouterSolicit{Options: wire.NDPOptions{Set: wire.OptSourceMAC, Source: a.iface.props.Hardware}}
	b := make([]byte, m.Len())
	m.Put(b)
	a.iface.sendND(b, src, allRouters, allRouters.MulticastMAC())
	a.asked++
	if a.asked == conf.RouterSolicitations {
		a.askAt = 0
		return
	}
	a.askAt = now.Add(a.wait)
	if a.wait = a.jitter(2 * a.wait); a.wait > conf.RtrSolicitMaxInterval {
		a.wait = a.jitter(conf.RtrSolicitMaxInterval)
	}
}

// conflict is a sign that somebody else has an address: true if it is one that is being asked for
// (addrconf_dad_failure). One that was made of a secret is made again.
func (i *Iface) conflict(ip wire.Addr) bool {
	if i.auto == nil {
		return false
	}
	for _, m := range i.auto.made {
		if m.IP == ip && m.flags&IFA_F_TENTATIVE != 0 {
			m.at = 0
			m.flags |= IFA_F_DADFAILED
			if m.flags&IFA_F_STABLE_PRIVACY != 0 && m.collisions < idgenRetries {
				i.auto.drop(m)
				m.collisions++
				i.auto.make(i.stack.loop.Now().Add(idgenDelay), m)
			}
			i.auto.schedule()
			return true
		}
	}
	return false
}

// How often another address is made of a secret (idgen_retries), and how long that waits (idgen_delay).
const (
	idgenRetries = 3
	idgenDelay   = time.Second
)

// tentative tells whether the interface would have the address, if nobody else does.
func (i *Iface) tentative(group wire.Addr) bool {
	return i.auto != nil && slices.ContainsFunc(i.auto.made, func(m *madeAddr) bool {
		return m.flags&IFA_F_TENTATIVE != 0 && m.IP.SolicitedNode() == group
	})
}

// deprecate notes that an address is, or is not, to be used for new connections.
func (a *autoconf) deprecate(m *madeAddr, yes bool) {
	if m.flags &^= IFA_F_DEPRECATED; yes {
		m.flags |= IFA_F_DEPRECATED
	}
	for n := range a.iface.Addrs {
		if a.iface.Addrs[n].IP == m.IP {
			a.iface.Addrs[n].deprecated = yes
		}
	}
	a.iface.stack.changes++
}

// drop takes an address away.
func (a *autoconf) drop(m *madeAddr) {
	a.made = slices.DeleteFunc(a.made, func(other *madeAddr) bool { return other == m })
	a.iface.Addrs = slices.DeleteFunc(a.iface.Addrs, func(other Addr) bool { return other.IP == m.IP })
	a.iface.stack.changes++
}

// An AddrInfo is an address as ip-address(8) shows it.
type AddrInfo struct {
	Addr
	Flags            AddrFlags
	Valid, Preferred time.Duration // that are left; wire.Infinite: it has no end
}

// AddrInfos are the interface's addresses, those that it may not use among them.
func (i *Iface) AddrInfos() (list []AddrInfo) {
	now := i.stack.loop.Now()
	for _, a := range i.Addrs {
		if i.auto == nil || !slices.ContainsFunc(i.auto.made, func(m *madeAddr) bool { return m.IP == a.IP }) {
			list = append(list, AddrInfo{a, IFA_F_PERMANENT, wire.Infinite, wire.Infinite})
		}
	}
	left := func(t event.Time) time.Duration {
		if t == never {
			return wire.Infinite
		}
		return max(0, t.Sub(now))
	}
	if i.auto != nil {
		for _, m := range i.auto.made {
			list = append(list, AddrInfo{m.Addr, m.flags, left(m.valid), left(m.preferred)})
		}
	}
	return list
}
