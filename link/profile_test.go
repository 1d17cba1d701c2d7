package link_test

import (
	"testing"
	"time"

	"sockeye/internal/leak"
	"sockeye/link"
)

func TestEveryProfileIsPossibleAndHasASource(t *testing.T) {
	leak.Check(t)
	for _, name := range link.ProfileNames() {
		p, ok := link.ProfileNamed(name)
		if !ok || p.Source == "" || p.Down.Rate == 0 || p.Up.Rate == 0 {
			t.Errorf("%s: %+v", name, p)
		}
		loop := leak.Loop(t)
		near, _ := link.Cable(loop, link.CableOptions{})
		port, err := link.Impair(loop, near, link.Impairment{Out: p.Down, In: p.Up})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		port.Close()
		loop.Close()
	}
}

func TestAProfileHasHalfTheRoundTripEachWay(t *testing.T) {
	leak.Check(t)
	p, _ := link.ProfileNamed("3g")
	if p.Down.Delay != 150*time.Millisecond || p.Up.Delay != 150*time.Millisecond || p.Down.Rate != 1_600_000 || p.Up.Rate != 768_000 {
		t.Errorf("%+v", p)
	}
	if _, ok := link.ProfileNamed("5g-but-better"); ok {
		t.Error("there is a profile of any name")
	}
}
