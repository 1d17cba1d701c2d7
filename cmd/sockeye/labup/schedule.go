package labup

import (
	"context"
	"reflect"
	"slices"
	"time"

	"sockeye/cmd/sockeye/labfile"
)

// An occasion is an event of the schedule, which waits for its time or goes on.
type occasion struct {
	event labfile.Event
	stop  context.CancelFunc
}

// plan makes the schedule be the given one. Events that are in it already go on; of those that are not, what they did
// is undone. Called with the mutex held.
func (l *Lab) plan(schedule []labfile.Event) {
	left := slices.Clone(schedule)
	l.events = slices.DeleteFunc(l.events, func(o *occasion) bool {
		i := slices.IndexFunc(left, func(e labfile.Event) bool { return reflect.DeepEqual(e, o.event) })
		if i < 0 {
			o.stop()
			return true
		}
		left = slices.Delete(left, i, i+1)
		return false
	})
	for _, e := range left {
		ctx, stop := context.WithCancel(l.ctx)
		o := &occasion{e, stop}
		l.events = append(l.events, o)
		l.run(func() { l.occur(ctx, o) })
	}
}

// occur lets the event happen at its times. What would have begun and ended by now is left out.
func (l *Lab) occur(ctx context.Context, o *occasion) {
	e := &o.event
	for at := e.At; ; at += e.Every {
		if now := time.Since(l.begun); e.Every > 0 && at+e.For < now {
			at += (now - at - e.For + e.Every - 1) / e.Every * e.Every
		} else if e.For > 0 && at+e.For < now {
			return
		}
		if !pause(ctx, at-time.Since(l.begun)) {
			return
		}
		l.happen(o, true)
		if e.For > 0 {
			pause(ctx, at+e.For-time.Since(l.begun))
		} else if e.Every == 0 {
			<-ctx.Done() // for good, or until it leaves the file
		}
		l.happen(o, false)
		if e.Every == 0 || ctx.Err() != nil {
			return
		}
	}
}

// happen begins or ends an event.
func (l *Lab) happen(o *occasion, begins bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return
	}
	e := &o.event
	others := 0 // of the same kind that go on, on the same link or host
	if begins {
		l.now = append(l.now, o)
	} else {
		l.now = slices.DeleteFunc(l.now, func(p *occasion) bool { return p == o })
	}
	for _, p := range l.now {
		if p != o && p.event.Cut == e.Cut && p.event.Crash == e.Crash && p.event.Link == "" && len(p.event.Part) == 0 {
			others++
		}
	}
	l.logf("schedule: %s%s", map[bool]string{false: "the end of "}[begins], e)
	w, h := l.links[e.Link+e.Cut], l.hosts[e.Crash]
	switch {
	case len(e.Part) == 0 && w == nil && h == nil: // the file has it no more
	case e.Link != "":
		w.sync()
		if begins {
			w.now = append(w.now, e)
		} else {
			w.now = slices.DeleteFunc(w.now, func(p *labfile.Event) bool { return p == e })
		}
		if err := w.apply(); err != nil {
			l.logf("schedule: %v", err)
		}
	case e.Part != nil:
		l.net.Join()
		for _, p := range l.now {
			if groups, err := l.groups(p.event.Part); err == nil && len(groups) > 0 {
				l.net.Part(groups...)
			}
		}
	case others > 0: // which see to it
	case e.Cut != "" && begins:
		w.link.Cut()
	case e.Cut != "":
		w.link.Mend()
	case begins:
		h.node.Crash()
	default:
		h.node.Restart()
	}
}
