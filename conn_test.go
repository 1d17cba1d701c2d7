//go:build linux

package sockeye_test

import (
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/net/nettest"

	"sockeye"
	"sockeye/kernel"
)

// Every type does what package net's do.
var (
	_ net.Conn       = (*sockeye.TCPConn)(nil)
	_ net.Conn       = (*sockeye.UnixConn)(nil)
	_ net.PacketConn = (*sockeye.UDPConn)(nil)
	_ net.PacketConn = (*sockeye.IPConn)(nil)
	_ net.PacketConn = (*sockeye.UnixConn)(nil)
	_ net.Listener   = (*sockeye.Listener)(nil)

	_ syscall.Conn   = (*sockeye.Listener)(nil)
	_ io.ReaderFrom  = (*sockeye.TCPConn)(nil)
	_ io.WriterTo    = (*sockeye.TCPConn)(nil)
	_ quicPacketConn = (*sockeye.UDPConn)(nil)
)

// A quicPacketConn is what QUIC needs for ECN, packet info and segmentation.
type quicPacketConn interface {
	net.PacketConn
	syscall.Conn
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
	ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
	WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
}

// check ends the test at an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must gives a call's value, or ends the test: must(f())(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		check(t, err)
		return v
	}
}

// localAddress is an address to listen on.
func localAddress(t testing.TB, network string) string {
	switch network {
	case "tcp", "tcp4", "udp", "udp4":
		return "127.0.0.1:0"
	case "tcp6", "udp6":
		return "[::1]:0"
	}
	return filepath.Join(t.TempDir(), "socket")
}

// connPair gives both ends of a connection.
func connPair(t testing.TB, network string) (client, server net.Conn) {
	t.Helper()
	l := must(kernel.Host().Listen(network, localAddress(t, network)))(t)
	defer l.Close()
	client = must(kernel.Host().Dial(network, l.Addr().String()))(t)
	server = must(l.Accept())(t)
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

func TestConnsPassNettest(t *testing.T) {
	for _, network := range []string{"tcp", "tcp6", "unix", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				c1, c2 = connPair(t, network)
				return c1, c2, func() { c1.Close(); c2.Close() }, nil
			})
		})
	}
}

func TestSocketpairsPassNettest(t *testing.T) {
	for _, typ := range []sockeye.Type{sockeye.SOCK_STREAM, sockeye.SOCK_SEQPACKET} {
		t.Run(typ.String(), func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				a, b, err := kernel.Host().Socketpair(sockeye.AF_UNIX, typ, 0)
				if err != nil {
					return nil, nil, nil, err
				}
				c1, c2 = must(sockeye.NewConn(a))(t), must(sockeye.NewConn(b))(t)
				return c1, c2, func() { c1.Close(); c2.Close() }, nil
			})
		})
	}
}

// socketPair gives both ends of a TCP connection.
func socketPair(t testing.TB) (a, b *sockeye.Socket) {
	t.Helper()
	c, s := connPair(t, "tcp")
	return c.(*sockeye.TCPConn).Socket(), s.(*sockeye.TCPConn).Socket()
}
