package interop_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"sockeye/internal/leak"
	"sockeye/stack"
)

// serveNATS runs a NATS server on the star's server, until the test ends. It opens no listener of its
// own: each connection of ours becomes one of its connections in the process.
func serveNATS(t *testing.T, s *star) {
	ns, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	l := s.listen(t, ":4222")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			inside, err := ns.InProcessConn()
			if err != nil {
				t.Error(err)
				c.Close()
				return
			}
			go join(c, inside)
			go join(inside, c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		ns.Shutdown()
		ns.WaitForShutdown()
	})
}

// join copies what from gives into to, and closes both at the end.
func join(to, from net.Conn) {
	io.Copy(to, from)
	to.Close()
	from.Close()
}

// dialNATS is a client on a host that connects again and again.
func dialNATS(t *testing.T, h *stack.Host) *nats.Conn {
	c, err := nats.Connect("nats://server:4222", nats.SetCustomDialer(h.Sockets()), nats.SkipHostLookup(),
		nats.Timeout(time.Minute), nats.MaxReconnects(-1), nats.ReconnectWait(time.Second),
		nats.PingInterval(10*time.Second), nats.MaxPingsOutstanding(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// emptyPools takes from the pools of the process what the bubble before left there: a client keeps
// timers in one, which are of use in their own bubble alone. The second collection drops what the
// first has put aside.
func emptyPools() {
	runtime.GC()
	runtime.GC()
}

// flush waits until the server has seen what the client sent.
func flush(t *testing.T, c *nats.Conn) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.FlushWithContext(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestNATSMessagesReachEverySubscriber(t *testing.T) {
	leak.Check(t)
	everyWay(t, 5, func(t *testing.T, s *star) {
		emptyPools()
		serveNATS(t, s)
		const messages = 200
		var wg sync.WaitGroup
		for _, h := range s.clients[1:] {
			c := dialNATS(t, h)
			sub, err := c.SubscribeSync("news")
			if err != nil {
				t.Fatal(err)
			}
			flush(t, c)
			wg.Go(func() {
				for i := range messages {
					m, err := sub.NextMsgWithContext(t.Context())
					if want := fmt.Sprint(i); err != nil || string(m.Data) != want {
						t.Errorf("message %d: %v", i, err)
						return
					}
				}
			})
		}
		c := dialNATS(t, s.clients[0])
		for i := range messages {
			if err := c.Publish("news", fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		wg.Wait()
	})
}

// A client that was cut off connects again by itself, and its requests are answered.
func TestNATSRequestsAreAnsweredAgainAfterAPartition(t *testing.T) {
	leak.Check(t)
	everyWay(t, 2, func(t *testing.T, s *star) {
		emptyPools()
		serveNATS(t, s)
		service := dialNATS(t, s.clients[0])
		if _, err := service.Subscribe("ask", func(m *nats.Msg) { m.Respond(m.Data) }); err != nil {
			t.Fatal(err)
		}
		flush(t, service)
		c := dialNATS(t, s.clients[1])
		ask := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := c.RequestWithContext(ctx, "ask", []byte("who is there?"))
			return err
		}
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		faults := s.cables[1].Faults(0)
		s.cut(t, 1, true, faults)
		if err := ask(); err == nil {
			t.Error("a request was answered through a network that is cut")
		}
		time.Sleep(5 * time.Minute)
		s.cut(t, 1, false, faults)
		time.Sleep(2 * time.Minute)
		if err := ask(); err != nil || c.Reconnects == 0 {
			t.Errorf("after %d reconnections: %v", c.Reconnects, err)
		}
	})
}
