package lab_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
	"sockeye/nat"
)

// homes is two homes behind translators of two kinds, and a server, on one internet.
func homes(t *testing.T, kinds ...string) (n *lab.Network, hosts, boxes []*lab.Host, server *lab.Host) {
	n = lab.New(t)
	internet := n.Switch("internet")
	for i, kind := range kinds {
		c, ok := nat.Named(kind)
		if !ok {
			t.Fatalf("there is no %s", kind)
		}
		box, host := n.NAT(fmt.Sprintf("box%d", i), c), n.Host(fmt.Sprintf("host%d", i))
		n.Link(box, internet, link.Faults{Delay: 10 * time.Millisecond})
		n.Link(box, host)
		hosts, boxes = append(hosts, host), append(boxes, box)
	}
	server = n.Host("server")
	n.Link(server, internet)
	return n, hosts, boxes, server
}

func TestHostsBehindATranslatorReachOutAndAreNotReached(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		_, hosts, boxes, server := homes(t, "full-cone")
		l := server.MustListen("tcp", ":80")
		c, err := hosts[0].Dial("tcp", "server:80")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if from := s.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(); from != boxes[0].Addrs()[0] {
			t.Errorf("the server was called from %v, and not from %v", from, boxes[0].Addrs()[0])
		}
		s.Close()
		for _, a := range hosts[0].Addrs() {
			if _, err := server.Dial("tcp", net.JoinHostPort(a.String(), "80")); !errors.Is(err, syscall.ENETUNREACH) {
				t.Errorf("dialling %v behind it: %v", a, err)
			}
		}
	})
}

// punch is how hosts behind translators open a way to each other: a server tells each the other's outside endpoint
// (RFC 5128 section 3.3). It gives how many of the two heard the other.
func punch(t *testing.T, a, b, server *lab.Host) (heard int) {
	s, err := server.ListenPacket("udp4", ":3478")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, h := range []*lab.Host{a, b} {
		all.Go(func() {
			c, err := h.ListenPacket("udp4", ":5000")
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			buf := make([]byte, 64)
			c.WriteTo([]byte("register"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(server.Addrs()[0], 3478)))
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				t.Error(err)
				return
			}
			peer := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(string(buf[:n])))
			for range 5 {
				c.WriteTo([]byte("hello"), peer)
				c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
				if _, who, err := c.ReadFrom(buf); err == nil && who.String() != from.String() {
					mu.Lock()
					heard++
					mu.Unlock()
					c.WriteTo([]byte("hello"), who) // once more: the peer may have a filter that this opens
					return
				}
			}
		})
	}
	var peers []net.Addr
	for buf := make([]byte, 64); len(peers) < 2; {
		_, from, err := s.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, from)
	}
	for i, p := range peers {
		s.WriteTo([]byte(peers[1-i].String()), p)
	}
	all.Wait()
	s.Close()
	return heard
}

// Which kinds of translators UDP hole punching passes (RFC 5128 section 3.3.1; Ford et al., Peer-to-Peer Communication
// Across Network Address Translators, 2005).
func TestHolePunchingWorksBetweenAllButSymmetricTranslators(t *testing.T) {
	leak.Check(t)
	fails := map[[2]string]bool{
		{"port-restricted-cone", "symmetric"}: true, {"symmetric", "port-restricted-cone"}: true, {"symmetric", "symmetric"}: true,
	}
	for _, one := range nat.Kinds() {
		for _, other := range nat.Kinds() {
			t.Run(one+" and "+other, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					_, hosts, _, server := homes(t, one, other)
					if heard := punch(t, hosts[0], hosts[1], server); (heard == 2) == fails[[2]string{one, other}] {
						t.Errorf("%d of them hear each other", heard)
					}
				})
			})
		}
	}
}

// A keeper is a connection that can be kept alive.
type keeper interface {
	SetKeepAliveConfig(net.KeepAliveConfig) error
}

// A connection that is silent for longer than its mapping lasts is dead, and only who sends something finds that out.
func TestASilentConnectionOutlivesItsMapping(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		box, host, server := n.NAT("box", nat.Config{TCP: 10 * time.Minute}), n.Host("host"), n.Host("server")
		n.Link(box, server, link.Faults{Delay: 10 * time.Millisecond})
		n.Link(host, box)
		l := server.MustListen("tcp", ":7")
		dial := func(keep net.KeepAliveConfig) net.Conn {
			near, err := host.Dial("tcp", "server:7")
			if err != nil {
				t.Fatal(err)
			}
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			near.(keeper).SetKeepAliveConfig(keep)
			far.(keeper).SetKeepAliveConfig(net.KeepAliveConfig{Enable: false})
			go io.Copy(far, far)
			return near
		}
		c := dial(net.KeepAliveConfig{Enable: false})
		kept := dial(net.KeepAliveConfig{Enable: true, Idle: 5 * time.Minute, Interval: time.Minute, Count: 3})
		time.Sleep(11 * time.Minute)
		if got, err := ask(kept, "still here"); got != "still here" || err != nil {
			t.Errorf("the connection that keeps itself alive: %q, %v", got, err)
		}
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := ask(c, "still here?"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the silent one: %v", err)
		}
		if ladder := n.Ladder(host, server); !strings.Contains(ladder, "stray at box") {
			t.Errorf("the ladder does not say where it died:\n%s", ladder)
		}
	})
}

func TestALadderFollowsPacketsThroughATranslator(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		outer, box, host, server := n.NAT("outer", nat.Config{Ports: nat.RandomPort}), n.NAT("box", nat.Config{Ports: nat.RandomPort}), n.Host("host"), n.Host("server")
		n.Link(outer, server, link.Faults{Delay: 10 * time.Millisecond})
		n.Link(box, outer)
		n.Link(host, box, link.Faults{Delay: time.Millisecond})
		echo(server, "7")
		c := mustAsk(t, host, "server:7")
		c.Close()
		synctest.Wait()
		time.Sleep(time.Second)
		for _, talk := range n.Conversations() {
			if talk.Hosts != [2]*lab.Host{host, server} {
				t.Errorf("a conversation of %v and %v:\n%v", talk.Ends[0], talk.Ends[1], talk)
			}
			for _, s := range talk.Steps {
				if s.Arrived-s.Sent != 11*time.Millisecond {
					t.Errorf("%v took %v", s, s.Arrived-s.Sent)
				}
			}
			if len(talk.Steps) < 7 {
				t.Errorf("there are only\n%v", talk)
			}
		}
		if report := n.Report(); !strings.Contains(report, "INSIDE") || !strings.Contains(report, box.Addrs()[0].String()+":") {
			t.Errorf("no mappings in\n%s", report)
		}
	})
}

func TestARestartedTranslatorHasForgottenAll(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		_, hosts, boxes, server := homes(t, "full-cone")
		echo(server, "7")
		mustAsk(t, hosts[0], "server:7").Close()
		if m, err := boxes[0].Stack().Mappings("eth0"); len(m) != 1 || err != nil {
			t.Errorf("%v, %v", m, err)
		}
		boxes[0].Restart()
		if m, err := boxes[0].Stack().Mappings("eth0"); len(m) != 0 || err != nil {
			t.Errorf("%v, %v", m, err)
		}
		mustAsk(t, hosts[0], "server:7").Close()
	})
}
