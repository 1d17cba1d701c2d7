package inet

import (
	"sockeye/packet"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// Segments to the host itself take a shorter way: they are not made into packets, which the
// same host would read again, but given to the receiver as they are. That halves what a segment costs.
// Nobody sees the difference, unless a raw socket looks at packets: then they are made.

// A looped segment is one that the host sent to itself.
type looped struct {
	src, dst wire.Addr
	flow     uint32
	ttl      uint8
	tos      wire.TOS
	df       bool
	via      int32 // as in path
	segment  tcp.Segment
}

// sniffed tells whether somebody looks at packets.
func (s *Stack) sniffed() bool { return len(s.raw) > 0 }

// loopSegments is sendSegments to lo.
func (s *Stack) loopSegments(f flow, h *header, via int) {
	out := s.tcp.host.Out
	for i := range out {
		g := &out[i]
		g.SrcPort, g.DstPort, g.Conn = f.localPort, f.remotePort, nil
		s.tcp.looped = append(s.tcp.looped, looped{h.src, h.dst, h.flow, h.ttl, h.tos.WithECN(g.ECN), h.df, int32(via), *g})
		g.Payload = packet.List{}
	}
	s.tcp.host.Out = out[:0]
	s.Counters.ip(h.dst).OutRequests += uint64(len(out))
	s.host.Looped = true
}

// A timed is what has a deadline.
type timed interface{ setTimer() }

// timed sets a timer; while segments to the host itself are on their way, once these have arrived: most of what
// waits for an answer then has it. Of a connection on one host neither the SYN nor the SYN-ACK takes a timer.
func (s *Stack) timed(t timed) {
	if s.host.Looped {
		s.tcp.timed = append(s.tcp.timed, t)
	} else {
		t.setTimer()
	}
}

// setTimers sets those timers.
func (l *tcpLayer) setTimers() {
	for _, t := range l.timed {
		t.setTimer()
	}
	clear(l.timed)
	l.timed = l.timed[:0]
}

// deliverSegments takes them to their receivers.
func (s *Stack) deliverSegments() {
	l := &s.tcp
	for n := 0; n < len(l.looped); n++ {
		q := &l.looped[n]
		if !s.ifaces[0].Up {
			q.segment.Payload.Release()
			continue
		}
		s.in = header{
			src: q.src, dst: q.dst, proto: wire.IPPROTO_TCP, ttl: q.ttl, tos: q.tos, flow: q.flow, df: q.df,
			iface: s.ifaces[0], link: s.ifaces[0],
		}
		if _, near := s.castOf(q.dst); near != nil {
			s.arriveAt(&s.in, near, q.via)
		}
		l.in, q.segment.Payload = q.segment, packet.List{}
		c := s.Counters.ip(q.dst)
		c.InReceives++
		c.InDelivers++
		s.segmentInput(&s.in, &l.in)
	}
	l.looped = l.looped[:0]
}
