package game

import (
	"cmp"
	"slices"
)

const (
	Rate       = 30  // steps in a second
	MaxPlayers = 128 // in a world
	MaxShots   = 160 // under way; who shoots when there are so many has a misfire

	Health   = 3           // hits that a player takes
	speed    = 20          // of a player, sub-cells an input
	velocity = 48          // of a shot, sub-cells a step: under a cell, so that none passes through a wall
	reach    = Cell/2 + 16 // of a shot around it
	Push     = Cell / 2    // that a hit gives
	reload   = 12          // inputs between two shots of a player
	flight   = 30          // steps that a shot lives
	away     = 45          // steps from a player's death to its return
)

// A Heading is where a player swims, or faces.
type Heading uint8

const (
	Still Heading = iota
	Up
	Down
	Left
	Right
)

// An Input is what a player does in one step: a Heading, or Fire with one.
type Input uint8

const (
	Fire    Input = 1 << 3
	heading Input = Fire - 1
)

// Heading gives the input's heading: Still for a number that is none.
func (in Input) Heading() Heading {
	if h := Heading(in & heading); h <= Right {
		return h
	}
	return Still
}

// A Player is all that is known of a player between two steps.
type Player struct {
	ID uint8
	Point
	Facing Heading
	Health uint8
	Reload uint8 // inputs until the player can shoot again
	Away   uint8 // steps until the player comes back; 0: it is there
	Lives  uint8 // times that it came back, modulo 256
	Score  uint16
}

// Apply lets the player do what an input asks for, and tells whether it shoots. The server and the client that predicts
// both call it. It depends on nothing but its arguments.
func (p *Player) Apply(in Input) (shoots bool) {
	if p.Away > 0 {
		return false
	}
	if h := in.Heading(); h != Still {
		p.Facing = h
		if to := p.toward(h, speed); !to.Wall() {
			p.Point = to
		}
	}
	if p.Reload > 0 {
		p.Reload--
		return false
	}
	if in&Fire == 0 {
		return false
	}
	p.Reload = reload
	return true
}

// A Shot is under way.
type Shot struct {
	Point
	Heading Heading
	owner   uint8
	left    uint8 // steps
}

// A Turn is an input of a player.
type Turn struct {
	ID    uint8
	Input Input
}

// A Kill tells who shot whom.
type Kill struct{ Killer, Victim uint8 }

// A World is one match. Its fields are for reading.
type World struct {
	Tick    uint32
	Players []Player // in order of ID
	Shots   []Shot
	seed    uint64
}

// NewWorld makes an empty world. The seed decides where players come in.
func NewWorld(seed uint64) *World { return &World{seed: seed} }

// Clone gives a world that goes its own way from here.
func (w *World) Clone() *World {
	c := *w
	c.Players, c.Shots = slices.Clone(w.Players), slices.Clone(w.Shots)
	return &c
}

// find gives the place of a player, or where it would be.
func (w *World) find(id uint8) (int, bool) {
	return slices.BinarySearchFunc(w.Players, id, func(p Player, id uint8) int { return cmp.Compare(p.ID, id) })
}

// Player gives a player, or nil. It is valid until the next Add or Remove.
func (w *World) Player(id uint8) *Player {
	if i, ok := w.find(id); ok {
		return &w.Players[i]
	}
	return nil
}

// Add puts a new player somewhere on the field, and tells its ID, the lowest that is free. A full world gives false.
func (w *World) Add() (id uint8, ok bool) {
	if len(w.Players) == MaxPlayers {
		return 0, false
	}
	for i, p := range w.Players {
		if int(p.ID) != i {
			break
		}
		id++
	}
	i, _ := w.find(id)
	w.Players = slices.Insert(w.Players, i, Player{ID: id, Point: w.free(), Facing: Right, Health: Health})
	return id, true
}

// Remove takes a player out. Its shots fly on.
func (w *World) Remove(id uint8) {
	if i, ok := w.find(id); ok {
		w.Players = slices.Delete(w.Players, i, i+1)
	}
}

// free draws a place without a wall.
func (w *World) free() Point {
	for {
		n := w.draw()
		p := Point{X: int16(n%Width)*Cell + Cell/2, Y: int16(n>>32%Height)*Cell + Cell/2}
		if !p.Wall() {
			return p
		}
	}
}

// draw is splitmix64.
func (w *World) draw() uint64 {
	w.seed += 0x9e3779b97f4a7c15
	z := w.seed
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Step goes on by a thirtieth of a second: who was away comes back, the turns are done in their order, then shots
// fly and hit. A player may have several turns in a step, or none. Turns of players who are not there do nothing.
func (w *World) Step(turns []Turn) (kills []Kill) {
	w.Tick++
	for i := range w.Players {
		p := &w.Players[i]
		if p.Away == 0 {
			continue
		}
		if p.Away--; p.Away == 0 {
			p.Point, p.Health, p.Reload = w.free(), Health, 0
			p.Lives++
		}
	}
	for _, t := range turns {
		p := w.Player(t.ID)
		if p != nil && p.Apply(t.Input) && len(w.Shots) < MaxShots {
			w.Shots = append(w.Shots, Shot{Point: p.Point, Heading: p.Facing, owner: p.ID, left: flight})
		}
	}
	for i := range w.Shots {
		s := &w.Shots[i]
		s.left--
		s.Point = s.toward(s.Heading, velocity)
		if s.Wall() {
			s.left = 0
			continue
		}
		if p := w.hit(s); p != nil {
			s.left = 0
			if w.wound(p, s) {
				kills = append(kills, Kill{Killer: s.owner, Victim: p.ID})
			}
		}
	}
	w.Shots = slices.DeleteFunc(w.Shots, func(s Shot) bool { return s.left == 0 })
	return kills
}

// hit gives the first player in reach of a shot, but not who shot.
func (w *World) hit(s *Shot) *Player {
	for i := range w.Players {
		if p := &w.Players[i]; p.ID != s.owner && p.Away == 0 && p.near(s.Point, reach) {
			return p
		}
	}
	return nil
}

// wound pushes a player who was hit, and tells whether it was the last hit.
func (w *World) wound(p *Player, s *Shot) (killed bool) {
	if to := p.toward(s.Heading, Push); !to.Wall() {
		p.Point = to
	}
	if p.Health--; p.Health > 0 {
		return false
	}
	p.Away = away
	if killer := w.Player(s.owner); killer != nil {
		killer.Score++
	}
	return true
}
