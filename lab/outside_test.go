package lab_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
	"sockeye/stack"
)

// substitute is a host on a loop of its own that has the place of another, by frames over streams.
func substitute(t *testing.T, n *lab.Network, h *lab.Host) (s *stack.Host, detach func()) {
	t.Helper()
	loop := leak.Loop(t)
	c := stack.Config{Name: "substitute", Loop: loop, Privileged: true, Routes: h.Routes(), Hosts: n.Names()}
	var ports []link.Port
	for _, i := range h.Interfaces() {
		near, far := net.Pipe()
		o := link.StreamOptions{MTU: i.Properties.MTU, IP: !i.Properties.Ethernet, Hardware: i.Properties.Hardware}
		ports = append(ports, link.NewStream(n.Loop(), near, o))
		c.Interfaces = append(c.Interfaces, stack.Interface{Name: i.Name, Port: link.NewStream(loop, far, o), Addrs: i.Addrs})
	}
	detach, err := h.Attach(ports...)
	if err != nil {
		t.Fatal(err)
	}
	s = stack.NewHost(c)
	t.Cleanup(func() {
		detach()
		for _, p := range ports {
			p.Close()
		}
		s.Close()
		loop.Close()
	})
	return s, detach
}

// greet serves a port with a word.
func greet(l net.Listener, word string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		io.WriteString(c, word)
		c.Close()
	}
}

// greeting is the word at an address.
func greeting(t *testing.T, from *lab.Host, address string) string {
	t.Helper()
	c, err := from.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	word, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(word)
}

// reaches tells whether a connection comes about within a second.
func reaches(t *testing.T, from *lab.Host, address string) bool {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	c, err := from.DialContext(ctx, "tcp", address)
	if err == nil {
		c.Close()
	}
	return err == nil
}

func TestAHostOutsideTakesThePlaceOfAnother(t *testing.T) {
	leak.Check(t)
	for name, join := range map[string]func(n *lab.Network, bob *lab.Host) (alice *lab.Host, wire *lab.Link){
		"on a cable": func(n *lab.Network, bob *lab.Host) (*lab.Host, *lab.Link) {
			alice := n.Host("alice")
			return alice, n.Link(bob, alice)
		},
		"on a switch": func(n *lab.Network, bob *lab.Host) (*lab.Host, *lab.Link) {
			alice, lan := n.Host("alice"), n.Switch("lan")
			n.Link(alice, lan)
			return alice, n.Link(bob, lan)
		},
		"behind a router": func(n *lab.Network, bob *lab.Host) (*lab.Host, *lab.Link) {
			alice, r := n.Host("alice"), n.Router("r")
			n.Link(alice, r, link.Faults{Delay: 50 * time.Millisecond})
			return alice, n.Link(bob, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := lab.New(t)
				bob := n.Host("bob")
				bob.Program(func() { greet(bob.MustListen("tcp", ":80"), "inside") })
				alice, wire := join(n, bob)
				n.Names() // brings it to life
				synctest.Wait()
				if got := greeting(t, alice, "bob:80"); got != "inside" {
					t.Errorf("before: %q", got)
				}
				s, detach := substitute(t, n, bob)
				l, err := s.Sockets().Listen("tcp", ":80")
				if err != nil {
					t.Fatal(err)
				}
				go greet(l, "outside")
				if got := greeting(t, alice, "bob:80"); got != "outside" {
					t.Errorf("attached: %q", got)
				}
				if got := n.Ladder(alice, bob); !strings.Contains(got, "1:8 ack 1") {
					t.Errorf("the ladder does not show what the host outside said:\n%s", got)
				}

				wire.Cut()
				if reaches(t, alice, "bob:80") {
					t.Error("a cut link leads to the host outside")
				}
				wire.Mend()
				bob.Crash()
				if reaches(t, alice, "bob:80") {
					t.Error("a host outside that crashed answers")
				}
				bob.Restart()
				if got := greeting(t, alice, "bob:80"); got != "outside" {
					t.Errorf("restarted: %q", got)
				}

				detach()
				synctest.Wait() // bob's program listens again
				if got := greeting(t, alice, "bob:80"); got != "inside" {
					t.Errorf("detached: %q", got)
				}
			})
		})
	}
}

func TestAttachSaysWhatDoesNotFit(t *testing.T) {
	leak.Check(t)
	n := lab.New(t)
	alice, bob, lan := n.Host("alice"), n.Host("bob"), n.Switch("lan")
	n.Link(alice, lan)
	n.Link(bob, lan)
	port := func(ethernet bool) link.Port {
		p, _ := link.Cable(n.Loop(), link.CableOptions{Ethernet: ethernet})
		return p
	}
	if _, err := alice.Attach(port(true)); err != nil {
		t.Fatal(err)
	}
	for want, attach := range map[string]func() (func(), error){
		"lab: host bob has 1 links, and 0 ports are to take its place":                                           func() (func(), error) { return bob.Attach() },
		"lab: host bob: link bob-lan carries Ethernet frames, and port 0 of who is to take its place IP packets": func() (func(), error) { return bob.Attach(port(false)) },
		"lab: the place of host alice is taken: another is attached":                                             func() (func(), error) { return alice.Attach(port(true)) },
	} {
		if _, err := attach(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if !alice.Attached() || bob.Attached() {
		t.Errorf("attached: alice %v, bob %v", alice.Attached(), bob.Attached())
	}
}
