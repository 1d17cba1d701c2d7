package tcp_test

import (
	"math"
	"strconv"
	"testing"

	"sockeye/internal/leak"
	"sockeye/stack/tcp"
)

func TestSlowStart(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "ten segments go first, and two for each that is acknowledged", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 16000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > . 2001:3001 ack 1
			0     > . 3001:4001 ack 1
			0     > . 4001:5001 ack 1
			0     > . 5001:6001 ack 1
			0     > . 6001:7001 ack 1
			0     > . 7001:8001 ack 1
			0     > . 8001:9001 ack 1
			0     > . 9001:10001 ack 1
			0.1   < . 1 ack 2001 win 500
			0.1   > . 10001:11001 ack 1
			0.1   > . 11001:12001 ack 1
			0.1   > . 12001:13001 ack 1
			0.1   > . 13001:14001 ack 1
			0.1   ? SndCwnd 12`},
		{name: "large segments hold as many as the window has", open: "mss 1000,sackOK,wscale 7", config: tcp.Config{GSO: 65536}, script: `
			0     write 16000
			0     > P. 1:10001 ack 1
			0.1   < . 1 ack 4001 win 500
			0.1   > P. 10001:16001 ack 1
			0.1   ? Unacked 12`},
		{name: "an unused window does not grow", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 1000
			0     > P. 1:1001 ack 1
			0.1   < . 1 ack 1001 win 500
			0.1   write 1000
			0.1   > P. 1001:2001 ack 1
			0.2   < . 1 ack 2001 win 500
			0.2   ? SndCwnd 10`},
		{name: "after idling the window is the initial one again", open: "mss 1000,sackOK,wscale 7", config: tcp.Config{GSO: 65536}, script: `
			0     write 10000
			0     > P. 1:10001 ack 1
			0.1   < . 1 ack 10001 win 500
			0.1   ? SndCwnd 20
			0.1   write 20000
			0.1   > P. 10001:30001 ack 1
			0.2   < . 1 ack 30001 win 1000
			0.2   ? SndCwnd 40
			5     write 1000
			5     > P. 30001:31001 ack 1
			5     ? SndCwnd 10
			5     ? SndSsthresh 2147483647`},
		{name: "each timeout of idling halves it", open: "mss 1000,sackOK,wscale 7", config: tcp.Config{GSO: 65536}, script: `
			0     write 10000
			0     > P. 1:10001 ack 1
			0.1   < . 1 ack 10001 win 500
			0.1   write 20000
			0.1   > P. 10001:30001 ack 1
			0.2   < . 1 ack 30001 win 1000
			0.2   ? RTO 300ms
			0.45  write 1000
			0.45  > P. 30001:31001 ack 1
			0.45  ? SndCwnd 20`},
		{name: "but not without tcp_slow_start_after_idle", open: "mss 1000,sackOK,wscale 7", config: tcp.Config{GSO: 65536},
			settings: func(s *tcp.Settings) { s.SlowStartAfterIdle = false }, script: `
			0     write 10000
			0     > P. 1:10001 ack 1
			0.1   < . 1 ack 10001 win 500
			5     write 1000
			5     > P. 10001:11001 ack 1
			5     ? SndCwnd 20`},
	})
}

// TestCubicCurve follows the window after a loss, against the function of RFC 9438 section 4.2.
func TestCubicCurve(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	p := newPlayer(t, &scenario{open: "mss 1000,sackOK,wscale 7", win: 65535, config: tcp.Config{GSO: 65536, SndBuf: 1 << 24}})
	p.handshake()
	c := p.conn
	const rtt = 100 * tcp.Millisecond
	acked := 1
	fill := func() {
		for c.Room() > 0 && c.Info(p.now).NotsentBytes < 1<<20 {
			if n, err := c.Write(p.now, make([]byte, 1<<18), 0); n == 0 || err != nil {
				break
			}
		}
		p.collect()
	}
	sent := 1
	drain := func() {
		for _, a := range p.out {
			sent = max(sent, a.seg.End().Diff(iss))
			a.seg.Payload.Release()
		}
		p.out = nil
	}
	step := func() { // a round trip: everything that is out is acknowledged, segment by segment
		p.now += rtt
		for to := sent; acked < to; {
			acked = min(acked+2000, to)
			p.arrive(". 1 ack " + strconv.Itoa(acked) + " win 65535")
			fill()
			drain()
		}
	}
	fill()
	drain()
	for c.Info(p.now).SndCwnd < 200 {
		step()
	}
	// One loss.
	before := float64(c.Info(p.now).SndCwnd)
	p.now += rtt
	p.arrive(". 1 ack " + strconv.Itoa(acked) + " win 65535 <sack " + strconv.Itoa(acked+1000) + ":" + strconv.Itoa(sent) + ">")
	drain()
	after := float64(c.Info(p.now).SndSsthresh)
	if math.Abs(after/before-0.7) > 0.01 {
		t.Fatalf("a loss takes the window from %v to %v, want 0.7 of it", before, after)
	}
	p.now += rtt
	acked = sent
	p.arrive(". 1 ack " + strconv.Itoa(acked) + " win 65535")
	fill()
	drain()
	begin := p.now + rtt // the curve begins with the first ACK of congestion avoidance
	k := math.Cbrt((before - after) / 0.4)
	for range 80 {
		step()
		at := float64(p.now-begin+rtt) / 1e9
		want := 0.4*math.Pow(at-k, 3) + before
		got := float64(c.Info(p.now).SndCwnd)
		if math.Abs(got-want) > 0.04*want+2 {
			t.Fatalf("%.1f s after the loss the window is %v, the curve says %.1f (W_max %v, K %.2f s)", at, got, want, before, k)
		}
	}
}

func TestReno(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "a loss halves the window and it grows by one in a round trip", open: "mss 1000,sackOK,wscale 7",
			config:   tcp.Config{GSO: 65536},
			settings: func(s *tcp.Settings) { s.Congestion = "reno" }, script: `
			0     write 10000
			0     > P. 1:10001 ack 1
			0.1   < . 1 ack 1 win 500 <sack 1001:10001>
			0.1   > . 1:1001 ack 1
			0.1   ? SndSsthresh 5
			0.2   < . 1 ack 10001 win 500
			0.2   ? SndCwnd 5
			0.2   write 5000
			0.2   > P. 10001:15001 ack 1
			0.3   < . 1 ack 15001 win 500
			0.3   ? SndCwnd 6`},
		{name: "TCP_CONGESTION changes it", open: "mss 1000", script: `
			0     congestion reno = true
			0     congestion vegas = false`},
	})
}

func TestECN(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "it is asked for and agreed on", open: "closed", settings: func(s *tcp.Settings) { s.ECN = 1 }, script: `
			0     connect
			0     > SEW 0 <mss 1460,sackOK,ts 0 0,wscale 7>
			0.1   < S.E 0 ack 1 win 1000 <mss 1000>
			0.1   > . 1 ack 1
			0.1   ? Options 8
			0.1   write 100
			0.1   > P. 1:101 ack 1 ecn ect0`},
		{name: "a SYN-ACK with both bits does not agree", open: "closed", settings: func(s *tcp.Settings) { s.ECN = 1 }, script: `
			0     connect
			0     > SEW 0 <mss 1460,sackOK,ts 0 0,wscale 7>
			0.1   < S.EW 0 ack 1 win 1000 <mss 1000>
			0.1   > . 1 ack 1
			0.1   ? Options 0`},
		{name: "the second SYN does not ask", open: "closed", settings: func(s *tcp.Settings) { s.ECN = 1; s.Timestamps = false }, script: `
			0     connect
			0     > SEW 0 <mss 1460,sackOK,wscale 7>
			1     > S 0 <mss 1460,sackOK,wscale 7>`},
		{name: "a passive open agrees when asked", open: "closed", script: `
			0     listen
			0     < SEW 0 win 1000 <mss 1000>
			0     > S.E 0 ack 1 <mss 1460>
			0.1   < . 1 ack 1 win 1000
			0.1   ? Options 8`},
		{name: "a CE mark is echoed until CWR", open: "ecn mss 1000", settings: func(s *tcp.Settings) { s.ECN = 1 }, script: `
			0     < . 1:1001 ack 1 win 1000 ecn ce
			0     > .E 1 ack 1001
			0.01  < . 1001:2001 ack 1 win 1000 ecn ect0
			0.01  > .E 1 ack 2001
			0.02  < .W 2001:3001 ack 1 win 1000 ecn ect0
			0.02  > . 1 ack 3001`},
		{name: "an echo reduces the window once in a round trip", open: "ecn mss 1000,sackOK,wscale 7", config: tcp.Config{GSO: 65536},
			settings: func(s *tcp.Settings) { s.ECN = 1 }, script: `
			0     write 10000
			0     > P. 1:10001 ack 1 ecn ect0
			0.1   < .E 1 ack 2001 win 500
			0.1   ? CAState cwr
			0.1   ? SndSsthresh 7
			0.1   write 4000
			0.1   > P.W 10001:12001 ack 1 ecn ect0
			0.11  < .E 1 ack 6001 win 500
			0.11  > . 12001:13001 ack 1 ecn ect0
			0.11  ? SndSsthresh 7
			0.2   < . 1 ack 13001 win 500
			0.2   > P. 13001:14001 ack 1 ecn ect0
			0.2   ? CAState open
			0.2   ? SndCwnd 8`},
		{name: "retransmissions are not ECN-capable", open: "ecn mss 1000", settings: func(s *tcp.Settings) { s.ECN = 1 }, script: `
			0     write 100
			0     > P. 1:101 ack 1 ecn ect0
			0.3   > P. 1:101 ack 1`},
	})
}

func TestPathMTU(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "packet too big cuts up and sends again", open: "mss 1460", script: `
			0     write 2920
			0     > . 1:1461 ack 1
			0     > P. 1461:2921 ack 1
			0.05  toobig 1200 1
			0.05  > . 1:1161 ack 1
			0.05  > . 1161:1461 ack 1
			0.05  > . 1461:2621 ack 1
			0.05  > P. 2621:2921 ack 1
			0.05  ? mss 1160
			0.05  ? PMTU 1200
			0.05  ? SndCwnd 10`},
		{name: "one for a segment that is not in flight is ignored", open: "mss 1460", script: `
			0     write 100
			0     > P. 1:101 ack 1
			0.05  toobig 600 5000
			0.05  ? mss 1460`},
		{name: "a lie about the MTU cannot make segments tiny", open: "mss 1460", script: `
			0     write 40
			0     > P. 1:41 ack 1
			0.05  toobig 20 1
			0.05  ? mss 48`},
		{name: "a larger MTU is no news", open: "mss 1000", script: `
			0     write 100
			0     > P. 1:101 ack 1
			0.05  toobig 9000 1
			0.05  ? PMTU 1500`},
		{name: "tcp_mtu_probing finds a black hole", open: "mss 1460", settings: func(s *tcp.Settings) { s.MTUProbing = 1 }, script: `
			0     write 1460
			0     > P. 1:1461 ack 1
			0.3   > P. 1:1461 ack 1
			0.9   > P. 1:1461 ack 1
			2.1   > P. 1:1461 ack 1
			4.5   > . 1:1025 ack 1
			4.6   < . 1 ack 1025 win 65535
			4.6   > P. 1025:1461 ack 1
			4.6   ? mss 1024`},
	})
}
