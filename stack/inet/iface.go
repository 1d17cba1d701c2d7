package inet

import (
	"net/netip"

	"sockeye/event"
	"sockeye/link"
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

	stack *Stack
	port  link.Port
	props link.Properties
	arp   neighbours
}

// An Addr is an address of an interface, with the prefix of the network that is
// reached through it.
type Addr struct {
	IP   wire.Addr
	Bits int
}

// Netip is the address and its network as package netip has them.
func (a Addr) Netip() netip.Prefix { return netip.PrefixFrom(a.IP.Netip(), a.Bits) }

// contains tells whether ip is in the address's network.
func (a Addr) contains(ip wire.Addr) bool { return a.IP.Is4() == ip.Is4() && a.IP.CommonPrefix(ip) >= a.Bits }

// broadcast is the network's broadcast address (RFC 919), if it has one.
func (a Addr) broadcast() (wire.Addr, bool) {
	if !a.IP.Is4() || a.Bits > 30 {
		return wire.Addr{}, false
	}
	b := a.IP.As4()
	for bit := a.Bits; bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return wire.AddrFrom4(b), true
}

// AddIface plugs a link's end into the host. The interface is up, and has no
// address yet.
func (s *Stack) AddIface(name string, port link.Port) *Iface {
	i := &Iface{Index: len(s.ifaces) + 1, Name: name, Up: true, stack: s, port: port, props: port.Properties()}
	i.MTU = i.props.MTU
	s.ifaces = append(s.ifaces, i)
	port.Attach(i)
	return i
}

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
	a := Addr{ip, bits}
	i.Addrs = append(i.Addrs, a)
	if !i.props.Loopback {
		i.stack.AddRoute(Route{Dst: a.network(), Bits: bits, Iface: i, Source: ip})
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
	s.host.Lock()
	defer s.host.Unlock()
	if !i.Up {
		p.Release()
		return
	}
	if i.props.Ethernet && !i.takeFrame(p) {
		return
	}
	s.input(i, p)
}

// local finds the interface that has the address.
func (s *Stack) local(ip wire.Addr) *Iface {
	for _, i := range s.ifaces {
		for _, a := range i.Addrs {
			if a.IP == ip || i.props.Loopback && a.IP.Is4() && a.contains(ip) {
				return i
			}
		}
	}
	return nil
}

// source chooses the interface's address to send from to dst: one of the same
// network, or else the first of the family and scope (RFC 6724 in short).
func (i *Iface) source(dst wire.Addr) (wire.Addr, bool) {
	var found wire.Addr
	ok := false
	for _, a := range i.Addrs {
		if a.IP.Is4() != dst.Is4() {
			continue
		}
		if a.contains(dst) {
			return a.IP, true
		}
		if !ok || found.IsLinkLocal() && !dst.IsLinkLocal() && !a.IP.IsLinkLocal() {
			found, ok = a.IP, true
		}
	}
	return found, ok
}
