package accept

import (
	"sync"
	"sync/atomic"
)

// Workers run functions in goroutines that stay for the next function: a new
// goroutine grows its stack by copying it again and again, which costs a short
// connection more than what it does then.
type Workers struct {
	waiting chan func()
	stopped chan struct{}
	running sync.WaitGroup
	idle    atomic.Int32
}

// maxIdle is how many goroutines stay.
const maxIdle = 128

// NewWorkers makes workers, which run until Stop.
func NewWorkers() *Workers { return &Workers{waiting: make(chan func()), stopped: make(chan struct{})} }

// Go runs f in a goroutine.
func (w *Workers) Go(f func()) {
	select {
	case w.waiting <- f:
	default:
		w.running.Go(func() { w.run(f) })
	}
}

func (w *Workers) run(f func()) {
	for {
		f()
		if w.idle.Add(1) > maxIdle {
			w.idle.Add(-1)
			return
		}
		select {
		case f = <-w.waiting:
			w.idle.Add(-1)
		case <-w.stopped:
			return
		}
	}
}

// Stop ends the goroutines that are idle, and waits for the others, which may
// call Go meanwhile.
func (w *Workers) Stop() {
	close(w.stopped)
	w.running.Wait()
}
