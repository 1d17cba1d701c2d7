package stack_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
)

// A way is the addresses that packets to a host pass, the host's own at the end.
type way []string

func (w way) router() string { return w[0] }
func (w way) host() string   { return w[len(w)-1] }

// narrow is the MTU in the middle of a path. IPv6 asks for 1280.
const narrow = 1300

// behindRouters is the kernel and, behind its TUN device, a Go host that forwards, a second one
// behind an Ethernet of smaller MTU, and a third that does not, behind an Ethernet like
// the device.
func behindRouters(t *testing.T) (first, host *stack.Host, ways []way) {
	namespace(t)
	loop := leak.Loop(t)
	t.Cleanup(loop.Close)
	dev := device(t, loop, 0, "10.9.0.1/24", "fd09::1/64")
	a, b := link.Cable(loop, link.CableOptions{Ethernet: true, MTU: narrow})
	c, d := link.Cable(loop, link.CableOptions{Ethernet: true})
	ip := inet.DefaultSysctl()
	ip.Forwarding = true
	ip.NeighbourRetrans = 10 * time.Millisecond
	first = stack.NewHost(stack.Config{Name: "first", Loop: loop, Inet: &ip,
		Interfaces: []stack.Interface{
			{Name: "tun0", Port: dev, Addrs: prefixes("10.9.0.2/24", "fd09::2/64")},
			{Name: "eth0", Port: a, Addrs: prefixes("10.8.0.1/24", "fd08::1/64")},
		},
		Routes: []stack.Route{route("10.7.0.0/24", "10.8.0.2"), route("fd07::/64", "fd08::2")}})
	second := stack.NewHost(stack.Config{Name: "second", Loop: loop, Inet: &ip,
		Interfaces: []stack.Interface{
			{Name: "eth0", Port: b, Addrs: prefixes("10.8.0.2/24", "fd08::2/64")},
			{Name: "eth1", Port: c, Addrs: prefixes("10.7.0.1/24", "fd07::1/64")},
		},
		Routes: []stack.Route{route("0.0.0.0/0", "10.8.0.1"), route("::/0", "fd08::1")}})
	host = stack.NewHost(stack.Config{Name: "host", Loop: loop, Privileged: true,
		Interfaces: []stack.Interface{{Name: "eth0", Port: d, Addrs: prefixes("10.7.0.2/24", "fd07::2/64")}},
		Routes:     []stack.Route{route("0.0.0.0/0", "10.7.0.1"), route("::/0", "fd07::1")}})
	t.Cleanup(func() {
		for _, h := range []*stack.Host{first, second, host} {
			h.Close()
		}
	})
	for _, dst := range []string{"10.8.0.0/24", "10.7.0.0/24"} {
		run(t, "ip route add %s via 10.9.0.2", dst)
	}
	for _, dst := range []string{"fd08::/64", "fd07::/64"} {
		run(t, "ip route add %s via fd09::2", dst)
	}
	ways = []way{{"10.9.0.2", "10.8.0.2", "10.7.0.2"}, {"fd09::2", "fd08::2", "fd07::2"}}
	for _, w := range ways {
		reach(t, w...)
	}
	return first, host, ways
}

func route(dst, via string) stack.Route {
	return stack.Route{Dst: netip.MustParsePrefix(dst), Gateway: netip.MustParseAddr(via)}
}

// forget makes the kernel forget what it has learned of paths.
func forget(t *testing.T) {
	run(t, "ip -4 route flush cache")
	run(t, "ip -6 route flush cache")
}

func TestPingsOfEverySizeAreAnswered(t *testing.T) {
	leak.Check(t)
	h := neighbourhood(t)
	for ip, sizes := range map[string][]string{
		"10.9.0.2": {"0", "8", "56", "1472", "1473", "8000", "65507"}, // ICMP's header takes 8, IP's 20
		"fd09::2":  {"0", "8", "56", "1452", "1453", "8000", "65527"},
	} {
		for _, size := range sizes {
			run(t, "ping -c 3 -i 0.01 -w 10 -s %s %s", size, ip) // which fails with fewer than 3 answers in 10 seconds
		}
	}
	if c := h.Counters(); c.IP.ReasmOKs == 0 || c.IP6.ReasmOKs == 0 || c.IP.FragCreates == 0 || c.IP.ReasmFails+c.IP6.ReasmFails != 0 || c.ICMP.InErrors+c.ICMP6.InErrors != 0 {
		t.Errorf("%+v", c)
	}
}

func TestPingHearsFromRouters(t *testing.T) {
	leak.Check(t)
	_, _, ways := behindRouters(t)
	for _, w := range ways {
		for _, size := range []string{"56", "1240", "1400", "30000"} {
			// Where routers may not cut, the first request and the first answer are lost.
			attempt(t, "ping -M dont -c 2 -i 0.01 -W 0.1 -s %s %s", size, w.host())
			run(t, "ping -M dont -c 3 -i 0.01 -w 10 -s %s %s", size, w.host()) // which fails with fewer than 3 answers in 10 seconds
		}
		forget(t)
		for _, tt := range []struct{ flags, to, want string }{
			{"-M do -s 1400", w.host(), `(?i)From ` + w.router() + ` .*(frag needed and DF set \(mtu = 1300\)|packet too big: mtu=1300)`},
			{"-t 1", w.host(), `From ` + w.router() + ` .*(Time to live exceeded|Time exceeded: Hop limit)`},
			{"-t 2", w.host(), `From ` + w[1] + ` .*(Time to live exceeded|Time exceeded: Hop limit)`},
			{"", w.host() + "7", `From ` + w[1] + ` .*(Destination Host Unreachable|Destination unreachable: Address unreachable)`},
		} {
			if out, _ := attempt(t, "ping -c 1 -W 10 %s %s", tt.flags, tt.to); !regexp.MustCompile(tt.want).MatchString(out) {
				t.Errorf("ping %s %s: no %s in %s", tt.flags, tt.to, tt.want, out)
			}
		}
	}
}

func TestTracerouteSeesTheRoutersAndTheHost(t *testing.T) {
	leak.Check(t)
	_, host, ways := behindRouters(t)
	hop := regexp.MustCompile(`(?m)^ *\d+  (\S+)  [\d.]+ ms`)
	for _, w := range ways {
		l := must(host.Sockets().Listen("tcp", net.JoinHostPort(w.host(), "80")))
		for _, method := range []string{"", "-I", "-T -p 80", "-T -p 81", "-U -p 53"} {
			out := run(t, "traceroute -n -q 1 %s %s", method, w.host())
			var got way
			for _, m := range hop.FindAllStringSubmatch(out, -1) {
				got = append(got, m[1])
			}
			if !slices.Equal(got, w) {
				t.Errorf("traceroute %s goes by %v: %s", method, got, out)
			}
		}
		l.Close()
	}
}

func TestTracepathFindsTheSmallestMTU(t *testing.T) {
	leak.Check(t)
	_, _, ways := behindRouters(t)
	for _, w := range ways {
		out := run(t, "tracepath -n %s", w.host())
		for i, ip := range w {
			if !regexp.MustCompile(fmt.Sprintf(`(?m)^ %d: +%s `, i+1, ip)).MatchString(out) {
				t.Errorf("%s is not hop %d: %s", ip, i+1, out)
			}
		}
		if !strings.Contains(out, "Resume: pmtu 1300 hops 3 back 3") {
			t.Errorf("tracepath to %s: %s", w.host(), out)
		}
	}
}

// Both ends of a connection announce the size of their own link, and learn from a Go host
// that forwards what fits in between: the kernel for its segments, and a Go host for its own.
func TestSegmentsFitThePathBehindGoRouters(t *testing.T) {
	leak.Check(t)
	_, host, ways := behindRouters(t)
	data := noise(4 << 20)
	for _, w := range ways {
		forget(t)
		l := must(host.Sockets().Listen("tcp", net.JoinHostPort(w.host(), "80")))
		client := must(net.Dial("tcp", l.Addr().String()))
		server := must(l.Accept())
		stream(t, client, server, data)
		stream(t, server, client, data)
		if out := run(t, "ss -tin dst %s", net.JoinHostPort(w.host(), "80")); !strings.Contains(out, " pmtu:1300 ") {
			t.Errorf("the kernel's path to %s: %s", w.host(), out)
		}
		if mtu := pathMTU(server); mtu != narrow {
			t.Errorf("the path MTU back from %s is %d", w.host(), mtu)
		}
		client.Close()
		server.Close()
		l.Close()
	}
}

// pathMTU is what a Go host knows of a connection's path.
func pathMTU(c net.Conn) int {
	s := c.(interface{ Socket() *sockeye.Socket }).Socket()
	return int(must(sockeye.TCP_INFO.Get(s)).PMTU)
}

// stream sends data one way, and checks what arrives.
func stream(t *testing.T, from, to net.Conn, data []byte) {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		_, err := from.Write(data)
		sent <- err
	}()
	got := make([]byte, len(data))
	if n, err := io.ReadFull(to, got); err != nil || !bytes.Equal(got, data) {
		t.Errorf("received %d bytes of %d, equal %v: %v", n, len(data), bytes.Equal(got, data), err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// The kernel forwards between Go hosts, and the path is narrow behind it: a Go host learns that
// from the kernel, and the one at the other end from a Go host.
func TestSegmentsFitThePathBehindTheKernel(t *testing.T) {
	leak.Check(t)
	namespace(t)
	for _, setting := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if err := os.WriteFile("/proc/sys/net/"+setting, []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	loop := leak.Loop(t)
	t.Cleanup(loop.Close)
	ip := inet.DefaultSysctl()
	ip.Forwarding = true
	host := func(name, via4, via6 string, interfaces ...stack.Interface) *stack.Host {
		h := stack.NewHost(stack.Config{Name: name, Loop: loop, Privileged: true, Inet: &ip, Interfaces: interfaces,
			Routes: []stack.Route{route("0.0.0.0/0", via4), route("::/0", via6)}})
		t.Cleanup(func() { h.Close() })
		return h
	}
	a, b := link.Cable(loop, link.CableOptions{})
	near := host("near", "10.9.0.1", "fd09::1",
		stack.Interface{Name: "tun0", Port: device(t, loop, 1500, "10.9.0.1/24", "fd09::1/64"), Addrs: prefixes("10.9.0.2/24", "fd09::2/64")})
	host("router", "10.8.0.1", "fd08::1",
		stack.Interface{Name: "tun1", Port: device(t, loop, narrow, "10.8.0.1/24", "fd08::1/64"), Addrs: prefixes("10.8.0.2/24", "fd08::2/64")},
		stack.Interface{Name: "eth0", Port: a, Addrs: prefixes("10.7.0.1/24", "fd07::1/64")})
	far := host("far", "10.7.0.1", "fd07::1", stack.Interface{Name: "eth0", Port: b, Addrs: prefixes("10.7.0.2/24", "fd07::2/64")})
	run(t, "ip route add 10.7.0.0/24 via 10.8.0.2")
	run(t, "ip route add fd07::/64 via fd08::2")
	reach(t, "10.9.0.2", "fd09::2", "10.7.0.2", "fd07::2")

	data := noise(4 << 20)
	for _, ip := range []string{"10.7.0.2", "fd07::2"} {
		l := must(far.Sockets().Listen("tcp", net.JoinHostPort(ip, "80")))
		client := must(near.Sockets().Dial("tcp", l.Addr().String()))
		server := must(l.Accept())
		stream(t, client, server, data)
		stream(t, server, client, data)
		if there, back := pathMTU(client), pathMTU(server); there != narrow || back != narrow {
			t.Errorf("to %s the path MTU is %d, and %d back", ip, there, back)
		}
		client.Close()
		server.Close()
		l.Close()
	}
}
