// Package leak finds what tests leave behind: goroutines, and events on loops.
package leak

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sockeye/event"
)

// A test's goroutines bear a label, which each inherits from the one that starts it. Stacks
// show labels if the runtime is told to.
const label = "leak"

var showLabels = sync.OnceFunc(func() {
	os.Setenv("GODEBUG", strings.TrimPrefix(os.Getenv("GODEBUG")+",tracebacklabels=1", ","))
})

var tests atomic.Int64

// Check makes the test fail if goroutines that it started, itself or by others, outlive it
// and its cleanups. It is the first call of a test, so that its own cleanup is the last. Those
// that are about to end are waited for, and those that wait for something are left behind:
// nobody is there any more to wake them.
func Check(t testing.TB) {
	showLabels()
	name := fmt.Sprintf("%s %d", t.Name(), tests.Add(1))
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(label, name)))
	t.Cleanup(func() {
		defer pprof.SetGoroutineLabels(context.Background())
		for {
			left, moving := others(name)
			if len(left) > 0 && !moving {
				t.Errorf("%d goroutines are left:\n\n%s", len(left), strings.Join(left, "\n\n"))
			}
			if !moving {
				return
			}
			runtime.Gosched()
		}
	})
}

// Loop makes a loop, and the test fail if something is scheduled on it once the test and
// its later cleanups are over: then a network was not closed, and a timer is set.
func Loop(t testing.TB) *event.Loop {
	l := event.New()
	t.Cleanup(func() {
		if at, some := l.Next(); some {
			t.Errorf("a loop was left with something to do in %v", at.Sub(l.Now()))
		}
	})
	return l
}

// header is the first line of a stack: the goroutine's state, and what else is known of it.
var header = regexp.MustCompile(`^goroutine \d+ (?:gp=\S+ m=\S+ (?:mp=\S+ )?)?\[([^,\]]*)`)

// waiting are the states in which a goroutine stays until another does something.
var waiting = regexp.MustCompile(`^(chan|select|sync\.|semacquire|IO wait|sleep|synctest|coroutine)`)

// others gives the stacks of the goroutines that a test started, without the caller's, and
// tells whether any of them is on its way. Goroutines of timers have no label: those that
// run code of this module count for every test.
func others(name string) (left []string, moving bool) {
	for _, stack := range stacks()[1:] { // the first is the caller's
		first, rest, _ := strings.Cut(stack, "\n")
		ours := strings.Contains(first, fmt.Sprintf("%q: %q", label, name))
		if !strings.Contains(first, fmt.Sprintf("%q: ", label)) {
			ours = strings.Contains("\n"+rest, "\nsockeye") && !strings.Contains(rest, "testing.")
		}
		if !ours {
			continue
		}
		left = append(left, stack)
		if state := header.FindStringSubmatch(first); state == nil || !waiting.MatchString(state[1]) {
			moving = true
		}
	}
	return left, moving
}

// stacks are those of all goroutines, the caller's first.
func stacks() []string {
	for size := 1 << 16; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n")
		}
	}
}
