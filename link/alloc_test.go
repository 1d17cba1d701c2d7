//go:build !race

package link_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sockeye/internal/leak"
	"sockeye/link"
)

// Under the race detector pools lose what is put into them, on purpose.

func TestNoPacketAllocates(t *testing.T) {
	leak.Check(t)
	for _, c := range courses {
		loop := network(t)
		port, p := c.send(t, loop), c.p.build()
		for range 10 {
			port.Send(p.Clone())
			loop.Run()
		}
		if n := testing.AllocsPerRun(1000, func() {
			port.Send(p.Clone())
			loop.Run()
		}); n >= 1 {
			t.Errorf("%s: %v allocations per packet", c.name, n)
		}
	}
}

func TestNoPacketOnItsWayAllocates(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		i := impair(t, link.Impairment{Out: link.Faults{Rate: 8e6, Delay: 50 * time.Millisecond, Jitter: 10 * time.Millisecond}})
		i.far.Attach(new(bin))
		p := numbered(0, 972)
		step := func() {
			for range 10 {
				i.port.Send(p.Clone())
			}
			i.loop.Run()
			time.Sleep(10 * time.Millisecond)
		}
		for range 100 {
			step()
		}
		if n := testing.AllocsPerRun(100, step); n >= 1 {
			t.Errorf("%v allocations for ten packets", n)
		}
	})
}
