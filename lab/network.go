package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"sockeye/event"
	"sockeye/link"
)

// A Network is hosts, switches and links. Its methods may be called by any goroutine.
type Network struct {
	seed  uint64
	loop  *event.Loop
	begun time.Time
	test  string // whose network it is; "": no test's

	mu          sync.Mutex
	running     bool
	closed      bool
	hosts       []*Host
	switches    []*Switch
	links       []*Link
	taken       map[string]bool // names of hosts and switches
	zone        zone            // what hosts look up
	nameServers []*Host
	cards       int                  // hardware addresses that are taken
	owners      map[netip.Addr]*Host // does not change once the network is running
	between     map[[2]*Host]link.Faults
	faulty      atomic.Bool // a link or a pair of hosts has, or once had, faults
	parted      atomic.Pointer[map[pair]bool]
	oneWay      atomic.Pointer[map[[2]*Host]bool] // from one to the other nothing gets through
	trace       trace
	schedule    Schedule // to play from the start
}

// SeedVariable is the environment variable that gives New its seed, to see again what
// happened in a run that failed.
const SeedVariable = "SOCKEYE_SEED"

// A TB is what New needs of a testing.TB.
type TB interface {
	Helper()
	Cleanup(f func())
	Failed() bool
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// New makes an empty network for a test, with a seed of its own in each run. It is closed
// when the test ends; if the test failed, its seed is logged and what the network was
// about (Report). In a testing/synctest bubble its time is the bubble's.
func New(t TB) *Network {
	t.Helper()
	return forTest(t, Config{})
}

// NewLockstep is New for a test in a testing/synctest bubble that repeats to the byte when it has
// the same seed, also a concurrent one (event.NewLockstep says what that asks of the test). The
// test calls Settle in place of synctest.Wait.
func NewLockstep(t TB) *Network {
	t.Helper()
	return forTest(t, Config{Lockstep: synctest.Wait})
}

func forTest(t TB, c Config) *Network {
	t.Helper()
	c.Seed = rand.Uint64()
	if s := os.Getenv(SeedVariable); s != "" {
		var err error
		if c.Seed, err = strconv.ParseUint(s, 0, 64); err != nil {
			t.Fatalf("%s is %q: a seed is a number", SeedVariable, s)
		}
	}
	n := Open(c)
	n.test = "a test"
	if named, ok := t.(interface{ Name() string }); ok {
		n.test = named.Name()
	}
	n.watch()
	watched(n, true)
	t.Cleanup(func() {
		watched(n, false)
		if t.Failed() {
			t.Logf("%s=%d repeats this run of the network, of which this is the end:\n%s", SeedVariable, c.Seed, n.Report())
		}
		n.Close()
	})
	return n
}

// A Config says what a network is like.
type Config struct {
	// Seed decides whatever is drawn.
	Seed uint64
	// Lockstep is testing/synctest.Wait for a network in a bubble whose runs repeat; nil: the
	// order of what happens at one instant is the scheduler's.
	Lockstep func()

	schedule Schedule
}

// Open makes an empty network. It is to be closed.
func Open(c Config) *Network {
	n := &Network{
		seed: c.Seed, begun: time.Now(), schedule: c.schedule,
		taken: make(map[string]bool), owners: make(map[netip.Addr]*Host),
		between: make(map[[2]*Host]link.Faults),
		zone: zone{
			hosts: make(map[string][]netip.Addr), given: make(map[string][]netip.Addr),
			owners: make(map[netip.Addr]string), services: make(map[string][]net.SRV),
		},
	}
	if c.Lockstep != nil {
		n.loop = event.NewLockstep(c.Lockstep)
	} else {
		n.loop = event.New()
	}
	return n
}

// Settle waits until every goroutine of the testing/synctest bubble waits, and the network has
// nothing to do at this instant. It is for networks in lockstep.
func (n *Network) Settle() { n.loop.Settle() }

// Seed is what decides all that is drawn.
func (n *Network) Seed() uint64 { return n.seed }

// Loop is the order of events of the network: that of ports which Host.Attach takes.
func (n *Network) Loop() *event.Loop { return n.loop }

// Now is how long the network has been there.
func (n *Network) Now() time.Duration { return time.Since(n.begun) }

// Close ends the network: no packet moves any more, and calls that wait give net.ErrClosed.
// Nothing of it is left, no goroutine and no timer. A second Close does nothing.
func (n *Network) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	hosts, links := n.hosts, n.links
	if !n.running {
		hosts = nil
	}
	n.mu.Unlock()
	for _, h := range hosts {
		h.Crash()
	}
	for _, l := range links {
		l.close()
	}
	for _, h := range hosts {
		for _, p := range h.plugs {
			p.closePassages()
		}
	}
	n.loop.Close()
	return nil
}

// At lets f happen once the network has been there for d, or at once if it has by now. f is
// called between two packets, and must not wait: it changes faults, crashes a host and the
// like.
func (n *Network) At(d time.Duration, f func()) {
	e := &event.Event{Handler: todo{}, Arg: f}
	n.loop.At(n.loop.Now().Add(d-n.Now()), e)
}

type todo struct{}

// Handle implements event.Handler.
func (todo) Handle(_ event.Time, arg any) { arg.(func())() }

// name takes the name of a node.
func (n *Network) name(kind, name string) {
	switch {
	case n.running:
		panic(fmt.Sprintf("lab: %s %q comes too late: the network is in use already", kind, name))
	case name == "":
		panic(fmt.Sprintf("lab: a %s needs a name", kind))
	case n.taken[name]:
		panic(fmt.Sprintf("lab: the name %q is taken", name))
	}
	n.taken[name] = true
}

// A Node is what links join: a *Host or a *Switch.
type Node interface {
	// Name is unique in the network.
	Name() string
	network() *Network
}

// A Switch joins any number of hosts, and other switches, to one Ethernet.
type Switch struct {
	net    *Network
	name   string
	number int
	wire   *link.Switch
}

// Switch adds a switch.
func (n *Network) Switch(name string) *Switch {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.name("switch", name)
	s := &Switch{net: n, name: name, number: len(n.switches), wire: link.NewSwitch(n.loop, link.SwitchOptions{
		MaxGSO: link.MaxGSO, Checksum: link.ChecksumByLink,
	})}
	n.switches = append(n.switches, s)
	return s
}

// Name implements Node.
func (s *Switch) Name() string { return s.name }

func (s *Switch) network() *Network { return s.net }
