package tcp_test

import (
	"testing"

	"sockeye/internal/leak"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

func TestFastOpen(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	cookie := tcp.Cookie{Len: 8, B: [16]byte{1, 2, 3, 4, 5, 6, 7, 8}}
	hello := make([]byte, 100)
	run(t, []scenario{
		{name: "a client without a cookie asks for one", open: "closed", connect: tcp.ConnectOptions{FastOpen: true, Data: hello}, script: `
			0     connect
			0     > S 0 <mss 1460,sackOK,ts 0 0,wscale 7,fo>
			0.1   < S. 0 ack 1 win 1000 <mss 1000,fo valid>
			0.1   > P. 1:101 ack 1`},
		{name: "a client with one sends data with the SYN", open: "closed",
			connect: tcp.ConnectOptions{FastOpen: true, Cookie: cookie, Data: hello}, script: `
			0     connect
			0     > SP 0:100 <mss 1460,sackOK,ts 0 0,wscale 7,fo 0102030405060708>
			0.1   < S. 0 ack 101 win 1000 <mss 1000>
			0.1   > . 101 ack 1
			0.1   ? state ESTABLISHED
			0.1   ? TCPFastOpenActive 1`},
		{name: "data that the server did not take is sent again", open: "closed",
			connect: tcp.ConnectOptions{FastOpen: true, Cookie: cookie, Data: hello}, script: `
			0     connect
			0     > SP 0:100 <mss 1460,sackOK,ts 0 0,wscale 7,fo 0102030405060708>
			0.1   < S. 0 ack 1 win 1000 <mss 1000>
			0.1   > P. 1:101 ack 1
			0.1   ? TCPFastOpenActiveFail 1`},
		{name: "a repeated SYN is a plain one", open: "closed",
			connect: tcp.ConnectOptions{FastOpen: true, Cookie: cookie, Data: hello}, script: `
			0     connect
			0     > SP 0:100 <mss 1460,sackOK,ts 0 0,wscale 7,fo 0102030405060708>
			1     > S 0 <mss 1460,sackOK,ts 1000 0,wscale 7>
			1.1   < S. 0 ack 1 win 1000 <mss 1000>
			1.1   > P. 1:101 ack 1`},
		{name: "a server gives a cookie", open: "closed", script: `
			0     listen fastopen
			0     < S 0:50 win 1000 <mss 1000,fo wrong>
			0     > S. 0 ack 1 <mss 1460,fo COOKIE>
			0.1   < . 1 ack 1 win 1000
			0.1   ? state ESTABLISHED
			0.1   ? unread 0
			0.1   ? TCPFastOpenPassiveFail 1`},
		{name: "a server gives a cookie to one who asks", open: "closed", script: `
			0     listen fastopen
			0     < S 0 win 1000 <mss 1000,fo>
			0     > S. 0 ack 1 <mss 1460,fo COOKIE>
			0     ? TCPFastOpenCookieReqd 1`},
		{name: "a server takes data with a valid cookie before the handshake ends", open: "closed", script: `
			0     listen fastopen
			0     < S 0:50 win 1000 <mss 1000,fo valid>
			0     > S. 0 ack 51 <mss 1460>
			0     ? state SYN-RECEIVED
			0     ? unread 50
			0     read 100 = 50
			0.1   < . 51 ack 1 win 1000
			0.1   ? state ESTABLISHED
			0.1   ? TCPFastOpenPassive 1`},
	})
}

func TestSYNCookies(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	for _, tt := range []struct {
		name    string
		options string
		late    tcp.Time
		forge   int
		mss     uint32
		bits    uint8
		ok      bool
	}{
		{name: "an answer opens the connection", options: "mss 1460", mss: 1460, ok: true},
		{name: "the MSS is rounded down to one of four", options: "mss 1400", mss: 1300, ok: true},
		{name: "timestamps carry scale and SACK", options: "mss 1460,sackOK,wscale 5,ts 9 -", mss: 1448, bits: 7, ok: true},
		{name: "a minute later it still holds", options: "mss 1460", late: 61 * tcp.Second, mss: 1460, ok: true},
		{name: "three minutes later it does not", options: "mss 1460", late: 180 * tcp.Second},
		{name: "a guess does not open it", options: "mss 1460", forge: 12345},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlayer(t, &scenario{})
			p.listening, p.cookies = true, true
			p.arrive("S 0 win 60000 <" + tt.options + ">")
			if len(p.out) != 1 {
				t.Fatalf("%d segments answer the SYN", len(p.out))
			}
			synack := p.out[0].seg
			p.out = nil
			p.now += tt.late
			s := p.parse("P. 1:11 ack 0 win 5000")
			s.Ack = synack.Seq.Add(1 + tt.forge)
			if synack.Options.Has(wire.OptTimestamps) {
				s.Options.Set |= wire.OptTimestamps
				s.Options.TSVal, s.Options.TSEcr = 10, synack.Options.TSVal
			}
			c := p.h.FromCookie(p.now, &p.cfg, p.flow, &s)
			if !tt.ok {
				if c != nil || p.h.SyncookiesFailed != 1 {
					t.Fatalf("a connection was opened: %v, failed %d", c, p.h.SyncookiesFailed)
				}
				return
			}
			if c == nil {
				t.Fatal("no connection was opened")
			}
			info := c.Info(p.now)
			if c.State() != tcp.Established || info.SndMSS != tt.mss || info.Options != tt.bits || c.Unread() != 10 {
				t.Errorf("state %v, MSS %d, options %d, unread %d; want MSS %d, options %d", c.State(), info.SndMSS, info.Options, c.Unread(), tt.mss, tt.bits)
			}
			if tt.bits != 0 && info.SndWnd != 5000<<5 {
				t.Errorf("window is %d", info.SndWnd)
			}
		})
	}
}
