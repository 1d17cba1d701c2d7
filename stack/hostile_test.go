package stack_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"sockeye"
	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/stack"
	"sockeye/stack/inet"
)

// A target is a host that packets are thrown at, with sockets of every kind.
type target struct {
	loop *event.Loop
	host *stack.Host
	port link.Port // the other end of its cable
}

func newTarget(ethernet bool) *target {
	ip := inet.DefaultSysctl()
	ip.Forwarding = true
	ip.PingGroupRange = [2]uint32{0, 0}
	loop := event.New()
	near, far := link.Cable(loop, link.CableOptions{Ethernet: ethernet, MTU: 65535})
	h := stack.NewHost(stack.Config{Loop: loop, Inet: &ip, Privileged: true, Interfaces: []stack.Interface{
		{Name: "eth0", Port: near, Addrs: prefixes("10.0.0.1/24", "fd00::1/64", "fe80::1/64")},
	}})
	for _, family := range []sockeye.Family{sockeye.AF_INET, sockeye.AF_INET6} {
		any := map[sockeye.Family]string{sockeye.AF_INET: "0.0.0.0", sockeye.AF_INET6: "::"}[family]
		s := must(h.Sockets().Socket(family, sockeye.SOCK_DGRAM, 0))
		sockeye.IPV6_V6ONLY.Set(s, true)
		sockeye.IP_RECVERR.Set(s, true)
		sockeye.IPV6_RECVERR.Set(s, true)
		s.Bind(at(any, 7))
		for _, proto := range []sockeye.Protocol{sockeye.IPPROTO_ICMP, sockeye.IPPROTO_ICMPV6, sockeye.IPPROTO_UDP} {
			must(h.Sockets().Socket(family, sockeye.SOCK_RAW, proto))
		}
	}
	return &target{loop, h, far}
}

// throw sends bytes as they are on a wire.
func (t *target) throw(b []byte, ethernet bool) {
	t.port.Send(link.FromWire(packet.Of(b), ethernet))
	t.loop.Run()
}

func (t *target) close() {
	t.host.Close()
	t.loop.Close()
}

// seeds are packets that mean something to a host.
var seeds = [][]byte{
	{0x45, 0, 0, 29, 0, 1, 0, 0, 64, 17, 0x66, 0xcd, 10, 0, 0, 2, 10, 0, 0, 1, 0, 7, 0, 7, 0, 9, 0, 0, 'x'},
	{0x45, 0, 0, 29, 0, 1, 0x20, 0, 64, 17, 0x46, 0xcd, 10, 0, 0, 2, 10, 0, 0, 1, 0, 7, 0, 7, 0, 9, 0, 0, 'x'},
	{0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0x66, 0xde, 10, 0, 0, 2, 10, 0, 0, 1, 8, 0, 0xf7, 0xfe, 0, 1, 0, 0},
	append([]byte{0x60, 0, 0, 0, 0, 8, 58, 64}, append(append(v6(2), v6(1)...), 128, 0, 0x83, 0xb2, 0, 1, 0, 0)...),
	append([]byte{0x60, 0, 0, 0, 0, 16, 44, 64}, append(append(v6(2), v6(1)...), 17, 0, 0, 1, 0, 0, 0, 9, 0, 7, 0, 7, 0, 8, 0, 0)...),
	append([]byte{0x60, 0, 0, 0, 0, 16, 0, 64}, append(append(v6(2), v6(1)...), 17, 0, 5, 2, 0, 0, 1, 0, 0, 7, 0, 7, 0, 8, 0, 0)...),
}

func v6(last byte) []byte { return []byte{0xfd, 15: last} }

func FuzzPackets(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, false)
		f.Add(append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, s...), true)
	}
	plain, ethernet := newTarget(false), newTarget(true)
	f.Cleanup(func() {
		plain.close()
		ethernet.close()
	})
	f.Fuzz(func(t *testing.T, b []byte, frame bool) {
		to := plain
		if frame {
			to = ethernet
		}
		to.throw(b, frame)
		if c := to.host.Counters(); c.FragMemory > 4<<20 {
			t.Errorf("%d bytes of fragments wait", c.FragMemory)
		}
	})
}

// A million packets, most of them mutations of good ones, neither stop a host nor fill its
// memory.
func TestAHostOutlivesRandomPackets(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := 1_000_000
		if testing.Short() || raceEnabled {
			n = 50_000
		}
		h := newTarget(false)
		defer h.close()
		random := rand.New(rand.NewPCG(1, 2))
		b := make([]byte, 0, 200)
		for range n {
			b = append(b[:0], seeds[random.IntN(len(seeds))]...)
			for range random.IntN(4) {
				b[random.IntN(len(b))] = byte(random.Uint32())
			}
			if random.IntN(2) == 0 && b[0]>>4 == 4 { // with a right checksum, or it goes no further
				b[0] = 0x45
				fixIPv4(b)
			}
			h.throw(b[:len(b)-random.IntN(2)*random.IntN(len(b))], false)
		}
		c := h.host.Counters()
		if c.IP.InReceives+c.IP6.InReceives < uint64(n)/2 || c.IP.InDelivers == 0 || c.IP.InHdrErrors == 0 || c.FragMemory > 4<<20 {
			t.Errorf("counters are %+v", c)
		}
		buf := make([]byte, 100)
		s := udp(h.host, sockeye.AF_INET, "10.0.0.1", 9)
		s.Sendto([]byte("alive"), 0, at("10.0.0.1", 9))
		if n, err := s.Recv(buf, sockeye.MSG_DONTWAIT); string(buf[:n]) != "alive" {
			t.Error(err)
		}
	})
}

// fixIPv4 computes the checksum of the header at the start of b.
func fixIPv4(b []byte) {
	b[10], b[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < int(b[0]&15)*4; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[10:], ^uint16(sum))
}

func TestFragmentsTakeBoundedMemory(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		h := newTarget(false)
		defer h.close()
		b := make([]byte, 20+1480)
		copy(b, seeds[1])
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		for id := range 20_000 { // 30 MB of first fragments
			binary.BigEndian.PutUint16(b[4:], uint16(id))
			fixIPv4(b)
			h.throw(b, false)
		}
		if c := h.host.Counters(); c.FragMemory > 4<<20 || c.FragMemory < 3<<20 || c.IP.ReasmFails == 0 {
			t.Errorf("%d bytes wait, %d fragments were dropped", c.FragMemory, c.IP.ReasmFails)
		}
	})
}

func TestBadHeadersAreAnswered(t *testing.T) {
	leak.Check(t)
	options := append([]byte{0x46}, seeds[0][1:20]...)
	options = append(append(options, 7, 7, 4, 0), seeds[0][20:]...) // a record route that is longer than the header
	binary.BigEndian.PutUint16(options[2:], uint16(len(options)))
	fixIPv4(options)
	extension := append([]byte(nil), seeds[5]...)
	extension[42] = 0xc5 // an option that nobody knows, and that asks for an answer
	protocol := append([]byte(nil), seeds[0]...)
	protocol[9] = 253
	fixIPv4(protocol)
	for _, tt := range []struct {
		name   string
		packet []byte
	}{{"IPv4 options", options}, {"IPv6 options", extension}, {"protocol", protocol}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newTarget(false)
				defer h.close()
				h.throw(tt.packet, false)
				if c := h.host.Counters(); c.ICMP.OutMsgs+c.ICMP6.OutMsgs != 1 {
					t.Errorf("%d errors were sent: %+v", c.ICMP.OutMsgs, c)
				}
			})
		})
	}
}

// Nobody forwards or answers a packet that everybody on the link received.
func TestFramesToAllCauseNoStorms(t *testing.T) {
	leak.Check(t)
	for _, dst := range []byte{1, 99} { // this host, and one behind it
		synctest.Test(t, func(t *testing.T) {
			h := newTarget(true)
			defer h.close()
			frame := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 2, 8, 0}, seeds[0]...)
			ip := frame[14:]
			ip[19], ip[23] = dst, 8 // a port that nobody has
			fixIPv4(ip)
			h.throw(frame, true)
			if c := h.host.Counters(); c.IP.InReceives != 1 || c.IP.OutRequests != 0 || c.IP.ForwDatagrams != 0 {
				t.Errorf("to %d: counters are %+v", dst, c)
			}
		})
	}
}

func TestMartiansAreDropped(t *testing.T) {
	leak.Check(t)
	for name, change := range map[string]func(b []byte){
		"from a group":      func(b []byte) { b[12] = 224 },
		"from 127.0.0.1":    func(b []byte) { copy(b[12:], []byte{127, 0, 0, 1}) },
		"to 127.0.0.1":      func(b []byte) { copy(b[16:], []byte{127, 0, 0, 1}) },
		"to no address":     func(b []byte) { copy(b[16:], []byte{0, 0, 0, 0}) },
		"from its receiver": func(b []byte) { copy(b[12:], b[16:20]) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newTarget(false)
				defer h.close()
				b := append([]byte(nil), seeds[0]...)
				change(b)
				fixIPv4(b)
				h.throw(b, false)
				if c := h.host.Counters(); c.InMartianSrc+c.InMartianDst != 1 || c.IP.InDelivers != 0 {
					t.Errorf("counters are %+v", c)
				}
			})
		})
	}
}

func TestOverlappingFragmentsAreVoid(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		h := newTarget(false)
		defer h.close()
		fragment := func(offset, n int, more bool) {
			b := make([]byte, 20+n)
			copy(b, seeds[1][:20])
			binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
			flags := uint16(offset / 8)
			if more {
				flags |= 0x2000
			}
			binary.BigEndian.PutUint16(b[6:], flags)
			fixIPv4(b)
			h.throw(b, false)
		}
		fragment(0, 64, true)
		fragment(32, 64, true)
		if c := h.host.Counters(); c.IP.ReasmFails != 1 || c.FragMemory != 0 {
			t.Errorf("%d failed, %d bytes wait", c.IP.ReasmFails, c.FragMemory)
		}
	})
}
