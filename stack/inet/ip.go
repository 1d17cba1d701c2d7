package inet

import (
	"syscall"

	"sockeye/packet"
	"sockeye/wire"
)

// A header is what IP says of a packet, of either version.
type header struct {
	src, dst wire.Addr
	proto    wire.Protocol
	ttl      uint8
	tos      wire.TOS
	flow     uint32 // IPv6's flow label
	df       bool
	iface    *Iface // that it came in through
	cast     cast
}

// output sends a packet with its transport header and payload out on a path: it
// adds the IP header, cuts what is too long if that is allowed, and leaves it at
// the link. It gives EMSGSIZE for what is too long otherwise.
func (s *Stack) output(p *packet.Packet, h header, w path) error {
	s.Counters.IPOutRequests++
	n := p.Len()
	if h.dst.Is4() {
		ip := wire.IPv4{Src: h.src, Dst: h.dst, TOS: h.tos, TTL: h.ttl, Protocol: h.proto, DF: h.df}
		if !h.df {
			s.ids++
			ip.ID = s.ids
		}
		if n+ip.Len() > w.mtu && p.GSO.Size == 0 {
			if h.df {
				p.Release()
				return syscall.EMSGSIZE
			}
			return s.fragment4(p, ip, w)
		}
		ip.Put(p.Push(ip.Len()), n)
	} else {
		ip := wire.IPv6{Src: h.src, Dst: h.dst, TrafficClass: h.tos, HopLimit: h.ttl, NextHeader: h.proto, FlowLabel: h.flow}
		if n+ip.Len() > w.mtu && p.GSO.Size == 0 {
			if h.df {
				p.Release()
				return syscall.EMSGSIZE
			}
			return s.fragment6(p, ip, w)
		}
		ip.Put(p.Push(ip.Len()), n)
	}
	s.transmit(p, w)
	return nil
}

// transmit hands a whole IP packet to the path's link.
func (s *Stack) transmit(p *packet.Packet, w path) {
	s.host.Pending = true
	if w.cast == multicast && s.loops(w) || w.cast == broadcast {
		s.loopBack(p.Clone(), w)
	}
	if w.iface.props.Ethernet {
		w.iface.resolve(p, w)
		return
	}
	w.iface.port.Send(p)
}

// input handles a packet that came in, its IP header in front.
func (s *Stack) input(i *Iface, p *packet.Packet) {
	s.Counters.IPInReceives++
	var h header
	var payload int
	b := p.Header()
	switch wire.Version(b) {
	case 4:
		ip, hlen, n, err := wire.ParseIPv4Header(b, p.Len())
		if err != nil {
			s.dropHeader(p, err)
			return
		}
		h = header{src: ip.Src, dst: ip.Dst, proto: ip.Protocol, ttl: ip.TTL, tos: ip.TOS, df: ip.DF, iface: i}
		if ip.IsFragment() {
			if p = s.reassemble4(p, &ip, hlen, n); p == nil {
				return
			}
			n = p.Len() - hlen
		}
		p.Pull(hlen)
		payload = n
	case 6:
		ip, n, err := wire.ParseIPv6Header(b, p.Len())
		if err != nil {
			s.dropHeader(p, err)
			return
		}
		h = header{src: ip.Src, dst: ip.Dst, proto: ip.NextHeader, ttl: ip.HopLimit, tos: ip.TrafficClass, flow: ip.FlowLabel, iface: i}
		p.Pull(wire.IPv6Len)
		payload = n
		if !s.extensions(p, &h, &payload) {
			return
		}
	default:
		s.dropHeader(p, wire.ErrVersion)
		return
	}
	p.Truncate(payload)
	switch s.accepts(&h) {
	case deliver:
		s.Counters.IPInDelivers++
		s.deliver(p, &h)
	case forward:
		s.forward(p, &h)
	default:
		s.Counters.IPInAddrErrors++
		p.Release()
	}
}
