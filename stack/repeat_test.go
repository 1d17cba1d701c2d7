package stack_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
)

// repeats checks that all runs of a program capture the same, however many threads there are.
// With -short there are fewer runs.
func repeats(t *testing.T, runs int, program func(t *testing.T, w *bytes.Buffer)) {
	t.Helper()
	if testing.Short() {
		runs /= 5
	}
	var first string
	for _, procs := range []int{1, 2, 8} {
		t.Run(fmt.Sprintf("GOMAXPROCS=%d", procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			for i := range runs {
				hash := captured(t, program)
				if first == "" {
					first = hash
				}
				if hash != first {
					t.Fatalf("run %d captured %s, the first %s", i, hash, first)
				}
			}
		})
	}
}

// captured runs a program in a bubble, and gives what is unique of its capture.
func captured(t *testing.T, program func(t *testing.T, w *bytes.Buffer)) string {
	var w bytes.Buffer
	synctest.Test(t, func(t *testing.T) { program(t, &w) })
	return fmt.Sprintf("%d bytes, %x", w.Len(), sha256.Sum256(w.Bytes()))
}

// A bad link damages packets in all the ways that there are.
var bad = link.Faults{Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.03, Duplicate: 0.02, Corrupt: 0.01,
	Reorder: link.Reorder{Probability: 0.05}}

// roughPair is two hosts at the ends of a bad link, whose captures are in one file, outside of the faults.
func roughPair(loop *event.Loop, seed uint64, w *bytes.Buffer) (p *stack.Pair) {
	ip := inet.DefaultSysctl()
	ip.PingGroupRange = [2]uint32{0, 0}
	return stack.NewPair(stack.PairConfig{
		Loop: loop, Faults: bad, Seed: seed, Cable: link.CableOptions{Ethernet: true}, Capture: link.NewPcapng(w, time.Time{}),
		Host: stack.Config{Inet: &ip, Privileged: true},
	})
}

// everything uses a pair's TCP, UDP and ICMP, of both versions of IP, from one goroutine. What is
// lost of datagrams stays lost.
func everything(t *testing.T, p *stack.Pair) {
	data, buf := noise(20_000), make([]byte, 20_000)
	patient := func(s *sockeye.Socket) *sockeye.Socket {
		sockeye.SO_RCVTIMEO.Set(s, 100*time.Millisecond)
		return s
	}
	for _, v := range versions {
		l := listening(p.B, v.family, v.b, 8080)
		for range 2 {
			client := dialed(p.A, v.family, v.b, 8080)
			server, _, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				client.Send(data, 0)
				server.Recv(buf, sockeye.MSG_WAITALL)
				server.Send(data, 0)
				if n, err := client.Recv(buf, sockeye.MSG_WAITALL); err != nil || !bytes.Equal(buf[:n], data) {
					t.Errorf("%s: %d bytes came back: %v", v.name, n, err)
				}
			}
			client.Close()
			server.Close()
		}
		l.Close()
		server := patient(udp(p.B, v.family, v.b, 7))
		client := patient(udp(p.A, v.family, "", 0))
		client.Connect(at(v.b, 7))
		for _, n := range []int{10, 1000, 5000} { // the last in fragments
			client.Send(data[:n], 0)
			if n, from, err := server.Recvfrom(buf, 0); err == nil {
				server.Sendto(buf[:n], 0, from)
				client.Recv(buf, 0)
			}
		}
		proto, request := sockeye.IPPROTO_ICMP, []byte{8, 0, 0, 0, 0, 0, 0, 1, 'h', 'i'}
		if v.family == sockeye.AF_INET6 {
			proto, request[0] = sockeye.IPPROTO_ICMPV6, 128
		}
		ping := patient(must(p.A.Sockets().Socket(v.family, sockeye.SOCK_DGRAM, proto)))
		for range 3 {
			ping.Sendto(request, 0, at(v.b, 0))
			ping.Recv(buf, 0)
		}
		client.Sendto(data[:1], 0, at(v.b, 9)) // where nobody listens
		client.Recv(buf, 0)
		for _, s := range []*sockeye.Socket{server, client, ping} {
			s.Close()
		}
	}
	time.Sleep(2 * time.Minute) // what is left of connections
}

func TestRunsRepeatToTheByte(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		name string
		loop func() *event.Loop
	}{
		{"as packets come", event.New},
		{"in lockstep", func() *event.Loop { return event.NewLockstep(synctest.Wait) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := func(seed uint64) func(t *testing.T, w *bytes.Buffer) {
				return func(t *testing.T, w *bytes.Buffer) {
					p := roughPair(tt.loop(), seed, w)
					everything(t, p)
					p.Close()
				}
			}
			repeats(t, 50, run(1))
			if captured(t, run(1)) == captured(t, run(2)) {
				t.Error("two seeds gave one capture")
			}
		})
	}
}
