package stack

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/stack/inet"
	"sockeye/stack/sock"
	"sockeye/stack/unix"
)

// A Config says what a host is like. The zero Config is an unprivileged user's
// on a fresh machine.
type Config struct {
	Name        string              // in messages; "stack" if empty
	Privileged  bool                // may do what Linux asks capabilities for
	Credentials sockeye.Credentials // whom programs on it run as
	Sysctl      *sock.Sysctl        // net.core and net.unix; nil: DefaultSysctl
	Inet        *inet.Sysctl        // net.ipv4 and net.ipv6; nil: DefaultSysctl

	// Loop is the order of events of the network that the host is on; nil: one of
	// its own, for a host that has nothing but its loopback.
	Loop *event.Loop
	// Interfaces come behind lo, which every host has.
	Interfaces []Interface
	// Routes are added to those to the networks of the interfaces' addresses.
	Routes []Route
	// Hosts are the names that programs on the host can look up, besides its own and
	// localhost: what /etc/hosts has.
	Hosts map[string][]netip.Addr
	// Lookup, if not nil, is asked for other names. Its error is Dial's.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	// Seed decides ephemeral ports and all else that is drawn.
	Seed uint64
}

// A Host is a host in pure Go.
type Host struct {
	name   string
	sock   sock.Host
	hosts  map[string][]netip.Addr
	lookup func(context.Context, string) ([]netip.Addr, error)
	unix   *unix.Family
	inet   *inet.Stack
	loop   *event.Loop
	own    bool // loop is the host's own
	host   *sockeye.Host
}

// NewHost makes a host. It panics when a route leads through no interface of the host.
func NewHost(c Config) *Host {
	h := &Host{name: c.Name, loop: c.Loop, hosts: c.Hosts, lookup: c.Lookup}
	if h.name == "" {
		h.name = "stack"
	}
	h.sock.Sysctl = sock.DefaultSysctl()
	if c.Sysctl != nil {
		h.sock.Sysctl = *c.Sysctl
	}
	h.sock.Privileged, h.sock.Credentials = c.Privileged, c.Credentials
	h.unix = unix.NewFamily(&h.sock)
	if h.loop == nil {
		h.loop, h.own = event.New(), true
	}
	if h.loop.Lockstep() {
		h.sock.Order, h.sock.Number = h.loop, h.loop.Join()
	}
	h.inet = inet.New(&h.sock, h.loop, c.Seed)
	if c.Inet != nil {
		h.inet.SetSysctl(*c.Inet)
	}
	h.sock.Lock() // a device may bring packets from now on
	h.attach(c)
	h.sock.Leave()
	h.host = sockeye.NewHost(engine{h})
	return h
}

// Close ends the host as pulling its plug does: nothing more is sent, not even the end of
// a connection. Its sockets are closed, so that calls that wait give net.ErrClosed, and
// nothing of it is left in the loop. A second Close does nothing.
func (h *Host) Close() error {
	h.sock.Lock()
	ports := h.inet.Unplug()
	h.sock.Close()
	h.inet.Forget()
	h.sock.Unlock()
	for _, p := range ports {
		p.Close()
	}
	if h.own {
		h.loop.Close()
	}
	return nil
}

// Sockets is the host as programs see it.
func (h *Host) Sockets() *sockeye.Host { return h.host }

// engine is a Host as package sockeye wants it.
type engine struct{ h *Host }

func (e engine) Name() string { return e.h.name }

func (e engine) Socket(family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) (sockeye.Endpoint, error) {
	e.h.sock.Lock()
	defer e.h.sock.Unlock()
	f, err := e.open(family, typ, proto)
	if err != nil {
		return nil, err
	}
	d, err := sock.Open(f)
	if err != nil {
		f.Release()
		return nil, err
	}
	return d, nil
}

// open makes an open socket without a descriptor.
func (e engine) open(family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) (sock.File, error) {
	switch {
	case family >= maxFamily:
		return nil, syscall.EAFNOSUPPORT
	case typ < 0 || typ >= maxType:
		return nil, syscall.EINVAL
	case family == sockeye.AF_UNIX:
		return e.h.unix.Open(typ, proto)
	case family == sockeye.AF_INET || family == sockeye.AF_INET6:
		return e.h.inet.Open(family, typ, proto)
	}
	return nil, syscall.EAFNOSUPPORT
}

// What Linux knows of families (AF_MAX) and types (SOCK_MAX).
const (
	maxFamily = 46
	maxType   = 11
)

func (e engine) Socketpair(family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) (sockeye.Endpoint, sockeye.Endpoint, error) {
	e.h.sock.Lock()
	defer e.h.sock.Unlock()
	if !e.h.sock.Room(2) { // which Linux makes sure of before it opens anything
		return nil, nil, syscall.EMFILE
	}
	if family != sockeye.AF_UNIX {
		f, err := e.open(family, typ, proto)
		if err != nil {
			return nil, nil, err
		}
		f.Release()
		return nil, nil, syscall.EOPNOTSUPP
	}
	f, g, err := e.h.unix.Pair(typ, proto)
	if err != nil {
		return nil, nil, err
	}
	a, err := sock.Open(f)
	if err != nil {
		return nil, nil, err
	}
	b, err := sock.Open(g)
	if err != nil {
		return nil, nil, err
	}
	return a, b, nil
}

func (e engine) Poll(ctx context.Context, eps []sockeye.Endpoint, events, revents []sockeye.Events, deadline time.Time) (int, error) {
	return e.h.sock.Poll(ctx, eps, events, revents, deadline)
}

// LookupHost implements sockeye.Resolver, from the host's own table or by Config.Lookup.
func (e engine) LookupHost(ctx context.Context, name string) ([]string, error) {
	if name == "localhost" {
		return []string{"127.0.0.1", "::1"}, nil
	}
	var addrs []string
	for _, ip := range e.h.hosts[name] {
		addrs = append(addrs, ip.String())
	}
	if len(addrs) == 0 && name == e.h.name {
		addrs = e.h.addrs()
	}
	if len(addrs) == 0 && e.h.lookup != nil {
		found, err := e.h.lookup(ctx, name)
		for _, ip := range found {
			addrs = append(addrs, ip.String())
		}
		return addrs, err
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return addrs, nil
}

// InterfaceIndex implements sockeye.Resolver.
func (e engine) InterfaceIndex(name string) (int, error) {
	e.h.sock.Lock()
	defer e.h.sock.Unlock()
	i := e.h.inet.IfaceByName(name)
	if i == nil {
		return 0, noInterface(e.h.name, name)
	}
	return i.Index, nil
}

// InterfaceName implements sockeye.Resolver.
func (e engine) InterfaceName(index int) (string, error) {
	e.h.sock.Lock()
	defer e.h.sock.Unlock()
	i := e.h.inet.Iface(index)
	if i == nil {
		return "", noInterface(e.h.name, strconv.Itoa(index))
	}
	return i.Name, nil
}

func (e engine) Unlink(path string) error {
	e.h.sock.Lock()
	defer e.h.sock.Unlock()
	return e.h.unix.Unlink(path)
}

// Chmod sets the permissions of a unix socket's path name.
func (h *Host) Chmod(path string, mode uint32) error {
	h.sock.Lock()
	defer h.sock.Unlock()
	return h.unix.Chmod(path, mode)
}
