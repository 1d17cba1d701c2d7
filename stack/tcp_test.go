package stack_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"sockeye"
	"sockeye/event"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
)

// noise is n bytes that repeat nowhere near.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// exchange sends data through a connection both ways at once, closes each half behind it, and
// checks what arrives.
func exchange(t *testing.T, a, b *sockeye.Socket, data []byte) {
	t.Helper()
	var wg sync.WaitGroup
	for _, s := range []*sockeye.Socket{a, b} {
		wg.Go(func() {
			if n, err := s.Send(data, 0); n != len(data) || err != nil {
				t.Errorf("sent %d of %d bytes: %v", n, len(data), err)
			}
			s.Shutdown(sockeye.SHUT_WR)
		})
		wg.Go(func() {
			if got, err := io.ReadAll(s); err != nil || !bytes.Equal(got, data) {
				t.Errorf("received %d bytes of %d, equal %v: %v", len(got), len(data), bytes.Equal(got, data), err)
			}
		})
	}
	wg.Wait()
}

func TestStreamsCrossACableBothWays(t *testing.T) {
	everyWay(t, func(t *testing.T, a, b *stack.Host, family sockeye.Family, aIP, bIP string) {
		client, server := connection(a, b, bIP)
		if from := must(server.Getpeername()); from.Addr().String() != aIP {
			t.Errorf("the peer is %v", from)
		}
		exchange(t, client, server, noise(3<<20))
		client.Close()
		server.Close()
	})
}

// faulty is two hosts on a cable with faults both ways.
func faulty(t *testing.T, f link.Faults) (a, b *stack.Host, cable *link.Impaired) {
	loop := event.New()
	near, far := link.Cable(loop, link.CableOptions{})
	cable = must(link.Impair(loop, near, link.Impairment{Out: f, In: f, Seed: 1}))
	a = stack.NewHost(stack.Config{Name: "a", Loop: loop, Seed: 1,
		Interfaces: []stack.Interface{{Name: "eth0", Port: cable, Addrs: prefixes("10.0.0.1/24", "fd00::1/64")}}})
	b = stack.NewHost(stack.Config{Name: "b", Loop: loop, Seed: 2,
		Interfaces: []stack.Interface{{Name: "eth0", Port: far, Addrs: prefixes("10.0.0.2/24", "fd00::2/64")}}})
	t.Cleanup(func() {
		a.Close()
		b.Close()
		loop.Close()
	})
	return a, b, cable
}

func TestStreamsOutliveFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults link.Faults
	}{
		{"a long way", link.Faults{Delay: 50 * time.Millisecond}},
		{"loss", link.Faults{Delay: 5 * time.Millisecond, Loss: 0.03}},
		{"loss in bursts", link.Faults{Delay: 5 * time.Millisecond, Burst: link.Burst{GoodToBad: 0.005, BadToGood: 0.3, LossBad: 0.8}}},
		{"duplicates", link.Faults{Delay: 5 * time.Millisecond, Duplicate: 0.1}},
		{"reordering", link.Faults{Delay: 5 * time.Millisecond, Jitter: 3 * time.Millisecond}},
		{"damage", link.Faults{Delay: 5 * time.Millisecond, Corrupt: 0.02}},
		{"a narrow queue", link.Faults{Delay: 5 * time.Millisecond, Rate: 50e6, Queue: link.Queue{Packets: 30}}},
		{"everything", link.Faults{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.02, Duplicate: 0.02, Corrupt: 0.01}},
	} {
		for _, v := range versions {
			t.Run(tt.name+"/"+v.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b, _ := faulty(t, tt.faults)
					client, server := connection(a, b, v.b)
					exchange(t, client, server, noise(1<<20))
					client.Close()
					server.Close()
				})
			})
		}
	}
}

// waits is how long f takes, in the bubble's time.
func waits(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func TestConnectTellsWhyItFails(t *testing.T) {
	for _, tt := range []struct {
		name, ip  string
		partition bool
		want      syscall.Errno
		after     time.Duration
	}{
		{"nobody listens", "10.0.0.2", false, syscall.ECONNREFUSED, 0},
		{"no neighbour", "10.0.0.77", false, syscall.EHOSTUNREACH, 3 * time.Second},
		{"no route", "192.0.2.1", false, syscall.ENETUNREACH, 0},
		{"no answer", "10.0.0.2", true, syscall.ETIMEDOUT, 131 * time.Second}, // 4 retries a second apart, and 6 that back off
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _ := pair(t, link.CableOptions{Ethernet: true})
				if tt.partition {
					a, _, _ = faulty(t, link.Faults{Partition: true})
				}
				s := must(a.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))
				var err error
				if d := waits(func() { err = s.Connect(at(tt.ip, 8080)) }); !errors.Is(err, tt.want) || d != tt.after {
					t.Errorf("after %v: %v, want %v after %v", d, err, tt.want, tt.after)
				}
			})
		})
	}
}

func TestAPartitionEndsAConnectionThatSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, cable := faulty(t, link.Faults{Delay: 10 * time.Millisecond})
		client, server := connection(a, b, "10.0.0.2")
		cut := link.Faults{Partition: true}
		cable.Set(link.Out, cut)
		cable.Set(link.In, cut)
		client.Send([]byte("into the void"), 0)
		var err error
		d := waits(func() { _, err = client.Recv(make([]byte, 1), 0) })
		if !errors.Is(err, syscall.ETIMEDOUT) || d < 13*time.Minute || d > 31*time.Minute {
			t.Errorf("after %v: %v", d, err) // tcp_retries2, tcp(7)
		}
		server.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := server.Recv(make([]byte, 1), 0); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the side that only waits: %v", err)
		}
	})
}

func TestAConnectionOutlivesAShortPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, cable := faulty(t, link.Faults{Delay: 10 * time.Millisecond})
		client, server := connection(a, b, "10.0.0.2")
		cable.Set(link.Out, link.Faults{Partition: true})
		client.Send([]byte("hello"), 0)
		time.AfterFunc(time.Minute, func() { cable.Set(link.Out, link.Faults{}) })
		buf := make([]byte, 10)
		if n, err := server.Recv(buf, 0); string(buf[:n]) != "hello" {
			t.Errorf("received %q, %v", buf[:n], err)
		}
	})
}

func TestKeepaliveFindsADeadPeerAndSparesALivingOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, cable := faulty(t, link.Faults{Delay: 10 * time.Millisecond})
		client, server := connection(a, b, "10.0.0.2")
		sockeye.SO_KEEPALIVE.Set(client, true)
		sockeye.TCP_KEEPIDLE.Set(client, 10*time.Second)
		sockeye.TCP_KEEPINTVL.Set(client, 5*time.Second)
		sockeye.TCP_KEEPCNT.Set(client, 3)
		time.Sleep(24 * time.Hour)
		if info := must(sockeye.TCP_INFO.Get(client)); info.State != sockeye.TCP_ESTABLISHED {
			t.Errorf("after a day of silence it is %v", info.State)
		}
		if n := a.Counters().TCP.TCPKeepAlive; n < 8000 {
			t.Errorf("%d probes were sent in a day", n)
		}
		cable.Set(link.In, link.Faults{Partition: true})
		var err error
		d := waits(func() { _, err = client.Recv(make([]byte, 1), 0) })
		if !errors.Is(err, syscall.ETIMEDOUT) || d > 30*time.Second {
			t.Errorf("after %v: %v", d, err)
		}
		server.Close()
	})
}

func TestThePortOfAConnectionIsFreeAfterTimeWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, link.CableOptions{})
		client, server := connection(a, b, "10.0.0.2")
		server.Close() // the first to close waits
		client.Close()
		bind := func() error {
			s := must(b.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))
			defer s.Close()
			return s.Bind(at("10.0.0.2", 8080))
		}
		if list := b.ListSockets(); len(list) != 1 || list[0].State != sockeye.TCP_TIME_WAIT {
			t.Errorf("the sockets are %+v", list)
		}
		if err := bind(); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("in TIME-WAIT: %v", err)
		}
		time.Sleep(61 * time.Second)
		if err := bind(); err != nil {
			t.Errorf("after it: %v", err)
		}
		if list := append(a.ListSockets(), b.ListSockets()...); len(list) != 0 {
			t.Errorf("sockets are left: %+v", list)
		}
	})
}

func TestAPeerThatNeverClosesIsForgottenInFinWait2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, link.CableOptions{})
		client, server := connection(a, b, "10.0.0.2")
		client.Close()
		time.Sleep(time.Second)
		if list := a.ListSockets(); len(list) != 1 || list[0].State != sockeye.TCP_FIN_WAIT2 {
			t.Errorf("the sockets are %+v", list)
		}
		time.Sleep(61 * time.Second) // tcp_fin_timeout
		if list := a.ListSockets(); len(list) != 0 {
			t.Errorf("sockets are left: %+v", list)
		}
		server.Send([]byte("anybody?"), 0)
		if _, err := server.Send([]byte("nobody"), 0); !errors.Is(err, syscall.EPIPE) {
			t.Error(err)
		}
	})
}

func TestStreamsFindThePathMTU(t *testing.T) {
	for _, v := range routedVersions {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, router, b := routed(t)
				narrow := netip.PrefixFrom(netip.MustParseAddr(v.b), netip.MustParseAddr(v.b).BitLen())
				if err := router.AddRoute(stack.Route{Dst: narrow, Interface: "eth1", MTU: 1280}); err != nil {
					t.Fatal(err)
				}
				client, server := connection(a, b, v.b)
				exchange(t, client, server, noise(1<<20))
				if mtu := must(sockeye.TCP_INFO.Get(client)).PMTU; mtu != 1280 {
					t.Errorf("the path MTU is %d", mtu)
				}
				client.Close()
				server.Close()
			})
		})
	}
}

// A flood of SYNs from addresses that never answer fills the queue; cookies let a good
// client in all the same.
func TestASYNFloodDoesNotKeepGoodClientsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := event.New()
		defer loop.Close()
		near, far := link.Cable(loop, link.CableOptions{})
		h := stack.NewHost(stack.Config{Loop: loop, Routes: []stack.Route{{Dst: prefixes("0.0.0.0/0")[0], Interface: "eth0"}},
			Interfaces: []stack.Interface{{Name: "eth0", Port: near, Addrs: prefixes("10.0.0.1/24")}}})
		defer h.Close()
		listening(h, sockeye.AF_INET, "0.0.0.0", 8080)
		random := rand.New(rand.NewPCG(1, 2))
		for range 100_000 {
			far.Send(segmentTo(random, [4]byte{10, 0, 0, 1}, 8080, syn))
			loop.Run()
		}
		c := h.Counters()
		if c.TCP.SyncookiesSent < 90_000 {
			t.Errorf("%d cookies were sent", c.TCP.SyncookiesSent)
		}
		if n := len(h.ListSockets()); n > 5000 {
			t.Errorf("%d handshakes are held", n)
		}
		dialed(h, sockeye.AF_INET, "127.0.0.1", 8080)
		if c := h.Counters(); c.TCP.SyncookiesRecv != 1 {
			t.Errorf("%d cookies came back", c.TCP.SyncookiesRecv)
		}
	})
}

func TestTheBacklogBoundsConnectionsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, link.CableOptions{Ethernet: true})
		l := listening(b, sockeye.AF_INET, "10.0.0.2", 8080)
		l.Listen(1)
		for range 2 {
			dialed(a, sockeye.AF_INET, "10.0.0.2", 8080)
		}
		late := must(a.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))
		done := make(chan time.Duration)
		go func() { done <- waits(func() { late.Connect(at("10.0.0.2", 8080)) }) }()
		time.Sleep(500 * time.Millisecond)
		if _, _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		if d := <-done; d != time.Second { // the first SYN that is sent again finds a place
			t.Errorf("it was let in after %v", d)
		}
		if c := b.Counters(); c.ListenOverflows != 1 || c.ListenDrops != 1 {
			t.Errorf("%d overflows, %d drops", c.ListenOverflows, c.ListenDrops)
		}
	})
}

func TestReuseportSpreadsConnections(t *testing.T) {
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	var ls []*sockeye.Socket
	for range 4 {
		l := must(h.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))
		sockeye.SO_REUSEPORT.Set(l, true)
		if err := errors.Join(l.Bind(at("127.0.0.1", 8080)), l.Listen(100)); err != nil {
			t.Fatal(err)
		}
		ls = append(ls, l)
	}
	for range 64 {
		dialed(h, sockeye.AF_INET, "127.0.0.1", 8080)
	}
	sum := uint32(0)
	for i, l := range ls {
		n := must(sockeye.TCP_INFO.Get(l)).Unacked
		if n == 0 || n > 32 {
			t.Errorf("listener %d has %d of 64 connections", i, n)
		}
		sum += n
	}
	if sum != 64 {
		t.Errorf("%d of 64 connections wait", sum)
	}
}

func TestConnsOfAGoHostPassNettest(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				h := stack.NewHost(stack.Config{})
				l, err := h.Sockets().Listen("tcp", net.JoinHostPort(ip, "0"))
				if err != nil {
					return nil, nil, nil, err
				}
				if c1, err = h.Sockets().Dial("tcp", l.Addr().String()); err != nil {
					return nil, nil, nil, err
				}
				if c2, err = l.Accept(); err != nil {
					return nil, nil, nil, err
				}
				return c1, c2, func() {
					c1.Close()
					c2.Close()
					l.Close()
					h.Close()
				}, nil
			})
		})
	}
}

// A server and many clients of net/http, 100 ms away from each other.
func TestHTTPInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := faulty(t, link.Faults{Delay: 50 * time.Millisecond})
		l, err := b.Sockets().Listen("tcp", "10.0.0.2:8080")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s%s", body, r.URL.Path)
		})}
		go server.Serve(l)
		transport := &http.Transport{DialContext: a.Sockets().DialContext}
		client := &http.Client{Transport: transport, Timeout: time.Minute}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				body := strings.Repeat("x", i*10_000)
				r, err := client.Post(fmt.Sprintf("http://10.0.0.2:8080/%d", i), "text/plain", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				defer r.Body.Close()
				if got, err := io.ReadAll(r.Body); string(got) != body+fmt.Sprintf("/%d", i) {
					t.Errorf("request %d: %d bytes, %v", i, len(got), err)
				}
			})
		}
		wg.Wait()
		transport.CloseIdleConnections()
		server.Close()
		time.Sleep(2 * time.Minute) // TIME-WAIT
		if list := append(a.ListSockets(), b.ListSockets()...); len(list) != 0 {
			t.Errorf("sockets are left: %+v", list)
		}
	})
}

func TestATCPRoundTripAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	c, a := connection(h, h, "127.0.0.1")
	buf := make([]byte, 64)
	if n := testing.AllocsPerRun(1000, func() {
		c.Send(buf, 0)
		a.Recv(buf, 0)
		a.Send(buf, 0)
		c.Recv(buf, 0)
	}); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

// Random segments, near enough to what is going on to get somewhere, do not stop a host.
func TestTCPOutlivesRandomSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := event.New()
		defer loop.Close()
		near, far := link.Cable(loop, link.CableOptions{})
		ip := inet.DefaultSysctl()
		ip.TCP.FastOpen = 0x207
		h := stack.NewHost(stack.Config{Loop: loop, Inet: &ip, Seed: 1,
			Interfaces: []stack.Interface{{Name: "eth0", Port: near, Addrs: prefixes("10.0.0.1/24")}}})
		defer h.Close()
		l := listening(h, sockeye.AF_INET, "0.0.0.0", 8080)
		sockeye.TCP_FASTOPEN.Set(l, 10)
		l.SetNonblock(true)
		peer := newPeer(far)
		random := rand.New(rand.NewPCG(3, 4))
		n := 300_000
		if testing.Short() || raceEnabled {
			n = 20_000
		}
		var accepted []*sockeye.Socket
		buf := make([]byte, 1000)
		for i := range n {
			far.Send(peer.segment(random))
			loop.Run()
			if i%16 == 0 {
				if a, _, err := l.Accept(); err == nil {
					a.SetNonblock(true)
					accepted = append(accepted, a)
				}
			}
			if len(accepted) > 0 {
				a := accepted[random.IntN(len(accepted))]
				switch random.IntN(8) {
				case 0:
					a.Send(buf[:random.IntN(len(buf))], 0)
				case 1:
					a.Recv(buf, 0)
				case 2:
					a.Shutdown(sockeye.How(random.IntN(3)))
				}
			}
			if len(accepted) > 50 {
				accepted[0].Close()
				accepted = accepted[1:]
			}
			if i%1000 == 0 {
				time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
			}
		}
		if c := h.Counters(); c.TCP.PassiveOpens < 10 || c.TCP.OutRsts == 0 || c.TCP.InSegs < uint64(n)/2 {
			t.Errorf("the counters are %+v", c)
		}
		for _, a := range accepted {
			a.Close()
		}
		l.Close()
		time.Sleep(time.Hour)
		if n := len(h.ListSockets()); n != 0 {
			t.Errorf("%d sockets are left", n)
		}
	})
}
