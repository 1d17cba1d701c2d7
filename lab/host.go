package lab

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"sockeye"
	"sockeye/nat"
	"sockeye/stack"
	"sockeye/stack/inet"
)

// A Host is a host in pure Go with a name, which all others can look up.
type Host struct {
	net      *Network
	name     string
	number   int
	config   HostConfig
	plugs    []*plug // one for each link
	routes   []stack.Route
	programs []func()

	tells   bool          // names
	lookups atomic.Uint32 // that were sent to a name server

	mu      sync.Mutex
	stack   *stack.Host
	boots   uint64
	outside *outside // who has its place; nil: nobody
}

// A HostConfig says what a host is like. The zero HostConfig is a host whose programs may do
// everything, with addresses that the network hands out.
type HostConfig struct {
	// Addrs are the addresses, one or more for each link in the order of the calls of Link;
	// each with the network that the link or switch then is. A link whose network
	// none of its hosts has an address in gets one of its own.
	Addrs []netip.Prefix
	// Forward makes a router of the host.
	Forward bool
	// NAT, if not nil, makes a router of the host that translates IPv4 addresses. Its first link leads outside, the
	// others inside: hosts there have a route out, and those outside none in. IPv6 does not pass it.
	NAT *nat.Config
	// DNS makes Dial and its like ask the name servers for names, as Resolver does. Without it they find them
	// in a table of the host's own.
	DNS bool
	// Unprivileged programs may not do what Linux asks capabilities for.
	Unprivileged bool
	// Inet are the settings in net.ipv4 and net.ipv6; nil: those of a fresh Linux machine.
	Inet *inet.Sysctl
}

// Host adds a host.
func (n *Network) Host(name string) *Host { return n.HostWith(name, HostConfig{}) }

// Router adds a host that forwards packets between its links.
func (n *Network) Router(name string) *Host { return n.HostWith(name, HostConfig{Forward: true}) }

// NAT adds a host that translates addresses between its first link, which leads outside, and the others. The zero
// Config is a full cone; nat.Named has the other kinds. Its mappings are found at Stack().Mappings("eth0"), and last
// until it crashes.
func (n *Network) NAT(name string, c nat.Config) *Host { return n.HostWith(name, HostConfig{NAT: &c}) }

// HostWith adds a host with settings of its own.
func (n *Network) HostWith(name string, c HostConfig) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.name("host", name)
	if c.NAT != nil {
		if err := c.NAT.Check(); err != nil {
			panic(fmt.Sprintf("lab: host %s: %v", name, err))
		}
	}
	h := &Host{net: n, name: name, number: len(n.hosts), config: c}
	n.hosts = append(n.hosts, h)
	return h
}

// Name implements Node.
func (h *Host) Name() string { return h.name }

func (h *Host) network() *Network { return h.net }

// Network is what the host is part of.
func (h *Host) Network() *Network { return h.net }

// Addrs are the host's addresses, the IPv4 address before the IPv6 address of each link.
func (h *Host) Addrs() (list []netip.Addr) {
	h.net.start()
	for _, p := range h.plugs {
		for _, a := range p.addrs {
			list = append(list, a.Addr())
		}
	}
	return list
}

// Stack is the host as its administrator sees it. After a crash it is what there was of the
// host until Restart, which makes a new one.
func (h *Host) Stack() *stack.Host {
	h.net.start()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stack
}

// Sockets is the host as programs see it: the whole socket interface.
func (h *Host) Sockets() *sockeye.Host { return h.Stack().Sockets() }

// Dial connects, as net.Dial does.
func (h *Host) Dial(network, address string) (net.Conn, error) {
	return h.Sockets().Dial(network, address)
}

// DialContext connects, as the method of net.Dialer does.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return h.Sockets().DialContext(ctx, network, address)
}

// DialTCP connects by TCP: it is what grpc.WithContextDialer takes.
func (h *Host) DialTCP(ctx context.Context, address string) (net.Conn, error) {
	return h.DialContext(ctx, "tcp", address)
}

// Listen listens, as net.Listen does.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	return h.Sockets().Listen(network, address)
}

// MustListen is Listen for a test's first lines, where it cannot fail: it panics.
func (h *Host) MustListen(network, address string) net.Listener {
	l, err := h.Listen(network, address)
	if err != nil {
		panic(fmt.Sprintf("lab: host %s: %v", h.name, err))
	}
	return l
}

// ListenPacket receives datagrams, as net.ListenPacket does.
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	return h.Sockets().ListenPacket(network, address)
}

// Transport is what an http.Client on the host sends its requests by. It is a new one at
// each call, to be shared by the clients of a program.
func (h *Host) Transport() *http.Transport { return &http.Transport{DialContext: h.DialContext} }

// Program makes f a program of the host: it is called, in a goroutine of its own, when the network comes
// to life and whenever the host is restarted. It is to end when its sockets are closed by a crash.
func (h *Host) Program(f func()) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.net.running {
		panic(fmt.Sprintf("lab: the program of host %s comes too late: the network is in use already", h.name))
	}
	h.programs = append(h.programs, f)
}

// Crash ends the host as pulling its plug does: its sockets vanish, calls that wait on them
// give net.ErrClosed, and nothing tells its peers. They learn of it as in reality, by
// timing out, or by a reset after Restart. A crashed host is left as it is.
func (h *Host) Crash() {
	h.net.start()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stack != nil { // of a network that could not come to life there is none
		h.stack.Close()
	}
	if h.outside != nil {
		h.outside.unplug(h)
	}
}

// Restart brings a crashed host back, without any socket; one that runs is crashed first.
func (h *Host) Restart() {
	h.net.start()
	h.Crash()
	if !h.reconnect() {
		h.boot()
	}
}

// boot makes the host's stack.
func (h *Host) boot() {
	ip := inet.DefaultSysctl()
	if h.config.Inet != nil {
		ip = *h.config.Inet
	}
	ip.Forwarding = ip.Forwarding || h.config.Forward || h.config.NAT != nil
	c := stack.Config{
		Name: h.name, Loop: h.net.loop, Privileged: !h.config.Unprivileged, Inet: &ip,
		Lookup: h.lookup, Routes: h.routes,
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// Hosts, and the lives of one host, draw from generators of their own.
	c.Seed = mix(h.net.seed, uint64(h.number), h.boots)
	h.boots++
	for i, p := range h.plugs {
		c.Interfaces = append(c.Interfaces, stack.Interface{Name: interfaceName(i), Port: p, Addrs: p.addrs})
	}
	if h.config.NAT != nil && len(h.plugs) > 0 {
		behaviour := *h.config.NAT
		behaviour.Observe = (&translation{host: h, next: behaviour.Observe}).observe
		c.Interfaces[0].NAT = &behaviour
	}
	h.stack = stack.NewHost(c)
	if h.tells {
		h.net.serveNames(h.stack.Sockets())
	}
	for _, f := range h.programs {
		go f()
	}
}

// mix makes one seed of several numbers (SplitMix64's finaliser).
func mix(numbers ...uint64) (x uint64) {
	for _, n := range numbers {
		x += n + 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}
