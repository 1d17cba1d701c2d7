package inet

import (
	"slices"
	"syscall"

	"sockeye"
	"sockeye/wire"
)

// A claim is a socket's hold on a local address and port.
type claim struct {
	ip      wire.Addr // unspecified: every address
	ifindex int       // bound to this interface; 0: to none
	port    uint16
	family  sockeye.Family // AF_INET6 with an unspecified ip takes IPv4 too, unless v6only
	v6only  bool
	reuse   bool // SO_REUSEADDR
	share   bool // SO_REUSEPORT
	listens bool // a TCP listener, which SO_REUSEADDR does not pass
}

// A claimer is a socket that holds a claim.
type claimer interface {
	comparable
	claimed() *claim
}

// ports are the sockets of one protocol, by port, the latest last.
type ports[S claimer] map[uint16][]S

// overlap tells whether two claims are for an address in common
// (inet_rcv_saddr_equal in net/ipv4/inet_connection_sock.c).
func (a *claim) overlap(b *claim) bool {
	if a.ifindex != 0 && b.ifindex != 0 && a.ifindex != b.ifindex {
		return false
	}
	return a.takes(b.ip) || b.takes(a.ip)
}

// takes tells whether packets to ip are the claim's.
func (a *claim) takes(ip wire.Addr) bool {
	switch {
	case !a.ip.IsUnspecified():
		return a.ip == ip
	case a.ip.Is4():
		return ip.Is4()
	}
	return !ip.Is4() || !a.v6only
}

// conflicts tells whether b keeps a from its port.
func (a *claim) conflicts(b *claim) bool {
	return a.overlap(b) && !(a.reuse && b.reuse && !b.listens) && !(a.share && b.share)
}

// bind gives c its port, or an ephemeral one of the range if it asks for none.
func (t ports[S]) bind(s *Stack, c S, low, high uint16) error {
	want := c.claimed()
	if want.port != 0 {
		if t.taken(want, want.port) {
			return syscall.EADDRINUSE
		}
		t.add(c)
		return nil
	}
	n := int(high) - int(low) + 1
	start := s.rand.IntN(n)
	for i := range n {
		port := low + uint16((start+i)%n)
		if !t.taken(want, port) {
			want.port = port
			t.add(c)
			return nil
		}
	}
	return syscall.EADDRINUSE
}

func (t ports[S]) taken(want *claim, port uint16) bool {
	return slices.ContainsFunc(t[port], func(c S) bool { return want.conflicts(c.claimed()) })
}

func (t ports[S]) add(c S) { t[c.claimed().port] = append(t[c.claimed().port], c) }

// release takes c's claim away.
func (t ports[S]) release(c S) {
	port := c.claimed().port
	list := slices.DeleteFunc(t[port], func(other S) bool { return other == c })
	if len(list) == 0 {
		delete(t, port)
	} else {
		t[port] = list
	}
}

// A fitter is a socket that a packet to its port may be for.
type fitter interface {
	// takes tells how well the packet fits; 0: not at all.
	takes(h *header, sport uint16) int
	// shares tells whether it is one of several with SO_REUSEPORT.
	shares() bool
}

// pick is the socket that fits a packet best, the latest of several. Those that share a
// port by SO_REUSEPORT are chosen by the flow.
func pick[S fitter](s *Stack, list []S, h *header, sport, dport uint16) (best S) {
	score, shared := 0, uint64(0)
	for i := len(list) - 1; i >= 0; i-- {
		to := list[i]
		n := to.takes(h, sport)
		switch {
		case n > score:
			best, score, shared = to, n, 1
		case n == score && n > 0 && to.shares() && best.shares():
			shared++
		}
	}
	if shared < 2 {
		return best
	}
	k := s.flowHash(h, sport, dport) % shared
	for _, to := range list {
		if to.shares() && to.takes(h, sport) == score {
			if k == 0 {
				return to
			}
			k--
		}
	}
	return best
}

// flowHash is the same for all packets of a flow (FNV-1a, from the host's seed).
func (s *Stack) flowHash(h *header, sport, dport uint16) uint64 {
	var space [40]byte
	b := append(h.src.Append(h.dst.Append(space[:0])), byte(sport>>8), byte(sport), byte(dport>>8), byte(dport))
	k := s.seed ^ 14695981039346656037
	for _, v := range b {
		k = (k ^ uint64(v)) * 1099511628211
	}
	return k ^ k>>32
}
