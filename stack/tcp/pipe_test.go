package tcp_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"sockeye/internal/leak"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// An impairment is what a path does to segments.
type impairment struct {
	delay, jitter tcp.Time
	loss, dup     float64
	rate          float64 // bytes per second; 0: no limit
	queue         int     // bytes that wait before the rate; 0: no limit
	mark          int     // bytes in the queue from which on CE is set; 0: never
}

// An end is one of two hosts, with one connection.
type end struct {
	h    *tcp.Host
	cfg  tcp.Config
	conn *tcp.Conn
	req  *tcp.Request
	tw   *tcp.TimeWait
	flow tcp.Flow

	toSend, sent int
	toRead, read int
	closed       bool
	seed         int
	busyUntil    tcp.Time
}

// A pipe carries segments between two ends in virtual time.
type pipe struct {
	testing.TB
	rng    *rand.Rand
	now    tcp.Time
	ends   [2]*end
	path   impairment
	events eventQueue
	n      int
	buf    [4096]byte
	segs   int
}

type event struct {
	at  tcp.Time
	seq int
	to  int
	seg tcp.Segment
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(v any)   { *q = append(*q, v.(event)) }
func (q *eventQueue) Pop() any {
	v := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return v
}

func newPipe(tb testing.TB, seed uint64, path impairment) *pipe {
	p := &pipe{TB: tb, rng: rand.New(rand.NewPCG(seed, 7)), now: start, path: path}
	a, b := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:80")
	for i := range p.ends {
		p.ends[i] = &end{h: tcp.NewHost(tcp.Key{byte(i), byte(seed)}), flow: tcp.Flow{Local: a, Remote: b}, seed: i}
		a, b = b, a
	}
	return p
}

func (p *pipe) connect() {
	e := p.ends[0]
	e.conn = e.h.Connect(p.now, &e.cfg, &tcp.ConnectOptions{ISN: e.h.ISN(p.now, e.flow), TSOffset: e.h.TSOffset(e.flow)})
	p.flush(0)
}

// flush puts what an end sends on the path, cut into what the path takes.
func (p *pipe) flush(i int) {
	e := p.ends[i]
	for j := range e.h.Out {
		s := e.h.Out[j]
		for s.GSO > 0 && s.Len() > s.GSO {
			part := s
			part.Payload = s.Payload.Retain()
			part.Payload.TrimBack(s.GSO)
			part.GSO = 0
			part.Flags &^= tcp.FIN | tcp.PSH
			p.carry(i, part)
			s.Flags &^= tcp.CWR
			s.Seq = s.Seq.Add(s.GSO)
			s.Payload.TrimFront(s.GSO)
		}
		s.GSO = 0
		p.carry(i, s)
	}
	e.h.Out = e.h.Out[:0]
	if e.conn != nil {
		if err := e.conn.Check(); err != nil {
			p.Fatalf("end %d at %v: %v", i, p.now-start, err)
		}
		if tw, ok := e.conn.TimeWait(); ok {
			e.tw = &tw
		}
	}
}

func (p *pipe) carry(from int, s tcp.Segment) {
	p.segs++
	e, at := p.ends[from], p.now
	if p.path.rate > 0 {
		size := s.Len() + 60
		waiting := int(float64(max(e.busyUntil-p.now, 0)) * p.path.rate / 1e9)
		if p.path.queue > 0 && waiting+size > p.path.queue {
			s.Payload.Release()
			return
		}
		if p.path.mark > 0 && waiting > p.path.mark && s.ECN == wire.ECT0 {
			s.ECN = wire.CE
		}
		e.busyUntil = max(e.busyUntil, p.now) + tcp.Time(float64(size)*1e9/p.path.rate)
		at = e.busyUntil
	}
	copies := 1
	if p.rng.Float64() < p.path.loss {
		copies = 0
	} else if p.rng.Float64() < p.path.dup {
		copies = 2
	}
	for range copies {
		d := p.path.delay
		if p.path.jitter > 0 {
			d += tcp.Time(p.rng.Int64N(int64(p.path.jitter)))
		}
		c := s
		c.Payload = s.Payload.Retain()
		p.n++
		heap.Push(&p.events, event{at + d, p.n, 1 - from, c})
	}
	s.Payload.Release()
}

func (p *pipe) deliver(i int, s *tcp.Segment) {
	e := p.ends[i]
	switch {
	case e.tw != nil:
		if v, _ := e.tw.Input(e.h, p.now, s); v == tcp.Forget {
			e.tw = nil
		}
	case e.conn != nil:
		e.conn.Input(p.now, s)
	case e.req != nil:
		if e.req.Input(e.h, p.now, &e.cfg, s) == tcp.Complete {
			e.conn = e.req.Accept(e.h, p.now, &e.cfg, s)
			e.req = nil
		}
	case s.Flags&(tcp.SYN|tcp.ACK) == tcp.SYN:
		r := e.h.NewRequest(p.now, &e.cfg, s, e.h.ISN(p.now, e.flow), e.h.TSOffset(e.flow))
		e.req = &r
		e.req.SYNACK(e.h, p.now, &e.cfg)
	default:
		e.h.Reset(p.now, s)
	}
	p.flush(i)
}

// user writes and reads what can be, and closes.
func (p *pipe) user(i int) {
	e := p.ends[i]
	c := e.conn
	if c == nil {
		return
	}
	for e.sent < e.toSend {
		n := min(e.toSend-e.sent, len(p.buf), c.Room())
		if n == 0 {
			c.Writable() // asks for EventWritable
			break
		}
		if e.sent > 0 || n > 100 {
			n = 1 + p.rng.IntN(n)
		}
		for j := range n {
			p.buf[j] = pattern(e.seed, e.sent+j)
		}
		k, err := c.Write(p.now, p.buf[:n], 0)
		if err != nil {
			p.Fatalf("end %d wrote %d of %d bytes: %v", i, e.sent, e.toSend, err)
		}
		e.sent += k
		p.flush(i)
		if k == 0 {
			break
		}
	}
	for {
		n, err := c.Read(p.now, p.buf[:])
		if err != nil {
			if n == 0 && e.read == e.toRead {
				break
			}
			p.Fatalf("end %d read %d of %d bytes: %v", i, e.read, e.toRead, err)
		}
		if n == 0 {
			break
		}
		for j, b := range p.buf[:n] {
			if b != pattern(1-e.seed, e.read+j) {
				p.Fatalf("end %d at %v: byte %d is wrong", i, p.now-start, e.read+j)
			}
		}
		e.read += n
		p.flush(i)
	}
	if e.sent == e.toSend && !e.closed && e.conn.State() == tcp.Established || e.conn.State() == tcp.CloseWait && e.sent == e.toSend && !e.closed {
		c.CloseWrite(p.now)
		e.closed = true
		p.flush(i)
	}
}

func pattern(seed, i int) byte { return byte(i*31 + i>>8*7 + i>>16 + seed*128) }

// run lets time pass until both ends are closed, and gives how long it took.
func (p *pipe) run(limit tcp.Time) tcp.Time {
	var last tcp.Time
	for steps := 0; ; steps++ {
		if steps > 20_000_000 {
			p.Fatal("no end after 20 million steps")
		}
		at, who := tcp.Time(0), -1
		if len(p.events) > 0 {
			at, who = p.events[0].at, 2
		}
		for i, e := range p.ends {
			d := e.deadline()
			if d != 0 && (who < 0 || d < at) {
				at, who = d, i
			}
		}
		if who < 0 {
			break
		}
		p.now = max(p.now, at)
		if p.now-start > limit {
			p.Fatalf("not done after %v: end 0 sent %d read %d, end 1 sent %d read %d; states %v %v", p.now-start,
				p.ends[0].sent, p.ends[0].read, p.ends[1].sent, p.ends[1].read, p.state(0), p.state(1))
		}
		if who == 2 {
			ev := heap.Pop(&p.events).(event)
			p.deliver(ev.to, &ev.seg)
			p.user(ev.to)
		} else {
			e := p.ends[who]
			switch {
			case e.tw != nil:
				e.tw = nil
				continue
			case e.conn != nil:
				e.conn.Timeout(p.now)
			case e.req != nil:
				if e.req.Timeout(e.h, p.now, &e.cfg) == tcp.Abandoned {
					e.req = nil
				}
			}
			p.flush(who)
			p.user(who)
		}
		if p.done() && last == 0 {
			last = p.now
		}
	}
	if !p.done() {
		p.Fatalf("nothing happens any more: end 0 sent %d read %d, end 1 sent %d read %d; states %v %v",
			p.ends[0].sent, p.ends[0].read, p.ends[1].sent, p.ends[1].read, p.state(0), p.state(1))
	}
	return last - start
}

func (p *pipe) state(i int) string {
	if p.ends[i].conn == nil {
		return "none"
	}
	return fmt.Sprintf("%v %+v", p.ends[i].conn.State(), p.ends[i].conn.Info(p.now))
}

func (p *pipe) done() bool {
	for i, e := range p.ends {
		if e.sent != e.toSend || e.read != p.ends[1-i].toSend {
			return false
		}
	}
	return true
}

func (e *end) deadline() tcp.Time {
	switch {
	case e.tw != nil:
		return e.tw.Deadline
	case e.conn != nil:
		return e.conn.Deadline()
	case e.req != nil:
		return e.req.Deadline()
	}
	return 0
}

func (p *pipe) transfer(a, b int) {
	p.ends[0].toSend, p.ends[0].toRead = a, b
	p.ends[1].toSend, p.ends[1].toRead = b, a
	p.connect()
}

func TestEveryByteArrives(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	ms := tcp.Millisecond
	for _, tt := range []struct {
		name  string
		path  impairment
		bytes int
		gso   int32
		least float64 // Mbit/s, mean of the seeds
		setup func(*tcp.Settings)
	}{
		{name: "clean", path: impairment{delay: 10 * ms}, bytes: 4 << 20, least: 100},
		{name: "large segments", path: impairment{delay: 10 * ms}, bytes: 4 << 20, least: 100, gso: 65536},
		{name: "loss", path: impairment{delay: 10 * ms, loss: 0.03}, bytes: 1 << 20, least: 3},
		{name: "loss of parts of large segments", path: impairment{delay: 10 * ms, loss: 0.03}, bytes: 1 << 20, least: 3, gso: 65536},
		{name: "heavy loss", path: impairment{delay: 10 * ms, loss: 0.25}, bytes: 1 << 17, least: 0},
		{name: "reordering", path: impairment{delay: 10 * ms, jitter: 5 * ms}, bytes: 1 << 20, least: 10},
		{name: "much reordering", path: impairment{delay: 10 * ms, jitter: 40 * ms}, bytes: 1 << 20, least: 3},
		{name: "duplication", path: impairment{delay: 10 * ms, dup: 0.2}, bytes: 1 << 20, least: 15},
		{name: "everything", path: impairment{delay: 10 * ms, jitter: 5 * ms, loss: 0.05, dup: 0.05}, bytes: 1 << 19, least: 1},
		{name: "a slow link with a short queue", path: impairment{delay: 10 * ms, rate: 1e6, queue: 30000}, bytes: 1 << 20, least: 5},
		{name: "no options", path: impairment{delay: 10 * ms, loss: 0.05, jitter: 5 * ms}, bytes: 1 << 18, least: 1, setup: func(s *tcp.Settings) {
			s.SACK, s.Timestamps, s.WindowScaling = false, false, false
		}},
		{name: "no SACK", path: impairment{delay: 10 * ms, loss: 0.05, jitter: 5 * ms}, bytes: 1 << 18, least: 1, setup: func(s *tcp.Settings) { s.SACK = false }},
		{name: "no timestamps", path: impairment{delay: 10 * ms, loss: 0.05, jitter: 5 * ms}, bytes: 1 << 18, least: 2, setup: func(s *tcp.Settings) { s.Timestamps = false }},
		{name: "reno", path: impairment{delay: 10 * ms, loss: 0.02}, bytes: 1 << 18, least: 4, setup: func(s *tcp.Settings) { s.Congestion = "reno" }},
		{name: "ECN", path: impairment{delay: 10 * ms, rate: 1e6, queue: 200000, mark: 20000}, bytes: 1 << 20, least: 6, setup: func(s *tcp.Settings) { s.ECN = 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const seeds = 8
			var total tcp.Time
			for seed := range uint64(seeds) {
				p := newPipe(t, seed, tt.path)
				for _, e := range p.ends {
					e.cfg.GSO = tt.gso
					if tt.setup != nil {
						tt.setup(&e.h.Settings)
					}
				}
				p.transfer(tt.bytes, tt.bytes/10)
				took := p.run(20000 * tcp.Second)
				total += took
				t.Logf("seed %d: %.2f s, %.2f Mbit/s, retransmitted %d, timeouts %d, undone %d", seed, float64(took)/1e9,
					float64(tt.bytes)*8000/float64(took), p.ends[0].h.RetransSegs, p.ends[0].h.TCPTimeouts,
					p.ends[0].h.TCPFullUndo+p.ends[0].h.TCPDSACKUndo+p.ends[0].h.TCPLossUndo)
			}
			if rate := float64(seeds*tt.bytes) * 8000 / float64(total); rate < tt.least {
				t.Errorf("goodput is %.2f Mbit/s, want %.2f", rate, tt.least)
			} else {
				t.Logf("goodput %.2f Mbit/s", rate)
			}
		})
	}
}
