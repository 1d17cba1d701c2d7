package stack_test

import (
	"io"
	"runtime"
	"testing"

	"sockeye"
	"sockeye/link"
	"sockeye/stack"
)

// listening is a TCP socket that listens.
func listening(h *stack.Host, family sockeye.Family, ip string, port uint16) *sockeye.Socket {
	s := must(h.Sockets().Socket(family, sockeye.SOCK_STREAM, 0))
	if err := s.Bind(at(ip, port)); err != nil {
		panic(err)
	}
	if err := s.Listen(4096); err != nil {
		panic(err)
	}
	return s
}

// dialed is a TCP socket that is connected.
func dialed(h *stack.Host, family sockeye.Family, ip string, port uint16) *sockeye.Socket {
	s := must(h.Sockets().Socket(family, sockeye.SOCK_STREAM, 0))
	if err := s.Connect(at(ip, port)); err != nil {
		panic(err)
	}
	return s
}

// connection is one of client's host to server's, and its other end.
func connection(client, server *stack.Host, ip string) (c, a *sockeye.Socket) {
	family := at(ip, 0).Family()
	l := listening(server, family, ip, 8080)
	defer l.Close()
	c = dialed(client, family, ip, 8080)
	a, _, err := l.Accept()
	if err != nil {
		panic(err)
	}
	return c, a
}

// benchPair is two hosts on a cable in real time.
func benchPair(b *testing.B, o link.CableOptions) (*stack.Host, *stack.Host) {
	return pair(b, o)
}

func BenchmarkTCPBulk(b *testing.B) {
	for _, bm := range []struct {
		name string
		link link.CableOptions
	}{
		{"large segments", link.CableOptions{MTU: 1500, MaxGSO: link.MaxGSO, Checksum: link.ChecksumByLink}},
		{"MTU 1500 with checksums", link.CableOptions{MTU: 1500}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			x, y := benchPair(b, bm.link)
			c, a := connection(x, y, "10.0.0.2")
			bulk(b, c, a)
		})
	}
	b.Run("loopback", func(b *testing.B) {
		h := stack.NewHost(stack.Config{})
		defer h.Close()
		c, a := connection(h, h, "127.0.0.1")
		bulk(b, c, a)
	})
}

func bulk(b *testing.B, c, a *sockeye.Socket) {
	const size = 64 << 10
	b.SetBytes(size)
	b.ReportAllocs()
	done := make(chan int64)
	go func() {
		buf := make([]byte, size)
		var all int64
		for {
			n, err := a.Recv(buf, 0)
			all += int64(n)
			if n == 0 || err != nil {
				done <- all
				return
			}
		}
	}()
	buf := make([]byte, size)
	sent := int64(0)
	for b.Loop() {
		n, err := c.Send(buf, 0)
		if err != nil {
			b.Fatal(err)
		}
		sent += int64(n)
	}
	c.Shutdown(sockeye.SHUT_WR)
	if got := <-done; got != sent {
		b.Errorf("%d bytes were sent, %d received", sent, got)
	}
}

func BenchmarkTCPPingPong(b *testing.B) {
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	c, a := connection(h, h, "127.0.0.1")
	go func() {
		buf := make([]byte, 64)
		for {
			n, err := a.Recv(buf, 0)
			if n == 0 || err != nil {
				return
			}
			a.Send(buf[:n], 0)
		}
	}()
	buf := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		c.Send(buf, 0)
		if _, err := c.Recv(buf, 0); err != nil {
			b.Fatal(err)
		}
	}
	c.Close()
}

// One goroutine plays both sides.
func BenchmarkTCPPingPongAlone(b *testing.B) {
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	c, a := connection(h, h, "127.0.0.1")
	buf := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		c.Send(buf, 0)
		a.Recv(buf, 0)
		a.Send(buf, 0)
		if _, err := c.Recv(buf, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTCPConnectAcceptClose(b *testing.B) {
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	l := listening(h, sockeye.AF_INET, "127.0.0.1", 8080)
	go func() {
		for {
			a, _, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(io.Discard, a)
			a.Close()
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		c := dialed(h, sockeye.AF_INET, "127.0.0.1", 8080)
		sockeye.SO_LINGER.Set(c, sockeye.Linger{On: true})
		c.Close()
	}
	l.Close()
}

// The heap that an idle connection takes, both ends and their sockets.
func BenchmarkTCPIdlePair(b *testing.B) {
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	l := listening(h, sockeye.AF_INET, "127.0.0.1", 8080)
	var all []*sockeye.Socket
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		c := dialed(h, sockeye.AF_INET, "127.0.0.1", 8080)
		a, _, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, c, a)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(all)/2), "B/pair")
	runtime.KeepAlive(all)
}
