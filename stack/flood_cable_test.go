package stack_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/wire"
)

// A flood of SYNs from addresses that never answer comes over the cable that the good client
// is on: with SYN cookies (RFC 4987 section 3.6) each of its connections is there after one round
// trip, and the listener keeps no more half-open ones than it may (inet_csk_reqsk_queue_is_full: one more than its
// backlog).
func TestAGoodClientConnectsDuringASYNFlood(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		const delay = 10 * time.Millisecond
		p := stack.NewPair(stack.PairConfig{Faults: link.Faults{Delay: delay}, Host: stack.Config{Privileged: true}})
		defer p.Close()
		l := must(p.B.Sockets().Listen("tcp", "10.0.0.2:8080"))
		defer l.Close()
		attacker := must(p.A.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_RAW))
		defer attacker.Close()
		sent := 0
		flood := func(n int) {
			for range n {
				sent++
				src := wire.AddrFrom4([4]byte{10, 0, 0, byte(3 + sent%250)})
				h := wire.TCP{SrcPort: uint16(1024 + sent/250), DstPort: 8080, Flags: wire.SYN, Seq: wire.Seq(sent), Window: 1000}
				segment := make([]byte, h.Len())
				h.Put(segment)
				wire.FillTCP(segment, wire.PseudoSum(src, ip("10.0.0.2"), wire.IPPROTO_TCP, len(segment)))
				packet := ip4(wire.IPPROTO_TCP, segment, from4(src.String()), to4("10.0.0.2"))
				if _, err := attacker.Sendto(packet, 0, at("10.0.0.2", 0)); err != nil {
					t.Errorf("the flood ends: %v", err)
				}
			}
		}
		flood(5000)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					flood(50)
				}
			}
		}()
		defer func() { close(stop); <-stopped }()
		time.Sleep(2 * delay) // until the first of them are there
		const connections = 20
		for range connections {
			start := time.Now()
			c, err := p.A.Sockets().Dial("tcp", "b:8080")
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != 2*delay {
				t.Errorf("the handshake took %v, want %v", took, 2*delay)
			}
			must(c.Write([]byte("hello")))
			s := must(l.Accept())
			b := make([]byte, 10)
			if n, err := s.Read(b); string(b[:n]) != "hello" || err != nil {
				t.Errorf("read %q, %v", b[:n], err)
			}
			s.Close()
			c.Close()
		}
		halves := 0
		for _, s := range p.B.ListSockets() {
			if s.State == sockeye.TCP_SYN_RECV {
				halves++
			}
		}
		c := p.B.Counters().TCP
		if c.SyncookiesRecv != connections || c.SyncookiesSent < 5000/2 || halves > 4096+1 {
			t.Errorf("%d cookies were sent and %d came back, %d connections are half open", c.SyncookiesSent, c.SyncookiesRecv, halves)
		}
	})
}
