// Package client is a player's side of arena. A Game is what the player sees, without any I/O: its own inputs at once
// (prediction), put right when the server's snapshots come (reconciliation), and the others a tenth of a second ago,
// between two snapshots (interpolation). A Client plays one over a network.
package client

import (
	"time"

	"sockeye/examples/arena/game"
	"sockeye/examples/arena/wire"
)

// A Prediction is a player as it will be when the server has all its inputs.
type Prediction struct {
	Player  game.Player
	acked   uint32       // number of the last input that the server has told to have done
	waiting []game.Input // the ones after it
	pressed []time.Time  // when
	known   bool         // a snapshot has come
}

// Press does an input at once and keeps it until it is acknowledged. It gives false, and does nothing, while
// wire.MaxInputs wait, and before the first snapshot, which tells where the player is.
func (p *Prediction) Press(in game.Input, now time.Time) bool {
	if !p.known || len(p.waiting) == wire.MaxInputs {
		return false
	}
	p.Player.Apply(in)
	p.waiting, p.pressed = append(p.waiting, in), append(p.pressed, now)
	return true
}

// Waiting gives the inputs to send: all that wait, after the one with the number that it tells last.
func (p *Prediction) Waiting() (inputs []game.Input, acked uint32) { return p.waiting, p.acked }

// A Correction is what a snapshot changed.
type Correction struct {
	Moved time.Duration // from the input that the snapshot acknowledged last, until now
	By    int           // sub-cells that the player was elsewhere, the larger of both directions
	Jump  bool          // because it was shot dead or came back
}

// Reconcile begins again with the player as the server has it, and does the inputs again that the server had not seen.
// An acknowledgment of inputs that were never made gives false.
func (p *Prediction) Reconcile(own game.Player, ack uint32, now time.Time) (c Correction, ok bool) {
	done := ack - p.acked
	if ack < p.acked || int64(done) > int64(len(p.waiting)) {
		return c, false
	}
	if done > 0 {
		c.Moved = now.Sub(p.pressed[done-1])
		p.waiting = append(p.waiting[:0], p.waiting[done:]...)
		p.pressed = append(p.pressed[:0], p.pressed[done:]...)
		p.acked = ack
	}
	before := p.Player
	p.Player = own
	for _, in := range p.waiting {
		p.Player.Apply(in)
	}
	if p.known {
		c.Jump = before.Lives != own.Lives || (before.Away > 0) != (own.Away > 0)
		c.By = max(distance(before.X, p.Player.X), distance(before.Y, p.Player.Y))
	}
	p.known = true
	return c, true
}

func distance(a, b int16) int { return max(int(a)-int(b), int(b)-int(a)) }
