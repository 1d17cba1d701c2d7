package game_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"sockeye/examples/arena/game"
)

const up, down, left, right = game.Input(game.Up), game.Input(game.Down), game.Input(game.Left), game.Input(game.Right)

func TestApply(t *testing.T) {
	t.Parallel()
	middle := game.Point{X: 20 * game.Cell, Y: 5 * game.Cell}
	for _, tt := range []struct {
		name         string
		player       game.Player
		in           game.Input
		want         game.Point
		facing       game.Heading
		reload, away uint8
		shoots       bool
	}{
		{"still", game.Player{Point: middle, Facing: game.Up}, 0, middle, game.Up, 0, 0, false},
		{"right", game.Player{Point: middle}, right, game.Point{X: middle.X + 20, Y: middle.Y}, game.Right, 0, 0, false},
		{"up", game.Player{Point: middle}, up, game.Point{X: middle.X, Y: middle.Y - 20}, game.Up, 0, 0, false},
		{"a wall stops, and is faced", game.Player{Point: game.Point{X: game.Cell, Y: game.Cell}}, left,
			game.Point{X: game.Cell, Y: game.Cell}, game.Left, 0, 0, false},
		{"fire", game.Player{Point: middle, Facing: game.Down}, game.Fire, middle, game.Down, 12, 0, true},
		{"fire while loading", game.Player{Point: middle, Facing: game.Down, Reload: 2}, game.Fire, middle, game.Down, 1, 0, false},
		{"a heading that is none", game.Player{Point: middle, Facing: game.Down}, 7, middle, game.Down, 0, 0, false},
		{"who is away does nothing", game.Player{Point: middle, Facing: game.Down, Away: 3}, right | game.Fire, middle, game.Down, 0, 3, false},
	} {
		p := tt.player
		shoots := p.Apply(tt.in)
		if p.Point != tt.want || p.Facing != tt.facing || p.Reload != tt.reload || p.Away != tt.away || shoots != tt.shoots {
			t.Errorf("%s: %+v, shoots %v", tt.name, p, shoots)
		}
	}
}

// Three hits from the left: each pushes to the right, the third one kills.
func TestAShotPushesAndKills(t *testing.T) {
	t.Parallel()
	w := game.NewWorld(1)
	w.Add()
	w.Add()
	hunter, prey := w.Player(0), w.Player(1)
	hunter.Point, hunter.Facing = game.Point{X: 15 * game.Cell, Y: 2 * game.Cell}, game.Right
	start := game.Point{X: 20 * game.Cell, Y: 2 * game.Cell}
	prey.Point = start
	var kills []game.Kill
	for range 200 {
		kills = append(kills, w.Step([]game.Turn{{ID: 0, Input: game.Fire}})...)
		if hurt := game.Health - prey.Health; prey.Lives == 0 && prey.X != start.X+int16(hurt)*game.Push {
			t.Fatalf("after %d hits the prey is at %v", hurt, prey.Point)
		}
		if len(kills) > 0 {
			break
		}
	}
	if want := []game.Kill{{Killer: 0, Victim: 1}}; !reflect.DeepEqual(kills, want) || hunter.Score != 1 {
		t.Fatalf("kills %v, score %d", kills, hunter.Score)
	}
	for range 45 {
		if prey.Lives != 0 {
			t.Fatal("the prey is back already")
		}
		w.Step(nil)
	}
	if prey.Lives != 1 || prey.Health != game.Health || prey.Away != 0 {
		t.Errorf("the prey did not come back: %+v", prey)
	}
}

func TestAWorldTakesSoManyPlayers(t *testing.T) {
	t.Parallel()
	w := game.NewWorld(1)
	for want := range game.MaxPlayers {
		if id, ok := w.Add(); !ok || int(id) != want {
			t.Fatalf("player %d got %d, %v", want, id, ok)
		}
	}
	if _, ok := w.Add(); ok {
		t.Error("one more got in")
	}
	w.Remove(77)
	if id, ok := w.Add(); !ok || id != 77 {
		t.Errorf("the free place is 77, not %d, %v", id, ok)
	}
}

// Whatever players do: nobody is in a wall, numbers stay in their bounds, and a copy of the world that gets the same
// turns is the same world.
func TestWorldsKeepTheirRules(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		w := game.NewWorld(seed)
		for range 1 + random.IntN(60) {
			w.Add()
		}
		twin := w.Clone()
		deaths := 0
		for range 600 {
			var turns []game.Turn
			for range random.IntN(120) {
				turns = append(turns, game.Turn{ID: uint8(random.IntN(70)), Input: game.Input(random.Uint32())})
			}
			kills := w.Step(turns)
			deaths += len(kills)
			if again := twin.Step(turns); !reflect.DeepEqual(w, twin) || !reflect.DeepEqual(kills, again) {
				t.Fatalf("seed %d: the same turns gave another world at tick %d", seed, w.Tick)
			}
			if len(w.Shots) > game.MaxShots {
				t.Fatalf("seed %d: %d shots", seed, len(w.Shots))
			}
			score := 0
			for _, p := range w.Players {
				if p.Wall() || p.Health > game.Health || (p.Health == 0) != (p.Away > 0) {
					t.Fatalf("seed %d, tick %d: %+v", seed, w.Tick, p)
				}
				score += int(p.Score)
			}
			if score != deaths {
				t.Fatalf("seed %d, tick %d: %d deaths gave a score of %d", seed, w.Tick, deaths, score)
			}
		}
	}
}
