package stack_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
)

// Whoever carries a packet may find another goroutine at it already, and leave it to
// that one: nothing is lost and nothing overtakes.
func TestManySendAtOnce(t *testing.T) {
	leak.Check(t)
	a, b := pair(t, link.CableOptions{Ethernet: true})
	server := udp(b, sockeye.AF_INET, "10.0.0.2", 7)
	go func() {
		buf := make([]byte, 10)
		for {
			n, from, err := server.Recvfrom(buf, 0)
			if err != nil {
				return
			}
			server.Sendto(buf[:n], 0, from)
		}
	}()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			client := udp(a, sockeye.AF_INET, "", 0)
			client.Connect(at("10.0.0.2", 7))
			buf := make([]byte, 10)
			for i := range 200 {
				client.Send([]byte{byte(i)}, 0)
				if n, err := client.Recv(buf, 0); n != 1 || buf[0] != byte(i) {
					t.Errorf("echo %d was %d, %v", i, buf[:n], err)
					return
				}
			}
		})
	}
	wg.Wait()
	server.Close()
}

// Echo requests of ping sockets are answered by the other host, and raw sockets see them
// come.
func TestPingSocketsReachTheOtherHost(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		loop := leak.Loop(t)
		near, far := link.Cable(loop, link.CableOptions{Ethernet: true})
		ip := inet.DefaultSysctl()
		ip.PingGroupRange = [2]uint32{0, 0}
		a := stack.NewHost(stack.Config{Loop: loop, Inet: &ip,
			Interfaces: []stack.Interface{{Name: "eth0", Port: near, Addrs: prefixes("10.0.0.1/24", "fd00::1/64")}}})
		b := stack.NewHost(stack.Config{Loop: loop, Privileged: true,
			Interfaces: []stack.Interface{{Name: "eth0", Port: far, Addrs: prefixes("10.0.0.2/24", "fd00::2/64")}}})
		for _, v := range []struct {
			family         sockeye.Family
			proto          sockeye.Protocol
			dst            string
			request, reply byte
			header         int // of IP that a raw socket receives
		}{
			{sockeye.AF_INET, sockeye.IPPROTO_ICMP, "10.0.0.2", 8, 0, 20},
			{sockeye.AF_INET6, sockeye.IPPROTO_ICMPV6, "fd00::2", 128, 129, 0},
		} {
			raw := must(b.Sockets().Socket(v.family, sockeye.SOCK_RAW, v.proto))
			var f sockeye.ICMPFilter
			for typ := range 256 {
				if typ != int(v.request) {
					f = f.Block(uint8(typ))
				}
			}
			sockeye.ICMP_FILTER.Set(raw, f)
			sockeye.ICMPV6_FILTER.Set(raw, f)
			s := must(a.Sockets().Socket(v.family, sockeye.SOCK_DGRAM, v.proto))
			request := []byte{v.request, 0, 0, 0, 0, 0, 0, 1, 'h', 'i'}
			if _, err := s.Sendto(request, 0, at(v.dst, 0)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			if n, err := s.Recv(buf, 0); err != nil || buf[0] != v.reply || string(buf[8:n]) != "hi" {
				t.Errorf("the reply is % x, %v", buf[:n], err)
			}
			if n, err := raw.Recv(buf, 0); err != nil || n != v.header+10 || buf[v.header] != v.request {
				t.Errorf("the raw socket received % x, %v", buf[:n], err)
			}
		}
		a.Close()
		b.Close()
	})
}
