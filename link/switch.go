package link

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sockeye/event"
	"sockeye/packet"
)

// SwitchOptions are the properties of a switch. The zero value is a switch of MTU
// 1500 for single segments with checksums.
type SwitchOptions struct {
	MTU       int           // bytes of an IP packet; 0: EthernetMTU
	MaxGSO    int           // as in Properties
	Checksum  ChecksumMode  // as in Properties
	Ageing    time.Duration // how long an address that is silent is remembered; 0: 5 minutes
	Addresses int           // how many addresses are remembered; 0: 8192
}

// A Switch joins any number of Ethernet ports. It learns from the frames' sources
// where an address is, and sends a frame for an unknown address or a group
// to every port but the one it came from. Frames for the addresses that IEEE 802.1D
// reserves (01:80:c2:00:00:00 to 0f) end in the switch. It knows no spanning tree:
// its users make no loops.
type Switch struct {
	loop    *event.Loop
	options SwitchOptions
	numbers atomic.Int32

	mu    sync.Mutex
	ports []*switchPort // in the order in which they were made
	table map[[6]byte]station
}

// A station is where an address was last seen.
type station struct {
	port *switchPort
	seen event.Time
}

// NewSwitch makes a switch without ports.
func NewSwitch(loop *event.Loop, o SwitchOptions) *Switch {
	if o.MTU == 0 {
		o.MTU = EthernetMTU
	}
	if o.Ageing == 0 {
		o.Ageing = 5 * time.Minute
	}
	if o.Addresses == 0 {
		o.Addresses = 8192
	}
	return &Switch{loop: loop, options: o, table: map[[6]byte]station{}}
}

// Port makes one more port. Its end has the given hardware address; the zero one
// stands for 02:00:00:00:00:01 at the first port, and so on.
func (s *Switch) Port(hardware [6]byte) Port {
	n := int(s.numbers.Add(1))
	if hardware == [6]byte{} {
		hardware = localAddress(n)
	}
	p := &switchPort{sw: s, props: Properties{
		MTU: s.options.MTU, Ethernet: true, Hardware: hardware, MaxGSO: s.options.MaxGSO, Checksum: s.options.Checksum,
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ports = append(s.ports, p)
	return p
}

// A switchPort is what a host has of a switch.
type switchPort struct {
	outlet
	sw     *Switch
	props  Properties
	closed atomic.Bool
}

// Send implements Port.
func (sp *switchPort) Send(p *packet.Packet) {
	switch {
	case sp.closed.Load():
		p.Release()
	case sp.props.carries(p):
		sp.sw.loop.Do(sp, p)
	default:
		var space [maxSegments]*packet.Packet
		for _, p := range sp.props.conform(space[:0], p) {
			sp.sw.loop.Do(sp, p)
		}
	}
}

func (sp *switchPort) Properties() Properties { return sp.props }

// Close takes the port out of the switch, which forgets what it learned there.
func (sp *switchPort) Close() error {
	sp.closed.Store(true)
	s := sp.sw
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ports = slices.DeleteFunc(slices.Clone(s.ports), func(q *switchPort) bool { return q == sp })
	maps.DeleteFunc(s.table, func(_ [6]byte, at station) bool { return at.port == sp })
	return nil
}

// Handle implements event.Handler: a frame has come into the switch from sp.
func (sp *switchPort) Handle(now event.Time, arg any) {
	p := arg.(*packet.Packet)
	h := p.Header()
	if len(h) < 14 || sp.closed.Load() {
		p.Release()
		return
	}
	to, flood := sp.sw.forward(now, sp, [6]byte(h), [6]byte(h[6:]))
	if to != nil {
		to.Receive(now, p)
		return
	}
	for _, other := range flood {
		if other != sp {
			other.Receive(now, p.Clone())
		}
	}
	p.Release()
}

// forward learns where src is and gives the port of dst or, if that is not known,
// all ports; neither, if the frame ends here.
func (s *Switch) forward(now event.Time, from *switchPort, dst, src [6]byte) (*switchPort, []*switchPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src[0]&1 == 0 {
		s.learn(now, from, src)
	}
	if dst[0]&1 != 0 {
		if dst[0] == 1 && dst[1] == 0x80 && dst[2] == 0xc2 && dst[3] == 0 && dst[4] == 0 && dst[5] < 16 {
			return nil, nil
		}
		return nil, s.ports
	}
	at, known := s.table[dst]
	switch {
	case !known || now.Sub(at.seen) > s.options.Ageing:
		return nil, s.ports
	case at.port == from:
		return nil, nil // who it is for has had it
	}
	return at.port, nil
}

func (s *Switch) learn(now event.Time, from *switchPort, src [6]byte) {
	if _, known := s.table[src]; !known && len(s.table) >= s.options.Addresses {
		maps.DeleteFunc(s.table, func(_ [6]byte, at station) bool { return now.Sub(at.seen) > s.options.Ageing })
		if len(s.table) >= s.options.Addresses {
			return // its frames are flooded: a switch that is full is a hub
		}
	}
	s.table[src] = station{from, now}
}
