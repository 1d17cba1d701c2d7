package tcp_test

import (
	"testing"

	"sockeye/internal/leak"
	"sockeye/stack/tcp"
)

func TestDelayedACK(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "the first segments are acknowledged at once", open: "mss 1000", script: `
			0     < . 1:1001 ack 1 win 1000
			0     > . 1 ack 1001
			0.01  < . 1001:2001 ack 1 win 1000
			0.01  > . 1 ack 2001`},
		{name: "quick ACKs run out after the sender's slow start", open: "mss 1000,sackOK", config: tcp.Config{RcvBuf: 40000}, script: `
			0     < P. 1:1001 ack 1 win 1000
			0     > . 1 ack 1001
			0     read 5000 = 1000
			0.01  < P. 1001:2001 ack 1 win 1000
			0.01  > . 1 ack 2001
			0.01  read 5000 = 1000
			0.02  < P. 2001:3001 ack 1 win 1000
			0.02  > . 1 ack 3001
			0.02  read 5000 = 1000
			0.03  < P. 3001:4001 ack 1 win 1000
			0.03  > . 1 ack 4001
			0.03  read 5000 = 1000
			0.04  < . 4001:5001 ack 1 win 1000
			0.04  > . 1 ack 5001
			0.05  < . 5001:6001 ack 1 win 1000
			0.05  > . 1 ack 6001
			0.06  < . 6001:7001 ack 1 win 1000
			0.06  > . 1 ack 7001
			0.07  < . 7001:8001 ack 1 win 1000
			0.07  > . 1 ack 8001
			0.08  < . 8001:9001 ack 1 win 1000
			0.08  > . 1 ack 9001
			0.081 < . 9001:10001 ack 1 win 1000
			0.082 < . 10001:11001 ack 1 win 1000
			0.083 read 9000 = 7000
			0.083 > . 1 ack 11001`},
		{name: "an answer within 40 ms carries the ACK", open: "mss 1000", script: `
			0     quickack off
			0     < P. 1:101 ack 1 win 1000
			0.02  read 200 = 100
			0.02  write 50
			0.02  > P. 1:51 ack 101`},
		{name: "without one it goes after 40 ms", open: "mss 1000", script: `
			0     quickack off
			0     < P. 1:101 ack 1 win 1000
			0.04  > . 1 ack 101
			0.04  ? DelayedACKs 1`},
		{name: "every second full segment is acknowledged", open: "mss 1000", script: `
			0     quickack off
			0     < . 1:1001 ack 1 win 1000
			0     read 5000 = 1000
			0.001 < . 1001:2001 ack 1 win 1000
			0.001 > . 1 ack 2001
			0.001 read 5000 = 1000
			0.002 < . 2001:3001 ack 1 win 1000
			0.002 read 5000 = 1000
			0.003 < . 3001:4001 ack 1 win 1000
			0.003 > . 1 ack 4001
			0.003 read 5000 = 1000`},
		{name: "reading pushed data acknowledges it", open: "mss 1000", script: `
			0     quickack off
			0     quickack on
			0     < P. 1:101 ack 1 win 1000
			0     > . 1 ack 101
			0     < P. 101:201 ack 1 win 1000
			0     > . 1 ack 201`},
		{name: "TCP_QUICKACK sends the ACK that waits", open: "mss 1000", script: `
			0     quickack off
			0     < P. 1:101 ack 1 win 1000
			0.01  quickack on
			0.01  > . 1 ack 101`},
		{name: "an interactive exchange delays its ACKs", open: "mss 1000", script: `
			0     < P. 1:11 ack 1 win 1000
			0     > . 1 ack 11
			0     read 50 = 10
			0.01  write 10
			0.01  > P. 1:11 ack 11
			0.1   < P. 11:21 ack 11 win 1000
			0.11  read 50 = 10
			0.12  write 10
			0.12  > P. 11:21 ack 21`},
	})
}

func TestReassembly(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	const sack = "mss 1000,sackOK,wscale 7"
	run(t, []scenario{
		{name: "a gap is acknowledged at once, with SACK", open: sack, script: `
			0     < . 1001:2001 ack 1 win 1000
			0     > . 1 ack 1 <sack 1001:2001>
			0     < . 2001:3001 ack 1 win 1000
			0     > . 1 ack 1 <sack 1001:3001>
			0     ? unread 0
			0     < . 1:1001 ack 1 win 1000
			0     > . 1 ack 3001
			0     read 5000 = 3000`},
		{name: "the latest block comes first", open: sack, script: `
			0     < . 1001:2001 ack 1 win 1000
			0     > . 1 ack 1 <sack 1001:2001>
			0     < . 3001:4001 ack 1 win 1000
			0     > . 1 ack 1 <sack 3001:4001 1001:2001>
			0     < . 5001:6001 ack 1 win 1000
			0     > . 1 ack 1 <sack 5001:6001 3001:4001 1001:2001>
			0     < . 7001:8001 ack 1 win 1000
			0     > . 1 ack 1 <sack 7001:8001 5001:6001 3001:4001 1001:2001>
			0     < . 9001:9501 ack 1 win 1000
			0     > . 1 ack 1 <sack 9001:9501 7001:8001 5001:6001 3001:4001>
			0     < . 2001:3001 ack 1 win 1000
			0     > . 1 ack 1 <sack 2001:4001 9001:9501 7001:8001 5001:6001>`},
		{name: "with timestamps there is room for three", open: sack + ",ts 1 0", script: `
			0     < . 1001:2001 ack 1 win 1000 <ts 2 0>
			0     > . 1 ack 1 <ts 0 1,sack 1001:2001>
			0     < . 3001:4001 ack 1 win 1000 <ts 2 0>
			0     > . 1 ack 1 <ts 0 1,sack 3001:4001 1001:2001>
			0     < . 5001:6001 ack 1 win 1000 <ts 2 0>
			0     > . 1 ack 1 <ts 0 1,sack 5001:6001 3001:4001 1001:2001>
			0     < . 7001:8001 ack 1 win 1000 <ts 2 0>
			0     > . 1 ack 1 <ts 0 1,sack 7001:8001 5001:6001 3001:4001>`},
		{name: "without SACK the ACK is a plain duplicate", open: "mss 1000", script: `
			0     < . 1001:2001 ack 1 win 1000
			0     > . 1 ack 1
			0     < . 2001:3001 ack 1 win 1000
			0     > . 1 ack 1`},
		{name: "a duplicate is reported by DSACK", open: sack, script: `
			0     < . 1:1001 ack 1 win 1000
			0     > . 1 ack 1001
			0.1   < . 1:1001 ack 1 win 1000
			0.1   > . 1 ack 1001 <sack 1:1001>
			0.1   ? TCPDSACKOldSent 1`},
		{name: "a duplicate out of order too", open: sack, script: `
			0     < . 2001:3001 ack 1 win 1000
			0     > . 1 ack 1 <sack 2001:3001>
			0.1   < . 2001:3001 ack 1 win 1000
			0.1   > . 1 ack 1 <sack 2001:3001 2001:3001>
			0.1   ? TCPDSACKOfoSent 1`},
		{name: "overlapping segments give each byte once", open: sack, script: `
			0     < . 501:1501 ack 1 win 1000
			0     > . 1 ack 1 <sack 501:1501>
			0     < . 1001:2501 ack 1 win 1000
			0     > . 1 ack 1 <sack 1001:1501 501:2501>
			0     < . 1:601 ack 1 win 1000
			0     > . 1 ack 2501 <sack 501:601>
			0     read 5000 = 2500`},
		{name: "of several duplicates the first is reported", open: sack, script: `
			0     < . 745:1184 ack 1 win 1000
			0     > . 1 ack 1 <sack 745:1184>
			0     < . 322:659 ack 1 win 1000
			0     > . 1 ack 1 <sack 322:659 745:1184>
			0     < P. 1:1001 ack 1 win 1000
			0     > . 1 ack 1184 <sack 322:659>`},
		{name: "a segment that is partly old is used", open: sack, script: `
			0     < . 1:1001 ack 1 win 1000
			0     > . 1 ack 1001
			0     < . 501:1501 ack 1 win 1000
			0     > . 1 ack 1501 <sack 501:1001>
			0     read 5000 = 1500`},
		{name: "a FIN out of order waits for what is before it", open: sack, script: `
			0     < F. 1001:2001 ack 1 win 1000
			0     > . 1 ack 1 <sack 1001:2002>
			0     ? state ESTABLISHED
			0     < . 1:1001 ack 1 win 1000
			0     > . 1 ack 2002
			0     ? state CLOSE-WAIT
			0     read 5000 = 2000
			0     ? eof true`},
		{name: "data beyond the window is refused", open: sack, script: `
			0     < . 70001:70002 ack 1 win 1000
			0     > . 1 ack 1
			0     ? RcvOooPack 0`},
		{name: "a read takes what fits and leaves the rest", open: sack, script: `
			0     < P. 1:101 ack 1 win 1000
			0     > . 1 ack 101
			0     ? unread 100
			0     ? events readable
			0     read 60 = 60
			0     read 60 = 40
			0     read 60 = 0
			0     ? eof false`},
	})
}

func TestTimestamps(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "an old timestamp is refused", open: "mss 1000,sackOK,ts 1000 0", script: `
			0     < . 1:101 ack 1 win 1000 <ts 990 0>
			0     > . 1 ack 1 <ts 0 1000>
			0     ? PAWSEstab 1
			0     ? unread 0`},
		{name: "one tick back is not old", open: "mss 1000,sackOK,ts 1000 0", script: `
			0     < . 1:101 ack 1 win 1000 <ts 999 0>
			0     > . 1 ack 101 <ts 0 1000>`},
		{name: "the clock may wrap", open: "mss 1000,sackOK,ts 4294967290 0", script: `
			0     < . 1:101 ack 1 win 1000 <ts 4 0>
			0     > . 1 ack 101 <ts 0 4>
			0     ? unread 100`},
		{name: "after 24 days the old value does not count", open: "mss 1000,sackOK,ts 1000 0", script: `
			2160000 < . 1:101 ack 1 win 1000 <ts 990 0>
			2160000 > . 1 ack 101 <ts -2134967296 990>`},
		{name: "an old RST still resets", open: "mss 1000,sackOK,ts 1000 0", script: `
			0     < R. 1 ack 1 <ts 900 0>
			0     ? err ECONNRESET`},
		{name: "the echo is of the segment that filled the gap", open: "mss 1000,sackOK,ts 1000 0", script: `
			0     < . 1001:2001 ack 1 win 1000 <ts 1010 0>
			0     > . 1 ack 1 <ts 0 1000,sack 1001:2001>
			0     < . 1:1001 ack 1 win 1000 <ts 1020 0>
			0     > . 1 ack 2001 <ts 0 1020>`},
		{name: "answers to old duplicates are limited", open: "mss 1000,sackOK,ts 1000 0", script: `
			0     < . 1 ack 1 win 1000 <ts 900 0>
			0     > . 1 ack 1 <ts 0 1000>
			0.1   < . 1 ack 1 win 1000 <ts 900 0>
			0.6   < . 1 ack 1 win 1000 <ts 900 0>
			0.6   > . 1 ack 1 <ts 600 1000>
			0.6   ? TCPACKSkippedPAWS 1`},
	})
}

func TestBlindAttacks(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "RST in the window but not exact is challenged", open: "mss 1000", script: `
			0     < R 100
			0     > . 1 ack 1
			0     ? state ESTABLISHED
			0     ? TCPChallengeACK 1`},
		{name: "an exact RST resets", open: "mss 1000", script: `
			0     < R 1
			0     ? state CLOSED
			0     ? err ECONNRESET
			0     ? EstabResets 1`},
		{name: "RST out of the window is dropped", open: "mss 1000", script: `
			0     < R 100000
			0     ? state ESTABLISHED`},
		{name: "RST right after a SACKed block resets", open: "mss 1000,sackOK", script: `
			0     < . 1001:2001 ack 1 win 1000
			0     > . 1 ack 1 <sack 1001:2001>
			0     < R 2001
			0     ? err ECONNRESET`},
		{name: "a SYN is challenged", open: "mss 1000", script: `
			0     < S 100 win 1000
			0     > . 1 ack 1
			0     ? state ESTABLISHED
			0     ? TCPSYNChallenge 1`},
		{name: "an ACK of what was never sent is answered and dropped", open: "mss 1000", script: `
			0     < P. 1:11 ack 500 win 1000
			0     > . 1 ack 1
			0     ? unread 0`},
		{name: "an ACK older than any window is challenged", open: "mss 1000", win: 2000, script: `
			0     write 1000
			0     > P. 1:1001 ack 1
			0.1   < . 1 ack 1001 win 2000
			0.2   < P. 1:11 ack -5000 win 1000
			0.2   > . 1001 ack 1
			0.2   ? unread 0`},
		{name: "challenges of one connection are limited", open: "mss 1000", script: `
			0     < R 100
			0     > . 1 ack 1
			0.1   < R 100
			0.6   < R 100
			0.6   > . 1 ack 1`},
		{name: "and those of the host", open: "mss 1000", settings: func(s *tcp.Settings) { s.ChallengeACKLimit = 1; s.InvalidRatelimit = 0 }, script: `
			0     < R 100
			0     > . 1 ack 1
			0.1   < R 100
			1     < R 100
			1     > . 1 ack 1`},
	})
}

func TestUrgent(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "urgent the last octet of a write", open: "mss 1000", script: `
			0     write 100 urgent
			0     > P.U 1:101 ack 1 urg 100
			0.1   < . 1 ack 101 win 1000
			0.1   write 10
			0.1   > P. 101:111 ack 1`},
		{name: "urgent stays announced until it is acknowledged", open: "mss 1000", win: 1000, script: `
			0     write 1500 urgent
			0     > .U 1:501 ack 1 urg 1500
			0     > .U 501:1001 ack 1 urg 1000
			0.1   < . 1 ack 1001 win 1000
			0.1   > P.U 1001:1501 ack 1 urg 500`},
		{name: "urgent octets are read out of band", open: "mss 1000", script: `
			0     < PU. 1:4 ack 1 win 1000 urg 2
			0     > . 1 ack 4
			0     ? events readable+urgent
			0     ? atmark false
			0     read 10 = 1
			0     ? atmark true
			0     readurgent = 14
			0     readurgent = EINVAL
			0     read 10 = 1`},
		{name: "urgent in line with SO_OOBINLINE", open: "mss 1000", config: tcp.Config{OOBInline: true}, script: `
			0     < PU. 1:4 ack 1 win 1000 urg 2
			0     > . 1 ack 4
			0     readurgent = EINVAL
			0     read 10 = 1
			0     ? atmark true
			0     read 10 = 2`},
		{name: "urgent announced before it comes", open: "mss 1000", script: `
			0     < PU. 1:11 ack 1 win 1000 urg 20
			0     > . 1 ack 11
			0     readurgent = EAGAIN
			0     < P. 11:31 ack 1 win 1000
			0     > . 1 ack 31
			0     readurgent = 140
			0     read 100 = 19
			0     read 100 = 10`},
		{name: "urgent without any is EINVAL", open: "mss 1000", script: `
			0     readurgent = EINVAL`},
		{name: "urgent can be peeked", open: "mss 1000", script: `
			0     < PU. 1:2 ack 1 win 1000 urg 1
			0     > . 1 ack 2
			0     readurgent peek = 7
			0     readurgent = 7`},
	})
}
