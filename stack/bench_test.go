package stack_test

import (
	"testing"

	"sockeye"
	"sockeye/stack"
)

func BenchmarkUnixPingPong(b *testing.B) {
	h := stack.NewHost(stack.Config{}).Sockets()
	c, d, _ := h.Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	go func() {
		buf := make([]byte, 64)
		for {
			n, err := d.Recv(buf, 0)
			if err != nil || n == 0 {
				return
			}
			d.Send(buf[:n], 0)
		}
	}()
	buf := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		c.Send(buf, 0)
		c.Recv(buf, 0)
	}
	c.Close()
}
