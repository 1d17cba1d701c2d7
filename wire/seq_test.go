package wire_test

import (
	"testing"

	"sockeye/wire"
)

func TestSequenceNumbersGoAroundTheirEnd(t *testing.T) {
	const top = wire.Seq(0xffffffff)
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"one comes before the next", wire.Seq(1).Less(2)},
		{"none comes before itself", !wire.Seq(1).Less(1) && wire.Seq(1).LessEq(1)},
		{"the last comes before zero", top.Less(0) && !wire.Seq(0).Less(top)},
		{"the order holds for all but half of the circle", wire.Seq(0).Less(1<<31-1) && !wire.Seq(0).Less(1<<31+1)},
		{"adding goes past the end", top.Add(2) == 1},
		{"adding a negative number goes back", wire.Seq(1).Add(-2) == top},
		{"the difference has a sign", wire.Seq(1).Diff(top) == 2 && top.Diff(1) == -2},
		{"a window holds its left edge", wire.Seq(10).In(10, 1)},
		{"a window does not hold its right edge", !wire.Seq(11).In(10, 1)},
		{"a window goes around the end", wire.Seq(3).In(top, 5) && !wire.Seq(4).In(top, 5)},
		{"an empty window holds nothing", !wire.Seq(10).In(10, 0) && !wire.Seq(10).In(10, -1)},
	} {
		if !c.ok {
			t.Error("not so:", c.name)
		}
	}
}
