package ping

import (
	"fmt"
	"math"
	"time"
)

// Statistics are what ping(8) tells at the end.
type Statistics struct {
	Sent       int
	Received   int // requests that were answered
	Duplicates int // answers to a request that was answered before
	Damaged    int // answers with other data than was sent
	Errors     int // requests that an error came back for
	Elapsed    time.Duration

	// Round-trip times, of all answers but duplicates.
	Min, Avg, Max time.Duration
	Mdev          time.Duration // their standard deviation
}

// Loss is the part of requests that was not answered, from 0 to 1.
func (s Statistics) Loss() float64 {
	if s.Sent == 0 {
		return 0
	}
	return float64(s.Sent-s.Received) / float64(s.Sent)
}

// String is one line, or two where there were answers, as ping(8) writes them.
func (s Statistics) String() string {
	text := fmt.Sprintf("%d packets transmitted, %d received", s.Sent, s.Received)
	for _, more := range []struct {
		n    int
		what string
	}{{s.Duplicates, "duplicates"}, {s.Damaged, "corrupted"}, {s.Errors, "errors"}} {
		if more.n > 0 {
			text += fmt.Sprintf(", +%d %s", more.n, more.what)
		}
	}
	text += fmt.Sprintf(", %.4g%% packet loss, time %dms", 100*s.Loss(), s.Elapsed.Milliseconds())
	if s.Received > 0 {
		text += fmt.Sprintf("\nrtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms",
			Milliseconds(s.Min), Milliseconds(s.Avg), Milliseconds(s.Max), Milliseconds(s.Mdev))
	}
	return text
}

// Milliseconds is d in milliseconds, to the microsecond.
func Milliseconds(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }

// A tally counts while replies come in.
type tally struct {
	sent, received, duplicates, damaged, errors int

	min, max     time.Duration
	mean, spread float64 // spread: the sum of squared differences from the mean
	began        time.Time
	elapsed      time.Duration
}

func (t *tally) begin(now time.Time) { t.began = now }
func (t *tally) end(now time.Time)   { t.elapsed += now.Sub(t.began) }

func (t *tally) add(r Reply) {
	switch {
	case r.Err != nil:
		t.errors++
		return
	case r.Damaged:
		t.damaged++
	}
	if r.Duplicate {
		t.duplicates++
		return
	}
	t.received++
	if t.received == 1 || r.RTT < t.min {
		t.min = r.RTT
	}
	t.max = max(t.max, r.RTT)
	// Welford's method: no sum of squares that large times could drown in.
	d := float64(r.RTT) - t.mean
	t.mean += d / float64(t.received)
	t.spread += d * (float64(r.RTT) - t.mean)
}

// Statistics sums up what Replies has given so far.
func (p *Pinger) Statistics() Statistics {
	t := &p.tally
	s := Statistics{
		Sent: t.sent, Received: t.received, Duplicates: t.duplicates, Damaged: t.damaged, Errors: t.errors,
		Elapsed: t.elapsed, Min: t.min, Max: t.max, Avg: time.Duration(t.mean),
	}
	if t.received > 0 {
		s.Mdev = time.Duration(math.Sqrt(t.spread / float64(t.received)))
	}
	return s
}
