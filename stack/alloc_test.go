//go:build !race

package stack_test

import (
	"testing"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
)

// The race detector makes sync.Pool forget some of what it is given.

func TestADatagramAllocatesNothing(t *testing.T) {
	leak.Check(t)
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	x, y := pair(t, link.CableOptions{})
	for _, tt := range []struct {
		name           string
		client, server *stack.Host
		ip             string
	}{
		{"to the host itself", h, h, "127.0.0.1"},
		{"over a cable", x, y, "10.0.0.2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := udp(tt.server, sockeye.AF_INET, tt.ip, 7000)
			client := udp(tt.client, sockeye.AF_INET, "0.0.0.0", 7001)
			client.Connect(at(tt.ip, 7000))
			buf := make([]byte, 64)
			none(t, func() {
				client.Send(buf, 0)
				server.Recv(buf, 0)
			})
		})
	}
}

// Whatever a segment is like and wherever it goes: sockets, and the links between their hosts.
func TestASegmentAllocatesNothing(t *testing.T) {
	leak.Check(t)
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	plainX, plainY := pair(t, link.CableOptions{})
	largeX, largeY := pair(t, link.CableOptions{MaxGSO: link.MaxGSO, Checksum: link.ChecksumByLink})
	etherX, etherY := pair(t, link.CableOptions{Ethernet: true})
	for _, tt := range []struct {
		name           string
		client, server *stack.Host
		ip             string
	}{
		{"to the host itself", h, h, "127.0.0.1"},
		{"with a checksum", plainX, plainY, "10.0.0.2"},
		{"as part of a large one", largeX, largeY, "10.0.0.2"},
		{"in a frame", etherX, etherY, "10.0.0.2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, a := connection(tt.client, tt.server, tt.ip)
			for _, size := range []int{1, 64, 1448, 16 << 10, 64 << 10} {
				out, in := make([]byte, size), make([]byte, size)
				none(t, func() {
					for _, way := range [][2]*sockeye.Socket{{c, a}, {a, c}} {
						if n, err := way[0].Send(out, 0); n != size || err != nil {
							t.Fatal(n, err)
						}
						if n, err := way[1].Recv(in, sockeye.MSG_WAITALL); n != size || err != nil {
							t.Fatal(n, err)
						}
					}
				})
			}
		})
	}
}

// A call that has to wait for another goroutine.
func TestAWaitAllocatesNothing(t *testing.T) {
	leak.Check(t)
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	c, a := connection(h, h, "127.0.0.1")
	done := make(chan struct{})
	go func() {
		defer close(done)
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
	none(t, func() {
		c.Send(buf, 0)
		if _, err := c.Recv(buf, 0); err != nil {
			t.Fatal(err)
		}
	})
	c.Close()
	<-done
}

// none runs f until pools and queues are as large as they get, and then wants no allocation of
// it. A few of a thousand are the runtime's own.
func none(t *testing.T, f func()) {
	t.Helper()
	for range 200 {
		f()
	}
	if n := testing.AllocsPerRun(1000, f); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}
