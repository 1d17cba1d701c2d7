package chat

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A member is one connection: what it says is read by one goroutine, and what it is told waits in a
// queue, which a second one empties that is there only while there is something to write.
type member struct {
	conn    conn
	person  *person // who it is; nil before there is a name. The server's lock guards it.
	room    *room   // where what is typed goes; nil: nowhere. The server's lock guards it.
	limiter *rate.Limiter
	queue   queue
	intro   *time.Timer // drops who does not give a name
}

// chunk is about how much one write takes.
const chunk = 16 << 10

var chunks = sync.Pool{New: func() any { b := make([]byte, 0, 2*chunk); return &b }}

// A queue holds what one member has not taken yet. Putting something in never waits.
type queue struct {
	conn    conn
	limit   int           // bytes
	stall   time.Duration // how long a write may go on
	stalled func()        // called when one goes on for longer
	flushed chan struct{} // closed when nothing more is going to be written

	mu      sync.Mutex
	json    bool
	frames  [][]byte
	bytes   int
	taken   chan struct{} // closed when enough was taken; nil: nobody waits for that
	lags    bool          // it is no use to wait
	writing bool          // a goroutine is at it
	ending  bool          // nothing more goes in
	why     string        // it ends
	timer   *time.Timer
}

// put adds a frame, and tells whether it found room, and whether there is not much room left. Once a queue
// is ending it takes, and forgets, everything.
func (q *queue) put(f frame) (ok, filling bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := f.in(q.json)
	switch {
	case q.ending:
		return true, false
	case q.bytes+len(b) > q.limit:
		return false, true
	}
	q.add(b)
	return true, q.filling()
}

// filling tells whether there is not much room left, and that is not known yet to last.
func (q *queue) filling() bool { return q.bytes > q.limit/8 && !q.lags }

// settle waits until enough of the queue is taken, or for so long, and tells whether it was enough.
func (q *queue) settle(most time.Duration) bool {
	q.mu.Lock()
	if !q.filling() {
		q.mu.Unlock()
		return true
	}
	if q.taken == nil {
		q.taken = make(chan struct{})
	}
	taken := q.taken
	q.mu.Unlock()
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-taken:
		return true
	case <-t.C:
		return false
	}
}

// lag notes that a queue that is filling is not waited for any more, until it was empty.
func (q *queue) lag() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lags = q.filling()
}

func (q *queue) add(b []byte) {
	q.frames = append(q.frames, b)
	q.bytes += len(b)
	q.start()
}

func (q *queue) start() {
	if !q.writing {
		q.writing = true
		go q.write()
	}
}

// toJSON makes the frames that follow JSON.
func (q *queue) toJSON() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.json = true
}

// ended tells whether nothing more goes in.
func (q *queue) ended() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ending
}

// end lets what waits be written, or throws it away, and then the connection end, within grace. A reason
// is told first. Only the first call counts.
func (q *queue) end(discard bool, why string, grace time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ending {
		return
	}
	q.ending, q.why = true, why
	if discard {
		q.frames, q.bytes = nil, 0
	}
	q.tellTaken()
	if why != "" {
		q.add(encode(Event{Kind: Bye, Text: why}).in(q.json))
	}
	q.start()
	q.conn.hurry(time.Now().Add(grace))
	if q.timer != nil {
		q.timer.Stop()
	}
	// The peer may never end its own direction.
	q.timer = time.AfterFunc(grace, func() { q.conn.close() })
}

// write empties the queue.
func (q *queue) write() {
	var batch [][]byte
	for {
		var ended bool
		if batch, ended = q.take(batch[:0]); len(batch) == 0 {
			if ended {
				q.conn.finish(q.why)
				close(q.flushed)
			}
			return
		}
		if err := q.conn.write(batch); err != nil {
			q.fail()
			return
		}
	}
}

// take gives the next frames to write. If there are none the writing is over for now, or once and for
// all if the queue has ended.
func (q *queue) take(batch [][]byte) (_ [][]byte, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.frames) == 0 {
		q.writing, q.lags = false, false
		q.frames = nil // many members are idle most of the time
		if !q.ending {
			q.timer.Stop()
		}
		return nil, q.ending
	}
	n, size := 0, 0
	for n < len(q.frames) && size < chunk {
		size += len(q.frames[n])
		n++
	}
	batch = append(batch, q.frames[:n]...)
	clear(q.frames[:n])
	q.frames, q.bytes = q.frames[n:], q.bytes-size
	if !q.filling() {
		q.tellTaken()
	}
	switch {
	case q.ending: // the timer is that of the end
	case q.timer == nil:
		q.timer = time.AfterFunc(q.stall, q.stalled)
	default:
		q.timer.Reset(q.stall)
	}
	return batch, false
}

// tellTaken lets those go on who wait.
func (q *queue) tellTaken() {
	if q.taken != nil {
		close(q.taken)
		q.taken = nil
	}
}

// fail gives up writing.
func (q *queue) fail() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ending, q.writing = true, false
	q.frames, q.bytes = nil, 0
	q.tellTaken()
	close(q.flushed)
	q.conn.close()
}

// close ends the connection, when the queue is flushed.
func (q *queue) close() {
	<-q.flushed
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.timer != nil {
		q.timer.Stop()
	}
	q.conn.close()
}
