package tcp

// syncMSS sets the size of full segments from the path's MTU, the peer's MSS and its window.
func (c *Conn) syncMSS() {
	mss := int(c.pmtu) - int(c.cfg.IPHeader) - 20
	if c.lowMTU != 0 {
		mss = min(mss, int(c.lowMTU)-int(c.cfg.IPHeader)-20)
	}
	mss = min(mss, int(c.peerMSS))
	if c.cfg.MaxSeg != 0 {
		mss = min(mss, int(c.cfg.MaxSeg))
	}
	if c.is(useTS) {
		mss -= timestampsLen
	}
	mss = max(mss, c.h.MinSndMSS)
	// Never more than half of the largest window that the peer has offered: else its silly-window
	// avoidance and ours would wait for each other (RFC 9293 section 3.8.6.2.1).
	if half := c.maxWnd; half > 0 {
		if half > defaultMSS {
			half /= 2
		}
		mss = min(mss, max(int(half), 68-20))
	}
	c.mss = uint16(mss)
}

// MSS is TCP_MAXSEG as getsockopt gives it: the payload of a full segment now.
func (c *Conn) MSS() int { return int(c.mss) }

// PathMTU is the MTU of the path as far as it is known (IP_MTU).
func (c *Conn) PathMTU() int { return int(c.pmtu) }

// PacketTooBig takes an ICMP "fragmentation needed" or "packet too big" for a segment with this
// sequence number (RFC 1191, 8201; RFC 5927 section 7: only for what is in flight). What was too large is
// cut up and sent again.
func (c *Conn) PacketTooBig(now Time, mtu int, seq Seq) {
	c.h.at(now)
	if c.state == Closed || !seq.In(c.sndUna, c.sndNxt.Diff(c.sndUna)) {
		return
	}
	mtu = max(mtu, int(c.cfg.IPHeader)+20+c.h.MinSndMSS)
	if mtu >= int(c.pmtu) {
		return
	}
	c.pmtu = uint32(mtu)
	c.syncMSS()
	if c.in(canSend) {
		c.resendTooBig()
	}
}

// SetPathMTU takes the path's MTU as the host learned it otherwise, for what is sent from now on.
func (c *Conn) SetPathMTU(mtu int) {
	c.pmtu = c.clampMTU(mtu)
	c.syncMSS()
}

// SetIPHeader takes the length of the IP header, from what is sent now on.
func (c *Conn) SetIPHeader(n int) {
	c.cfg.IPHeader = uint8(n)
	c.syncMSS()
}

// resendTooBig sends again what was larger than the path takes. The network is not congested:
// the window stays (Linux's tcp_simple_retransmit).
func (c *Conn) resendTooBig() {
	mss := c.sendMSS()
	some := false
	for i := 0; i < c.rtx.len(); i++ {
		e := c.rtx.at(i)
		if min(e.data(), int(e.size)) <= mss || e.is(sacked) {
			continue
		}
		c.markLost(e)
		c.fit(i)
		some = true
	}
	if !some {
		return
	}
	if c.caState != caLoss {
		c.highSeq = c.sndNxt
		c.ssthresh = c.currentSsthresh()
		c.priorSsthresh, c.undoMarker = 0, 0
		c.caState = caLoss
	}
	c.retransmitLost()
}

// suspectBlackHole is path MTU discovery without ICMP (RFC 4821) as tcp_mtu_probing 1 has it: after
// a few timeouts of a segment try smaller ones.
func (c *Conn) suspectBlackHole() {
	if c.h.MTUProbing == 0 {
		return
	}
	headers := int(c.cfg.IPHeader) + 20
	if c.lowMTU == 0 {
		c.lowMTU = uint16(c.h.BaseMSS + headers)
	} else {
		mss := min((int(c.lowMTU)-headers)/2, c.h.BaseMSS)
		mss = max(mss, c.h.MTUProbeFloor, c.h.MinSndMSS)
		c.lowMTU = uint16(mss + headers)
	}
	c.h.TCPMTUPFail++
	c.syncMSS()
}
