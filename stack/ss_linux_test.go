package stack_test

import (
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/stack/inet"
	"sockeye/wire"
)

// setProc is sysctl(8) of the test's network namespace.
func setProc(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// ssOf is what ss(8) of the kernel's side tells of a connection of which c is one end.
func ssOf(t *testing.T, c net.Conn) string {
	t.Helper()
	local, remote := c.LocalAddr().String(), c.RemoteAddr().String()
	if !strings.HasPrefix(local, "10.9.0.1:") && !strings.HasPrefix(local, "[fd09::1]:") {
		local, remote = remote, local
	}
	return run(t, "ss -tino src %s dst %s", local, remote)
}

// streams is stream both ways at once.
func streams(t *testing.T, a, b net.Conn, data []byte) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() { stream(t, a, b, data) })
	wg.Go(func() { stream(t, b, a, data) })
	wg.Wait()
}

// Both sides tell what they have agreed on, whoever connects.
func TestBothSidesShowTheSameOptions(t *testing.T) {
	leak.Check(t)
	h := neighbour(t, func(s *inet.Sysctl) { s.TCP.ECN = 1 }, plain)
	setProc(t, "ipv4/tcp_ecn", "1")
	kernels := regexp.MustCompile(` ts sack ecn ecnseen \w+ wscale:\d+,\d+ .* mss:1\d\d\d pmtu:1500 `)
	const ours = sockeye.TCPI_OPT_TIMESTAMPS | sockeye.TCPI_OPT_SACK | sockeye.TCPI_OPT_WSCALE | sockeye.TCPI_OPT_ECN | sockeye.TCPI_OPT_ECN_SEEN
	for _, v6 := range []bool{false, true} {
		for _, s := range sides(h, v6) {
			client, server := s.connected(t)
			streams(t, client, server, noise(1<<20))
			if out := ssOf(t, client); !kernels.MatchString(out) {
				t.Errorf("%s, %s: no %q in %s", s.name, s.ip, kernels, out)
			}
			for _, c := range []net.Conn{client, server} {
				if c, ok := c.(interface{ Socket() *sockeye.Socket }); ok {
					if info := must(sockeye.TCP_INFO.Get(c.Socket())); info.Options&ours != ours {
						t.Errorf("%s, %s: the Go host's options are %#x", s.name, s.ip, info.Options)
					}
				}
			}
			client.Close()
			server.Close()
		}
	}
}

// A marker is a port at a congested router: of what may be marked, every nth packet is
// (RFC 3168 section 5).
type marker struct {
	link.Port
	n    int64
	seen atomic.Int64
	to   link.Receiver
}

func (m *marker) Attach(r link.Receiver) {
	if r == nil {
		m.Port.Attach(nil)
		return
	}
	m.to = r
	m.Port.Attach(m)
}

func (m *marker) Send(p *packet.Packet) {
	m.mark(p)
	m.Port.Send(p)
}

func (m *marker) Receive(now event.Time, p *packet.Packet) {
	m.mark(p)
	m.to.Receive(now, p)
}

func (m *marker) mark(p *packet.Packet) {
	b := p.Header()
	tos := &b[1]
	shift := 0
	if wire.Version(b) == 6 {
		shift = 4 // the traffic class is between the version and the flow label
	}
	if wire.ECN(*tos>>shift)&3 == wire.NotECT || m.seen.Add(1)%m.n != 0 {
		return
	}
	*tos |= byte(wire.CE) << shift
	if shift == 0 {
		b[10], b[11] = 0, 0
		sum := wire.Sum(0).Add(b[:int(b[0]&15)*4]).Checksum()
		b[10], b[11] = byte(sum>>8), byte(sum)
	}
}

// Marks that a router on the way makes slow down whoever sends, and nothing is lost.
func TestCongestionMarksAreHeededBothWays(t *testing.T) {
	leak.Check(t)
	h := neighbour(t, func(s *inet.Sysctl) { s.TCP.ECN = 1 },
		func(_ *event.Loop, port link.Port) link.Port { return &marker{Port: port, n: 20} })
	setProc(t, "ipv4/tcp_ecn", "1")
	for _, v6 := range []bool{false, true} {
		for _, s := range sides(h, v6) {
			before := h.Counters().TCP
			client, server := s.connected(t)
			data := noise(8 << 20)
			stream(t, client, server, data)
			stream(t, server, client, data)
			if out := ssOf(t, client); !strings.Contains(out, " delivered_ce:") {
				t.Errorf("%s, %s: the kernel has heard of no mark: %s", s.name, s.ip, out)
			}
			if c := h.Counters().TCP; c.TCPDeliveredCE == before.TCPDeliveredCE || c.TCPFastRetrans != before.TCPFastRetrans {
				t.Errorf("%s, %s: the Go host has heard of %d marks and taken %d segments for lost",
					s.name, s.ip, c.TCPDeliveredCE-before.TCPDeliveredCE, c.TCPFastRetrans-before.TCPFastRetrans)
			}
			client.Close()
			server.Close()
		}
	}
}

// kernelCounter is a counter of /proc/net/netstat, by its name in nstat(8).
func kernelCounter(t *testing.T, name string) int {
	t.Helper()
	lines := strings.Split(string(must(os.ReadFile("/proc/thread-self/net/netstat"))), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		if at := slices.Index(names, strings.TrimPrefix(name, "TcpExt")); at > 0 && strings.HasPrefix(name, strings.TrimSuffix(names[0], ":")) {
			return must(strconv.Atoi(values[at]))
		}
	}
	t.Fatalf("the kernel counts no %s", name)
	return 0
}

// Each side mends with SACK what a bad link loses, reorders, doubles and damages.
func TestTheKernelAndAGoHostMendABadLink(t *testing.T) {
	leak.Check(t)
	bad := link.Faults{Loss: 0.01, Duplicate: 0.01, Corrupt: 0.005, Reorder: link.Reorder{Probability: 0.01}, Delay: 2 * time.Millisecond}
	h := neighbour(t, func(*inet.Sysctl) {}, func(loop *event.Loop, port link.Port) link.Port {
		return must(link.Impair(loop, port, link.Impairment{Out: bad, In: bad, Seed: 1}))
	})
	for _, v6 := range []bool{false, true} {
		for _, s := range sides(h, v6) {
			before := h.Counters().TCP
			recoveries, sums := kernelCounter(t, "TcpExtTCPSackRecovery"), h.Counters().InCsumErrors
			client, server := s.connected(t)
			data := noise(2 << 20)
			stream(t, client, server, data)
			stream(t, server, client, data)
			if kernelCounter(t, "TcpExtTCPSackRecovery") == recoveries {
				t.Errorf("%s, %s: the kernel has not recovered by SACK", s.name, s.ip)
			}
			if c := h.Counters(); c.TCP.TCPSackRecovery == before.TCPSackRecovery || c.InCsumErrors == sums {
				t.Errorf("%s, %s: the Go host has recovered by SACK %d times, and found %d segments damaged",
					s.name, s.ip, c.TCP.TCPSackRecovery-before.TCPSackRecovery, c.InCsumErrors-sums)
			}
			client.Close()
			server.Close()
		}
	}
}
