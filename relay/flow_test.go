package relay_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"sockeye"
	. "sockeye/internal/sockettest"
	"sockeye/relay"
)

var datagrams = []Kind{udp4, udp6, unixgram}

// answerer sends back what it receives, with the number of its sender in front.
func answerer(t *testing.T, s *sockeye.Socket) {
	var wg sync.WaitGroup
	wg.Go(func() {
		senders := make(map[sockeye.Sockaddr]int)
		buf := make([]byte, 300_000)
		for {
			n, from, err := s.Recvfrom(buf, 0)
			if err != nil {
				return
			}
			if senders[from] == 0 {
				senders[from] = len(senders) + 1
			}
			s.Sendto(append([]byte{byte(senders[from])}, buf[:n]...), 0, from)
		}
	})
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { s.Close() })
}

func TestDatagramsKeepTheirBoundaries(t *testing.T) {
	eachPair(t, datagrams, func(t *testing.T, from, to Kind) {
		l, target := Listen(t, host, to)
		answerer(t, l)
		at, _ := start(t, from, to, target, nil)
		client := Dial(t, host, from, at)
		for _, size := range []int{1, 1400, 0, 0, 65506, 3, 150_000} {
			if size > 65507 && (from != unixgram || to != unixgram) {
				continue
			}
			p := payload(size)
			_, err := client.Send(p, 0)
			Check(t, err)
			if got := Receive(t, client, size+1); !bytes.Equal(got[1:], p) {
				t.Fatalf("a datagram of %d bytes came back as %d", size, len(got)-1)
			}
		}
	})
}

func TestAnswersGoToTheirOwnPeer(t *testing.T) {
	eachPair(t, datagrams, func(t *testing.T, from, to Kind) {
		l, target := Listen(t, host, to)
		answerer(t, l)
		at, _ := start(t, from, to, target, func(ev relay.Event) {
			if ev.Err != nil {
				t.Errorf("%+v", ev)
			}
		})
		const peers = 100
		clients := make([]*sockeye.Socket, peers)
		for i := range clients {
			clients[i] = Dial(t, host, from, at)
		}
		for round := range 3 {
			for i, c := range clients {
				_, err := c.Send(fmt.Appendf(nil, "%d of %d", i, round), 0)
				Check(t, err)
			}
			numbers := make(map[byte]bool)
			for i, c := range clients {
				got := Receive(t, c, 100)
				if want := fmt.Sprintf("%d of %d", i, round); string(got[1:]) != want {
					t.Fatalf("peer %d got %q, want %q", i, got[1:], want)
				}
				numbers[got[0]] = true
			}
			if len(numbers) != peers {
				t.Fatalf("the target saw %d peers, want %d", len(numbers), peers)
			}
		}
	})
}

func TestAnswersComeFromTheAddressThatWasWrittenTo(t *testing.T) {
	t.Parallel()
	l, target := Listen(t, host, udp6)
	answerer(t, l)
	s, at := ListenAt(t, host, udp4, sockeye.SockaddrInet4([4]byte{}, 0))
	serve(t, s, relay.At(host, udp6.Type, target), nil)
	me := sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)
	c, err := host.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	Check(t, err)
	defer c.Close()
	Check(t, c.Bind(me))
	// One peer writes to two of the relay's addresses: two flows.
	for _, ip := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.2"} {
		to := sockeye.SockaddrInet(netip.AddrPortFrom(netip.MustParseAddr(ip), at.Port()))
		_, err := c.Sendto([]byte("x"), 0, to)
		Check(t, err)
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, from, err := c.Recvfrom(make([]byte, 10), 0); err != nil || from != to {
			t.Errorf("written to %v, answered by %v, %v", to, from, err)
		}
	}
}

func TestClosedTargetPortDoesNotEndTheFlow(t *testing.T) {
	t.Parallel()
	for _, to := range datagrams {
		t.Run(to.String(), func(t *testing.T) {
			t.Parallel()
			l, target := Listen(t, host, to)
			events := make(chan relay.Event, 100)
			at, _ := start(t, udp4, to, target, func(ev relay.Event) { events <- ev })
			client := Dial(t, host, udp4, at)
			_, err := client.Send([]byte("one"), 0)
			Check(t, err)
			Receive(t, l, 3)
			Check(t, l.Close())
			for range 3 { // nobody is there: each may be lost, and its error be told
				_, err = client.Send([]byte("lost"), 0)
				Check(t, err)
			}
			if to == unixgram {
				for ev := range events {
					if ev.Err != nil {
						break
					}
				}
			}
			again := reopen(t, to, target)
			answerer(t, again)
			// The target is back. The relay may not know until a datagram has
			// failed.
			for tries := 1; ; tries++ {
				_, err = client.Send([]byte("two"), 0)
				Check(t, err)
				client.SetReadDeadline(time.Now().Add(time.Second))
				n, err := client.Recv(make([]byte, 10), 0)
				if n == 4 {
					return
				}
				if tries == 10 {
					t.Fatal("no answer:", err)
				}
			}
		})
	}
}

func TestDatagramsWaitForASlowTarget(t *testing.T) {
	t.Parallel()
	l, target := Listen(t, host, unixgram)
	at, _ := start(t, unixgram, unixgram, target, nil)
	client := Dial(t, host, unixgram, at)
	for i := range 200 { // more than a unix socket's queue takes
		_, err := client.Send([]byte{byte(i)}, 0)
		Check(t, err)
	}
	for i := range 200 {
		if got := Receive(t, l, 1); got[0] != byte(i) {
			t.Fatalf("datagram %d came as %d", i, got[0])
		}
	}
}

func TestIdleFlowEnds(t *testing.T) { // not parallel: idle is of all
	restore := relay.SetIdle(50 * time.Millisecond)
	defer restore()
	l, target := Listen(t, host, udp4)
	answerer(t, l)
	events := make(chan relay.Event, 10)
	at, stop := start(t, udp4, udp4, target, func(ev relay.Event) { events <- ev })
	defer stop()
	client := Dial(t, host, udp4, at)
	for range 2 { // and begins again
		_, err := client.Send([]byte("hello"), 0)
		Check(t, err)
		Receive(t, client, 6)
		if ev := <-events; !ev.Opened || ev.Target != target {
			t.Errorf("got %+v, want it opened", ev)
		}
		if ev := <-events; ev.Opened || ev.Err != nil || ev.Sent != 5 || ev.Received != 6 {
			t.Errorf("got %+v, want its end", ev)
		}
	}
}

// reopen binds a socket where another was.
func reopen(t *testing.T, k Kind, at sockeye.Sockaddr) *sockeye.Socket {
	if k == unixgram {
		Check(t, syscall.Unlink(at.Path()))
	}
	s, err := host.Socket(k.Family, k.Type, 0)
	Check(t, err)
	for {
		if err = s.Bind(at); !errors.Is(err, syscall.EADDRINUSE) {
			Check(t, err)
			return s
		}
	}
}
