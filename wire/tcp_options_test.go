package wire_test

import (
	"bytes"
	"testing"

	"sockeye/wire"
)

// tcpWith is a header of SYN with the options.
func tcpWith(options []byte) []byte {
	b := unhex("0050 9c40 00000001 00000000 5002 0100 0000 0000")
	b[12] += byte(len(options) / 4 << 4)
	return append(b, options...)
}

func cookie(b ...byte) (c [wire.MaxFastOpenCookie]byte) {
	copy(c[:], b)
	return c
}

// The order and the padding are those in which Linux sends: see also
// TestLinuxFramesAreRebuiltByteForByte.
func TestTCPOptionsAreBuiltInLinuxOrder(t *testing.T) {
	blocks := [wire.MaxSACK]wire.SACKBlock{{1, 2}, {3, 4}, {5, 6}, {7, 8}}
	cookie16 := cookie(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
	for _, c := range []struct {
		name, hex, text string
		value           wire.TCPOptions
	}{
		{"maximum segment size", "020405b4", "mss 1460", wire.TCPOptions{Set: wire.OptMSS, MSS: 1460}},
		{"SACK permitted alone is padded before", "01010402", "nop,nop,sackOK",
			wire.TCPOptions{Set: wire.OptSACKPermitted}},
		{"timestamps alone are padded before", "0101080a 00000001 00000002", "nop,nop,TS val 1 ecr 2",
			wire.TCPOptions{Set: wire.OptTimestamps, TSVal: 1, TSEcr: 2}},
		{"SACK permitted stands in the padding of timestamps", "0402080a 00000001 00000002", "sackOK,TS val 1 ecr 2",
			wire.TCPOptions{Set: wire.OptTimestamps | wire.OptSACKPermitted, TSVal: 1, TSEcr: 2}},
		{"window scale is padded before", "01030307", "nop,wscale 7",
			wire.TCPOptions{Set: wire.OptWindowScale, WindowScale: 7}},
		{"a SYN without timestamps", "020405b4 01010402 0103030a", "mss 1460,nop,nop,sackOK,nop,wscale 10",
			wire.TCPOptions{Set: wire.OptMSS | wire.OptSACKPermitted | wire.OptWindowScale, MSS: 1460, WindowScale: 10}},
		{"four blocks without timestamps",
			"01010522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008",
			"nop,nop,sack 4 {1:2}{3:4}{5:6}{7:8}", wire.TCPOptions{NumSACK: 4, SACK: blocks}},
		{"one block with timestamps", "0101080a 00000001 00000002 0101050a 00000001 00000002",
			"nop,nop,TS val 1 ecr 2,nop,nop,sack 1 {1:2}",
			wire.TCPOptions{Set: wire.OptTimestamps, TSVal: 1, TSEcr: 2, NumSACK: 1, SACK: [4]wire.SACKBlock{{1, 2}}}},
		{"a request for a cookie is padded behind", "22020101", "tfo  cookiereq,nop,nop",
			wire.TCPOptions{Set: wire.OptFastOpen}},
		{"a cookie of eight bytes is padded behind", "220a 0102030405060708 0101", "tfo  cookie 0102030405060708,nop,nop",
			wire.TCPOptions{Set: wire.OptFastOpen, CookieLen: 8, Cookie: cookie(1, 2, 3, 4, 5, 6, 7, 8)}},
		{"a cookie of six bytes needs no padding", "2208 010203040506", "tfo  cookie 010203040506",
			wire.TCPOptions{Set: wire.OptFastOpen, CookieLen: 6, Cookie: cookie(1, 2, 3, 4, 5, 6)}},
		{"an experimental request", "fe04f989", "exp-tfo  cookiereq", wire.TCPOptions{Set: wire.OptFastOpenExp}},
		{"an experimental cookie", "fe0cf989 0102030405060708", "exp-tfo  cookie 0102030405060708",
			wire.TCPOptions{Set: wire.OptFastOpenExp, CookieLen: 8, Cookie: cookie(1, 2, 3, 4, 5, 6, 7, 8)}},
		{"the largest SYN takes all forty bytes",
			"020405b4 0402080a 00000001 00000002 01030307 2212000102030405060708090a0b0c0d0e0f 0101",
			"mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7,tfo  cookie 000102030405060708090a0b0c0d0e0f,nop,nop",
			wire.TCPOptions{
				Set: wire.OptMSS | wire.OptSACKPermitted | wire.OptTimestamps | wire.OptWindowScale | wire.OptFastOpen,
				MSS: 1460, TSVal: 1, TSEcr: 2, WindowScale: 7, CookieLen: 16, Cookie: cookie16}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			options := unhex(c.hex)
			h, _, err := wire.ParseTCP(tcpWith(options))
			if err != nil || h.Options != c.value {
				t.Errorf("parsed %+v, %v", h.Options, err)
			}
			h.Options = c.value
			b := dirty(wire.TCPLen + wire.MaxTCPOptions)
			if n := h.Put(b); !bytes.Equal(b[20:n], options) || n != h.Len() {
				t.Errorf("built %x, want %x", b[20:n], options)
			}
			if got := c.value.String(); got != c.text {
				t.Errorf("text %q, want %q", got, c.text)
			}
		})
	}
}

func TestTCPOptionsWithoutRoomAreLeftOut(t *testing.T) {
	full := wire.TCPOptions{NumSACK: 4, SACK: [4]wire.SACKBlock{{1, 2}, {3, 4}, {5, 6}, {7, 8}}}
	for _, c := range []struct {
		name   string
		set    wire.TCPOptionSet
		size   int
		blocks uint8
		cookie uint8
	}{
		{"four blocks alone", 0, 36, 4, 0},
		{"three blocks beside timestamps", wire.OptTimestamps, 40, 3, 0},
		{"two blocks beside timestamps and a window scale", wire.OptTimestamps | wire.OptWindowScale, 36, 2, 0},
		{"no cookie beside four blocks", wire.OptFastOpen, 36, 4, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := wire.TCP{Options: full}
			h.Options.Set, h.Options.CookieLen = c.set, 8
			b := dirty(60)
			n := h.Put(b)
			got, _, err := wire.ParseTCP(b[:n])
			if err != nil || n != 20+c.size || got.Options.NumSACK != c.blocks || got.Options.CookieLen != c.cookie {
				t.Errorf("%d bytes of options, %v, %v", n-20, &got.Options, err)
			}
		})
	}
}

// Linux takes a segment whatever its options say (tcp_parse_options).
func TestTCPOptionsAreReadAsLinuxReadsThem(t *testing.T) {
	mss := wire.TCPOptions{Set: wire.OptMSS, MSS: 1460}
	malformed := mss
	malformed.Malformed = true
	for _, c := range []struct {
		name, hex string
		want      wire.TCPOptions
	}{
		{"what follows the end is not read", "020405b4 00 030307", mss},
		{"an unknown option is passed over", "fd0400aa 020405b4", mss},
		{"another experiment is passed over", "fe041234 020405b4", mss},
		{"an experiment too short for its number is passed over", "fe02 0101 020405b4", mss},
		{"a wrong length of a known option is passed over", "0306000000000101 020405b4 04030101", mss},
		{"SACK permitted with data is passed over", "04040000 020405b4", mss},
		{"timestamps of half the size are passed over", "080600000000 0101 020405b4", mss},
		{"a block and a half is passed over", "050e 000000010000000200000003 0101 020405b4", mss},
		{"no block is passed over", "0502 0101 020405b4", mss},
		{"a cookie of two bytes is passed over", "22040102 020405b4", mss},
		{"an odd cookie is passed over", "22070102030405 01 020405b4", mss},
		{"a cookie of eighteen bytes is passed over", "2214" + "000000000000000000000000000000000000" + "020405b4", mss},
		{"an option that overruns ends the list", "020405b4 03050101", malformed},
		{"a length of one ends the list", "020405b4 03010101", malformed},
		{"a length of zero ends the list", "020405b4 03000101", malformed},
		{"a kind without a length ends the list", "020405b4 01010103", malformed},
		{"the last of two counts", "02040200 020405b4", mss},
		{"options in another order are the same", "01030307 020405b4", wire.TCPOptions{
			Set: wire.OptMSS | wire.OptWindowScale, MSS: 1460, WindowScale: 7}},
		{"timestamps without padding before them", "080a0000000100000002 0101",
			wire.TCPOptions{Set: wire.OptTimestamps, TSVal: 1, TSEcr: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, _, err := wire.ParseTCP(tcpWith(unhex(c.hex)))
			if err != nil || h.Options != c.want {
				t.Errorf("%+v, %v", h.Options, err)
			}
		})
	}
}
