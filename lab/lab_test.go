package lab_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
)

// echo serves a host's port, once for each connection.
func echo(h *lab.Host, port string) {
	l := h.MustListen("tcp", ":"+port)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
}

// ask sends a line and gives the answer.
func ask(c net.Conn, line string) (string, error) {
	if _, err := io.WriteString(c, line); err != nil {
		return "", err
	}
	b := make([]byte, len(line))
	_, err := io.ReadFull(c, b)
	return string(b), err
}

func mustAsk(t *testing.T, from *lab.Host, to string) net.Conn {
	t.Helper()
	c, err := from.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ask(c, "hello"); got != "hello" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	return c
}

// A topology is a network of which alice is to reach bob.
var topologies = map[string]func(n *lab.Network, alice, bob *lab.Host){
	"cable": func(n *lab.Network, alice, bob *lab.Host) { n.Link(alice, bob) },
	"switch": func(n *lab.Network, alice, bob *lab.Host) {
		lan := n.Switch("lan")
		n.Link(alice, lan)
		n.Link(lan, bob)
	},
	"switches": func(n *lab.Network, alice, bob *lab.Host) {
		up, down := n.Switch("up"), n.Switch("down")
		n.Link(alice, up)
		n.Link(up, down)
		n.Link(bob, down)
	},
	"routers": func(n *lab.Network, alice, bob *lab.Host) {
		lan := n.Switch("lan")
		r, s, u := n.Router("r"), n.Router("s"), n.Router("u")
		n.Link(alice, lan)
		n.Link(r, lan)
		n.Link(r, s)
		n.Link(u, s)
		n.Link(u, r)
		n.Link(s, bob)
	},
}

func TestHostsReachEachOtherByName(t *testing.T) {
	leak.Check(t)
	for name, lay := range topologies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := lab.New(t)
				alice, bob := n.Host("alice"), n.Host("bob")
				lay(n, alice, bob)
				echo(bob, "7")
				for _, a := range append([]string{"bob"}, fmt.Sprint(bob.Addrs()[0]), fmt.Sprint(bob.Addrs()[1])) {
					mustAsk(t, alice, net.JoinHostPort(a, "7")).Close()
				}
			})
		})
	}
}

func TestANetworkRunsInRealTimeToo(t *testing.T) {
	leak.Check(t)
	n := lab.New(t)
	alice, bob := n.Host("alice"), n.Host("bob")
	n.Link(alice, bob, link.Faults{Delay: time.Millisecond})
	echo(bob, "7")
	mustAsk(t, alice, "bob:7").Close()
}

func TestDelaysOfBothWaysAddUp(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		alice, bob := n.Host("alice"), n.Host("bob")
		l := n.Link(alice, bob, link.Faults{Delay: 30 * time.Millisecond}, link.Faults{Delay: 50 * time.Millisecond})
		echo(bob, "7")
		c := mustAsk(t, alice, "bob:7")
		start := time.Now()
		ask(c, "again")
		if d := time.Since(start); d != 80*time.Millisecond {
			t.Errorf("the answer took %v", d)
		}
		if err := l.SetFrom(bob, link.Faults{Delay: time.Second}); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		ask(c, "again")
		if d := time.Since(start); d != 1030*time.Millisecond {
			t.Errorf("after a change the answer took %v", d)
		}
	})
}

func TestACutLinkLosesWhatWouldArrive(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		alice, bob := n.Host("alice"), n.Host("bob")
		l := n.Link(alice, bob, link.Faults{Delay: 10 * time.Millisecond})
		echo(bob, "7")
		c := mustAsk(t, alice, "bob:7")
		l.Cut()
		n.At(n.Now()+5*time.Second, l.Mend)
		start := time.Now()
		if got, err := ask(c, "still there?"); got != "still there?" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		if d := time.Since(start); d < 5*time.Second {
			t.Errorf("an answer came through a cut link after %v", d)
		}
		if l.Stats(alice).Packets[link.Partitioned] == 0 {
			t.Error("nothing was lost")
		}
	})
}

func TestPartedGroupsStillTalkAmongThemselves(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		lan := n.Switch("lan")
		var hosts []*lab.Host
		for i := range 4 {
			h := n.Host(fmt.Sprintf("h%d", i))
			n.Link(h, lan)
			hosts = append(hosts, h)
		}
		for _, h := range hosts {
			echo(h, "7")
		}
		n.Part(hosts[:2], hosts[2:])
		mustAsk(t, hosts[0], "h1:7").Close()
		mustAsk(t, hosts[3], "h2:7").Close()
		if _, err := hosts[0].Dial("tcp", "h2:7"); !errors.Is(err, syscall.EHOSTUNREACH) && !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("dialling into the other group: %v", err)
		}
		n.Join()
		mustAsk(t, hosts[0], "h2:7").Close()
	})
}

func TestAPeerLearnsOfACrashWhenTheHostIsBack(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		alice, bob := n.Host("alice"), n.Host("bob")
		n.Link(alice, bob, link.Faults{Delay: time.Millisecond})
		echo(bob, "7")
		c := mustAsk(t, alice, "bob:7")
		bob.Crash()
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := ask(c, "lost"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("asking a crashed host: %v", err)
		}
		bob.Restart()
		echo(bob, "7")
		c.SetReadDeadline(time.Time{})
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after the restart: %v", err)
		}
		mustAsk(t, alice, "bob:7").Close()
	})
}

func TestHTTPOverARouter(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		client, r, server := n.Host("client"), n.Router("r"), n.Host("server")
		n.Link(client, r, link.Faults{Delay: 20 * time.Millisecond, Loss: 0.02})
		n.Link(r, server)
		s := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { io.WriteString(w, "hello "+q.RemoteAddr) })}
		go s.Serve(server.MustListen("tcp", ":80"))
		tr := client.Transport()
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get("http://server/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, _ := io.ReadAll(resp.Body); !strings.HasPrefix(string(b), "hello ") {
			t.Errorf("%q", b)
		}
		s.Close()
	})
}

// A failing is a test that fails.
type failing struct {
	*testing.T
	log      strings.Builder
	cleanups []func()
}

func (f *failing) Failed() bool            { return true }
func (f *failing) Cleanup(g func())        { f.cleanups = append(f.cleanups, g) }
func (f *failing) Logf(s string, a ...any) { fmt.Fprintf(&f.log, s, a...) }

func TestAFailureTellsTheSeedAndTheSockets(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		f := &failing{T: t}
		n := lab.New(f)
		alice, bob := n.Host("alice"), n.Host("bob")
		l := n.Link(alice, bob)
		echo(bob, "7")
		c := mustAsk(t, alice, "bob:7")
		l.Cut()
		io.WriteString(c, "unheard")
		for _, g := range f.cleanups {
			g()
		}
		for _, want := range []string{fmt.Sprintf("%s=%d", lab.SeedVariable, n.Seed()), "LISTEN", "ESTABLISHED", "1 partitioned"} {
			if !strings.Contains(f.log.String(), want) {
				t.Errorf("no %q in\n%s", want, f.log.String())
			}
		}
	})
}

// A round is a whole concurrent program: ten clients that talk to a server over a lossy link.
func round(t *testing.T) (trace string) {
	synctest.Test(t, func(t *testing.T) {
		n := lab.NewLockstep(t)
		r, server := n.Router("r"), n.Host("server")
		n.Link(r, server, link.Faults{Delay: 5 * time.Millisecond, Loss: 0.05})
		var clients []*lab.Host
		for i := range 10 {
			h := n.Host(fmt.Sprintf("c%d", i))
			n.Link(h, r, link.Faults{Delay: 10 * time.Millisecond, Jitter: 3 * time.Millisecond, Loss: 0.02})
			clients = append(clients, h)
		}
		echo(server, "7")
		var all sync.WaitGroup
		for _, h := range clients {
			all.Go(func() {
				for range 3 {
					mustAsk(t, h, "server:7").Close()
				}
			})
		}
		all.Wait()
		n.Settle()
		for _, h := range clients {
			trace += n.Ladder(h, server)
		}
	})
	return trace
}

func TestAConcurrentRunRepeatsFromItsSeed(t *testing.T) {
	leak.Check(t)
	t.Setenv(lab.SeedVariable, "42")
	first := round(t)
	if n := strings.Count(first, "\n"); n < 300 {
		t.Fatalf("%d lines:\n%s", n, first)
	}
	for range 20 {
		if again := round(t); again != first {
			t.Fatalf("a run was\n%s\nand another\n%s", first, again)
		}
	}
	t.Setenv(lab.SeedVariable, "43")
	if round(t) == first {
		t.Error("another seed changes nothing")
	}
}

func TestANetworkThatCannotComeToLifeIsClosed(t *testing.T) {
	leak.Check(t)
	n := lab.Open(lab.Config{})
	a := n.HostWith("a", lab.HostConfig{Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}})
	n.Link(a, n.Host("b"))
	defer func() {
		if r := recover(); r != "lab: the network 10.0.0.1/32 at host b has no more addresses" {
			t.Errorf("it came to life, with %v", r)
		}
		n.Close()
	}()
	a.Addrs()
}
