package lab

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"sockeye"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// A Conversation is what two sockets sent each other, or two hosts if the protocol has no
// ports: the part of it that the network remembers.
type Conversation struct {
	Proto wire.Protocol
	// Ends are the two addresses, the one that spoke first in front; Hosts have them, or nobody does
	// in the network, and Names are what they are called.
	Ends  [2]netip.AddrPort
	Hosts [2]*Host
	Names [2]string
	Steps []Step // in the order of sending
}

// Conversations are what the network remembers of its last packets.
func (n *Network) Conversations() []*Conversation {
	list := conversations(n.trace.all())
	for _, c := range list {
		for i, e := range c.Ends {
			c.Names[i] = "?"
			if h := n.owners[e.Addr()]; h != nil {
				c.Hosts[i], c.Names[i] = h, h.name
			}
		}
	}
	return list
}

// conversations sorts steps into conversations.
func conversations(steps []Step) (list []*Conversation) {
	type key struct {
		proto wire.Protocol
		ends  [2]netip.AddrPort
	}
	known := make(map[key]*Conversation)
	for _, s := range steps {
		k := key{s.Proto, [2]netip.AddrPort{s.Src, s.Dst}}
		if s.Dst.Compare(s.Src) < 0 {
			k.ends[0], k.ends[1] = s.Dst, s.Src
		}
		c := known[k]
		if c == nil {
			c = &Conversation{Proto: s.Proto, Ends: [2]netip.AddrPort{s.Src, s.Dst}}
			known[k] = c
			list = append(list, c)
		}
		c.Steps = append(c.Steps, s)
	}
	return list
}

// Between are the conversations of two hosts.
func (n *Network) Between(a, b *Host) []*Conversation {
	return slices.DeleteFunc(n.Conversations(), func(c *Conversation) bool {
		return c.Hosts != [2]*Host{a, b} && c.Hosts != [2]*Host{b, a}
	})
}

// An instant is a step at one of its ends.
type instant struct {
	step    int
	arrival bool
	at      time.Duration
}

// instants are all that happens at the ends, in order.
func (c *Conversation) instants() (list []instant) {
	for i, s := range c.Steps {
		list = append(list, instant{i, false, s.Sent})
		if s.Arrived != 0 {
			list = append(list, instant{i, true, s.Arrived})
		}
	}
	slices.SortStableFunc(list, func(a, b instant) int { return cmp.Compare(a.at, b.at) })
	return list
}

// from tells which end sent a step.
func (c *Conversation) from(s *Step) int {
	if s.Src == c.Ends[0] {
		return 0
	}
	return 1
}

// An end follows the state of one side of a TCP connection by what it sends and receives.
type end struct {
	state    sockeye.TCPState
	base     tcp.Seq // of its own bytes: they are counted from here
	based    bool
	top      tcp.Seq // behind the last byte that it has sent
	fin      tcp.Seq // behind its FIN
	finished bool
	lastAck  tcp.Seq
	lastWnd  uint16
	scale    int // of the windows that it offers; -1: it offered none
	repeats  int // duplicate ACKs in a row
}

// A change is what a segment does to a state; those that stand in no row leave it.
type change struct {
	from sockeye.TCPState
	to   sockeye.TCPState
}

// The states of RFC 9293 section 3.3.2, as far as packets tell of them.
var (
	onSendFIN = []change{
		{sockeye.TCP_SYN_RECV, sockeye.TCP_FIN_WAIT1}, {sockeye.TCP_ESTABLISHED, sockeye.TCP_FIN_WAIT1},
		{sockeye.TCP_CLOSE_WAIT, sockeye.TCP_LAST_ACK},
	}
	onFIN = []change{
		{sockeye.TCP_SYN_RECV, sockeye.TCP_CLOSE_WAIT}, {sockeye.TCP_ESTABLISHED, sockeye.TCP_CLOSE_WAIT},
		{sockeye.TCP_FIN_WAIT1, sockeye.TCP_CLOSING}, {sockeye.TCP_FIN_WAIT2, sockeye.TCP_TIME_WAIT},
	}
	onAckOfFIN = []change{
		{sockeye.TCP_FIN_WAIT1, sockeye.TCP_FIN_WAIT2}, {sockeye.TCP_CLOSING, sockeye.TCP_TIME_WAIT},
		{sockeye.TCP_LAST_ACK, sockeye.TCP_CLOSE},
	}
)

func (e *end) change(table []change) {
	for _, c := range table {
		if e.state == c.from {
			e.state = c.to
			return
		}
	}
}

// sends notes what the end sends, and gives what is remarkable about it.
func (e *end) sends(s *Step) (note string) {
	x := &s.TCP
	seq := tcp.Seq(x.Seq)
	next := seq.Add(s.Len)
	if x.Flags&(wire.SYN|wire.FIN) != 0 {
		next = next.Add(1)
	}
	if !e.based {
		e.base, e.top, e.based, e.scale = seq, seq, true, -1
		switch {
		case x.Flags&wire.SYN == 0: // the beginning is forgotten
			e.state = sockeye.TCP_ESTABLISHED
		case x.Options.Has(wire.OptWindowScale):
			e.scale = int(x.Options.WindowScale)
		}
	}
	switch {
	case seq.Less(e.top) && next != seq && (next.LessEq(e.top)):
		note = "retransmission"
	case seq.Less(e.top) && next == seq, s.Len == 1 && e.lastWnd == 0:
		note = "probe"
	case s.Len == 0 && x.Flags&(wire.SYN|wire.FIN|wire.RST) == 0 && tcp.Seq(x.Ack) == e.lastAck && x.Options.NumSACK > 0:
		e.repeats++
		note = "duplicate ACK"
	}
	if e.top.Less(next) {
		e.top = next
	}
	if x.Flags&wire.ACK != 0 {
		e.lastAck = tcp.Seq(x.Ack)
	}
	switch {
	case x.Flags&wire.RST != 0:
		e.state = sockeye.TCP_CLOSE
	case x.Flags&(wire.SYN|wire.ACK) == wire.SYN:
		e.state = sockeye.TCP_SYN_SENT
	case x.Flags&wire.SYN != 0:
		e.state = sockeye.TCP_SYN_RECV
	case x.Flags&wire.FIN != 0:
		e.fin, e.finished = next, true
		e.change(onSendFIN)
	}
	return note
}

// receives notes what comes to the end.
func (e *end) receives(s *Step) {
	x := &s.TCP
	ack := x.Flags&wire.ACK != 0
	if ack {
		e.lastWnd = x.Window
	}
	switch {
	case x.Flags&wire.RST != 0:
		e.state = sockeye.TCP_CLOSE
		return
	case x.Flags&wire.SYN != 0 && e.state == sockeye.TCP_SYN_SENT && ack:
		e.state = sockeye.TCP_ESTABLISHED
		return
	case x.Flags&wire.SYN != 0:
		return
	case e.state == sockeye.TCP_SYN_RECV && ack:
		e.state = sockeye.TCP_ESTABLISHED
	}
	if ack && e.finished && e.fin.LessEq(tcp.Seq(x.Ack)) {
		e.change(onAckOfFIN)
	}
	if x.Flags&wire.FIN != 0 {
		e.change(onFIN)
	}
}
