package tcp

import "sockeye/wire"

// SYN cookies (RFC 4987 section 3.6): the state of a handshake in the initial sequence number, and with
// timestamps in the lowest bits of ours, so that a full SYN queue still lets good clients in. A cookie
// holds for two minutes at most.

// CookieLife is how long a cookie holds at most.
const CookieLife = cookieLife * cookieTick

const (
	cookieTick     = 60 * Second
	cookieLife     = 2 // ticks
	cookieBits     = 24
	cookieMask     = 1<<cookieBits - 1
	cookieTSBits   = 6
	cookieTSMask   = 1<<cookieTSBits - 1
	cookieNoScale  = 0xf
	cookieSACKFlag = 1 << 4
	cookieECNFlag  = 1 << 5
)

// cookieMSS has the sizes that a cookie can name; those that are common on the Internet.
var cookieMSS = [...]uint16{536, 1300, 1440, 1460}

// SYNCookie answers a SYN without keeping anything of it.
func (h *Host) SYNCookie(now Time, cfg *Config, f Flow, syn *Segment) {
	h.at(now)
	h.InSegs++
	h.SyncookiesSent++
	c := &h.syn
	c.init(h, cfg)
	c.takeSYNOptions(syn)
	c.answerWindow()
	index := 0
	for i, m := range cookieMSS {
		if m <= c.peerMSS {
			index = i
		}
	}
	iss := h.cookie(f, syn.Seq, now/cookieTick, uint32(index))
	r := h.request(c, syn, iss, h.TSOffset(f))
	if !c.is(useTS) { // there is no place to keep what these would need
		r.flags &^= useSACK | useScaling | useECN
	} else {
		bits := uint32(cookieNoScale)
		if c.is(useScaling) {
			bits = uint32(c.sndShift)
		}
		if c.is(useSACK) {
			bits |= cookieSACKFlag
		}
		if r.flags&useECN != 0 {
			bits |= cookieECNFlag
		}
		// The clock may not run ahead: take the last tick with these bits.
		val := h.tick() + r.tsOffset
		with := val&^cookieTSMask | bits
		if int32(with-val) > 0 {
			with -= 1 << cookieTSBits
		}
		r.tsOffset += with - val
	}
	r.send(h, cfg)
	syn.Payload.Release()
}

func (h *Host) cookie(f Flow, seq Seq, tick Time, data uint32) Seq {
	return Seq(uint32(h.Key.hash(f, useCookie)) + uint32(seq) + uint32(tick)<<cookieBits +
		(uint32(h.Key.hash(f, useCookieData, uint64(tick)))+data)&cookieMask)
}

// checkCookie gives the index into cookieMSS that an ISN of ours carries.
func (h *Host) checkCookie(f Flow, seq, iss Seq) (index uint32, ok bool) {
	v := uint32(iss) - uint32(h.Key.hash(f, useCookie)) - uint32(seq)
	now := uint32(h.now / cookieTick)
	age := (now - v>>cookieBits) & (1<<(32-cookieBits) - 1)
	if age >= cookieLife {
		return 0, false
	}
	tick := Time(now - age)
	index = (v - uint32(h.Key.hash(f, useCookieData, uint64(tick)))) & cookieMask
	return index, int(index) < len(cookieMSS)
}

// IsCookie tells whether an ACK answers a SYN cookie of ours.
func (h *Host) IsCookie(now Time, f Flow, s *Segment) bool {
	h.now = now
	_, ok := h.checkCookie(f, s.Seq-1, s.Ack-1)
	return ok && s.Flags&(ACK|SYN|RST) == ACK
}

// FromCookie makes the connection of an ACK that answers a SYN cookie, and takes the segment; nil when it
// is no such answer, and then the segment is untouched: Host.Reset is due.
func (h *Host) FromCookie(now Time, cfg *Config, f Flow, s *Segment) *Conn {
	h.at(now)
	if s.Flags&(ACK|SYN|RST) != ACK {
		return nil
	}
	index, ok := h.checkCookie(f, s.Seq-1, s.Ack-1)
	if !ok {
		h.SyncookiesFailed++
		return nil
	}
	c := h.newConn(cfg)
	r := Request{
		irs: s.Seq - 1, iss: s.Ack - 1, timeout: initialRTO, sentAt: now, resent: 1,
		window: c.rcvWnd, mss: cookieMSS[index], tsOffset: h.TSOffset(f),
	}
	if s.Options.Has(wire.OptTimestamps) && h.Timestamps {
		bits := (s.Options.TSEcr) & cookieTSMask
		r.flags |= useTS
		r.tsRecent = s.Options.TSVal
		if bits&cookieSACKFlag != 0 && h.SACK {
			r.flags |= useSACK
		}
		if bits&cookieECNFlag != 0 && h.ECN > 0 {
			r.flags |= useECN
		}
		if shift := uint8(bits & 0xf); shift != cookieNoScale && h.WindowScaling {
			r.flags |= useScaling
			r.shift, r.rcvShift = min(shift, maxScale), c.rcvShift
		}
	}
	h.SyncookiesRecv++
	return r.Accept(h, now, cfg, s)
}
