package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
	"sockeye/wire"
)

// named is a client, a web server and name servers on one switch.
func named(t *testing.T, servers int) (n *lab.Network, client, web *lab.Host, names []*lab.Host) {
	n = lab.New(t)
	lan := n.Switch("lan")
	client, web = n.Host("client"), n.Host("Web")
	n.Link(client, lan, link.Faults{Delay: 10 * time.Millisecond})
	n.Link(web, lan)
	for i := range servers {
		names = append(names, n.NameServer(fmt.Sprintf("names%d", i)))
		n.Link(names[i], lan)
	}
	return n, client, web, names
}

func TestNamesAreFoundByDNS(t *testing.T) {
	leak.Check(t)
	for _, servers := range []int{0, 1, 2} {
		t.Run(fmt.Sprint(servers, " name servers"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, client, web, _ := named(t, servers)
				n.SetName("shop.example", netip.MustParseAddr("192.0.2.7"), web.Addrs()[1])
				n.SetName("nothing.example")
				n.SetService("http", "tcp", "shop.example", net.SRV{Target: "Web", Port: 8080, Priority: 1, Weight: 2})
				r := client.Resolver()
				for _, c := range []struct {
					network, name string
					want          []netip.Addr
				}{
					{"ip4", "web", web.Addrs()[:1]},
					{"ip6", "WEB.", web.Addrs()[1:]},
					{"ip4", "shop.example", []netip.Addr{netip.MustParseAddr("192.0.2.7")}},
					{"ip", "shop.example", []netip.Addr{netip.MustParseAddr("192.0.2.7"), web.Addrs()[1]}},
				} {
					got, err := r.LookupNetIP(t.Context(), c.network, c.name)
					for i := range got {
						got[i] = got[i].Unmap()
					}
					slices.SortFunc(got, netip.Addr.Compare)
					if err != nil || !slices.Equal(got, c.want) {
						t.Errorf("%s of %s: %v, %v, want %v", c.network, c.name, got, err, c.want)
					}
				}
				for _, a := range web.Addrs() {
					got, err := r.LookupAddr(t.Context(), a.String())
					if err != nil || got[0] != "web." {
						t.Errorf("%v is %v, %v", a, got, err)
					}
				}
				_, list, err := r.LookupSRV(t.Context(), "http", "tcp", "shop.example")
				if err != nil || len(list) != 1 || *list[0] != (net.SRV{Target: "web.", Port: 8080, Priority: 1, Weight: 2}) {
					t.Errorf("the service: %v, %v", list, err)
				}
				for _, name := range []string{"nobody", "nothing.example"} {
					var e *net.DNSError
					if _, err := r.LookupHost(t.Context(), name); !errors.As(err, &e) || !e.IsNotFound {
						t.Errorf("%s: %v", name, err)
					}
				}
				udp := 0
				for _, c := range n.Conversations() {
					if c.Proto == wire.IPPROTO_UDP && c.Ends[1].Port() == 53 {
						udp++
					}
				}
				if (udp > 0) != (servers > 0) {
					t.Errorf("there were %d exchanges with name servers", udp)
				}
			})
		})
	}
}

func TestALongAnswerComesByTCP(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n, client, _, _ := named(t, 1)
		var many []netip.Addr
		for i := range 200 {
			many = append(many, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
		}
		n.SetName("many", many...)
		got, err := client.Resolver().LookupNetIP(t.Context(), "ip4", "many")
		if err != nil || len(got) != len(many) {
			t.Errorf("%d addresses of %d: %v", len(got), len(many), err)
		}
		tcp := slices.ContainsFunc(n.Conversations(), func(c *lab.Conversation) bool { return c.Proto == wire.IPPROTO_TCP })
		if !tcp {
			t.Error("they came in a datagram")
		}
	})
}

func TestANameServerThatIsGoneIsMissed(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n, client, web, names := named(t, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		n.Part([]*lab.Host{client}, names)
		if _, err := client.Resolver().LookupHost(ctx, "web"); err == nil {
			t.Error("a name was found without a name server")
		}
		n.Join()
		if got, err := client.Resolver().LookupHost(t.Context(), "web"); err != nil {
			t.Errorf("after the partition: %v, %v", got, err)
		}
		names[0].Crash()
		names[0].Restart()
		if got, err := client.Resolver().LookupHost(t.Context(), "web"); err != nil {
			t.Errorf("after a restart: %v, %v", got, err)
		}
		names[0].Crash()
		echo(web, "7") // Dial has a table
		mustAsk(t, client, "web:7").Close()
	})
}

func TestDialAsksTheNameServersIfToldTo(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		client, web, names := n.HostWith("client", lab.HostConfig{DNS: true}), n.Host("web"), n.NameServer("names")
		n.Link(client, web)
		l := n.Link(client, names, link.Faults{Delay: 20 * time.Millisecond})
		echo(web, "7")
		n.SetName("alias", web.Addrs()...)
		start := time.Now()
		mustAsk(t, client, "alias:7").Close()
		if d := time.Since(start); d < 40*time.Millisecond {
			t.Errorf("a name took %v, and the name server is 40ms away", d)
		}
		l.Cut()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := client.DialContext(ctx, "tcp", "web:7"); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a name server: %v", err)
		}
	})
}

// Queries are sent as bytes; what is none gets no answer.
func TestQueriesThatAreWrongAreAnsweredWithWhy(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		_, client, _, _ := named(t, 1)
		c, err := client.Dial("udp", "names0:53")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		question := func(change func(*dnsmessage.Message)) []byte {
			m := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: 7},
				Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("web."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
			}
			change(&m)
			b, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		for _, q := range []struct {
			name string
			b    []byte
			want dnsmessage.RCode
		}{
			{"a plain one", question(func(*dnsmessage.Message) {}), dnsmessage.RCodeSuccess},
			{"another class", question(func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }), dnsmessage.RCodeRefused},
			{"an update", question(func(m *dnsmessage.Message) { m.OpCode = 5 }), dnsmessage.RCodeNotImplemented},
			{"no question", question(func(m *dnsmessage.Message) { m.Questions = nil }), dnsmessage.RCodeFormatError},
			{"half a question", question(func(*dnsmessage.Message) {})[:15], dnsmessage.RCodeFormatError},
			{"a name that is no address", question(func(m *dnsmessage.Message) {
				m.Questions[0] = dnsmessage.Question{Name: dnsmessage.MustNewName("x.2.ip6.arpa."), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}
			}), dnsmessage.RCodeNameError},
		} {
			c.Write([]byte("no query"))
			c.Write(q.b)
			b := make([]byte, 512)
			k, err := c.Read(b)
			var m dnsmessage.Message
			if err != nil || m.Unpack(b[:k]) != nil || m.ID != 7 || m.RCode != q.want {
				t.Errorf("%s: %v, %v, want %v", q.name, m.RCode, err, q.want)
			}
		}
	})
}
