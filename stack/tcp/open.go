package tcp

// A ConnectOptions is what an active open needs to know beyond the socket's options.
type ConnectOptions struct {
	ISN      Seq    // from Host.ISN
	TSOffset uint32 // where the timestamps begin

	// Fast Open (RFC 7413): ask for a cookie, or use one. With FastOpenNoCookie data goes
	// without.
	FastOpen         bool
	FastOpenNoCookie bool
	Cookie           Cookie
	CookieMSS        uint16 // the server's MSS, which was learned with the cookie; 0: not known
	Data             []byte // goes with the SYN as far as it fits
}

func (h *Host) newConn(cfg *Config) *Conn {
	c := new(Conn)
	c.init(h, cfg)
	return c
}

func (c *Conn) init(h *Host, cfg *Config) {
	*c = Conn{h: h, cfg: *cfg, cc: congestionNamed(h.Congestion)}
	if c.cc == nil {
		c.cc = &cubic
	}
	c.set(useTS, h.Timestamps)
	c.set(useSACK, h.SACK)
	c.set(useScaling, h.WindowScaling)
	c.pmtu = c.clampMTU(int(cfg.MTU))
	if c.cfg.IPHeader == 0 {
		c.cfg.IPHeader = 20
	}
	if c.set(userRcvBuf, cfg.RcvBuf != 0); cfg.RcvBuf == 0 {
		c.cfg.RcvBuf = int32(h.RcvBuf)
	}
	if c.set(userSndBuf, cfg.SndBuf != 0); cfg.SndBuf == 0 {
		c.cfg.SndBuf = int32(h.SndBuf)
	}
	c.peerMSS = c.defaultMSS()
	c.rto, c.rttvar, c.mdev = initialRTO, initialRTO, initialRTO
	c.cwnd, c.ssthresh = uint32(h.InitialWindow), infiniteSsthresh
	c.reordering = uint16(h.Reordering)
	c.rack.steps = 1
	c.initWindow(uint32(c.advMSS()))
	c.syncMSS()
}

// defaultMSS is what a peer takes that sends no MSS option (RFC 9293 section 3.7.1).
func (c *Conn) defaultMSS() uint16 {
	if c.cfg.IPv6 {
		return defaultMSS6
	}
	return defaultMSS
}

// clampMTU is an MTU within what IP can carry: IPv6 does not count its header.
func (c *Conn) clampMTU(mtu int) uint32 {
	switch {
	case mtu <= 0:
		return 1500
	case c.cfg.IPv6:
		return uint32(min(mtu, 65535+40))
	}
	return uint32(min(mtu, 65535))
}

// advMSS is the MSS that we offer: what our link takes, whatever the path does.
func (c *Conn) advMSS() uint16 {
	mss := int(c.clampMTU(int(c.cfg.MTU))) - int(c.cfg.IPHeader) - 20
	if c.cfg.MaxSeg != 0 {
		mss = min(mss, int(c.cfg.MaxSeg))
	}
	return uint16(max(mss, minMSS))
}

// start sets the send sequence space.
func (c *Conn) start(iss Seq, tsOffset uint32) {
	c.iss, c.sndUna, c.sndNxt = iss, iss, iss
	c.sndUp, c.sndSml, c.pushed, c.recordEnd, c.lastPush = iss, iss, iss, iss, iss+1
	c.writeSeq = iss + 1
	c.highSeq, c.usageSeq, c.rttSeq = iss, iss, iss
	c.tsOffset = tsOffset
}

// Connect is the active OPEN of RFC 9293 section 3.10.1: it sends the SYN.
func (h *Host) Connect(now Time, cfg *Config, o *ConnectOptions) *Conn {
	h.at(now)
	c := h.newConn(cfg)
	c.start(o.ISN, o.TSOffset)
	c.state = SynSent
	c.set(useECN, h.ECN == 1)
	h.ActiveOpens++
	c.retransAt = now
	c.openFast(o)
	c.sendSYN()
	return c
}

// sendSYN queues the SYN or SYN-ACK and sends it.
func (c *Conn) sendSYN() {
	s := sent{seq: c.iss, end: c.iss + 1, at: c.h.now, segs: 1, size: c.mss, flags: hasSYN}
	c.rtx.push(s, &sentPools)
	c.sndNxt = c.iss + 1
	c.packetsOut = 1
	c.emitSYN()
	c.sendSYNData()
	c.armRTO()
}

// establish enters ESTABLISHED.
func (c *Conn) establish() {
	h := c.h
	c.setState(Established)
	c.sndWl1 = c.rcvNxt - 1
	if c.srtt == 0 { // RFC 6298 section 5.7
		c.rttvar, c.mdev, c.mdevMax, c.rto = fallbackRTO, fallbackRTO, fallbackRTO, fallbackRTO
	}
	c.cwnd = uint32(h.InitialWindow)
	if c.totalRetrans > 1 && c.undoMarker != 0 { // RFC 5681 section 3.1: the SYN was lost
		c.cwnd = 1
	}
	c.cwndAt = h.now
	c.caState, c.undoMarker, c.retransAt, c.backoff = caOpen, 0, 0, 0
	c.retransmits, c.totalRTO = 0, 0
	c.syncMSS()
	c.initRcvMSS()
	c.growSendBuffer()
	c.space = min(c.rcvWnd, uint32(h.InitialWindow)*uint32(c.advMSS()))
	c.spaceAt, c.spaceSeq = h.now, c.copied
	c.ackRcvdAt = h.now
	if c.cfg.KeepAlive {
		c.keepAt = h.now + c.keepIdle()
	}
	c.events |= EventConnected | EventWritable
}

func (c *Conn) initRcvMSS() {
	hint := min(uint32(c.advMSS()), uint32(c.mss), c.rcvWnd/2, defaultMSS)
	c.rcvMSS = uint16(max(hint, minMSS))
}

func (c *Conn) setState(s State) { c.state = s }
