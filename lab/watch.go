package lab

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"sockeye/event"
)

// A test that hangs ends in one of two ways, and in neither does it come to say what its network was about. In a
// testing/synctest bubble where nothing is left to happen the runtime ends the program; where something goes on
// happening for ever, such as keepalive probes, or outside of a bubble, go test does at its -timeout. So networks of tests
// report on standard error before.

// quiet is how long nothing happens on a network, in its own time, before it reports.
const quiet = 24 * time.Hour

// A watch reports when nothing has happened on a network for long.
type watch struct {
	event.Event
	net  *Network
	seen time.Duration // when something happened last, as of the last look
}

func (n *Network) watch() {
	w := &watch{net: n}
	w.Handler = w
	n.loop.At(n.loop.Now().Add(quiet), &w.Event)
}

// Handle implements event.Handler.
func (w *watch) Handle(now event.Time, _ any) {
	last := w.net.trace.last()
	if last == w.seen {
		alarm(w.net, fmt.Sprintf("nothing has happened for %v on the network of %s", quiet, w.net.test), w.net.Now())
		return
	}
	w.seen = last
	w.net.loop.At(now.Add(quiet), &w.Event)
}

func alarm(n *Network, why string, now time.Duration) {
	fmt.Fprintf(os.Stderr, "lab: %s, which began with %s=%d:\n%s", why, SeedVariable, n.seed, n.report(now))
}

// live are the networks of tests.
var live struct {
	sync.Mutex
	nets map[*Network]bool
}

func watched(n *Network, yes bool) {
	live.Lock()
	defer live.Unlock()
	if live.nets == nil {
		live.nets = make(map[*Network]bool)
	}
	if live.nets[n] = yes; !yes {
		delete(live.nets, n)
	}
}

// The clock of the machine is out of reach inside of a bubble, so that this timer is set before all bubbles. Flags are not
// parsed by then, and package testing may be at it while a timer looks at them: so the arguments are read, as go test gives them.
func init() {
	for _, arg := range os.Args[1:] {
		value, ok := strings.CutPrefix(arg, "-test.timeout=")
		if limit, err := time.ParseDuration(value); ok && err == nil && limit > 0 {
			time.AfterFunc(limit-min(limit/2, 5*time.Second), func() { reportAll(limit) })
		}
	}
}

// reportAll has another clock than networks in bubbles: their last packet tells how late it is there.
func reportAll(limit time.Duration) {
	live.Lock()
	defer live.Unlock()
	for n := range live.nets {
		alarm(n, fmt.Sprintf("go test is about to end this program after %v, and %s still runs", limit, n.test), n.trace.last())
	}
}
