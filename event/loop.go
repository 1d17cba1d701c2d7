package event

import (
	"sync"
	"time"
)

// A Time is an instant on a loop: nanoseconds since the loop was made.
type Time int64

// Add is t and d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub is how long after u t is.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// A Handler does work. It is called without locks of the loop, by one goroutine
// of the loop at a time, and must not wait.
type Handler interface{ Handle(now Time, arg any) }

// A Loop is one order of events. Its methods may be called by any goroutine,
// with locks held, except for Run.
type Loop struct {
	start time.Time

	mu      sync.Mutex
	work    []job // due at once, from first on
	first   int
	queue   []*Event // a heap by (at, seq)
	seq     uint64
	timer   alarm
	armed   Time // what timer is set to; 0: nothing
	lazy    bool // timer is set anew only for an earlier time: that costs more than to look once too often
	running bool
	idle    *sync.Cond
	closed  bool
	steps   *steps // of a loop in lockstep
}

// An alarm calls fire after a time: a time.Timer, or what is more exact.
type alarm interface {
	Reset(d time.Duration) bool
	Stop() bool
}

type job struct {
	handler Handler
	arg     any
}

// An Event is something that happens at a time. It is part of what it happens to,
// so that scheduling allocates nothing. The zero Event is scheduled for never.
type Event struct {
	Handler Handler
	Arg     any

	at    Time
	seq   uint64
	index int // in the heap, from 1; 0: not in it
}

// New makes a loop that begins at time 1, so that Time 0 can mean never.
func New() *Loop {
	l := &Loop{start: time.Now().Add(-1)}
	l.idle = sync.NewCond(&l.mu)
	return l
}

// Now is the current time.
func (l *Loop) Now() Time { return Time(time.Since(l.start)) }

// Do leaves work to be done at once, behind the work that was left before.
func (l *Loop) Do(h Handler, arg any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.work = append(l.work, job{h, arg})
	}
}

// At schedules e for time t, or for another time than before. A time that has
// passed is as soon as can be. Events of one time happen in the order of the calls
// of At.
func (l *Loop) At(t Time, e *Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.seq++
	if e.index != 0 && e.at == t {
		return // it keeps its turn
	}
	e.at, e.seq = t, l.seq
	if e.index == 0 {
		l.queue = append(l.queue, e)
		e.index = len(l.queue)
	}
	l.fix(e)
	l.arm()
}

// Cancel takes e out of the queue.
func (l *Loop) Cancel(e *Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(e)
}

// Next is when the first event is due; false: nothing is scheduled, and no timer is set.
func (l *Loop) Next() (Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return 0, false
	}
	return l.queue[0].at, true
}

// Run does the work that is due, unless another goroutine is about it. The caller
// holds no lock.
func (l *Loop) Run() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.running || l.first == len(l.work):
	case l.steps != nil:
		l.startSteps()
	default:
		l.run()
	}
}

// patience is how many pieces of work are done before run looks at the clock again.
const patience = 64

// run does all work that is due. Work that is due at once comes before events, but when
// it goes on and time passes an event that is due comes in between.
func (l *Loop) run() {
	l.running = true
	now := l.Now()
	for n := 1; ; n++ {
		late := false
		if n%patience == 0 {
			if t := l.Now(); t != now {
				now, late = t, len(l.queue) > 0 && l.queue[0].at <= t
			}
		}
		var h Handler
		var arg any
		switch {
		case l.first < len(l.work) && !late:
			h, arg = l.takeWork()
		case len(l.queue) > 0 && l.queue[0].at <= now:
			h, arg = l.takeEvent()
		default:
			l.stop()
			return
		}
		l.mu.Unlock()
		h.Handle(now, arg)
		l.mu.Lock()
	}
}

// takeWork takes the first piece of work off the list.
func (l *Loop) takeWork() (Handler, any) {
	j := l.work[l.first]
	l.work[l.first] = job{}
	if l.first++; l.first == len(l.work) {
		l.work, l.first = l.work[:0], 0
	}
	return j.handler, j.arg
}

// takeEvent takes the first event out of the queue.
func (l *Loop) takeEvent() (Handler, any) {
	e := l.queue[0]
	l.remove(e)
	return e.Handler, e.Arg
}

// stop is for who has found nothing more to do.
func (l *Loop) stop() {
	l.running = false
	l.idle.Broadcast()
	l.arm()
}

// arm sets the timer to the first event.
func (l *Loop) arm() {
	if l.running || len(l.queue) == 0 || l.queue[0].at == l.armed {
		return
	}
	if l.lazy && l.armed != 0 && l.armed < l.queue[0].at {
		return
	}
	l.armed = l.queue[0].at
	d := l.armed.Sub(l.Now())
	if l.timer == nil {
		l.timer = time.AfterFunc(d, l.fire)
	} else {
		l.timer.Reset(d)
	}
}

func (l *Loop) fire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = 0
	if l.running || l.closed {
		return // who runs arms the timer again
	}
	if l.steps != nil {
		l.startSteps()
		return
	}
	l.run()
}

// Close forgets all work and events, and waits until none is being done. Handlers
// are not called afterwards. It must not be called by one.
func (l *Loop) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.work, l.first = nil, 0
	for _, e := range l.queue {
		e.index = 0
	}
	l.queue = nil
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.steps != nil {
		l.steps.release()
	}
	for l.running {
		l.idle.Wait()
	}
}

// The queue is a binary heap. Events know their place in it.

func (l *Loop) less(i, j int) bool {
	a, b := l.queue[i], l.queue[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (l *Loop) swap(i, j int) {
	q := l.queue
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i+1, j+1
}

// fix moves e to where it belongs.
func (l *Loop) fix(e *Event) {
	i := e.index - 1
	for i > 0 && l.less(i, (i-1)/2) {
		l.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		child := 2*i + 1
		if child >= len(l.queue) {
			return
		}
		if child+1 < len(l.queue) && l.less(child+1, child) {
			child++
		}
		if !l.less(child, i) {
			return
		}
		l.swap(i, child)
		i = child
	}
}

func (l *Loop) remove(e *Event) {
	if e.index == 0 {
		return
	}
	i, last := e.index-1, len(l.queue)-1
	l.swap(i, last)
	l.queue[last] = nil
	l.queue = l.queue[:last]
	e.index = 0
	if i < last {
		l.fix(l.queue[i])
	}
}
