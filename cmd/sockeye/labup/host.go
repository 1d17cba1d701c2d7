package labup

import (
	"context"
	"encoding/json"
	"errors"
	"net"

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
	port  *Port // of this machine; nil: none
}

// set gives the host other jobs. Those that it has already go on. The error is that of a port of this
// machine that could not be had.
func (h *host) set(f *labfile.Host) error {
	wanted := make(map[string]func() (*job, error))
	for _, p := range f.Run {
		wanted[key("run", p)] = func() (*job, error) { return h.program(p), nil }
	}
	for _, w := range f.Reverse {
		wanted[key("reverse", w)] = func() (*job, error) { return h.reverse(w), nil }
	}
	for _, w := range f.Forward {
		wanted[key("forward", w)] = func() (*job, error) { return h.forward(w) }
	}
	for k, j := range h.jobs {
		if wanted[k] == nil {
			j.stop()
			delete(h.jobs, k)
		}
	}
	for k, start := range wanted {
		if h.jobs[k] != nil {
			continue
		}
		j, err := start()
		if err != nil {
			return err
		}
		h.jobs[k] = j
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

// boot is called when the host has come to life.
func (h *host) boot() {
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	h.begin()
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

// serving makes a job of what runs on the host: it ends when the host crashes, and begins again when it
// is restarted.
func (h *host) serving(what string, serve func(context.Context, *sockeye.Host) error) *job {
	ctx, cancel := context.WithCancel(h.lab.ctx)
	return &job{stop: cancel, start: func(on *sockeye.Host) {
		h.lab.run(func() {
			err := serve(ctx, on)
			if err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
				h.lab.logf("%s: %s: %v", h.name, what, err)
			}
		})
	}}
}
