package lab_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
)

// three is three hosts on a switch, the last of which echoes.
func three(t *testing.T) (n *lab.Network, ann, ben, server *lab.Host) {
	n = lab.New(t)
	lan := n.Switch("lan")
	ann, ben, server = n.Host("ann"), n.Host("ben"), n.Host("server")
	for _, h := range []*lab.Host{ann, ben, server} {
		n.Link(h, lan, link.Faults{Delay: time.Millisecond})
	}
	echo(server, "7")
	return n, ann, ben, server
}

// roundTrip is how long a line takes there and back.
func roundTrip(t *testing.T, from *lab.Host) time.Duration {
	t.Helper()
	c := mustAsk(t, from, "server:7")
	defer c.Close()
	start := time.Now()
	if _, err := ask(c, "again"); err != nil {
		t.Error(err)
	}
	return time.Since(start)
}

func TestFaultsOfAPairAreNobodyElses(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n, ann, ben, server := three(t)
		slow := link.Faults{Delay: 100 * time.Millisecond}
		for _, c := range []struct {
			name     string
			set      func() error
			ann, ben time.Duration
		}{
			{"none", func() error { return nil }, 4 * time.Millisecond, 4 * time.Millisecond},
			{"one way", func() error { return n.SetFromTo(ann, server, slow) }, 104 * time.Millisecond, 4 * time.Millisecond},
			{"both ways", func() error { return n.SetBetween(server, ann, slow) }, 204 * time.Millisecond, 4 * time.Millisecond},
			{"another pair", func() error { return n.SetBetween(ann, ben, slow) }, 204 * time.Millisecond, 4 * time.Millisecond},
			{"none again", func() error { return n.SetBetween(ann, server, link.Faults{}) }, 4 * time.Millisecond, 4 * time.Millisecond},
		} {
			if err := c.set(); err != nil {
				t.Fatal(err)
			}
			if a, b := roundTrip(t, ann), roundTrip(t, ben); a != c.ann || b != c.ben {
				t.Errorf("%s: ann waits %v and ben %v, want %v and %v", c.name, a, b, c.ann, c.ben)
			}
		}
		if f := n.FaultsFromTo(ann, ben); f != slow {
			t.Errorf("from ann to ben: %+v", f)
		}
		for _, err := range []error{n.SetBetween(ann, ann, slow), n.SetFromTo(ann, ben, link.Faults{Loss: 2})} {
			if err == nil {
				t.Error("faults that cannot be were set")
			}
		}
	})
}

// A partition one way: requests come, and no answer gets back.
func TestAPartitionOfAPairOneWay(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n, ann, ben, server := three(t)
		c := mustAsk(t, ann, "server:7")
		if err := n.SetFromTo(server, ann, link.Faults{Partition: true}); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := ask(c, "lost?"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("an answer came: %v", err)
		}
		roundTrip(t, ben)
		if ladder := n.Ladder(ann, server); !strings.Contains(ladder, "partitioned from server to ann") || !strings.Contains(ladder, "5:10") && !strings.Contains(ladder, "6:11") {
			t.Errorf("the ladder does not say so:\n%s", ladder)
		}
		n.SetFromTo(server, ann, link.Faults{})
		c.SetReadDeadline(time.Time{})
		b := make([]byte, 5)
		if _, err := c.Read(b); err != nil || string(b) != "lost?" {
			t.Errorf("after the partition: %q, %v", b, err)
		}
	})
}

func TestAScheduleMakesAHostDeafToAnother(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n, ann, ben, server := three(t)
		c := mustAsk(t, ann, "server:7")
		s, err := lab.ParseSchedule("deaf:6@1s+1s") // host 0 to host 2
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Describe(s); !strings.Contains(got, "host ann hears nothing from server") {
			t.Errorf("it is described as %q", got)
		}
		n.Play(s)
		time.Sleep(1500*time.Millisecond - n.Now())
		roundTrip(t, ben)
		if got, err := ask(c, "late"); got != "late" || err != nil || n.Now() < 2*time.Second {
			t.Errorf("%q after %v, %v", got, n.Now(), err)
		}
		if ladder := n.Ladder(ann, server); !strings.Contains(ladder, "parted") {
			t.Errorf("the ladder does not tell what was lost:\n%s", ladder)
		}
	})
}

// What has arrived keeps its delay, what is on the link meets the new faults, and a partition loses both.
func TestPacketsInFlightOfAPair(t *testing.T) {
	leak.Check(t)
	for _, c := range []struct {
		name string
		at   time.Duration // after sending, when faults change
		to   link.Faults
		want time.Duration // when the datagram comes; 0: never
	}{
		{"on the link", 500 * time.Microsecond, link.Faults{Delay: 50 * time.Millisecond}, 52 * time.Millisecond},
		{"arrived", 10 * time.Millisecond, link.Faults{Delay: 50 * time.Millisecond}, 22 * time.Millisecond},
		{"arrived, before a partition", 10 * time.Millisecond, link.Faults{Partition: true}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, ann, ben, _ := three(t)
				r, err := ben.ListenPacket("udp4", ":9")
				if err != nil {
					t.Fatal(err)
				}
				w, err := ann.Dial("udp4", "ben:9")
				if err != nil {
					t.Fatal(err)
				}
				w.Write([]byte("warm")) // so that ARP is done
				r.ReadFrom(make([]byte, 9))
				n.SetFromTo(ann, ben, link.Faults{Delay: 20 * time.Millisecond})
				start := time.Now()
				w.Write([]byte("x"))
				time.Sleep(c.at)
				n.SetFromTo(ann, ben, c.to)
				r.SetReadDeadline(start.Add(time.Minute))
				_, _, err = r.ReadFrom(make([]byte, 9))
				if d := time.Since(start); c.want != 0 && (err != nil || d != c.want) || c.want == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("after %v: %v", d, err)
				}
			})
		})
	}
}

func TestLinksTakeProfilesByName(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		phone, server := n.Host("phone"), n.Host("server")
		l := n.Link(phone, server, lab.Profile("3g")...)
		for _, name := range append([]string{"3g"}, link.ProfileNames()...) {
			p, _ := link.ProfileNamed(name)
			if err := l.SetProfile(phone, name); err != nil || l.Faults(phone) != p.Up || l.Faults(server) != p.Down {
				t.Errorf("%s: %v, up %+v, down %+v", name, err, l.Faults(phone), l.Faults(server))
			}
		}
		if err := l.SetProfile(server, "dsl"); err != nil || l.Faults(server).Rate != 384_000 {
			t.Errorf("the user at the other end: %v, %+v", err, l.Faults(server))
		}
		if err := l.SetProfile(phone, "4.5g"); err == nil || !strings.Contains(err.Error(), "3g") {
			t.Errorf("an unknown profile: %v", err)
		}
		echo(server, "7")
		l.SetProfile(phone, "satellite")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if _, err := phone.DialContext(ctx, "tcp", "server:7"); err != nil || time.Since(start) < 520*time.Millisecond {
			t.Errorf("by satellite it took %v: %v", time.Since(start), err)
		}
	})
}
