package gateway_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"sockeye"
	"sockeye/gateway"
	"sockeye/stack"
)

func TestRulesAreReadAsTheyAreWritten(t *testing.T) {
	network := netip.MustParsePrefix
	for word, want := range map[string]gateway.Rule{
		"example.org":          {Host: "example.org"},
		"Example.ORG.:443":     {Host: "example.org", First: 443, Last: 443},
		"192.0.2.1":            {Net: network("192.0.2.1/32")},
		"192.0.2.1:80":         {Net: network("192.0.2.1/32"), First: 80, Last: 80},
		"10.0.0.0/8":           {Net: network("10.0.0.0/8")},
		"10.0.0.0/8:8000-8080": {Net: network("10.0.0.0/8"), First: 8000, Last: 8080},
		"2001:db8::1":          {Net: network("2001:db8::1/128")},
		"[2001:db8::1]:80":     {Net: network("2001:db8::1/128"), First: 80, Last: 80},
		"2001:db8::/32":        {Net: network("2001:db8::/32")},
		":25":                  {First: 25, Last: 25},
		"::ffff:192.0.2.1":     {Net: network("192.0.2.1/32")},
	} {
		if got, err := gateway.ParseRule(word); err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", word, got, err, want)
		}
	}
	for word, want := range map[string]string{
		"":                "an empty rule",
		"example.org:":    "no port behind the colon",
		"example.org:0":   `"0" is no port`,
		"example.org:9-8": `"9-8" is no port`,
		"10.0.0.0/33":     `"10.0.0.0/33" is no network`,
		"two words":       `"two words" is neither an address nor a name`,
	} {
		if r, err := gateway.ParseRule(word); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %+v, %v; want an error with %s", word, r, err, want)
		}
	}
}

// named serves the name server.test at a host's port 53, as long as the host lasts.
func named(t *testing.T, h *stack.Host) {
	s := must(h.Sockets().ListenPacket("udp", ":53"))
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := s.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Additionals = true, nil
			if q.Type == dnsmessage.TypeA && q.Name.String() == "server.test." {
				h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}
				m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AResource{A: [4]byte{203, 0, 113, 2}}}}
			}
			b, err := m.Pack()
			if err == nil {
				s.WriteTo(b, from)
			}
		}
	}()
}

// ask asks the gateway for a name.
func ask(t *testing.T, w *world, name string) dnsmessage.Message {
	t.Helper()
	conn := must(w.program.Sockets().Dial("udp", "10.9.0.1:53"))
	defer conn.Close()
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	conn.Write(must(q.Pack()))
	buf := make([]byte, 1500)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(buf[:n]); err != nil || m.ID != 7 {
		t.Fatalf("%+v, %v", m, err)
	}
	return m
}

func TestANameserverThatIsSilentIsPassedOver(t *testing.T) {
	inBubble(t, func(c *gateway.Config) {
		c.Nameservers = []netip.AddrPort{netip.MustParseAddrPort("203.0.113.77:53"), netip.MustParseAddrPort("203.0.113.2:53")}
	}, func(t *testing.T, w *world) {
		if m := ask(t, w, "server.test."); m.RCode != dnsmessage.RCodeServerFailure {
			t.Errorf("with no nameserver at all: %+v", m)
		}
		named(t, w.server)
		if m := ask(t, w, "server.test."); m.RCode != dnsmessage.RCodeSuccess || len(m.Answers) != 1 {
			t.Errorf("with the second one: %+v", m)
		}
	})
}

func TestANameIsAllowedOnceItIsKnown(t *testing.T) {
	inBubble(t, func(c *gateway.Config) {
		c.Nameservers = []netip.AddrPort{netip.MustParseAddrPort("203.0.113.2:53")}
		c.Policy.Allow = []gateway.Rule{must(gateway.ParseRule("server.test:80"))}
	}, func(t *testing.T, w *world) {
		l := must(w.server.Sockets().Listen("tcp", ":80"))
		defer l.Close()
		dial := func() error {
			conn, err := w.program.Sockets().Dial("tcp", "203.0.113.2:80")
			if err == nil {
				conn.Close()
			}
			return err
		}
		if err := dial(); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("the name is not known yet: %v", err)
		}
		named(t, w.server)
		ask(t, w, "server.test.")
		if err := dial(); err != nil {
			t.Errorf("the name is known: %v", err)
		}
		if _, err := w.program.Sockets().Dial("tcp", "203.0.113.2:81"); !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("another port: %v", err)
		}
	})
}

func TestAPublishedPortLeadsInside(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		l := must(w.program.Sockets().Listen("tcp", ":80"))
		defer l.Close()
		outer := must(w.machine.Sockets().Listen("tcp", ":8080"))
		w.gateway.Publish(outer.(interface{ Socket() *sockeye.Socket }).Socket(), netip.MustParseAddrPort("10.9.0.2:80"))
		conn := must(w.server.Sockets().Dial("tcp", "203.0.113.1:8080"))
		defer conn.Close()
		peer := must(l.Accept())
		defer peer.Close()
		if got := peer.RemoteAddr().(*net.TCPAddr).IP.String(); got != "10.9.0.1" {
			t.Errorf("the program sees %s", got)
		}
		conn.Write([]byte("hello"))
		buf := make([]byte, 10)
		if n, err := peer.Read(buf); string(buf[:n]) != "hello" || err != nil {
			t.Errorf("%q, %v", buf[:n], err)
		}
	})
}
