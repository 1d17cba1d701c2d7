package event_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"sockeye/event"
	"sockeye/internal/leak"
)

// A hearer passes on what happens.
type hearer chan happening

type happening struct {
	at   event.Time
	what any
}

func (h hearer) Handle(now event.Time, arg any) { h <- happening{now, arg} }

// doing is work for a loop: no event happens meanwhile.
type doing func()

func (do doing) Handle(event.Time, any) { do() }

func TestAnExactLoopKeepsTheOrderAndIsNeverEarly(t *testing.T) {
	leak.Check(t)
	loop, err := event.NewExact()
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	const n = 100
	heard := make(hearer, n)
	start := loop.Now()
	at := func(i int) event.Time { return start.Add(time.Duration(i) * 100 * time.Microsecond) }
	events := make([]event.Event, n)
	for _, i := range rand.Perm(n) {
		events[i] = event.Event{Handler: heard, Arg: i}
		loop.At(at(i).Add(time.Hour), &events[i])
	}
	loop.Do(doing(func() {
		for _, i := range rand.Perm(n) { // earlier than they were
			loop.At(at(i), &events[i])
		}
		loop.Cancel(&events[n/2])
	}), nil)
	loop.Run()
	for want := range n {
		if want == n/2 {
			continue
		}
		if got := <-heard; got.what != want || got.at < at(want) {
			t.Fatalf("%v at %v, want %d at %v", got.what, got.at, want, at(want))
		}
	}
	loop.At(at(2*n), &events[0]) // after all is quiet, and later than what was armed last
	if got := <-heard; got.what != 0 || got.at < at(2*n) {
		t.Errorf("%v at %v", got.what, got.at)
	}
}
