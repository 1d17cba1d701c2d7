//go:build !race

package stack_test

import (
	"testing"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/stack"
)

// The race detector makes sync.Pool forget some of what it is given.
func TestADatagramAllocatesNothing(t *testing.T) {
	leak.Check(t)
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	server, client := udp(h, sockeye.AF_INET, "127.0.0.1", 7000), udp(h, sockeye.AF_INET, "127.0.0.1", 7001)
	client.Connect(at("127.0.0.1", 7000))
	buf := make([]byte, 64)
	if n := testing.AllocsPerRun(1000, func() {
		client.Send(buf, 0)
		server.Recv(buf, 0)
	}); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}
