package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"sockeye"
	"sockeye/internal/datagram"
)

// idle is how long a flow lasts without a datagram (RFC 4787, section 4.3).
const idle = 2 * time.Minute

// A flowKey is who sends datagrams to whom, as they see it inside.
type flowKey struct{ from, to netip.AddrPort }

// A flow is the datagrams between two: a socket on either side, both connected, the one inside with
// the address of who is outside.
type flow struct {
	g              *Gateway
	key            flowKey
	in, out        *sockeye.Socket
	active         atomic.Int64 // when a datagram came last, in Unix nanoseconds
	sent, received atomic.Int64
}

// openUDP takes the datagrams for every address of a family that are of no flow yet.
func (g *Gateway) openUDP(family sockeye.Family) error {
	s, err := g.transparent(sockeye.SOCK_DGRAM, 0, netip.AddrPortFrom(anyOf(family), tproxyPort))
	if err != nil {
		return err
	}
	option := sockeye.IP_RECVORIGDSTADDR
	if family == sockeye.AF_INET6 {
		option = sockeye.IPV6_RECVORIGDSTADDR
	}
	if err := option.Set(s, true); err != nil {
		return err
	}
	g.run(func() { g.beginFlows(s) })
	return nil
}

// beginFlows opens the flows of the datagrams that belong to none.
func (g *Gateway) beginFlows(s *sockeye.Socket) {
	m := sockeye.Message{Buffers: [][]byte{make([]byte, maxMessage)}, Control: make([]byte, 64)}
	for {
		n, err := s.Recvmsg(&m, 0)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			continue // an ICMP error
		}
		for c := range m.ControlMessages() {
			if to, ok := c.OriginalDst(); ok {
				g.begin(flowKey{m.Name.AddrPort(), to.AddrPort()}, m.Buffers[0][:n])
			}
		}
	}
}

// begin sends a datagram on its flow, a new one if need be.
func (g *Gateway) begin(k flowKey, p []byte) {
	g.mu.Lock()
	f := g.flows[k]
	g.mu.Unlock()
	if f == nil {
		var err error
		if f, err = g.openFlow(k); err != nil {
			g.Log(Event{Protocol: "udp", From: k.from, To: k.to, Err: err})
			g.unreachable(k, refusal(err))
			return
		}
		g.mu.Lock()
		g.flows[k] = f
		g.mu.Unlock()
		g.Log(Event{Protocol: "udp", From: k.from, To: k.to, Opened: true})
		g.run(func() { f.forward(f.in, f.out, &f.sent) })
		g.run(f.answer)
	}
	f.out.Send(p, sockeye.MSG_DONTWAIT) // what is not taken is lost, as on any path
	f.sent.Add(int64(len(p)))
}

// openFlow opens the sockets of a flow.
func (g *Gateway) openFlow(k flowKey) (*flow, error) {
	to, err := g.lead(k.to)
	if err != nil {
		return nil, err
	}
	f := &flow{g: g, key: k}
	f.active.Store(time.Now().UnixNano())
	if f.out, err = g.dial(g.ctx, sockeye.SOCK_DGRAM, to); err != nil {
		return nil, err
	}
	recverr := sockeye.IP_RECVERR
	if to.Addr().Is6() {
		recverr = sockeye.IPV6_RECVERR
	}
	recverr.Set(f.out, true) // a host without it tells less of what went wrong
	if f.in, err = g.transparent(sockeye.SOCK_DGRAM, 0, k.to); err == nil {
		err = f.in.Connect(sockeye.SockaddrInet(k.from))
	}
	if err != nil {
		f.close()
		return nil, err
	}
	context.AfterFunc(g.ctx, f.close)
	return f, nil
}

func (f *flow) close() {
	f.out.Close()
	if f.in != nil {
		f.in.Close()
	}
}

// answer brings back what comes from outside, until the flow is idle.
func (f *flow) answer() {
	err := f.forward(f.out, f.in, &f.received)
	f.g.mu.Lock()
	delete(f.g.flows, f.key)
	f.g.mu.Unlock()
	f.close()
	f.g.Log(Event{Protocol: "udp", From: f.key.from, To: f.key.to, Sent: f.sent.Load(), Received: f.received.Load(), Err: err})
}

// forward moves datagrams from one socket to the other until the flow is idle or closed.
func (f *flow) forward(from, to *sockeye.Socket, count *atomic.Int64) error {
	in, err := datagram.NewReceiver(from)
	if err != nil {
		return err
	}
	out := datagram.NewSender(to, sockeye.MSG_DONTWAIT)
	lost := func(_ sockeye.Sockaddr, p []byte, err error) { count.Add(-int64(len(p))) }
	send := func(ds []datagram.Datagram) {
		f.active.Store(time.Now().UnixNano())
		for _, d := range ds {
			count.Add(int64(len(d.Data)))
			out.Add(sockeye.Sockaddr{}, datagram.Datagram{Data: d.Data, Segment: d.Segment})
		}
		out.Flush(lost)
	}
	for {
		end := time.Unix(0, f.active.Load()).Add(idle)
		if !time.Now().Before(end) {
			return nil
		}
		from.SetReadDeadline(end)
		switch err := in.ReceiveBorrowing(send); {
		case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, net.ErrClosed):
			return nil
		case !datagram.Passing(err):
			return err
		case from == f.out:
			f.reportErrors(err)
		}
	}
}

// reportErrors passes on the ICMP errors that the socket outside was told.
func (f *flow) reportErrors(err error) {
	told := false
	for e := range socketErrors(f.out) {
		f.g.sendError(f.key, e)
		told = true
	}
	if !told {
		f.g.unreachable(f.key, errnoOf(err))
	}
}
