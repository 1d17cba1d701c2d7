package lab_test

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
)

const aLadder = `
alice                                                   bob, TCP
SYN-SENT      0.000000  SYN 0 win 64240 ─────────────▶  0.030000
ESTABLISHED   0.060000  ◀─────── SYN 0 ack 1 win 65160  0.030000   SYN-RECV
              0.060000  ack 1 win 64256 ─────────────▶  0.090000   ESTABLISHED
              0.060000  1:6 ack 1 win 64256 ─────────▶  0.090000
              0.120000  ◀─────────────── ack 6 win 65280  0.090000
              0.120000  ◀─────────── 1:6 ack 6 win 65280  0.090000
              0.120000  ack 6 win 64256 ─────────────▶  0.150000
`

// squeezed is text without addresses, and with single spaces and arrows: what a ladder says.
func squeezed(s string) string {
	var lines []string
	for _, l := range strings.Split(strings.TrimSpace(s), "\n") {
		var words []string
		for _, w := range strings.Fields(l) {
			if _, err := netip.ParseAddrPort(strings.TrimSuffix(w, ",")); err == nil {
				if strings.HasSuffix(w, ",") {
					words[len(words)-1] += ","
				}
				continue
			}
			words = append(words, strings.ReplaceAll(w, "─", ""))
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, "\n")
}

// conversation is a network on which alice has said hello to bob.
func conversation(t *testing.T) (n *lab.Network, alice, bob *lab.Host, l *lab.Link, c net.Conn) {
	n = lab.New(t)
	alice, bob = n.Host("alice"), n.Host("bob")
	l = n.Link(alice, bob, link.Faults{Delay: 30 * time.Millisecond})
	echo(bob, "7")
	return n, alice, bob, l, mustAsk(t, alice, "bob:7")
}

func TestALadderShowsSegmentsTimesAndStates(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n, alice, bob, _, _ := conversation(t)
		time.Sleep(time.Second)
		if got, want := squeezed(n.Ladder(alice, bob)), squeezed(aLadder); got != want {
			t.Errorf("got\n%s\nwant\n%s", n.Ladder(alice, bob), aLadder)
		}
	})
}

func TestALadderTellsWhatBecameOfPackets(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		name string
		do   func(n *lab.Network, alice, bob *lab.Host, l *lab.Link, c net.Conn)
		want []string // in this order
	}{
		{"lost, and sent again", func(n *lab.Network, alice, bob *lab.Host, l *lab.Link, c net.Conn) {
			l.SetFrom(alice, link.Faults{Loss: 1})
			c.Write([]byte("lost"))
			l.SetFrom(alice, link.Faults{Delay: 30 * time.Millisecond})
		}, []string{"6:10 ack 6 win 64256, lost on alice-bob ─", "✗\n", "6:10 ack 6 win 64256, retransmission ─", "▶"}},
		{"cut", func(n *lab.Network, alice, bob *lab.Host, l *lab.Link, c net.Conn) {
			l.Cut()
			c.Write([]byte("cut"))
		}, []string{"6:9 ack 6 win 64256, partitioned on alice-bob ─"}},
		{"parted", func(n *lab.Network, alice, bob *lab.Host, l *lab.Link, c net.Conn) {
			n.Isolate(bob)
			c.Write([]byte("parted"))
		}, []string{"6:12 ack 6 win 64256, parted ─"}},
		{"a crash and a reset", func(n *lab.Network, alice, bob *lab.Host, l *lab.Link, c net.Conn) {
			bob.Crash()
			c.Write([]byte("x"))
			time.Sleep(100 * time.Millisecond)
			bob.Restart()
		}, []string{"6:7 ack 6 win 64256, host is down ─", "6:7 ack 6 win 64256, retransmission ─", "CLOSE ", "RST 6"}},
		{"an end", func(n *lab.Network, alice, bob *lab.Host, l *lab.Link, c net.Conn) { c.Close() },
			[]string{"FIN-WAIT-1 ", "FIN 6", "CLOSE-WAIT", "TIME-WAIT", "FIN 6 ack 7", "LAST-ACK", "ack 7", "CLOSE"}},
		{"on its way", func(n *lab.Network, alice, bob *lab.Host, l *lab.Link, c net.Conn) {
			l.SetFrom(alice, link.Faults{Delay: time.Hour})
			c.Write([]byte("slow"))
		}, []string{"6:10 ack 6 win 64256 ····"}},
		{"a zero window", func(n *lab.Network, alice, bob *lab.Host, l *lab.Link, c net.Conn) {
			bob.MustListen("tcp", ":8")
			d, _ := alice.Dial("tcp", "bob:8")
			go d.Write(make([]byte, 1<<20))
		}, []string{"bob ", ":8, TCP", "win 0", "probe"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, alice, bob, l, c := conversation(t)
				time.Sleep(100 * time.Millisecond)
				tt.do(n, alice, bob, l, c)
				time.Sleep(2 * time.Second)
				got := n.Ladder(alice, bob)
				rest := got
				for _, w := range tt.want {
					_, after, ok := strings.Cut(rest, w)
					if !ok {
						t.Fatalf("no %q where it should be in\n%s", w, got)
					}
					rest = after
				}
			})
		})
	}
}

func TestALadderOfDatagrams(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		alice, r, bob := n.Host("alice"), n.Router("r"), n.Host("bob")
		n.Link(alice, r, link.Faults{Delay: 10 * time.Millisecond})
		n.Link(r, bob, link.Faults{Delay: 20 * time.Millisecond})
		c, err := alice.Dial("udp", "bob:9")
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "anybody there?")
		time.Sleep(time.Second)
		const want = `
alice bob, UDP
0.000000 14 bytes ▶ 0.030000
bob 172.16.0.6 alice 172.16.0.1, ICMP
0.030000 type 3 code 3, 50 bytes ▶ 0.060000`
		if got := squeezed(n.Ladder(alice, bob)); got != strings.TrimSpace(want) {
			t.Errorf("got\n%s\nwant%s", got, want)
		}
	})
}

func TestALadderFollowsLargePacketsThatALinkOnTheWayCuts(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		name string
		set  func(n *lab.Network, l *lab.Link, alice, bob *lab.Host)
	}{
		{"a link with a delay", func(_ *lab.Network, l *lab.Link, _, _ *lab.Host) { l.Set(link.Faults{Delay: time.Millisecond}) }},
		{"faults between the hosts", func(n *lab.Network, _ *lab.Link, alice, bob *lab.Host) {
			n.SetBetween(alice, bob, link.Faults{Delay: time.Millisecond})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leak.Check(t)
			synctest.Test(t, func(t *testing.T) {
				n := lab.New(t)
				alice, bob, lan := n.Host("alice"), n.Host("bob"), n.Switch("lan")
				n.Link(alice, lan)
				l := n.Link(lan, bob)
				echo(bob, "7")
				c := mustAsk(t, alice, "bob:7")
				tt.set(n, l, alice, bob)
				if got, err := ask(c, strings.Repeat("x", 20_000)); len(got) != 20_000 || err != nil {
					t.Fatal(len(got), err)
				}
				time.Sleep(time.Second)
				ladder := n.Ladder(alice, bob)
				if strings.Contains(ladder, "····") || !strings.Contains(ladder, " 6:1454 ack 6 ") {
					t.Errorf("segments did not arrive, or are told as one:\n%s", ladder)
				}
			})
		})
	}
}

func TestALadderCallsALinkByItsName(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		a, b := n.Host("a"), n.Host("b")
		wan := n.Link(a, b, link.Faults{Loss: 1})
		wan.SetName("wan")
		c, err := a.Dial("udp", "b:7")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := n.Ladder(a, b); !strings.Contains(got, "lost on wan") {
			t.Errorf("the ladder is\n%s", got)
		}
	})
}
