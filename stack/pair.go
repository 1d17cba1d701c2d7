package stack

import (
	"net/netip"

	"sockeye/event"
	"sockeye/link"
)

// A Pair is the smallest network: two hosts on a cable. Their names, which each of them can
// look up, are "a" and "b"; their addresses are 10.0.0.1 and 10.0.0.2, fd00::1 and fd00::2.
type Pair struct {
	A, B  *Host
	Cable *link.Impaired // as A sees it: link.Out is the way to B. Its faults can be changed.
	Loop  *event.Loop
}

// A PairConfig says what a pair is like. The zero PairConfig is two hosts of the zero Config
// on a cable without faults.
type PairConfig struct {
	Faults  link.Faults       // each way
	Cable   link.CableOptions // such as Ethernet, which makes hosts ask for each other's address
	Capture *link.Pcapng      // is given what A sends and receives; nil: there is no capture
	Seed    uint64            // of all that is drawn
	Loop    *event.Loop       // such as event.NewLockstep(synctest.Wait); nil: event.New()
	// Host is what both hosts are like; Name, Loop, Interfaces and Seed are the pair's.
	Host Config
}

// NewPair makes a pair. It panics when the faults are not possible, or the routes.
func NewPair(c PairConfig) *Pair {
	p := &Pair{Loop: c.Loop}
	if p.Loop == nil {
		p.Loop = event.New()
	}
	near, far := link.Cable(p.Loop, c.Cable)
	var err error
	if p.Cable, err = link.Impair(p.Loop, near, link.Impairment{Out: c.Faults, In: c.Faults, Seed: c.Seed}); err != nil {
		panic(err)
	}
	near = p.Cable
	if c.Capture != nil {
		near = link.Capture(p.Loop, near, c.Capture, link.CaptureOptions{Name: "a"})
	}
	p.A, p.B = c.host(p.Loop, 0, near), c.host(p.Loop, 1, far)
	return p
}

var pairNames = [2]string{"a", "b"}

// pairAddrs are the addresses of one of the two hosts in their network.
func pairAddrs(n int) []netip.Prefix {
	last := byte(n + 1)
	return []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), 24),
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 15: last}), 64),
	}
}

// host makes one of the two hosts.
func (c *PairConfig) host(loop *event.Loop, n int, port link.Port) *Host {
	h := c.Host
	h.Name, h.Loop, h.Seed = pairNames[n], loop, 2*c.Seed+uint64(n)
	h.Interfaces = []Interface{{Name: "eth0", Port: port, Addrs: pairAddrs(n)}}
	h.Hosts = make(map[string][]netip.Addr)
	for name, addrs := range c.Host.Hosts {
		h.Hosts[name] = addrs
	}
	for i, name := range pairNames {
		for _, a := range pairAddrs(i) {
			h.Hosts[name] = append(h.Hosts[name], a.Addr())
		}
	}
	return NewHost(h)
}

// Close ends both hosts and the network: calls that wait give net.ErrClosed, and neither a
// goroutine nor a timer is left.
func (p *Pair) Close() {
	p.A.Close()
	p.B.Close()
	p.Loop.Close()
}
