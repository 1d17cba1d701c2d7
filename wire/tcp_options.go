package wire

// TCP options: a kind, then for all but two of them a length that counts both.
const (
	TCPOPT_EOL        = 0   // end of the list (RFC 9293 section 3.2)
	TCPOPT_NOP        = 1   // padding between options
	TCPOPT_MSS        = 2   // maximum segment size (RFC 9293 section 3.7.1)
	TCPOPT_WINDOW     = 3   // window scale (RFC 7323 section 2)
	TCPOPT_SACK_PERM  = 4   // selective acknowledgement permitted (RFC 2018 section 2)
	TCPOPT_SACK       = 5   // selective acknowledgement (RFC 2018 section 3)
	TCPOPT_TIMESTAMP  = 8   // timestamps (RFC 7323 section 3)
	TCPOPT_FASTOPEN   = 34  // Fast Open cookie (RFC 7413 section 4.1.1)
	TCPOPT_EXP        = 254 // experiments (RFC 6994)
	fastOpenMagic     = 0xf989
	fastOpenMinCookie = 4

	// MaxFastOpenCookie is the length of the longest Fast Open cookie.
	MaxFastOpenCookie = 16
	// MaxSACK is the most blocks that fit into a header; 3 with timestamps.
	MaxSACK = 4

	lenMSS, lenWindow, lenSACKPerm, lenTimestamp = 4, 3, 2, 10
	lenSACKBlock                                 = 8

	nopNop         = TCPOPT_NOP<<24 | TCPOPT_NOP<<16
	wordTimestamps = nopNop | TCPOPT_TIMESTAMP<<8 | lenTimestamp
)

// A TCPOptionSet says which options a header has.
type TCPOptionSet uint8

// The options. Selective acknowledgement has NumSACK instead.
const (
	OptMSS TCPOptionSet = 1 << iota
	OptWindowScale
	OptSACKPermitted
	OptTimestamps
	OptFastOpen    // Fast Open under its own kind
	OptFastOpenExp // Fast Open under the experimental kind, which Linux still answers
)

// TCPOptions are the options that the host understands; only those in Set count.
//
// Parsing them never fails, as Linux's does not: options of an unknown kind or
// of a wrong length are passed over, and one that overruns the header ends the
// list, with Malformed set. What was sent in a segment where it means nothing (a
// window scale without SYN) is here all the same, for the connection to ignore.
type TCPOptions struct {
	Set         TCPOptionSet
	Malformed   bool // the list ended in an option that overran it; not built
	WindowScale uint8
	NumSACK     uint8
	CookieLen   uint8 // 0 asks for a cookie, otherwise 4 to 16 and even
	MSS         uint16
	TSVal       uint32
	TSEcr       uint32
	SACK        [MaxSACK]SACKBlock
	Cookie      [MaxFastOpenCookie]byte
}

// A SACKBlock is a run of sequence numbers that arrived: Left is the first, Right
// the one after the last.
type SACKBlock struct{ Left, Right Seq }

// Has tells whether all options of s are there.
func (o *TCPOptions) Has(s TCPOptionSet) bool { return o.Set&s == s }

// parse reads the options of a header into a zero value.
func (o *TCPOptions) parse(b []byte) {
	if len(b) == 12 && be.Uint32(b) == wordTimestamps {
		// Nearly every segment of a connection has these options and no others.
		o.Set = OptTimestamps
		o.TSVal, o.TSEcr = be.Uint32(b[4:]), be.Uint32(b[8:])
		return
	}
	for len(b) > 0 && b[0] != TCPOPT_EOL {
		if b[0] == TCPOPT_NOP {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			o.Malformed = true
			return
		}
		o.option(b[0], b[2:b[1]])
		b = b[b[1]:]
	}
}

func (o *TCPOptions) option(kind byte, data []byte) {
	switch kind {
	case TCPOPT_MSS:
		if len(data) == 2 {
			o.Set |= OptMSS
			o.MSS = be.Uint16(data)
		}
	case TCPOPT_WINDOW:
		if len(data) == 1 {
			o.Set |= OptWindowScale
			o.WindowScale = data[0]
		}
	case TCPOPT_SACK_PERM:
		if len(data) == 0 {
			o.Set |= OptSACKPermitted
		}
	case TCPOPT_TIMESTAMP:
		if len(data) == 8 {
			o.Set |= OptTimestamps
			o.TSVal, o.TSEcr = be.Uint32(data), be.Uint32(data[4:])
		}
	case TCPOPT_SACK:
		if len(data) >= lenSACKBlock && len(data)%lenSACKBlock == 0 {
			o.NumSACK, o.SACK = 0, [MaxSACK]SACKBlock{}
			for ; len(data) > 0; data = data[lenSACKBlock:] {
				o.SACK[o.NumSACK] = SACKBlock{Seq(be.Uint32(data)), Seq(be.Uint32(data[4:]))}
				o.NumSACK++
			}
		}
	case TCPOPT_FASTOPEN:
		o.fastOpen(OptFastOpen, data)
	case TCPOPT_EXP:
		if len(data) >= 2 && be.Uint16(data) == fastOpenMagic {
			o.fastOpen(OptFastOpenExp, data[2:])
		}
	}
}

// fastOpen takes a cookie of 4 to 16 bytes, an even number, or the request for
// one, which is empty.
func (o *TCPOptions) fastOpen(as TCPOptionSet, cookie []byte) {
	n := len(cookie)
	if n&1 != 0 || n > MaxFastOpenCookie || 0 < n && n < fastOpenMinCookie {
		return
	}
	o.Set = o.Set&^(OptFastOpen|OptFastOpenExp) | as
	o.CookieLen = uint8(n)
	o.Cookie = [MaxFastOpenCookie]byte{}
	copy(o.Cookie[:], cookie)
}

// Len is the length of the options with their padding, a multiple of four.
func (o *TCPOptions) Len() int {
	if o.Set == OptTimestamps && o.NumSACK == 0 {
		return 12
	}
	n, _, _ := o.layout()
	return n
}

// layout is the length of all options, the number of SACK blocks and the length
// of the Fast Open option. The blocks take the room that the options before them
// leave (RFC 2018 section 3), Fast Open what is left then.
func (o *TCPOptions) layout() (n, blocks, fastOpen int) {
	if o.Has(OptMSS) {
		n += 4
	}
	if o.Has(OptTimestamps) {
		n += 12 // with SACK permitted in place of the padding
	} else if o.Has(OptSACKPermitted) {
		n += 4
	}
	if o.Has(OptWindowScale) {
		n += 4
	}
	if room := (MaxTCPOptions - n - 4) / lenSACKBlock; o.NumSACK > 0 && room > 0 {
		blocks = min(int(o.NumSACK), room)
		n += 4 + blocks*lenSACKBlock
	}
	switch {
	case o.Has(OptFastOpen):
		fastOpen = 2 + int(o.CookieLen)
	case o.Has(OptFastOpenExp):
		fastOpen = 4 + int(o.CookieLen)
	}
	if padded := (fastOpen + 3) &^ 3; n+padded <= MaxTCPOptions {
		return n + padded, blocks, fastOpen
	}
	return n, blocks, 0
}

// put writes the options in the order and with the padding of Linux, on words of
// four bytes: maximum segment size, SACK permitted with timestamps, window scale,
// SACK blocks, Fast Open. b has Len bytes.
func (o *TCPOptions) put(b []byte) {
	if o.Set == OptTimestamps && o.NumSACK == 0 {
		be.PutUint32(b, wordTimestamps)
		be.PutUint32(b[4:], o.TSVal)
		be.PutUint32(b[8:], o.TSEcr)
		return
	}
	_, blocks, fastOpen := o.layout()
	word := func(v uint32) {
		be.PutUint32(b, v)
		b = b[4:]
	}
	if o.Has(OptMSS) {
		word(TCPOPT_MSS<<24 | lenMSS<<16 | uint32(o.MSS))
	}
	switch {
	case o.Has(OptTimestamps | OptSACKPermitted):
		word(TCPOPT_SACK_PERM<<24 | lenSACKPerm<<16 | TCPOPT_TIMESTAMP<<8 | lenTimestamp)
	case o.Has(OptTimestamps):
		word(wordTimestamps)
	case o.Has(OptSACKPermitted):
		word(nopNop | TCPOPT_SACK_PERM<<8 | lenSACKPerm)
	}
	if o.Has(OptTimestamps) {
		word(o.TSVal)
		word(o.TSEcr)
	}
	if o.Has(OptWindowScale) {
		word(TCPOPT_NOP<<24 | TCPOPT_WINDOW<<16 | lenWindow<<8 | uint32(o.WindowScale))
	}
	if blocks > 0 {
		word(nopNop | TCPOPT_SACK<<8 | uint32(2+blocks*lenSACKBlock))
		for _, s := range o.SACK[:blocks] {
			word(uint32(s.Left))
			word(uint32(s.Right))
		}
	}
	if fastOpen > 0 {
		if o.Has(OptFastOpen) {
			b[0], b[1] = TCPOPT_FASTOPEN, byte(fastOpen)
			b = b[2:]
		} else {
			word(TCPOPT_EXP<<24 | uint32(fastOpen)<<16 | fastOpenMagic)
		}
		for n := copy(b, o.Cookie[:o.CookieLen]); n < len(b); n++ {
			b[n] = TCPOPT_NOP
		}
	}
}
