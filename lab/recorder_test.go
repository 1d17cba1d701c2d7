package lab_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
	"sockeye/stack"
)

func TestARecorderDrawsLaddersOfALinkInNoNetwork(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		loop := leak.Loop(t)
		near, far := link.Cable(loop, link.CableOptions{})
		r := lab.NewRecorder(false, map[netip.Addr]string{netip.MustParseAddr("10.9.0.1"): "alice"})
		slow := link.Faults{Delay: 30 * time.Millisecond}
		impaired, err := link.Impair(loop, near, link.Impairment{Out: slow, In: slow, Observe: r.Observe})
		if err != nil {
			t.Fatal(err)
		}
		host := func(ip string, port link.Port) *stack.Host {
			return stack.NewHost(stack.Config{Loop: loop, Privileged: true, Interfaces: []stack.Interface{
				{Name: "eth0", Port: port, Addrs: []netip.Prefix{netip.MustParsePrefix(ip)}},
			}})
		}
		alice, bob := host("10.9.0.1/24", impaired), host("10.9.0.2/24", far)
		defer loop.Close()
		defer alice.Close()
		defer bob.Close()
		l, err := bob.Sockets().Listen("tcp", ":7")
		if err != nil {
			t.Fatal(err)
		}
		go greet(l, "hello")
		c, err := alice.Sockets().Dial("tcp", "10.9.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		impaired.Set(link.In, link.Faults{Loss: 1})
		time.Sleep(100 * time.Millisecond)
		c.Close()
		all := r.Conversations()
		if len(all) != 1 {
			t.Fatalf("%d conversations", len(all))
		}
		got := all[0].String()
		for _, want := range []string{"alice 10.9.0.1:", "  10.9.0.2:7, TCP\n", "0.030000   SYN-RECV", "1:6 ack 1 win", ", lost"} {
			if !strings.Contains(got, want) {
				t.Errorf("there is no %q in\n%s", want, got)
			}
		}
	})
}
