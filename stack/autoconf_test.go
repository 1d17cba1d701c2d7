package stack_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/stack"
	"sockeye/stack/inet"
	"sockeye/wire"
)

// autoconfigured is a host that makes its own addresses, on a cable with a station that sees every packet of it.
func autoconfigured(t *testing.T, conf inet.IPv6Conf) (h *stack.Host, far link.Port, sent *[]string) {
	loop := leak.Loop(t)
	t.Cleanup(loop.Close)
	start := time.Now()
	near, far := link.Cable(loop, link.CableOptions{Ethernet: true})
	var log []string
	near = must(link.Impair(loop, near, link.Impairment{Observe: func(_ event.Time, d link.Direction, f link.Fate, p *packet.Packet) {
		if d == link.Out && f == link.Sent {
			ip, payload, err := wire.ParseIPv6(p.AppendTo(nil)[wire.EthernetLen:])
			if err == nil && ip.NextHeader == wire.IPPROTO_ICMPV6 {
				log = append(log, fmt.Sprintf("%v type %d %v > %v", time.Since(start).Truncate(time.Second), payload[0], ip.Src, ip.Dst))
			}
		}
	}}))
	ip := inet.DefaultSysctl()
	ip.IPv6 = conf
	h = stack.NewHost(stack.Config{Loop: loop, Inet: &ip, Privileged: true, Interfaces: []stack.Interface{{Name: "eth0", Port: near}}})
	t.Cleanup(func() { h.Close() })
	return h, far, &log
}

// router is a host that advertises itself at the far end.
func router(t *testing.T, port link.Port, loop *event.Loop, m inet.Advertisement) *stack.Host {
	ip := inet.DefaultSysctl()
	ip.Forwarding = true
	h := stack.NewHost(stack.Config{Name: "router", Loop: loop, Inet: &ip, Privileged: true, Interfaces: []stack.Interface{
		{Name: "eth0", Port: port, Addrs: prefixes("fe80::1/64", "2001:db8:1::1/64"), Advertise: &m}}})
	t.Cleanup(func() { h.Close() })
	return h
}

// shown is a host's addresses of eth0 with their flags.
func shown(h *stack.Host) string {
	var list []string
	for _, a := range h.Addresses() {
		if a.Interface != "lo" {
			list = append(list, fmt.Sprintf("%v %#x", a.Prefix, uint32(a.Flags)))
		}
	}
	return strings.Join(list, ", ")
}

// An address is tentative until a probe of it went unanswered, and only then routers are asked for (RFC 4862 section 5.4,
// RFC 4861 section 6.3.7, with the back-off of RFC 7559).
func TestAHostMakesItsLinkLocalAddress(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		conf := inet.AutoconfIPv6()
		conf.RouterSolicitations = 3
		h, far, sent := autoconfigured(t, conf)
		_ = far
		s := must(h.Sockets().Socket(sockeye.AF_INET6, sockeye.SOCK_DGRAM, 0))
		defer s.Close()
		addr := h.Addresses()[2].Prefix.Addr()
		if got, want := shown(h), addr.String()+"/64 0xc0"; got != want {
			t.Errorf("at first it has %s, want %s", got, want)
		}
		index := uint32(2)
		if err := s.Bind(sockeye.SockaddrInet6(addr.As16(), 1234, 0, index)); err == nil {
			t.Error("a tentative address can be bound to")
		}
		time.Sleep(3 * time.Second)
		if got, want := shown(h), addr.String()+"/64 0x80"; got != want {
			t.Errorf("then it has %s, want %s", got, want)
		}
		ok(t, s.Bind(sockeye.SockaddrInet6(addr.As16(), 1234, 0, index)))
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(*sent); n != 4 || !strings.Contains((*sent)[0], "type 135 :: > ff02::1:ff") {
			t.Errorf("it sent %q", *sent)
		}
		for i, line := range (*sent)[1:] {
			if !strings.HasSuffix(line, fmt.Sprintf("type 133 %v > ff02::2", addr)) {
				t.Errorf("solicitation %d: %q", i, line)
			}
		}
	})
}

// What a router tells makes addresses, routes, the hop limit and the MTU, for as long as it says.
func TestAHostLearnsFromARouter(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		loop := leak.Loop(t)
		defer loop.Close()
		one, two := link.Cable(loop, link.CableOptions{Ethernet: true})
		advert := inet.Advertisement{Interval: time.Hour, RouterAdvert: wire.RouterAdvert{HopLimit: 33, Preference: 1, Lifetime: 30 * time.Minute, NumPrefixes: 1,
			Options:  wire.NDPOptions{Set: wire.OptLinkMTU, MTU: 1400},
			Prefixes: [wire.MaxPrefixes]wire.PrefixInfo{{Prefix: wire.AddrFromNetip(netip.MustParseAddr("2001:db8:1::")), Bits: 64, OnLink: true, Autonomous: true, Valid: 3 * time.Hour, Preferred: time.Hour}}}}
		r := router(t, two, loop, advert)
		defer r.Close()
		ip := inet.DefaultSysctl()
		ip.IPv6 = inet.AutoconfIPv6()
		h := stack.NewHost(stack.Config{Loop: loop, Inet: &ip, Privileged: true, Interfaces: []stack.Interface{{Name: "eth0", Port: one}}})
		defer h.Close()
		time.Sleep(10 * time.Second)
		all := h.Addresses()
		global := all[len(all)-1]
		if !strings.HasPrefix(global.Prefix.String(), "2001:db8:1:0:") && !strings.HasPrefix(global.Prefix.String(), "2001:db8:1::") || global.Flags != 0 {
			t.Fatalf("its addresses are %s", shown(h))
		}
		var routes []string
		for _, r := range h.Routes() {
			routes = append(routes, fmt.Sprintf("%v via %v metric %d", r.Dst, r.Gateway, r.Metric))
		}
		if got, want := strings.Join(routes, ", "), "fe80::/64 via invalid IP metric 0, 2001:db8:1::/64 via invalid IP metric 256, ::/0 via fe80::1 metric 1024"; got != want {
			t.Errorf("its routes are\n%s, want\n%s", got, want)
		}
		a, b := udp(h, sockeye.AF_INET6, global.Prefix.Addr().String(), 1), udp(r, sockeye.AF_INET6, "2001:db8:1::1", 7)
		ok(t, b.SetsockoptInt(sockeye.SOL_IPV6, sockeye.IPV6_RECVHOPLIMIT.Name, 1))
		must(a.Sendto([]byte("x"), 0, at("2001:db8:1::1", 7)))
		m := sockeye.Message{Buffers: [][]byte{make([]byte, 10)}, Control: make([]byte, 64)}
		must(b.Recvmsg(&m, 0))
		for c := range m.ControlMessages() {
			if hops, _ := c.Int(); hops != 33 {
				t.Errorf("it sends with a hop limit of %d", hops)
			}
		}
		ok(t, a.Connect(at("2001:db8:1::1", 7)))
		if mtu := must(sockeye.IPV6_MTU.Get(a)); mtu != 1400 {
			t.Errorf("the MTU is %d", mtu)
		}

		r.Close() // and nobody advertises any more
		time.Sleep(31 * time.Minute)
		if n := len(h.Routes()); n != 2 {
			t.Errorf("with the router's lifetime over it has %d routes", n)
		}
		time.Sleep(30 * time.Minute)
		if all = h.Addresses(); all[len(all)-1].Flags != inet.IFA_F_DEPRECATED {
			t.Errorf("its addresses, not preferred any more: %s", shown(h))
		}
		time.Sleep(2 * time.Hour)
		if got := h.Addresses(); len(got) != len(all)-1 || len(h.Routes()) != 1 {
			t.Errorf("with the prefix's lifetime over it has %s, %v", shown(h), h.Routes())
		}
	})
}

// A probe or an answer of somebody else for the same address keeps the host from using it (RFC 4862 section 5.4.3 and 4);
// one that was made of a secret is made again (RFC 7217 section 6).
func TestDuplicateAddressesAreNotUsed(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		name string
		mode inet.AddrGenMode
		want string
	}{
		{"EUI-64", inet.AddrGenEUI64, "0xc8"},
		{"stable privacy", inet.AddrGenStablePrivacy, "0x880"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conf := inet.AutoconfIPv6()
				conf.AddrGenMode, conf.RouterSolicitations = tt.mode, 0
				h, far, _ := autoconfigured(t, conf)
				first := h.Addresses()[2].Prefix.Addr()
				answers := 1
				far.Attach(receiver(func(_ event.Time, p *packet.Packet) {
					b := p.AppendTo(nil)
					p.Release()
					if answers == 0 || b[wire.EthernetLen+wire.IPv6Len] != wire.NDISC_NEIGHBOUR_SOLICITATION {
						return
					}
					answers--
					target := wire.AddrFromNetip(first)
					m := wire.NeighborAdvert{Target: target, Override: true}
					nodes := wire.AddrFromNetip(netip.MustParseAddr("ff02::1"))
					body := make([]byte, m.Len())
					m.Put(body)
					wire.FillICMPv6(body, wire.PseudoSum(target, nodes, wire.IPPROTO_ICMPV6, len(body)))
					q := packet.NewPacket()
					q.Append(packet.Of(body))
					q.Sum = packet.SumGood
					(&wire.IPv6{Src: target, Dst: nodes, HopLimit: wire.NDPHopLimit, NextHeader: wire.IPPROTO_ICMPV6}).Put(q.Push(wire.IPv6Len), len(body))
					wire.Ethernet{Dst: nodes.MulticastMAC(), Src: wire.MAC{2, 9}, Type: wire.ETH_P_IPV6}.Put(q.Push(wire.EthernetLen))
					far.Send(q)
				}))
				time.Sleep(10 * time.Second)
				got := shown(h)
				if again := tt.mode == inet.AddrGenStablePrivacy; again == strings.Contains(got, first.String()) || !strings.HasSuffix(got, "/64 "+tt.want) {
					t.Errorf("it has %s, and %v is another's", got, first)
				}
			})
		})
	}
}

// A plugged is a port with another hardware address.
type plugged struct {
	link.Port
	hardware [6]byte
}

func (p plugged) Properties() link.Properties {
	props := p.Port.Properties()
	props.Hardware = p.hardware
	return props
}

// Linux 6.18 made these addresses: the first of a veth's address, the second of its permanent address, which is zero, and
// this stable_secret.
func TestAddressesAreThoseThatLinuxMakes(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		mode     inet.AddrGenMode
		hardware [6]byte
		want     string
	}{
		{inet.AddrGenEUI64, [6]byte{2, 0, 0, 0, 0, 1}, "fe80::ff:fe00:1"},
		{inet.AddrGenStablePrivacy, [6]byte{}, "fe80::88cf:4891:a68c:e03f"},
	} {
		synctest.Test(t, func(t *testing.T) {
			loop := leak.Loop(t)
			defer loop.Close()
			near, _ := link.Cable(loop, link.CableOptions{Ethernet: true})
			ip := inet.DefaultSysctl()
			ip.IPv6 = inet.IPv6Conf{AddrGenMode: tt.mode, StableSecret: netip.MustParseAddr("2001:db8::1").As16()}
			h := stack.NewHost(stack.Config{Loop: loop, Inet: &ip, Interfaces: []stack.Interface{{Name: "eth0", Port: plugged{near, tt.hardware}}}})
			defer h.Close()
			if got := h.Addresses()[2].Prefix.Addr(); got != netip.MustParseAddr(tt.want) {
				t.Errorf("mode %d makes %v, want %v", tt.mode, got, tt.want)
			}
		})
	}
}

type receiver func(event.Time, *packet.Packet)

func (f receiver) Receive(now event.Time, p *packet.Packet) { f(now, p) }
