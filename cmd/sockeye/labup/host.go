package labup

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"

	"sockeye"
	"sockeye/cmd/sockeye/labfile"
	"sockeye/lab"
	"sockeye/stack"
)

// A host is one with its jobs: programs, and ports that lead somewhere. The lab's mutex guards it.
type host struct {
	lab  *Lab
	name string
	node *lab.Host
	jobs map[string]*job // by what they are
}

// A job is something that goes on until it is stopped.
type job struct {
	stop context.CancelFunc
	// on is the life of the host that it runs on, and start starts it there; nil: it is none of the host's.
	on    *stack.Host
	start func(*sockeye.Host)
	joins bool  // it is a program with the place of the host
	port  *Port // of this machine; nil: none
}

// set gives the host other jobs. Those that it has already go on. The error is that of a port of this
// machine that could not be had.
func (h *host) set(f *labfile.Host) error {
	type wish struct {
		key   string
		start func() (*job, error)
	}
	var wanted []wish
	for _, p := range f.Run {
		wanted = append(wanted, wish{key("run", p), func() (*job, error) { return h.run(p), nil }})
	}
	for _, w := range f.Reverse {
		wanted = append(wanted, wish{key("reverse", w), func() (*job, error) { return h.reverse(w), nil }})
	}
	for _, w := range f.Forward {
		wanted = append(wanted, wish{key("forward", w), func() (*job, error) { return h.forward(w) }})
	}
	for k, j := range h.jobs {
		if !slices.ContainsFunc(wanted, func(w wish) bool { return w.key == k }) {
			j.stop()
			delete(h.jobs, k)
		}
	}
	for _, w := range wanted {
		if h.jobs[w.key] != nil {
			continue
		}
		j, err := w.start()
		if err != nil {
			return err
		}
		h.jobs[w.key] = j
	}
	h.begin()
	return nil
}

// key tells a job from others.
func key(kind string, what any) string {
	text, err := json.Marshal(what)
	if err != nil {
		panic(err) // they are plain values
	}
	return kind + string(text)
}

// boot is called when a host has come to life.
func (l *Lab) boot(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.hosts[name]; h != nil {
		h.begin()
	}
}

// sockets are those of the host's present life.
func (h *host) sockets() *sockeye.Host {
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	return h.node.Sockets()
}

// begin starts the jobs that do not run in this life of the host.
func (h *host) begin() {
	if h.lab.ctx.Err() != nil {
		return
	}
	life := h.node.Stack()
	for _, j := range h.jobs {
		if j.start != nil && j.on != life {
			j.on = life
			j.start(life.Sockets())
		}
	}
}

// command makes a job of an unmodified program. It lives on when the host crashes, and is cut off until it is
// restarted.
func (h *host) command(p labfile.Program) *job {
	ctx, cancel := context.WithCancel(h.lab.ctx)
	h.lab.run(func() {
		h.lab.logf("%s: %s", h.name, p.String())
		switch err := h.lab.Command(ctx, h.name, p.Args); {
		case ctx.Err() != nil:
		case err != nil:
			h.lab.logf("%s: %s: %v", h.name, p.String(), err)
		default:
			h.lab.logf("%s: %s has ended", h.name, p.String())
		}
	})
	return &job{stop: cancel, joins: true}
}

// A service is what a program does on its host until the context or the host ends.
type service func(context.Context) error

// serving makes a job of what runs on the host: it ends when the host crashes, and begins again when it
// is restarted. Who has come to know that the host is up finds its sockets open: open opens them.
func (h *host) serving(what string, open func(context.Context, *sockeye.Host) (service, error)) *job {
	ctx, cancel := context.WithCancel(h.lab.ctx)
	told := func(err error) {
		if err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
			h.lab.logf("%s: %s: %v", h.name, what, err)
		}
	}
	return &job{stop: cancel, start: func(on *sockeye.Host) {
		serve, err := open(ctx, on)
		if err != nil {
			told(err)
			return
		}
		h.lab.run(func() { told(serve(ctx)) })
	}}
}
