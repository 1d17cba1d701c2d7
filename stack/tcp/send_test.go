package tcp_test

import (
	"testing"

	"sockeye/internal/leak"
	"sockeye/stack/tcp"
)

func TestRetransmission(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "the timeout doubles and the connection ends after tcp_retries2", open: "mss 1460", script: `
			0     write 100
			0     > P. 1:101 ack 1
			0.3   > P. 1:101 ack 1
			0.9   > P. 1:101 ack 1
			2.1   > P. 1:101 ack 1
			4.5   > P. 1:101 ack 1
			9.3   > P. 1:101 ack 1
			18.9  > P. 1:101 ack 1
			38.1  > P. 1:101 ack 1
			76.5  > P. 1:101 ack 1
			153.3 > P. 1:101 ack 1
			273.3 > P. 1:101 ack 1
			393.3 > P. 1:101 ack 1
			513.3 > P. 1:101 ack 1
			633.3 > P. 1:101 ack 1
			753.3 > P. 1:101 ack 1
			873.3 > P. 1:101 ack 1
			993.2 ? state ESTABLISHED
			993.3 ? err ETIMEDOUT
			993.3 ? TCPAbortOnTimeout 1`},
		{name: "an ACK takes the timeout back", open: "mss 1460", script: `
			0     write 100
			0     > P. 1:101 ack 1
			0.3   > P. 1:101 ack 1
			0.35  ? RTO 600ms
			0.35  ? SndCwnd 1
			0.4   < . 1 ack 101 win 1000
			0.4   write 100
			0.4   > P. 101:201 ack 1
			0.5   < . 1 ack 201 win 1000
			0.5   ? RTO 300ms
			0.5   ? TCPTimeouts 1
			0.5   ? RetransSegs 1`},
		{name: "the round trip is not taken from what was sent twice", open: "mss 1460", script: `
			0     write 100
			0     > P. 1:101 ack 1
			0.3   > P. 1:101 ack 1
			0.31  < . 1 ack 101 win 1000
			0.31  ? RTT 100ms`},
		{name: "with timestamps it is", open: "mss 1460,ts 1 0", script: `
			0     write 100
			0     > P. 1:101 ack 1 <ts 0 1>
			0.3   > P. 1:101 ack 1 <ts 300 1>
			0.85  < . 1 ack 101 win 1000 <ts 2 300>
			0.85  ? RTT 156.25ms`},
		{name: "after a timeout slow start begins anew", open: "mss 1460", script: `
			0     write 5840
			0     > . 1:1461 ack 1
			0     > . 1461:2921 ack 1
			0     > . 2921:4381 ack 1
			0     > P. 4381:5841 ack 1
			0.3   > . 1:1461 ack 1
			0.3   ? SndCwnd 1
			0.3   ? CAState loss
			0.3   ? SndSsthresh 7
			0.4   < . 1 ack 1461 win 65535
			0.4   > . 1461:2921 ack 1
			0.4   > . 2921:4381 ack 1
			0.5   < . 1 ack 4381 win 65535
			0.5   > P. 4381:5841 ack 1
			0.6   < . 1 ack 5841 win 65535`},
		{name: "the user timeout ends it sooner", open: "mss 1460", config: tcp.Config{UserTimeout: 2000}, script: `
			0     write 100
			0     > P. 1:101 ack 1
			0.3   > P. 1:101 ack 1
			0.9   > P. 1:101 ack 1
			2.1   > P. 1:101 ack 1
			2.25  ? state ESTABLISHED
			2.3   ? err ETIMEDOUT`},
		{name: "an ICMP error is the reason when the connection times out", open: "mss 1460", config: tcp.Config{UserTimeout: 1000}, script: `
			0     write 100
			0     > P. 1:101 ack 1
			0.1   unreachable EHOSTUNREACH 1
			0.1   ? err none
			0.3   > P. 1:101 ack 1
			0.9   > P. 1:101 ack 1
			1.3   ? err EHOSTUNREACH`},
		{name: "an ICMP error for data that is not in flight is ignored", open: "closed", script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,ts 0 0,wscale 7>
			0.1   unreachable EHOSTUNREACH 500
			0.1   ? state SYN-SENT
			0.2   unreachable EHOSTUNREACH 0
			0.2   ? err EHOSTUNREACH
			0.2   ? state CLOSED`},
	})
}

func TestNagle(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "a small segment in flight holds back another", open: "mss 1000", script: `
			0     write 100
			0     > P. 1:101 ack 1
			0.01  write 100
			0.02  write 100
			0.1   < . 1 ack 101 win 1000
			0.1   > P. 101:301 ack 1`},
		{name: "a full segment in flight does not", open: "mss 1000", script: `
			0     write 1000
			0     > P. 1:1001 ack 1
			0.01  write 100
			0.01  > P. 1001:1101 ack 1
			0.02  write 100
			0.1   < . 1 ack 1101 win 1000
			0.1   > P. 1101:1201 ack 1`},
		{name: "TCP_NODELAY sends at once", open: "mss 1000", config: tcp.Config{NoDelay: true}, script: `
			0     write 100
			0     > P. 1:101 ack 1
			0.01  write 100
			0.01  > P. 101:201 ack 1`},
		{name: "setting TCP_NODELAY sends what was held back", open: "mss 1000", script: `
			0     write 100
			0     > P. 1:101 ack 1
			0.01  write 100
			0.02  nodelay on
			0.02  > P. 101:201 ack 1`},
		{name: "a full segment goes at once", open: "mss 1000", script: `
			0     write 100
			0     > P. 1:101 ack 1
			0.01  write 1500
			0.01  > . 101:1101 ack 1
			0.1   < . 1 ack 1101 win 1000
			0.1   > P. 1101:1601 ack 1`},
		{name: "TCP_CORK holds a partial segment", open: "mss 1000", config: tcp.Config{Cork: true}, script: `
			0     write 100
			0     write 1000
			0     > . 1:1001 ack 1
			0.1   < . 1 ack 1001 win 1000
			0.15  cork off
			0.15  > P. 1001:1101 ack 1`},
		{name: "a cork that stays lets the segment out after 200 ms", open: "mss 1000", config: tcp.Config{Cork: true}, rtt: 0.01, script: `
			0     write 100
			0.21  > P. 1:101 ack 1`},
		{name: "MSG_MORE holds a partial segment until a write without", open: "mss 1000", script: `
			0     write 100 more
			0.01  write 100 more
			0.02  write 100
			0.02  > P. 1:301 ack 1`},
		{name: "the FIN is not held back", open: "mss 1000", script: `
			0     write 100
			0     > P. 1:101 ack 1
			0     write 100
			0     shutdown = 0
			0     > FP. 101:201 ack 1`},
	})
}

func TestWindow(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "a zero window is probed, ever more slowly", open: "mss 1000", win: 1000, script: `
			0     write 1000
			0     > . 1:501 ack 1
			0     > P. 501:1001 ack 1
			0.1   < . 1 ack 1001 win 0
			0.1   write 500
			0.4   > . 1000 ack 1
			0.41  < . 1 ack 1001 win 0
			1.01  > . 1000 ack 1
			1.02  < . 1 ack 1001 win 0
			2.22  > . 1000 ack 1
			2.3   < . 1 ack 1001 win 500
			2.3   > P. 1001:1501 ack 1`},
		{name: "probes without an answer end the connection", open: "mss 1000", win: 1000,
			settings: func(s *tcp.Settings) { s.Retries2 = 2 }, script: `
			0     write 1000
			0     > . 1:501 ack 1
			0     > P. 501:1001 ack 1
			0.1   < . 1 ack 1001 win 0
			0.1   write 500
			0.4   > . 1000 ack 1
			1.0   > . 1000 ack 1
			2.2   ? err ETIMEDOUT`},
		{name: "a window smaller than a segment is not used up at once", open: "mss 1000", win: 1500, script: `
			0     write 2000
			0     > . 1:751 ack 1
			0     > P. 751:1501 ack 1
			0.1   < . 1 ack 1501 win 100
			0.4   > P. 1501:1601 ack 1`},
		{name: "our window shrinks as data waits and opens as it is read", open: "mss 1460", config: tcp.Config{RcvBuf: 8192}, script: `
			0     < . 1:1461 ack 1 win 1000
			0     > . 1 ack 1461 win 1460
			0     < . 1461:2921 ack 1 win 1000
			0.04  > . 1 ack 2921 win 0
			0.1   read 3000 = 2920
			0.1   > . 1 ack 2921 win 2920`},
		{name: "data for a closed window is dropped and answered", open: "mss 1460", config: tcp.Config{RcvBuf: 8192}, script: `
			0     < . 1:1461 ack 1 win 1000
			0     > . 1 ack 1461 win 1460
			0     < . 1461:2921 ack 1 win 1000
			0.04  > . 1 ack 2921 win 0
			0.1   < . 2921:2922 ack 1 win 1000
			0.1   > . 1 ack 2921 win 0
			0.2   read 3000 = 2920
			0.2   > . 1 ack 2921 win 2920`},
	})
}
