package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"

	"sockeye"
	"sockeye/echo"
	"sockeye/kernel"
	"sockeye/relay"
)

// servers are those that this program can be: ours as the command sockeye runs
// them, what a Go programmer writes first on package net, and the target behind a
// relay.
var servers = map[string]func(ctx context.Context, at, target string) error{
	"relay":      serveRelay,
	"echo":       serveEcho,
	"net-relay":  serveNetRelay,
	"net-echo":   serveNetEcho,
	"one-answer": serveOneAnswer,
	"echo-tcp":   serveTCPEcho,
}

// listen opens a socket of the kernel at an address.
func listen(typ sockeye.Type, at string) (*sockeye.Socket, error) {
	ap, err := netip.ParseAddrPort(at)
	if err != nil {
		return nil, err
	}
	s, err := kernel.Host().Socket(sockeye.AF_INET, typ, 0)
	if err != nil {
		return nil, err
	}
	err = sockeye.SO_REUSEADDR.Set(s, typ == sockeye.SOCK_STREAM)
	if err == nil {
		err = s.Bind(sockeye.SockaddrInet(ap))
	}
	if err == nil && typ == sockeye.SOCK_STREAM {
		err = s.Listen(4096)
	}
	return s, err
}

func connect(ctx context.Context, to sockeye.Sockaddr) (*sockeye.Socket, error) {
	s, err := kernel.Host().Socket(to.Family(), sockeye.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if err := s.WithContext(ctx).Connect(to); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func serveRelay(ctx context.Context, at, target string) error {
	s, err := listen(sockeye.SOCK_STREAM, at)
	if err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(target)
	if err != nil {
		return err
	}
	return relay.Serve(ctx, s, relay.At(kernel.Host(), sockeye.SOCK_STREAM, sockeye.SockaddrInet(to)), nil)
}

func serveEcho(ctx context.Context, at, _ string) error {
	s, err := listen(sockeye.SOCK_DGRAM, at)
	if err != nil {
		return err
	}
	return echo.Serve(ctx, s, nil)
}

func serveTCPEcho(ctx context.Context, at, _ string) error {
	s, err := listen(sockeye.SOCK_STREAM, at)
	if err != nil {
		return err
	}
	return echo.Serve(ctx, s, nil)
}

// serveNetRelay uses io.Copy both ways, which package net turns into splice(2).
func serveNetRelay(_ context.Context, at, target string) error {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	pump := func(dst, src net.Conn) {
		io.Copy(dst, src)
		dst.(*net.TCPConn).CloseWrite()
	}
	for {
		in, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer in.Close()
			out, err := net.Dial("tcp", target)
			if err != nil {
				return
			}
			defer out.Close()
			var wg sync.WaitGroup
			wg.Go(func() { pump(out, in) })
			wg.Go(func() { pump(in, out) })
			wg.Wait()
		}()
	}
}

func serveNetEcho(_ context.Context, at, _ string) error {
	ap, err := netip.ParseAddrPort(at)
	if err != nil {
		return err
	}
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(ap))
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return err
		}
		c.WriteToUDPAddrPort(buf[:n], from)
	}
}

// The first byte of a connection to serveOneAnswer chooses how it ends. It is
// answered with one byte.
const (
	clientFirst = 'c' // answer, then wait for the client to close
	serverFirst = 's' // answer, then close at once
	halfClosed  = 'h' // answer only after the client's end of stream
)

func serveOneAnswer(_ context.Context, at, _ string) error {
	l, err := listen(sockeye.SOCK_STREAM, at)
	if err != nil {
		return err
	}
	for {
		conn, _, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			var b, rest [1]byte
			if n, err := conn.Recv(b[:], 0); n == 0 || err != nil {
				return
			}
			if b[0] == halfClosed {
				conn.Recv(rest[:], 0)
			}
			conn.Send(b[:], 0)
			if b[0] == clientFirst {
				conn.Recv(rest[:], 0)
			}
		}()
	}
}
