package stack_test

import (
	"bytes"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"sockeye"
	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/stack"
	"sockeye/stack/inet"
	"sockeye/wire"
)

// routed is three hosts: 10.1.0.1 and fd01::1, a router, 10.2.0.1 and fd02::1. The
// second cable has a smaller MTU. All have the settings as changed.
func routed(t *testing.T, changes ...func(*inet.Sysctl)) (a, router, b *stack.Host) {
	ip := inet.DefaultSysctl()
	for _, change := range changes {
		change(&ip)
	}
	ends := ip
	loop := leak.Loop(t)
	one, two := link.Cable(loop, link.CableOptions{Ethernet: true})
	three, four := link.Cable(loop, link.CableOptions{Ethernet: true, MTU: 1300})
	host := func(name, v4, v6, via4, via6 string, port link.Port) *stack.Host {
		return stack.NewHost(stack.Config{Name: name, Loop: loop, Privileged: true, Inet: &ends,
			Interfaces: []stack.Interface{{Name: "eth0", Port: port, Addrs: prefixes(v4, v6)}},
			Routes: []stack.Route{
				{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr(via4)},
				{Dst: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr(via6)},
			}})
	}
	a = host("a", "10.1.0.1/24", "fd01::1/64", "10.1.0.254", "fd01::fe", one)
	b = host("b", "10.2.0.1/24", "fd02::1/64", "10.2.0.254", "fd02::fe", four)
	ip.Forwarding = true
	router = stack.NewHost(stack.Config{Name: "router", Loop: loop, Inet: &ip, Interfaces: []stack.Interface{
		{Name: "eth0", Port: two, Addrs: prefixes("10.1.0.254/24", "fd01::fe/64")},
		{Name: "eth1", Port: three, Addrs: prefixes("10.2.0.254/24", "fd02::fe/64")},
	}})
	t.Cleanup(func() {
		for _, h := range []*stack.Host{a, router, b} {
			h.Close()
		}
	})
	return a, router, b
}

var routedVersions = []struct {
	name   string
	family sockeye.Family
	a, b   string
}{
	{"IPv4", sockeye.AF_INET, "10.1.0.1", "10.2.0.1"},
	{"IPv6", sockeye.AF_INET6, "fd01::1", "fd02::1"},
}

func TestARouterForwards(t *testing.T) {
	leak.Check(t)
	for _, v := range routedVersions {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, router, b := routed(t)
				server, client := udp(b, v.family, v.b, 7), udp(a, v.family, v.a, 8)
				sockeye.IP_RECVTTL.Set(server, true)
				sockeye.IPV6_RECVHOPLIMIT.Set(server, true)
				client.Sendto([]byte("x"), 0, at(v.b, 7))
				m := sockeye.Message{Buffers: [][]byte{make([]byte, 10)}, Control: make([]byte, 64)}
				if _, err := server.Recvmsg(&m, 0); err != nil {
					t.Fatal(err)
				}
				for c := range m.ControlMessages() {
					if hops, _ := c.Int(); hops != 63 {
						t.Errorf("it came with %d hops left", hops)
					}
				}
				if n := router.Counters(); n.IP.ForwDatagrams+n.IP6.ForwDatagrams != 1 {
					t.Errorf("the counters are\n%v", n)
				}
			})
		})
	}
}

func TestHopsThatRunOutAreReported(t *testing.T) {
	leak.Check(t)
	for _, v := range routedVersions {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _, _ := routed(t)
				client := udp(a, v.family, v.a, 8)
				errorQueue(client, v.family)
				sockeye.IP_TTL.Set(client, 1)
				sockeye.IPV6_UNICAST_HOPS.Set(client, 1)
				client.Sendto([]byte("hello"), 0, at(v.b, 7))
				e, payload := extendedError(t, client)
				if e.Errno != syscall.EHOSTUNREACH || e.Type != 11 && e.Type != 3 || payload != "hello" {
					t.Errorf("got %+v about %q", e, payload)
				}
			})
		})
	}
}

func errorQueue(s *sockeye.Socket, family sockeye.Family) {
	if family == sockeye.AF_INET6 {
		sockeye.IPV6_RECVERR.Set(s, true)
	} else {
		sockeye.IP_RECVERR.Set(s, true)
	}
}

func extendedError(t *testing.T, s *sockeye.Socket) (e sockeye.ExtendedError, payload string) {
	m := sockeye.Message{Buffers: [][]byte{make([]byte, 2000)}, Control: make([]byte, 128)}
	n, err := s.Recvmsg(&m, sockeye.MSG_ERRQUEUE|sockeye.MSG_DONTWAIT)
	if err != nil {
		t.Fatal(err)
	}
	for c := range m.ControlMessages() {
		e, _ = c.ExtendedError()
	}
	return e, string(m.Buffers[0][:n])
}

func TestThePathMTUIsLearned(t *testing.T) {
	leak.Check(t)
	for _, v := range routedVersions {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _, b := routed(t)
				server, client := udp(b, v.family, v.b, 7), udp(a, v.family, v.a, 8)
				errorQueue(client, v.family)
				client.Connect(at(v.b, 7))
				data := []byte(strings.Repeat("x", 1400))
				client.Send(data, 0)
				if e, _ := extendedError(t, client); e.Errno != syscall.EMSGSIZE || e.Info != 1300 {
					t.Errorf("got %+v", e)
				}
				option := sockeye.IP_MTU
				if v.family == sockeye.AF_INET6 {
					option = sockeye.IPV6_MTU
				}
				if mtu, err := option.Get(client); mtu != 1300 {
					t.Errorf("the path MTU is %d, %v", mtu, err)
				}
				client.Send(data, 0) // in fragments now
				buf := make([]byte, 2000)
				if n, err := server.Recv(buf, 0); n != len(data) {
					t.Errorf("received %d bytes: %v", n, err)
				}
			})
		})
	}
}

// A fragment that is cut again on its way keeps the identification and its place, and options
// that are to be copied stand in all of them (RFC 791 sections 3.1 and 3.2).
func TestFragmentsAreCutAgain(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		loop := leak.Loop(t)
		defer loop.Close()
		one, two := link.Cable(loop, link.CableOptions{MTU: 1000})
		three, four := link.Cable(loop, link.CableOptions{MTU: 300})
		type seen struct {
			id     uint16
			copied bool
			noops  bool
		}
		var fragments []seen
		observed := must(link.Impair(loop, three, link.Impairment{Observe: func(_ event.Time, d link.Direction, f link.Fate, p *packet.Packet) {
			ip, _, err := wire.ParseIPv4(p.AppendTo(nil))
			if d == link.Out && f == link.Sent && err == nil {
				fragments = append(fragments, seen{ip.ID, wire.IPv4Option(ip.Options, wire.IPOPT_RA) != nil, bytes.HasPrefix(ip.Options, []byte{wire.IPOPT_NOOP})})
			}
		}}))
		ip := inet.DefaultSysctl()
		ip.Forwarding = true
		router := stack.NewHost(stack.Config{Loop: loop, Inet: &ip, Interfaces: []stack.Interface{
			{Name: "eth0", Port: two, Addrs: prefixes("10.1.0.254/24")}, {Name: "eth1", Port: observed, Addrs: prefixes("10.2.0.254/24")},
		}})
		defer router.Close()
		host := func(addr, via string, port link.Port) *stack.Host {
			h := stack.NewHost(stack.Config{Loop: loop, Privileged: true,
				Interfaces: []stack.Interface{{Name: "eth0", Port: port, Addrs: prefixes(addr)}},
				Routes:     []stack.Route{{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr(via)}}})
			t.Cleanup(func() { h.Close() })
			return h
		}
		a, b := host("10.1.0.1/24", "10.1.0.254", one), host("10.2.0.1/24", "10.2.0.254", four)
		client, server := udp(a, sockeye.AF_INET, "10.1.0.1", 8), udp(b, sockeye.AF_INET, "10.2.0.1", 7)
		sockeye.IP_MTU_DISCOVER.Set(client, sockeye.IP_PMTUDISC_DONT)
		recordRoute := []byte{wire.IPOPT_RR, 7, 4, 0, 0, 0, 0, wire.IPOPT_NOOP}
		if err := sockeye.IP_OPTIONS.Set(client, append(recordRoute, wire.RouterAlertIPv4...)); err != nil {
			t.Fatal(err)
		}
		data, got := noise(3000), make([]byte, 4000)
		client.Sendto(data, 0, at("10.2.0.1", 7))
		if n, err := server.Recv(got, 0); err != nil || !bytes.Equal(got[:n], data) {
			t.Errorf("received %d bytes: %v", n, err)
		}
		if len(fragments) < 3000/300 {
			t.Errorf("it came in %d fragments", len(fragments))
		}
		for i, f := range fragments {
			if want := (seen{fragments[0].id, true, i > 0}); f != want {
				t.Errorf("fragment %d is %+v, want %+v", i, f, want)
			}
		}
	})
}
