package sockeye

import (
	"encoding/binary"
	"time"
)

// A TCPState is the state of a connection (RFC 9293 section 3.3.2), numbered as
// Linux does.
type TCPState uint8

// The states.
const (
	TCP_ESTABLISHED TCPState = iota + 1
	TCP_SYN_SENT
	TCP_SYN_RECV
	TCP_FIN_WAIT1
	TCP_FIN_WAIT2
	TCP_TIME_WAIT
	TCP_CLOSE
	TCP_CLOSE_WAIT
	TCP_LAST_ACK
	TCP_LISTEN
	TCP_CLOSING
)

var tcpStateNames = names{
	1: "ESTABLISHED", 2: "SYN-SENT", 3: "SYN-RECV", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2", 6: "TIME-WAIT",
	7: "CLOSE", 8: "CLOSE-WAIT", 9: "LAST-ACK", 10: "LISTEN", 11: "CLOSING",
}

// String is the name that ss(8) has for the state in upper case, such as CLOSE-WAIT, or else the number.
func (s TCPState) String() string { return tcpStateNames.of(int(s)) }

// A TCPCAState is the state of loss recovery, Linux's enum tcp_ca_state.
type TCPCAState uint8

// The states of loss recovery.
const (
	TCP_CA_Open TCPCAState = iota
	TCP_CA_Disorder
	TCP_CA_CWR
	TCP_CA_Recovery
	TCP_CA_Loss
)

var caStateNames = names{0: "open", 1: "disorder", 2: "cwr", 3: "recovery", 4: "loss"}

// String is the name in lower case, such as recovery, or else the number.
func (s TCPCAState) String() string { return caStateNames.of(int(s)) }

// The bits of TCPInfo.Options: what the two sides agreed on.
const (
	TCPI_OPT_TIMESTAMPS = 1
	TCPI_OPT_SACK       = 2
	TCPI_OPT_WSCALE     = 4
	TCPI_OPT_ECN        = 8
	TCPI_OPT_ECN_SEEN   = 16
	TCPI_OPT_SYN_DATA   = 32
)

// A TCPInfo is the value of TCP_INFO, C's struct tcp_info (tcp(7)). Sizes are in
// bytes, rates in bytes per second; counts whose unit is the segment say so.
// Fields that the system does not know are zero.
type TCPInfo struct {
	State       TCPState
	CAState     TCPCAState
	Retransmits uint8 // retransmissions of the segment at snd.una in a row
	Probes      uint8 // zero-window and keepalive probes without an answer
	Backoff     uint8 // doublings of the RTO
	Options     uint8 // TCPI_OPT_ bits
	SndWscale   uint8
	RcvWscale   uint8

	DeliveryRateAppLimited bool
	FastopenClientFail     uint8

	RTO    time.Duration
	ATO    time.Duration // delayed ACK
	SndMSS uint32
	RcvMSS uint32

	Unacked uint32 // segments in flight; of a listening socket, the connections that wait
	Sacked  uint32 // segments; of a listening socket, the backlog
	Lost    uint32 // segments
	Retrans uint32 // segments in flight that were sent again
	Fackets uint32 // segments

	LastDataSent time.Duration // ago
	LastAckSent  time.Duration // ago
	LastDataRecv time.Duration // ago
	LastAckRecv  time.Duration // ago

	PMTU        uint32
	RcvSsthresh uint32
	RTT         time.Duration // smoothed
	RTTVar      time.Duration
	SndSsthresh uint32 // segments
	SndCwnd     uint32 // segments
	AdvMSS      uint32
	Reordering  uint32 // segments

	RcvRTT   time.Duration
	RcvSpace uint32

	TotalRetrans uint32 // segments

	PacingRate    uint64
	MaxPacingRate uint64
	BytesAcked    uint64
	BytesReceived uint64
	SegsOut       uint32
	SegsIn        uint32

	NotsentBytes uint32
	MinRTT       time.Duration
	DataSegsIn   uint32
	DataSegsOut  uint32

	DeliveryRate uint64

	BusyTime      time.Duration // with data to send
	RwndLimited   time.Duration // held back by the peer's window
	SndbufLimited time.Duration // held back by the send buffer

	Delivered   uint32 // segments
	DeliveredCE uint32 // segments that met congestion (ECN)

	BytesSent    uint64
	BytesRetrans uint64
	DSACKDups    uint32
	ReordSeen    uint32

	RcvOooPack uint32 // segments that came out of order
	SndWnd     uint32 // the peer's receive window
	RcvWnd     uint32 // the window that was told to the peer
	Rehash     uint32 // new paths tried (flow label, hash) after timeouts

	TotalRTO           uint16        // timeouts
	TotalRTORecoveries uint16        // recoveries from timeouts
	TotalRTOTime       time.Duration // spent in them
}

const sizeofTCPInfo = 512 // more than any kernel's

var tcpInfoCodec = codec[TCPInfo]{
	typ: "struct tcp_info", size: sizeofTCPInfo, min: 8, decode: decodeTCPInfo,
}

// decodeTCPInfo takes the fields in their order; an older system's shorter
// struct leaves the last ones zero.
func decodeTCPInfo(b []byte) (t TCPInfo) {
	full := make([]byte, sizeofTCPInfo)
	copy(full, b)
	b = full

	t.State, t.CAState = TCPState(b[0]), TCPCAState(b[1])
	t.Retransmits, t.Probes, t.Backoff, t.Options = b[2], b[3], b[4], b[5]
	t.SndWscale, t.RcvWscale = b[6]&0xf, b[6]>>4
	t.DeliveryRateAppLimited, t.FastopenClientFail = b[7]&1 != 0, b[7]>>1&3
	b = b[8:]

	u16 := func() (v uint16) {
		v, b = binary.NativeEndian.Uint16(b), b[2:]
		return v
	}
	u32 := func() (v uint32) {
		v, b = binary.NativeEndian.Uint32(b), b[4:]
		return v
	}
	u64 := func() (v uint64) {
		v, b = binary.NativeEndian.Uint64(b), b[8:]
		return v
	}
	usec := func() time.Duration { return time.Duration(u32()) * time.Microsecond }
	msec := func() time.Duration { return time.Duration(u32()) * time.Millisecond }
	usec64 := func() time.Duration { return time.Duration(u64()) * time.Microsecond }

	t.RTO, t.ATO = usec(), usec()
	t.SndMSS, t.RcvMSS = u32(), u32()
	t.Unacked, t.Sacked, t.Lost, t.Retrans, t.Fackets = u32(), u32(), u32(), u32(), u32()
	t.LastDataSent, t.LastAckSent, t.LastDataRecv, t.LastAckRecv = msec(), msec(), msec(), msec()
	t.PMTU, t.RcvSsthresh = u32(), u32()
	t.RTT, t.RTTVar = usec(), usec()
	t.SndSsthresh, t.SndCwnd, t.AdvMSS, t.Reordering = u32(), u32(), u32(), u32()
	t.RcvRTT, t.RcvSpace = usec(), u32()
	t.TotalRetrans = u32()
	t.PacingRate, t.MaxPacingRate = u64(), u64()
	t.BytesAcked, t.BytesReceived = u64(), u64()
	t.SegsOut, t.SegsIn = u32(), u32()
	t.NotsentBytes, t.MinRTT = u32(), usec()
	t.DataSegsIn, t.DataSegsOut = u32(), u32()
	t.DeliveryRate = u64()
	t.BusyTime, t.RwndLimited, t.SndbufLimited = usec64(), usec64(), usec64()
	t.Delivered, t.DeliveredCE = u32(), u32()
	t.BytesSent, t.BytesRetrans = u64(), u64()
	t.DSACKDups, t.ReordSeen = u32(), u32()
	t.RcvOooPack, t.SndWnd = u32(), u32()
	t.RcvWnd, t.Rehash = u32(), u32()
	t.TotalRTO, t.TotalRTORecoveries = u16(), u16()
	t.TotalRTOTime = msec()
	return t
}

// AppendBytes appends the value as C's struct tcp_info. It is what an engine answers to
// getsockopt(2).
func (t *TCPInfo) AppendBytes(b []byte) []byte {
	e := binary.NativeEndian
	u16 := func(vs ...uint16) {
		for _, v := range vs {
			b = e.AppendUint16(b, v)
		}
	}
	u32 := func(vs ...uint32) {
		for _, v := range vs {
			b = e.AppendUint32(b, v)
		}
	}
	u64 := func(vs ...uint64) {
		for _, v := range vs {
			b = e.AppendUint64(b, v)
		}
	}
	usec := func(ds ...time.Duration) {
		for _, d := range ds {
			u32(uint32(d / time.Microsecond))
		}
	}
	msec := func(ds ...time.Duration) {
		for _, d := range ds {
			u32(uint32(d / time.Millisecond))
		}
	}
	usec64 := func(ds ...time.Duration) {
		for _, d := range ds {
			u64(uint64(d / time.Microsecond))
		}
	}
	limited := t.FastopenClientFail & 3 << 1
	if t.DeliveryRateAppLimited {
		limited |= 1
	}
	b = append(b, byte(t.State), byte(t.CAState), t.Retransmits, t.Probes, t.Backoff, t.Options,
		t.SndWscale&0xf|t.RcvWscale<<4, limited)
	usec(t.RTO, t.ATO)
	u32(t.SndMSS, t.RcvMSS, t.Unacked, t.Sacked, t.Lost, t.Retrans, t.Fackets)
	msec(t.LastDataSent, t.LastAckSent, t.LastDataRecv, t.LastAckRecv)
	u32(t.PMTU, t.RcvSsthresh)
	usec(t.RTT, t.RTTVar)
	u32(t.SndSsthresh, t.SndCwnd, t.AdvMSS, t.Reordering)
	usec(t.RcvRTT)
	u32(t.RcvSpace, t.TotalRetrans)
	u64(t.PacingRate, t.MaxPacingRate, t.BytesAcked, t.BytesReceived)
	u32(t.SegsOut, t.SegsIn, t.NotsentBytes)
	usec(t.MinRTT)
	u32(t.DataSegsIn, t.DataSegsOut)
	u64(t.DeliveryRate)
	usec64(t.BusyTime, t.RwndLimited, t.SndbufLimited)
	u32(t.Delivered, t.DeliveredCE)
	u64(t.BytesSent, t.BytesRetrans)
	u32(t.DSACKDups, t.ReordSeen, t.RcvOooPack, t.SndWnd, t.RcvWnd, t.Rehash)
	u16(t.TotalRTO, t.TotalRTORecoveries)
	msec(t.TotalRTOTime)
	return b
}
