package lab

import (
	"net/netip"
	"sync/atomic"

	"sockeye/event"
	"sockeye/link"
	"sockeye/packet"
)

// A plug is a host's place at a link. It stays when the host crashes, so that the next
// life of the host finds its link.
type plug struct {
	host     *Host
	link     *Link
	port     link.Port
	addrs    []netip.Prefix
	segment  *segment
	to       atomic.Pointer[link.Receiver]
	passages atomic.Pointer[map[*Host]*passage]
}

func (h *Host) plugIn(l *Link, port link.Port) {
	p := &plug{host: h, link: l, port: port}
	port.Attach(p)
	h.plugs = append(h.plugs, p)
}

// Send implements link.Port. Where links have faults, one on the way would cut a large packet: the host sends segments, which the
// trace can follow.
func (p *plug) Send(x *packet.Packet) {
	if x.GSO.Size == 0 || !p.host.net.faulty.Load() {
		p.port.Send(x)
		return
	}
	for _, segment := range link.Segment(nil, x, p.port.Properties().Ethernet) {
		p.port.Send(segment)
	}
}

// Attach implements link.Port.
func (p *plug) Attach(r link.Receiver) {
	if r == nil {
		p.to.Store(nil)
		return
	}
	p.to.Store(&r)
}

// Properties implements link.Port.
func (p *plug) Properties() link.Properties { return p.port.Properties() }

// Close implements link.Port: the link stays.
func (p *plug) Close() error { return nil }

// Receive implements link.Receiver.
func (p *plug) Receive(now event.Time, x *packet.Packet) {
	if w := p.passageOf(x); w != nil {
		w.enter.Receive(now, x)
		return
	}
	p.take(now, x)
}

// take gives a packet to the host.
func (p *plug) take(now event.Time, x *packet.Packet) {
	to := p.to.Load()
	why := ""
	switch {
	case to == nil:
		why = "host is down"
	case p.parted(x):
		why = "parted"
	}
	if why != "" {
		p.host.net.dropped(x, p.port.Properties().Ethernet, why)
		x.Release()
		return
	}
	(*to).Receive(now, x)
}

// parted tells whether a packet comes from a host that the receiver is parted from.
func (p *plug) parted(x *packet.Packet) bool {
	n := p.host.net
	parted, oneWay := n.parted.Load(), n.oneWay.Load()
	if parted == nil && oneWay == nil {
		return false
	}
	src, ok := source(x, p.port.Properties().Ethernet)
	if !ok {
		return false
	}
	from := n.owners[src]
	return from != nil && (parted != nil && (*parted)[pairOf(from, p.host)] || oneWay != nil && (*oneWay)[[2]*Host{from, p.host}])
}

// source is the sender's address in an IP packet.
func source(x *packet.Packet, ethernet bool) (netip.Addr, bool) {
	b := x.Header()
	if ethernet {
		b = b[min(len(b), 14):]
	}
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case len(b) >= 40 && b[0]>>4 == 6:
		return netip.AddrFrom16([16]byte(b[8:24])), true
	}
	return netip.Addr{}, false
}
