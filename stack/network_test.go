package stack_test

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
	"sockeye/wire"
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
func pair(t testing.TB, o link.CableOptions) (a, b *stack.Host) {
	loop := leak.Loop(t)
	near, far := link.Cable(loop, o)
	a = stack.NewHost(stack.Config{Name: "a", Loop: loop, Seed: 1, Privileged: true,
		Interfaces: []stack.Interface{{Name: "eth0", Port: near, Addrs: prefixes("10.0.0.1/24", "fd00::1/64")}}})
	b = stack.NewHost(stack.Config{Name: "b", Loop: loop, Seed: 2, Privileged: true,
		Interfaces: []stack.Interface{{Name: "eth0", Port: far, Addrs: prefixes("10.0.0.2/24", "fd00::2/64")}}})
	t.Cleanup(func() {
		a.Close()
		b.Close()
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
	leak.Check(t)
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
	leak.Check(t)
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
		if c := b.Counters(); c.IP.ReasmOKs+c.IP6.ReasmOKs < 2 || c.IP.ReasmFails+c.IP6.ReasmFails != 0 {
			t.Errorf("the counters are\n%v", c)
		}
	})
}

func TestRawSocketsSeePacketsWhole(t *testing.T) {
	leak.Check(t)
	a, b := pair(t, link.CableOptions{Ethernet: true})
	const proto = 253 // which nobody speaks (RFC 3692)
	from := must(a.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_RAW, proto))
	to := must(b.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_RAW, proto))
	must(from.Sendto(make([]byte, 3000), 0, at("10.0.0.2", 0)))
	p := make([]byte, 4000)
	n := must(to.Recv(p, 0))
	var ip wire.IPv4
	if hlen, size, err := ip.Parse(p[:n], n); err != nil || hlen != 20 || size != 3000 || ip.IsFragment() {
		t.Errorf("%d bytes, of which the header tells %d and %d, %v, %+v", n, hlen, size, err, ip)
	}
}

func TestManyDatagramsOfOneSendArriveApart(t *testing.T) {
	leak.Check(t)
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
	leak.Check(t)
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
	leak.Check(t)
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
	leak.Check(t)
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

func TestFragmentsThatStayAloneAreForgotten(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, link.CableOptions{})
		raw := must(a.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_RAW))
		first := []byte{0x45, 0, 0, 28, 0, 1, 0x20, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 7, 0, 100, 0, 0}
		raw.Sendto(first, 0, at("10.0.0.2", 0))
		time.Sleep(31 * time.Second)
		if c := b.Counters(); c.IP.ReasmTimeout != 1 || c.ICMP.OutMsgs != 1 {
			t.Errorf("%d timeouts, %d ICMP messages", c.IP.ReasmTimeout, c.ICMP.OutMsgs)
		}
	})
}
