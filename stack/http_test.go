package stack_test

import (
	"io"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/link"
	"sockeye/stack"
)

// An HTTP request over a slow and lossy cable, in virtual time.
func TestHTTPBetweenTwoHostsTakesVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := event.New()
		defer loop.Close()
		a, b := link.Cable(loop, link.CableOptions{Ethernet: true})
		slow, err := link.Impair(loop, a, link.Impairment{
			Out:  link.Faults{Delay: 50 * time.Millisecond, Loss: 0.01},
			In:   link.Faults{Delay: 50 * time.Millisecond, Loss: 0.01},
			Seed: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		host := func(port link.Port, addr string) *sockeye.Host {
			i := stack.Interface{Name: "eth0", Port: port, Addrs: []netip.Prefix{netip.MustParsePrefix(addr)}}
			h := stack.NewHost(stack.Config{Loop: loop, Interfaces: []stack.Interface{i}, Privileged: true})
			t.Cleanup(func() { h.Close() })
			return h.Sockets()
		}
		alice, bob := host(slow, "10.0.0.1/24"), host(b, "10.0.0.2/24")

		l, err := bob.Listen("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write(make([]byte, 1<<20))
		})}
		go server.Serve(l)
		client := http.Client{Transport: &http.Transport{DialContext: alice.DialContext}}
		start := time.Now()
		resp, err := client.Get("http://10.0.0.2/")
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if n != 1<<20 || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
		if d := time.Since(start); d < 400*time.Millisecond {
			t.Errorf("a megabyte over 100 ms round trips took %v", d)
		}
		client.CloseIdleConnections()
		server.Close()
	})
}
