package inet

import (
	"syscall"

	"sockeye"
	"sockeye/packet"
	"sockeye/stack/sock"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// A Call is a SYN that a listening socket has not answered yet, because its program wants to
// decide: as with the deferred accept of X.25 (x25(7)), which Linux's TCP does not have.
type Call struct {
	flow
	chained
	listener *TCP
	h        header
	syn      tcp.Segment
	over     bool
}

// Screen makes a listener ask f about each SYN, instead of answering it. f is called with the
// host locked.
func (t *TCP) Screen(f func(*Call)) error {
	if t.queue == nil {
		return syscall.EINVAL
	}
	t.queue.screen = f
	return nil
}

// ask makes a call of a SYN.
func (t *TCP) ask(f flow, h *header, g *tcp.Segment) {
	c := &Call{flow: f, listener: t}
	c.keep(h, g)
	q := t.queue
	if q.calls == nil {
		q.calls = make(map[*Call]struct{})
	}
	q.calls[c] = struct{}{}
	t.stack.tcp.flows.put(c)
	q.screen(c)
}

// keep notes a SYN, without data: that will be sent again.
func (c *Call) keep(h *header, g *tcp.Segment) {
	g.Payload.Release()
	c.h, c.syn = *h, *g
	c.syn.Payload = packet.List{}
}

// Names are the caller's address and the one that it calls.
func (c *Call) Names() tcp.Flow { return c.names() }

// take implements segmentTaker: a SYN again, or a caller who gave up.
func (c *Call) take(h *header, g *tcp.Segment) {
	host := c.listener.stack.tcp.host
	host.InSegs++
	switch {
	case g.Flags&tcp.RST != 0 && g.Seq == c.syn.Seq+1:
		host.AttemptFails++
		c.forget()
	case g.Flags&(tcp.SYN|tcp.ACK|tcp.RST|tcp.FIN) == tcp.SYN:
		c.keep(h, g)
		return
	}
	g.Payload.Release()
}

// info implements segmentTaker.
func (c *Call) info() sock.SocketInfo { return c.flow.info(&c.listener.base, sockeye.TCP_SYN_RECV) }

// forget implements segmentTaker.
func (c *Call) forget() {
	if c.over {
		return
	}
	c.over = true
	c.listener.stack.tcp.flows.remove(c)
	if q := c.listener.queue; q != nil {
		delete(q.calls, c)
	}
}

// Accept answers the SYN, and gives the connection before its handshake is done: ECONNABORTED,
// if the caller or the listener is gone.
func (c *Call) Accept() (*TCP, error) {
	t := c.listener
	s := t.stack
	if c.over {
		return nil, syscall.ECONNABORTED
	}
	c.forget()
	w, err := s.find(c.remote, t.wayTo(c.flow))
	if err != nil {
		return nil, err
	}
	now, host, cfg, f := s.now(), s.tcp.host, t.configFor(w), c.names()
	r := host.NewRequest(now, cfg, &c.syn, host.ISN(now, f), host.TSOffset(f))
	child := t.child(r.AcceptEarly(host, now, cfg, &c.syn), c.flow, &c.h)
	child.early = true
	return child, nil
}

// Refuse turns the caller away, so that its connect gives the error: ECONNREFUSED with a reset,
// ENETUNREACH, EHOSTUNREACH and EACCES with the ICMP error of that meaning. ETIMEDOUT leaves it
// without an answer, and other errors reset it.
func (c *Call) Refuse(err syscall.Errno) {
	if c.over {
		return
	}
	c.forget()
	s := c.listener.stack
	if err == syscall.ETIMEDOUT {
		return
	}
	if e, ok := problemOf[err]; ok {
		s.sendError(c.packet(), &c.h, e)
		return
	}
	s.tcp.host.Reset(s.now(), &c.syn)
	s.answerSegment(c.flow, s.echoOptions(&c.h))
}

// problemOf has the ICMP errors that lead to an errno (icmp_err_convert).
var problemOf = map[syscall.Errno]problem{
	syscall.ENETUNREACH:  noRoute,
	syscall.EHOSTUNREACH: hostUnreachable,
	syscall.EACCES:       prohibited,
}

// prohibited is by a rule (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
var prohibited = problem{wire.ICMP_DEST_UNREACH, wire.ICMP_PKT_FILTERED, wire.ICMPV6_DEST_UNREACH, wire.ICMPV6_ADM_PROHIBITED, 0}

// packet is the SYN as a packet, its IP header read, for an error to quote.
func (c *Call) packet() *packet.Packet {
	s, n := c.listener.stack, c.syn.TCP.Len()
	p := packet.NewPacket()
	c.syn.TCP.Put(p.Push(n))
	hlen := c.h.len()
	s.putHeader(p, &c.h, n)
	p.Network(hlen, n)
	return p
}
