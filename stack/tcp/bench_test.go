package tcp_test

import (
	"net/netip"
	"testing"

	"sockeye/stack/tcp"
)

// A joined is two connections without anything between.
type joined struct {
	h   [2]*tcp.Host
	c   [2]*tcp.Conn
	now tcp.Time
}

func join(tb testing.TB, cfg tcp.Config) *joined {
	return joinHosts(tb, [2]*tcp.Host{tcp.NewHost(tcp.Key{0}), tcp.NewHost(tcp.Key{1})}, cfg)
}

func joinHosts(tb testing.TB, hosts [2]*tcp.Host, cfg tcp.Config) *joined {
	j := &joined{now: start, h: hosts}
	flow := tcp.Flow{Local: netip.MustParseAddrPort("192.0.2.1:40000"), Remote: netip.MustParseAddrPort("192.0.2.2:80")}
	j.c[0] = j.h[0].Connect(j.now, &cfg, &tcp.ConnectOptions{ISN: j.h[0].ISN(j.now, flow)})
	syn := j.h[0].Out[0]
	j.h[0].Out = j.h[0].Out[:0]
	r := j.h[1].NewRequest(j.now, &cfg, &syn, 5000, 0)
	r.SYNACK(j.h[1], j.now, &cfg)
	synack := j.h[1].Out[0]
	j.h[1].Out = j.h[1].Out[:0]
	j.c[0].Input(j.now, &synack)
	ack := j.h[0].Out[0]
	j.h[0].Out = j.h[0].Out[:0]
	j.c[1] = r.Accept(j.h[1], j.now, &cfg, &ack)
	for _, c := range j.c {
		if c.State() != tcp.Established {
			tb.Fatalf("state is %v", c.State())
		}
	}
	return j
}

// carry delivers until nothing is left to deliver.
func (j *joined) carry() {
	for len(j.h[0].Out)+len(j.h[1].Out) > 0 {
		for i := range j.h {
			out := j.h[i].Out
			j.h[i].Out = nil
			for k := range out {
				j.c[1-i].Input(j.now, &out[k])
			}
			if j.h[i].Out == nil {
				clear(out)
				j.h[i].Out = out[:0]
			}
		}
	}
}

// pass lets time pass, with the timers that fall due.
func (j *joined) pass(d tcp.Time) {
	j.now += d
	for _, c := range j.c {
		if at := c.Deadline(); at != 0 && at <= j.now {
			c.Timeout(j.now)
		}
	}
	j.carry()
}

func (j *joined) bulk(n int, buf []byte) {
	for done := 0; done < n; {
		k, err := j.c[0].Write(j.now, buf, 0)
		if err != nil {
			panic(err)
		}
		j.carry()
		for {
			k, _ := j.c[1].Read(j.now, buf)
			if k == 0 {
				break
			}
			done += k
		}
		j.carry()
		j.pass(10 * tcp.Microsecond)
		if k == 0 && j.c[0].Unread() == 0 {
			j.pass(tcp.Millisecond)
		}
	}
}

func (j *joined) pingPong(buf []byte) {
	for i := range j.c {
		if _, err := j.c[i].Write(j.now, buf, 0); err != nil {
			panic(err)
		}
		j.carry()
		if n, _ := j.c[1-i].Read(j.now, buf); n != len(buf) {
			panic("short read")
		}
		j.carry()
	}
	j.pass(10 * tcp.Microsecond)
}

var sizes = []struct {
	name string
	cfg  tcp.Config
}{
	{"MTU 1500", tcp.Config{}},
	{"GSO 64 KiB", tcp.Config{GSO: 65536}},
	{"MTU 65535", tcp.Config{MTU: 65535}},
}

func BenchmarkBulk(b *testing.B) {
	for _, tt := range sizes {
		b.Run(tt.name, func(b *testing.B) {
			j := join(b, tt.cfg)
			buf := make([]byte, 64<<10)
			j.bulk(16<<20, buf)
			b.SetBytes(64 << 10)
			b.ReportAllocs()
			b.ResetTimer()
			j.bulk(b.N*len(buf), buf)
		})
	}
}

func BenchmarkPingPong(b *testing.B) {
	j := join(b, tcp.Config{NoDelay: true})
	buf := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		j.pingPong(buf)
	}
}

func BenchmarkOpenClose(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		j := join(b, tcp.Config{})
		j.c[0].Close(j.now, false)
		j.carry()
		j.c[1].Close(j.now, false)
		j.carry()
	}
}
