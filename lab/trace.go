package lab

import (
	"net/netip"
	"sync"
	"time"

	"sockeye/event"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/wire"
)

// traced is how many packets a network remembers: the last ones.
const traced = 1 << 14

// A Step is one packet between two hosts.
type Step struct {
	Sent    time.Duration // when the sender's link took it, since the network was made
	Arrived time.Duration // at the receiver; 0: it did not
	Lost    string        // why it did not, and on which link; "" if it arrived, or is on its way
	Note    string        // what else happened to it: duplicated, corrupted

	Src, Dst   netip.AddrPort // without ports for other protocols than TCP and UDP
	Proto      wire.Protocol
	Len        int      // bytes of payload
	TCP        wire.TCP // its header
	Fragment   bool     // of a datagram
	Type, Code uint8    // of ICMP
	hash       uint64   // of what tells it from others
	translated bool     // and not yet sent on
}

// trace is what a network remembers.
type trace struct {
	mu    sync.Mutex
	steps []Step
	next  int // the oldest of steps, once there are all

	// Packets that look the same are taken to arrive in the order in which they were sent.
	newest   time.Duration    // when a packet was seen last
	underway map[uint64][]int // steps of a hash that have not arrived
	latest   map[uint64]int   // the last that has
}

// observe is told the fates of packets (link.Impairment).
func (l *Link) observe(now event.Time, d link.Direction, f link.Fate, p *packet.Packet) {
	from, to := l.near, l.beyond
	if d == link.In {
		from, to = to, from
	}
	var s Step
	if !s.read(p, l.impaired.Properties().Ethernet) {
		return
	}
	n := l.net
	switch {
	case f == link.Sent && Node(n.owners[s.Src.Addr()]) != from: // it is being forwarded
	case f == link.Delivered && Node(n.owners[s.Dst.Addr()]) != to:
	default:
		n.trace.note(s, time.Duration(now), f, l)
	}
}

// note notes the fate of a packet, and on which link it met it; nil: there is but one.
func (t *trace) note(s Step, at time.Duration, f link.Fate, l *Link) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.newest = at
	switch f {
	case link.Sent:
		if !t.sentOn(s.hash) {
			s.Sent = at
			t.send(s)
		}
	case link.Delivered:
		t.arrive(s, at)
	case link.Duplicated, link.Corrupted, link.Reordered:
		if list := t.underway[s.hash]; len(list) > 0 {
			t.steps[list[0]].Note = met(f, l)
		}
	default:
		if i, ok := t.land(s.hash); ok {
			t.steps[i].Lost = met(f, l)
		}
	}
}

// met is a fate in words.
func met(f link.Fate, l *Link) string {
	if l == nil {
		return f.String()
	}
	return f.String() + " on " + l.String()
}

// dropped says why a host did not take a packet that its link brought.
func (n *Network) dropped(p *packet.Packet, ethernet bool, why string) {
	var s Step
	if !s.read(p, ethernet) {
		return
	}
	t := &n.trace
	t.mu.Lock()
	defer t.mu.Unlock()
	if i, ok := t.latest[s.hash]; ok {
		t.steps[i].Arrived, t.steps[i].Lost = 0, why
	}
}

// arrived says when a host took a packet that its link brought, if that was later.
func (n *Network) arrived(p *packet.Packet, ethernet bool, at time.Duration) {
	var s Step
	if !s.read(p, ethernet) {
		return
	}
	t := &n.trace
	t.mu.Lock()
	defer t.mu.Unlock()
	if i, ok := t.latest[s.hash]; ok && t.steps[i].Lost == "" {
		t.steps[i].Arrived = at
	}
}

// last is when a packet was seen last.
func (t *trace) last() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.newest
}

// add gives the step's place.
func (t *trace) add(s Step) int {
	if len(t.steps) < traced {
		t.steps = append(t.steps, s)
		return len(t.steps) - 1
	}
	i := t.next
	old := t.steps[i].hash
	if list := t.underway[old]; len(list) > 0 && list[0] == i {
		t.land(old)
	}
	if t.latest[old] == i {
		delete(t.latest, old)
	}
	t.steps[i] = s
	t.next = (i + 1) % traced
	return i
}

func (t *trace) send(s Step) {
	if t.underway == nil {
		t.underway, t.latest = make(map[uint64][]int), make(map[uint64]int)
	}
	t.underway[s.hash] = append(t.underway[s.hash], t.add(s))
}

// land takes the first step of a hash that was under way.
func (t *trace) land(hash uint64) (int, bool) {
	list := t.underway[hash]
	if len(list) == 0 {
		return 0, false
	}
	if len(list) == 1 {
		delete(t.underway, hash)
	} else {
		t.underway[hash] = list[1:]
	}
	return list[0], true
}

// arrive notes that a packet has come to its receiver. One that was not under way is a
// duplicate.
func (t *trace) arrive(s Step, at time.Duration) {
	i, ok := t.land(s.hash)
	if !ok {
		was, seen := t.latest[s.hash]
		if !seen {
			return
		}
		s.Sent, s.Note = t.steps[was].Sent, "once more"
		i = t.add(s)
	}
	t.steps[i].Arrived = at
	t.latest[s.hash] = i
}

// all is the steps from the oldest on.
func (t *trace) all() []Step {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append(append(make([]Step, 0, len(t.steps)), t.steps[t.next:]...), t.steps[:t.next]...)
}

// read takes from a packet what a trace shows; false: it is none of IP.
func (s *Step) read(p *packet.Packet, ethernet bool) bool {
	b, size := p.Header(), p.Len()
	if ethernet {
		if len(b) < wire.EthernetLen {
			return false
		}
		b, size = b[wire.EthernetLen:], size-wire.EthernetLen
	}
	var src, dst wire.Addr
	var id uint32
	switch wire.Version(b) {
	case 4:
		var ip wire.IPv4
		hlen, n, err := ip.Parse(b, size)
		if err != nil {
			return false
		}
		src, dst, s.Proto, id = ip.Src, ip.Dst, ip.Protocol, uint32(ip.ID)
		s.Fragment = ip.MF || ip.FragOffset != 0
		b, size = b[hlen:min(len(b), hlen+n)], n
	case 6:
		var ip wire.IPv6
		n, err := ip.Parse(b, size)
		if err != nil {
			return false
		}
		src, dst, s.Proto = ip.Src, ip.Dst, ip.NextHeader
		b, size = b[wire.IPv6Len:min(len(b), wire.IPv6Len+n)], n
	default:
		return false
	}
	if len(b) == 0 && len(p.Payload) > 0 { // what a raw or ping socket sent
		b = p.Payload[0].Bytes()
	}
	s.readTransport(b, size)
	s.Src, s.Dst = netip.AddrPortFrom(src.Netip(), s.Src.Port()), netip.AddrPortFrom(dst.Netip(), s.Dst.Port())
	x := s.TCP
	s.hash = mix(addrBits(s.Src.Addr()), addrBits(s.Dst.Addr()), uint64(s.Src.Port())<<16|uint64(s.Dst.Port()), uint64(s.Proto)<<32|uint64(id),
		uint64(x.Seq)<<32|uint64(x.Ack), uint64(x.Flags)<<48|uint64(x.Window)<<32|uint64(s.Len), uint64(x.Options.TSVal)<<32|uint64(x.Options.TSEcr), uint64(s.Type)<<8|uint64(s.Code))
	return true
}

func (s *Step) readTransport(b []byte, size int) {
	s.Len = size
	if s.Fragment {
		return
	}
	switch s.Proto {
	case wire.IPPROTO_TCP:
		if h, rest, err := wire.ParseTCP(b); err == nil {
			s.TCP, s.Len = h, size-(len(b)-len(rest))
			s.Src, s.Dst = netip.AddrPortFrom(s.Src.Addr(), h.SrcPort), netip.AddrPortFrom(s.Dst.Addr(), h.DstPort)
		}
	case wire.IPPROTO_UDP:
		if len(b) >= wire.UDPLen {
			s.Len -= wire.UDPLen
			s.Src = netip.AddrPortFrom(s.Src.Addr(), uint16(b[0])<<8|uint16(b[1]))
			s.Dst = netip.AddrPortFrom(s.Dst.Addr(), uint16(b[2])<<8|uint16(b[3]))
		}
	case wire.IPPROTO_ICMP, wire.IPPROTO_ICMPV6:
		if len(b) >= 2 {
			s.Type, s.Code = b[0], b[1]
		}
	}
}

func addrBits(a netip.Addr) uint64 {
	b := a.As16()
	var x, y uint64
	for i := range 8 {
		x, y = x<<8|uint64(b[i]), y<<8|uint64(b[8+i])
	}
	return mix(x, y)
}
