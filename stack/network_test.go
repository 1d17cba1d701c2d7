package stack_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
)

// must gives the value of a call that cannot fail here.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func prefixes(ss ...string) (ps []netip.Prefix) {
	for _, s := range ss {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}

// pair is two hosts, 10.0.0.1 and 10.0.0.2, fd00::1 and fd00::2, on a cable.
func pair(t *testing.T, o link.CableOptions) (a, b *stack.Host) {
	loop := event.New()
	near, far := link.Cable(loop, o)
	a = stack.NewHost(stack.Config{Name: "a", Loop: loop, Seed: 1, Privileged: true,
		Interfaces: []stack.Interface{{Name: "eth0", Port: near, Addrs: prefixes("10.0.0.1/24", "fd00::1/64")}}})
	b = stack.NewHost(stack.Config{Name: "b", Loop: loop, Seed: 2, Privileged: true,
		Interfaces: []stack.Interface{{Name: "eth0", Port: far, Addrs: prefixes("10.0.0.2/24", "fd00::2/64")}}})
	t.Cleanup(func() {
		a.Close()
		b.Close()
		loop.Close()
	})
	return a, b
}

var cables = []struct {
	name string
	link.CableOptions
}{
	{"without hardware addresses", link.CableOptions{}},
	{"Ethernet", link.CableOptions{Ethernet: true}},
	{"Ethernet with large segments", link.CableOptions{Ethernet: true, MaxGSO: link.MaxGSO, Checksum: link.ChecksumByLink}},
}

var versions = []struct {
	name   string
	family sockeye.Family
	a, b   string
}{
	{"IPv4", sockeye.AF_INET, "10.0.0.1", "10.0.0.2"},
	{"IPv6", sockeye.AF_INET6, "fd00::1", "fd00::2"},
}

func at(ip string, port uint16) sockeye.Sockaddr {
	return sockeye.SockaddrInet(netip.AddrPortFrom(netip.MustParseAddr(ip), port))
}

// udp opens a UDP socket, bound to an address if ip is not empty.
func udp(h *stack.Host, family sockeye.Family, ip string, port uint16) *sockeye.Socket {
	s := must(h.Sockets().Socket(family, sockeye.SOCK_DGRAM, 0))
	if ip != "" {
		if err := s.Bind(at(ip, port)); err != nil {
			panic(err)
		}
	}
	return s
}

// everyWay runs f in a bubble for each kind of cable and version of IP.
func everyWay(t *testing.T, f func(t *testing.T, a, b *stack.Host, family sockeye.Family, aIP, bIP string)) {
	for _, c := range cables {
		for _, v := range versions {
			t.Run(v.name+"/"+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b := pair(t, c.CableOptions)
					f(t, a, b, v.family, v.a, v.b)
				})
			})
		}
	}
}

func TestDatagramsCrossACableBothWays(t *testing.T) {
	everyWay(t, func(t *testing.T, a, b *stack.Host, family sockeye.Family, aIP, bIP string) {
		server, client := udp(b, family, bIP, 7), udp(a, family, "", 0)
		go func() {
			buf := make([]byte, 100)
			for range 3 {
				n, from, err := server.Recvfrom(buf, 0)
				if err != nil || from.Addr() != netip.MustParseAddr(aIP) {
					t.Error(n, from, err)
					return
				}
				server.Sendto([]byte(strings.ToUpper(string(buf[:n]))), 0, from)
			}
		}()
		if err := client.Connect(at(bIP, 7)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		for _, word := range []string{"one", "", "three"} {
			client.Send([]byte(word), 0)
			if n, err := client.Recv(buf, 0); err != nil || string(buf[:n]) != strings.ToUpper(word) {
				t.Errorf("sent %q, got %q, %v", word, buf[:n], err)
			}
		}
	})
}

func TestLongDatagramsAreCutAndPutTogether(t *testing.T) {
	everyWay(t, func(t *testing.T, a, b *stack.Host, family sockeye.Family, aIP, bIP string) {
		server, client := udp(b, family, bIP, 7), udp(a, family, aIP, 8)
		for _, n := range []int{1472, 1473, 3000, 65507} {
			data := []byte(strings.Repeat("0123456789abcde", n/15+1)[:n])
			if _, err := client.Sendto(data, 0, at(bIP, 7)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 70000)
			if got, err := server.Recv(buf, 0); err != nil || string(buf[:got]) != string(data) {
				t.Errorf("sent %d bytes, got %d: %v", n, got, err)
			}
		}
		if c := b.Counters(); c.IPReasmOKs < 2 || c.IPReasmFails != 0 {
			t.Errorf("%d packets were put together, %d not", c.IPReasmOKs, c.IPReasmFails)
		}
	})
}

func TestManyDatagramsOfOneSendArriveApart(t *testing.T) {
	everyWay(t, func(t *testing.T, a, b *stack.Host, family sockeye.Family, aIP, bIP string) {
		server, client := udp(b, family, bIP, 7), udp(a, family, aIP, 8)
		sockeye.UDP_SEGMENT.Set(client, 1000)
		data := strings.Repeat("x", 1000) + strings.Repeat("y", 1000) + "z"
		if _, err := client.Sendto([]byte(data), 0, at(bIP, 7)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 2000)
		for _, want := range []string{data[:1000], data[1000:2000], "z"} {
			if n, err := server.Recv(buf, 0); err != nil || string(buf[:n]) != want {
				t.Errorf("got %d bytes: %v", n, err)
			}
		}
	})
}

func TestAClosedPortRefusesAConnectedSocket(t *testing.T) {
	everyWay(t, func(t *testing.T, a, b *stack.Host, family sockeye.Family, aIP, bIP string) {
		client := udp(a, family, "", 0)
		client.Connect(at(bIP, 7))
		client.Send([]byte("x"), 0)
		if _, err := client.Recv(make([]byte, 1), 0); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
	})
}

func TestANeighbourThatIsNotThereIsReported(t *testing.T) {
	for _, v := range []struct{ name, ip string }{{"IPv4", "10.0.0.77"}, {"IPv6", "fd00::77"}} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _ := pair(t, link.CableOptions{Ethernet: true})
				dst := at(v.ip, 7)
				s := udp(a, dst.Family(), "", 0)
				sockeye.IP_RECVERR.Set(s, true)
				if dst.Family() == sockeye.AF_INET6 {
					sockeye.IPV6_RECVERR.Set(s, true)
				}
				s.Connect(dst)
				s.Send([]byte("x"), 0)
				start := time.Now()
				if _, err := s.Recv(make([]byte, 1), 0); !errors.Is(err, syscall.EHOSTUNREACH) {
					t.Error(err)
				}
				if d := time.Since(start); d != 3*time.Second { // three solicitations
					t.Errorf("after %v", d)
				}
				if n := a.Neighbours(); len(n) != 1 || n[0].State != inet.FAILED {
					t.Errorf("neighbours are %v", n)
				}
			})
		})
	}
}

func TestNeighboursBecomeStaleAndAreProbed(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t, link.CableOptions{Ethernet: true})
				client := udp(a, v.family, v.a, 8)
				udp(b, v.family, v.b, 7)
				for _, step := range []struct {
					wait  time.Duration
					send  bool
					state inet.NeighbourState
				}{
					{0, true, inet.REACHABLE},
					{31 * time.Second, true, inet.DELAY}, // it was stale until then
					{6 * time.Second, false, inet.REACHABLE},
				} {
					time.Sleep(step.wait)
					if step.send {
						client.Sendto([]byte("x"), 0, at(v.b, 7))
					}
					if n := a.Neighbours(); len(n) != 1 || n[0].State != step.state {
						t.Errorf("%v later: %v, want %v", step.wait, n, step.state)
					}
				}
			})
		})
	}
}

// routed is three hosts: 10.1.0.1 and fd01::1, a router, 10.2.0.1 and fd02::1. The
// second cable has a smaller MTU.
func routed(t *testing.T) (a, router, b *stack.Host) {
	loop := event.New()
	one, two := link.Cable(loop, link.CableOptions{Ethernet: true})
	three, four := link.Cable(loop, link.CableOptions{Ethernet: true, MTU: 1300})
	host := func(name, v4, v6, via4, via6 string, port link.Port) *stack.Host {
		return stack.NewHost(stack.Config{Name: name, Loop: loop, Privileged: true,
			Interfaces: []stack.Interface{{Name: "eth0", Port: port, Addrs: prefixes(v4, v6)}},
			Routes: []stack.Route{
				{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr(via4)},
				{Dst: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr(via6)},
			}})
	}
	a = host("a", "10.1.0.1/24", "fd01::1/64", "10.1.0.254", "fd01::fe", one)
	b = host("b", "10.2.0.1/24", "fd02::1/64", "10.2.0.254", "fd02::fe", four)
	ip := inet.DefaultSysctl()
	ip.Forwarding = true
	router = stack.NewHost(stack.Config{Name: "router", Loop: loop, Inet: &ip, Interfaces: []stack.Interface{
		{Name: "eth0", Port: two, Addrs: prefixes("10.1.0.254/24", "fd01::fe/64")},
		{Name: "eth1", Port: three, Addrs: prefixes("10.2.0.254/24", "fd02::fe/64")},
	}})
	t.Cleanup(func() {
		for _, h := range []*stack.Host{a, router, b} {
			h.Close()
		}
		loop.Close()
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
				if n := router.Counters().IPForwDatagrams; n != 1 {
					t.Errorf("%d packets were forwarded", n)
				}
			})
		})
	}
}

func TestHopsThatRunOutAreReported(t *testing.T) {
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

func TestGroupsReceiveWhatIsSentToThem(t *testing.T) {
	for _, v := range []struct {
		name, group string
		family      sockeye.Family
	}{{"IPv4", "239.1.1.1", sockeye.AF_INET}, {"IPv6", "ff02::77", sockeye.AF_INET6}} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t, link.CableOptions{Ethernet: true})
				wildcard := "0.0.0.0"
				if v.family == sockeye.AF_INET6 {
					wildcard = "::"
				}
				server, client := udp(b, v.family, wildcard, 7), udp(a, v.family, "", 0)
				group := sockeye.Membership{Group: netip.MustParseAddr(v.group), Ifindex: 2}
				join, leave := sockeye.IP_ADD_MEMBERSHIP, sockeye.IP_DROP_MEMBERSHIP
				if v.family == sockeye.AF_INET6 {
					join, leave = sockeye.IPV6_ADD_MEMBERSHIP, sockeye.IPV6_DROP_MEMBERSHIP
				}
				sockeye.IP_MULTICAST_IF.Set(client, sockeye.MulticastInterface{Ifindex: 2})
				sockeye.IPV6_MULTICAST_IF.Set(client, 2)
				buf := make([]byte, 10)
				for _, joined := range []bool{false, true, false} {
					if joined {
						if err := join.Set(server, group); err != nil {
							t.Fatal(err)
						}
					}
					if _, err := client.Sendto([]byte("x"), 0, at(v.group, 7)); err != nil {
						t.Fatal(err)
					}
					if _, err := server.Recv(buf, sockeye.MSG_DONTWAIT); (err == nil) != joined {
						t.Errorf("joined %v, received %v", joined, err)
					}
					if joined {
						leave.Set(server, group)
					}
				}
			})
		})
	}
}

func TestBroadcastsReachEveryHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, link.CableOptions{Ethernet: true})
		server, client := udp(b, sockeye.AF_INET, "0.0.0.0", 7), udp(a, sockeye.AF_INET, "", 0)
		if _, err := client.Sendto([]byte("x"), 0, at("10.0.0.255", 7)); !errors.Is(err, syscall.EACCES) {
			t.Errorf("without SO_BROADCAST: %v", err)
		}
		sockeye.SO_BROADCAST.Set(client, true)
		if _, err := client.Sendto([]byte("x"), 0, at("10.0.0.255", 7)); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Recv(make([]byte, 1), sockeye.MSG_DONTWAIT); err != nil {
			t.Error(err)
		}
	})
}

func TestFragmentsThatStayAloneAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, link.CableOptions{})
		raw := must(a.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_RAW))
		first := []byte{0x45, 0, 0, 28, 0, 1, 0x20, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 7, 0, 100, 0, 0}
		raw.Sendto(first, 0, at("10.0.0.2", 0))
		time.Sleep(31 * time.Second)
		if c := b.Counters(); c.IPReasmTimeout != 1 || c.ICMPOutMsgs != 1 {
			t.Errorf("%d timeouts, %d ICMP messages", c.IPReasmTimeout, c.ICMPOutMsgs)
		}
	})
}

func TestAHostListsItsSocketsInterfacesAndRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, link.CableOptions{Ethernet: true})
		client, server := udp(a, sockeye.AF_INET, "10.0.0.1", 8), udp(b, sockeye.AF_INET, "10.0.0.2", 7)
		client.Connect(at("10.0.0.2", 7))
		client.Send([]byte("x"), 0)
		for _, tt := range []struct {
			host *stack.Host
			want string
		}{
			{a, "true 10.0.0.1:8 10.0.0.2:7 false"},
			{b, "false 10.0.0.2:7 - true"},
		} {
			for _, s := range tt.host.ListSockets() {
				if got := fmt.Sprint(s.Connected, s.Local, s.Remote, s.RecvQ > 0); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			}
			if n := len(tt.host.ListSockets()); n != 1 {
				t.Errorf("%d sockets", n)
			}
		}
		server.Close()
		if n := len(b.ListSockets()); n != 0 {
			t.Errorf("%d sockets after close", n)
		}
		interfaces := a.Interfaces()
		if len(interfaces) != 2 || interfaces[0].Name != "lo" || fmt.Sprint(interfaces[1].Addrs) != "[10.0.0.1/24 fd00::1/64]" {
			t.Errorf("interfaces are %v", interfaces)
		}
		gateway := stack.Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.2"), Interface: "eth0"}
		if err := a.AddRoute(gateway); err != nil {
			t.Fatal(err)
		}
		if routes := a.Routes(); len(routes) != 3 || routes[2] != gateway {
			t.Errorf("routes are %v", routes)
		}
		if err := a.AddRoute(stack.Route{Dst: gateway.Dst, Gateway: netip.MustParseAddr("192.0.2.1")}); err == nil {
			t.Error("a gateway that no interface leads to was taken")
		}
	})
}

// A bubble ends only when no goroutine is left in it, and a loop that was closed arms no
// timer.
func TestNothingHappensAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := event.New()
		near, _ := link.Cable(loop, link.CableOptions{Ethernet: true})
		h := stack.NewHost(stack.Config{Loop: loop,
			Interfaces: []stack.Interface{{Name: "eth0", Port: near, Addrs: prefixes("10.0.0.1/24")}}})
		s := udp(h, sockeye.AF_INET, "10.0.0.1", 8000)
		sockeye.IP_RECVERR.Set(s, true)
		s.Sendto([]byte("x"), 0, at("10.0.0.77", 7)) // it waits for a neighbour
		h.Close()
		time.Sleep(time.Hour)
		if _, err := s.Recv(make([]byte, 1), sockeye.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("the neighbour was reported: %v", err)
		}
		if _, err := s.Sendto([]byte("x"), 0, at("10.0.0.77", 7)); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("a host that was closed sends: %v", err)
		}
		loop.Close()
	})
}

func TestReuseportSpreadsFlows(t *testing.T) {
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	var servers []*sockeye.Socket
	for range 4 {
		s := udp(h, sockeye.AF_INET, "", 0)
		sockeye.SO_REUSEPORT.Set(s, true)
		if err := s.Bind(at("127.0.0.1", 7000)); err != nil {
			t.Fatal(err)
		}
		servers = append(servers, s)
	}
	for port := range uint16(64) {
		c := udp(h, sockeye.AF_INET, "127.0.0.1", 8000+port)
		for range 2 {
			c.Sendto([]byte{byte(port)}, 0, at("127.0.0.1", 7000))
		}
	}
	at := make(map[byte]int)
	for i, s := range servers {
		n := 0
		buf := make([]byte, 1)
		for {
			if _, err := s.Recv(buf, sockeye.MSG_DONTWAIT); err != nil {
				break
			}
			if was, seen := at[buf[0]]; seen && was != i {
				t.Errorf("flow %d went to sockets %d and %d", buf[0], was, i)
			}
			at[buf[0]] = i
			n++
		}
		if n == 0 || n > 64 {
			t.Errorf("socket %d received %d of 128 datagrams", i, n)
		}
	}
	if len(at) != 64 {
		t.Errorf("%d of 64 flows arrived", len(at))
	}
}

func TestNamesAreTheHostsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := event.New()
		defer loop.Close()
		near, _ := link.Cable(loop, link.CableOptions{})
		h := stack.NewHost(stack.Config{Name: "a", Loop: loop, Hosts: map[string][]netip.Addr{"b": {netip.MustParseAddr("10.0.0.2")}},
			Interfaces: []stack.Interface{{Name: "eth0", Port: near, Addrs: prefixes("10.0.0.1/24")}}})
		defer h.Close()
		for name, want := range map[string]string{
			"a": "10.0.0.1:7", "b": "10.0.0.2:7", "localhost": "127.0.0.1:7", "nobody": "lookup nobody: no such host",
		} {
			c, err := h.Sockets().Dial("udp", name+":7")
			if err != nil {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("dialing %s: %v", name, err)
				}
				continue
			}
			if got := c.RemoteAddr().String(); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	})
}

func TestADatagramAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	server, client := udp(h, sockeye.AF_INET, "127.0.0.1", 7000), udp(h, sockeye.AF_INET, "127.0.0.1", 7001)
	client.Connect(at("127.0.0.1", 7000))
	buf := make([]byte, 64)
	if n := testing.AllocsPerRun(1000, func() {
		client.Send(buf, 0)
		server.Recv(buf, 0)
	}); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}
