package labscreen_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"sockeye/cmd/sockeye/labscreen"
	"sockeye/cmd/sockeye/labup"
	"sockeye/lab"
)

// view is two hosts on a link that has carried 125,000 bytes in the last second, and lost 1 of 100 packets.
func view() labscreen.View {
	way := func(from string, packets, bytes, lost uint64) labup.WayState {
		return labup.WayState{From: from, Faults: "delay=40ms", Packets: packets, Bytes: bytes, Lost: lost}
	}
	links := func(packets, bytes, lost uint64) []labup.LinkState {
		return []labup.LinkState{{Name: "wan", Ways: [2]labup.WayState{way("laptop", packets, bytes, lost), way("web", 0, 0, 0)}}}
	}
	v := labscreen.View{
		Head: []string{"  curl http://127.0.0.1:8080"}, Over: time.Second,
		Was: labup.State{Links: links(100, 1000, 5)},
		Now: labup.State{Lab: "demo", Up: 12.3, Links: links(200, 126_000, 6), Hosts: []labup.HostState{
			{Name: "laptop", Up: true, Addresses: []netip.Addr{netip.MustParseAddr("172.16.0.1")}, Sockets: 1},
			{Name: "web", Addresses: []netip.Addr{netip.MustParseAddr("172.16.0.2")}, Runs: []string{"web on port 80"}},
		}, Parted: [][2]string{{"laptop", "web"}}},
		Sockets: []labscreen.Socket{{Host: "laptop", SocketStatus: lab.SocketStatus{
			Network: "tcp", State: "ESTABLISHED", SendQ: 10, Local: "172.16.0.1:50000", Peer: "172.16.0.2:80",
		}}},
		Log: []string{"10:00:00 first", "10:00:01 second", "10:00:02 third", "10:00:03 fourth"},
	}
	return v
}

func TestTheScreenShowsTheLab(t *testing.T) {
	t.Parallel()
	v := view()
	want := `lab demo, up for 12s   Ctrl-C ends it
  curl http://127.0.0.1:8080

HOST    ADDRESS     SOCKETS  RUNS            STATE
laptop  172.16.0.1  1                        up, parted from web
web     172.16.0.2  0        web on port 80  crashed, parted from laptop

LINK  WAY           RATE        LOSS   QUEUE  FAULTS
wan   laptop → web  1.0 Mbit/s  1.0 %  0      delay=40ms
wan   web → laptop  -           -      0      delay=40ms

HOST    NETWORK  STATE        RECV-Q  SEND-Q  LOCAL             PEER
laptop  tcp      ESTABLISHED  0       10      172.16.0.1:50000  172.16.0.2:80

LOG
10:00:00 first
10:00:01 second
10:00:02 third
10:00:03 fourth`
	if got := ansi.Strip(v.Draw(100, 30)); got != want {
		t.Errorf("it shows\n%s\nwant\n%s", got, want)
	}
}

func TestTheScreenFitsItsWindow(t *testing.T) {
	t.Parallel()
	v := view()
	for i := range 100 {
		v.Now.Hosts = append(v.Now.Hosts, labup.HostState{Name: fmt.Sprintf("host%d", i), Up: true})
		v.Sockets = append(v.Sockets, v.Sockets[0])
	}
	for height := range 60 {
		for _, width := range []int{1, 20, 80} {
			lines := strings.Split(v.Draw(width, height), "\n")
			if len(lines) > max(1, height) {
				t.Fatalf("%d lines in a window of %d", len(lines), height)
			}
			for _, l := range lines {
				if w := ansi.StringWidth(l); w > width {
					t.Fatalf("a line of %d columns in a window of %d: %q", w, width, l)
				}
			}
		}
	}
	small := ansi.Strip(v.Draw(80, 30))
	for _, want := range []string{"and 9", "wan   laptop", "LOG", "10:00:03 fourth"} {
		if !strings.Contains(small, want) {
			t.Errorf("in a window of 30 lines there is no %q:\n%s", want, small)
		}
	}
}
