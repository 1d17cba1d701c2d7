package stack_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"syscall"
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
		runs = max(2, runs/10)
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

// A quiet program makes its calls while the network rests: settle waits for that.
type quiet struct {
	*testing.T
	settle func()
}

// within makes a call each millisecond until it gives something else than EAGAIN, or the time is over.
func (q quiet) within(d time.Duration, call func() error) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		q.settle()
		if err := call(); err == nil || !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINPROGRESS) && !errors.Is(err, syscall.EALREADY) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return syscall.ETIMEDOUT
}

// copy sends data from one socket, and receives it at the other.
func (q quiet) copy(from, to *sockeye.Socket, data []byte) {
	buf := make([]byte, len(data))
	for sent, got := 0, 0; got < len(data); {
		q.within(time.Hour, func() error {
			n, err := from.Send(data[sent:], sockeye.MSG_DONTWAIT)
			m, err2 := to.Recv(buf[got:], sockeye.MSG_DONTWAIT)
			sent, got = sent+n, got+m
			if n == 0 && m == 0 {
				return errors.Join(err, err2)
			}
			return nil
		})
	}
	if !bytes.Equal(buf, data) {
		q.Errorf("%d bytes came through changed", len(data))
	}
}

// everything uses a pair's TCP, UDP and ICMP, of both versions of IP. What is lost of datagrams stays
// lost.
func (q quiet) everything(p *stack.Pair) {
	data, buf := noise(20_000), make([]byte, 20_000)
	for _, v := range versions {
		l := listening(p.B, v.family, v.b, 8080)
		for range 2 {
			client, server := must(p.A.Sockets().Socket(v.family, sockeye.SOCK_STREAM|sockeye.SOCK_NONBLOCK, 0)), (*sockeye.Socket)(nil)
			l.SetNonblock(true)
			q.within(time.Hour, func() error { return client.Connect(at(v.b, 8080)) })
			err := q.within(time.Hour, func() (err error) {
				server, _, err = l.Accept()
				return err
			})
			if err != nil {
				q.Fatal(err)
			}
			q.copy(client, server, data)
			q.copy(server, client, data)
			client.Close()
			q.settle()
			server.Close()
		}
		server, client := udp(p.B, v.family, v.b, 7), udp(p.A, v.family, "", 0)
		client.Connect(at(v.b, 7))
		for _, n := range []int{10, 1000, 5000} { // the last in fragments
			client.Send(data[:n], 0)
			q.within(100*time.Millisecond, func() error {
				n, from, err := server.Recvfrom(buf, sockeye.MSG_DONTWAIT)
				if err == nil {
					server.Sendto(buf[:n], 0, from)
				}
				return err
			})
			q.within(100*time.Millisecond, func() error {
				_, err := client.Recv(buf, sockeye.MSG_DONTWAIT)
				return err
			})
		}
		proto, request := sockeye.IPPROTO_ICMP, []byte{8, 0, 0, 0, 0, 0, 0, 1, 'h', 'i'}
		if v.family == sockeye.AF_INET6 {
			proto, request[0] = sockeye.IPPROTO_ICMPV6, 128
		}
		ping := must(p.A.Sockets().Socket(v.family, sockeye.SOCK_DGRAM, proto))
		for range 3 {
			ping.Sendto(request, 0, at(v.b, 0))
			client.Sendto(data[:1], 0, at(v.b, 9)) // where nobody listens
			q.within(100*time.Millisecond, func() error {
				_, err := ping.Recv(buf, sockeye.MSG_DONTWAIT)
				return err
			})
		}
		for _, s := range []*sockeye.Socket{l, server, client, ping} {
			s.Close()
		}
	}
	time.Sleep(2 * time.Minute) // what is left of connections
}

func TestRunsRepeatToTheByte(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		name   string
		loop   func() *event.Loop
		settle func(*event.Loop)
	}{
		{"as packets come", event.New, func(*event.Loop) { synctest.Wait() }},
		{"in lockstep", func() *event.Loop { return event.NewLockstep(synctest.Wait) }, (*event.Loop).Settle},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := func(seed uint64) func(t *testing.T, w *bytes.Buffer) {
				return func(t *testing.T, w *bytes.Buffer) {
					loop := tt.loop()
					p := roughPair(loop, seed, w)
					quiet{t, func() { tt.settle(loop) }}.everything(p)
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
