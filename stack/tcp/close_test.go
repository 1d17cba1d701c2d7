package tcp_test

import (
	"testing"

	"sockeye/internal/leak"
	"sockeye/stack/tcp"
)

func TestClose(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "active close goes to TIME-WAIT", open: "mss 1000", script: `
			0     close
			0     > F. 1 ack 1
			0     ? state FIN-WAIT-1
			0.1   < . 1 ack 2 win 1000
			0.1   ? state FIN-WAIT-2
			0.2   < F. 1 ack 2 win 1000
			0.2   > . 2 ack 2
			0.2   ? state TIME-WAIT
			60.1  ? state TIME-WAIT
			60.3  ? state CLOSED`},
		{name: "half close: the peer may still send", open: "mss 1000", script: `
			0     shutdown = 0
			0     > F. 1 ack 1
			0     write 10 = EPIPE
			0.1   < . 1 ack 2 win 1000
			0.1   ? state FIN-WAIT-2
			100   < P. 1:101 ack 2 win 1000
			100   > . 2 ack 101
			100   read 200 = 100
			101   < F. 101 ack 2 win 1000
			101   > . 2 ack 102
			101   ? state TIME-WAIT`},
		{name: "passive close", open: "mss 1000", script: `
			0     < F. 1 ack 1 win 1000
			0.004 > . 1 ack 2
			0     ? state CLOSE-WAIT
			0     ? eof true
			0.1   write 10
			0.1   > P. 1:11 ack 2
			0.2   close
			0.2   > F. 11 ack 2
			0.2   ? state LAST-ACK
			0.3   < . 2 ack 12 win 1000
			0.3   ? state CLOSED
			0.3   ? err none`},
		{name: "both close at once", open: "mss 1000", script: `
			0     close
			0     > F. 1 ack 1
			0     < F. 1 ack 1 win 1000
			0     > . 2 ack 2
			0     ? state CLOSING
			0.1   < . 2 ack 2 win 1000
			0.1   ? state TIME-WAIT`},
		{name: "a FIN that acknowledges ours ends both", open: "mss 1000", script: `
			0     close
			0     > F. 1 ack 1
			0.1   < F. 1 ack 2 win 1000
			0.1   > . 2 ack 2
			0.1   ? state TIME-WAIT`},
		{name: "the FIN is repeated", open: "mss 1000", script: `
			0     close
			0     > F. 1 ack 1
			0.3   > F. 1 ack 1
			0.9   > F. 1 ack 1`},
		{name: "the FIN goes with the last data", open: "mss 1000", win: 2000, script: `
			0     write 3000
			0     > . 1:1001 ack 1
			0     > P. 1001:2001 ack 1
			0     close
			0.1   < . 1 ack 2001 win 2000
			0.1   > FP. 2001:3001 ack 1`},
		{name: "unread data makes close a RST", open: "mss 1000", script: `
			0     < P. 1:101 ack 1 win 1000
			0     > . 1 ack 101
			0     close
			0     > R. 1 ack 101
			0     ? state CLOSED
			0     ? TCPAbortOnClose 1`},
		{name: "SO_LINGER of zero is a RST", open: "mss 1000", script: `
			0     write 10
			0     > P. 1:11 ack 1
			0     close reset
			0     > R. 11 ack 1
			0     ? state CLOSED`},
		{name: "abort is a RST and ECONNABORTED", open: "mss 1000", script: `
			0     abort
			0     > R. 1 ack 1
			0     ? err ECONNABORTED
			0     ? events readable+writable+hup+error+closed`},
		{name: "data for a user who has gone is reset", open: "mss 1000", script: `
			0     close
			0     > F. 1 ack 1
			0.1   < P. 1:11 ack 1 win 1000
			0.1   > R 1
			0.1   ? state CLOSED
			0.1   ? TCPAbortOnData 1`},
		{name: "FIN-WAIT-2 without a user ends after tcp_fin_timeout", open: "mss 1000", script: `
			0     close
			0     > F. 1 ack 1
			0.1   < . 1 ack 2 win 1000
			60.0  ? state FIN-WAIT-2
			60.2  ? state CLOSED`},
		{name: "TCP_LINGER2 makes that shorter", open: "mss 1000", config: tcp.Config{Linger2: 5}, script: `
			0     close
			0     > F. 1 ack 1
			0.1   < . 1 ack 2 win 1000
			5.0   ? state FIN-WAIT-2
			5.2   ? state CLOSED`},
		{name: "a negative one leaves none", open: "mss 1000", config: tcp.Config{Linger2: -1}, script: `
			0     close
			0     > F. 1 ack 1
			0.1   < . 1 ack 2 win 1000
			0.1   > R 2
			0.1   ? state CLOSED`},
		{name: "data in FIN-WAIT-2 without a user is reset", open: "mss 1000", script: `
			0     close
			0     > F. 1 ack 1
			0.1   < . 1 ack 2 win 1000
			0.2   < P. 1:11 ack 2 win 1000
			0.2   > R 2
			0.2   ? state CLOSED`},
		{name: "RST in CLOSE-WAIT is EPIPE", open: "mss 1000", script: `
			0     < F. 1 ack 1 win 1000
			0.004 > . 1 ack 2
			0.1   < R 2
			0.1   ? err EPIPE
			0.1   write 1 = EPIPE`},
		{name: "RST after data: what was received can be read, then the error", open: "mss 1000", script: `
			0     < P. 1:101 ack 1 win 1000
			0     > . 1 ack 101
			0     < R 101
			0     ? state CLOSED
			0     read 60 = 60
			0     read 60 = 40
			0     read 60 = ECONNRESET
			0     read 60 = 0
			0     ? eof true`},
		{name: "a write after RST gives the error once, then EPIPE", open: "mss 1000", script: `
			0     < R 1
			0     write 5 = ECONNRESET
			0     write 5 = EPIPE`},
		{name: "SHUT_RD ends reading and tells nobody", open: "mss 1000", script: `
			0     shutdown_read = 0
			0     ? eof true
			0     write 10
			0     > P. 1:11 ack 1`},
		{name: "data after both directions were shut is reset", open: "mss 1000", script: `
			0     shutdown_read = 0
			0     shutdown = 0
			0     > F. 1 ack 1
			0.1   < P. 1:11 ack 1 win 1000
			0.1   > R 1
			0.1   ? err ECONNRESET`},
		{name: "data across the FIN is a reset", open: "mss 1000", script: `
			0     < F. 1 ack 1 win 1000
			0.004 > . 1 ack 2
			0.1   < P. 1:12 ack 1 win 1000
			0.1   > R 1
			0.1   ? err EPIPE`},
		{name: "data after the FIN is dropped", open: "mss 1000", script: `
			0     < F. 1 ack 1 win 1000
			0.004 > . 1 ack 2
			0.1   < P. 2:12 ack 1 win 1000
			0.1   ? unread 0
			0.1   ? state CLOSE-WAIT`},
		{name: "unread data makes close a RST in LAST-ACK too", open: "mss 1000", script: `
			0     < P. 1:101 ack 1 win 1000
			0     > . 1 ack 101
			0.1   < F. 101 ack 1 win 1000
			0.14  > . 1 ack 102
			0.2   shutdown = 0
			0.2   > F. 1 ack 102
			0.2   close
			0.2   > R. 2 ack 102`},
		{name: "closing in SYN-SENT sends nothing", open: "closed", script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,ts 0 0,wscale 7>
			0     close
			0     ? state CLOSED
			0.1   < S. 0 ack 1 win 1000 <mss 1000>
			0.1   > R 1`},
		{name: "shutdown in SYN-SENT gives up the connection", open: "closed", script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,ts 0 0,wscale 7>
			0     shutdown = 0
			0     ? state CLOSED
			0     ? err ECONNRESET
			0     shutdown = ENOTCONN`},
		{name: "LAST-ACK gives up after the orphan's retries", open: "mss 1000",
			settings: func(s *tcp.Settings) { s.OrphanRetries = 1 }, script: `
			0     < F. 1 ack 1 win 1000
			0     close
			0     > F. 1 ack 2
			0.3   > F. 1 ack 2
			0.9   ? state CLOSED`},
	})
}

func TestTimeWait(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	const closed = `
			0     close
			0     > F. 1 ack 1
			0.1   < F. 1 ack 2 win 1000
			0.1   > . 2 ack 2
			0.1   ? state TIME-WAIT
`
	run(t, []scenario{
		{name: "a repeated FIN is acknowledged and starts the wait anew", open: "mss 1000", script: closed + `
			10    < F. 1 ack 2 win 1000
			10    > . 2 ack 2
			69.9  ? state TIME-WAIT
			70    ? state CLOSED`},
		{name: "a newer SYN opens a new connection", open: "mss 1000", script: closed + `
			1     < S 100 win 1000 <mss 1000>
			1     ? state LISTEN
			1     ? TWRecycled 1`},
		{name: "an older SYN is answered by an ACK", open: "mss 1000", script: closed + `
			1     < S -100 win 1000 <mss 1000>
			1     > . 2 ack 2
			1     ? state TIME-WAIT`},
		{name: "an exact RST ends it", open: "mss 1000", script: closed + `
			1     < R 2
			1     ? state CLOSED`},
		{name: "but not under tcp_rfc1337", open: "mss 1000", settings: func(s *tcp.Settings) { s.RFC1337 = true }, script: closed + `
			1     < R 2
			1     ? state TIME-WAIT`},
		{name: "RST elsewhere is ignored", open: "mss 1000", script: closed + `
			1     < R 50
			1     ? state TIME-WAIT`},
		{name: "old data is acknowledged", open: "mss 1000", script: closed + `
			1     < P. 2:12 ack 2 win 1000
			1     > . 2 ack 2
			1.1   < P. 2:12 ack 2 win 1000
			1.1   > . 2 ack 2`},
		{name: "old ACKs are answered, not too often", open: "mss 1000", script: closed + `
			1     < . -100 ack 2 win 1000
			1     > . 2 ack 2
			1.1   < . -100 ack 2 win 1000
			1.1   ? TCPACKSkippedTimeWait 1`},
		{name: "with timestamps a SYN with a later one is newer", open: "mss 1000,ts 1000 0", script: `
			0     close
			0     > F. 1 ack 1 <ts 0 1000>
			0.1   < F. 1 ack 2 win 1000 <ts 1100 0>
			0.1   > . 2 ack 2 <ts 100 1100>
			1     < S -100 win 1000 <mss 1000,ts 2000 ->
			1     ? state LISTEN`},
		{name: "the FIN of FIN-WAIT-2 without a user still comes", open: "mss 1000", script: `
			0     close
			0     > F. 1 ack 1
			0.1   < . 1 ack 2 win 1000
			0.2   < F. 1 ack 2 win 1000
			0.2   > . 2 ack 2
			0.2   ? state TIME-WAIT`},
		{name: "RST in FIN-WAIT-2 without a user ends it", open: "mss 1000", script: `
			0     close
			0     > F. 1 ack 1
			0.1   < . 1 ack 2 win 1000
			0.2   < R 1
			0.2   ? state CLOSED`},
	})
}

func TestKeepalive(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "probes go after two hours, nine of them, then RST", open: "mss 1000", config: tcp.Config{KeepAlive: true}, script: `
			7200  > . 0 ack 1
			7275  > . 0 ack 1
			7350  > . 0 ack 1
			7425  > . 0 ack 1
			7500  > . 0 ack 1
			7575  > . 0 ack 1
			7650  > . 0 ack 1
			7725  > . 0 ack 1
			7800  > . 0 ack 1
			7875  > R. 1 ack 1
			7875  ? err ETIMEDOUT`},
		{name: "an answer starts the two hours anew", open: "mss 1000", config: tcp.Config{KeepAlive: true}, script: `
			7200  > . 0 ack 1
			7200.1 < . 1 ack 1 win 1000
			14400.1 > . 0 ack 1`},
		{name: "TCP_KEEPIDLE, KEEPINTVL and KEEPCNT", open: "mss 1000",
			config: tcp.Config{KeepAlive: true, KeepIdle: 10, KeepInterval: 1, KeepCount: 2}, script: `
			10    > . 0 ack 1
			11    > . 0 ack 1
			12    > R. 1 ack 1
			12    ? err ETIMEDOUT`},
		{name: "data puts it off", open: "mss 1000", config: tcp.Config{KeepAlive: true, KeepIdle: 10}, script: `
			5     < P. 1:11 ack 1 win 1000
			5     > . 1 ack 11
			15    > . 0 ack 11`},
		{name: "switched on later it counts from then", open: "mss 1000", script: `
			5     keepidle 10
			5     keepalive on
			15    > . 0 ack 1`},
		{name: "switched off it stops", open: "mss 1000", config: tcp.Config{KeepAlive: true}, script: `
			5     keepalive off
			9000  ? state ESTABLISHED`},
		{name: "TCP_USER_TIMEOUT bounds the probes", open: "mss 1000",
			config: tcp.Config{KeepAlive: true, KeepIdle: 10, KeepInterval: 2, UserTimeout: 13000}, script: `
			10    > . 0 ack 1
			12    > . 0 ack 1
			14    > R. 1 ack 1
			14    ? err ETIMEDOUT`},
		{name: "a probe of the peer is answered", open: "mss 1000", script: `
			0     < . 0 ack 1 win 1000
			0     > . 1 ack 1`},
	})
}
