package inet

import (
	"net/netip"

	"sockeye/event"
	"sockeye/link"
	"sockeye/nat"
	"sockeye/packet"
	"sockeye/wire"
)

// An Iface is an interface of a host: a link's end that is plugged in.
type Iface struct {
	Index int
	Name  string
	MTU   int
	Up    bool
	Addrs []Addr
	// TProxy, if not 0, makes everything that comes in for other hosts this host's own. What is of TCP or
	// UDP and belongs to no connection, or connected socket, is for the sockets with IP_TRANSPARENT on this
	// port. It is what these give a Linux host (tproxy.rst in its documentation):
	//
	//	iptables -t mangle -A PREROUTING -i NAME ! -d OWN -j TPROXY --on-port PORT
	//	ip rule add iif NAME lookup 100; ip route add local default dev lo table 100
	TProxy uint16
	// NAT, if not nil, translates the addresses of IPv4 packets that are forwarded out of this interface, and of what
	// comes in for them: see SetNAT.
	NAT *nat.Table

	stack      *Stack
	port       link.Port
	loops      bool // what is sent comes back within the call: lo
	props      link.Properties
	neighbours map[wire.Addr]*neighbour
	auto       *autoconf             // its own addresses and routers; nil: it looks for none
	mtu6       int                   // of IPv6, as routers tell; 0: MTU
	groups     map[wire.Addr]int     // how many sockets are in each
	due        map[wire.Addr]*report // of groups, later
}

// An Addr is an address of an interface, with the prefix of the network that is
// reached through it.
type Addr struct {
	IP   wire.Addr
	Bits int

	deprecated bool      // others are preferred
	broadcast  wire.Addr // of the network (RFC 919); the zero Addr: it has none
}

// Netip is the address and its network as package netip has them.
func (a Addr) Netip() netip.Prefix { return netip.PrefixFrom(a.IP.Netip(), a.Bits) }

// contains tells whether ip is in the address's network.
func (a Addr) contains(ip wire.Addr) bool {
	return a.IP.Is4() == ip.Is4() && a.IP.CommonPrefix(ip) >= a.Bits
}

// broadcastOf is the broadcast address of a network, if it has one.
func broadcastOf(ip wire.Addr, bits int) wire.Addr {
	if !ip.Is4() || bits > 30 {
		return wire.Addr{}
	}
	b := ip.As4()
	for bit := bits; bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return wire.AddrFrom4(b)
}

// AddIface plugs a link's end into the host. The interface is up, and has no
// address yet.
func (s *Stack) AddIface(name string, port link.Port) *Iface {
	i := &Iface{Index: len(s.ifaces) + 1, Name: name, Up: true, stack: s, port: port, props: port.Properties(),
		neighbours: make(map[wire.Addr]*neighbour), groups: make(map[wire.Addr]int), due: make(map[wire.Addr]*report)}
	i.MTU = i.props.MTU
	s.ifaces = append(s.ifaces, i)
	port.Attach(i)
	return i
}

// Port is the link's end.
func (i *Iface) Port() link.Port { return i.port }

// Ifaces are the host's interfaces, by index.
func (s *Stack) Ifaces() []*Iface { return s.ifaces }

// Iface is the interface of an index; nil: there is none.
func (s *Stack) Iface(index int) *Iface {
	if index < 1 || index > len(s.ifaces) {
		return nil
	}
	return s.ifaces[index-1]
}

// IfaceByName is the interface of a name; nil: there is none.
func (s *Stack) IfaceByName(name string) *Iface {
	for _, i := range s.ifaces {
		if i.Name == name {
			return i
		}
	}
	return nil
}

// AddAddr gives the interface an address, and the host a route to its network.
func (i *Iface) AddAddr(ip wire.Addr, bits int) {
	a := Addr{IP: ip, Bits: bits, broadcast: broadcastOf(ip, bits)}
	i.Addrs = append(i.Addrs, a)
	i.outside()
	i.stack.changes++
	if !i.props.Loopback {
		i.stack.AddRoute(Route{Dst: a.network(), Bits: bits, Iface: i, Source: ip})
	}
}

// SetUp takes the interface up, and reports the groups that the host is in, or down.
func (i *Iface) SetUp(up bool) {
	switch {
	case i.Up == up:
	case up:
		i.Up = true
		for _, group := range i.joined() {
			i.report(group, wire.IGMPV3_CHANGE_TO_EXCLUDE)
		}
		if i.auto != nil {
			i.auto.schedule()
		}
	default:
		i.Up = false
		i.forgetNeighbours()
	}
}

// network is the address with its host part cleared.
func (a Addr) network() wire.Addr {
	p, err := a.IP.Netip().Prefix(a.Bits)
	if err != nil {
		return a.IP
	}
	return wire.AddrFromNetip(p.Addr())
}

// Receive takes a packet that came out of the interface's link.
func (i *Iface) Receive(now event.Time, p *packet.Packet) {
	s := i.stack
	s.begin(now)
	defer s.host.Unlock()
	if !i.Up {
		p.Release()
		return
	}
	toMany := false
	if i.props.Ethernet {
		var ok bool
		if toMany, ok = i.takeFrame(p); !ok {
			return
		}
	}
	s.input(i, p, toMany, false)
	s.host.Pending = false // the loop that called carries it
}

// deliverLooped takes what was sent to lo where it goes. It saves what a link costs, its loop and
// the host's lock, and needs no more than a queue: the host that sends is the one that receives.
func (s *Stack) deliverLooped() {
	lo := s.ifaces[0]
	for n := 0; n < len(s.looped) || len(s.tcp.looped) > 0; {
		s.deliverSegments()
		if n == len(s.looped) {
			break
		}
		p := s.looped[n]
		s.looped[n] = nil
		n++
		if lo.Up {
			s.input(lo, p, false, false)
		} else {
			p.Release()
		}
	}
	s.looped, s.host.Looped = s.looped[:0], false
	s.tcp.setTimers()
}

// Handle implements event.Handler: a copy of what the host sent to a group, or to
// everybody, comes back through the interface that it left by.
func (i *Iface) Handle(now event.Time, arg any) {
	s := i.stack
	s.begin(now)
	defer s.host.Unlock()
	s.input(i, arg.(*packet.Packet), true, true)
	s.host.Pending = false
}

// has tells whether the address is the interface's. All of 127.0.0.0/8 is lo's.
func (i *Iface) has(ip wire.Addr) bool {
	for _, a := range i.Addrs {
		if a.IP == ip || i.props.Loopback && ip.Is4() && a.contains(ip) {
			return true
		}
	}
	return false
}

// local finds the interface that has the address.
func (s *Stack) local(ip wire.Addr) *Iface {
	for _, i := range s.ifaces {
		if i.has(ip) {
			return i
		}
	}
	return nil
}

// source chooses the interface's address to send from to dst: itself, one of the same
// network, or else one of the same scope, or else the first (RFC 6724 in short).
func (i *Iface) source(dst wire.Addr) (wire.Addr, bool) {
	linkLocal := dst.IsLinkLocal() || dst.IsLinkLocalMulticast()
	var found wire.Addr
	best := 0
	for _, a := range i.Addrs {
		rank := 2
		switch {
		case a.IP.Is4() != dst.Is4():
			continue
		case a.IP == dst:
			return dst, true
		case a.contains(dst):
			rank = 6
		case a.IP.IsLinkLocal() == linkLocal:
			rank = 4
		}
		if a.deprecated {
			rank--
		}
		if rank > best {
			found, best = a.IP, rank
		}
	}
	return found, best > 0
}

// indexOf and nameOf are for SO_BINDTODEVICE; 0 and "" are none.
func (s *Stack) indexOf(name string) int {
	if i := s.IfaceByName(name); i != nil {
		return i.Index
	}
	return 0
}

func (s *Stack) nameOf(index int) string {
	if i := s.Iface(index); i != nil {
		return i.Name
	}
	return ""
}
