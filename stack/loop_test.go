package stack_test

import (
	"testing"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/stack"
)

// Segments of a host to itself are packets as soon as somebody looks at packets.
func TestARawSocketSeesTheSegmentsOfTheHostItself(t *testing.T) {
	leak.Check(t)
	h := stack.NewHost(stack.Config{Privileged: true})
	defer h.Close()
	c, a := connection(h, h, "127.0.0.1")
	exchange := func(text string) {
		t.Helper()
		buf := make([]byte, 64)
		c.Send([]byte(text), 0)
		if n, err := a.Recv(buf, 0); string(buf[:n]) != text {
			t.Fatalf("got %q, %v", buf[:n], err)
		}
	}
	exchange("before")
	raw := must(h.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_TCP))
	exchange("seen")
	buf := make([]byte, 128)
	n, err := raw.Recv(buf, sockeye.MSG_DONTWAIT)
	if err != nil || n < 4 || string(buf[n-4:n]) != "seen" {
		t.Errorf("the raw socket got %q, %v", buf[:n], err)
	}
	raw.Close()
	exchange("after")
	for _, s := range []*sockeye.Socket{c, a} {
		if info, err := sockeye.TCP_INFO.Get(s); err != nil || info.TotalRetrans != 0 {
			t.Errorf("%d retransmissions, %v", info.TotalRetrans, err)
		}
	}
}

// A datagram to a connected peer goes as the one before, until an option is set.
func TestAnOptionTakesEffectOnTheNextDatagram(t *testing.T) {
	leak.Check(t)
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	server := udp(h, sockeye.AF_INET, "127.0.0.1", 7000)
	client := udp(h, sockeye.AF_INET, "127.0.0.1", 7001)
	client.Connect(at("127.0.0.1", 7000))
	sockeye.IP_RECVTTL.Set(server, true)
	for _, want := range []int{64, 64, 7, 7, 64} {
		if want == 7 {
			sockeye.IP_TTL.Set(client, 7)
		} else {
			sockeye.IP_TTL.Set(client, -1)
		}
		for range 2 {
			client.Send([]byte("x"), 0)
			m := sockeye.Message{Buffers: [][]byte{make([]byte, 8)}, Control: make([]byte, 64)}
			server.Recvmsg(&m, 0)
			got := 0
			for c := range m.ControlMessages() {
				got, _ = c.Int()
			}
			if got != want {
				t.Errorf("a TTL of %d, want %d", got, want)
			}
		}
	}
	// A new peer is another place: nobody is there.
	client.Connect(at("127.0.0.1", 7002))
	client.Send([]byte("x"), 0)
	if _, err := client.Send([]byte("x"), 0); err == nil {
		t.Error("no error from a closed port")
	}
	client.Connect(at("127.0.0.1", 7000))
	client.Send([]byte("y"), 0)
	buf := make([]byte, 8)
	if n, err := server.Recv(buf, sockeye.MSG_DONTWAIT); string(buf[:n]) != "y" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
}
