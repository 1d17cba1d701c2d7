package networks_test

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/lab"
	"sockeye/link"
)

// A server that loses its power says no goodbye: its clients keep half of a connection, and one that only listens
// would do so for ever. Keepalive (RFC 9293 section 3.8.4) finds out, and how it ends tells whether the server is
// back: a host that knows nothing of the connection answers with RST, one that is gone does not answer.
func TestKeepaliveFindsAHalfOpenConnection(t *testing.T) {
	keepalive := net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}
	const roundTrip = 40 * time.Millisecond
	for _, tt := range []struct {
		name      string
		keepalive net.KeepAliveConfig
		restart   bool
		after     time.Duration // of silence
		want      error
	}{
		{"the server is gone: three probes without an answer", keepalive, false, 60 * time.Second, syscall.ETIMEDOUT},
		{"the server is back: RST to the first probe", keepalive, true, 30*time.Second + roundTrip, syscall.ECONNRESET},
		{"without keepalive nobody finds out in a day", net.KeepAliveConfig{Enable: false}, true, 24 * time.Hour, os.ErrDeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := lab.New(t)
				client, server := n.Host("client"), n.Host("server")
				n.Link(client, server, link.Faults{Delay: roundTrip / 2})
				l := server.MustListen("tcp", ":80")
				go l.Accept()

				c, err := client.DialTCP(context.Background(), "server:80")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.(*sockeye.TCPConn).SetKeepAliveConfig(tt.keepalive); err != nil {
					t.Fatal(err)
				}
				start := time.Now() // of the silence
				time.Sleep(time.Second)
				server.Crash()
				if tt.restart {
					server.Restart()
				}

				c.SetReadDeadline(start.Add(24 * time.Hour))
				if _, err = c.Read(make([]byte, 1)); !errors.Is(err, tt.want) {
					t.Errorf("the read ended with %v, want %v", err, tt.want)
				}
				if d := time.Since(start).Round(10 * time.Millisecond); d != tt.after {
					t.Errorf("it took %v, want %v", d, tt.after)
				}
				t.Logf("\n%s", n.Ladder(client, server))
			})
		})
	}
}
