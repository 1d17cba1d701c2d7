package stack_test

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/stack/inet"
	"sockeye/wire"
)

func v4(addrs ...string) (b []byte) {
	for _, a := range addrs {
		ip := netip.MustParseAddr(a).As4()
		b = append(b, ip[:]...)
	}
	return b
}

// A router writes the address that it sends from into the options of what it forwards, and the receiver its own
// (RFC 791 section 3.1, RFC 1812 section 5.2.4).
func TestOptionsAreFilledInOnTheWay(t *testing.T) {
	leak.Check(t)
	record := append([]byte{wire.IPOPT_RR, 19, 4}, make([]byte, 17)...)
	stamps := append([]byte{wire.IPOPT_TIMESTAMP, 20, 5, 1}, make([]byte, 16)...) // two places for three hosts
	loose := append([]byte{wire.IPOPT_LSRR, 11, 4}, append(v4("10.1.0.254", "10.2.0.1"), 0)...)
	strict := append([]byte{wire.IPOPT_SSRR, 7, 4}, append(v4("10.1.0.254"), 0)...)
	for _, tt := range []struct {
		name         string
		accept       bool
		given        []byte
		want, answer []byte // nil: nothing comes
	}{
		{"a record", false, record, append(append([]byte{wire.IPOPT_RR, 19, 16}, v4("10.1.0.1", "10.2.0.254", "10.2.0.1", "0.0.0.0")...), 0),
			append(append([]byte{wire.IPOPT_RR, 19, 16}, v4("10.1.0.1", "10.2.0.254", "10.2.0.1", "0.0.0.0")...), 0)},
		{"times", false, stamps, append([]byte{wire.IPOPT_TIMESTAMP, 20, 21, 0x11}, v4("10.1.0.1", "0.0.0.0", "10.2.0.254", "0.0.0.0")...),
			append([]byte{wire.IPOPT_TIMESTAMP, 20, 21, 0x11}, v4("10.1.0.1", "0.0.0.0", "10.2.0.254", "0.0.0.0")...)},
		{"a loose source route", true, loose, append(append([]byte{wire.IPOPT_LSRR, 11, 8}, v4("10.2.0.254", "10.2.0.1")...), 0),
			append(append([]byte{wire.IPOPT_LSRR, 7, 4}, v4("10.2.0.254")...), 0)},
		{"a strict source route", true, strict, append(append([]byte{wire.IPOPT_SSRR, 7, 8}, v4("10.2.0.254")...), 0),
			append(append([]byte{wire.IPOPT_SSRR, 7, 4}, v4("10.2.0.254")...), 0)},
		{"a source route that is refused", false, strict, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _, b := routed(t, func(ip *inet.Sysctl) { ip.AcceptSourceRoute = tt.accept })
				client, server := udp(a, sockeye.AF_INET, "10.1.0.1", 8888), udp(b, sockeye.AF_INET, "10.2.0.1", 7777)
				ok(t, sockeye.IP_OPTIONS.Set(client, tt.given))
				ok(t, server.SetsockoptInt(sockeye.SOL_IP, sockeye.IP_RECVOPTS.Name, 1))
				ok(t, server.SetsockoptInt(sockeye.SOL_IP, sockeye.IP_RETOPTS.Name, 1))
				must(client.Sendto([]byte("hello"), 0, at("10.2.0.1", 7777)))
				time.Sleep(time.Second)
				m := sockeye.Message{Buffers: [][]byte{make([]byte, 10)}, Control: make([]byte, 256)}
				if _, err := server.Recvmsg(&m, sockeye.MSG_DONTWAIT); (err != nil) != (tt.want == nil) {
					t.Fatalf("the datagram: %v", err)
				}
				if tt.want == nil {
					return
				}
				got := map[int][]byte{}
				for c := range m.ControlMessages() {
					got[c.Type] = withoutTimes(c.Data)
				}
				if o := got[sockeye.IP_RECVOPTS.Name]; !bytes.Equal(o, tt.want) {
					t.Errorf("it came with the options\n%s, want\n%s", hex.EncodeToString(o), hex.EncodeToString(tt.want))
				}
				if o := got[sockeye.IP_RETOPTS.Name]; !bytes.Equal(o, tt.answer) {
					t.Errorf("an answer would have\n%s, want\n%s", hex.EncodeToString(o), hex.EncodeToString(tt.answer))
				}
			})
		})
	}
}

// withoutTimes is options with the times in them zero.
func withoutTimes(b []byte) []byte {
	b = slices.Clone(b)
	if b[0] == wire.IPOPT_TIMESTAMP {
		for at := 8; at+4 <= len(b); at += 8 {
			clear(b[at : at+4])
		}
	}
	return b
}

// A connection whose SYN came by a source route goes back the same way (RFC 1122 section 4.2.3.8), and its segments'
// checksums are those of its ends.
func TestAConnectionAnswersASourceRoute(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		a, router, b := routed(t, func(ip *inet.Sysctl) { ip.AcceptSourceRoute = true })
		l := must(b.Sockets().Listen("tcp", ":7777"))
		defer l.Close()
		s := must(a.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))
		defer s.Close()
		ok(t, sockeye.IP_OPTIONS.Set(s, append([]byte{wire.IPOPT_LSRR, 7, 4}, append(v4("10.1.0.254"), 0)...)))
		ok(t, s.Connect(at("10.2.0.1", 7777)))
		c := must(l.Accept())
		defer c.Close()
		must(c.Write([]byte("hello")))
		buf := make([]byte, 10)
		if n, err := s.Recv(buf, 0); err != nil || string(buf[:n]) != "hello" {
			t.Errorf("received %q, %v", buf[:n], err)
		}
		o := must(sockeye.IP_OPTIONS.Get(c.(interface{ Socket() *sockeye.Socket }).Socket()))
		if want := append([]byte{wire.IPOPT_LSRR, 7, 4}, append(v4("10.2.0.254"), 0)...); !bytes.Equal(o, want) {
			t.Errorf("the answers have the options %x, want %x", o, want)
		}
		if n := router.Counters().IP.ForwDatagrams; n == 0 {
			t.Error("nothing went through the router")
		}
	})
}
