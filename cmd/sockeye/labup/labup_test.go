package labup_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/cmd/sockeye/labfile"
	"sockeye/cmd/sockeye/labup"
	"sockeye/stack"
)

// A world is a lab that is up, and the machine that it is on: here a host in pure Go too, so that time
// is virtual.
type world struct {
	*labup.Lab
	t       *testing.T
	machine *sockeye.Host

	mu  sync.Mutex
	log []string
}

// up brings a lab up, in a bubble.
func up(t *testing.T, text string) *world {
	t.Helper()
	m := stack.NewHost(stack.Config{Name: "machine", Privileged: true})
	t.Cleanup(func() { m.Close() })
	w := &world{t: t, machine: m.Sockets()}
	var err error
	if w.Lab, err = labup.Start(parse(t, text), labup.Config{Machine: w.machine, Log: w.note}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func parse(t *testing.T, text string) *labfile.File {
	t.Helper()
	f, err := labfile.Parse("lab.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (w *world) note(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, text)
}

// dial connects to a port of the machine.
func (w *world) dial(port string) net.Conn {
	w.t.Helper()
	conn, err := w.machine.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return conn
}

// roundTrip is how long a byte takes to an echo and back.
func roundTrip(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	begun := time.Now()
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return time.Since(begun)
}

func (w *world) get(port, path string) (string, error) {
	client := http.Client{Transport: &http.Transport{DialContext: w.machine.DialContext, DisableKeepAlives: true}}
	r, err := client.Get("http://127.0.0.1:" + port + path)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

const two = `
name: two
seed: 1
hosts:
  near:
    forward: {7777: far:7, 8080: far:80, "udp://5353": far:7}
  far:
    run: [echo: 7, web: 80]
links:
  - {name: wan, between: [near, far], delay: 50ms}
`

func TestPortsLeadThroughTheLab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, two)
		conn := w.dial("7777")
		roundTrip(t, conn) // the handshake is under way until then
		if got := roundTrip(t, conn); got != 100*time.Millisecond {
			t.Errorf("a round trip takes %v", got)
		}
		if text, err := w.get("8080", "/"); err != nil || !strings.Contains(text, "This is far in the lab two. You are near at 172.16.0.1:") {
			t.Errorf("got %q, %v", text, err)
		}
		if text, err := w.get("8080", "/bytes/100000"); err != nil || len(text) != 100000 {
			t.Errorf("got %d bytes, %v", len(text), err)
		}
		udp, err := w.machine.Dial("udp", "127.0.0.1:5353")
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		if got := roundTrip(t, udp); got != 100*time.Millisecond {
			t.Errorf("a datagram takes %v", got)
		}
		ports := w.Ports()
		if want := (labup.Port{Address: "tcp://127.0.0.1:7777", By: "near", To: "far:7"}); len(ports) != 3 || ports[0] != want {
			t.Errorf("ports are %+v", ports)
		}
	})
}

func TestReverseLeadsToTheMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, `
hosts:
  app: {forward: {1: "db:5432"}}
  db: {reverse: {5432: 15432}}
links: [{between: [app, db], delay: 10ms}]
`)
		l, err := w.machine.Listen("tcp", "127.0.0.1:15432")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			if conn, err := l.Accept(); err == nil {
				io.WriteString(conn, "of the machine")
				conn.Close()
			}
		}()
		if b, err := io.ReadAll(w.dial("1")); string(b) != "of the machine" {
			t.Errorf("got %q, %v", b, err)
		}
	})
}

func TestFaultsAreLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, two)
		conn := w.dial("7777")
		roundTrip(t, conn)
		for _, step := range []struct {
			from, words string
			want        time.Duration
		}{
			{"", "delay=200ms", 400 * time.Millisecond},
			{"far", "delay=10ms", 210 * time.Millisecond},
			{"", "clear", 100 * time.Millisecond},
			{"", "delay=0", 0},
		} {
			if err := w.Fault("wan", step.from, strings.Fields(step.words)); err != nil {
				t.Fatal(err)
			}
			if got := roundTrip(t, conn); got != step.want {
				t.Errorf("after %s from %q a round trip takes %v, want %v", step.words, step.from, got, step.want)
			}
		}
	})
}

func TestACutLinkHoldsConnectionsAndACrashEndsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, two)
		conn := w.dial("7777")
		roundTrip(t, conn)
		fault := func(target, words string) {
			t.Helper()
			if err := w.Fault(target, "", strings.Fields(words)); err != nil {
				t.Fatal(err)
			}
		}
		fault("wan", "down")
		go func() {
			time.Sleep(10 * time.Second)
			fault("wan", "up")
		}()
		if got := roundTrip(t, conn); got < 10*time.Second || got > 25*time.Second { // the next retransmission
			t.Errorf("a byte that was sent into a cut link came back after %v", got)
		}
		fault("far", "crash")
		if s := w.State(); s.Hosts[1].Up || s.Hosts[1].Sockets != 0 || !s.Hosts[0].Up {
			t.Errorf("after a crash: %+v", s.Hosts)
		}
		fault("far", "restart")
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("the connection outlived its server's crash")
		}
		roundTrip(t, w.dial("7777")) // its programs run again
	})
}

func TestTwoHostsMayHaveFaultsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, two)
		conn := w.dial("7777")
		roundTrip(t, conn)
		fault := func(from, words string) {
			t.Helper()
			if err := w.Fault("near,far", from, strings.Fields(words)); err != nil {
				t.Fatal(err)
			}
		}
		fault("", "delay=100ms")
		fault("far", "delay=200ms")
		if got := roundTrip(t, conn); got != 400*time.Millisecond {
			t.Errorf("a round trip takes %v", got)
		}
		if got := fmt.Sprint(w.State().Pairs); got != "[{far near delay=200ms} {near far delay=100ms}]" {
			t.Errorf("the state tells of %s", got)
		}
		w.change(two, "links:", "  third:\nlinks:") // another network
		conn = w.dial("7777")
		roundTrip(t, conn)
		if got := roundTrip(t, conn); got != 400*time.Millisecond {
			t.Errorf("on another network a round trip takes %v", got)
		}
		fault("", "clear")
		if got := roundTrip(t, conn); got != 100*time.Millisecond {
			t.Errorf("without faults a round trip takes %v", got)
		}
	})
}

func TestANameServerTellsTheNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, `
hosts:
  near: {forward: {"udp://53": "names:53"}}
  far:
  names: {nameserver: true}
switches: [lan]
links: [between: [near, lan], between: [far, lan], between: [names, lan]]
`)
		r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return w.machine.Dial("udp", "127.0.0.1:53")
		}}
		addrs, err := r.LookupHost(t.Context(), "far")
		if fmt.Sprint(addrs) != fmt.Sprint(w.State().Hosts[1].Addresses) {
			t.Errorf("far is %v, %v", addrs, err)
		}
	})
}

func TestPartedHostsDoNotReachEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, two)
		conn := w.dial("7777")
		roundTrip(t, conn)
		if err := w.Fault("part", "", []string{"near", "far"}); err != nil {
			t.Fatal(err)
		}
		if s := w.State(); fmt.Sprint(s.Parted) != "[[near far]]" {
			t.Errorf("parted: %v", s.Parted)
		}
		go func() {
			time.Sleep(5 * time.Second)
			w.Fault("join", "", nil)
		}()
		if got := roundTrip(t, conn); got < 5*time.Second {
			t.Errorf("a byte came back after %v", got)
		}
	})
}

func TestBadFaultsAreToldWithARemedy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, two)
		before := fmt.Sprint(w.State().Links)
		for _, c := range []struct{ target, from, words, want string }{
			{"lan", "", "loss=1%", `there is no link or host "lan"; there are the links wan, and the hosts near, far`},
			{"wan", "", "", `what is to happen to link wan? Try wan loss=10%, or down, up, clear`},
			{"wan", "", "lost=1%", `link wan: lost=1%: there is no such fault; there are down, delay, jitter, distribution, order, rate, queue, overhead, loss, burst, duplicate, corrupt, reorder`},
			{"wan", "", "loss=200%", `link wan: loss=200%: want a share, as 10% or 0.1`},
			{"wan", "", "loss", `link wan: "loss" is no fault; one is written as loss=10% or delay=200ms`},
			{"wan", "", "delay=0 jitter=1ms", `link wan: jitter=1ms: there is no delay that it could vary; add one, as delay=80ms`},
			{"wan", "web", "loss=1%", `link wan is between near and far, and not at "web"`},
			{"far", "", "explode", `host far can crash or restart, and not "explode"; faults such as loss=10% are those of its links`},
			{"far", "near", "crash", `only what comes from one end of a link can be meant, and "far" is no link`},
			{"near,fra", "", "loss=1%", `there is no host "fra"; there are near, far`},
			{"near,far", "x", "loss=1%", `the two are near and far, and not "x"`},
			{"near,far", "", "", `near and far: what is to happen? Try near,far loss=10%, or clear`},
			{"part", "", "near", `part wants two groups of hosts or more, as part near far`},
			{"part", "", "near fra", `there is no host "fra"; there are near, far`},
		} {
			if err := w.Fault(c.target, c.from, strings.Fields(c.words)); err == nil || err.Error() != c.want {
				t.Errorf("fault %s %s gives\n%v, want\n%s", c.target, c.words, err, c.want)
			}
		}
		if after := fmt.Sprint(w.State().Links); after != before {
			t.Errorf("the link was %s, and is %s", before, after)
		}
	})
}

func TestAScheduleIsPlayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, two+`
schedule:
  - {at: 10s, for: 10s, link: wan, delay: 200ms}
  - {at: 15s, for: 10s, link: wan, from: far, delay: 300ms}
  - {at: 60s, for: 5s, cut: wan}
  - {at: 100s, for: 5s, every: 20s, link: wan, delay: 1s}
  - {at: 200s, for: 5s, crash: far}
`)
		begun := time.Now()
		conn := w.dial("7777")
		roundTrip(t, conn)
		at := func(s float64, want time.Duration) {
			t.Helper()
			time.Sleep(time.Duration(s*float64(time.Second)) - time.Since(begun))
			if got := roundTrip(t, conn); got != want {
				t.Errorf("at %v s a round trip takes %v, want %v", s, got, want)
			}
		}
		const ms = time.Millisecond
		at(9, 100*ms)
		at(10.5, 400*ms)
		if err := w.Fault("wan", "", []string{"rate=1gbit"}); err != nil { // stays when the event is over
			t.Fatal(err)
		}
		if err := w.Fault("wan", "", []string{"rate=0"}); err != nil {
			t.Fatal(err)
		}
		at(15.5, 500*ms) // the later one goes over the earlier
		at(21, 350*ms)
		at(26, 100*ms)
		time.Sleep(61*time.Second - time.Since(begun))
		if !w.State().Links[0].Ways[0].Down {
			t.Error("the link is not cut")
		}
		at(70, 100*ms)
		at(101, 2*time.Second)
		at(110, 100*ms)
		at(122, 2*time.Second)
		at(130, 100*ms)
		time.Sleep(201*time.Second - time.Since(begun))
		if w.State().Hosts[1].Up {
			t.Error("the host has not crashed")
		}
		time.Sleep(205*time.Second - time.Since(begun))
		synctest.Wait()
		if !w.State().Hosts[1].Up {
			t.Error("the host is not back")
		}
	})
}

func TestSourcesAndSinksKeepTheirRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, `
hosts:
  a:
    forward: {19: "b:19"}
    run: [source: {to: "b:9", rate: 1mbit}, source: {to: "b:9", rate: 2mbit, udp: true}]
  b:
    run: [sink: 9, source: {port: 19, bytes: 1000}]
links: [between: [a, b]]
`)
		time.Sleep(10 * time.Second)
		// 3 Mbit/s, and 3 % or so for headers.
		if got := w.State().Links[0].Ways[0].Bytes * 8 / 10; got < 3_000_000 || got > 3_150_000 {
			t.Errorf("%d bits per second went through", got)
		}
		if b, err := io.ReadAll(w.dial("19")); len(b) != 1000 || err != nil {
			t.Errorf("the source gave %d bytes, %v", len(b), err)
		}
	})
}

func TestAPortThatIsTakenIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := up(t, two)
		_, err := labup.Start(parse(t, two), labup.Config{Machine: w.machine, Log: w.note})
		if err == nil || err.Error() != "tcp://127.0.0.1:7777, which leads to far:7: bind 127.0.0.1:7777: address already in use" {
			t.Errorf("a second lab gives %v", err)
		}
		any, err := labup.Start(parse(t, two), labup.Config{Machine: w.machine, Log: w.note, AnyPort: true})
		if err != nil {
			t.Fatal(err)
		}
		defer any.Close()
		if ports := any.Ports(); len(ports) != 3 || ports[0].Address == "tcp://127.0.0.1:7777" || ports[0].To != "far:7" {
			t.Errorf("with any port it has %+v", ports)
		}
	})
}
