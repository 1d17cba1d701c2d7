package tcp_test

import (
	"math/rand/v2"
	"syscall"
	"testing"

	"sockeye/internal/leak"
	"sockeye/packet"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// A tape gives the numbers that a fuzzer chose; zeros when it has run out.
type tape struct{ b []byte }

func (t *tape) byte() byte {
	if len(t.b) == 0 {
		return 0
	}
	v := t.b[0]
	t.b = t.b[1:]
	return v
}

func (t *tape) n(most int) int {
	if most <= 0 {
		return 0
	}
	return (int(t.byte())<<8 | int(t.byte())) % most
}

// segment makes a segment that is near enough to c's numbers to get somewhere.
func (t *tape) segment(ack, seq wire.Seq) (s tcp.Segment) {
	s.Flags = tcp.ACK
	if f := t.byte(); f&3 == 0 {
		s.Flags = wire.TCPFlags(t.byte())
	} else if f&16 != 0 {
		s.Flags |= tcp.PSH
	}
	s.Seq = seq.Add(near(t))
	s.Ack = ack.Add(near(t))
	s.Window = uint16(t.byte()) << (t.byte() % 9)
	if n := t.n(4000); n > 0 && t.byte()&1 == 0 {
		s.Payload.Push(packet.Of(make([]byte, n)))
	}
	o := &s.Options
	bits := t.byte()
	if bits&1 != 0 {
		o.Set |= wire.OptTimestamps
		o.TSVal, o.TSEcr = uint32(t.n(1<<16)), uint32(t.n(1<<16))
	}
	if bits&2 != 0 {
		o.Set |= wire.OptMSS | wire.OptSACKPermitted | wire.OptWindowScale
		o.MSS, o.WindowScale = uint16(t.n(3000)), t.byte()
	}
	for range bits >> 2 & 3 {
		l := s.Ack.Add(near(t))
		o.SACK[o.NumSACK] = wire.SACKBlock{Left: l, Right: l.Add(near(t))}
		o.NumSACK++
	}
	if bits&32 != 0 {
		s.ECN = wire.ECN(t.byte() & 3)
	}
	if bits&64 != 0 {
		s.Urgent = uint16(t.byte())
	}
	return s
}

// near is a small distance, most often none.
func near(t *tape) int {
	switch k := t.byte(); {
	case k < 128:
		return 0
	case k < 192:
		return t.n(20000) - 2000
	case k < 250:
		return int(k) - 220
	default:
		return t.n(1<<16) << 15
	}
}

// fuzzed is a connection that two fuzzers play with: segments and calls.
type fuzzed struct {
	testing.TB
	t   tape
	h   *tcp.Host
	c   *tcp.Conn
	now tcp.Time
	una wire.Seq // what we saw: the next sequence number the peer should acknowledge
	rcv wire.Seq // and send
}

func (f *fuzzed) step() bool {
	if len(f.t.b) == 0 {
		return false
	}
	c := f.c
	f.now += tcp.Time(f.t.byte()) * tcp.Millisecond / 4
	switch op := f.t.byte() % 20; op {
	case 0, 1, 2, 3, 4, 5, 6, 7, 8:
		s := f.t.segment(f.una, f.rcv)
		c.Input(f.now, &s)
	case 9, 10:
		c.Write(f.now, make([]byte, f.t.n(5000)), tcp.WriteFlags(f.t.byte()&3))
	case 11:
		c.Push(f.now, packet.Of(make([]byte, f.t.n(5000))), 0)
	case 12, 13:
		c.Read(f.now, make([]byte, f.t.n(5000)))
	case 14:
		if d := c.Deadline(); d != 0 {
			f.now = max(f.now, d)
			c.Timeout(f.now)
		}
	case 15:
		f.now += tcp.Time(f.t.n(100)) * tcp.Second
		c.Timeout(f.now)
	case 16:
		switch f.t.byte() % 12 {
		case 0:
			c.CloseWrite(f.now)
		case 1:
			c.CloseRead()
		case 2:
			c.Close(f.now, f.t.byte()&1 != 0)
		case 3:
			c.Abort(f.now)
		case 4:
			c.SetKeepAlive(f.now, f.t.byte()&1 != 0)
		case 5:
			c.ReadUrgent(f.t.byte()&1 != 0)
		case 6:
			var l packet.List
			c.Take(f.now, &l, f.t.n(3000))
			l.Release()
		case 7:
			c.Discard(f.now, f.t.n(3000))
		case 8:
			c.Peek(make([]byte, f.t.n(100)), f.t.n(3000))
		}
	case 17:
		c.PacketTooBig(f.now, f.t.n(1600), f.una)
	case 18:
		c.Unreachable(f.now, syscall.EHOSTUNREACH, f.una, f.t.byte()&1 != 0)
	case 19:
		on := f.t.byte()&1 != 0
		switch f.t.byte() % 4 {
		case 0:
			c.SetNoDelay(f.now, on)
		case 1:
			c.SetCork(f.now, on)
		case 2:
			c.SetQuickACK(f.now, on)
		case 3:
			c.SetCongestion([]string{"reno", "cubic"}[f.t.byte()&1])
		}
	}
	for i := range f.h.Out {
		s := &f.h.Out[i]
		if s.Flags&tcp.RST == 0 {
			if s.Flags&tcp.ACK != 0 {
				f.rcv = s.Ack
			}
			if f.una.Less(s.End()) {
				f.una = s.End()
			}
		}
		s.Payload.Release()
	}
	f.h.Out = f.h.Out[:0]
	c.Events()
	c.Info(f.now)
	c.Readable()
	c.Writable()
	c.Unread()
	if err := c.Check(); err != nil {
		f.Fatal(err)
	}
	if tw, ok := c.TimeWait(); ok {
		f.timeWait(&tw)
		return false
	}
	return true
}

func (f *fuzzed) timeWait(tw *tcp.TimeWait) {
	for len(f.t.b) > 0 {
		f.now += tcp.Time(f.t.byte()) * tcp.Millisecond
		s := f.t.segment(f.una, f.rcv)
		v, _ := tw.Input(f.h, f.now, &s)
		if v == tcp.Reuse {
			s.Payload.Release()
		}
		if v != tcp.Keep {
			return
		}
		if tw.Deadline <= f.now {
			return
		}
	}
}

// play makes a connection, active or passive, and plays the tape.
func play(tb testing.TB, data []byte) {
	f := &fuzzed{TB: tb, t: tape{data}, h: tcp.NewHost(tcp.Key{9}), now: start}
	setup := f.t.byte()
	f.h.SACK, f.h.Timestamps, f.h.WindowScaling = setup&1 == 0, setup&2 == 0, setup&4 == 0
	if setup&8 != 0 {
		f.h.ECN, f.h.MTUProbing = 1, 1
	}
	cfg := tcp.Config{OOBInline: setup&16 != 0}
	if setup&32 != 0 {
		cfg.GSO = 65536
	}
	if setup&128 != 0 {
		cfg.RcvBuf, cfg.SndBuf = 4608, 4608
	}
	const first = 1<<32 - 5000
	if setup&64 != 0 {
		syn := f.t.segment(0, 77)
		syn.Flags = tcp.SYN
		r := f.h.NewRequest(f.now, &cfg, &syn, first, 0)
		r.SYNACK(f.h, f.now, &cfg)
		syn.Payload.Release()
		f.una, f.rcv = first+1, syn.Seq+1
		for f.c == nil && len(f.t.b) > 0 {
			f.now += tcp.Time(f.t.byte()) * 10 * tcp.Millisecond
			if r.Timeout(f.h, f.now, &cfg) == tcp.Abandoned {
				return
			}
			s := f.t.segment(f.una, f.rcv)
			switch r.Input(f.h, f.now, &cfg, &s) {
			case tcp.Complete:
				f.c = r.Accept(f.h, f.now, &cfg, &s)
			case tcp.Abandoned:
				return
			}
		}
		if f.c == nil {
			return
		}
	} else {
		f.c = f.h.Connect(f.now, &cfg, &tcp.ConnectOptions{ISN: first, FastOpen: setup&3 == 3, FastOpenNoCookie: true, Data: data[:min(len(data), 50)]})
		f.una = first + 1
		f.rcv = 77
	}
	for f.step() {
	}
	f.c.Close(f.now, true)
	for _, s := range f.h.Out {
		s.Payload.Release()
	}
}

// FuzzConn plays random segments and calls: nothing may panic, and what Check checks must hold.
func FuzzConn(f *testing.F) {
	f.Add([]byte{0, 1, 9, 100, 0, 0, 0, 1})
	f.Add([]byte{64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9, 100, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) { play(t, data) })
}

// TestRandomPlay is FuzzConn without a fuzzer: many tapes by a fixed seed.
func TestRandomPlay(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	for seed := range tapes {
		play(t, randomTape(uint64(seed)))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func randomTape(seed uint64) []byte {
	rng := rand.NewPCG(seed, 1)
	b := make([]byte, 200+seed%1500)
	for i := range b {
		b[i] = byte(rng.Uint64() >> 40)
	}
	return b
}
