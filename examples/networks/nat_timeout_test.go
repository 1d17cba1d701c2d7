package networks_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/lab"
	"sockeye/link"
	"sockeye/nat"
)

// A phone at home keeps a connection to a server that will send it messages some day. The home router forgets silent
// connections after five minutes (RFC 5382 asks for two hours and four minutes; many boxes do not), and tells nobody: the
// server's message is dropped on the way in, and the phone waits for ever. Keepalive more often than that keeps the
// router's memory fresh.
func TestANATForgetsASilentConnection(t *testing.T) {
	const forgets = 5 * time.Minute
	for _, tt := range []struct {
		name      string
		keepalive net.KeepAliveConfig
		arrives   bool
	}{
		{"Linux's keepalive of two hours comes too late", net.KeepAliveConfig{Enable: true, Idle: 2 * time.Hour}, false},
		{"keepalive every two minutes is in time", net.KeepAliveConfig{Enable: true, Idle: 2 * time.Minute}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := lab.New(t)
				phone, server := n.Host("phone"), n.Host("server")
				router := n.NAT("router", nat.Config{TCP: forgets})
				n.Link(router, server, link.Faults{Delay: 20 * time.Millisecond})
				n.Link(router, phone, link.Faults{Delay: time.Millisecond})
				l := server.MustListen("tcp", ":5228")

				c, err := phone.DialTCP(context.Background(), "server:5228")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.(*sockeye.TCPConn).SetKeepAliveConfig(tt.keepalive); err != nil {
					t.Fatal(err)
				}
				peer, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer peer.Close()
				peer.(*sockeye.TCPConn).SetKeepAlive(false) // as a server with a million phones does

				time.Sleep(2 * forgets)
				if _, err := peer.Write([]byte("you have mail")); err != nil {
					t.Fatal(err)
				}
				c.SetReadDeadline(time.Now().Add(time.Hour))
				message := make([]byte, 100)
				got, err := c.Read(message)
				switch {
				case tt.arrives && string(message[:got]) != "you have mail":
					t.Errorf("%q arrived, %v", message[:got], err)
				case !tt.arrives && !errors.Is(err, os.ErrDeadlineExceeded):
					t.Errorf("the phone read %q, %v", message[:got], err)
				}
				for _, c := range n.Conversations() { // what the router drops is one of its own: it does not know for whom it was
					t.Logf("\n%s", c.Tail(12))
				}
			})
		})
	}
}
