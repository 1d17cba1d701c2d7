package stack_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
)

func TestAPartitionEndsAConnectionThatSends(t *testing.T) {
	leak.Check(t)
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
	leak.Check(t)
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
	leak.Check(t)
	begun := time.Now() // in real time
	defer func() { t.Logf("24 hours took %v", time.Since(begun).Round(time.Millisecond)) }()
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
		// Ten seconds after each answer, which takes a round trip.
		every := 10*time.Second + 20*time.Millisecond
		if n := a.Counters().TCP.TCPKeepAlive; n != uint64(24*time.Hour/every) {
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
	leak.Check(t)
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
	leak.Check(t)
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

func TestPortsInTimeWaitAreTakenAgain(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		ip := inet.DefaultSysctl()
		ip.LocalPortRange = [2]uint16{50000, 50009}
		h := stack.NewHost(stack.Config{Inet: &ip})
		defer h.Close()
		l := listening(h, sockeye.AF_INET, "127.0.0.1", 8080)
		once := func() error {
			c := must(h.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))
			if err := c.Connect(at("127.0.0.1", 8080)); err != nil {
				return err
			}
			a, _, err := l.Accept()
			c.Close() // the first to close waits
			a.Close()
			return err
		}
		for range 10 {
			if err := once(); err != nil {
				t.Fatal(err)
			}
		}
		if err := once(); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("with all ports in TIME-WAIT: %v", err)
		}
		time.Sleep(1100 * time.Millisecond)
		if err := once(); err != nil {
			t.Errorf("a second later: %v", err)
		}
	})
}

func TestTimeWaitIsBounded(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		ip := inet.DefaultSysctl()
		ip.TCP.MaxTWBuckets = 5
		h := stack.NewHost(stack.Config{Inet: &ip})
		defer h.Close()
		for range 20 {
			c, a := connection(h, h, "127.0.0.1")
			c.Close()
			a.Close()
		}
		if n, c := len(h.ListSockets()), h.Counters(); n != 5 || c.TCPTimeWaitOverflow != 15 {
			t.Errorf("%d sockets, %d overflows", n, c.TCPTimeWaitOverflow)
		}
	})
}
