package interop_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"sockeye/internal/leak"
)

// serveQUIC echoes every stream that clients open, until the test ends.
func serveQUIC(t *testing.T, s *star, config *quic.Config) {
	transport := &quic.Transport{Conn: listenPacket(t, s.server, ":443")}
	l, err := transport.Listen(serverTLS("echo"), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		transport.Close()
		transport.Conn.Close()
	})
	go func() {
		for {
			c, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			go func() {
				for {
					stream, err := c.AcceptStream(context.Background())
					if err != nil {
						return
					}
					go func() {
						io.Copy(stream, stream)
						stream.Close()
					}()
				}
			}()
		}
	}()
}

// dialQUIC connects client i.
func dialQUIC(t *testing.T, s *star, i int, config *quic.Config) *quic.Conn {
	transport := &quic.Transport{Conn: listenPacket(t, s.clients[i], ":0")}
	to, err := s.clients[i].Sockets().Dial("udp", "server:443") // for the address alone
	if err != nil {
		t.Fatal(err)
	}
	to.Close()
	c, err := transport.Dial(t.Context(), to.RemoteAddr(), clientTLS("echo"), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.CloseWithError(0, "")
		transport.Close()
		transport.Conn.Close()
	})
	return c
}

func TestQUICStreamsCarryDataBothWays(t *testing.T) {
	leak.Check(t)
	everyWay(t, 3, func(t *testing.T, s *star) {
		serveQUIC(t, s, nil)
		data := make([]byte, 256<<10)
		rand.NewChaCha8([32]byte{}).Read(data)
		var wg sync.WaitGroup
		for i := range s.clients {
			c := dialQUIC(t, s, i, nil)
			for range 4 {
				wg.Go(func() {
					stream, err := c.OpenStreamSync(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					go func() {
						stream.Write(data)
						stream.Close()
					}()
					if got, err := io.ReadAll(stream); err != nil || !bytes.Equal(got, data) {
						t.Errorf("%d bytes came back of %d: %v", len(got), len(data), err)
					}
				})
			}
		}
		wg.Wait()
	})
}

// A connection that is silent for its idle timeout is given up, not a moment before.
func TestQUICConnectionsEndWhenTheNetworkIsCut(t *testing.T) {
	leak.Check(t)
	everyWay(t, 1, func(t *testing.T, s *star) {
		config := &quic.Config{MaxIdleTimeout: 10 * time.Second}
		serveQUIC(t, s, config)
		c := dialQUIC(t, s, 0, config)
		stream, err := c.OpenStreamSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stream.Write([]byte("hello"))
		buf := make([]byte, 5)
		if _, err := io.ReadFull(stream, buf); err != nil {
			t.Fatal(err)
		}
		s.cut(t, 0, true, s.cables[0].Faults(0))
		start := time.Now()
		var idle *quic.IdleTimeoutError
		if _, err := stream.Read(buf); !errors.As(err, &idle) {
			t.Errorf("the read ended with %v", err)
		}
		if d := time.Since(start); d < 9*time.Second || d > 11*time.Second {
			t.Errorf("the connection was given up after %v", d)
		}
	})
}
