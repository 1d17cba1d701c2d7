package tcp_test

import (
	"testing"

	"sockeye/internal/leak"
)

const noSACK = "mss 1000,wscale 7"

func TestFastRetransmit(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "three segments SACKed behind a hole fill it", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 10000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > . 2001:3001 ack 1
			0     > . 3001:4001 ack 1
			0     > . 4001:5001 ack 1
			0     > . 5001:6001 ack 1
			0     > . 6001:7001 ack 1
			0     > . 7001:8001 ack 1
			0     > . 8001:9001 ack 1
			0     > P. 9001:10001 ack 1
			0.1   < . 1 ack 1 win 500 <sack 1001:2001>
			0.1   ? CAState disorder
			0.1   < . 1 ack 1 win 500 <sack 1001:3001>
			0.1   < . 1 ack 1 win 500 <sack 1001:4001>
			0.1   > . 1:1001 ack 1
			0.1   ? CAState recovery
			0.1   ? Sacked 3
			0.1   ? Lost 1
			0.1   ? SndSsthresh 7
			0.2   < . 1 ack 10001 win 500
			0.2   ? CAState open
			0.2   ? SndCwnd 8
			0.2   ? TCPSackRecovery 1
			0.2   ? TCPFastRetrans 1`},
		{name: "without SACK three duplicate ACKs do", open: noSACK, script: `
			0     write 10000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > . 2001:3001 ack 1
			0     > . 3001:4001 ack 1
			0     > . 4001:5001 ack 1
			0     > . 5001:6001 ack 1
			0     > . 6001:7001 ack 1
			0     > . 7001:8001 ack 1
			0     > . 8001:9001 ack 1
			0     > P. 9001:10001 ack 1
			0.1   < . 1 ack 1 win 512
			0.1   < . 1 ack 1 win 512
			0.1   < . 1 ack 1 win 512
			0.1   < . 1 ack 1 win 512
			0.1   > . 1:1001 ack 1
			0.1   ? CAState recovery
			0.1   ? TCPRenoRecovery 1
			// A partial ACK: the next hole (RFC 6582).
			0.2   < . 1 ack 3001 win 512
			0.2   > . 3001:4001 ack 1
			0.3   < . 1 ack 10001 win 512
			0.3   ? SndCwnd 7`},
		{name: "every hole below the SACKed ones is filled", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 6000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > . 2001:3001 ack 1
			0     > . 3001:4001 ack 1
			0     > . 4001:5001 ack 1
			0     > P. 5001:6001 ack 1
			0.1   < . 1 ack 1 win 500 <sack 5001:6001 3001:4001 1001:2001>
			0.1   > . 1:1001 ack 1
			0.1   > . 2001:3001 ack 1
			0.1   > . 4001:5001 ack 1
			0.2   < . 1 ack 6001 win 500
			0.2   ? CAState open`},
		{name: "a lost retransmission is found by time", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 6000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > . 2001:3001 ack 1
			0     > . 3001:4001 ack 1
			0     > . 4001:5001 ack 1
			0     > P. 5001:6001 ack 1
			0.1   < . 1 ack 1 win 500 <sack 1001:2001 3001:6001>
			0.1   > . 1:1001 ack 1
			0.1   > . 2001:3001 ack 1
			// The second came, which was sent after the first.
			0.2   < . 1 ack 1 win 500 <sack 1001:6001>
			0.2   > . 1:1001 ack 1
			0.2   ? TCPLostRetransmit 1
			0.3   < . 1 ack 6001 win 500
			0.3   ? CAState open`},
		{name: "a DSACK shows that the retransmission was needless", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 5000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > . 2001:3001 ack 1
			0     > . 3001:4001 ack 1
			0     > P. 4001:5001 ack 1
			0.1   < . 1 ack 1 win 500 <sack 1001:4001>
			0.1   > . 1:1001 ack 1
			0.11  < . 1 ack 5001 win 500
			0.2   < . 1 ack 5001 win 500 <sack 1:1001>
			0.2   ? TCPDSACKRecv 1
			0.2   ? TCPDSACKUndo 1
			0.2   ? SndCwnd 10
			0.2   ? CAState open`},
		{name: "a timestamp shows that it was needless", open: "mss 1012,sackOK,wscale 7,ts 1 0", script: `
			0     write 5000
			0     > . 1:1001 ack 1 <ts 0 1>
			0     > . 1001:2001 ack 1 <ts 0 1>
			0     > . 2001:3001 ack 1 <ts 0 1>
			0     > . 3001:4001 ack 1 <ts 0 1>
			0     > P. 4001:5001 ack 1 <ts 0 1>
			0.1   < . 1 ack 1 win 500 <ts 2 0,sack 1001:4001>
			0.1   > . 1:1001 ack 1 <ts 100 2>
			0.11  < . 1 ack 5001 win 500 <ts 2 0>
			0.11  ? TCPFullUndo 1
			0.11  ? SndCwnd 10`},
		{name: "SACK of what was never sent is discarded", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 1000
			0     > P. 1:1001 ack 1
			0.1   < . 1 ack 1 win 500 <sack 5001:6001>
			0.1   ? TCPSACKDiscard 1
			0.1   ? Sacked 0
			0.3   > P. 1:1001 ack 1`},
		{name: "a peer that reneges is sent everything again", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 4000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > . 2001:3001 ack 1
			0     > P. 3001:4001 ack 1
			0.1   < . 1 ack 1 win 500 <sack 1001:4001>
			0.1   > . 1:1001 ack 1
			0.2   < . 1 ack 1001 win 500
			0.21  > . 1001:2001 ack 1
			0.21  ? TCPSACKReneging 1`},
		{name: "reordering within a quarter of the round trip is waited for", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 3000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > P. 2001:3001 ack 1
			0.1   < . 1 ack 1 win 500 <sack 1001:2001>
			0.11  < . 1 ack 3001 win 500
			0.11  ? CAState open
			0.11  ? SndCwnd 10
			0.11  ? RetransSegs 0
			0.11  ? ReordSeen 1`},
		{name: "and when it passes the segment is lost", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 3000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > P. 2001:3001 ack 1
			0.1   < . 1 ack 1 win 500 <sack 1001:2001>
			0.127 > . 1:1001 ack 1
			0.2   < . 1 ack 3001 win 500`},
	})
}

func TestTailLossProbe(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "the last segment is sent again after two round trips", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 3000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > P. 2001:3001 ack 1
			0.05  < . 1 ack 1001 win 500
			0.2395 > P. 2001:3001 ack 1
			0.3   ? TCPLossProbes 1
			0.33  < . 1 ack 3001 win 500 <sack 2001:3001>
			0.33  ? SndCwnd 10`},
		{name: "with one segment out it allows for a delayed ACK", open: "mss 1000,sackOK,wscale 7", rtt: 0.02, script: `
			0     write 500
			0     > P. 1:501 ack 1
			0.22  > P. 1:501 ack 1
			0.3   < . 1 ack 501 win 500 <sack 1:501>`},
		{name: "a repaired loss reduces the window", open: "mss 1000,sackOK,wscale 7", script: `
			0     write 3000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > P. 2001:3001 ack 1
			0.1   < . 1 ack 2001 win 500
			0.4   > P. 2001:3001 ack 1
			0.45  write 1000
			0.45  > P. 3001:4001 ack 1
			0.5   < . 1 ack 3001 win 500
			0.55  < . 1 ack 4001 win 500
			0.55  ? TCPLossProbeRecovery 1`},
	})
}

func TestSpuriousTimeout(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	run(t, []scenario{
		{name: "F-RTO finds it by the second ACK", open: "mss 1000,wscale 7", script: `
			0     write 4000
			0     > . 1:1001 ack 1
			0     > . 1001:2001 ack 1
			0     > . 2001:3001 ack 1
			0     > P. 3001:4001 ack 1
			0.3   > . 1:1001 ack 1
			0.31  write 3000
			// The ACK of the first transmission: two new segments, not old ones.
			0.35  < . 1 ack 1001 win 500
			0.35  > . 4001:5001 ack 1
			0.35  > . 5001:6001 ack 1
			0.36  < . 1 ack 2001 win 500
			0.36  > P. 6001:7001 ack 1
			0.36  ? TCPSpuriousRTOs 1
			0.36  ? SndCwnd 11`},
	})
}
