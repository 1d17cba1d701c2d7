package labup_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/cmd/sockeye/labup"
	"sockeye/stack"
)

// change gives the lab another file, which is the present one with something replaced.
func (w *world) change(text, old, new string) string {
	w.t.Helper()
	if !strings.Contains(text, old) {
		w.t.Fatalf("there is no %q to replace", old)
	}
	text = strings.Replace(text, old, new, 1)
	changed, err := w.Change(parse(w.t, text))
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(changed, ", ")
}

func TestAnotherFileLeavesWhatIsTheSame(t *testing.T) {
	for _, c := range []struct{ name, old, new, changed string }{
		{"faults", "delay: 50ms", "delay: 50ms, loss: 0.001%", "link wan"},
		{"a program more", "web: 80]", "web: 80, sink: 9]", "host far"},
		{"a program less", ", web: 80]", "]", "host far"},
		{"a port more", "8080: far:80", "8080: far:80, 8081: far:80", "host near"},
		{"a schedule", "links:", "schedule: [{at: 1h, crash: far}]\nlinks:", "the schedule"},
		{"nothing", "name: two", "name: two # a comment", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := up(t, two)
				conn := w.dial("7777")
				roundTrip(t, conn)
				if got := w.change(two, c.old, c.new); got != c.changed {
					t.Errorf("changed: %q, want %q", got, c.changed)
				}
				if got := roundTrip(t, conn); got != 100*time.Millisecond {
					t.Errorf("on the connection from before a round trip takes %v", got)
				}
			})
		})
	}
}

func TestAnotherFileChangesWhatIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, two)
		conn := w.dial("7777")
		roundTrip(t, conn)
		if err := w.Fault("wan", "", []string{"loss=0.001%"}); err != nil {
			t.Fatal(err)
		}
		w.change(two, "delay: 50ms", "delay: 20ms, rate: 1gbit")
		if got := w.State().Links[0].Ways[0].Faults; got != "delay=20ms rate=1gbit loss=0.001%" {
			t.Errorf("with what was set meanwhile the link has %s", got)
		}
		w.change(two, "echo: 7, web: 80", "web: 8000")
		synctest.Wait()
		if _, err := w.get("8080", "/"); err == nil {
			t.Error("a program that the file has no more answers still")
		}
		w.change(two, "7777: far:7, 8080: far:80", "8080: far:80")
		synctest.Wait()
		if conn, err := w.machine.Dial("tcp", "127.0.0.1:7777"); err == nil {
			conn.Close()
			t.Error("a port that the file has no more is open still")
		}
	})
}

func TestAnotherNetworkIsBuiltAnewAndKeepsWhatItCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, two)
		roundTrip(t, w.dial("7777"))
		for target, words := range map[string]string{"wan": "loss=0.001%", "part": "near far"} {
			if err := w.Fault(target, "", strings.Fields(words)); err != nil {
				t.Fatal(err)
			}
		}
		got := w.change(two, "links:", `
  third:
    run: [echo: 7]
links:
  - between: [far, third]`)
		if got != "the network, so that connections have ended, host third" {
			t.Errorf("changed: %q", got)
		}
		s := w.State()
		if len(s.Hosts) != 3 || len(s.Links) != 2 || s.Links[1].Ways[0].Faults != "delay=50ms loss=0.001%" || len(s.Parted) != 1 {
			t.Errorf("the lab is %+v", s)
		}
		if err := w.Fault("join", "", nil); err != nil {
			t.Fatal(err)
		}
		conn := w.dial("7777") // the port stayed
		roundTrip(t, conn)
		if got := roundTrip(t, conn); got != 100*time.Millisecond {
			t.Errorf("a round trip takes %v", got)
		}
		// A network that cannot be leaves the old one.
		bad := parse(t, "hosts: {a: {addresses: [10.0.0.1/32]}, b: }\nlinks: [between: [a, b]]")
		if _, err := w.Change(bad); err == nil {
			t.Error("a network without room for its hosts came up")
		}
		roundTrip(t, conn)
	})
}

func TestAHostBehindATranslatorReachesOutAndNotIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, `
hosts:
  inside: {forward: {1: "server:7"}, run: [echo: 7]}
  home: {nat: symmetric}
  server: {forward: {2: "inside:7"}, run: [echo: 7]}
links: [between: [home, server], between: [home, inside]]
`)
		roundTrip(t, w.dial("1"))
		conn, err := w.machine.Dial("tcp", "127.0.0.1:2")
		if err == nil { // the port takes it, and finds that it leads nowhere
			defer conn.Close()
			_, err = conn.Read(make([]byte, 1))
		}
		if err == nil {
			t.Error("a host behind a translator is reached from outside")
		}
	})
}

func TestACommandIsStoppedWithItsLab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := stack.NewHost(stack.Config{Name: "machine"})
		defer m.Close()
		var ended context.Context
		l, err := labup.Start(parse(t, "hosts: {a: {run: [command: [sleep, 1h]]}}"), labup.Config{
			Machine: m.Sockets(), Log: func(string) {},
			Command: func(ctx context.Context, host string, args []string) error {
				if host != "a" || strings.Join(args, " ") != "sleep 1h" {
					t.Errorf("the command of %s is %q", host, args)
				}
				ended = ctx
				<-ctx.Done()
				return ctx.Err()
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		l.Close()
		if ended.Err() == nil {
			t.Error("the command goes on")
		}
	})
}
