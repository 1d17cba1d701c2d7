package stack_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/stack/inet"
	"sockeye/wire"
)

// grows tells by how many bytes the heap is larger after f.
func grows(f func()) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int(after.HeapAlloc) - int(before.HeapAlloc)
}

// flooded is a host in a bubble, and how many packets a flood has.
func flooded(t *testing.T, n needs, f func(t *testing.T, a *assault, packets int)) {
	synctest.Test(t, func(t *testing.T) {
		packets := 100_000
		if testing.Short() || raceEnabled {
			packets = 10_000
		}
		f(t, goHost(t, n), packets)
	})
}

func TestForgedACKsMakeNoConnections(t *testing.T) {
	leak.Check(t)
	flooded(t, needs{}, func(t *testing.T, a *assault, packets int) {
		a.listening()
		for range 10 { // until cookies are sent
			a.send(ip4(6, a.segment(wire.SYN, 0, 0, "", func(h *wire.TCP) { h.SrcPort = uint16(rand.N(60000) + 1) })))
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range packets {
			a.send(ip4(6, a.segment(wire.ACK, random.Int(), random.Int(), "", func(h *wire.TCP) { h.SrcPort = uint16(random.Uint32()) | 1<<15 })))
		}
		c := a.stack.Counters()
		if c.TCP.SyncookiesSent == 0 || c.TCP.SyncookiesFailed < uint64(packets)*9/10 || c.TCP.SyncookiesRecv != 0 || c.TCP.PassiveOpens != 0 {
			t.Errorf("the counters are\n%v", c)
		}
	})
}

func TestFragmentFloodsEndWithTheirTime(t *testing.T) {
	leak.Check(t)
	for name, fragment := range map[string]func(id int) []byte{
		"IPv4": func(id int) []byte {
			return ip4(17, make([]byte, 1400), from4("10.0.0.3"), func(h *wire.IPv4) { h.ID, h.MF = uint16(id), true })
		},
		"IPv6": func(id int) []byte {
			b := make([]byte, 1400)
			wire.Fragment{ID: uint32(id), More: true}.Put(b, 17)
			return ip6(44, b, from6("fd00::3"))
		},
		"IPv4, the smallest": func(id int) []byte {
			return ip4(17, make([]byte, 8), func(h *wire.IPv4) { h.ID, h.FragOffset, h.MF = uint16(id), uint16(8*(id%8000)), true })
		},
		"IPv6, wrong lengths": func(id int) []byte {
			b := make([]byte, 29)
			wire.Fragment{ID: uint32(id), More: true}.Put(b, 17)
			return ip6(44, b, from6("fd00::3"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			flooded(t, needs{}, func(t *testing.T, a *assault, packets int) {
				s := a.bound("10.0.0.1", 7)
				n := grows(func() {
					for id := range packets {
						a.send(fragment(id))
						a.heard()
					}
				})
				c := a.stack.Counters()
				if n > 16<<20 || c.FragMemory > 4<<20 || c.IP.ReasmFails+c.IP6.ReasmFails+c.IP6.InHdrErrors == 0 {
					t.Errorf("the heap grew by %d bytes, the counters are\n%v", n, c)
				}
				time.Sleep(time.Minute + time.Second)
				a.send(ip4(17, udp4(7, strings.Repeat("x", 56))[:32], func(h *wire.IPv4) { h.MF = true }))
				a.send(ip4(17, udp4(7, strings.Repeat("x", 56))[32:], func(h *wire.IPv4) { h.FragOffset = 32 }))
				if n, err := s.Recv(make([]byte, 100), 0); n != 56 || a.stack.Counters().FragMemory != 0 {
					t.Errorf("received %d bytes: %v; %d bytes of fragments wait", n, err, a.stack.Counters().FragMemory)
				}
			})
		})
	}
}

func TestNeighbourFloodsLeaveGoodNeighboursInPlace(t *testing.T) {
	leak.Check(t)
	address := func(i int) wire.Addr { return wire.AddrFrom4([4]byte{10, 0, byte(1 + i>>8), byte(i)}) }
	for name, flood := range map[string]func(a *assault, i int){
		"ARP requests from many": func(a *assault, i int) {
			b := make([]byte, wire.ARPLen)
			wire.ARP{Op: wire.ARPOP_REQUEST, SenderMAC: otherMAC, SenderIP: address(i), TargetIP: ip("10.0.0.1")}.Put(b)
			a.send(frame(wire.ETH_P_ARP, b, toAll))
		},
		"solicitations from many": func(a *assault, i int) {
			from := [16]byte{0xfd, 12: byte(i >> 16), 13: byte(i >> 8), 14: byte(i), 15: 9}
			a.send(nd(wire.AddrFrom16(from).String(), "ff02::1:ff00:1", 135, 0, append(sixteen("fd00::1"), 1, 1, 2, 0, 0, 0, 0, 3)))
		},
		"packets to forward to many": func(a *assault, i int) {
			dst := wire.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String()
			a.send(frame(wire.ETH_P_IP, ip4(17, datagram("10.0.0.2", dst, 7, "x"), to4(dst))))
		},
		"long packets to forward to one": func(a *assault, i int) {
			a.send(frame(wire.ETH_P_IP, ip4(17, make([]byte, 1400), to4("10.0.0.99"))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			flooded(t, needs{ethernet: true, forwarding: true}, func(t *testing.T, a *assault, packets int) {
				a.stack.AddAddr("tun0", prefixes("10.0.0.1/16")[0])
				hello := frame(wire.ETH_P_IP, ip4(1, icmp(8, 0, 1)))
				b := make([]byte, wire.ARPLen)
				wire.ARP{Op: wire.ARPOP_REPLY, SenderMAC: myMAC, SenderIP: ip("10.0.0.2"), TargetIP: ip("10.0.0.1")}.Put(b)
				a.send(hello)
				a.send(frame(wire.ETH_P_ARP, b))
				n := grows(func() {
					for i := range packets {
						flood(a, i)
						a.heard()
					}
				})
				if got := len(a.stack.Neighbours()); n > 8<<20 || got > 2*1024 {
					t.Errorf("%d neighbours are known, the heap grew by %d bytes", got, n)
				}
				a.send(hello)
				if got := a.heard(); len(got) != 1 || !strings.Contains(wire.DescribeFrame(got[0]), "echo reply") {
					t.Errorf("the good neighbour is not answered: %q", got)
				}
			})
		})
	}
}

func TestLearnedPathMTUsAreBounded(t *testing.T) {
	leak.Check(t)
	flooded(t, needs{}, func(t *testing.T, a *assault, packets int) {
		a.bound("10.0.0.1", 7)
		sent := ip4(17, []byte{0, 7, 0, 9, 0, 9, 0, 0, 'x'}, from4("10.0.0.1"))
		n := grows(func() {
			for i := range packets {
				binary.BigEndian.PutUint32(sent[16:], uint32(0x0b000000+i))
				a.send(ip4(1, icmp(3, 4, 600, sent...)))
			}
		})
		if n > 2<<20 {
			t.Errorf("the heap grew by %d bytes", n)
		}
	})
}

func TestQueuedErrorsAreBounded(t *testing.T) {
	leak.Check(t)
	flooded(t, needs{}, func(t *testing.T, a *assault, packets int) {
		s := a.bound("10.0.0.1", 7)
		sockeye.IP_RECVERR.Set(s, true)
		sent := ip4(17, append([]byte{0, 7, 0, 9, 0, 9, 0, 0}, make([]byte, 500)...), from4("10.0.0.1"), to4("10.0.0.2"))
		n := grows(func() {
			for range packets {
				a.send(ip4(1, icmp(3, 1, 0, sent...)))
			}
		})
		if n > 1<<20 {
			t.Errorf("the heap grew by %d bytes", n)
		}
	})
}

func TestSegmentsOutOfOrderTakeBoundedMemory(t *testing.T) {
	leak.Check(t)
	flooded(t, needs{}, func(t *testing.T, a *assault, packets int) {
		s := a.connected()
		n := grows(func() {
			for i := range packets { // every other byte
				a.send(ip4(6, a.segment(wire.ACK, 2+2*i%60000, 1, "x")))
				a.heard()
			}
		})
		c := a.stack.Counters()
		if n > 1<<20 || c.TCP.TCPOFODrop == 0 {
			t.Errorf("the heap grew by %d bytes, the counters are\n%v", n, c)
		}
		a.send(ip4(6, a.segment(wire.ACK|wire.PSH, 1, 1, "ab")))
		if n, err := s.Recv(make([]byte, 100), 0); n < 2 || err != nil {
			t.Errorf("received %d bytes: %v", n, err)
		}
	})
}

// A peer whose window stays shut keeps data, but not for longer than the user is patient.
func TestAWindowThatStaysShutEndsTheConnection(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		name    string
		window  uint16
		patient time.Duration
		close   bool
		within  time.Duration
	}{
		{"TCP_USER_TIMEOUT", 0, 10 * time.Second, false, 25 * time.Second},
		{"closed by its user", 0, 0, true, 10 * time.Minute},
		{"TCP_USER_TIMEOUT, a window of one byte", 1, 10 * time.Second, false, 25 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := goHost(t, needs{})
				s := a.connected()
				if tt.patient != 0 {
					sockeye.TCP_USER_TIMEOUT.Set(s, tt.patient)
				}
				shut := func() { a.send(ip4(6, a.segment(wire.ACK, 1, 1, "", func(h *wire.TCP) { h.Window = tt.window }))) }
				shut()
				s.Send(make([]byte, 100_000), 0)
				if tt.close {
					s.Close()
				}
				start := time.Now()
				for len(a.stack.ListSockets()) > 1 { // the listener stays
					if time.Sleep(time.Second); time.Since(start) > tt.within {
						t.Fatalf("after %v: %+v", time.Since(start), a.stack.ListSockets())
					}
					for range a.heard() {
						shut()
					}
				}
			})
		})
	}
}

// A peer that reads a byte at a time gets no silly segments (RFC 9293 section 3.8.6.2): not one for
// each byte that its window opens by.
func TestSillyWindowsGetFewSegments(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		a := goHost(t, needs{})
		s := a.connected()
		s.Send(make([]byte, 50_000), 0)
		a.heard()
		acked, sent := 1, 0
		for i := range 2000 {
			acked++
			a.send(ip4(6, a.segment(wire.ACK, 1, acked, "", func(h *wire.TCP) { h.Window = uint16(100 + i%2) })))
			sent += len(a.heard())
		}
		if sent > 1000 {
			t.Errorf("%d segments were sent for 2000 bytes", sent)
		}
	})
}

func TestRateLimitsHoldChallengesBack(t *testing.T) {
	leak.Check(t)
	flooded(t, needs{sysctl: func(s *inet.Sysctl) { s.TCP.ChallengeACKLimit = 100; s.TCP.InvalidRatelimit = 0 }}, func(t *testing.T, a *assault, packets int) {
		a.connected()
		a.heard()
		for range packets {
			a.send(ip4(6, a.segment(wire.SYN, 100, 0, "")))
		}
		if n := len(a.heard()); n != 100 {
			t.Errorf("%d challenges were sent in one second", n)
		}
	})
}

func TestErrorsToAllHostsAreLimited(t *testing.T) {
	leak.Check(t)
	flooded(t, needs{}, func(t *testing.T, a *assault, _ int) {
		sent := func() int {
			for i := range 100 {
				src := fmt.Sprint("10.0.0.", 100+i)
				a.send(ip4(17, datagram(src, "10.0.0.1", 8, "x"), from4(src)))
			}
			return len(a.heard())
		}
		if n, c := sent(), a.stack.Counters(); n != 50 || c.ICMP.OutRateLimitGlobal != 50 {
			t.Errorf("%d errors were sent, %d held back", n, c.ICMP.OutRateLimitGlobal)
		}
		time.Sleep(20 * time.Millisecond) // icmp_msgs_per_sec gives 20
		if n := sent(); n != 20 {
			t.Errorf("%d errors were sent 20 ms later", n)
		}
	})
}
