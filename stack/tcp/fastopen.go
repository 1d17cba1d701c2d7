package tcp

import (
	"sockeye/packet"
	"sockeye/wire"
)

// A Cookie is a Fast Open cookie (RFC 7413 section 4.1.1); of length 0: none.
type Cookie struct {
	Len uint8 // 0, or 4 to 16 and even
	B   [wire.MaxFastOpenCookie]byte
}

// FastOpenCookie is the cookie of a client's address: 8 bytes, as Linux has it.
func (h *Host) FastOpenCookie(f Flow) (k Cookie) {
	v := h.Key.hash(f.hosts(), useFastOpen)
	k.Len = 8
	for i := range 8 {
		k.B[i] = byte(v >> (8 * i))
	}
	return k
}

// fastOpen is the client's state during the handshake.
type fastOpen struct {
	cookie Cookie
	ask    bool // the SYN has the option
	dataTo Seq  // end of the data in the SYN
	got    bool // a cookie came with the SYN-ACK
}

func (c *Conn) fastOpen() *fastOpen {
	if c.aside == nil {
		return nil
	}
	return c.aside.fastOpen
}

// openFast sets up what the SYN carries beyond the handshake (RFC 7413 section 4.2.1).
func (c *Conn) openFast(o *ConnectOptions) {
	if !o.FastOpen || c.h.FastOpen&1 == 0 {
		return
	}
	f := &fastOpen{cookie: o.Cookie, ask: !o.FastOpenNoCookie}
	c.needAside().fastOpen = f
	if len(o.Data) == 0 {
		return
	}
	n := min(len(o.Data), c.Room())
	s := packet.Of(o.Data[:n])
	c.sndq.push(chunk{c.writeSeq, s}, &chunkPools)
	c.writeSeq = c.writeSeq.Add(n)
	c.pushed = c.writeSeq
	if o.Cookie.Len == 0 && !o.FastOpenNoCookie {
		return // the data waits for the handshake
	}
	room := int(c.mss)
	if o.CookieMSS != 0 {
		room = min(room, int(o.CookieMSS))
	}
	room -= wire.MaxTCPOptions - timestampsLen
	c.fastOpen().dataTo = c.iss.Add(1 + min(n, max(room, 0)))
	c.flags |= synData
	c.h.TCPFastOpenActive++
}

// Queued is how many bytes of ConnectOptions.Data were taken.
func (c *Conn) Queued() int { return c.writeSeq.Diff(c.iss + 1) }

// putFastOpen adds the option and the data to the first SYN; a SYN that is sent again goes without, for
// boxes on the path that drop them (RFC 7413 section 4.1.3).
func (c *Conn) putFastOpen(g *Segment) {
	if c.fastOpen() == nil || c.retransmits > 0 {
		return
	}
	if c.fastOpen().ask {
		g.Options.Set |= wire.OptFastOpen
		g.Options.CookieLen, g.Options.Cookie = c.fastOpen().cookie.Len, c.fastOpen().cookie.B
	}
	if n := c.fastOpen().dataTo.Diff(c.iss + 1); c.is(synData) && n > 0 {
		c.gather(&g.Payload, c.iss+1, n)
		g.Flags |= PSH
	}
}

// sendSYNData puts the SYN's data in the retransmission queue, on its own.
func (c *Conn) sendSYNData() {
	if !c.is(synData) || c.fastOpen() == nil || c.fastOpen().dataTo == c.iss+1 {
		return
	}
	s := sent{seq: c.iss + 1, flags: hasPSH, end: c.fastOpen().dataTo, at: c.h.now, size: c.mss}
	s.count()
	c.rtx.push(s, &sentPools)
	c.sndNxt = s.end
	c.packetsOut += uint32(s.segs)
}

// synAckFastOpen reads the answer to a Fast Open SYN: a cookie to keep, and whether the data was taken;
// if not, it is sent again at once (RFC 7413 section 4.2.2).
func (c *Conn) synAckFastOpen(s *Segment) {
	if c.fastOpen() == nil {
		return
	}
	if s.Options.Has(wire.OptFastOpen) && s.Options.CookieLen > 0 {
		c.fastOpen().cookie = Cookie{s.Options.CookieLen, s.Options.Cookie}
		c.fastOpen().got = true
	}
	if !c.is(synData) {
		return
	}
	c.set(synFastOpen, c.fastOpen().dataTo.LessEq(c.sndUna))
	if c.sndUna == c.iss+1 && c.rtx.len() > 0 && !c.rtx.at(0).is(everRetrans) {
		c.h.TCPFastOpenActiveFail++
		c.addSegs(c.rtx.at(0), -uint32(c.rtx.at(0).segs))
		c.rtx.pop(&sentPools)
		c.sndNxt = c.sndUna
		c.timer, c.timerAt = timerNone, 0
	}
}

// FastOpenCookie gives the cookie that the server sent with its SYN-ACK, for the host to keep for the
// next connection to it, and whether data in the SYN was taken.
func (c *Conn) FastOpenCookie() (k Cookie, got, accepted bool) {
	if c.fastOpen() == nil {
		return k, false, false
	}
	return c.fastOpen().cookie, c.fastOpen().got, c.is(synData) && c.fastOpen().dataTo.LessEq(c.sndUna)
}

// AcceptFastOpen makes a connection of a SYN with a valid cookie before the handshake is done (RFC 7413
// section 4.2.2): its data can be read and answered at once. It takes the SYN.
func (r *Request) AcceptFastOpen(h *Host, now Time, cfg *Config, syn *Segment) *Conn {
	h.TCPFastOpenPassive++
	return r.AcceptEarly(h, now, cfg, syn)
}

// AcceptEarly makes a connection of a SYN before the handshake is done, for who has other reasons to
// believe it. It takes the SYN.
func (r *Request) AcceptEarly(h *Host, now Time, cfg *Config, syn *Segment) *Conn {
	h.at(now)
	h.PassiveOpens++
	c := r.conn(h, cfg)
	c.state = SynReceived
	c.flags |= synFastOpen
	c.sndWnd, c.maxWnd = uint32(syn.Window), uint32(syn.Window)
	c.syncMSS()
	syn.trimSYN()
	if syn.Len() > 0 || syn.Flags&FIN != 0 {
		c.data(syn)
	}
	c.emitSYN()
	c.ackSent()
	c.armRTO()
	syn.Payload.Release()
	return c
}

// FastOpen looks at the option of a SYN for a listening socket with TCP_FASTOPEN. It tells whether its
// cookie is ours: then AcceptFastOpen may follow. If not, the SYN-ACK will carry the right one.
func (r *Request) FastOpen(h *Host, f Flow, syn *Segment) bool {
	o := &syn.Options
	if h.FastOpen&2 == 0 || o.Set&(wire.OptFastOpen|wire.OptFastOpenExp) == 0 {
		return false
	}
	k := h.FastOpenCookie(f)
	if o.CookieLen == k.Len && o.Cookie == k.B {
		return true
	}
	if o.CookieLen == 0 {
		h.TCPFastOpenCookieReqd++
	} else {
		h.TCPFastOpenPassiveFail++
	}
	r.cookie, r.cookieExp = k, o.Has(wire.OptFastOpenExp)
	return false
}
