package client

import (
	"slices"
	"time"

	"sockeye/examples/arena/game"
	"sockeye/examples/arena/wire"
)

// Figures are what a Game has seen of the network.
type Figures struct {
	Snapshots   int // taken
	Missed      int // ticks of which none came
	Stalled     int // steps in which no input was taken, because too many waited
	Held        int // steps in which the others stood still, because nothing newer had come
	Corrections int // snapshots that moved the player
	Sum         int // sub-cells by which, in all
	Largest     int // of one
	Acks        []time.Duration
}

// maxAcks is how many figures of Acks are kept.
const maxAcks = 1 << 16

// A View is what a player sees.
type View struct {
	Known  bool // a snapshot has come
	Own    game.Player
	Others []game.Player
	Shots  []game.Shot
}

// A Game is a player's view of a match, and what is to be sent. It does no I/O.
type Game struct {
	token   uint64
	own     Prediction
	others  Others
	figures Figures
	first   uint32 // tick of the first snapshot
	scratch wire.Snapshot
}

// NewGame makes the view of the player with a token.
func NewGame(token uint64) *Game { return &Game{token: token} }

// Step is called 30 times a second with the player's input. It adds the datagram to send to b.
func (g *Game) Step(in game.Input, now time.Time, b []byte) []byte {
	if !g.own.Press(in, now) && g.own.known {
		g.figures.Stalled++
	}
	g.others.Advance()
	inputs, acked := g.own.Waiting()
	return wire.Inputs{Token: g.token, First: acked + 1, Inputs: inputs}.Append(b)
}

// Take takes a datagram, and tells whether it was one of the server's.
func (g *Game) Take(b []byte, now time.Time) bool {
	s := &g.scratch
	if s.Parse(b) != nil || s.Token != g.token {
		return false
	}
	last := g.others.newest()
	if last != nil && s.Tick <= last.Tick { // overtaken: where the others were is of use still
		if s.Tick < last.Tick {
			g.others.Add(copied(s))
		}
		return true
	}
	c, ok := g.own.Reconcile(s.Own, s.Ack, now)
	if !ok {
		return false
	}
	if last == nil {
		g.first = s.Tick
	}
	g.others.Add(copied(s))
	f := &g.figures
	f.Snapshots++
	f.Missed = int(s.Tick-g.first) + 1 - f.Snapshots
	if c.Moved > 0 && len(f.Acks) < maxAcks {
		f.Acks = append(f.Acks, c.Moved)
	}
	if c.By > 0 && !c.Jump {
		f.Corrections++
		f.Sum += c.By
		f.Largest = max(f.Largest, c.By)
	}
	return true
}

func copied(s *wire.Snapshot) wire.Snapshot {
	c := *s
	c.Others, c.Shots = slices.Clone(s.Others), slices.Clone(s.Shots)
	return c
}

// View gives what the player sees now.
func (g *Game) View() View {
	v := View{Known: g.own.known, Own: g.own.Player, Others: g.others.Players()}
	if last := g.others.newest(); last != nil {
		v.Shots = last.Shots
	}
	return v
}

// Figures gives what was seen of the network.
func (g *Game) Figures() Figures {
	f := g.figures
	f.Held = g.others.Held
	f.Acks = slices.Clone(f.Acks)
	return f
}
