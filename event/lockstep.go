package event

import (
	"cmp"
	"sync/atomic"
)

// steps is what a loop in lockstep has besides.
type steps struct {
	settle   func()
	handling atomic.Bool // a handler is being called
	closed   atomic.Bool
	members  uint32
	round    uint64 // counts how often goroutines had their turn
	seq      uint64

	posts, wakes, turns []step
	settling            []chan struct{}
	ties                []string
}

// A Key puts what several goroutines leave to a loop at one instant into an order: by Host,
// then by Name, and what has both in common as it came.
type Key struct {
	Host uint32 // from Loop.Join
	Name string // of the socket and the call, say
}

// A step is work, or a goroutine that waits for its turn.
type step struct {
	key     Key
	round   uint64
	seq     uint64
	handler Handler
	arg     any
	turn    chan struct{}
	alike   bool // others of the same key are no ties
}

func (s *step) compare(t *step) int {
	return cmp.Or(cmp.Compare(s.round, t.round), cmp.Compare(s.key.Host, t.key.Host), cmp.Compare(s.key.Name, t.key.Name),
		cmp.Compare(s.seq, t.seq))
}

// NewLockstep makes a loop in lockstep, for a network in a testing/synctest bubble whose runs
// repeat; the package's documentation says what that means. It is to be given testing/synctest.Wait,
// which nobody else may call then, as there can be one call of it at a time: tests call [Loop.Settle]
// in its place.
//
// On other loops what a call sends over a link without delay has arrived when the call returns; in
// lockstep it has when all goroutines wait. Calls that one goroutine makes at one instant on several sockets take effect
// in the order of the sockets. The loop has a goroutine of its own as long as there is something to do.
func NewLockstep(wait func()) *Loop {
	l := New()
	l.steps = &steps{settle: wait}
	return l
}

// Lockstep tells whether the loop is one of NewLockstep.
func (l *Loop) Lockstep() bool { return l.steps != nil }

// Join gives a host its number in the order of a loop in lockstep: hosts count from 1 as they come.
func (l *Loop) Join() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps.members++
	return l.steps.members
}

// Orders tells whether a loop in lockstep is to put in order what is done now. What a handler does
// is in order already, and a closed loop has none.
func (l *Loop) Orders() bool { return !l.steps.handling.Load() && !l.steps.closed.Load() }

// Post leaves work to a loop in lockstep, to be done once all goroutines wait, in the order of the
// keys. It comes before all other work and events.
func (l *Loop) Post(k Key, h Handler, arg any) {
	l.add(&l.steps.posts, step{key: k, handler: h, arg: arg})
}

// Wake lets a loop in lockstep send to c, which has room for one, once there is no work and no
// event left at this instant. Wake-ups are done one by one, so that what one goroutine does comes
// before the next is woken. A closed loop sends at once.
func (l *Loop) Wake(k Key, c chan struct{}) {
	if !l.add(&l.steps.wakes, step{key: k, turn: c}) {
		give(c)
	}
}

// Turn waits until all other goroutines wait, nothing else is left to do at this instant, and it is
// the caller's turn among those who called Turn. A handler, and who comes when the loop is closed,
// need not wait.
func (l *Loop) Turn(k Key) {
	if l.steps.handling.Load() {
		return
	}
	c := make(chan struct{}, 1)
	if l.add(&l.steps.turns, step{key: k, turn: c}) {
		<-c
	}
}

// Rest is Turn for calls that are the same whoever makes them, such as those of several goroutines that
// receive from one socket: they are no ties.
func (l *Loop) Rest(k Key) {
	c := make(chan struct{}, 1)
	if l.add(&l.steps.turns, step{key: k, turn: c, alike: true}) {
		<-c
	}
}

// add gives false when the loop is closed.
func (l *Loop) add(list *[]step, s step) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if !l.running {
		l.startSteps()
	}
	l.steps.seq++
	s.round, s.seq = l.steps.round, l.steps.seq
	*list = append(*list, s)
	return true
}

// Settle waits until nothing is left to do at this instant: in lockstep until every other goroutine
// of the bubble waits too, as testing/synctest.Wait does, else until nobody does work any more.
func (l *Loop) Settle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.steps == nil {
		for l.running {
			l.idle.Wait()
		}
		return
	}
	if l.closed {
		return
	}
	c := make(chan struct{}, 1)
	l.steps.settling = append(l.steps.settling, c)
	if !l.running {
		l.startSteps()
	}
	l.mu.Unlock()
	<-c
	l.mu.Lock()
}

// Ties are the keys of turns that several goroutines waited for at one instant, and that were given as
// they came: what nothing told apart. A run without ties repeats; one with ties may.
func (l *Loop) Ties() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.steps == nil {
		return nil
	}
	return append([]string(nil), l.steps.ties...)
}

func (l *Loop) startSteps() {
	l.running = true
	l.steps.round++ // a timer may have woken goroutines
	go l.step()
}

// step does one thing after the other, and lets the bubble settle in between.
func (l *Loop) step() {
	s := l.steps
	for {
		l.settle()
		l.mu.Lock()
		var h Handler
		var arg any
		var turn chan struct{}
		now := l.Now()
		switch {
		case len(s.posts) > 0: // also when the loop is closed: sockets may be
			p := take(&s.posts)
			h, arg = p.handler, p.arg
		case l.closed:
			l.stop()
			l.mu.Unlock()
			return
		case l.first < len(l.work):
			h, arg = l.takeWork()
		case len(l.queue) > 0 && l.queue[0].at <= now:
			h, arg = l.takeEvent()
		case len(s.wakes) > 0:
			turn = take(&s.wakes).turn
		case len(s.turns) > 0:
			t := take(&s.turns)
			s.note(&t)
			turn = t.turn
		case len(s.settling) > 0:
			turn, s.settling = s.settling[0], s.settling[1:]
		default:
			l.stop()
			l.mu.Unlock()
			return
		}
		if h == nil {
			s.round++
			l.mu.Unlock()
			give(turn)
			continue
		}
		l.mu.Unlock()
		s.handling.Store(true)
		h.Handle(now, arg)
		s.handling.Store(false)
	}
}

// settle waits until every other goroutine does.
func (l *Loop) settle() {
	defer func() {
		if recover() != nil { // Go prints that panic too
			panic("event: lockstep cannot wait for the bubble: in lockstep, tests call Loop.Settle in place of synctest.Wait")
		}
	}()
	l.steps.settle()
}

// take removes the first in the order.
func take(list *[]step) step {
	s, first := *list, 0
	for i := range s {
		if s[i].compare(&s[first]) < 0 {
			first = i
		}
	}
	t := s[first]
	last := len(s) - 1
	s[first], s[last], *list = s[last], step{}, s[:last]
	return t
}

// note notes a turn that somebody else waits for with the same key.
func (s *steps) note(t *step) {
	if t.alike {
		return
	}
	for i := range s.turns {
		if o := &s.turns[i]; o.round == t.round && o.key == t.key {
			s.ties = append(s.ties, t.key.Name)
			return
		}
	}
}

func give(turn chan struct{}) {
	select {
	case turn <- struct{}{}:
	default: // it has one
	}
}

// release lets all who wait go, when the loop is closed.
func (s *steps) release() {
	for _, list := range [][]step{s.wakes, s.turns} {
		for i := range list {
			give(list[i].turn)
		}
	}
	for _, c := range s.settling {
		give(c)
	}
	s.wakes, s.turns, s.settling = nil, nil, nil
	s.closed.Store(true)
}
