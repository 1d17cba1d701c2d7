package tcp

import (
	"math"

	"sockeye"
)

// stats are the numbers of TCP_INFO that nothing else needs.
type stats struct {
	bytesAcked   uint64
	bytesSent    uint64
	bytesRetrans uint64
	received     uint64
	busyTime     Time
	busySince    Time
	rateTime     Time
	rateSegs     uint32
	segsIn       uint32
	segsOut      uint32
	dataSegsIn   uint32
	dataSegsOut  uint32
	totalRetrans uint32
	dsackDups    uint32
	reordSeen    uint32
}

// Info is TCP_INFO.
func (c *Conn) Info(now Time) (t sockeye.TCPInfo) {
	c.h.at(now)
	now = c.h.now
	ago := func(at Time) Time {
		if at == 0 {
			return 0
		}
		return now - at
	}
	t.State, t.CAState = sockeye.TCPState(c.state), sockeye.TCPCAState(c.caState)
	t.Retransmits, t.Probes, t.Backoff = c.retransmits, c.probes, c.backoff
	t.Options = c.infoOptions()
	t.SndWscale, t.RcvWscale = c.sndShift, c.rcvShift
	t.RTO, t.ATO = dur(c.rto), dur(c.ato)
	t.SndMSS, t.RcvMSS = uint32(c.mss), uint32(c.rcvMSS)
	t.Unacked, t.Sacked, t.Lost, t.Retrans = c.packetsOut, c.sackedOut, c.lostOut, c.retransOut
	t.LastDataSent, t.LastAckRecv, t.LastDataRecv = dur(ago(c.sentAt)), dur(ago(c.ackRcvdAt)), dur(ago(c.rcvdAt))
	t.PMTU, t.RcvSsthresh = c.pmtu, c.rcvTrust
	t.RTT, t.RTTVar = dur(c.srtt), dur(c.mdev)
	t.SndSsthresh, t.SndCwnd = c.ssthresh, c.cwnd
	t.AdvMSS, t.Reordering = uint32(c.advMSS()), uint32(c.reordering)
	if c.is(useTS) {
		t.AdvMSS -= timestampsLen
	}
	t.RcvRTT, t.RcvSpace = dur(c.rcvRTT), c.space
	t.TotalRetrans = c.totalRetrans
	t.MaxPacingRate = math.MaxUint64
	t.BytesAcked, t.BytesReceived = c.bytesAcked, c.received
	t.SegsOut, t.SegsIn, t.DataSegsOut, t.DataSegsIn = c.segsOut, c.segsIn, c.dataSegsOut, c.dataSegsIn
	t.NotsentBytes, t.MinRTT = uint32(c.unsent()), dur(c.minRTT.v)
	if c.rateTime > 0 {
		t.DeliveryRate = uint64(float64(c.rateSegs) * float64(c.mss) * float64(Second) / float64(c.rateTime))
	}
	t.BusyTime = dur(c.busyTime)
	if c.rtx.len() > 0 {
		t.BusyTime += dur(now - c.busySince)
	}
	t.Delivered, t.DeliveredCE = c.delivered, c.deliveredCE
	t.BytesSent, t.BytesRetrans = c.bytesSent, c.bytesRetrans
	t.DSACKDups, t.ReordSeen = c.dsackDups, c.reordSeen
	t.RcvOooPack, t.SndWnd = c.oooSegs, c.sndWnd
	return t
}

func (c *Conn) infoOptions() (o uint8) {
	if c.maxWnd == 0 { // nothing has come, and nothing is agreed on
		return 0
	}
	for _, b := range []struct {
		flag connFlags
		bit  uint8
	}{
		{useTS, sockeye.TCPI_OPT_TIMESTAMPS}, {useSACK, sockeye.TCPI_OPT_SACK}, {useScaling, sockeye.TCPI_OPT_WSCALE},
		{useECN, sockeye.TCPI_OPT_ECN}, {ecnSeen, sockeye.TCPI_OPT_ECN_SEEN}, {synFastOpen, sockeye.TCPI_OPT_SYN_DATA},
	} {
		if c.is(b.flag) {
			o |= b.bit
		}
	}
	return o
}
