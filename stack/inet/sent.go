package inet

import (
	"slices"
	"syscall"
	"time"

	"sockeye"
	"sockeye/packet"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// The times of what is sent (SO_TIMESTAMPING, timestamping.rst in Linux's documentation). There is no queue before a link: a
// packet enters it, and leaves it for the device, in one instant.

const (
	// stampsSent is SOF_TIMESTAMPING_TX_RECORD_MASK, and stampsPacket those that a packet is marked for.
	stampsSent   = stampsPacket | sockeye.SOF_TIMESTAMPING_TX_ACK
	stampsPacket = 1<<0 | sockeye.SOF_TIMESTAMPING_TX_SOFTWARE | sockeye.SOF_TIMESTAMPING_TX_SCHED | 1<<18
)

// A stamp is what a packet that goes out says to the socket that sent it.
type stamp struct {
	to     *base
	wanted int
	id     uint32
	iface  *Iface // that it goes out through, while it does
}

// stamped is who is to be told of a datagram. On the way that a datagram takes to grow, an id of the
// program's stays with the socket (IPCORK_TS_OPT_ID, which nothing takes back).
func (b *base) stamped(w *wish, grows bool) packet.Told {
	if w.stamp&stampsPacket == 0 {
		return nil
	}
	g := &stamp{to: b, wanted: w.stamp}
	numbered := b.Opt.Timestamping&sockeye.SOF_TIMESTAMPING_OPT_ID != 0
	if w.idGiven && grows {
		b.own()
		b.ip.stampID, b.ip.stampIDGiven = w.id, true
	}
	switch {
	case !numbered:
	case grows && b.ip.stampIDGiven:
		g.id = b.ip.stampID
	case w.idGiven:
		g.id = w.id
	default:
		g.id = b.stampKey
		b.stampKey++
	}
	return g
}

// tellSent tells that a packet goes out. Linux's lo has Ethernet headers, all zero.
func (i *Iface) tellSent(p *packet.Packet) {
	g := p.Told.(*stamp)
	p.Told, g.iface = nil, i
	if i.loops {
		typ := wire.ETH_P_IP
		if wire.Version(p.Header()) == 6 {
			typ = wire.ETH_P_IPV6
		}
		wire.Ethernet{Type: typ}.Put(p.Push(wire.EthernetLen))
		defer p.Pull(wire.EthernetLen)
	}
	g.Leaves(p)
}

// Leaves implements packet.Told.
func (g *stamp) Leaves(p *packet.Packet) {
	if g.wanted&sockeye.SOF_TIMESTAMPING_TX_SCHED != 0 {
		g.tell(sockeye.SCM_TSTAMP_SCHED, p)
	}
	if g.wanted&sockeye.SOF_TIMESTAMPING_TX_SOFTWARE != 0 {
		g.tell(sockeye.SCM_TSTAMP_SND, p)
	}
}

// tell is __skb_tstamp_tx.
func (g *stamp) tell(what uint32, p *packet.Packet) {
	e := icmpError{at: time.Now()}
	if flags := g.to.Opt.Timestamping; flags&sockeye.SOF_TIMESTAMPING_OPT_TSONLY == 0 {
		e.payload = p.AppendTo(nil)
		if g.to.Family == sockeye.AF_INET6 || flags&sockeye.SOF_TIMESTAMPING_OPT_CMSG != 0 {
			e.h = headerOf(e.payload, g.iface)
			e.offender, e.iface = e.h.src, g.iface.Index
		}
	}
	g.to.tellStamp(what, g.id, e)
}

// headerOf is the IP header of a frame, or of a packet on a link without frames.
func headerOf(b []byte, i *Iface) (h header) {
	if i.props.Ethernet || i.loops {
		b = b[wire.EthernetLen:]
	}
	if wire.Version(b) == 6 {
		ip, _, _ := wire.ParseIPv6(b)
		return header{src: ip.Src, dst: ip.Dst, ttl: ip.HopLimit, tos: ip.TrafficClass, flow: ip.FlowLabel, iface: i, link: i}
	}
	ip, _, _ := wire.ParseIPv4(b)
	return header{src: ip.Src, dst: ip.Dst, ttl: ip.TTL, tos: ip.TOS, iface: i, link: i}
}

// tellStamp is __skb_complete_tx_timestamp.
func (b *base) tellStamp(what, id uint32, e icmpError) {
	e.errno, e.origin, e.info = syscall.ENOMSG, sockeye.SO_EE_ORIGIN_TIMESTAMPING, what
	if b.Opt.Timestamping&sockeye.SOF_TIMESTAMPING_OPT_ID != 0 {
		e.data = id
		if b.Type == sockeye.SOCK_STREAM {
			e.data -= b.stampKey
		}
	}
	b.errors.put(e)
	b.WakeAll()
}

// marks are the sends of a connection whose times are wanted, in their order, until the peer has acknowledged them.
type marks struct{ list []mark }

// A mark is at the last byte of a send.
type mark struct {
	seq     tcp.Seq
	wanted  int
	payload []byte // of the segment that had it, for SOF_TIMESTAMPING_TX_ACK
}

// mark notes that the times of what has just been written are wanted (tcp_tx_timestamp).
func (t *TCP) mark(wanted int) {
	if t.marks == nil {
		t.marks = new(marks)
	}
	t.marks.list = append(t.marks.list, mark{seq: t.conn.Written().Add(-1), wanted: wanted})
}

// stampOf is who is to be told of a segment, its header and payload in p: the last send that ends in it speaks for
// those before.
func (t *TCP) stampOf(seq tcp.Seq, p *packet.Packet) packet.Told {
	n := packet.Len(p.Payload)
	in := func(m mark) bool { return seq.LessEq(m.seq) && m.seq.Less(seq.Add(n)) }
	l := t.marks.list
	first := slices.IndexFunc(l, in)
	if first < 0 {
		return nil
	}
	last := first
	for last+1 < len(l) && in(l[last+1]) {
		l[last+1].wanted |= l[last].wanted
		last++
	}
	t.marks.list = slices.Delete(l, first, last)
	m := &t.marks.list[first]
	if m.wanted&sockeye.SOF_TIMESTAMPING_TX_ACK != 0 && t.Opt.Timestamping&sockeye.SOF_TIMESTAMPING_OPT_TSONLY == 0 {
		m.payload = p.AppendTo(m.payload[:0])[len(p.Header()):]
	}
	if m.wanted&stampsPacket == 0 {
		return nil
	}
	return &stamp{to: &t.base, wanted: m.wanted, id: uint32(m.seq)}
}

// acknowledged tells of the sends that the peer has acknowledged (tcp_ack_tstamp).
func (t *TCP) acknowledged() {
	l := t.marks.list
	for len(l) > 0 && l[0].seq.Less(t.conn.Acked()) {
		if m := &l[0]; m.wanted&sockeye.SOF_TIMESTAMPING_TX_ACK != 0 {
			t.tellStamp(sockeye.SCM_TSTAMP_ACK, uint32(m.seq), icmpError{at: time.Now(), payload: m.payload})
		}
		l = l[1:]
	}
	if t.marks.list = l; len(l) == 0 {
		t.marks = nil
	}
}
