package lab_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"sockeye/internal/leak"
	"sockeye/lab"
	"sockeye/link"
)

// A lockService gives a lock to one client at a time, for a lease that the client renews.
// Whoever holds it works, and tells the test.
type lockService struct {
	n *lab.Network
	// careful clients let go of the lock when the lease may be over. The others wait for the
	// server to say so, which is wrong when it cannot.
	careful bool

	mu      sync.Mutex
	holders map[string]bool
	broken  error
}

const (
	lease = 2 * time.Second
	renew = 500 * time.Millisecond
)

// serve grants the lock to the client that asks, if nobody else has it.
func (s *lockService) serve(l net.Listener) {
	var mu sync.Mutex
	var holder string
	var until time.Time
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for in := bufio.NewScanner(c); in.Scan(); {
				mu.Lock()
				answer := "no"
				if name := in.Text(); name == holder || time.Now().After(until) {
					holder, until, answer = name, time.Now().Add(lease), "yes"
				}
				mu.Unlock()
				fmt.Fprintln(c, answer)
			}
		}()
	}
}

// client asks for the lock again and again, until a time. Each has a pace of its own: timers that end
// at one instant end in no order, and a run would not repeat.
func (s *lockService) client(h *lab.Host, pace time.Duration, until time.Time) {
	defer s.hold(h.Name(), false)
	var c net.Conn
	var in *bufio.Reader
	var over *time.Timer // the lease, as the client knows it: from when it asked
	for time.Now().Before(until) {
		asked := time.Now()
		answer, err := "", error(nil)
		if c == nil {
			if c, err = h.Dial("tcp4", "server:1"); err == nil {
				in = bufio.NewReader(c)
			}
		}
		if err == nil {
			c.SetDeadline(time.Now().Add(pace))
			io.WriteString(c, h.Name()+"\n")
			answer, err = in.ReadString('\n')
		}
		switch {
		case err != nil:
			if c != nil {
				c.Close()
				c = nil
			}
		case answer == "yes\n":
			if over != nil {
				over.Stop()
			}
			if s.careful {
				over = time.AfterFunc(lease-time.Since(asked)-time.Millisecond, func() { s.hold(h.Name(), false) })
			}
			s.hold(h.Name(), true)
		default:
			s.hold(h.Name(), false)
		}
		time.Sleep(pace)
	}
	if c != nil {
		c.Close()
	}
}

// hold notes who holds the lock.
func (s *lockService) hold(name string, holds bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if holds {
		s.holders[name] = true
	} else {
		delete(s.holders, name)
	}
	if len(s.holders) > 1 && s.broken == nil {
		s.broken = fmt.Errorf("%w after %v: %v", errTwoHolders, s.n.Now(), s.holders)
	}
}

var errTwoHolders = errors.New("two clients hold the lock")

// lockRun is one run of the service with three clients.
func lockRun(careful bool) func(n *lab.Network) error {
	return func(n *lab.Network) error {
		s := &lockService{n: n, careful: careful, holders: make(map[string]bool)}
		lan, server := n.Switch("lan"), n.Host("server")
		n.Link(server, lan)
		var clients []*lab.Host
		for _, name := range []string{"ann", "ben", "cid"} {
			h := n.Host(name)
			n.Link(h, lan, link.Faults{Delay: 2 * time.Millisecond})
			clients = append(clients, h)
		}
		go s.serve(server.MustListen("tcp", ":1"))
		var all sync.WaitGroup
		until := time.Now().Add(20 * time.Second)
		for i, h := range clients {
			all.Go(func() {
				s.client(h, renew-time.Duration(i)*17*time.Millisecond, until.Add(-time.Duration(i)*29*time.Millisecond))
			})
		}
		all.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.broken
	}
}

var partitions = lab.Search{Faults: []lab.FaultKind{lab.Cut, lab.Isolate, lab.Split, lab.Lossy, lab.Slow}}

func TestExploreFindsABugThatOnlyAPartitionReveals(t *testing.T) {
	leak.Check(t)
	if failed := lab.Try(t, 1, nil, time.Hour, lockRun(false)); failed != nil {
		t.Fatalf("without faults: %v", failed)
	}
	failed := partitions.Find(t, 1, lockRun(false))
	if !errors.Is(failed, errTwoHolders) {
		t.Fatalf("found %v", failed)
	}
	if n := len(failed.Schedule); n == 0 || n > 2 {
		t.Errorf("one fault or two are enough, and not %v", failed.Schedule)
	}
	schedule, err := lab.ParseSchedule(failed.Schedule.String())
	if err != nil {
		t.Fatal(err)
	}
	again := lab.Try(t, failed.Seed, schedule, time.Hour, lockRun(false))
	if again == nil || again.Error() != failed.Error() {
		t.Errorf("a run failed with\n%v\nand again with\n%v", failed, again)
	}
}

func TestExploreFindsNothingInACorrectProgram(t *testing.T) {
	leak.Check(t)
	lab.Explore(t, partitions, lockRun(true))
}

func TestARunThatDoesNotEndFails(t *testing.T) {
	leak.Check(t)
	failed := lab.Try(t, 1, nil, time.Minute, func(n *lab.Network) error {
		h := n.Host("alone")
		_, err := h.MustListen("tcp", ":1").Accept()
		return err
	})
	if failed == nil || failed.Err.Error() != "the run did not end within 1m0s" {
		t.Errorf("%v", failed)
	}
}

func TestSchedulesAreReadAsTheyAreWritten(t *testing.T) {
	leak.Check(t)
	for seed := range uint64(100) {
		s := lab.RandomSchedule(seed, 9, time.Minute)
		got, err := lab.ParseSchedule(s.String())
		if err != nil || fmt.Sprint(got) != fmt.Sprint(s) {
			t.Errorf("%v, %v, want %v", got, err, s)
		}
	}
	for _, bad := range []string{"melt:1@1s+1s", "cut:x@1s+1s", "cut:1@1+1s", "cut:1@1s+1", "lossy:1@1s+1s=much", "cut"} {
		if s, err := lab.ParseSchedule(bad); err == nil {
			t.Errorf("%s is read as %v", bad, s)
		}
	}
}

// The schedule of faults is the fuzzer's input.
func FuzzLocks(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0x20, 0, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		s := lab.ScheduleOf(data[:min(len(data), 64)], 10*time.Second)
		for i := range s {
			if s[i].Kind == lab.Crash { // clients do not come back
				s[i].Kind = lab.Cut
			}
		}
		if failed := lab.Try(t, 1, s, time.Hour, lockRun(true)); failed != nil {
			t.Error(failed)
		}
	})
}
