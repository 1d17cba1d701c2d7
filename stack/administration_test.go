package stack_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
)

func TestAHostListsItsSocketsInterfacesAndRoutes(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, link.CableOptions{Ethernet: true})
		client, server := udp(a, sockeye.AF_INET, "10.0.0.1", 8), udp(b, sockeye.AF_INET, "10.0.0.2", 7)
		client.Connect(at("10.0.0.2", 7))
		client.Send([]byte("x"), 0)
		for _, tt := range []struct {
			host *stack.Host
			want string
		}{
			{a, "true 10.0.0.1:8 10.0.0.2:7 false"},
			{b, "false 10.0.0.2:7 - true"},
		} {
			for _, s := range tt.host.ListSockets() {
				if got := fmt.Sprint(s.Connected, s.Local, s.Remote, s.RecvQ > 0); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			}
			if n := len(tt.host.ListSockets()); n != 1 {
				t.Errorf("%d sockets", n)
			}
		}
		server.Close()
		if n := len(b.ListSockets()); n != 0 {
			t.Errorf("%d sockets after close", n)
		}
		interfaces := a.Interfaces()
		if len(interfaces) != 2 || interfaces[0].Name != "lo" || fmt.Sprint(interfaces[1].Addrs) != "[10.0.0.1/24 fd00::1/64]" {
			t.Errorf("interfaces are %v", interfaces)
		}
		gateway := stack.Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.2"), Interface: "eth0"}
		if err := a.AddRoute(gateway); err != nil {
			t.Fatal(err)
		}
		if routes := a.Routes(); len(routes) != 3 || routes[2] != gateway {
			t.Errorf("routes are %v", routes)
		}
		if err := a.AddRoute(stack.Route{Dst: gateway.Dst, Gateway: netip.MustParseAddr("192.0.2.1")}); err == nil {
			t.Error("a gateway that no interface leads to was taken")
		}
	})
}

func TestReuseportSpreadsFlows(t *testing.T) {
	leak.Check(t)
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	var servers []*sockeye.Socket
	for range 4 {
		s := udp(h, sockeye.AF_INET, "", 0)
		sockeye.SO_REUSEPORT.Set(s, true)
		if err := s.Bind(at("127.0.0.1", 7000)); err != nil {
			t.Fatal(err)
		}
		servers = append(servers, s)
	}
	for port := range uint16(64) {
		c := udp(h, sockeye.AF_INET, "127.0.0.1", 8000+port)
		for range 2 {
			c.Sendto([]byte{byte(port)}, 0, at("127.0.0.1", 7000))
		}
	}
	at := make(map[byte]int)
	for i, s := range servers {
		n := 0
		buf := make([]byte, 1)
		for {
			if _, err := s.Recv(buf, sockeye.MSG_DONTWAIT); err != nil {
				break
			}
			if was, seen := at[buf[0]]; seen && was != i {
				t.Errorf("flow %d went to sockets %d and %d", buf[0], was, i)
			}
			at[buf[0]] = i
			n++
		}
		if n == 0 || n > 64 {
			t.Errorf("socket %d received %d of 128 datagrams", i, n)
		}
	}
	if len(at) != 64 {
		t.Errorf("%d of 64 flows arrived", len(at))
	}
}

func TestNamesAreTheHostsOwn(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		loop := leak.Loop(t)
		defer loop.Close()
		near, _ := link.Cable(loop, link.CableOptions{})
		h := stack.NewHost(stack.Config{Name: "a", Loop: loop, Hosts: map[string][]netip.Addr{"b": {netip.MustParseAddr("10.0.0.2")}},
			Interfaces: []stack.Interface{{Name: "eth0", Port: near, Addrs: prefixes("10.0.0.1/24")}}})
		defer h.Close()
		for name, want := range map[string]string{
			"a": "10.0.0.1:7", "b": "10.0.0.2:7", "localhost": "127.0.0.1:7", "nobody": "lookup nobody: no such host",
		} {
			c, err := h.Sockets().Dial("udp", name+":7")
			if err != nil {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("dialing %s: %v", name, err)
				}
				continue
			}
			if got := c.RemoteAddr().String(); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	})
}

func TestTheSeedDecidesEphemeralPorts(t *testing.T) {
	leak.Check(t)
	ports := func(seed uint64) (list []uint16) {
		h := stack.NewHost(stack.Config{Seed: seed})
		defer h.Close()
		for range 5 {
			sa := must(udp(h, sockeye.AF_INET, "127.0.0.1", 0).Getsockname())
			list = append(list, sa.Port())
		}
		return list
	}
	if a, b := ports(1), ports(1); !slices.Equal(a, b) {
		t.Errorf("one seed gave ports %v and %v", a, b)
	}
	if a, b := ports(1), ports(2); slices.Equal(a, b) {
		t.Errorf("two seeds gave ports %v", a)
	}
}

func TestAnInterfaceThatIsDownCarriesNothing(t *testing.T) {
	leak.Check(t)
	everyWay(t, func(t *testing.T, a, b *stack.Host, family sockeye.Family, aIP, bIP string) {
		server, client := udp(b, family, bIP, 7), udp(a, family, aIP, 8)
		client.Sendto([]byte("one"), 0, at(bIP, 7))
		a.SetUp("eth0", false)
		if _, err := client.Sendto([]byte("two"), 0, at(bIP, 7)); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("sending through an interface that is down: %v", err)
		}
		if n := len(a.Neighbours()); n != 0 {
			t.Errorf("%d neighbours are known", n)
		}
		a.SetUp("eth0", true)
		client.Sendto([]byte("three"), 0, at(bIP, 7))
		buf := make([]byte, 10)
		for _, want := range []string{"one", "three"} {
			if n, err := server.Recv(buf, 0); string(buf[:n]) != want {
				t.Errorf("received %q: %v", buf[:n], err)
			}
		}
		b.SetUp("eth0", false)
		client.Sendto([]byte("four"), 0, at(bIP, 7))
		if _, err := server.Recv(buf, sockeye.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
			t.Errorf("received through an interface that is down: %v", err)
		}
	})
}

func TestAddressesCanBeAddedWhileAHostRuns(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, link.CableOptions{Ethernet: true})
		if err := errors.Join(a.AddAddr("eth0", prefixes("192.0.2.1/24")[0]), b.AddAddr("eth0", prefixes("192.0.2.2/24")[0])); err != nil {
			t.Fatal(err)
		}
		server := udp(b, sockeye.AF_INET, "192.0.2.2", 7)
		udp(a, sockeye.AF_INET, "", 0).Sendto([]byte("x"), 0, at("192.0.2.2", 7))
		if _, from, err := server.Recvfrom(make([]byte, 10), 0); err != nil || from.Addr().String() != "192.0.2.1" {
			t.Errorf("received from %v: %v", from, err)
		}
		if err := a.SetUp("eth9", true); err == nil {
			t.Error("there is no eth9")
		}
	})
}
