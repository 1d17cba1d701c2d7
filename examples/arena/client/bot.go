package client

import (
	"math/rand/v2"

	"sockeye/examples/arena/game"
)

// Bot gives a player for Client.Play that goes for the nearest other player, and shoots when it is in line with it. Now
// and then it swims some other way. The seed decides when.
func Bot(seed uint64) func(View) game.Input {
	random := rand.New(rand.NewPCG(seed, 0))
	wander, steps := game.Still, 0
	return func(v View) game.Input {
		if steps > 0 {
			steps--
			return game.Input(wander)
		}
		if random.IntN(40) == 0 {
			wander, steps = game.Heading(random.IntN(5)), 10+random.IntN(20)
		}
		prey, least := -1, 0
		for i, p := range v.Others {
			if d := distance(p.X, v.Own.X) + distance(p.Y, v.Own.Y); p.Away == 0 && (prey < 0 || d < least) {
				prey, least = i, d
			}
		}
		if prey < 0 {
			return game.Input(wander)
		}
		p := v.Others[prey]
		h := game.Left
		switch {
		case distance(p.X, v.Own.X) < distance(p.Y, v.Own.Y) && p.Y < v.Own.Y:
			h = game.Up
		case distance(p.X, v.Own.X) < distance(p.Y, v.Own.Y):
			h = game.Down
		case p.X > v.Own.X:
			h = game.Right
		}
		in := game.Input(h)
		if min(distance(p.X, v.Own.X), distance(p.Y, v.Own.Y)) < game.Cell/2 {
			in |= game.Fire
		}
		return in
	}
}
