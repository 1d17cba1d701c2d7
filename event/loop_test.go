package event_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/event"
	"sockeye/internal/leak"
)

// A log notes what happens, and when.
type log struct {
	mu   sync.Mutex
	what []any
	when []event.Time
}

func (l *log) Handle(now event.Time, arg any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.what, l.when = append(l.what, arg), append(l.when, now)
}

func TestEventsHappenInOrderOfTimeAndThenOfAsking(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		loop := event.New()
		var got log
		start := loop.Now()
		var want []any
		for _, i := range rand.Perm(1000) {
			loop.At(start.Add(time.Duration(i/10)*time.Second), &event.Event{Handler: &got, Arg: i / 10})
		}
		for i := range 1000 {
			want = append(want, i/10)
		}
		time.Sleep(time.Hour)
		loop.Close()
		if !slices.Equal(got.what, want) {
			t.Errorf("got %v", got.what)
		}
		for i, when := range got.when {
			if want := start.Add(time.Duration(i/10) * time.Second); when != want {
				t.Fatalf("event %d at %v, want %v", i, when, want)
			}
		}
	})
}

func TestEventsCanBeMovedAndCanceled(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		loop := event.New()
		var got log
		now := loop.Now()
		events := make([]*event.Event, 6)
		for i := range events {
			events[i] = &event.Event{Handler: &got, Arg: i}
			loop.At(now.Add(time.Duration(i+1)*time.Second), events[i])
		}
		loop.At(now.Add(10*time.Second), events[0]) // later
		loop.At(now.Add(time.Second), events[5])    // sooner
		loop.Cancel(events[2])
		loop.Cancel(events[2]) // which is no event any more
		time.Sleep(time.Minute)
		loop.Close()
		if want := []any{5, 1, 3, 4, 0}; !slices.Equal(got.what, want) {
			t.Errorf("got %v, want %v", got.what, want)
		}
	})
}

// A chain leaves one more piece of work each time it is called.
type chain struct {
	loop *event.Loop
	left int
	got  []any
}

func (c *chain) Handle(now event.Time, arg any) {
	c.got = append(c.got, arg)
	if c.left--; c.left > 0 {
		c.loop.Do(c, c.left)
	}
}

func TestWorkIsDoneByWhoCausedItBeforeRunReturns(t *testing.T) {
	leak.Check(t)
	loop := event.New()
	defer loop.Close()
	c := &chain{loop: loop, left: 1000}
	loop.Do(c, 1000)
	loop.Run()
	if len(c.got) != 1000 || c.got[0] != 1000 || c.got[999] != 1 {
		t.Errorf("%d pieces of work were done", len(c.got))
	}
}

func TestWorkOfManyGoroutinesIsAllDone(t *testing.T) {
	leak.Check(t)
	loop := event.New()
	var got log
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				loop.Do(&got, g*1000+i)
				loop.Run()
			}
		})
	}
	wg.Wait()
	loop.Close()
	last := make([]int, 8)
	for _, v := range got.what {
		g, i := v.(int)/1000, v.(int)%1000
		if i < last[g] {
			t.Fatalf("work %d of goroutine %d after %d", i, g, last[g])
		}
		last[g] = i
	}
	if len(got.what) != 8000 {
		t.Errorf("%d of 8000 pieces of work were done", len(got.what))
	}
}

func TestNothingHappensAfterClose(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		loop := event.New()
		var got log
		loop.At(loop.Now().Add(time.Second), &event.Event{Handler: &got})
		loop.Close()
		loop.Do(&got, 1)
		loop.At(loop.Now().Add(time.Second), &event.Event{Handler: &got})
		loop.Run()
		time.Sleep(time.Hour)
		if len(got.what) != 0 {
			t.Errorf("got %v", got.what)
		}
	})
}

// A relay leaves work without end, until its event has happened.
type relay struct {
	loop  *event.Loop
	left  int
	fired bool
}

func (r *relay) Handle(now event.Time, arg any) {
	if arg == "event" {
		r.fired = true
	} else if r.left--; !r.fired && r.left > 0 {
		r.loop.Do(r, "work")
	}
}

func TestEventsHappenWhileWorkGoesOn(t *testing.T) {
	leak.Check(t)
	loop := event.New()
	defer loop.Close()
	r := &relay{loop: loop, left: 100e6}
	loop.At(loop.Now().Add(time.Millisecond), &event.Event{Handler: r, Arg: "event"})
	loop.Do(r, "work")
	loop.Run()
	if !r.fired {
		t.Error("an event that was due waited until all work was done")
	}
}

// A scheduler schedules an event each time that it is called, and may be held up.
type scheduler struct {
	loop  *event.Loop
	event event.Event
	began chan struct{}
	end   chan struct{}
}

func (s *scheduler) Handle(now event.Time, _ any) {
	if s.began != nil {
		close(s.began)
		<-s.end
	}
	s.loop.At(now.Add(time.Minute), &s.event)
}

func TestCloseStopsTheTimer(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		name  string
		armed bool // before Close
		do    func(s *scheduler)
	}{
		{"never used", false, func(s *scheduler) {}},
		{"an event is scheduled", true, func(s *scheduler) { s.Handle(s.loop.Now(), nil) }},
		{"an event was moved", true, func(s *scheduler) {
			s.Handle(s.loop.Now(), nil)
			s.loop.At(s.loop.Now().Add(time.Second), &s.event)
		}},
		{"events happened and scheduled others", true, func(s *scheduler) {
			s.Handle(s.loop.Now(), nil)
			time.Sleep(time.Hour + time.Second)
		}},
		{"all events happened", false, func(s *scheduler) {
			s.loop.At(s.loop.Now().Add(time.Second), &event.Event{Handler: new(log)})
			time.Sleep(time.Hour)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, closes := range []bool{false, true} {
					s := &scheduler{loop: event.New()}
					s.event.Handler = s
					tt.do(s)
					if _, some := s.loop.Next(); some != tt.armed {
						t.Errorf("an event is scheduled: %v", some)
					}
					want := tt.armed
					if closes {
						s.loop.Close()
						s.loop.At(s.loop.Now().Add(time.Second), &s.event)
						want = false
					}
					if s.loop.Armed() != want {
						t.Errorf("closed %v: the timer is set: %v", closes, !want)
					}
					s.loop.Close()
				}
			})
		})
	}
}

func TestCloseWaitsForWorkAndStopsTheTimerThatItWants(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		s := &scheduler{loop: event.New(), began: make(chan struct{}), end: make(chan struct{})}
		s.event.Handler = s
		s.loop.Do(s, nil)
		go s.loop.Run()
		<-s.began
		closed := false
		go func() {
			s.loop.Close()
			closed = true
		}()
		synctest.Wait()
		if closed {
			t.Error("Close did not wait for the work")
		}
		close(s.end)
		synctest.Wait()
		if !closed || s.loop.Armed() {
			t.Errorf("closed %v, and the timer may be set", closed)
		}
	})
}
