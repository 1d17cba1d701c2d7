package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/gateway"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/ping"
	"sockeye/stack"
)

// A world is a program's host, a gateway, the host whose sockets the gateway uses, and a server
// on the network of that one.
type world struct {
	program, machine, server *stack.Host
	gateway                  *gateway.Gateway
	events                   *events
}

type events struct {
	mu   sync.Mutex
	list []gateway.Event
}

func (e *events) add(ev gateway.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
}

func prefixes(words ...string) (list []netip.Prefix) {
	for _, w := range words {
		list = append(list, netip.MustParsePrefix(w))
	}
	return list
}

var everywhere = []stack.Route{{Dst: netip.MustParsePrefix("0.0.0.0/0")}, {Dst: netip.MustParsePrefix("::/0")}}

// begin builds a world in a bubble, on two loops: the program's network, and the machine's.
func begin(t *testing.T, change func(*gateway.Config)) *world {
	inside, outside := leak.Loop(t), leak.Loop(t)
	w := &world{events: new(events)}
	near, far := link.Cable(inside, link.CableOptions{})
	w.program = host(inside, "program", near, everywhere, "10.9.0.2/24", "fd09::2/64")
	near, wan := link.Cable(outside, link.CableOptions{Ethernet: true})
	w.machine = host(outside, "machine", near, everywhere[:1], "203.0.113.1/24", "2001:db8::1/64")
	w.server = host(outside, "server", wan, nil, "203.0.113.2/24", "2001:db8::2/64")
	c := gateway.Config{Outside: w.machine.Sockets(), Addrs: prefixes("10.9.0.1/24", "fd09::1/64"), Log: w.events.add}
	if change != nil {
		change(&c)
	}
	g, err := gateway.New(inside, far, c)
	if err != nil {
		t.Fatal(err)
	}
	w.gateway = g
	t.Cleanup(func() {
		g.Close()
		for _, h := range []*stack.Host{w.program, w.machine, w.server} {
			h.Close()
		}
		inside.Close()
		outside.Close()
	})
	return w
}

func host(loop *event.Loop, name string, port link.Port, routes []stack.Route, addrs ...string) *stack.Host {
	c := stack.Config{Name: name, Loop: loop, Privileged: true, Interfaces: []stack.Interface{{Name: "eth0", Port: port, Addrs: prefixes(addrs...)}}}
	for _, r := range routes {
		r.Interface = "eth0"
		c.Routes = append(c.Routes, r)
	}
	return stack.NewHost(c)
}

// inBubble runs a test in a bubble of its own.
func inBubble(t *testing.T, change func(*gateway.Config), f func(t *testing.T, w *world)) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) { f(t, begin(t, change)) })
}

var servers = []string{"203.0.113.2", "2001:db8::2"}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAConnectionLeadsOutside(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for _, ip := range servers {
			l := must(w.server.Sockets().Listen("tcp", net.JoinHostPort(ip, "80")))
			conn := must(w.program.Sockets().Dial("tcp", net.JoinHostPort(ip, "80")))
			peer := must(l.Accept())
			if got := conn.RemoteAddr().String(); got != net.JoinHostPort(ip, "80") {
				t.Errorf("the program's peer is %s", got)
			}
			data := bytes.Repeat([]byte("half-closed, the answer still comes "), 1<<15)
			go func() {
				conn.Write(data)
				conn.(interface{ CloseWrite() error }).CloseWrite()
			}()
			got, err := io.ReadAll(peer)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: the server received %d bytes of %d: %v", ip, len(got), len(data), err)
			}
			go func() {
				peer.Write(got)
				peer.Close()
			}()
			if got, err = io.ReadAll(conn); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: the program received %d bytes of %d: %v", ip, len(got), len(data), err)
			}
			conn.Close()
			l.Close()
		}
	})
}

func TestAConnectionIsRefusedAsOutside(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for _, c := range []struct {
			to   string
			want error
		}{
			{"203.0.113.2:81", syscall.ECONNREFUSED},
			{"[2001:db8::2]:81", syscall.ECONNREFUSED},
			{"[2001:db9::1]:80", syscall.ENETUNREACH}, // no route
			{"203.0.113.77:80", syscall.EHOSTUNREACH}, // nobody there
			{"[2001:db8::77]:80", syscall.EHOSTUNREACH},
		} {
			conn, err := w.program.Sockets().Dial("tcp", c.to)
			if !errors.Is(err, c.want) {
				t.Errorf("connect to %s: %v, want %v", c.to, err, c.want)
			}
			if err == nil {
				conn.Close()
			}
		}
	})
}

func TestNoConnectionIsMadeBeforeTheServerAccepts(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		w.server.Close() // it answers nothing: neither yes nor no
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := w.program.Sockets().DialContext(ctx, "tcp", "203.0.113.2:80")
		if err == nil || ctx.Err() == nil {
			t.Errorf("connected to nobody after all: %v", err)
		}
		if n := len(w.events.list); n != 0 {
			t.Errorf("%d events: %v", n, w.events.list)
		}
	})
}

func TestAResetIsPassedOn(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		l := must(w.server.Sockets().Listen("tcp", ":80"))
		defer l.Close()
		for _, side := range []string{"program", "server"} {
			conn := must(w.program.Sockets().Dial("tcp", "203.0.113.2:80"))
			peer := must(l.Accept())
			from, to := conn, peer
			if side == "server" {
				from, to = peer, conn
			}
			from.(interface{ SetLinger(int) error }).SetLinger(0)
			from.Close()
			if _, err := to.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("reset by the %s, the other side reads %v", side, err)
			}
			to.Close()
		}
	})
}

func TestASlowReaderHoldsTheSenderBack(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		l := must(w.server.Sockets().Listen("tcp", ":80"))
		defer l.Close()
		conn := must(w.program.Sockets().Dial("tcp", "203.0.113.2:80"))
		defer conn.Close()
		peer := must(l.Accept())
		defer peer.Close()
		conn.SetWriteDeadline(time.Now().Add(time.Minute))
		sent, err := conn.Write(make([]byte, 256<<20))
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("wrote %d bytes to a peer that reads nothing: %v", sent, err)
		}
	})
}

func TestDatagramsGoBothWaysAndKeepTheirBoundaries(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for _, ip := range servers {
			s := must(w.server.Sockets().ListenPacket("udp", net.JoinHostPort(ip, "53")))
			go func() {
				buf := make([]byte, 65536)
				for {
					n, from, err := s.ReadFrom(buf)
					if err != nil {
						return
					}
					s.WriteTo(append([]byte("re "), buf[:n]...), from)
				}
			}()
			conn := must(w.program.Sockets().Dial("udp", net.JoinHostPort(ip, "53")))
			buf := make([]byte, 65536)
			for _, size := range []int{1, 0, 1200, 3, 30000} {
				conn.Write(bytes.Repeat([]byte{'x'}, size))
				n, err := conn.Read(buf)
				if err != nil || n != size+3 {
					t.Errorf("%s: of %d bytes %d came back, want 3 more: %v", ip, size, n, err)
				}
			}
			conn.Close()
			s.Close()
		}
	})
}

func TestAClosedUDPPortIsToldToTheProgram(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for _, ip := range servers {
			conn := must(w.program.Sockets().Dial("udp", net.JoinHostPort(ip, "9")))
			conn.Write([]byte("anybody?"))
			conn.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: %v, want %v", ip, err, syscall.ECONNREFUSED)
			}
			conn.Close()
		}
	})
}

func TestAFlowEndsWhenItIsIdle(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		before := len(w.machine.ListSockets())
		conn := must(w.program.Sockets().Dial("udp", "203.0.113.2:53"))
		defer conn.Close()
		conn.Write([]byte("x"))
		time.Sleep(time.Second)
		if got := len(w.machine.ListSockets()); got != before+1 {
			t.Errorf("a flow has %d sockets outside", got-before)
		}
		time.Sleep(3 * time.Minute)
		if got := len(w.machine.ListSockets()); got != before {
			t.Errorf("%d sockets are left of an idle flow", got-before)
		}
	})
}

func TestEchoesAreAsked(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for _, ip := range []string{"203.0.113.2", "2001:db8::2", "10.9.0.1", "fd09::1"} {
			p := must(ping.Open(w.program.Sockets(), sockeye.SockaddrInet(netip.AddrPortFrom(netip.MustParseAddr(ip), 0)), ping.Options{Count: 3, Size: 100}))
			for r, err := range p.Replies(t.Context()) {
				if err != nil || r.Err != nil {
					t.Errorf("%s: %v, %v", ip, err, r.Err)
				}
			}
			if s := p.Statistics(); s.Received != 3 || s.Duplicates != 0 || s.Damaged != 0 {
				t.Errorf("%s: %+v", ip, s)
			}
			p.Close()
		}
	})
}

func TestAnUnreachableHostIsToldToWhoPings(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for ip, want := range map[string]syscall.Errno{
			"203.0.113.77": syscall.EHOSTUNREACH, "2001:db9::1": syscall.ENETUNREACH,
		} {
			p := must(ping.Open(w.program.Sockets(), sockeye.SockaddrInet(netip.AddrPortFrom(netip.MustParseAddr(ip), 0)), ping.Options{Count: 1, Timeout: 5 * time.Second}))
			var told error
			for r, err := range p.Replies(t.Context()) {
				told = errors.Join(told, err, r.Err)
			}
			if !errors.Is(told, want) {
				t.Errorf("%s: %v, want %v", ip, told, want)
			}
			p.Close()
		}
	})
}

func TestTheLoopbackOutsideIsReachedByAnAliasAlone(t *testing.T) {
	alias := netip.MustParseAddr("10.9.0.3")
	inBubble(t, func(c *gateway.Config) {
		c.Aliases = map[netip.Addr]netip.Addr{alias: netip.MustParseAddr("127.0.0.1")}
	}, func(t *testing.T, w *world) {
		l := must(w.machine.Sockets().Listen("tcp", "127.0.0.1:80"))
		defer l.Close()
		conn := must(w.program.Sockets().Dial("tcp", netip.AddrPortFrom(alias, 80).String()))
		conn.Close()
		if conn, err := w.program.Sockets().Dial("tcp", "10.9.0.1:80"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("the gateway itself: %v, %v", conn, err)
		}
	})
}

func ExampleGateway() {
	loop := event.New()
	defer loop.Close()
	near, far := link.Cable(loop, link.CableOptions{})
	program := host(loop, "program", near, everywhere, "10.9.0.2/24", "fd09::2/64")
	defer program.Close()

	outside := stack.NewHost(stack.Config{}) // or kernel.Host(): the machine's own sockets
	defer outside.Close()
	l, _ := outside.Sockets().Listen("tcp", "127.0.0.1:8080")
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		io.WriteString(conn, "hello from outside")
		conn.Close()
	}()

	g, err := gateway.New(loop, far, gateway.Config{
		Outside: outside.Sockets(),
		Addrs:   prefixes("10.9.0.1/24", "fd09::1/64"),
		Aliases: map[netip.Addr]netip.Addr{netip.MustParseAddr("192.0.2.1"): netip.MustParseAddr("127.0.0.1")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()
	conn, err := program.Sockets().Dial("tcp", "192.0.2.1:8080")
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := io.ReadAll(conn)
	fmt.Printf("%s, %v\n", got, err)
	// Output: hello from outside, <nil>
}
