package stack_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/stack"
	"sockeye/wire"
)

// A tape is what a fuzzer chose; zeros when it has run out.
type tape struct{ b []byte }

func (t *tape) byte() byte {
	if len(t.b) == 0 {
		return 0
	}
	v := t.b[0]
	t.b = t.b[1:]
	return v
}

func (t *tape) uint16() int { return int(t.byte())<<8 | int(t.byte()) }

// bytes are at most n.
func (t *tape) bytes(n int) []byte {
	n = min(n, len(t.b))
	v := t.b[:n]
	t.b = t.b[n:]
	return v
}

// choose is one of several.
func choose[T any](t *tape, from ...T) T { return from[int(t.byte())%len(from)] }

// left tells what is left of a host's sockets, packets and timers once all is closed and a day is over.
func left(t *testing.T, h *stack.Host) {
	t.Helper()
	time.Sleep(24 * time.Hour)
	if c := h.Counters(); c.FragMemory != 0 || len(h.ListSockets()) != 0 {
		t.Errorf("%d bytes of fragments and the sockets %+v are left", c.FragMemory, h.ListSockets())
	}
}

// Fragments in any order, with overlaps, never give other bytes than those that were sent at their place.
func FuzzFragments(f *testing.F) {
	f.Add([]byte{0, 0, 4, 1, 4, 4, 0})
	f.Add([]byte{1, 4, 4, 0, 0, 4, 1})
	f.Add([]byte{0, 0, 4, 1, 2, 4, 1, 4, 4, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			in := &tape{b}
			a := goHost(t, needs{})
			six := in.byte()&1 != 0
			whole, s := udp4(7, string(noise(2032))), (*sockeye.Socket)(nil)
			if six {
				whole, s = udp6(7, string(noise(2032))), a.bound("fd00::1", 7)
			} else {
				s = a.bound("10.0.0.1", 7)
			}
			got := make([]byte, 4000)
			for len(in.b) > 0 {
				from := 8 * int(in.byte())
				n := 8 * int(in.byte())
				more := in.byte()
				if more&2 != 0 {
					n -= int(more >> 5)
				}
				to := max(from, min(from+n, len(whole)))
				from = min(from, to)
				if six {
					b := make([]byte, wire.FragmentLen)
					wire.Fragment{ID: 7, Offset: uint16(from), More: more&1 != 0}.Put(b, 17)
					a.send(ip6(44, append(b, whole[from:to]...)))
				} else {
					a.send(ip4(17, whole[from:to], func(h *wire.IPv4) { h.FragOffset, h.MF = uint16(from), more&1 != 0 }))
				}
				if n, err := s.Recv(got, sockeye.MSG_DONTWAIT); err == nil && string(got[:n]) != string(whole[8:8+n]) {
					t.Fatalf("received %d other bytes than were sent", n)
				}
				if c := a.stack.Counters(); c.FragMemory > 1<<20 {
					t.Fatalf("%d bytes wait", c.FragMemory)
				}
			}
			a.closeAll()
			left(t, a.stack)
		})
	})
}

// closeAll closes the sockets of the scenario.
func (a *assault) closeAll() {
	for _, s := range a.socks {
		s.Close()
	}
	a.socks = nil
}

// Neighbour discovery and ARP, well-formed or not: the host goes on answering.
func FuzzNeighbours(f *testing.F) {
	f.Add([]byte{135, 255, 0, 1, 1, 0, 0, 0, 0, 0xfd, 15: 0, 24: 1})
	f.Add([]byte{136, 255, 0, 0, 0, 0x60, 0, 0, 0, 0xfd, 24: 2, 25: 2, 26: 1, 27: 2, 32: 9})
	f.Add([]byte{1, 0, 2, 10, 0, 0, 2, 2, 0, 0, 0, 0, 2, 10, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			in := &tape{b}
			a := goHost(t, needs{ethernet: true})
			addrs := []string{"fd00::2", "fe80::2", "::", "fd00::1", "fe80::1", "ff02::1", "ff02::1:ff00:1"}
			for range 20 {
				if len(in.b) == 0 {
					break
				}
				if typ := in.byte(); typ >= 128 {
					hops, code := in.byte(), in.byte()
					src, dst := choose(in, addrs...), choose(in, addrs...)
					rest := uint32(in.uint16())<<16 | uint32(in.uint16())
					body := icmp6(src, dst, typ, code, rest, in.bytes(int(in.byte()))...)
					a.send(frame(wire.ETH_P_IPV6, ip6(58, body, from6(src), to6(dst), func(h *wire.IPv6) { h.HopLimit = hops })))
				} else {
					p := wire.ARP{Op: wire.ARPOp(in.byte()), SenderMAC: wire.MAC{2, 5: in.byte()}, TargetIP: ip("10.0.0.1")}
					p.SenderIP = wire.AddrFrom4([4]byte(append(slices.Clone(in.bytes(4)), 10, 0, 0, 2)))
					b := make([]byte, wire.ARPLen)
					p.Put(b)
					a.send(frame(wire.ETH_P_ARP, b[:len(b)-int(in.byte())%4], toAll))
				}
				a.heard()
			}
			// Two hosts that know nothing of the past still find one another.
			b := make([]byte, wire.ARPLen)
			wire.ARP{Op: wire.ARPOP_REQUEST, SenderMAC: myMAC, SenderIP: ip("10.0.0.77"), TargetIP: ip("10.0.0.1")}.Put(b)
			a.send(frame(wire.ETH_P_ARP, b, toAll))
			if len(a.heard()) != 1 {
				t.Error("the host does not answer any more")
			}
		})
	})
}

// ICMP errors about what sockets of every kind sent, and about what they did not.
func FuzzICMP(f *testing.F) {
	f.Add([]byte{0, 3, 3, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 1, 4, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 3, 4, 0, 0, 2, 0, 1, 3, 0, 1, 6})
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			in := &tape{b}
			a := goHost(t, needs{})
			s4, s6 := a.bound("10.0.0.1", 7), a.bound("fd00::1", 7)
			s4.Connect(at("10.0.0.2", 9))
			s6.Connect(at("fd00::2", 9))
			sockeye.IP_RECVERR.Set(s4, true)
			sockeye.IPV6_RECVERR.Set(s6, true)
			stream := a.connected()
			stream.Send([]byte("hello"), 0)
			sent := ip4(17, append([]byte{0, 7, 0, 9, 0, 9, 0, 0}, 'x'), from4("10.0.0.1"), to4("10.0.0.2"))
			segment := make([]byte, wire.TCPLen)
			(&wire.TCP{SrcPort: 8080, DstPort: 9, Seq: a.iss + 1, Flags: wire.ACK}).Put(segment)
			quotes4 := [][]byte{sent, ip4(6, segment, from4("10.0.0.1"), to4("10.0.0.2")), nil}
			quotes6 := [][]byte{ip6(17, append([]byte{0, 7, 0, 9, 0, 9, 0, 0}, 'x'), from6("fd00::1"), to6("fd00::2")), nil}
			for range 50 {
				if len(in.b) == 0 {
					break
				}
				six, typ, code := in.byte()&1 != 0, in.byte(), in.byte()
				rest := uint32(in.uint16())<<16 | uint32(in.uint16())
				quote := slices.Clone(choose(in, quotes4...))
				if six {
					quote = slices.Clone(choose(in, quotes6...))
				}
				for range in.byte() % 4 {
					if len(quote) > 0 {
						quote[int(in.byte())%len(quote)] = in.byte()
					}
				}
				quote = quote[:len(quote)-min(len(quote), int(in.byte())%64)]
				if six {
					a.send(ip6(58, icmp6("fd00::2", "fd00::1", typ, code, rest, quote...)))
				} else {
					a.send(ip4(1, icmp(typ, code, rest, quote...)))
				}
				a.heard()
				m := sockeye.Message{Buffers: [][]byte{make([]byte, 10)}, Control: make([]byte, 200)}
				s4.Recvmsg(&m, sockeye.MSG_ERRQUEUE|sockeye.MSG_DONTWAIT)
				s6.Recvmsg(&m, sockeye.MSG_ERRQUEUE|sockeye.MSG_DONTWAIT)
				for _, o := range []sockeye.Option[int]{sockeye.IP_MTU, sockeye.IPV6_MTU} {
					for _, s := range []*sockeye.Socket{s4, s6} {
						if mtu, err := o.Get(s); err == nil && (mtu < 552 || mtu > 1500) {
							t.Fatalf("the path MTU is %d", mtu)
						}
					}
				}
			}
			a.closeAll()
			left(t, a.stack)
		})
	})
}

// Segments that are nearly right, for sockets in every state that calls and segments bring about.
func FuzzSegments(f *testing.F) {
	f.Add([]byte{0, 0, 0, 9, 2, 0, 0, 0, 0, 9, 16, 1, 0, 1})
	f.Add([]byte{1, 1, 0, 9, 18, 0, 0, 1, 0, 9, 4, 1, 0, 1})
	f.Add([]byte{0, 0, 0, 9, 2, 0, 0, 0, 0, 9, 16, 1, 0, 1, 2, 3, 0, 9, 17, 1, 0, 1, 4, 0, 5, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			in := &tape{b}
			a := goHost(t, needs{})
			l := a.listening()
			buf := make([]byte, 3000)
			for range 100 {
				if len(in.b) == 0 {
					break
				}
				var s *sockeye.Socket
				if len(a.socks) > 1 {
					s = a.socks[1+int(in.byte())%(len(a.socks)-1)]
				}
				switch op := in.byte() % 16; {
				case op < 8:
					port, flags := uint16(in.uint16()), wire.TCPFlags(in.byte())
					seq, ack := int(int8(in.byte())), int(int8(in.byte()))
					a.send(ip4(6, a.segment(flags, seq, ack, string(buf[:in.byte()]), func(h *wire.TCP) {
						h.SrcPort, h.Window = port, uint16(in.byte())<<(in.byte()%9)
						if op&1 != 0 {
							h.DstPort = 8081 // of those that dial
						}
						if op&2 != 0 {
							h.Options.Set, h.Options.MSS, h.Options.WindowScale = wire.OptMSS|wire.OptWindowScale|wire.OptSACKPermitted, uint16(in.uint16()), in.byte()
						}
					})))
				case op == 8:
					if c, _, err := l.Accept(); err == nil {
						c.SetNonblock(true)
						a.socks = append(a.socks, c)
					}
				case op == 9:
					c := a.socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
					sockeye.SO_REUSEADDR.Set(c, true)
					c.Bind(at("10.0.0.1", 8081))
					c.Connect(at("10.0.0.2", uint16(in.uint16())))
				case op == 15:
					time.Sleep(time.Duration(in.byte()) * time.Second)
				case s == nil:
				case op == 10:
					s.Send(buf[:in.uint16()%len(buf)], sockeye.MsgFlags(in.byte()&1))
				case op == 11:
					s.Recv(buf[:in.uint16()%len(buf)], 0)
				case op == 12:
					s.Shutdown(sockeye.How(in.byte() % 3))
				case op == 13:
					s.Close()
				case op == 14:
					sockeye.SO_LINGER.Set(s, sockeye.Linger{On: in.byte()&1 != 0})
				}
				for _, p := range a.heard() {
					a.describe(p) // which notes the host's numbers
				}
			}
			a.closeAll()
			left(t, a.stack)
		})
	})
}

// Any sequence of calls on any sockets of a host, none of which waits.
func FuzzCalls(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 1, 0, 3, 1, 2, 0, 5})
	f.Add([]byte{0, 0, 1, 1, 0, 0, 0, 6, 0, 4, 104, 0})
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		b := make([]byte, 200)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			a := goHost(t, needs{})
			c := caller{in: &tape{b}, host: a.host}
			for range 200 {
				if len(c.in.b) == 0 {
					break
				}
				c.call()
				a.heard()
			}
			for _, s := range c.socks {
				s.Close()
			}
			left(t, a.stack)
		})
	})
}

// A caller makes calls that a tape tells it.
type caller struct {
	in    *tape
	host  *sockeye.Host
	socks []*sockeye.Socket
}

func (c *caller) open(s *sockeye.Socket, err error) {
	if err == nil {
		s.SetNonblock(true)
		c.socks = append(c.socks, s)
	}
}

// addr is any address, most often one that can be reached.
func (c *caller) addr() sockeye.Sockaddr {
	port := uint16(7 + c.in.byte()%4)
	switch c.in.byte() % 8 {
	case 0:
		return at("127.0.0.1", port)
	case 1:
		return at("::1", port)
	case 2:
		return at("10.0.0.1", port)
	case 3:
		return at("0.0.0.0", port)
	case 4:
		return sockeye.SockaddrUnix(fmt.Sprintf("@%d", port))
	case 5:
		return at("10.0.0.2", port)
	case 6:
		ip, _ := netip.AddrFromSlice(append(slices.Clone(c.in.bytes(4)), 239, 1, 2, 3)[:4])
		return at(ip.String(), port)
	}
	return sockeye.Sockaddr{}
}

func (c *caller) call() {
	in := c.in
	op := in.byte() % 16
	if op < 3 || len(c.socks) == 0 {
		family := choose(in, sockeye.AF_INET, sockeye.AF_INET6, sockeye.AF_UNIX)
		typ := choose(in, sockeye.SOCK_STREAM, sockeye.SOCK_DGRAM, sockeye.SOCK_RAW, sockeye.SOCK_SEQPACKET)
		proto := choose(in, 0, sockeye.IPPROTO_ICMP, sockeye.IPPROTO_ICMPV6, sockeye.IPPROTO_UDP, sockeye.Protocol(in.byte()))
		if op == 0 {
			x, y, err := c.host.Socketpair(family, typ, proto)
			c.open(x, err)
			c.open(y, err)
			return
		}
		c.open(c.host.Socket(family, typ, proto))
		return
	}
	s := c.socks[int(in.byte())%len(c.socks)]
	flags := choose(in, 0, sockeye.MSG_PEEK, sockeye.MSG_TRUNC, sockeye.MSG_OOB, sockeye.MSG_MORE, sockeye.MSG_ERRQUEUE, sockeye.MsgFlags(in.uint16())) | sockeye.MSG_DONTWAIT
	data := make([]byte, 100*int(in.byte()))
	switch op {
	case 3:
		s.Bind(c.addr())
	case 4:
		s.Listen(int(int8(in.byte())))
	case 5:
		s.Connect(c.addr())
	case 6:
		peer, _, err := s.Accept()
		c.open(peer, err)
	case 7:
		s.Send(data, flags)
	case 8:
		s.Sendto(data, flags, c.addr())
	case 9:
		s.Recvfrom(data, flags)
	case 10:
		m := sockeye.Message{Buffers: [][]byte{data, data}, Control: slices.Clone(in.bytes(64))}
		if in.byte()&1 != 0 {
			m.Name = c.addr()
		}
		s.Sendmsg(&m, flags)
	case 11:
		m := sockeye.Message{Buffers: [][]byte{data}, Control: make([]byte, in.byte())}
		s.Recvmsg(&m, flags)
		for range m.ControlMessages() {
		}
	case 12:
		options := sockeye.Options()
		level, name := options[in.uint16()%len(options)].Number()
		if in.byte()&7 == 0 {
			level, name = int(in.byte()), in.uint16()
		}
		s.Setsockopt(level, name, slices.Clone(in.bytes(int(in.byte()%40))))
		s.Getsockopt(level, name, make([]byte, in.byte()))
	case 13:
		s.Shutdown(sockeye.How(in.byte() % 4))
	case 14:
		s.Close()
	case 15:
		s.Getpeername()
		s.Getsockname()
		s.Inq()
		s.Outq()
		s.Ready(^sockeye.Events(0))
		time.Sleep(time.Duration(in.byte()) * 10 * time.Millisecond)
	}
}
