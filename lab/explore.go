package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// ScheduleVariable is the environment variable that gives Explore the faults of the one run that it
// then makes, with the seed of SeedVariable.
const ScheduleVariable = "SOCKEYE_FAULTS"

// A Search says how Explore looks for faults that make a test fail.
type Search struct {
	Runs   int           // how many networks to try; 0: 100
	Faults []FaultKind   // that may happen; none: all
	Most   int           // faults in a run; 0: 6
	Within time.Duration // they begin; 0: 10 seconds
	Limit  time.Duration // that a run may take, in its own time; 0: an hour
}

func (s Search) filled() Search {
	if s.Runs == 0 {
		s.Runs = 100
	}
	if s.Most == 0 {
		s.Most = 6
	}
	if s.Within == 0 {
		s.Within = 10 * time.Second
	}
	if s.Limit == 0 {
		s.Limit = time.Hour
	}
	return s
}

// Explore runs a test on one network after another, each with another seed and with other
// faults, in lockstep and in virtual time. When one fails it looks for the shortest schedule
// of faults with which the run still fails, and fails t with that: with the error, the
// faults, the end of the network, and how to see that very run again.
//
// The test describes the network that it is given, runs programs on it and gives an error when they
// did wrong. It runs in a testing/synctest bubble of its own, in which it starts all its
// goroutines; those must end once the network is closed, which it is when the test
// returns.
func Explore(t *testing.T, s Search, test func(n *Network) error) {
	t.Helper()
	s = s.filled()
	if text, ok := os.LookupEnv(ScheduleVariable); ok {
		schedule, err := ParseSchedule(text)
		if err != nil {
			t.Fatal(err)
		}
		seed, err := strconv.ParseUint(os.Getenv(SeedVariable), 0, 64)
		if err != nil {
			t.Fatalf("%s=%q: the run that %s repeats has a seed too", SeedVariable, os.Getenv(SeedVariable), ScheduleVariable)
		}
		if failed := Try(t, seed, schedule, s.Limit, test); failed != nil {
			t.Error(failed)
		}
		return
	}
	first := rand.Uint64()
	if text := os.Getenv(SeedVariable); text != "" {
		var err error
		if first, err = strconv.ParseUint(text, 0, 64); err != nil {
			t.Fatalf("%s is %q: a seed is a number", SeedVariable, text)
		}
		s.Runs = 1
	}
	if failed := s.Find(t, first, test); failed != nil {
		t.Error(failed)
	}
}

// Find is Explore's search from a seed on: it gives the run that failed, with the shortest schedule; nil: all
// passed.
func (s Search) Find(t *testing.T, seed uint64, test func(n *Network) error) *Failure {
	t.Helper()
	s = s.filled()
	for i := range s.Runs {
		seed := seed + uint64(i)
		schedule := RandomSchedule(seed, s.Most, s.Within, s.Faults...)
		failed := Try(t, seed, schedule, s.Limit, test)
		if failed == nil {
			continue
		}
		shrink(schedule, func(fewer Schedule) bool {
			again := Try(t, seed, fewer, s.Limit, test)
			if again != nil {
				failed = again
			}
			return again != nil
		})
		return failed
	}
	return nil
}

// A Failure is a run that failed.
type Failure struct {
	Err      error // what the test gave
	Seed     uint64
	Schedule Schedule
	Faults   string // the schedule in words
	Report   string // the end of the network
}

// Error is what failed, and how to repeat it.
func (f *Failure) Error() string {
	return fmt.Sprintf("%v\n%s%s=%d %s=%q repeats this run of the network, of which this is the end:\n%s",
		f.Err, f.Faults, SeedVariable, f.Seed, ScheduleVariable, f.Schedule, f.Report)
}

// Unwrap gives what the test gave.
func (f *Failure) Unwrap() error { return f.Err }

var errEndless = errors.New("the run did not end")

// Try makes one run of a test for Explore, with the given faults; nil: it passed. A fuzz test calls it
// with a schedule from ScheduleOf.
func Try(t *testing.T, seed uint64, s Schedule, limit time.Duration, test func(n *Network) error) (failed *Failure) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := Open(Config{Seed: seed, Lockstep: synctest.Wait, schedule: s})
		defer n.Close()
		done := make(chan error, 1)
		go func() { done <- test(n) }()
		var err error
		timeout := time.NewTimer(limit)
		defer timeout.Stop()
		select {
		case err = <-done:
		case <-timeout.C:
			err = fmt.Errorf("%w within %v", errEndless, limit)
		}
		if err != nil {
			failed = &Failure{err, seed, s, n.Describe(s), n.Report()}
		}
	})
	return failed
}

// shrink finds a schedule from which nothing can be taken away any more: it leaves out more and more
// faults (Zeller's ddmin), and then makes those that stay as short and as mild as they can be.
func shrink(s Schedule, fails func(Schedule) bool) Schedule {
	for size := (len(s) + 1) / 2; size > 0; {
		removed := false
		for from := 0; from < len(s); {
			fewer := append(append(Schedule{}, s[:from]...), s[min(len(s), from+size):]...)
			if fails(fewer) {
				s, removed = fewer, true
			} else {
				from += size
			}
		}
		if !removed || size > len(s) {
			size /= 2
		}
	}
	for i := range s {
		for range 8 { // to a 256th of what it was
			milder := append(Schedule{}, s...)
			milder[i].For = (milder[i].For / 2).Round(time.Millisecond)
			if milder[i].For == s[i].For || !fails(milder) {
				break
			}
			s = milder
		}
	}
	fails(s) // so that what is told is of this one
	return s
}
