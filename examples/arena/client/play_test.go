package client_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/examples/arena/client"
	"sockeye/examples/arena/game"
	"sockeye/examples/arena/server"
	"sockeye/kernel"
	"sockeye/lab"
	"sockeye/link"
)

// A host is what both engines have.
type host interface {
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// serve runs a server until the function that it gives is called.
func serve(t *testing.T, h host, address string) (s *server.Server, at net.Addr, stop func()) {
	t.Helper()
	l, err := h.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	s = server.New(l, p)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	return s, l.Addr(), func() {
		cancel()
		if err := <-done; err != context.Canceled {
			t.Errorf("Serve: %v", err)
		}
	}
}

func join(t *testing.T, h host, address, name string) *client.Client {
	t.Helper()
	c, err := client.Join(t.Context(), h.DialContext, address, name, "pond")
	if err != nil {
		t.Fatalf("%s joins: %v", name, err)
	}
	return c
}

// onServer gives a player as the server has it.
func onServer(t *testing.T, s *server.Server, name string) game.Player {
	t.Helper()
	w, names := s.World("pond")
	for id, n := range names {
		if n == name {
			return *w.Player(id)
		}
	}
	t.Fatalf("the server knows no %s", name)
	return game.Player{}
}

// Anna swims and Bert stands: each sees Anna where the server has her, once she stands still again.
func twoPlay(t *testing.T, s *server.Server, first, second host, address string) {
	anna, bert := join(t, first, address, "anna"), join(t, second, address, "bert")
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	settled := make(chan bool)
	steps := 0
	work.Go(func() {
		anna.Play(ctx, func(v client.View) game.Input {
			if !v.Known {
				return 0
			}
			if steps++; steps <= 40 {
				return []game.Input{game.Input(game.Left), game.Input(game.Up)}[steps/8%2]
			}
			if steps == 100 {
				close(settled)
			}
			return 0
		})
	})
	work.Go(func() { bert.Play(ctx, func(client.View) game.Input { return 0 }) })
	if err := anna.Say("hello, Bert"); err != nil {
		t.Fatal(err)
	}
	<-settled
	truth := onServer(t, s, "anna")
	if v := anna.View(); v.Own.Point != truth.Point || v.Own.Facing != truth.Facing {
		t.Errorf("Anna sees herself at %v, the server at %v", v.Own.Point, truth.Point)
	}
	if v := bert.View(); len(v.Others) != 1 || v.Others[0].Point != truth.Point {
		t.Errorf("Bert sees %+v, Anna is at %v", v.Others, truth.Point)
	}
	if said := bert.Said(); !slices.Contains(said, "anna: hello, Bert") {
		t.Errorf("Bert read %q", said)
	}
	if f := anna.Figures(); f.Corrections != 0 {
		t.Errorf("nobody touched Anna, but %d corrections moved her, one by %d sub-cells", f.Corrections, f.Largest)
	}
	cancel()
	work.Wait()
}

func TestTwoPlayersOnTheKernel(t *testing.T) {
	t.Parallel()
	h := kernel.Host()
	s, at, stop := serve(t, h, "127.0.0.1:0")
	defer stop()
	twoPlay(t, s, h, h, at.String())
}

func TestTwoPlayersOnALab(t *testing.T) {
	for _, faults := range []link.Faults{
		{},
		{Delay: 75 * time.Millisecond, Loss: 0.05},
		{Delay: 75 * time.Millisecond, Jitter: 40 * time.Millisecond, Duplicate: 0.1, Loss: 0.2},
	} {
		t.Run(faults.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := lab.New(t)
				pond, anna, bert := n.Host("server"), n.Host("anna"), n.Host("bert")
				n.Link(pond, anna, faults)
				n.Link(pond, bert, faults)
				s, _, stop := serve(t, pond, ":2000")
				defer stop()
				twoPlay(t, s, anna, bert, "server:2000")
			})
		})
	}
}

// Eight bots hunt each other for a minute of virtual time (-short: 20 seconds). Loss delays inputs and makes the others stand still, but moves
// no player by more than hits do, which no client can foresee: one pushes by half a cell, and may push a player past the
// edge of a wall that the inputs under way, a third of a cell each, stopped at before.
func TestWhatLossDoes(t *testing.T) {
	const players = 8
	how := time.Minute
	if testing.Short() {
		how = 20 * time.Second
	}
	t.Log("round trip  loss  snapshots lost  input done after p50 / p99  others stand still  corrections a player  mean  largest (cells)")
	for _, tt := range []struct {
		roundTrip time.Duration
		loss      float64
		lost      float64 // of snapshots, at the most
		p99       time.Duration
	}{
		{150 * time.Millisecond, 0, 0.001, 250 * time.Millisecond},
		{150 * time.Millisecond, 0.05, 0.08, 400 * time.Millisecond},
		{150 * time.Millisecond, 0.20, 0.25, 600 * time.Millisecond},
		{300 * time.Millisecond, 0.05, 0.08, 600 * time.Millisecond},
	} {
		f, steps := hunt(t, players, how, link.Faults{Delay: tt.roundTrip / 2, Loss: tt.loss})
		slices.Sort(f.Acks)
		if len(f.Acks) == 0 || f.Snapshots == 0 {
			t.Fatalf("loss %v: nobody played: %+v", tt.loss, f)
		}
		lost := float64(f.Missed) / float64(f.Missed+f.Snapshots)
		p50, p99 := f.Acks[len(f.Acks)/2], f.Acks[len(f.Acks)*99/100]
		t.Logf("%10v  %3.0f%%  %13.1f%%  %18v / %5v  %17.1f%%  %20.1f  %4.2f  %7.2f", tt.roundTrip, 100*tt.loss, 100*lost,
			p50.Round(time.Millisecond), p99.Round(time.Millisecond), 100*float64(f.Held)/float64(steps), float64(f.Corrections)/players,
			float64(f.Sum)/float64(max(1, f.Corrections))/game.Cell, float64(f.Largest)/game.Cell)
		if lost > tt.lost || p99 > tt.p99 {
			t.Errorf("loss %v: %.3f of snapshots lost, want at most %v; 99%% of inputs done after %v, want %v", tt.loss, lost, tt.lost, p99, tt.p99)
		}
		if f.Stalled > 0 {
			t.Errorf("loss %v: players had to wait %d times", tt.loss, f.Stalled)
		}
		if f.Corrections == 0 || f.Largest > 4*game.Cell {
			t.Errorf("loss %v: %d corrections, one of %d sub-cells; want some, of %d at the most", tt.loss, f.Corrections, f.Largest, 4*game.Cell)
		}
	}
}

// hunt lets bots play, and adds up what they saw of the network.
func hunt(t *testing.T, players int, how time.Duration, faults link.Faults) (sum client.Figures, steps int) {
	synctest.Test(t, func(t *testing.T) {
		n := lab.New(t)
		pond, center := n.Host("server"), n.Router("internet")
		n.Link(center, pond)
		var hosts []*lab.Host
		for i := range players {
			h := n.Host(fmt.Sprintf("home%d", i))
			n.Link(center, h, faults)
			hosts = append(hosts, h)
		}
		s, _, stop := serve(t, pond, ":2000")
		defer stop()
		var bots []*client.Client
		for i, h := range hosts {
			bots = append(bots, join(t, h, "server:2000", fmt.Sprintf("bot%d", i)))
		}
		ctx, cancel := context.WithTimeout(t.Context(), how)
		defer cancel()
		var work sync.WaitGroup
		for i, c := range bots {
			work.Go(func() {
				think := client.Bot(uint64(i))
				if err := c.Play(ctx, think); err != nil {
					t.Errorf("bot %d: %v", i, err)
				}
			})
		}
		<-ctx.Done()
		if list := s.Matches(); len(list) != 1 || list[0].Players != players {
			t.Errorf("matches: %+v", list)
		}
		work.Wait()
		for _, c := range bots {
			f := c.Figures()
			sum.Snapshots += f.Snapshots
			sum.Missed += f.Missed
			sum.Stalled += f.Stalled
			sum.Held += f.Held
			sum.Corrections += f.Corrections
			sum.Sum += f.Sum
			sum.Largest = max(sum.Largest, f.Largest)
			sum.Acks = append(sum.Acks, f.Acks...)
		}
		steps = players * int(how*game.Rate/time.Second)
	})
	return sum, steps
}

// A hundred bots in one match.
func TestAHundredBots(t *testing.T) {
	how := 10 * time.Second
	if testing.Short() {
		how = 2 * time.Second
	}
	start := time.Now()
	f, steps := hunt(t, 100, how, link.Faults{Delay: 20 * time.Millisecond})
	t.Logf("%v of a match of 100, with its clients and its network, took %v; %d snapshots", how, time.Since(start).Round(time.Millisecond), f.Snapshots)
	if f.Missed > 0 || f.Snapshots < steps*8/10 {
		t.Errorf("%d snapshots came in %d steps, %d did not", f.Snapshots, steps, f.Missed)
	}
}
