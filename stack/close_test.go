package stack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
)

// busy makes the hosts of a pair do everything that leaves something for later: data on
// its way and unanswered, keepalive, zero windows, TIME-WAIT, handshakes, lonely fragments, neighbours
// that do not answer, and reports of groups.
func busy(t *testing.T, p *stack.Pair) {
	l := listening(p.B, sockeye.AF_INET6, "::", 8080)
	connection := func(ip string) (client, server *sockeye.Socket) {
		client = dialed(p.A, at(ip, 0).Family(), ip, 8080)
		server, _, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return client, server
	}
	client, server := connection("10.0.0.2")
	sockeye.SO_KEEPALIVE.Set(client, true)
	sockeye.SO_SNDBUF.Set(client, 1<<20)
	client.Send(make([]byte, 1<<20), sockeye.MSG_DONTWAIT) // more than the window
	server.Send([]byte("x"), 0)

	client, server = connection("fd00::2")
	client.Shutdown(sockeye.SHUT_WR)
	server.Recv(make([]byte, 1), 0)
	server.Close()
	client.Close() // TIME-WAIT
	client, server = connection("10.0.0.2")
	server.Send([]byte("last words"), 0)
	server.Close()
	client.Close()

	p.Cable.Set(link.In, link.Faults{Partition: true})
	for _, ip := range []string{"10.0.0.2", "10.0.0.77"} {
		s := must(p.A.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM|sockeye.SOCK_NONBLOCK, 0))
		must(p.B.Sockets().Listen("tcp", ":0"))
		s.Connect(at(ip, 81))
	}
	raw := must(p.A.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_RAW))
	raw.Sendto([]byte{0x45, 0, 0, 28, 0, 1, 0x20, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 7, 0, 100, 0, 0}, 0, at("10.0.0.2", 0))
	member := udp(p.B, sockeye.AF_INET, "", 0)
	group := sockeye.Membership{Group: netip.MustParseAddr("239.1.2.3"), Ifindex: 2}
	if err := sockeye.IP_ADD_MEMBERSHIP.Set(member, group); err != nil {
		t.Fatal(err)
	}
}

func TestClosingHostsLeavesNothingScheduled(t *testing.T) {
	leak.Check(t)
	for _, o := range cables {
		t.Run(o.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := stack.NewPair(stack.PairConfig{Cable: o.CableOptions, Host: stack.Config{Privileged: true},
					Faults: link.Faults{Delay: 50 * time.Millisecond, Rate: 100e6}})
				defer p.Close()
				busy(t, p)
				if _, some := p.Loop.Next(); !some {
					t.Error("busy hosts have scheduled nothing")
				}
				p.A.Close()
				p.A.Close() // does nothing
				p.B.Close()
				if at, some := p.Loop.Next(); some {
					t.Errorf("something is scheduled in %v", at.Sub(p.Loop.Now()))
				}
				if left := append(p.A.ListSockets(), p.B.ListSockets()...); len(left) != 0 {
					t.Errorf("sockets are left: %+v", left)
				}
			})
		})
	}
}

func TestClosingAHostEndsCallsThatWait(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		p := stack.NewPair(stack.PairConfig{})
		defer p.Close()
		h := p.A.Sockets()
		stream, _ := connection(p.A, p.B, "10.0.0.2")
		full, _ := connection(p.A, p.B, "fd00::2")
		datagrams, tcp := udp(p.A, sockeye.AF_INET, "10.0.0.1", 7777), listening(p.A, sockeye.AF_INET, "10.0.0.1", 8888)
		unix, _, err := h.Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
		other, _, err2 := h.Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		l := must(h.Listen("unix", "/run/door"))
		pc := must(h.ListenPacket("udp", ":0"))
		buf := make([]byte, 1)
		bounded, cancel := context.WithCancel(t.Context())
		defer cancel()
		dialed := must(h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))
		unix.SetReadDeadline(time.Now().Add(time.Hour))
		watched := []sockeye.PollFd{{Socket: datagrams, Events: sockeye.POLLIN}}
		var wg sync.WaitGroup
		for name, call := range map[string]func() error{
			"Accept":                  func() error { _, _, err := tcp.Accept(); return err },
			"Connect":                 func() error { return dialed.Connect(at("10.0.0.77", 80)) },
			"Recv":                    func() error { _, err := stream.Recv(buf, 0); return err },
			"Recv with a context":     func() error { _, err := stream.WithContext(bounded).Recv(buf, 0); return err },
			"Send":                    func() error { _, err := full.Send(make([]byte, 32<<20), 0); return err },
			"Recvfrom":                func() error { _, _, err := datagrams.Recvfrom(buf, 0); return err },
			"Recv with a deadline":    func() error { _, err := unix.Recv(buf, 0); return err },
			"Send to a unix socket":   func() error { _, err := other.Send(make([]byte, 1<<20), 0); return err },
			"Poll":                    func() error { _, err := h.Poll(t.Context(), watched, -1); return err },
			"net.Listener.Accept":     func() error { _, err := l.Accept(); return err },
			"net.PacketConn.ReadFrom": func() error { _, _, err := pc.ReadFrom(buf); return err },
		} {
			wg.Go(func() {
				if err := call(); !errors.Is(err, syscall.EBADF) && !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		p.A.Close()
		wg.Wait()
		if d := time.Since(start); d != 0 {
			t.Errorf("the calls ended after %v", d)
		}
		for name, call := range map[string]func() error{
			"Socket":     func() error { _, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0); return err },
			"Socketpair": func() error { _, _, err := h.Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0); return err },
			"Dial":       func() error { _, err := h.Dial("tcp", "10.0.0.2:80"); return err },
			"Send":       func() error { _, err := stream.Send(buf, 0); return err },
		} {
			if err := call(); !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.EBADF) {
				t.Errorf("%s on a host that is closed: %v", name, err)
			}
		}
	})
}

// The peer of a host that was unplugged hears nothing, as after a power cut.
func TestThePeerOfAClosedHostIsNotTold(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		p := stack.NewPair(stack.PairConfig{})
		defer p.Close()
		_, server := connection(p.A, p.B, "10.0.0.2")
		p.A.Close()
		server.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := server.Recv(make([]byte, 1), 0); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the peer was told: %v", err)
		}
	})
}

// In real time, with calls and timers under way on other goroutines.
func TestHostsCanBeClosedAtAnyTime(t *testing.T) {
	leak.Check(t)
	for range 20 {
		p := stack.NewPair(stack.PairConfig{Cable: link.CableOptions{Ethernet: true}, Faults: link.Faults{Delay: time.Microsecond, Loss: 0.1}})
		var wg sync.WaitGroup
		under := make(chan struct{}, 8)
		for port := range uint16(8) {
			l := listening(p.B, sockeye.AF_INET, "10.0.0.2", 8000+port)
			wg.Go(func() {
				for {
					s, _, err := l.Accept()
					if err != nil {
						return
					}
					wg.Go(func() { io.Copy(s, s) })
				}
			})
			wg.Go(func() {
				for first := true; ; first = false {
					c, err := p.A.Sockets().Dial("tcp", fmt.Sprintf("10.0.0.2:%d", 8000+port))
					if err != nil {
						under <- struct{}{}
						return
					}
					c.Write(make([]byte, 5000))
					c.Read(make([]byte, 5000))
					c.Close()
					if first {
						under <- struct{}{}
					}
				}
			})
		}
		<-under
		p.A.Close()
		p.B.Close()
		if at, some := p.Loop.Next(); some {
			t.Errorf("something is scheduled in %v", at.Sub(p.Loop.Now()))
		}
		for range 7 {
			<-under
		}
		wg.Wait()
		p.Close()
	}
}
