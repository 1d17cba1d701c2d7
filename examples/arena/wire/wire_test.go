package wire_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"sockeye/examples/arena/game"
	"sockeye/examples/arena/wire"
)

// full is a snapshot of a world with as many players and shots as there can be.
func full(t testing.TB) wire.Snapshot {
	w := game.NewWorld(7)
	for {
		if _, ok := w.Add(); !ok {
			break
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		var turns []game.Turn
		for id := range uint8(game.MaxPlayers) {
			turns = append(turns, game.Turn{ID: id, Input: game.Input(random.UintN(5)) | game.Fire})
		}
		w.Step(turns)
	}
	m := wire.Snapshot{Token: 1<<63 + 5, Tick: w.Tick, Ack: 40, Own: w.Players[3]}
	for _, p := range append(w.Players[:3:3], w.Players[4:]...) {
		m.Others = append(m.Others, game.Player{ID: p.ID, Point: p.Point, Facing: p.Facing, Health: p.Health, Away: min(p.Away, 1)})
	}
	for len(m.Shots) < wire.MaxShots {
		for _, s := range w.Shots {
			column, row := s.At()
			m.Shots = append(m.Shots, game.Shot{Heading: s.Heading,
				Point: game.Point{X: int16(column)*game.Cell + game.Cell/2, Y: int16(row)*game.Cell + game.Cell/2}})
		}
	}
	m.Shots = m.Shots[:wire.MaxShots]
	return m
}

func TestSnapshotsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	want := full(t)
	b := want.Append(nil)
	if len(b) > wire.MaxSize || len(b) < wire.MaxSize-2 {
		t.Errorf("the largest snapshot has %d bytes", len(b))
	}
	var got wire.Snapshot
	if err := got.Parse(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: got  %+v\nwant %+v", err, got, want)
	}
	for n := range b { // cut short
		if err := got.Parse(b[:n]); !errors.Is(err, wire.ErrForm) {
			t.Fatalf("%d bytes of it: %v", n, err)
		}
	}
}

func TestInputsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	for _, want := range []wire.Inputs{
		{Token: 1, First: 1},
		{Token: 1<<64 - 1, First: 1<<32 - 1, Inputs: make([]game.Input, wire.MaxInputs)},
	} {
		if got, err := wire.ParseInputs(want.Append(nil)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %+v, want %+v", err, got, want)
		}
	}
}

func TestDatagramsOfAnotherForm(t *testing.T) {
	t.Parallel()
	inputs := wire.Inputs{Token: 1, First: 1, Inputs: []game.Input{1, 2}}.Append(nil)
	m := full(t)
	snapshot := m.Append(nil)
	set := func(b []byte, at int, v byte) []byte {
		b = bytes.Clone(b)
		b[at] = v
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":                     nil,
		"another type":                set(inputs, 0, 'x'),
		"no number":                   set(inputs, 12, 0),
		"too many inputs":             append(inputs, make([]byte, wire.MaxInputs)...),
		"a snapshot":                  snapshot,
		"one byte more":               append(bytes.Clone(snapshot), 0),
		"more players than there are": set(snapshot, 28, 255),
		"a player in a wall":          set(snapshot, 18, 0xff),
		"a heading that is none":      set(snapshot, 22, 7),
		"a state that is none":        set(snapshot, 22, 0xff),
		"somebody twice":              set(snapshot, 30, 3),
		"a shot outside":              set(snapshot, len(snapshot)-3, 255),
	} {
		if _, err := wire.ParseInputs(b); !errors.Is(err, wire.ErrForm) {
			t.Errorf("inputs, %s: %v", name, err)
		}
		if err := new(wire.Snapshot).Parse(b); name != "a snapshot" && !errors.Is(err, wire.ErrForm) {
			t.Errorf("snapshot, %s: %v", name, err)
		}
	}
}

// What is taken is bounded, and written again it is the same bytes.
func FuzzParse(f *testing.F) {
	m := full(f)
	f.Add(m.Append(nil))
	f.Add(wire.Inputs{Token: 1, First: 1, Inputs: []game.Input{1, 2}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := wire.ParseInputs(b); err == nil && !bytes.Equal(m.Append(nil), b) {
			t.Errorf("inputs %x were read as %+v", b, m)
		}
		var m wire.Snapshot
		if err := m.Parse(b); err == nil && (len(b) > wire.MaxSize || !bytes.Equal(m.Append(nil), b)) {
			t.Errorf("a snapshot %x was read as %+v", b, m)
		}
	})
}
