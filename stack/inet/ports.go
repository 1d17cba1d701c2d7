package inet

import (
	"syscall"

	"sockeye"
	"sockeye/wire"
)

// A claim is a socket's hold on a local address and port.
type claim struct {
	ip      wire.Addr // unspecified: every address
	port    uint16
	family  sockeye.Family // AF_INET6 with an unspecified ip takes IPv4 too, unless v6only
	v6only  bool
	ifindex int // bound to this interface; 0: to none
	reuse   bool // SO_REUSEADDR
	share   bool // SO_REUSEPORT
	listens bool // TCP: REUSEADDR does not share with it
}

// A claimer is a socket that holds a claim.
type claimer interface{ claimed() *claim }

// ports are the claims of one protocol, by port.
type ports map[uint16][]claimer

// overlap tells whether two claims are for an address in common
// (inet_rcv_saddr_equal in net/ipv4/inet_connection_sock.c).
func (a *claim) overlap(b *claim) bool {
	if a.ifindex != 0 && b.ifindex != 0 && a.ifindex != b.ifindex {
		return false
	}
	if !a.takes(b.ip) && !b.takes(a.ip) {
		return false
	}
	// Wildcards of different families meet unless the IPv6 one is v6only.
	if a.family != b.family {
		six, four := a, b
		if six.family != sockeye.AF_INET6 {
			six, four = b, a
		}
		_ = four
		if six.v6only && !six.ip.Is4() {
			return false
		}
	}
	return true
}

// takes tells whether packets to ip are the claim's.
func (a *claim) takes(ip wire.Addr) bool {
	if !a.ip.IsUnspecified() {
		return a.ip == ip || ip.IsUnspecified() && a.ip.Is4() == ip.Is4()
	}
	if a.ip.Is4() || a.family == sockeye.AF_INET {
		return ip.Is4()
	}
	return !ip.Is4() || !a.v6only
}

// conflicts tells whether b keeps a from its port.
func (a *claim) conflicts(b *claim) bool {
	return a.overlap(b) && !(a.reuse && b.reuse && !a.listens && !b.listens) && !(a.share && b.share)
}

// bind gives c its port, or an ephemeral one if it asks for none.
func (t ports) bind(s *Stack, c claimer, low, high uint16) error {
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

func (t ports) taken(want *claim, port uint16) bool {
	for _, other := range t[port] {
		if want.conflicts(other.claimed()) {
			return true
		}
	}
	return false
}

func (t ports) add(c claimer) { t[c.claimed().port] = append(t[c.claimed().port], c) }

// release takes c's claim away.
func (t ports) release(c claimer) {
	port := c.claimed().port
	list := t[port]
	for i, other := range list {
		if other == c {
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(t, port)
	} else {
		t[port] = list
	}
}
