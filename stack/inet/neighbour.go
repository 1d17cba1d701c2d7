package inet

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"sockeye/event"
	"sockeye/packet"
	"sockeye/wire"
)

// A NeighbourState is what is known of a neighbour's reachability (RFC 4861 section
// 7.3.2), for ARP as well.
type NeighbourState uint8

// The states, in the names of ip-neighbour(8).
const (
	INCOMPLETE NeighbourState = iota
	REACHABLE
	STALE
	DELAY
	PROBE
	FAILED
)

var stateNames = [...]string{"INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED"}

// String is the name that ip-neighbour(8) has.
func (s NeighbourState) String() string { return stateNames[s] }

// Times and bounds of neighbours (arp(7), RFC 4861 section 10).
const (
	reachableTime = 30 * time.Second
	delayTime     = 5 * time.Second
	maxWaiting    = 212992 // bytes of packets for one neighbour: neigh/*/unres_qlen_bytes
	maxNeighbours = 1024   // of one interface: gc_thresh3
)

// A neighbour is a host on the same Ethernet.
type neighbour struct {
	event.Event
	ip      wire.Addr
	mac     wire.MAC
	state   NeighbourState
	probes  int
	since   event.Time // of the state
	waiting []*packet.Packet
	bytes   int // that they take
}

// A Neighbour is what ip-neighbour(8) shows.
type Neighbour struct {
	Iface *Iface
	IP    wire.Addr
	MAC   wire.MAC
	State NeighbourState
}

// Neighbours are the interface's neighbours, by address.
func (i *Iface) Neighbours() []Neighbour {
	var list []Neighbour
	for _, n := range i.neighbours {
		list = append(list, Neighbour{i, n.ip, n.mac, n.state})
	}
	slices.SortFunc(list, func(a, b Neighbour) int { return cmp.Compare(a.IP.String(), b.IP.String()) })
	return list
}

// sendFrame sends an IP packet to a neighbour, or lets it wait until that one's
// hardware address is known.
func (i *Iface) sendFrame(p *packet.Packet, next wire.Addr, c cast) {
	switch c {
	case multicast:
		i.frame(p, next.MulticastMAC(), next)
		return
	case broadcast:
		i.frame(p, wire.BroadcastMAC, next)
		return
	}
	n := i.neighbour(next)
	now := i.stack.loop.Now()
	switch n.state {
	case INCOMPLETE, FAILED:
		if n.state == FAILED {
			n.probes = 0
			i.solicit(n)
		}
		n.bytes += charge(p.Len())
		for n.bytes > maxWaiting && len(n.waiting) > 0 { // the oldest goes
			i.stack.Counters.UnresolvedDiscards++
			n.bytes -= charge(n.waiting[0].Len())
			n.waiting[0].Release()
			n.waiting = n.waiting[1:]
		}
		n.waiting = append(n.waiting, p)
		return
	case REACHABLE:
		if now.Sub(n.since) > reachableTime {
			n.state = STALE
		}
	}
	if n.state == STALE {
		n.state, n.since, n.probes = DELAY, now, 0
		i.stack.schedule(now.Add(delayTime), &n.Event)
	}
	i.frame(p, n.mac, next)
}

// frame adds the Ethernet header and leaves the packet at the link.
func (i *Iface) frame(p *packet.Packet, to wire.MAC, next wire.Addr) {
	typ := wire.ETH_P_IP
	if !next.Is4() {
		typ = wire.ETH_P_IPV6
	}
	i.putFrame(p, to, typ)
}

func (i *Iface) putFrame(p *packet.Packet, to wire.MAC, typ wire.EtherType) {
	wire.Ethernet{Dst: to, Src: i.props.Hardware, Type: typ}.Put(p.Push(wire.EthernetLen))
	i.stack.host.Pending = true
	if p.Told != nil {
		i.tellSent(p)
	}
	i.port.Send(p)
}

// neighbour finds the neighbour, or begins to ask for it.
func (i *Iface) neighbour(ip wire.Addr) *neighbour {
	if n := i.neighbours[ip]; n != nil {
		return n
	}
	if len(i.neighbours) >= maxNeighbours {
		i.collect()
	}
	n := &neighbour{ip: ip, since: i.stack.loop.Now()}
	n.Handler, n.Arg = (*neighbourTimer)(i), n
	i.neighbours[ip] = n
	i.solicit(n)
	return n
}

// collect makes room when there are too many neighbours (neigh_forced_gc). It forgets several at once, so that a
// flood does not cost a look at all of them for each packet: first those that have not answered, then those
// that are stale, and of others only one.
func (i *Iface) collect() {
	i.stack.Counters.NeighForcedCollections++
	all := slices.SortedFunc(maps.Keys(i.neighbours), func(x, y wire.Addr) int {
		a, b := i.neighbours[x], i.neighbours[y]
		return cmp.Or(cmp.Compare(a.worth(), b.worth()), cmp.Compare(a.since, b.since), x.Netip().Compare(y.Netip()))
	})
	for k, ip := range all[:maxNeighbours/8] {
		n := i.neighbours[ip]
		if k > 0 && n.worth() == inUse {
			break
		}
		i.forget(n)
	}
}

// worth says how much there is to lose with the entry.
func (n *neighbour) worth() int {
	switch n.state {
	case FAILED, INCOMPLETE:
		return 0
	case STALE:
		return 1
	}
	return inUse
}

const inUse = 2

func (i *Iface) forget(n *neighbour) {
	i.stack.loop.Cancel(&n.Event)
	for _, p := range n.waiting {
		p.Release()
	}
	delete(i.neighbours, n.ip)
}

func (i *Iface) forgetNeighbours() {
	for _, n := range i.neighbours {
		i.forget(n)
	}
}

// solicit asks for the neighbour's hardware address once more: everybody if it is not
// known, else itself.
func (i *Iface) solicit(n *neighbour) {
	n.probes++
	if n.state == FAILED {
		n.state = INCOMPLETE
	}
	i.stack.schedule(i.stack.loop.Now().Add(i.stack.Sysctl.NeighbourRetrans), &n.Event)
	src, ok := i.source(n.ip)
	if !ok {
		return
	}
	to := wire.BroadcastMAC
	if !n.ip.Is4() {
		to = n.ip.SolicitedNode().MulticastMAC()
	}
	if n.state == PROBE {
		to = n.mac
	}
	if n.ip.Is4() {
		i.sendARP(wire.ARP{Op: wire.ARPOP_REQUEST, SenderMAC: i.props.Hardware, SenderIP: src, TargetIP: n.ip}, to)
		return
	}
	dst := n.ip
	if n.state != PROBE {
		dst = n.ip.SolicitedNode()
	}
	m := wire.NeighborSolicit{Target: n.ip, Options: wire.NDPOptions{Set: wire.OptSourceMAC, Source: i.props.Hardware}}
	b := make([]byte, m.Len())
	m.Put(b)
	i.sendND(b, src, dst, to)
}

func (i *Iface) sendARP(a wire.ARP, to wire.MAC) {
	p := packet.NewPacket()
	p.Sum = packet.SumGood
	a.Put(p.Push(wire.ARPLen))
	i.putFrame(p, to, wire.ETH_P_ARP)
}

// sendND sends a message of neighbour discovery.
func (i *Iface) sendND(message []byte, src, dst wire.Addr, to wire.MAC) {
	wire.FillICMPv6(message, wire.PseudoSum(src, dst, wire.IPPROTO_ICMPV6, len(message)))
	p := packet.NewPacket()
	p.Sum = packet.SumGood
	copy(p.Push(len(message)), message)
	i.stack.Counters.ICMP6.sent(message[0])
	i.stack.putHeader(p, &header{src: src, dst: dst, proto: wire.IPPROTO_ICMPV6, ttl: wire.NDPHopLimit}, len(message))
	i.putFrame(p, to, wire.ETH_P_IPV6)
}

// neighbourTimer is an Iface whose neighbours' times have come.
type neighbourTimer Iface

// Handle implements event.Handler.
func (t *neighbourTimer) Handle(now event.Time, arg any) {
	i, n := (*Iface)(t), arg.(*neighbour)
	s := i.stack
	s.host.Lock()
	defer s.host.Unlock()
	if i.neighbours[n.ip] != n {
		return
	}
	switch n.state {
	case DELAY:
		n.state, n.probes = PROBE, 0
		i.solicit(n)
	case INCOMPLETE, PROBE:
		if n.probes < s.Sysctl.NeighbourProbes {
			i.solicit(n)
			break
		}
		n.state, n.since = FAILED, now
		waiting := n.waiting
		n.waiting, n.bytes = nil, 0
		for _, p := range waiting {
			s.undeliverable(p, i)
		}
	}
	s.host.Pending = false
}

// learn notes a neighbour's hardware address, and sends what waited for it. An answer
// that was asked for confirms that it is reachable.
func (i *Iface) learn(ip wire.Addr, mac wire.MAC, confirmed, override bool) {
	n := i.neighbours[ip]
	if n == nil {
		return
	}
	now := i.stack.loop.Now()
	unknown := n.state == INCOMPLETE || n.state == FAILED
	changed := n.mac != mac
	switch {
	case !unknown && changed && !override:
		if n.state == REACHABLE {
			n.state, n.since = STALE, now
		}
		return
	case confirmed:
		n.state = REACHABLE
	case unknown || changed:
		n.state = STALE
	default:
		return
	}
	n.mac, n.since, n.probes = mac, now, 0
	i.stack.loop.Cancel(&n.Event)
	waiting := n.waiting
	n.waiting, n.bytes = nil, 0
	for _, p := range waiting {
		i.frame(p, mac, ip)
	}
}

// meet makes an entry for who asked for this host, since it will be answered.
func (i *Iface) meet(ip wire.Addr, mac wire.MAC) {
	if i.neighbours[ip] == nil && len(i.neighbours) < maxNeighbours {
		n := &neighbour{ip: ip, mac: mac, state: STALE, since: i.stack.loop.Now()}
		n.Handler, n.Arg = (*neighbourTimer)(i), n
		i.neighbours[ip] = n
		return
	}
	i.learn(ip, mac, false, true)
}

// takeFrame takes the Ethernet header off. It is ok for an IP packet that is for this
// station, or for many.
func (i *Iface) takeFrame(p *packet.Packet) (toMany, ok bool) {
	h, _, err := wire.ParseEthernet(p.Header())
	if err != nil || h.VLAN() != 0 || h.Dst != i.props.Hardware && !h.Dst.IsGroup() {
		p.Release()
		return false, false
	}
	p.Pull(h.Len())
	switch c := &i.stack.Counters; h.Type {
	case wire.ETH_P_IP:
		if wire.Version(p.Header()) == 4 {
			return h.Dst.IsGroup(), true
		}
		c.IP.InReceives++
		c.IP.InHdrErrors++
	case wire.ETH_P_IPV6:
		if wire.Version(p.Header()) == 6 {
			return h.Dst.IsGroup(), true
		}
		c.IP6.InReceives++
		c.IP6.InHdrErrors++
	case wire.ETH_P_ARP:
		i.arpInput(p)
	}
	p.Release()
	return false, false
}

// arpInput is RFC 826's packet reception.
func (i *Iface) arpInput(p *packet.Packet) {
	a, err := wire.ParseARP(p.Header())
	if err != nil || a.SenderMAC.IsGroup() || a.SenderIP.IsMulticast() || i.has(a.SenderIP) {
		return
	}
	mine := i.has(a.TargetIP)
	if a.Op == wire.ARPOP_REPLY {
		i.learn(a.SenderIP, a.SenderMAC, true, true)
		return
	}
	i.learn(a.SenderIP, a.SenderMAC, false, true)
	if !mine {
		return
	}
	if !a.SenderIP.IsUnspecified() { // that would be a probe (RFC 5227)
		i.meet(a.SenderIP, a.SenderMAC)
	}
	i.sendARP(wire.ARP{
		Op: wire.ARPOP_REPLY, SenderMAC: i.props.Hardware, SenderIP: a.TargetIP,
		TargetMAC: a.SenderMAC, TargetIP: a.SenderIP,
	}, a.SenderMAC)
}

// solicited answers a neighbour solicitation (RFC 4861 section 7.2.3).
func (i *Iface) solicited(b []byte, h *header) {
	m, err := wire.ParseNeighborSolicit(b)
	if err == nil && h.src.IsUnspecified() && i.conflict(m.Target) { // somebody asks for the same
		return
	}
	if err != nil || !i.has(m.Target) || !i.props.Ethernet {
		return
	}
	probe := h.src.IsUnspecified() // duplicate address detection (RFC 4862)
	if probe && (h.dst != m.Target.SolicitedNode() || m.Options.Has(wire.OptSourceMAC)) {
		return
	}
	answer := wire.NeighborAdvert{Target: m.Target, Router: i.stack.Sysctl.Forwarding, Solicited: true}
	if h.cast == multicast {
		answer.Override = true
		answer.Options = wire.NDPOptions{Set: wire.OptTargetMAC, Target: i.props.Hardware}
	}
	dst, to := h.src, m.Options.Source
	switch {
	case probe:
		answer.Solicited = false
		dst = allNodes
		to = allNodes.MulticastMAC()
	case m.Options.Has(wire.OptSourceMAC):
		i.meet(h.src, m.Options.Source)
	default:
		n := i.neighbours[h.src]
		if n == nil || n.mac.IsZero() {
			return
		}
		to = n.mac
	}
	reply := make([]byte, answer.Len())
	answer.Put(reply)
	i.sendND(reply, m.Target, dst, to)
}

// advertised takes a neighbour advertisement (section 7.2.5).
func (i *Iface) advertised(b []byte) {
	m, err := wire.ParseNeighborAdvert(b)
	if err == nil && i.conflict(m.Target) {
		return
	}
	if err != nil || i.has(m.Target) {
		return
	}
	mac := m.Options.Target
	if !m.Options.Has(wire.OptTargetMAC) { // it answers what was sent to the address that is known
		if n := i.neighbours[m.Target]; n != nil {
			mac = n.mac
		}
	}
	if !mac.IsZero() {
		i.learn(m.Target, mac, m.Solicited, m.Override)
	}
}
