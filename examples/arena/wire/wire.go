// Package wire is what arena's datagrams look like: a player's inputs to the server, and the server's snapshots of the
// match. Integers are big-endian. Both begin with a type and the token that the lobby gave the player, which is all that
// ties a datagram to a player; whoever cannot read the player's traffic cannot make one that is taken.
//
//	inputs    'i' token(8) first(4) input(1)...
//	snapshot  's' token(8) tick(4) ack(4) own(11) players(1) shots(1) player(6)... shot(3)...
//	own       player(6) reload(1) away(1) lives(1) score(2)
//	player    id(1) x(2) y(2) facing, health and whether it is away(1)
//	shot      column(1) row(1) heading(1)
package wire

import (
	"encoding/binary"
	"errors"

	"sockeye/examples/arena/game"
)

const (
	// MaxInputs is how many inputs a datagram carries at most: all that the server has not acknowledged, so that
	// one datagram that arrives makes up for all that were lost before.
	MaxInputs = 64
	// MaxSize is the most bytes of a datagram: under the 1,280 that IPv6 carries anywhere, with its headers.
	MaxSize = 1232
	// MaxShots is how many shots a snapshot tells of, with as many players as there can be.
	MaxShots = (MaxSize - snapshotHeader - (game.MaxPlayers-1)*playerSize) / shotSize

	inputsHeader   = 1 + 8 + 4
	ownSize        = playerSize + 5
	playerSize     = 6
	shotSize       = 3
	snapshotHeader = 1 + 8 + 4 + 4 + ownSize + 2
)

// ErrForm is of a datagram that is not what it should be.
var ErrForm = errors.New("arena: a datagram of another form")

// Inputs are a player's inputs with the numbers First, First+1 and so on. A player's first input has the number 1.
type Inputs struct {
	Token  uint64
	First  uint32
	Inputs []game.Input
}

// Append adds the datagram to b. More than MaxInputs are too many.
func (m Inputs) Append(b []byte) []byte {
	b = append(b, 'i')
	b = binary.BigEndian.AppendUint64(b, m.Token)
	b = binary.BigEndian.AppendUint32(b, m.First)
	for _, in := range m.Inputs {
		b = append(b, byte(in))
	}
	return b
}

// ParseInputs reads a datagram.
func ParseInputs(b []byte) (m Inputs, err error) {
	if len(b) < inputsHeader || len(b) > inputsHeader+MaxInputs || b[0] != 'i' {
		return m, ErrForm
	}
	m = Inputs{Token: binary.BigEndian.Uint64(b[1:]), First: binary.BigEndian.Uint32(b[9:])}
	if m.First == 0 {
		return m, ErrForm
	}
	for _, in := range b[inputsHeader:] {
		m.Inputs = append(m.Inputs, game.Input(in))
	}
	return m, nil
}

// A Snapshot is the match as one player gets to see it.
type Snapshot struct {
	Token  uint64
	Tick   uint32        // of the world
	Ack    uint32        // number of the player's last input that is in it
	Own    game.Player   // in full
	Others []game.Player // by ID: Point, Facing, Health, and Away as 0 or 1
	Shots  []game.Shot   // in the middles of their cells
}

// Append adds the datagram to b. Of the shots it takes MaxShots.
func (m *Snapshot) Append(b []byte) []byte {
	b = append(b, 's')
	b = binary.BigEndian.AppendUint64(b, m.Token)
	b = binary.BigEndian.AppendUint32(b, m.Tick)
	b = binary.BigEndian.AppendUint32(b, m.Ack)
	b = appendPlayer(b, m.Own)
	b = append(b, m.Own.Reload, m.Own.Away, m.Own.Lives)
	b = binary.BigEndian.AppendUint16(b, m.Own.Score)
	shots := m.Shots[:min(len(m.Shots), MaxShots)]
	b = append(b, byte(len(m.Others)), byte(len(shots)))
	for _, p := range m.Others {
		b = appendPlayer(b, p)
	}
	for _, s := range shots {
		column, row := s.At()
		b = append(b, byte(column), byte(row), byte(s.Heading))
	}
	return b
}

func appendPlayer(b []byte, p game.Player) []byte {
	b = append(b, p.ID)
	b = binary.BigEndian.AppendUint16(b, uint16(p.X))
	b = binary.BigEndian.AppendUint16(b, uint16(p.Y))
	state := byte(p.Facing) | p.Health<<3
	if p.Away > 0 {
		state |= 1 << 5
	}
	return append(b, state)
}

// Parse reads a datagram, and reuses the memory of m.
func (m *Snapshot) Parse(b []byte) error {
	if len(b) < snapshotHeader || b[0] != 's' {
		return ErrForm
	}
	players, shots := int(b[snapshotHeader-2]), int(b[snapshotHeader-1])
	if players >= game.MaxPlayers || shots > MaxShots || len(b) != snapshotHeader+players*playerSize+shots*shotSize {
		return ErrForm
	}
	m.Token, m.Tick, m.Ack = binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint32(b[9:]), binary.BigEndian.Uint32(b[13:])
	own, ok := parsePlayer(b[17:])
	if rest := b[17+playerSize:]; ok {
		ok = (rest[1] > 0) == (own.Away > 0)
		own.Reload, own.Away, own.Lives, own.Score = rest[0], rest[1], rest[2], binary.BigEndian.Uint16(rest[3:])
	}
	if !ok {
		return ErrForm
	}
	m.Own, m.Others, m.Shots = own, m.Others[:0], m.Shots[:0]
	last := -1
	for b = b[snapshotHeader:]; players > 0; players, b = players-1, b[playerSize:] {
		p, ok := parsePlayer(b)
		if !ok || int(p.ID) <= last || p.ID == own.ID {
			return ErrForm
		}
		last = int(p.ID)
		m.Others = append(m.Others, p)
	}
	for ; shots > 0; shots, b = shots-1, b[shotSize:] {
		s := game.Shot{Point: game.Point{X: int16(b[0])*game.Cell + game.Cell/2, Y: int16(b[1])*game.Cell + game.Cell/2}, Heading: game.Heading(b[2])}
		if b[0] >= game.Width || b[1] >= game.Height || s.Heading > game.Right {
			return ErrForm
		}
		m.Shots = append(m.Shots, s)
	}
	return nil
}

func parsePlayer(b []byte) (p game.Player, ok bool) {
	p = game.Player{
		ID:     b[0],
		Point:  game.Point{X: int16(binary.BigEndian.Uint16(b[1:])), Y: int16(binary.BigEndian.Uint16(b[3:]))},
		Facing: game.Heading(b[5] & 7), Health: b[5] >> 3 & 3, Away: b[5] >> 5 & 1,
	}
	return p, b[0] < game.MaxPlayers && b[5]>>6 == 0 && p.Facing <= game.Right && !p.Wall()
}
