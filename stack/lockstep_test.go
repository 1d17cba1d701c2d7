package stack_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
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
// behind a bad link of its own. All that any of them sends and receives is captured.
type star struct {
	loop    *event.Loop
	server  *stack.Host
	clients []*stack.Host
}

func newStar(t *testing.T, clients int, w io.Writer) *star {
	s := &star{loop: event.NewLockstep(synctest.Wait)}
	sw := link.NewSwitch(s.loop, link.SwitchOptions{})
	file := link.NewPcapng(w, time.Time{})
	host := func(i int, port link.Port) *stack.Host {
		name := fmt.Sprintf("h%d", i)
		port = link.Capture(s.loop, port, file, link.CaptureOptions{Name: name})
		return stack.NewHost(stack.Config{Name: name, Loop: s.loop, Seed: uint64(i), Interfaces: []stack.Interface{{
			Name: "eth0", Port: port, Addrs: prefixes(fmt.Sprintf("10.0.0.%d/24", i), fmt.Sprintf("fd00::%d/64", i))}}})
	}
	s.server = host(1, sw.Port([6]byte{}))
	for i := range clients {
		port := must(link.Impair(s.loop, sw.Port([6]byte{}), link.Impairment{Out: bad, In: bad, Seed: uint64(i)}))
		s.clients = append(s.clients, host(i+2, port))
	}
	t.Cleanup(func() {
		for _, h := range append(s.clients, s.server) {
			h.Close()
		}
		if ties := s.loop.Ties(); len(ties) != 0 {
			t.Errorf("ties: %q", ties)
		}
		s.loop.Close()
	})
	return s
}

// serve is a server of net/http on the star's, which answers with what it was sent.
func (s *star) serve() (stop func()) {
	l := must(s.server.Sockets().Listen("tcp", "10.0.0.1:8080"))
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s%s", body, r.URL.Path)
	})}
	go server.Serve(l)
	return func() { server.Close() }
}

// post makes a few requests.
func post(t *testing.T, client *http.Client, i int) {
	for k := range 2 {
		body, path := strings.Repeat("x", i*300), fmt.Sprintf("/%d/%d", i, k)
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
}

func TestAServerAndItsClientsRepeatInLockstep(t *testing.T) {
	leak.Check(t)
	repeats(t, 67, func(t *testing.T, w *bytes.Buffer) {
		s := newStar(t, 20, w)
		stop := s.serve()
		var wg sync.WaitGroup
		for i, h := range s.clients {
			wg.Go(func() {
				transport := &http.Transport{DialContext: h.Sockets().DialContext}
				post(t, &http.Client{Transport: transport}, i)
				transport.CloseIdleConnections()
			})
		}
		wg.Wait()
		stop()
		time.Sleep(3 * time.Minute) // what is left of connections
	})
}

// Clients on one host differ in nothing but the time at which they begin, and share connections.
func TestClientsOfOneHostRepeatInLockstep(t *testing.T) {
	leak.Check(t)
	repeats(t, 20, func(t *testing.T, w *bytes.Buffer) {
		s := newStar(t, 1, w)
		stop := s.serve()
		transport := &http.Transport{DialContext: s.clients[0].Sockets().DialContext, MaxIdleConnsPerHost: 20}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				time.Sleep(time.Duration(i))
				post(t, &http.Client{Transport: transport}, i)
			})
		}
		wg.Wait()
		transport.CloseIdleConnections()
		stop()
	})
}

// Datagrams to and from one socket, deadlines that expire together, and echoes in whatever order.
func TestDatagramsRepeatInLockstep(t *testing.T) {
	leak.Check(t)
	repeats(t, 20, func(t *testing.T, w *bytes.Buffer) {
		s := newStar(t, 10, w)
		server := must(s.server.Sockets().ListenPacket("udp", "10.0.0.1:7777"))
		var workers, clients sync.WaitGroup
		for range 3 {
			workers.Go(func() {
				buf := make([]byte, 100)
				for {
					n, from, err := server.ReadFrom(buf)
					if err != nil {
						return
					}
					server.WriteTo(buf[:n], from)
				}
			})
		}
		for i, h := range s.clients {
			clients.Go(func() {
				conn := must(h.Sockets().Dial("udp", "10.0.0.1:7777"))
				defer conn.Close()
				buf := make([]byte, 100)
				for k := range 20 {
					conn.Write([]byte{byte(i), byte(k)})
					conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
					if _, err := conn.Read(buf); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Error(err)
					}
				}
			})
		}
		clients.Wait()
		server.Close()
		workers.Wait()
	})
}

// lockstepPair is a pair in lockstep, on a cable without faults.
func lockstepPair(t *testing.T) *stack.Pair {
	p := stack.NewPair(stack.PairConfig{Loop: event.NewLockstep(synctest.Wait), Host: stack.Config{Privileged: true}})
	t.Cleanup(p.Close)
	return p
}

// A goroutine that waits for a lock keeps the bubble from settling: calls that need not wait must not,
// as whoever makes them may hold it.
func TestCallsUnderALockGoOnInLockstep(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		p := lockstepPair(t)
		client, server := connection(p.A, p.B, "10.0.0.2")
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				for range 10 {
					mu.Lock()
					client.Send([]byte{byte(i)}, 0)
					client.SetReadDeadline(time.Now().Add(time.Hour))
					client.Recv(nil, sockeye.MSG_DONTWAIT)
					mu.Unlock()
				}
			})
		}
		got := make([]byte, 100)
		if n, err := server.Recv(got, sockeye.MSG_WAITALL); n != 100 || err != nil {
			t.Errorf("received %d bytes: %v", n, err)
		}
		wg.Wait()
		for i := range 10 {
			if n := bytes.Count(got, []byte{byte(i)}); n != 10 {
				t.Errorf("%d bytes are %d", n, i)
			}
		}
	})
}

// Streams go both ways at once, with goroutines of their own for each: whether one of a socket reads
// first or the other writes makes no difference.
func TestStreamsBothWaysRepeatInLockstep(t *testing.T) {
	leak.Check(t)
	repeats(t, 20, func(t *testing.T, w *bytes.Buffer) {
		s := newStar(t, 5, w)
		data := noise(100_000)
		l := must(s.server.Sockets().Listen("tcp", "[fd00::1]:8080"))
		var wg sync.WaitGroup
		both := func(conn net.Conn) {
			socket, sent := conn.(*sockeye.TCPConn).Socket(), make(chan struct{})
			wg.Go(func() {
				defer close(sent)
				for rest := data; len(rest) > 0; { // more than the buffer holds, and less
					n := 1 + (len(rest)*7)%30_000
					n, err := conn.Write(rest[:min(n, len(rest))])
					if rest = rest[n:]; err != nil {
						t.Error(err)
						return
					}
				}
				socket.Shutdown(sockeye.SHUT_WR)
			})
			wg.Go(func() {
				if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, data) {
					t.Errorf("received %d bytes: %v", len(got), err)
				}
				<-sent
				conn.Close()
			})
		}
		for range s.clients {
			wg.Go(func() { both(must(l.Accept())) })
		}
		for _, h := range s.clients {
			wg.Go(func() { both(must(h.Sockets().Dial("tcp", "[fd00::1]:8080"))) })
		}
		wg.Wait()
		l.Close()
	})
}

// What was sent has arrived, and what was closed is closed, when the network has settled.
func TestSettleWaitsForTheNetwork(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		p := lockstepPair(t)
		client, server := udp(p.A, sockeye.AF_INET, "10.0.0.1", 7), udp(p.B, sockeye.AF_INET, "10.0.0.2", 7)
		buf := make([]byte, 10)
		for i := range 10 {
			start := time.Now()
			client.Sendto([]byte{byte(i)}, 0, at("10.0.0.2", 7))
			p.Loop.Settle()
			if n, err := server.Recv(buf, sockeye.MSG_DONTWAIT); n != 1 || buf[0] != byte(i) || !time.Now().Equal(start) {
				t.Errorf("received % x after %v: %v", buf[:n], time.Since(start), err)
			}
		}
		client.Close()
		p.Loop.Settle()
		if list := p.A.ListSockets(); len(list) != 0 {
			t.Errorf("sockets are left: %+v", list)
		}
	})
}

// Sockets in nothing different that connect at one instant are told of; those that begin at
// instants of their own, or lead elsewhere, are no ties.
func TestTiesAreTold(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		name  string
		delay func(i int) time.Duration
		port  func(i int) int
		want  int
	}{
		{"all at once", func(int) time.Duration { return 0 }, func(int) int { return 8080 }, 4},
		{"one after the other", func(i int) time.Duration { return time.Duration(i) }, func(int) int { return 8080 }, 0},
		{"to several ports", func(int) time.Duration { return 0 }, func(i int) int { return 8080 + i }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := lockstepPair(t)
				var wg sync.WaitGroup
				for i := range 5 {
					wg.Go(func() {
						time.Sleep(tt.delay(i))
						_, err := p.A.Sockets().Dial("tcp", net.JoinHostPort("10.0.0.2", fmt.Sprint(tt.port(i))))
						if err == nil {
							t.Error("nobody listens")
						}
					})
				}
				wg.Wait()
				ties := p.Loop.Ties()
				if len(ties) != tt.want || slices.ContainsFunc(ties, func(s string) bool {
					return s != "SOCK_STREAM 0.0.0.0:0 - connect 10.0.0.2:8080"
				}) {
					t.Errorf("ties: %q", ties)
				}
			})
		})
	}
}

// Waiting calls end when their host does, or its loop.
func TestLockstepEndsWithItsLoop(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		name string
		end  func(p *stack.Pair, s *sockeye.Socket)
	}{
		{"the socket", func(p *stack.Pair, s *sockeye.Socket) { s.Close() }},
		{"the host", func(p *stack.Pair, s *sockeye.Socket) { p.A.Close() }},
		{"the loop, and then the socket", func(p *stack.Pair, s *sockeye.Socket) { p.Loop.Close(); s.Close() }},
		{"the socket, and then the loop", func(p *stack.Pair, s *sockeye.Socket) { s.Close(); p.Loop.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := lockstepPair(t)
				s := udp(p.A, sockeye.AF_INET, "10.0.0.1", 7)
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() {
						if _, err := s.Recv(make([]byte, 1), 0); !errors.Is(err, net.ErrClosed) {
							t.Error(err)
						}
					})
				}
				time.Sleep(time.Second)
				tt.end(p, s)
				wg.Wait()
			})
		})
	}
}
