package client

import (
	"slices"

	"sockeye/examples/arena/game"
	"sockeye/examples/arena/wire"
)

const (
	behind   = 3  // steps that others are shown late, so that a lost snapshot or two are no gap
	tooLate  = 8  // steps from which on they are shown faster
	muchLate = 30 // steps from which on what is between is left out
	kept     = 40 // snapshots
	teleport = 4 * game.Cell
)

// Others are the other players, shown between two snapshots.
type Others struct {
	list []wire.Snapshot // by tick
	at   uint32          // tick that is shown
	Held int             // steps in which nothing newer had come to show
}

// Add keeps a snapshot. One that is older than all that are kept is not needed.
func (o *Others) Add(s wire.Snapshot) {
	i, there := slices.BinarySearchFunc(o.list, s.Tick, func(s wire.Snapshot, tick uint32) int { return int(int64(s.Tick) - int64(tick)) })
	if there {
		return
	}
	if len(o.list) == 0 {
		o.at = max(s.Tick, behind) - behind
	}
	o.list = slices.Insert(o.list, i, s)
	if len(o.list) > kept {
		o.list = slices.Delete(o.list, 0, 1)
	}
}

// newest is the last snapshot, or nil.
func (o *Others) newest() *wire.Snapshot {
	if len(o.list) == 0 {
		return nil
	}
	return &o.list[len(o.list)-1]
}

// Advance goes on by a step.
func (o *Others) Advance() {
	last := o.newest()
	if last == nil {
		return
	}
	o.at++
	switch late := int64(last.Tick) - int64(o.at); {
	case late < 0:
		o.at = last.Tick
		o.Held++
	case late > muchLate:
		o.at = last.Tick - behind
	case late > tooLate:
		o.at++
	}
}

// Players gives the others as they are shown now.
func (o *Others) Players() []game.Player {
	if len(o.list) == 0 {
		return nil
	}
	i := 0
	for i+1 < len(o.list) && o.list[i+1].Tick <= o.at {
		i++
	}
	players := slices.Clone(o.list[i].Others)
	if i+1 == len(o.list) || o.list[i].Tick > o.at {
		return players
	}
	from, to := &o.list[i], &o.list[i+1]
	part, whole := int(o.at-from.Tick), int(to.Tick-from.Tick)
	for i := range players {
		p := &players[i]
		j := slices.IndexFunc(to.Others, func(q game.Player) bool { return q.ID == p.ID })
		if j < 0 {
			continue
		}
		q := to.Others[j]
		if distance(p.X, q.X) > teleport || distance(p.Y, q.Y) > teleport {
			continue
		}
		p.X += int16((int(q.X) - int(p.X)) * part / whole)
		p.Y += int16((int(q.Y) - int(p.Y)) * part / whole)
	}
	return players
}
