package inet

import (
	"encoding/binary"
	"slices"
	"syscall"
	"time"

	"sockeye/event"
	"sockeye/packet"
	"sockeye/wire"
)

// A problem is an ICMP error to be sent: its type and code in both versions.
type problem struct {
	typ4, code4, typ6, code6 uint8
	rest                     uint32
}

// The errors that a host and a router send (RFC 1122 section 3.2.2, RFC 1812 section
// 4.3.3, RFC 4443).
var (
	noRoute                = problem{wire.ICMP_DEST_UNREACH, wire.ICMP_NET_UNREACH, wire.ICMPV6_DEST_UNREACH, wire.ICMPV6_NOROUTE, 0}
	hostUnreachable        = problem{wire.ICMP_DEST_UNREACH, wire.ICMP_HOST_UNREACH, wire.ICMPV6_DEST_UNREACH, wire.ICMPV6_ADDR_UNREACH, 0}
	beyondScope            = problem{typ6: wire.ICMPV6_DEST_UNREACH, code6: wire.ICMPV6_NOT_NEIGHBOUR}
	portUnreachable        = problem{wire.ICMP_DEST_UNREACH, wire.ICMP_PORT_UNREACH, wire.ICMPV6_DEST_UNREACH, wire.ICMPV6_PORT_UNREACH, 0}
	protocolUnreachable    = problem{wire.ICMP_DEST_UNREACH, wire.ICMP_PROT_UNREACH, wire.ICMPV6_PARAMPROB, wire.ICMPV6_UNK_NEXTHDR, nextHeaderAt}
	sourceRouteFailed      = problem{typ4: wire.ICMP_DEST_UNREACH, code4: wire.ICMP_SR_FAILED}
	timeExceeded           = problem{wire.ICMP_TIME_EXCEEDED, wire.ICMP_EXC_TTL, wire.ICMPV6_TIME_EXCEED, wire.ICMPV6_EXC_HOPLIMIT, 0}
	reassemblyTimeExceeded = problem{wire.ICMP_TIME_EXCEEDED, wire.ICMP_EXC_FRAGTIME, wire.ICMPV6_TIME_EXCEED, wire.ICMPV6_EXC_FRAGTIME, 0}
)

// headersIncomplete is about a first fragment (RFC 7112 section 5).
var headersIncomplete = problem{typ6: wire.ICMPV6_PARAMPROB, code6: wire.ICMPV6_HDR_INCOMP}

// payloadLenAt is where IPv6 has the length of its payload.
const payloadLenAt = 4

// nextHeaderAt is where IPv6 has the protocol; ICMPv4 leaves the field unused.
const nextHeaderAt = 6

func tooBig(mtu int) problem {
	return problem{wire.ICMP_DEST_UNREACH, wire.ICMP_FRAG_NEEDED, wire.ICMPV6_PKT_TOOBIG, 0, uint32(mtu)}
}

// parameterProblem answers a bad IPv6 header as its parser says.
func (s *Stack) parameterProblem(p *packet.Packet, h *header, why wire.Problem) {
	if why.Answer == wire.AnswerNone || why.Answer == wire.AnswerUnicast && h.cast != unicast {
		p.Release()
		return
	}
	s.answer(p, h, problem{typ6: wire.ICMPV6_PARAMPROB, code6: why.Code, rest: uint32(why.Pointer)})
}

// What an error quotes of the packet at most, so that the whole has 576 bytes (RFC
// 1812 section 4.3.2.3) or the smallest MTU of IPv6 (RFC 4443 section 2.4).
const (
	maxQuote4 = 576 - wire.IPv4Len - wire.ICMPLen
	maxQuote6 = wire.MinMTU6 - wire.IPv6Len - wire.ICMPLen
)

// sendError answers a packet with an error, unless it went to many.
func (s *Stack) sendError(p *packet.Packet, h *header, e problem) {
	if h.cast != unicast || h.toMany {
		p.Release()
		return
	}
	s.answer(p, h, e)
}

// answer sends an error about p, whose network header is read, to its sender. There
// is none about errors, later fragments and what nobody in particular sent (RFC 1122
// section 3.2.2). It takes over p.
func (s *Stack) answer(p *packet.Packet, h *header, e problem) {
	defer p.Release()
	p.Push(len(p.NetworkHeader()))
	s.scratch = p.AppendTo(s.scratch[:0])
	s.complain(s.scratch, h, e)
}

// complain is answer about a packet of these bytes.
func (s *Stack) complain(quoted []byte, h *header, e problem) {
	ip4 := h.dst.Is4()
	if h.src.IsUnspecified() || h.src.IsMulticast() || h.src.IsBroadcast() || !ip4 && e.typ6 == 0 {
		return
	}
	if isICMPError(quoted, ip4) {
		return
	}
	src := h.dst
	if s.local(src) == nil && !h.iface.props.Loopback {
		src = wire.Addr{}
		if ip4 {
			src = anyIPv4
		}
	}
	w, err := s.find(s.echoOptions(h).hop(h.src), way{src: src})
	if err != nil {
		return
	}
	typ, code := e.typ4, e.code4
	if !ip4 {
		typ, code = e.typ6, e.code6
	}
	if !s.mayAnswer(h.src, typ, code, w) {
		return
	}
	quoted = quoted[:min(len(quoted), maxQuote6)]
	q := packet.NewPacket()
	out := header{src: w.src, dst: h.src, proto: wire.IPPROTO_ICMPV6, ttl: s.Sysctl.DefaultHopLimit}
	if ip4 {
		quoted = quoted[:min(len(quoted), maxQuote4)]
		out.proto, out.ttl, out.tos = wire.IPPROTO_ICMP, s.Sysctl.DefaultTTL, h.tos&0x1e|0xc0 // internetwork control
		if out.options = s.echoOptions(h).to(h.src); out.options != nil {
			quoted = quoted[:min(len(quoted), maxQuote4-out.options.len())]
			out.dst = out.options.hop(h.src)
		}
		if e == protocolUnreachable {
			e.rest = 0
		}
	}
	b := make([]byte, wire.ICMPLen+len(quoted))
	copy(b[wire.ICMPLen:], quoted)
	if ip4 {
		wire.ICMPv4{Type: e.typ4, Code: e.code4, Rest: e.rest}.Put(b)
	} else {
		wire.ICMPv6{Type: e.typ6, Code: e.code6, Rest: e.rest}.Put(b)
		wire.FillICMPv6(b, wire.PseudoSum(out.src, out.dst, out.proto, len(b)))
	}
	q.Sum = packet.SumGood
	q.Append(packet.Of(b))
	s.Counters.icmp(h.src).sent(b[0])
	s.output(q, out, w)
}

// isICMPError tells whether a packet is an error itself, or IPv4's later fragment.
func isICMPError(b []byte, ip4 bool) bool {
	if ip4 {
		q, err := wire.ParseQuote4(b)
		return err == nil && (q.FragOffset != 0 || q.Protocol == wire.IPPROTO_ICMP && wire.ICMPv4{Type: q.Payload[0]}.IsError())
	}
	q, err := wire.ParseQuote6(b)
	return err == nil && q.FragOffset == 0 && q.Protocol == wire.IPPROTO_ICMPV6 && wire.ICMPv6{Type: q.Payload[0]}.IsError()
}

// undeliverable tells the sender of a packet, its IP header in front, that the
// neighbour it needs does not answer.
func (s *Stack) undeliverable(p *packet.Packet, i *Iface) {
	h := header{iface: i}
	b := p.Header()
	var four wire.IPv4
	var six wire.IPv6
	if hlen, n, err := four.Parse(b, p.Len()); err == nil {
		h.src, h.dst, h.tos = four.Src, four.Dst, four.TOS
		p.Network(hlen, n)
	} else if n, err := six.Parse(b, p.Len()); err == nil {
		h.src, h.dst = six.Src, six.Dst
		p.Network(wire.IPv6Len, n)
	} else {
		p.Release()
		return
	}
	s.sendError(p, &h, hostUnreachable)
}

// intact reads an ICMP message into the scratch, and checks its checksum if that is
// not known to be right.
func (s *Stack) intact(p *packet.Packet, h *header) (message []byte, ok bool) {
	c := s.Counters.icmp(h.dst)
	c.InMsgs++
	s.scratch = p.AppendTo(s.scratch[:0])
	b := s.scratch
	sum := wire.Sum(0)
	if !h.dst.Is4() {
		sum = wire.PseudoSum(h.src, h.dst, wire.IPPROTO_ICMPV6, len(b))
	}
	switch {
	case p.Sum == packet.SumUnknown && !sum.Add(b).Valid():
		c.InCsumErrors++
		fallthrough
	case len(b) < wire.ICMPLen:
		c.InErrors++
		return nil, false
	}
	c.received(b[0])
	return b, true
}

// icmpInput handles an ICMPv4 message (icmp_rcv).
func (s *Stack) icmpInput(p *packet.Packet, h *header) {
	b, ok := s.intact(p, h)
	if !ok {
		p.Release()
		return
	}
	m, body, _ := wire.ParseICMPv4(b)
	c := &s.Counters.ICMP
	switch {
	case m.Type > maxICMPType:
	case h.cast != unicast: // icmp_echo_ignore_broadcasts is on
		if m.Type != wire.ICMP_ADDRESS && m.Type != wire.ICMP_ADDRESSREPLY {
			c.InErrors++
		}
	case m.Type == wire.ICMP_ECHO:
		if s.echoes(h) {
			s.echo(p, h, wire.ICMP_ECHOREPLY)
			return
		}
	case m.Type == wire.ICMP_TIMESTAMP:
		if len(body) >= 4 {
			s.timestamp(p, h, m, body)
			return
		}
		c.InErrors++
	case m.Type == wire.ICMP_ECHOREPLY:
		s.pingInput(p, h, m.ID())
		return
	case m.IsError():
		if q, err := wire.ParseQuote4(body); err != nil {
			c.InErrors++
		} else if e, ok := meaning4(m); ok {
			e.body, e.original = body, originalLength4(m)
			s.spread(h, &q, e)
		} else if m.Type == wire.ICMP_REDIRECT {
			s.redirected4(h, &q, m)
		}
	}
	p.Release()
}

// maxICMPType is NR_ICMP_TYPES: Linux looks at no type beyond it.
const maxICMPType = 18

// icmp6Input handles an ICMPv6 message (icmpv6_rcv).
func (s *Stack) icmp6Input(p *packet.Packet, h *header) {
	b, ok := s.intact(p, h)
	if !ok {
		p.Release()
		return
	}
	m, body, _ := wire.ParseICMPv6(b)
	near := h.ttl == wire.NDPHopLimit && m.Code == 0
	switch {
	case m.Type == wire.ICMPV6_ECHO_REQUEST:
		if s.echoes(h) {
			s.echo(p, h, wire.ICMPV6_ECHO_REPLY)
			return
		}
	case m.Type == wire.ICMPV6_ECHO_REPLY:
		s.pingInput(p, h, m.ID())
		return
	case m.Type == wire.NDISC_ROUTER_SOLICITATION && near:
		h.iface.routerSolicited(b, h)
	case m.Type == wire.NDISC_ROUTER_ADVERTISEMENT && near:
		h.iface.routerAdvertised(b, h)
	case m.Type == wire.NDISC_NEIGHBOUR_SOLICITATION && near:
		h.iface.solicited(b, h)
	case m.Type == wire.NDISC_NEIGHBOUR_ADVERTISEMENT && near:
		h.iface.advertised(b)
	case m.Type == wire.NDISC_REDIRECT && near:
		s.redirected6(h, b)
	case m.Type == wire.ICMPV6_MGM_QUERY && h.src.IsLinkLocal():
		if q, err := wire.ParseMLDQuery(b); err == nil {
			h.iface.queried(&q, allNodes)
		}
	case m.IsError():
		if q, err := wire.ParseQuote6(body); err != nil {
			s.Counters.ICMP6.InErrors++
		} else if e, ok := meaning6(m); ok {
			e.body, e.original = body, originalLength6(m)
			s.spread(h, &q, e)
		}
	}
	p.Release()
}

// echoes tells whether the host answers an echo request. What is for another host it leaves to raw
// sockets.
func (s *Stack) echoes(h *header) bool { return !s.Sysctl.EchoIgnoreAll && !h.proxied }

// echo turns a request, which is in the scratch, into a reply with the same payload.
func (s *Stack) echo(p *packet.Packet, h *header, reply uint8) {
	b := s.scratch
	b[0] = reply
	p.Release()
	s.reply(h, b)
}

// timestamp answers a request for the time (RFC 792, icmp_timestamp): when the request left, came and was
// answered, in milliseconds since midnight UT.
func (s *Stack) timestamp(p *packet.Packet, h *header, m wire.ICMPv4, body []byte) {
	b := make([]byte, wire.ICMPLen+12)
	copy(b[wire.ICMPLen:], body[:4])
	now := milliseconds(time.Now())
	binary.BigEndian.PutUint32(b[wire.ICMPLen+4:], now)
	binary.BigEndian.PutUint32(b[wire.ICMPLen+8:], now)
	m.Type, m.Code = wire.ICMP_TIMESTAMPREPLY, 0
	m.Put(b)
	p.Release()
	s.reply(h, b)
}

// reply sends a message, but for its checksum, to who sent h (icmp_reply, icmpv6_echo_reply).
func (s *Stack) reply(h *header, b []byte) {
	from := way{src: h.dst, ifindex: s.scopeOf(h)}
	if h.cast != unicast {
		from.src = wire.Addr{}
	}
	options := s.echoOptions(h).to(h.src)
	w, err := s.find(options.hop(h.src), from)
	if err != nil {
		return
	}
	out := header{src: w.src, dst: options.hop(h.src), proto: h.proto, ttl: s.Sysctl.DefaultTTL, tos: h.tos, options: options}
	if h.dst.Is4() {
		m := wire.ICMPv4{Type: b[0], Code: b[1], Rest: binary.BigEndian.Uint32(b[4:])}
		m.Put(b)
	} else {
		out.ttl = s.Sysctl.DefaultHopLimit
		wire.FillICMPv6(b, wire.PseudoSum(out.src, out.dst, wire.IPPROTO_ICMPV6, len(b)))
	}
	q := packet.NewPacket()
	q.Sum = packet.SumGood
	q.Append(packet.Of(b))
	s.Counters.icmp(h.src).sent(b[0])
	s.output(q, out, w)
}

// scopeOf is the interface that an answer to a link-local address must leave by.
func (s *Stack) scopeOf(h *header) int {
	if !h.src.Is4() && h.src.IsLinkLocal() {
		return h.iface.Index
	}
	return 0
}

// spread tells the sockets whose packet an error quotes. Anybody may have made the
// quote up, so that it must fit a socket of this host.
func (s *Stack) spread(h *header, q *wire.Quote, e icmpError) {
	e.offender, e.dst, e.iface, e.h = h.src, q.Dst, h.iface.Index, *h
	s.rawError(q, e)
	known := true
	switch q.Protocol {
	case wire.IPPROTO_TCP:
		known = s.tcpError(h, q, e)
	case wire.IPPROTO_UDP:
		known = s.udpError(h, q, e)
	case wire.IPPROTO_ICMP, wire.IPPROTO_ICMPV6:
		s.learnMTU(q, e)
		s.pingError(q, e)
	}
	if !known {
		s.Counters.icmp(h.dst).InErrors++
	}
}

// Path MTUs that were learned (RFC 1191, RFC 8201): bounded, and forgotten after ten
// minutes (route/mtu_expires).
const (
	maxPathMTUs = 4096
	mtuExpires  = 10 * time.Minute
	minMTU4     = 552 // route/min_pmtu
)

type pathMTUs struct {
	known map[wire.Addr]pathMTU
	order []wire.Addr // in which they were learned
}

type pathMTU struct {
	mtu     int
	expires event.Time
}

// learnMTU notes what an error about a packet of this host's, which was too long, tells of the path.
func (s *Stack) learnMTU(q *wire.Quote, e icmpError) {
	mtu := int(e.info)
	switch {
	case e.errno != syscall.EMSGSIZE, !q.Dst.Is4() && mtu < wire.MinMTU6:
		return
	case q.Dst.Is4():
		mtu = max(mtu, minMTU4)
	}
	s.mtus.learn(q.Dst, mtu, s.loop.Now())
}

// learn notes that packets to dst may have mtu bytes. When there are too many, those that were learned first
// are forgotten.
func (m *pathMTUs) learn(dst wire.Addr, mtu int, now event.Time) {
	if _, known := m.known[dst]; !known {
		if len(m.order) == maxPathMTUs {
			delete(m.known, m.order[0])
			m.order = m.order[1:]
		}
		m.order = append(m.order, dst)
	}
	m.known[dst] = pathMTU{mtu, now.Add(mtuExpires)}
}

// limit is mtu, or less if that is known of the path.
func (m *pathMTUs) limit(dst wire.Addr, mtu int, now event.Time) int {
	if len(m.known) == 0 {
		return mtu
	}
	p, ok := m.known[dst]
	if !ok || now > p.expires {
		return mtu
	}
	return min(mtu, p.mtu)
}

// quoted is a copy of what follows the header in a quote.
func quoted(b []byte, skip int) []byte { return slices.Clone(b[min(skip, len(b)):]) }
