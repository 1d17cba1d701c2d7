package stack_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/nat"
	"sockeye/stack"
	"sockeye/stack/inet"
)

// natted is two hosts inside, 10.0.0.1 and 10.0.0.2, a translator that is 203.0.113.1 outside, and a host there,
// 203.0.113.9, that has no route back inside.
func natted(t *testing.T, c nat.Config) (ann, ben, box, sam *stack.Host) {
	loop := leak.Loop(t)
	inside, outside := link.NewSwitch(loop, link.SwitchOptions{}), link.NewSwitch(loop, link.SwitchOptions{})
	host := func(name, addr string, sw *link.Switch, routes ...stack.Route) *stack.Host {
		return stack.NewHost(stack.Config{Name: name, Loop: loop, Privileged: true, Routes: routes,
			Interfaces: []stack.Interface{{Name: "eth0", Port: sw.Port([6]byte{}), Addrs: prefixes(addr)}}})
	}
	out := stack.Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.254")}
	ann, ben = host("ann", "10.0.0.1/24", inside, out), host("ben", "10.0.0.2/24", inside, out)
	sam = host("sam", "203.0.113.9/24", outside)
	ip := inet.DefaultSysctl()
	ip.Forwarding = true
	box = stack.NewHost(stack.Config{Name: "box", Loop: loop, Privileged: true, Inet: &ip, Interfaces: []stack.Interface{
		{Name: "wan", Port: outside.Port([6]byte{}), Addrs: prefixes("203.0.113.1/24"), NAT: &c},
		{Name: "lan", Port: inside.Port([6]byte{}), Addrs: prefixes("10.0.0.254/24")},
	}})
	t.Cleanup(func() {
		for _, h := range []*stack.Host{ann, ben, box, sam} {
			h.Close()
		}
	})
	return ann, ben, box, sam
}

func TestConnectionsPassATranslator(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		ann, ben, box, sam := natted(t, nat.Config{})
		l := must(sam.Sockets().Listen("tcp", ":80"))
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					io.WriteString(c, c.RemoteAddr().(*net.TCPAddr).IP.String()+"\n")
					io.Copy(c, c)
				}()
			}
		}()
		for _, h := range []*stack.Host{ann, ben} {
			c := must(h.Sockets().Dial("tcp", "203.0.113.9:80"))
			data := noise(1 << 20)
			go func() {
				c.Write(data)
				c.(interface{ CloseWrite() error }).CloseWrite()
			}()
			got := must(io.ReadAll(c))
			from, rest, _ := bytes.Cut(got, []byte("\n"))
			if string(from) != "203.0.113.1" || !bytes.Equal(rest, data) {
				t.Errorf("sam was called from %s, and %d bytes came back of %d", from, len(rest), len(data))
			}
			c.Close()
		}
		if m := must(box.Mappings("wan")); len(m) != 2 || m[0].Outside.Addr() != netip.MustParseAddr("203.0.113.1") {
			t.Errorf("mappings are %v", m)
		}
	})
}

func TestDatagramsPassATranslatorInFragmentsToo(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		ann, ben, _, sam := natted(t, nat.Config{})
		server := udp(sam, sockeye.AF_INET, "203.0.113.9", 7)
		var ports []uint16
		for _, c := range []struct {
			host *stack.Host
			ip   string
			size int
		}{{ann, "10.0.0.1", 10}, {ben, "10.0.0.2", 10}, {ann, "10.0.0.1", 5000}, {ben, "10.0.0.2", 65000}} {
			client := udp(c.host, sockeye.AF_INET, c.ip, 0)
			sockeye.IP_MTU_DISCOVER.Set(client, sockeye.IP_PMTUDISC_DONT)
			data, got := noise(c.size), make([]byte, 1<<16)
			client.Sendto(data, 0, at("203.0.113.9", 7))
			n, from, err := server.Recvfrom(got, 0)
			if err != nil || !bytes.Equal(got[:n], data) || from.AddrPort().Addr() != netip.MustParseAddr("203.0.113.1") {
				t.Fatalf("%d of %d bytes from %v: %v", n, len(data), from, err)
			}
			ports = append(ports, from.AddrPort().Port())
			sockeye.IP_MTU_DISCOVER.Set(server, sockeye.IP_PMTUDISC_DONT)
			server.Sendto(got[:n], 0, from)
			if n, _, err = client.Recvfrom(got, 0); err != nil || !bytes.Equal(got[:n], data) {
				t.Errorf("%d of %d bytes came back: %v", n, len(data), err)
			}
			client.Close()
		}
		if ports[0] == ports[1] {
			t.Errorf("they were sent from ports %v", ports)
		}
	})
}

func TestErrorsAboutTranslatedPacketsReachTheirSenders(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		ann, _, _, sam := natted(t, nat.Config{})
		refused := udp(ann, sockeye.AF_INET, "10.0.0.1", 0)
		refused.Connect(at("203.0.113.9", 7))
		refused.Send([]byte("x"), 0)
		if _, err := refused.Recv(make([]byte, 1), 0); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("from a port that nobody has: %v", err)
		}
		if _, err := ann.Sockets().Dial("tcp", "203.0.113.9:80"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("from a port where nobody listens: %v", err)
		}
		short := udp(ann, sockeye.AF_INET, "10.0.0.1", 0)
		errorQueue(short, sockeye.AF_INET)
		sockeye.IP_TTL.Set(short, 1)
		short.Sendto([]byte("hops"), 0, at("203.0.113.9", 7))
		if e, payload := extendedError(t, short); e.Errno != syscall.EHOSTUNREACH || payload != "hops" {
			t.Errorf("from the translator: %+v about %q", e, payload)
		}
		// And the other way: sam's answer to ann dies at the translator.
		server, client := udp(sam, sockeye.AF_INET, "203.0.113.9", 9), udp(ann, sockeye.AF_INET, "10.0.0.1", 0)
		client.Sendto([]byte("x"), 0, at("203.0.113.9", 9))
		_, from, err := server.Recvfrom(make([]byte, 1), 0)
		if err != nil {
			t.Fatal(err)
		}
		errorQueue(server, sockeye.AF_INET)
		sockeye.IP_TTL.Set(server, 1)
		server.Sendto([]byte("answer"), 0, from)
		if e, payload := extendedError(t, server); e.Errno != syscall.EHOSTUNREACH || payload != "answer" {
			t.Errorf("about an answer: %+v about %q", e, payload)
		}
		sockeye.IP_TTL.Set(server, 64)
		client.Close()
		server.Sendto([]byte("nobody"), 0, from)
		if e, payload := extendedError(t, server); e.Errno != syscall.ECONNREFUSED || payload != "nobody" {
			t.Errorf("from inside: %+v about %q", e, payload)
		}
	})
}

func TestPingsPassATranslator(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		ann, ben, _, _ := natted(t, nat.Config{})
		for _, h := range []*stack.Host{ann, ben} {
			s := must(h.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_ICMP))
			request := []byte{8, 0, 0, 0, 0x12, 0x34, 0, 1}
			sum := ^(uint16(request[0])<<8 + 0x1234 + 1)
			request[2], request[3] = byte(sum>>8), byte(sum)
			for _, to := range []string{"203.0.113.9", "203.0.113.1"} { // the second is the translator itself
				s.Sendto(request, 0, at(to, 0))
				b := make([]byte, 100)
				n, from, err := s.Recvfrom(b, 0)
				if err != nil || n != 28 || b[20] != 0 || b[24] != 0x12 || b[25] != 0x34 || from.AddrPort().Addr().String() != to {
					t.Errorf("%x from %v, %v", b[:n], from, err)
				}
			}
		}
	})
}

func TestInsideHostsReachEachOtherFromOutside(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		ann, ben, _, sam := natted(t, nat.Config{})
		server, a, b := udp(sam, sockeye.AF_INET, "203.0.113.9", 7), udp(ann, sockeye.AF_INET, "10.0.0.1", 5000), udp(ben, sockeye.AF_INET, "10.0.0.2", 6000)
		b.Sendto([]byte("here"), 0, at("203.0.113.9", 7))
		_, ben6000, err := server.Recvfrom(make([]byte, 4), 0)
		if err != nil {
			t.Fatal(err)
		}
		a.Sendto([]byte("hello"), 0, ben6000)
		buf := make([]byte, 10)
		n, from, err := b.Recvfrom(buf, 0)
		if err != nil || string(buf[:n]) != "hello" || from.AddrPort().String() != "203.0.113.1:5000" {
			t.Fatalf("%q from %v: %v", buf[:n], from, err)
		}
		b.Sendto([]byte("back"), 0, from)
		if n, from, err = a.Recvfrom(buf, 0); err != nil || string(buf[:n]) != "back" || from != ben6000 {
			t.Errorf("%q from %v: %v", buf[:n], from, err)
		}
	})
}

// What comes in unasked gets no answer, unless the translator serves it itself.
func TestATranslatorHasSocketsOfItsOwn(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		ann, _, box, sam := natted(t, nat.Config{})
		l := must(box.Sockets().Listen("tcp", ":22"))
		defer l.Close()
		for _, h := range []*stack.Host{ann, sam} {
			c := must(h.Sockets().Dial("tcp", "203.0.113.1:22"))
			must(l.Accept()).Close()
			if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
				t.Errorf("%q, %v", b, err)
			}
			c.Close()
		}
		silent := must(sam.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))
		sockeye.TCP_SYNCNT.Set(silent, 1)
		if err := silent.Connect(at("203.0.113.1", 23)); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("a port that nobody has: %v", err)
		}
		own := must(box.Sockets().Dial("udp", "203.0.113.9:7"))
		server := udp(sam, sockeye.AF_INET, "203.0.113.9", 7)
		io.WriteString(own, "x")
		if _, from, err := server.Recvfrom(make([]byte, 1), 0); err != nil || from.AddrPort() != own.LocalAddr().(*net.UDPAddr).AddrPort() {
			t.Errorf("the translator's own packet comes from %v, %v", from, err)
		}
		own.Close()
		if n := must(box.Mappings("wan")); len(n) != 0 {
			t.Errorf("its own packets made mappings %v", n)
		}
	})
}

func TestATranslatorIsChangedWhileItRuns(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		ann, _, box, _ := natted(t, nat.Config{})
		a := udp(ann, sockeye.AF_INET, "10.0.0.1", 5000)
		left := func() time.Duration {
			a.Sendto([]byte("x"), 0, at("203.0.113.9", 7))
			synctest.Wait()
			return must(box.Mappings("wan"))[0].Left
		}
		if d := left(); d != 5*time.Minute {
			t.Errorf("a mapping lasts %v", d)
		}
		if err := box.SetNAT("wan", nat.Config{UDP: time.Second}); err != nil || left() != time.Second {
			t.Errorf("%v, and a mapping lasts %v", err, left())
		}
		if c := must(box.NATCounters("wan")); c.Made != 1 || c.Packets[nat.Outward][nat.Translated] < 2 {
			t.Errorf("%+v", c)
		}
		if err := box.FlushNAT("wan"); err != nil || len(must(box.Mappings("wan"))) != 0 {
			t.Errorf("%v, and there are mappings", err)
		}
		for _, err := range []error{box.SetNAT("dmz", nat.Config{}), box.SetNAT("wan", nat.Config{UDP: -1}), box.FlushNAT("lan")} {
			if err == nil || !strings.Contains(err.Error(), ": ") {
				t.Errorf("got %v", err)
			}
		}
	})
}
