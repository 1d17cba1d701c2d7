package tcp_test

import (
	"testing"

	"sockeye/internal/leak"
	"sockeye/stack/tcp"
)

func TestHandshake(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "a SYN offers what Linux offers", open: "closed", script: `
			0     connect
			0     > S 0 win 64240 <mss 1460,sackOK,ts 0 0,wscale 7>
			0.1   < S. 0 ack 1 win 65535 <mss 1460,sackOK,ts 700 0,wscale 8>
			0.1   > . 1 ack 1 win 502 <ts 100 700>
			0.1   ? state ESTABLISHED
			0.1   ? events writable+connected
			0.1   ? SndCwnd 10
			0.1   ? SndMSS 1448
			0.1   ? RTT 100ms
			0.1   ? RTO 300ms
			0.1   ? SndWscale 8`},
		{name: "options that the peer lacks are not used", open: "closed", script: `
			0     connect
			0     > S 0 win 64240 <mss 1460,sackOK,ts 0 0,wscale 7>
			0.1   < S. 0 ack 1 win 5000
			0.1   > . 1 ack 1 win 64240
			0.1   ? SndMSS 536
			0.1   ? Options 0
			0.1   ? RcvWscale 0`},
		{name: "the peer's MSS bounds ours", open: "mss 1000", script: `
			0     write 2000
			0     > . 1:1001 ack 1
			0     > P. 1001:2001 ack 1`},
		{name: "an MSS of nothing is raised to the least", open: "mss 1", script: `
			0     ? SndMSS 48`},
		{name: "TCP_MAXSEG bounds what is offered and sent", open: "closed", config: tcp.Config{MaxSeg: 1000}, script: `
			0     connect
			0     > S 0 <mss 1000,sackOK,ts 0 0,wscale 7>
			0.1   < S. 0 ack 1 win 65535 <mss 1460>
			0.1   > . 1 ack 1
			0.1   ? SndMSS 1000`},
		{name: "over IPv6 the MSS is 20 less", open: "closed", config: tcp.Config{IPHeader: 40}, script: `
			0     connect
			0     > S 0 <mss 1440,sackOK,ts 0 0,wscale 7>`},
		{name: "SO_RCVBUF sets window and scale", open: "closed", config: tcp.Config{RcvBuf: 8192}, script: `
			0     connect
			0     > S 0 win 2920 <mss 1460,sackOK,ts 0 0,wscale 0>`},
		{name: "a SYN is repeated each second, then backs off, and gives up", open: "closed", script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,ts 0 0,wscale 7>
			1     > S 0 <mss 1460,sackOK,ts 1000 0,wscale 7>
			2     > S 0 <mss 1460,sackOK,ts 2000 0,wscale 7>
			3     > S 0 <mss 1460,sackOK,ts 3000 0,wscale 7>
			4     > S 0 <mss 1460,sackOK,ts 4000 0,wscale 7>
			5     > S 0 <mss 1460,sackOK,ts 5000 0,wscale 7>
			7     > S 0 <mss 1460,sackOK,ts 7000 0,wscale 7>
			11    > S 0 <mss 1460,sackOK,ts 11000 0,wscale 7>
			19    > S 0 <mss 1460,sackOK,ts 19000 0,wscale 7>
			35    > S 0 <mss 1460,sackOK,ts 35000 0,wscale 7>
			67    > S 0 <mss 1460,sackOK,ts 67000 0,wscale 7>
			130.9 ? state SYN-SENT
			131   ? state CLOSED
			131   ? err ETIMEDOUT`},
		{name: "TCP_SYNCNT bounds the repetitions", open: "closed", config: tcp.Config{SYNCount: 1},
			settings: func(s *tcp.Settings) { s.SYNLinearTimeouts = 0; s.Timestamps = false }, script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,wscale 7>
			1     > S 0 <mss 1460,sackOK,wscale 7>
			3     ? err ETIMEDOUT`},
		{name: "a SYN that was lost gives no sample without timestamps", open: "closed",
			settings: func(s *tcp.Settings) { s.Timestamps = false }, script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,wscale 7>
			1     > S 0 <mss 1460,sackOK,wscale 7>
			1.1   < S. 0 ack 1 win 65535 <mss 1460,sackOK>
			1.1   > . 1 ack 1
			1.1   ? RTO 3s`},
		{name: "RST with the right ACK refuses", open: "closed", script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,ts 0 0,wscale 7>
			0.1   < R. 0 ack 1
			0.1   ? state CLOSED
			0.1   ? err ECONNREFUSED
			0.1   ? AttemptFails 1`},
		{name: "RST with a wrong ACK, or none, is ignored", open: "closed", script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,ts 0 0,wscale 7>
			0.1   < R. 0 ack 2
			0.1   < R 0
			0.1   ? state SYN-SENT`},
		{name: "a SYN-ACK that acknowledges something else is reset", open: "closed", script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,ts 0 0,wscale 7>
			0.1   < S. 0 ack 77 win 1000 <mss 1460>
			0.1   > R 77
			0.1   ? state SYN-SENT`},
		{name: "an ACK without SYN is ignored", open: "closed", script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,ts 0 0,wscale 7>
			0.1   < . 1 ack 1 win 1000
			0.1   ? state SYN-SENT`},
		{name: "a SYN-ACK that echoes the future is reset", open: "closed", script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,ts 0 0,wscale 7>
			0.1   < S. 0 ack 1 win 1000 <mss 1460,ts 5 900>
			0.1   > R 1
			0.1   ? PAWSActive 1`},
		{name: "both open at once", open: "closed", settings: func(s *tcp.Settings) { s.Timestamps = false }, script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,wscale 7>
			0.1   < S 0 win 1000 <mss 1460,sackOK,wscale 7>
			0.1   > S. 0 ack 1 <mss 1460,sackOK,wscale 7>
			0.1   ? state SYN-RECEIVED
			0.2   < S. 0 ack 1 win 1000 <mss 1460,sackOK,wscale 7>
			0.2   > . 1 ack 1 <sack 0:1>
			0.2   ? state ESTABLISHED`},
		{name: "a passive open answers with what both have", open: "closed", script: `
			0     listen
			0     < S 0 win 29200 <mss 1460,sackOK,ts 100 -,wscale 6>
			0     > S. 0 ack 1 win 65160 <mss 1460,sackOK,ts 0 100,wscale 7>
			0.1   < . 1 ack 1 win 500 <ts 200 0>
			0.1   ? state ESTABLISHED
			0.1   ? SndWnd 32000
			0.1   ? RTT 100ms
			0.1   ? PassiveOpens 1`},
		{name: "a plain SYN gets a plain SYN-ACK", open: "closed", script: `
			0     listen
			0     < S 0 win 1000
			0     > S. 0 ack 1 win 64240 <mss 1460>
			0.1   < . 1 ack 1 win 500
			0.1   ? SndMSS 500
			0.1   ? SndWnd 500`},
		{name: "the SYN-ACK is repeated and given up", open: "closed", script: `
			0     listen
			0     < S 0 win 1000
			0     > S. 0 ack 1 <mss 1460>
			1     > S. 0 ack 1 <mss 1460>
			3     > S. 0 ack 1 <mss 1460>
			7     > S. 0 ack 1 <mss 1460>
			15    > S. 0 ack 1 <mss 1460>
			31    > S. 0 ack 1 <mss 1460>
			62.9  ? state SYN-RECEIVED
			63    ? state LISTEN`},
		{name: "a repeated SYN gets its SYN-ACK again", open: "closed", script: `
			0     listen
			0     < S 0 win 1000
			0     > S. 0 ack 1 <mss 1460>
			0.6   < S 0 win 1000
			0.6   > S. 0 ack 1 <mss 1460>`},
		{name: "an ACK that no SYN-ACK asked for is reset", open: "closed", script: `
			0     listen
			0     < S 0 win 1000
			0     > S. 0 ack 1 <mss 1460>
			0.1   < . 1 ack 5 win 1000
			0.1   > R 5
			0.1   ? state SYN-RECEIVED`},
		{name: "RST ends a half-open connection", open: "closed", script: `
			0     listen
			0     < S 0 win 1000
			0     > S. 0 ack 1 <mss 1460>
			0.1   < R 1
			0.1   ? state LISTEN`},
		{name: "data may come with the last ACK", open: "closed", script: `
			0     listen
			0     < S 0 win 1000 <mss 1000>
			0     > S. 0 ack 1 <mss 1460>
			0.1   < P. 1:101 ack 1 win 1000
			0.1   > . 1 ack 101
			0.1   read 200 = 100`},
		{name: "TCP_DEFER_ACCEPT waits for data", open: "closed", config: tcp.Config{DeferAccept: 2}, script: `
			0     listen
			0     < S 0 win 1000 <mss 1000>
			0     > S. 0 ack 1 <mss 1460>
			0.1   < . 1 ack 1 win 1000
			0.1   ? state SYN-RECEIVED
			0.5   < P. 1:11 ack 1 win 1000
			0.5   > . 1 ack 11
			0.5   ? state ESTABLISHED`},
		{name: "and at the end of its time takes a bare ACK", open: "closed", config: tcp.Config{DeferAccept: 2}, script: `
			0     listen
			0     < S 0 win 1000 <mss 1000>
			0     > S. 0 ack 1 <mss 1460>
			0.1   < . 1 ack 1 win 1000
			3     > S. 0 ack 1 <mss 1460>
			3.1   < . 1 ack 1 win 1000
			3.1   ? state ESTABLISHED`},
		{name: "a segment for nobody is reset", open: "closed", script: `
			0     < . 100 ack 5 win 100
			0     > R 5
			0     < P 100:110
			0     > R. 3000 ack 110
			0     < R 100`},
	})
}
