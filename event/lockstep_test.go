package event_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/event"
	"sockeye/internal/leak"
)

// lockstep runs f in a bubble with a loop in lockstep, on 1, 2 and 8 processors.
func lockstep(t *testing.T, f func(t *testing.T, loop *event.Loop)) {
	for _, procs := range []int{1, 2, 8} {
		t.Run(fmt.Sprintf("GOMAXPROCS=%d", procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			synctest.Test(t, func(t *testing.T) {
				loop := event.NewLockstep(synctest.Wait)
				defer loop.Close()
				f(t, loop)
			})
		})
	}
}

// key is one of those that goroutine i has.
func key(i int) event.Key { return event.Key{Host: uint32(i / 10), Name: fmt.Sprint(i)} }

func TestPostsOfManyGoroutinesAreDoneInTheOrderOfTheirKeys(t *testing.T) {
	leak.Check(t)
	lockstep(t, func(t *testing.T, loop *event.Loop) {
		var got log
		var want []any
		for i := range 100 {
			want = append(want, i)
		}
		for _, i := range rand.Perm(100) {
			go loop.Post(key(i), &got, i)
		}
		loop.Settle()
		if !slices.Equal(got.what, want) {
			t.Errorf("got %v", got.what)
		}
	})
}

func TestTurnsAreGivenOneByOne(t *testing.T) {
	leak.Check(t)
	lockstep(t, func(t *testing.T, loop *event.Loop) {
		var got, want []string
		var wg sync.WaitGroup
		for _, i := range rand.Perm(30) {
			wg.Go(func() {
				for range 2 { // the second time all have had their first
					loop.Turn(key(i))
					got = append(got, fmt.Sprint(i)) // without a lock
					runtime.Gosched()
				}
			})
		}
		wg.Wait()
		for range 2 {
			for i := range 30 {
				want = append(want, fmt.Sprint(i))
			}
		}
		if !slices.Equal(got, want) || len(loop.Ties()) != 0 {
			t.Errorf("got %v, ties %v", got, loop.Ties())
		}
	})
}

// What is due at once, events and wake-ups have their order too, whoever causes them.
func TestPostsComeBeforeWorkEventsWakesAndTurns(t *testing.T) {
	leak.Check(t)
	lockstep(t, func(t *testing.T, loop *event.Loop) {
		var got log
		wake := make(chan struct{}, 1)
		var wg sync.WaitGroup
		for _, i := range rand.Perm(5) {
			wg.Go(func() {
				switch i {
				case 0:
					loop.Post(event.Key{}, &got, "post")
				case 1:
					loop.Do(&got, "work")
					loop.Run()
				case 2:
					loop.At(loop.Now(), &event.Event{Handler: &got, Arg: "event"})
				case 3:
					loop.Wake(event.Key{}, wake)
					<-wake
					got.Handle(0, "wake")
				case 4:
					loop.Turn(event.Key{})
					got.Handle(0, "turn")
				}
			})
		}
		wg.Wait()
		loop.Settle()
		if want := []any{"post", "work", "event", "wake", "turn"}; !slices.Equal(got.what, want) {
			t.Errorf("got %v, want %v", got.what, want)
		}
	})
}

// An echo posts an answer to each event, and again to each answer.
type echo struct {
	log
	loop *event.Loop
	left int
}

func (e *echo) Handle(now event.Time, arg any) {
	e.log.Handle(now, arg)
	if e.left--; e.left > 0 {
		e.loop.Post(event.Key{}, e, "answer")
	}
}

func TestSettleWaitsForWhatFollows(t *testing.T) {
	leak.Check(t)
	lockstep(t, func(t *testing.T, loop *event.Loop) {
		e := &echo{loop: loop, left: 100}
		start := time.Now()
		loop.At(loop.Now(), &event.Event{Handler: e, Arg: "question"})
		loop.At(loop.Now().Add(time.Second), &event.Event{Handler: e, Arg: "later"})
		loop.Settle()
		if len(e.what) != 100 || time.Since(start) != 0 {
			t.Errorf("after %v there were %d", time.Since(start), len(e.what))
		}
		loop.Settle() // with nothing to do
	})
}

func TestEqualTurnsAreTies(t *testing.T) {
	leak.Check(t)
	lockstep(t, func(t *testing.T, loop *event.Loop) {
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() { loop.Turn(event.Key{Name: fmt.Sprint("call ", i/2)}) })
		}
		wg.Wait()
		loop.Turn(event.Key{Name: "call 0"}) // at another time
		if want := []string{"call 0", "call 1"}; !slices.Equal(loop.Ties(), want) {
			t.Errorf("ties %q, want %q", loop.Ties(), want)
		}
	})
}

func TestAClosedLoopLetsAllGo(t *testing.T) {
	leak.Check(t)
	lockstep(t, func(t *testing.T, loop *event.Loop) {
		var got log
		wake := make(chan struct{}, 1)
		loop.Close()
		loop.Turn(event.Key{})
		loop.Settle()
		loop.Wake(event.Key{}, wake)
		<-wake
		loop.Post(event.Key{}, &got, "too late")
		if loop.Orders() || len(got.what) != 0 {
			t.Errorf("done after the end: %v", got.what)
		}
	})
}
