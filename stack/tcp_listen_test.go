package stack_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
)

func TestASYNFloodDoesNotKeepGoodClientsOut(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		loop := leak.Loop(t)
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
	leak.Check(t)
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
	leak.Check(t)
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

func TestTCPOutlivesRandomSegments(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		loop := leak.Loop(t)
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

func TestManyIdleConnectionsStayUsable(t *testing.T) {
	leak.Check(t)
	n := 100_000
	if testing.Short() || raceEnabled {
		n = 2_000
	}
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	const perPort = 20_000 // of ip_local_port_range
	var clients, servers []*sockeye.Socket
	for len(clients) < n {
		port := uint16(8080 + len(clients)/perPort)
		l := listening(h, sockeye.AF_INET, "127.0.0.1", port)
		for range min(n, perPort) {
			clients = append(clients, dialed(h, sockeye.AF_INET, "127.0.0.1", port))
			a, _, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			servers = append(servers, a)
		}
	}
	buf := make([]byte, 2)
	for i, c := range clients {
		c.Send([]byte{byte(i)}, 0)
	}
	for i, a := range servers {
		if k, err := a.Recv(buf, 0); k != 1 || buf[0] != byte(i) {
			t.Fatalf("connection %d received %d bytes: %v", i, k, err)
		}
	}
}
