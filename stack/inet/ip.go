package inet

import (
	"syscall"

	"sockeye/link"
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
	options  *ipOptions // IPv4's
	iface    *Iface     // that it came in through, or is taken to
	link     *Iface     // that it did come in through
	cast     cast
	toMany   bool // the link carried it to more than this host
	looped   bool // it is a copy of what the host sent
	proxied  bool // it is for another host: see Iface.TProxy
	hairpin  bool // it is from inside, and has an outside address of this host: see Iface.NAT
	fragSize int  // of the largest fragment that it came in; 0: it was whole
}

// len is the length of the IP header.
func (h *header) len() int {
	if !h.dst.Is4() {
		return wire.IPv6Len
	}
	return wire.IPv4Len + (h.options.len()+3)&^3
}

// output sends a packet, its transport header and payload in place, on a path: it
// adds the IP header, cuts into fragments what is too long if that is allowed, and
// leaves it at the link. What is too long otherwise is EMSGSIZE.
func (s *Stack) output(p *packet.Packet, h header, w path) error {
	s.Counters.ip(h.dst).OutRequests++
	n := p.Len()
	size := h.len() + n
	if p.GSO.Size != 0 {
		size = h.len() + len(p.Header()) + p.GSO.Size
	}
	if size > w.mtu && h.df {
		s.Counters.ip(h.dst).FragFails++
		p.Release()
		return syscall.EMSGSIZE
	}
	if h.options != nil && h.options.route > 0 && p.Sum == packet.SumPartial {
		h.options.fillChecksum(p, &h)
	}
	s.putHeader(p, &h, n)
	s.transmit(p, &h, w)
	return nil
}

// putHeader adds the IP header of a packet with n bytes behind it.
func (s *Stack) putHeader(p *packet.Packet, h *header, n int) {
	if !h.dst.Is4() {
		ip := wire.IPv6{Src: h.src, Dst: h.dst, TrafficClass: h.tos, HopLimit: h.ttl, NextHeader: h.proto, FlowLabel: h.flow}
		ip.Put(p.Push(wire.IPv6Len), n)
		return
	}
	ip := wire.IPv4{Src: h.src, Dst: h.dst, TOS: h.tos, TTL: h.ttl, Protocol: h.proto, DF: h.df, Options: h.options.build(h.src)}
	if !h.df { // RFC 6864: only what may be cut needs an identification
		s.ids++
		ip.ID = uint16(s.ids)
	}
	ip.Put(p.Push(ip.Len()), n)
}

// transmit hands a whole IP packet to the path's link, in fragments if it is too
// long, and a copy to the host itself if the path says so.
func (s *Stack) transmit(p *packet.Packet, h *header, w path) {
	if w.iface.NAT != nil && h.dst.Is4() && w.cast == unicast && !s.translateOut(p, h, w) {
		return
	}
	p.Via = int32(w.via)
	if w.loops {
		s.host.Pending = true
		q := p.Clone()
		if q.Sum == packet.SumUnknown {
			q.Sum = packet.SumGood
		}
		s.loop.Do(w.iface, q)
	}
	if h.ttl == 0 && w.cast == multicast { // it does not leave the host
		p.Release()
		return
	}
	if p.Len() <= w.mtu || p.GSO.Size != 0 {
		w.iface.send(p, w.next, w.cast)
		return
	}
	if p.Sum == packet.SumPartial {
		link.FillChecksum(p, false) // no link can, of fragments
	}
	s.fragment(p, h, w)
}

// send leaves a packet at the interface's link, for a neighbour.
func (i *Iface) send(p *packet.Packet, next wire.Addr, c cast) {
	s := i.stack
	if i.loops && (p.Len() <= i.props.MTU || p.GSO.Size != 0 && packet.Len(p.Payload) <= i.props.MaxGSO) {
		if p.Told != nil {
			i.tellSent(p)
		}
		s.looped, s.host.Looped = append(s.looped, p), true
		return
	}
	s.host.Pending = true
	if i.props.Ethernet {
		i.sendFrame(p, next, c)
		return
	}
	if p.Told != nil {
		i.tellSent(p)
	}
	i.port.Send(p)
}

// input handles a packet that came in, its IP header in front. The link may have
// carried it to many, or it may be a copy of what the host itself sent there.
func (s *Stack) input(i *Iface, p *packet.Packet, toMany, looped bool) {
	h := &s.in
	*h = header{iface: i, link: i, toMany: toMany, looped: looped}
	var ok bool
	switch wire.Version(p.Header()) {
	case 4:
		s.Counters.IP.InReceives++
		p, ok = s.input4(p, h)
	case 6:
		s.Counters.IP6.InReceives++
		p, ok = s.input6(p, h)
	default:
		p.Release()
		return
	}
	if ok {
		s.deliver(p, h)
	}
}

// input4 reads the IPv4 header, and takes what is for this host and whole. What is
// not ok is dealt with.
func (s *Stack) input4(p *packet.Packet, h *header) (_ *packet.Packet, ok bool) {
	var ip wire.IPv4
	hlen, n, err := ip.Parse(p.Header(), p.Len())
	if err != nil {
		if err == wire.ErrOptions {
			s.badOptions(p, h, &ip)
			return nil, false
		}
		if err == wire.ErrChecksum {
			s.Counters.IP.InCsumErrors++
		}
		dropHeader(&s.Counters.IP, p, err)
		return nil, false
	}
	h.src, h.dst, h.proto, h.ttl, h.tos, h.df = ip.Src, ip.Dst, ip.Protocol, ip.TTL, ip.TOS, ip.DF
	p.Network(hlen, n)
	if len(ip.Options) > 0 && !s.takeOptions(p, h, ip.Options) {
		return nil, false
	}
	whole := !ip.IsFragment()
	part := fragment{key: fragmentKey{h.src, h.dst, uint32(ip.ID), h.proto}, offset: int(ip.FragOffset), more: ip.MF}
	if s.translates && unicastOnly(h) {
		if !whole { // only the first has ports (nf_defrag_ipv4)
			if p, whole = s.parts.add(p, h, part); !whole {
				return nil, false
			}
		}
		if !s.translateIn(p, h) {
			return nil, false
		}
	}
	if !s.accept(p, h) {
		return nil, false
	}
	if whole {
		return p, true
	}
	return s.parts.add(p, h, part)
}

// badOptions tells the sender which byte of the options is wrong (RFC 1122 section
// 3.2.2.5).
func (s *Stack) badOptions(p *packet.Packet, h *header, ip *wire.IPv4) {
	s.Counters.IP.InHdrErrors++
	hlen := wire.IPv4Len + len(ip.Options)
	h.src, h.dst, h.tos = ip.Src, ip.Dst, ip.TOS
	h.cast, _ = s.castOf(h.dst)
	p.Network(hlen, p.Len()-hlen)
	pointer := uint32(wire.CheckIPv4Options(ip.Options))
	s.sendError(p, h, problem{typ4: wire.ICMP_PARAMETERPROB, rest: pointer << 24})
}

// input6 is input4 for IPv6, with the extension headers.
func (s *Stack) input6(p *packet.Packet, h *header) (_ *packet.Packet, ok bool) {
	var ip wire.IPv6
	n, err := ip.Parse(p.Header(), p.Len())
	if err != nil {
		dropHeader(&s.Counters.IP6, p, err)
		return nil, false
	}
	h.src, h.dst, h.proto, h.ttl, h.tos = ip.Src, ip.Dst, ip.NextHeader, ip.HopLimit, ip.TrafficClass
	h.flow = ip.FlowLabel
	p.Network(wire.IPv6Len, n)
	if !s.accept(p, h) {
		return nil, false
	}
	c := &s.Counters.IP6
	for isExtension(h.proto) {
		s.scratch = p.AppendTo(s.scratch[:0])
		x, _, err := wire.WalkExtensions(h.proto, s.scratch)
		if err != nil {
			if x.HasFragment || x.Protocol == wire.IPPROTO_FRAGMENT {
				c.ReasmReqds++
			}
			if x.HasFragment {
				c.ReasmOKs++
			}
			if x.Problem.Code == wire.ICMPV6_UNK_NEXTHDR {
				c.InUnknownProtos++
			} else {
				c.InHdrErrors++
			}
			s.parameterProblem(p, h, x.Problem)
			return nil, false
		}
		if p.Pullup(x.Len) {
			p.Pull(x.Len)
		} else {
			p = s.withoutExtensions(p, x)
		}
		h.proto = x.Protocol
		if !x.HasFragment {
			break
		}
		if !x.Fragment.More && x.Fragment.Offset == 0 { // an atomic fragment (RFC 6946)
			c.ReasmReqds++
			c.ReasmOKs++
			break
		}
		p, ok = s.parts.add(p, h, fragment{
			key: fragmentKey{h.src, h.dst, x.Fragment.ID, 0}, offset: int(x.Fragment.Offset), more: x.Fragment.More, at: x.Len,
		})
		if !ok {
			return nil, false
		}
	}
	return p, true
}

// withoutExtensions is a packet, which the scratch has, with an IPv6 header alone in front: for extension headers
// that a packet has no room for.
func (s *Stack) withoutExtensions(p *packet.Packet, x wire.Extensions) *packet.Packet {
	q := packet.NewPacket()
	q.Append(packet.Of(s.scratch[x.Len:]))
	q.Sum = p.Sum
	ip := q.Push(wire.IPv6Len)
	copy(ip, p.NetworkHeader())
	wire.SetNextHeader(ip, x.Protocol, len(s.scratch)-x.Len)
	q.Network(wire.IPv6Len, len(s.scratch)-x.Len)
	p.Release()
	return q
}

func isExtension(p wire.Protocol) bool {
	switch p {
	case wire.IPPROTO_HOPOPTS, wire.IPPROTO_DSTOPTS, wire.IPPROTO_ROUTING, wire.IPPROTO_FRAGMENT:
		return true
	}
	return false
}

// dropHeader drops a packet whose IP header is bad.
func dropHeader(c *IPCounters, p *packet.Packet, err error) {
	if err == wire.ErrTruncated {
		c.InTruncatedPkts++
	} else {
		c.InHdrErrors++
	}
	p.Release()
}

// deliver hands a packet to those who want its protocol (ip_protocol_deliver_rcu).
func (s *Stack) deliver(p *packet.Packet, h *header) {
	c := s.Counters.ip(h.dst)
	c.InDelivers++
	taken := s.rawInput(p, h)
	switch {
	case h.proto == wire.IPPROTO_TCP:
		s.tcpInput(p, h)
		return
	case h.proto == wire.IPPROTO_UDP:
		s.udpInput(p, h)
		return
	case h.proto == wire.IPPROTO_ICMP && h.dst.Is4():
		s.icmpInput(p, h)
		return
	case h.proto == wire.IPPROTO_ICMPV6 && !h.dst.Is4():
		s.icmp6Input(p, h)
		return
	case taken || h.proto == wire.IPPROTO_NONE || h.proto == wire.IPPROTO_IGMP && h.dst.Is4():
		if h.proto == wire.IPPROTO_IGMP {
			h.iface.igmpInput(p)
		}
		p.Release()
		return
	}
	c.InDelivers--
	c.InUnknownProtos++
	s.sendError(p, h, protocolUnreachable)
}
