package stack_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
)

// A star is hosts on a switch, in lockstep: a server, 10.0.0.1, and clients from 10.0.0.2 on, each
// behind a bad link of its own. All that goes through the server's port is captured.
type star struct {
	loop    *event.Loop
	server  *stack.Host
	clients []*stack.Host
	file    bytes.Buffer
}

func newStar(clients int, seed uint64, bad link.Faults) *star {
	s := &star{loop: event.NewLockstep(synctest.Wait)}
	sw := link.NewSwitch(s.loop, link.SwitchOptions{})
	host := func(port link.Port, i int) *stack.Host {
		return stack.NewHost(stack.Config{Name: fmt.Sprintf("h%d", i), Loop: s.loop, Seed: seed + uint64(i), Interfaces: []stack.Interface{{
			Name: "eth0", Port: port, Addrs: prefixes(fmt.Sprintf("10.0.0.%d/24", i), fmt.Sprintf("fd00::%d/64", i))}}})
	}
	s.server = host(link.Capture(s.loop, sw.Port([6]byte{}), link.NewPcapng(&s.file, time.Time{}), link.CaptureOptions{Name: "server"}), 1)
	for i := range clients {
		port := must(link.Impair(s.loop, sw.Port([6]byte{}), link.Impairment{Out: bad, In: bad, Seed: seed + uint64(i)}))
		s.clients = append(s.clients, host(port, i+2))
	}
	return s
}

func (s *star) close() {
	for _, h := range append(s.clients, s.server) {
		h.Close()
	}
	s.loop.Close()
}

var rough = link.Faults{Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.03, Duplicate: 0.02, Corrupt: 0.01,
	Reorder: link.Reorder{Probability: 0.05}}

// serveHTTP is a server and clients of net/http, each with several requests.
func serveHTTP(t *testing.T, s *star) {
	l := must(s.server.Sockets().Listen("tcp", "10.0.0.1:8080"))
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s%s", body, r.URL.Path)
	})}
	go server.Serve(l)
	var wg sync.WaitGroup
	for i, h := range s.clients {
		wg.Go(func() {
			transport := &http.Transport{DialContext: h.Sockets().DialContext}
			client := &http.Client{Transport: transport, Timeout: time.Hour}
			for k := range 2 {
				body := strings.Repeat("x", i*500)
				path := fmt.Sprintf("/%d/%d", i, k)
				r, err := client.Post("http://10.0.0.1:8080"+path, "text/plain", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(r.Body)
				if string(got) != body+path {
					t.Errorf("request %s: %d bytes, %v", path, len(got), err)
				}
				r.Body.Close()
			}
			transport.CloseIdleConnections()
		})
	}
	wg.Wait()
	server.Close()
	time.Sleep(3 * time.Minute) // what is left of connections
}

func TestAWholeConcurrentProgramRepeatsInLockstep(t *testing.T) {
	leak.Check(t)
	run := func() (hash string) {
		synctest.Test(t, func(t *testing.T) {
			s := newStar(20, 1, rough)
			serveHTTP(t, s)
			s.close()
			if ties := s.loop.Ties(); len(ties) != 0 {
				t.Errorf("ties: %q", ties)
			}
			hash = fmt.Sprintf("%d bytes, %x", s.file.Len(), sha256.Sum256(s.file.Bytes()))
		})
		return hash
	}
	first := run()
	for i := range 200 {
		procs := []int{1, 2, 8}[i%3]
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		if again := run(); again != first {
			t.Fatalf("run %d, with GOMAXPROCS %d, captured %s, the first %s", i, procs, again, first)
		}
	}
	t.Log(first)
}

var _ = sockeye.AF_INET
