package stack

import (
	"errors"
	"net/netip"
	"strconv"

	"sockeye/link"
	"sockeye/nat"
	"sockeye/stack/inet"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// An Interface is a link's end that is plugged into a host, and the addresses that the
// host has there.
type Interface struct {
	Name  string
	Port  link.Port
	Addrs []netip.Prefix
	// TProxy, if not 0, is the port of sockets with IP_TRANSPARENT that take what comes in for other hosts:
	// see inet.Iface.
	TProxy uint16
	// NAT, if not nil, makes the host a translator between what is at the other interfaces and what is at
	// this one, the outside: IPv4 packets that it forwards out of it get one of its addresses there. IPv6 is forwarded as it
	// is.
	NAT *nat.Config
	// Advertise is what the host tells on the link as an IPv6 router, once the interface has a link-local address; nil:
	// nothing.
	Advertise *inet.Advertisement
}

// A Route says where packets for a network go: to a gateway, or with none straight to
// the receiver on an interface. With a gateway the interface may be left out.
type Route struct {
	Dst       netip.Prefix // 0.0.0.0/0 and ::/0 are everything
	Gateway   netip.Addr
	Interface string
	Metric    int
	MTU       int // 0: the interface's
}

// attach plugs in the interfaces of c, and adds its routes.
func (h *Host) attach(c Config) {
	for _, i := range c.Interfaces {
		iface := h.inet.AddIface(i.Name, i.Port)
		iface.TProxy = i.TProxy
		for _, a := range i.Addrs {
			iface.AddAddr(wire.AddrFromNetip(a.Addr()), a.Bits())
		}
		if i.NAT != nil {
			if err := iface.SetNAT(*i.NAT); err != nil {
				panic(err)
			}
		}
		if i.Advertise != nil {
			iface.Advertise(*i.Advertise)
		}
		iface.Begin()
	}
	for _, r := range c.Routes {
		if err := h.addRoute(r); err != nil {
			panic(err)
		}
	}
}

// AddRoute adds a route, like ip-route(8).
func (h *Host) AddRoute(r Route) error {
	h.sock.Lock()
	defer h.sock.Unlock()
	return h.addRoute(r)
}

func (h *Host) addRoute(r Route) error {
	add := inet.Route{Dst: wire.AddrFromNetip(r.Dst.Masked().Addr()), Bits: r.Dst.Bits(), Metric: r.Metric, MTU: r.MTU}
	if r.Gateway.IsValid() {
		add.Gateway = wire.AddrFromNetip(r.Gateway)
	}
	if r.Interface != "" {
		add.Iface = h.inet.IfaceByName(r.Interface)
	} else if r.Gateway.IsValid() {
		add.Iface = h.inet.Towards(add.Gateway)
	}
	if add.Iface == nil {
		return errors.New("stack: route to " + r.Dst.String() + " by way of " + r.Gateway.String() + ": host " + h.name + " has no interface that leads there")
	}
	h.inet.AddRoute(add)
	return nil
}

// AddAddr gives an interface one more address, and the host a route to its network, like
// ip-address(8). The error says that the host has no such interface.
func (h *Host) AddAddr(name string, addr netip.Prefix) error {
	return h.change(name, func(i *inet.Iface) { i.AddAddr(wire.AddrFromNetip(addr.Addr()), addr.Bits()) })
}

// SetUp takes an interface up or down, like ip-link(8). A host neither sends nor receives through one
// that is down, forgets the neighbours there, and takes routes that lead elsewhere. Other than on Linux,
// addresses and routes are kept for when it is up again.
func (h *Host) SetUp(name string, up bool) error {
	return h.change(name, func(i *inet.Iface) { i.SetUp(up) })
}

func (h *Host) change(name string, f func(*inet.Iface)) error {
	h.sock.Lock()
	defer h.sock.Leave()
	i := h.inet.IfaceByName(name)
	if i == nil {
		return noInterface(h.name, name)
	}
	f(i)
	return nil
}

func noInterface(host, name string) error {
	return errors.New("stack: host " + host + " has no interface " + strconv.Quote(name))
}

// Counters are the counters of the Internet layer (netstat -s).
func (h *Host) Counters() inet.Counters {
	h.sock.Lock()
	defer h.sock.Unlock()
	return h.inet.Snapshot()
}

// A Neighbour is a host on an Ethernet, as ip-neighbour(8) shows it.
type Neighbour struct {
	Interface string
	IP        netip.Addr
	Hardware  [6]byte
	State     inet.NeighbourState
}

// Neighbours are those of all interfaces.
func (h *Host) Neighbours() (list []Neighbour) {
	h.sock.Lock()
	defer h.sock.Unlock()
	for _, i := range h.inet.Ifaces() {
		for _, n := range i.Neighbours() {
			list = append(list, Neighbour{i.Name, n.IP.Netip(), n.MAC, n.State})
		}
	}
	return list
}

// ListSockets is what ss(8) shows of the sockets: those of AF_INET and AF_INET6, then those of AF_UNIX.
func (h *Host) ListSockets() []sock.SocketInfo {
	h.sock.Lock()
	defer h.sock.Unlock()
	return append(h.inet.Sockets(), h.unix.Sockets()...)
}

// Interfaces are the host's interfaces with their addresses, by index; the first is lo.
func (h *Host) Interfaces() (list []Interface) {
	h.sock.Lock()
	defer h.sock.Unlock()
	for _, i := range h.inet.Ifaces() {
		add := Interface{Name: i.Name, Port: i.Port(), TProxy: i.TProxy}
		for _, a := range i.Addrs {
			add.Addrs = append(add.Addrs, a.Netip())
		}
		list = append(list, add)
	}
	return list
}

// An Address is an address of an interface, as ip-address(8) shows it.
type Address struct {
	Interface string
	Prefix    netip.Prefix
	inet.AddrInfo
}

// Addresses are those of all interfaces, also those that are not, or no longer, used.
func (h *Host) Addresses() (list []Address) {
	h.sock.Lock()
	defer h.sock.Unlock()
	for _, i := range h.inet.Ifaces() {
		for _, a := range i.AddrInfos() {
			list = append(list, Address{i.Name, a.Netip(), a})
		}
	}
	return list
}

// addrs are the host's addresses, or those of lo if there are no others.
func (h *Host) addrs() (list []string) {
	all := h.Interfaces()
	if len(all) > 1 {
		all = all[1:]
	}
	for _, i := range all {
		for _, a := range i.Addrs {
			list = append(list, a.Addr().String())
		}
	}
	return list
}

// Routes is the routing table, in the order in which it is looked up.
func (h *Host) Routes() (list []Route) {
	h.sock.Lock()
	defer h.sock.Unlock()
	for _, r := range h.inet.Routes() {
		add := Route{Dst: netip.PrefixFrom(r.Dst.Netip(), r.Bits), Interface: r.Iface.Name, Metric: r.Metric, MTU: r.MTU}
		if !r.Gateway.IsUnspecified() {
			add.Gateway = r.Gateway.Netip()
		}
		list = append(list, add)
	}
	return list
}
