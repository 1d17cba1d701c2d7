package main

import (
	"context"
	"io"
	"sync"

	"sockeye"
)

// A hall holds the peers of one listener, who all hear standard input.
type hall struct {
	a    *app
	left chan struct{} // someone left

	mu      sync.Mutex
	guests  map[*session]struct{}
	arrived chan struct{} // closed when a guest is there; nil: nobody waits for one
	over    bool          // the input has ended
}

// serve writes what one guest sends to standard output.
func (h *hall) serve(ctx context.Context, conn *sockeye.Socket, peer string) error {
	j := &session{a: h.a, s: conn}
	typ := conn.Type()
	r, err := newReceiver(conn.WithContext(ctx), typ)
	if err != nil {
		return err
	}
	h.enter(j)
	err = j.download(r)
	h.mu.Lock()
	delete(h.guests, j)
	h.mu.Unlock()
	h.a.console.event(j.closed(peer, cause(ctx, err)))
	return err
}

// inputFailed tells why input has ended, unless that was its end.
func (a *app) inputFailed(err error) {
	if err != io.EOF {
		a.console.event(event{Error: "standard input: " + oneLine(err.Error())})
	}
}

func (h *hall) enter(j *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.guests == nil {
		h.guests = make(map[*session]struct{})
	}
	h.guests[j] = struct{}{}
	if h.arrived != nil {
		close(h.arrived)
		h.arrived = nil
	}
	if h.over {
		j.s.Shutdown(sockeye.SHUT_WR)
	}
}

func (h *hall) leave() {
	select {
	case h.left <- struct{}{}:
	default:
	}
}

// present gives the guests, and waits for one if there is none.
func (h *hall) present(ctx context.Context) []*session {
	for {
		h.mu.Lock()
		var all []*session
		for j := range h.guests {
			all = append(all, j)
		}
		if len(all) == 0 && h.arrived == nil {
			h.arrived = make(chan struct{})
		}
		arrived := h.arrived
		h.mu.Unlock()
		if len(all) > 0 {
			return all
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil
		}
	}
}

// input sends standard input to all guests. It is not read while nobody is
// there.
func (h *hall) input(ctx context.Context) {
	buf := make([]byte, 64<<10)
	for h.present(ctx) != nil {
		n, err := h.a.stdin.Read(buf)
		if n > 0 {
			for _, j := range h.present(ctx) {
				m, _ := j.s.WithContext(ctx).Send(buf[:n], 0) // the download meets the error too
				j.sent.Add(int64(m))
			}
		}
		if err != nil {
			h.a.inputFailed(err)
			break
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	for j := range h.guests {
		j.s.Shutdown(sockeye.SHUT_WR)
	}
}
