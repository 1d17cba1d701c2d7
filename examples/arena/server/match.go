package server

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"time"

	"sockeye/examples/arena/game"
	"sockeye/examples/arena/wire"
)

const (
	perStep  = 4                // inputs of a player that one step takes at most
	savings  = wire.MaxInputs   // inputs that a player may be late with
	interest = 64               // steps after which a player may have one input more: clocks differ
	silence  = 10 * time.Second // after which a player gets no more snapshots, until it sends something
)

// A match is a world and who is in it. The server's lock guards it.
type match struct {
	server *Server
	name   string
	world  *game.World
	seats  map[uint8]*seat
	turns  []game.Turn
}

// A seat is a player's place in a match.
type seat struct {
	client *client
	match  *match
	id     uint8
	token  uint64

	addr   net.Addr // where its last datagram with news came from
	heard  time.Time
	next   uint32 // number of the first input that waits
	inputs []game.Input
	credit int // inputs that it may have done
}

// take keeps the inputs that are new. A datagram that leaves a gap is none of our client's, which sends again what is not acknowledged.
func (s *seat) take(m wire.Inputs, from net.Addr, now time.Time) {
	known := s.next + uint32(len(s.inputs))
	skip := known - m.First
	if m.First > known || skip > uint32(len(m.Inputs)) {
		return
	}
	fresh := m.Inputs[skip:]
	fresh = fresh[:min(len(fresh), wire.MaxInputs-len(s.inputs))]
	s.inputs = append(s.inputs, fresh...)
	if s.addr == nil || len(fresh) > 0 { // an old datagram does not move a player back to where it came from
		s.addr = from
	}
	s.heard = now
}

// run steps the match until nobody is left in it.
func (m *match) run() {
	tick := time.NewTicker(time.Second / game.Rate)
	defer tick.Stop()
	type datagram struct {
		from, to int // in b
		addr     net.Addr
	}
	var b []byte
	var list []datagram
	for {
		select {
		case <-m.server.ended:
			return
		case <-tick.C:
		}
		b, list = b[:0], list[:0]
		m.server.mu.Lock()
		if len(m.seats) == 0 {
			delete(m.server.matches, m.name)
			m.server.mu.Unlock()
			return
		}
		m.step()
		now := time.Now()
		for _, p := range m.world.Players {
			s := m.seats[p.ID]
			if s.addr != nil && now.Sub(s.heard) < silence {
				start := len(b)
				b = m.snapshot(s).Append(b)
				list = append(list, datagram{start, len(b), s.addr})
			}
		}
		m.server.mu.Unlock()
		for _, d := range list {
			m.server.states.WriteTo(b[d.from:d.to], d.addr) // a snapshot that is not sent is one more that is lost
		}
	}
}

// step takes the players' inputs, in order of their IDs, and steps the world.
func (m *match) step() {
	m.turns = m.turns[:0]
	for _, p := range m.world.Players {
		s := m.seats[p.ID]
		s.credit++
		if m.world.Tick%interest == 0 {
			s.credit++
		}
		s.credit = min(s.credit, savings)
		n := min(len(s.inputs), s.credit, perStep)
		for _, in := range s.inputs[:n] {
			m.turns = append(m.turns, game.Turn{ID: s.id, Input: in})
		}
		s.inputs = slices.Delete(s.inputs, 0, n)
		s.next += uint32(n)
		s.credit -= n
	}
	for _, k := range m.world.Step(m.turns) {
		m.tell(fmt.Sprintf("kill %d %d", k.Killer, k.Victim))
	}
}

// snapshot is the match as a seat's player sees it: of the shots the nearest, if they are many.
func (m *match) snapshot(s *seat) *wire.Snapshot {
	snap := &wire.Snapshot{Token: s.token, Tick: m.world.Tick, Ack: s.next - 1, Shots: m.world.Shots}
	for _, p := range m.world.Players {
		if p.ID == s.id {
			snap.Own = p
		} else {
			snap.Others = append(snap.Others, p)
		}
	}
	if len(snap.Shots) > wire.MaxShots {
		far := func(shot game.Shot) int {
			dx, dy := int(shot.X)-int(snap.Own.X), int(shot.Y)-int(snap.Own.Y)
			return dx*dx + dy*dy
		}
		snap.Shots = slices.Clone(snap.Shots)
		slices.SortFunc(snap.Shots, func(a, b game.Shot) int { return cmp.Compare(far(a), far(b)) })
	}
	return snap
}

// tell sends a line to all players of the match.
func (m *match) tell(line string) {
	for _, s := range m.seats {
		s.client.send(line)
	}
}
