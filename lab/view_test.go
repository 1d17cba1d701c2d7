package lab_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
	"sockeye/nat"
)

func TestANetworkTellsWhatItHas(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		alice, r, bob, lan := n.Host("alice"), n.Router("r"), n.Host("bob"), n.Switch("lan")
		uplink := n.Link(alice, r)
		n.Link(lan, r)
		n.Link(lan, bob)
		home := n.NAT("home", nat.Config{})
		n.Link(home, lan)
		if got := fmt.Sprint(n.AllLinks()); got != "[alice-r lan-r lan-bob home-lan]" {
			t.Error(got)
		}
		if a, b := uplink.Ends(); a != alice || b != r {
			t.Error(a, b)
		}
		if !slices.Equal(n.Hosts(), []*lab.Host{alice, r, bob, home}) || !slices.Equal(n.Switches(), []*lab.Switch{lan}) {
			t.Error(n.Hosts(), n.Switches())
		}
		if alice.Router() || !r.Router() || !home.Router() || r.Translator() || !home.Translator() {
			t.Error("r and home are routers, not alice, and home translates")
		}
		uplink.Cut()
		if !uplink.IsCut() {
			t.Error("the link was cut")
		}
		if uplink.Mend(); uplink.IsCut() {
			t.Error("the link was mended")
		}
		if bob.Crash(); bob.IsUp() || !alice.IsUp() {
			t.Error("bob crashed, not alice")
		}
		if bob.Restart(); !bob.IsUp() {
			t.Error("bob was restarted")
		}
		n.Part([]*lab.Host{bob}, []*lab.Host{alice, r})
		if !slices.Equal(n.Parted(), [][2]*lab.Host{{alice, bob}, {r, bob}}) {
			t.Error(n.Parted())
		}
		n.PartOneWay([]*lab.Host{bob}, []*lab.Host{r, alice})
		if !slices.Equal(n.PartedOneWay(), [][2]*lab.Host{{bob, alice}, {bob, r}}) {
			t.Error(n.PartedOneWay())
		}
		if n.Join(); n.Parted() != nil || n.PartedOneWay() != nil {
			t.Error(n.Parted(), n.PartedOneWay())
		}
		n.SetBetween(bob, alice, link.Faults{Loss: 0.1})
		n.SetFromTo(alice, bob, link.Faults{})
		if !slices.Equal(n.FaultyPairs(), [][2]*lab.Host{{bob, alice}}) {
			t.Error(n.FaultyPairs())
		}
	})
}

func TestSocketStatusesAreThoseOfSS(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		alice, bob := n.Host("alice"), n.Host("bob")
		n.Link(alice, bob)
		echo(bob, "7")
		c := mustAsk(t, alice, "172.16.0.2:7")
		defer c.Close()
		time.Sleep(time.Second) // the answer is acknowledged by then
		want := []lab.SocketStatus{
			{Network: "tcp", State: "LISTEN", SendQ: 4096, Local: "[::]:7", Peer: "-"},
			{Network: "tcp", State: "ESTABLISHED", Local: "[::ffff:172.16.0.2]:7", Peer: "[::ffff:" + c.LocalAddr().String()[:10] + "]" + c.LocalAddr().String()[10:]},
		}
		if got := bob.SocketStatuses(); !slices.Equal(got, want) {
			t.Errorf("%+v\nnot\n%+v", got, want)
		}
	})
}

func TestAMeterTellsWhatPassedSinceItWasRead(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		alice, bob := n.Host("alice"), n.Host("bob")
		wan := n.Link(alice, bob, link.Faults{Rate: 8e6, Delay: 10 * time.Millisecond}, link.Faults{})
		if _, err := bob.ListenPacket("udp", ":9"); err != nil {
			t.Fatal(err)
		}
		c, err := alice.Dial("udp", "172.16.0.2:9")
		if err != nil {
			t.Fatal(err)
		}
		send := func(datagrams int) { // of 1000 bytes
			for range datagrams {
				if _, err := c.Write(make([]byte, 972)); err != nil {
					t.Fatal(err)
				}
			}
		}
		m := n.Meter()
		send(100)
		time.Sleep(time.Second)
		flows := m.Read()
		if len(flows) != 2 || flows[0].Link != wan || flows[0].From != alice || flows[0].To != bob || flows[1].From != bob || flows[1].To != alice {
			t.Fatalf("%+v", flows)
		}
		if f := flows[0]; f.BitRate() != 8e5 || f.Packets(link.Delivered) != 100 || f.Lost() != 0 {
			t.Errorf("100 datagrams in a second are %v bit/s, %d arrived, %d were lost", f.BitRate(), f.Packets(link.Delivered), f.Lost())
		}
		wan.Cut()
		send(10)
		time.Sleep(2 * time.Minute)
		flows = m.Read()
		if f := flows[0]; f.Over != 2*time.Minute || f.BitRate() != 0 || f.Lost() != 10 || f.Packets(link.Sent) != 10 {
			t.Errorf("in %v, of %d packets %d were lost", f.Over, f.Packets(link.Sent), f.Lost())
		}
		if flows = m.Read(); flows[0].BitRate() != 0 || flows[0].Over != 0 {
			t.Errorf("two readings at one instant give %v bit/s", flows[0].BitRate())
		}
	})
}

func TestRungsAreWhatALadderShows(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		alice, bob := n.Host("alice"), n.Host("bob")
		n.Link(alice, bob, link.Faults{Delay: 30 * time.Millisecond})
		echo(bob, "7")
		mustAsk(t, alice, "bob:7").Close()
		synctest.Wait()
		rungs := n.Between(alice, bob)[0].Rungs()
		if r := rungs[0]; r.From != 0 || r.States != [2]string{"SYN-SENT", ""} || r.Text != "SYN 0 win 64240" || r.Arrived-r.Sent != 30*time.Millisecond {
			t.Errorf("%+v %+v", r, r.Step)
		}
		if r := rungs[1]; r.From != 1 || r.States != [2]string{"ESTABLISHED", "SYN-RECV"} {
			t.Errorf("%+v", r)
		}
	})
}
