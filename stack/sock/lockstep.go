package sock

import (
	"strconv"
	"time"

	"sockeye"
	"sockeye/event"
)

// In lockstep (event.NewLockstep) nothing that happens depends on which of several goroutines
// made its call first. Calls that change what sockets share, such as those that claim a name,
// wait for their turn. The others must not wait, as their callers may hold locks that others wait for: they
// touch nothing but their socket, and what goes beyond it they post.

// Later tells whether a call has to post what goes beyond its socket.
func (h *Host) Later() bool { return h.Order != nil && !h.turn && h.Order.Orders() }

// Post leaves work for a socket to the loop; to, if not empty, is where it sends. The host is locked.
func (h *Host) Post(f File, to string, w event.Handler) {
	h.Order.Post(event.Key{Host: h.Number, Name: name(f) + to}, w, nil)
}

// name is what tells a socket from others whenever it was made: its addresses.
func name(f File) string {
	s := f.Base()
	local, _ := f.Getsockname()
	peer, _ := f.Getpeername()
	n := s.Type.String() + " " + local.String() + " " + peer.String()
	if s.Family == sockeye.AF_UNIX { // many have no name
		n += s.numbered()
	}
	return n
}

func (s *Socket) numbered() string { return " #" + strconv.FormatUint(uint64(s.number), 10) }

// A claimer is a File whose sends may claim a name, or touch more than the socket.
type claimer interface{ Claims() bool }

// enterSend is enter for a call that sends.
func (d *Descriptor) enterSend(to sockeye.Sockaddr) bool {
	if h := d.base.Host; h.Order != nil {
		h.Lock()
		c, ok := d.file.(claimer)
		claims := ok && c.Claims()
		h.Unlock()
		if claims {
			return d.enterTurn("send", to)
		}
	}
	return d.enter()
}

// enterTurn is enter for a call that, in lockstep, waits for its turn.
func (d *Descriptor) enterTurn(call string, to sockeye.Sockaddr) bool {
	h := d.base.Host
	if h.Order == nil {
		return d.enter()
	}
	h.Lock()
	n := name(d.file) + " " + call
	if to.IsZero() { // of sockets without a name each may do it first
		n += d.base.numbered()
	} else {
		n += " " + to.String()
	}
	h.Unlock()
	h.Order.Turn(event.Key{Host: h.Number, Name: n})
	if !d.enter() {
		return false
	}
	h.turn = true
	return true
}

// awaitTurn is for calls that may have to wait for something to receive, and so have callers who can wait: they go
// on one by one, whether what they want is there already or comes at this instant.
func (d *Descriptor) awaitTurn() {
	h := d.base.Host
	if h.Order == nil || d.closed.Load() {
		return
	}
	h.Lock()
	n := name(d.file) + " receive"
	h.Unlock()
	h.Order.Rest(event.Key{Host: h.Number, Name: n})
}

// leaveTurn ends a call that had its turn. What it sent to its own host is a part of it.
func (h *Host) leaveTurn() {
	if h.Looped {
		h.Deliver()
	}
	h.turn = false
}

// closing is the end of a descriptor whose number was given back.
type closing Descriptor

// Handle implements event.Handler.
func (d *closing) Handle(event.Time, any) {
	h := d.base.Host
	h.Lock()
	defer h.Unlock()
	d.base.WakeAll()
	Drop(d.file)
	h.Pending = false
}

// An interruption is Descriptor.Interrupt.
type interruption struct {
	*Socket
	d sockeye.Direction
}

// Handle implements event.Handler.
func (i *interruption) Handle(event.Time, any) {
	i.Host.Lock()
	defer i.Host.Unlock()
	i.interrupt(i.d)
}

// wakeInTurn wakes those who are parked, and gives the list that is left. Where the order of calls
// is not fixed it is that of the sockets.
func (s *Socket) wakeInTurn(parked []chan struct{}) []chan struct{} {
	k := event.Key{Host: s.Host.Number}
	if s.Host.Later() {
		k.Name = s.numbered()
	}
	for _, c := range parked {
		s.Host.Order.Wake(k, c)
	}
	return nil
}

// alarm wakes a call when its deadline is over. Timers of Go that expire at one instant
// fire in no order, and so do no more than that.
func (d *Descriptor) alarm(deadline time.Time, wake chan struct{}) *time.Timer {
	h := d.base.Host
	h.Lock()
	defer h.Unlock()
	k := event.Key{Host: h.Number, Name: name(d.file)}
	return time.AfterFunc(time.Until(deadline), func() { h.Order.Wake(k, wake) })
}
