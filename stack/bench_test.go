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

// One goroutine sends and receives over the loopback.
func BenchmarkUDP64(b *testing.B) {
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	server := udp(h, sockeye.AF_INET, "127.0.0.1", 7000)
	client := udp(h, sockeye.AF_INET, "127.0.0.1", 7001)
	client.Connect(at("127.0.0.1", 7000))
	buf, in := make([]byte, 64), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		client.Send(buf, 0)
		if _, err := server.Recv(in, 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "datagrams/s")
}

// The same, 64 datagrams at a time.
func BenchmarkUDP64Batches(b *testing.B) {
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	server := udp(h, sockeye.AF_INET, "127.0.0.1", 7000)
	client := udp(h, sockeye.AF_INET, "127.0.0.1", 7001)
	client.Connect(at("127.0.0.1", 7000))
	out, in := make([]sockeye.Message, 64), make([]sockeye.Message, 64)
	for i := range out {
		out[i].Buffers, in[i].Buffers = [][]byte{make([]byte, 64)}, [][]byte{make([]byte, 64)}
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		client.Sendmmsg(out, 0)
		got, err := server.Recvmmsg(in, 0)
		if err != nil {
			b.Fatal(err)
		}
		n += got
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "datagrams/s")
}
