// Package gateway is a host in pure Go at the end of a link that answers for every address beyond
// it: it carries the TCP connections, UDP datagrams and echo requests that come out of the link
// through the sockets of another host, so that whoever is on the link is on that host's network.
//
// A connection is completed only when the one outside is, and refused with the error that the one
// outside met; ends of streams, resets and ICMP errors are passed on, in both directions.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/internal/accept"
	"sockeye/link"
	"sockeye/stack"
)

// A Config says what a gateway does.
type Config struct {
	// Outside is the host whose sockets carry everything.
	Outside *sockeye.Host
	// Addrs are the gateway's own addresses on the link, with their networks.
	Addrs []netip.Prefix
	// Aliases are addresses that lead to others outside. Only an alias leads to the loopback.
	Aliases map[netip.Addr]netip.Addr
	// Nameservers answer what is asked of port 53 of the gateway's own addresses, each if those before
	// it don't.
	Nameservers []netip.AddrPort
	// Policy says what may be reached.
	Policy Policy
	// Log, if not nil, is told what goes on. It is called by several goroutines at once.
	Log func(Event)
	// Seed decides ports and all else that is drawn.
	Seed uint64
}

// An Event is a connection or flow that begins, ends or fails.
type Event struct {
	Protocol       string // tcp, udp, ping, dns
	From, To       netip.AddrPort
	Opened         bool
	Sent, Received int64 // bytes, or datagrams' payload, when it ends
	Err            error
}

// A Gateway is one that is at work.
type Gateway struct {
	Config
	loop    *event.Loop
	host    *stack.Host
	inside  *sockeye.Host
	ctx     context.Context
	stop    context.CancelFunc
	workers *accept.Workers
	names   learned
	echo    [2]*sockeye.Socket // raw ICMP sockets, of IPv4 and IPv6

	mu    sync.Mutex
	flows map[flowKey]*flow
	pings map[pingKey]*pinger
}

// tproxyPort is that of the sockets that take what is for other hosts.
const tproxyPort = 1

// New makes a gateway at the end of a link. Close ends it, and closes the port.
func New(loop *event.Loop, port link.Port, c Config) (*Gateway, error) {
	g := &Gateway{
		Config: c, loop: loop, workers: accept.NewWorkers(),
		flows: make(map[flowKey]*flow), pings: make(map[pingKey]*pinger),
	}
	if g.Log == nil {
		g.Log = func(Event) {}
	}
	g.ctx, g.stop = context.WithCancel(context.Background())
	config := stack.Config{
		Name: "gateway", Privileged: true, Loop: loop, Seed: c.Seed,
		Interfaces: []stack.Interface{{Name: "inside", Port: port, Addrs: c.Addrs, TProxy: tproxyPort}},
	}
	g.host = stack.NewHost(config)
	g.inside = g.host.Sockets()
	if err := g.open(); err != nil {
		g.Close()
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return g, nil
}

// open opens the sockets that take what comes from inside.
func (g *Gateway) open() error {
	g.learnPolicy()
	for i, family := range []sockeye.Family{sockeye.AF_INET, sockeye.AF_INET6} {
		if err := errors.Join(g.openTCP(family), g.openUDP(family), g.openEcho(i, family)); err != nil {
			return err
		}
	}
	for _, a := range g.Addrs {
		if err := g.openNames(a.Addr()); err != nil {
			return err
		}
	}
	return nil
}

// Host is the gateway as a host on the link.
func (g *Gateway) Host() *sockeye.Host { return g.inside }

// Close ends all connections and flows with the gateway.
func (g *Gateway) Close() error {
	g.stop()
	err := g.host.Close()
	g.workers.Stop()
	return err
}

// run runs f until it ends, which Close waits for.
func (g *Gateway) run(f func()) { g.workers.Go(f) }

// lead is where an address leads outside.
func (g *Gateway) lead(to netip.AddrPort) (netip.AddrPort, error) {
	ip := to.Addr().Unmap()
	if alias, ok := g.Aliases[ip]; ok {
		return netip.AddrPortFrom(alias, to.Port()), nil
	}
	switch {
	case ip.IsLoopback(), ip.IsUnspecified(), ip.IsMulticast(): // which would be this machine's own
		return to, syscall.ENETUNREACH
	case !g.admits(netip.AddrPortFrom(ip, to.Port())):
		return to, errDenied
	}
	return netip.AddrPortFrom(ip, to.Port()), nil
}

// errDenied is of what the policy denies.
var errDenied error = denied{}

type denied struct{}

func (denied) Error() string { return "denied by the policy" }
func (denied) Unwrap() error { return syscall.EACCES }

// dial opens a socket outside and connects it.
func (g *Gateway) dial(ctx context.Context, typ sockeye.Type, to netip.AddrPort) (*sockeye.Socket, error) {
	s, err := g.Outside.Socket(familyOf(to.Addr()), typ, 0)
	if err != nil {
		return nil, err
	}
	if err := s.WithContext(ctx).Connect(sockeye.SockaddrInet(to)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func familyOf(ip netip.Addr) sockeye.Family {
	if ip.Is4() {
		return sockeye.AF_INET
	}
	return sockeye.AF_INET6
}

// anyOf is every address of a family.
func anyOf(f sockeye.Family) netip.Addr {
	if f == sockeye.AF_INET {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// errnoOf is the errno that an error wraps; 0: none.
func errnoOf(err error) syscall.Errno {
	e, _ := errors.AsType[syscall.Errno](err)
	return e
}

// transparent opens a socket of the gateway that may have others' addresses, and binds it.
func (g *Gateway) transparent(typ sockeye.Type, proto sockeye.Protocol, at netip.AddrPort) (*sockeye.Socket, error) {
	s, err := g.inside.Socket(familyOf(at.Addr()), typ, proto)
	if err != nil {
		return nil, err
	}
	option := sockeye.IP_TRANSPARENT
	if at.Addr().Is6() {
		option = sockeye.IPV6_TRANSPARENT
	}
	err = errors.Join(option.Set(s, true), sockeye.SO_REUSEADDR.Set(s, true))
	if err == nil && at.Addr().Is6() && typ != sockeye.SOCK_RAW {
		err = sockeye.IPV6_V6ONLY.Set(s, true)
	}
	if err == nil {
		err = s.Bind(sockeye.SockaddrInet(at))
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// connectTimeout bounds a connection that nobody outside answers: no program waits longer by itself
// (tcp_syn_retries, tcp(7)).
const connectTimeout = 130 * time.Second
