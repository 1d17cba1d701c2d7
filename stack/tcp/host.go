package tcp

// A Host is what the connections of one host share: settings, counters, and the list of
// segments to send. It belongs to the host's lock, like the connections.
type Host struct {
	Settings
	Counters

	// Out takes what a call has to send, in order. The caller drains it, and cuts it to
	// length zero, after the call.
	Out []Segment

	// Key makes initial sequence numbers, timestamp offsets and cookies unguessable.
	// It is random and secret, or fixed where runs must repeat.
	Key Key

	// ReadLater, if not nil, takes the number of bytes that reads took, which then leave it to
	// Conn.AfterRead to tell the peer.
	ReadLater *int

	now         Time
	syn         Conn // scratch: of a SYN that is being answered
	challengeAt Time // RFC 5961 section 7: a limit for the whole host
	challenges  int  // left in the second since then
}

// NewHost gives a host with Linux's default settings.
func NewHost(key Key) *Host { return &Host{Settings: Defaults(), Key: key} }

// at sets the time of a call. Whoever calls looks at the clock before it has the host's lock,
// so that the calls of two goroutines may come in another order than their times: time stands
// still then.
func (h *Host) at(now Time) { h.now = max(h.now, now) }

// Settings are the sysctls of ip-sysctl, with Linux's defaults from Defaults. Durations are in the
// unit of Time, sizes in bytes.
type Settings struct {
	SYNRetries         int // tcp_syn_retries
	SYNLinearTimeouts  int // tcp_syn_linear_timeouts
	SYNACKRetries      int // tcp_synack_retries
	Retries1           int // tcp_retries1: when to suspect the path
	Retries2           int // tcp_retries2: when to give up
	OrphanRetries      int // tcp_orphan_retries; 0 stands for 8
	RTOMin             Time
	RTOMax             Time
	FinTimeout         Time // tcp_fin_timeout
	TimeWait           Time // Linux's TCP_TIMEWAIT_LEN
	KeepIdle           Time // tcp_keepalive_time
	KeepInterval       Time // tcp_keepalive_intvl
	KeepCount          int  // tcp_keepalive_probes
	Timestamps         bool // tcp_timestamps
	SACK               bool // tcp_sack
	DSACK              bool // tcp_dsack
	WindowScaling      bool // tcp_window_scaling
	ECN                int  // tcp_ecn: 0 off, 1 ask for it, 2 when asked
	FRTO               bool // tcp_frto
	EarlyRetrans       bool // tcp_early_retrans: tail loss probes
	SlowStartAfterIdle bool // tcp_slow_start_after_idle
	Reordering         int  // tcp_reordering, segments
	MaxReordering      int  // tcp_max_reordering, segments
	InitialWindow      int  // segments (RFC 6928)
	MTUProbing         int  // tcp_mtu_probing: 0 off, else after a black hole
	BaseMSS            int  // tcp_base_mss
	MTUProbeFloor      int  // tcp_mtu_probe_floor
	MinSndMSS          int  // tcp_min_snd_mss
	RcvBuf, RcvBufMax  int  // tcp_rmem: default and largest
	SndBuf, SndBufMax  int  // tcp_wmem: default and largest
	ModerateRcvBuf     bool // tcp_moderate_rcvbuf
	NotsentLowat       uint32
	ChallengeACKLimit  int    // tcp_challenge_ack_limit: in a second; Linux has no limit by default
	InvalidRatelimit   Time   // tcp_invalid_ratelimit
	RFC1337            bool   // tcp_rfc1337
	TWReuse            int    // tcp_tw_reuse: 0 off, 1 on, 2 on the loopback alone
	FastOpen           int    // tcp_fastopen: bit 0 client, bit 1 server
	Congestion         string // tcp_congestion_control
	PingpongThreshold  uint8  // tcp_pingpong_thresh
}

// Defaults are the settings of a Linux host.
func Defaults() Settings {
	return Settings{
		SYNRetries: 6, SYNLinearTimeouts: 4, SYNACKRetries: 5, Retries1: 3, Retries2: 15,
		RTOMin: 200 * Millisecond, RTOMax: 120 * Second,
		FinTimeout: 60 * Second, TimeWait: 60 * Second,
		KeepIdle: 7200 * Second, KeepInterval: 75 * Second, KeepCount: 9,
		Timestamps: true, SACK: true, DSACK: true, WindowScaling: true, ECN: 2,
		FRTO: true, EarlyRetrans: true, SlowStartAfterIdle: true,
		Reordering: 3, MaxReordering: 300, InitialWindow: 10,
		BaseMSS: 1024, MTUProbeFloor: 48, MinSndMSS: 48,
		RcvBuf: 131072, RcvBufMax: 6 << 20, SndBuf: 16384, SndBufMax: 4 << 20, ModerateRcvBuf: true,
		NotsentLowat: 1<<32 - 1, ChallengeACKLimit: 1<<31 - 1, InvalidRatelimit: 500 * Millisecond,
		TWReuse: 2, FastOpen: 1, Congestion: "cubic", PingpongThreshold: 1,
	}
}

// Counters are the host's statistics under the names that netstat -s and nstat read from
// /proc/net/snmp and /proc/net/netstat.
type Counters struct {
	// Tcp
	ActiveOpens, PassiveOpens, AttemptFails, EstabResets uint64
	InSegs, OutSegs, RetransSegs, OutRsts, InErrs        uint64

	// TcpExt
	SyncookiesSent, SyncookiesRecv, SyncookiesFailed                                  uint64
	PAWSActive, PAWSEstab, TSEcrRejected, TW, TWRecycled                              uint64
	DelayedACKs, DelayedACKLost                                                       uint64
	TCPTimeouts, TCPSynRetrans, TCPLossProbes, TCPLossProbeRecovery                   uint64
	TCPRenoRecovery, TCPSackRecovery, TCPRenoFailures, TCPSackFailures                uint64
	TCPLossFailures, TCPFastRetrans, TCPSlowStartRetrans                              uint64
	TCPLostRetransmit, TCPRenoReorder, TCPSACKReorder, TCPTSReorder                   uint64
	TCPFullUndo, TCPPartialUndo, TCPDSACKUndo, TCPLossUndo, TCPSpuriousRTOs           uint64
	TCPSACKReneging, TCPSACKDiscard, TCPDSACKIgnoredNoUndo                            uint64
	TCPDSACKOldSent, TCPDSACKOfoSent, TCPDSACKRecv, TCPDSACKOfoRecv                   uint64
	TCPAbortOnData, TCPAbortOnClose, TCPAbortOnTimeout, TCPAbortOnLinger              uint64
	TCPRcvCollapsed, TCPOFOQueue, TCPOFOMerge, TCPOFODrop                             uint64
	TCPACKSkippedSynRecv, TCPACKSkippedSeq, TCPACKSkippedFinWait2                     uint64
	TCPACKSkippedTimeWait, TCPACKSkippedChallenge                                     uint64
	TCPChallengeACK, TCPSYNChallenge, TCPACKSkippedPAWS                               uint64
	TCPFromZeroWindowAdv, TCPToZeroWindowAdv, TCPWantZeroWindowAdv, TCPZeroWindowDrop uint64
	TCPKeepAlive, TCPWinProbe, TCPOrigDataSent, TCPDelivered                          uint64
	TCPDeliveredCE, TCPHystartTrainDetect, TCPHystartDelayDetect                      uint64
	TCPMTUPFail, BeyondWindow, EmbryonicRsts                                          uint64
	TCPFastOpenActive, TCPFastOpenActiveFail, TCPFastOpenPassive                      uint64
	TCPFastOpenPassiveFail, TCPFastOpenCookieReqd                                     uint64
}
