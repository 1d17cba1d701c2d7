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
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
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
	leak.Check(t)
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
	loop := leak.Loop(t)
	near, far := link.Cable(loop, link.CableOptions{})
	cable = must(link.Impair(loop, near, link.Impairment{Out: f, In: f, Seed: 1}))
	a = stack.NewHost(stack.Config{Name: "a", Loop: loop, Seed: 1,
		Interfaces: []stack.Interface{{Name: "eth0", Port: cable, Addrs: prefixes("10.0.0.1/24", "fd00::1/64")}}})
	b = stack.NewHost(stack.Config{Name: "b", Loop: loop, Seed: 2,
		Interfaces: []stack.Interface{{Name: "eth0", Port: far, Addrs: prefixes("10.0.0.2/24", "fd00::2/64")}}})
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b, cable
}

func TestStreamsOutliveFaults(t *testing.T) {
	leak.Check(t)
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
	leak.Check(t)
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

func TestStreamsFindThePathMTU(t *testing.T) {
	leak.Check(t)
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

func TestConnsOfAGoHostPassNettest(t *testing.T) {
	leak.Check(t)
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
	leak.Check(t)
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
	leak.Check(t)
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
