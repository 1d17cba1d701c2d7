package echo_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"

	"sockeye"
	"sockeye/echo"
	. "sockeye/internal/sockettest"
)

func TestAnswerComesFromTheAddressThatWasWrittenTo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		bind    string
		written string
	}{
		{"IPv4", "0.0.0.0:0", "127.0.0.2"},
		{"IPv6", "[::]:0", "::1"},
		{"IPv4 on an IPv6 socket", "[::]:0", "127.0.0.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bind := sockeye.SockaddrInet(netip.MustParseAddrPort(tt.bind))
			s, at := ListenAt(t, host, Kind{Family: bind.Family(), Type: sockeye.SOCK_DGRAM}, bind)
			start(t, s, nil)
			to := sockeye.SockaddrInet(netip.AddrPortFrom(netip.MustParseAddr(tt.written), at.Port()))
			// A connected socket receives only what comes from there.
			c := Dial(t, host, Kind{Family: to.Family(), Type: sockeye.SOCK_DGRAM}, to)
			for _, word := range []string{"first", "second"} {
				_, err := c.Send([]byte(word), 0)
				Check(t, err)
				if got := Receive(t, c, 10); string(got) != word {
					t.Errorf("got %q, want %q", got, word)
				}
			}
		})
	}
}

// Datagrams that one call sends (UDP_SEGMENT) are still many.
func TestSegmentedDatagramsKeepTheirBoundaries(t *testing.T) {
	t.Parallel()
	for _, k := range kinds[4:6] {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			s, at := Listen(t, host, k)
			start(t, s, nil)
			c := Dial(t, host, k, at)
			const size, whole, rest = 1400, 30, 77
			p := payload(size*whole + rest)
			m := sockeye.Message{Buffers: [][]byte{p}, Control: sockeye.AppendSegmentSize(nil, size)}
			for range 3 {
				_, err := c.Sendmsg(&m, 0)
				Check(t, err)
				for rest := p; len(rest) > 0; {
					want := rest[:min(size, len(rest))]
					rest = rest[len(want):]
					if got := Receive(t, c, size); !bytes.Equal(got, want) {
						t.Fatalf("got %d bytes, want the next %d", len(got), len(want))
					}
				}
			}
		})
	}
}

// Every peer sends a burst of datagrams of many sizes, all peers at once.
func TestBurstsReachTheirOwnSenderInOrder(t *testing.T) {
	t.Parallel()
	for _, k := range kinds[4:] {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			s, at := Listen(t, host, k)
			start(t, s, nil)
			var wg sync.WaitGroup
			for peer := range 16 {
				c := Dial(t, host, k, at)
				wg.Go(func() {
					for round := range 50 {
						const burst = 8
						var sent [burst][]byte
						for i := range sent {
							p := payload(8 + (peer+i*round)%40)
							binary.BigEndian.PutUint32(p, uint32(peer))
							binary.BigEndian.PutUint32(p[4:], uint32(i))
							if _, err := c.Send(p, 0); err != nil {
								t.Error(err)
								return
							}
							sent[i] = p
						}
						for i := range sent {
							buf := make([]byte, 100)
							n, err := c.Recv(buf, 0)
							if err != nil || !bytes.Equal(buf[:n], sent[i]) {
								t.Errorf("peer %d, datagram %d: got %x, %v, want %x", peer, i, buf[:n], err, sent[i])
								return
							}
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestSlowUnixPeerKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	k := kinds[6]
	s, at := Listen(t, host, k)
	start(t, s, nil)
	slow, quick := Dial(t, host, k, at), Dial(t, host, k, at)
	// More than the queue of a unix datagram socket takes
	// (net.unix.max_dgram_qlen): the echo can't send all answers now.
	const more = 200
	for i := range more {
		_, err := slow.Send([]byte{byte(i)}, 0)
		Check(t, err)
	}
	_, err := quick.Send([]byte("quick"), 0)
	Check(t, err)
	if got := Receive(t, quick, 10); string(got) != "quick" {
		t.Errorf("got %q", got)
	}
	for i := range more {
		if got := Receive(t, slow, 1); got[0] != byte(i) {
			t.Fatalf("answer %d: got %d", i, got[0])
		}
	}
}

func TestUnansweredDatagramIsReported(t *testing.T) {
	t.Parallel()
	k := kinds[6]
	s, at := Listen(t, host, k)
	events := make(chan echo.Event, 1)
	start(t, s, func(ev echo.Event) { events <- ev })
	unbound, err := host.Socket(k.Family, k.Type, 0)
	Check(t, err)
	defer unbound.Close()
	_, err = unbound.Sendto([]byte("who am I?"), 0, at)
	Check(t, err)
	if ev := <-events; ev.Err == nil {
		t.Error("no error")
	}
}
