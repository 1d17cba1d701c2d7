package inet

import (
	"sockeye"
	"sockeye/event"
	"sockeye/packet"
	"sockeye/stack/tcp"
)

// What calls in lockstep leave for the loop (sock.Host.Post).

// A posted is what calls on a connection have left: what they wrote, and how much they read. However
// those who read and those who write take turns, it is the same in the end.
type posted struct {
	socket  *TCP
	conn    *tcp.Conn
	writes  []write
	bytes   int // of writes
	starved bool
	read    int
}

type write struct {
	packet.Slice
	how   tcp.WriteFlags
	stamp int
}

// posted is what calls have left at the present instant.
func (t *TCP) posted() *posted {
	p := t.stack.posts[t]
	if p == nil {
		p = &posted{socket: t, conn: t.conn}
		t.stack.posts[t] = p
		t.Host.Post(t, "", p)
	}
	return p
}

// write takes what there will be room for.
func (p *posted) write(b []byte, how tcp.WriteFlags, stamp int) (n int) {
	whole := len(b)
	room := p.conn.Room() - p.bytes
	p.starved = p.starved || room < len(b)
	for b = b[:max(0, min(len(b), room))]; n < len(b); {
		k := min(len(b)-n, packet.MaxPooled)
		w := write{packet.Of(b[n : n+k]), tcp.More, 0}
		if n += k; n == len(b) {
			w.how, w.stamp = how, stamp*b2i(n == whole)
		}
		p.writes = append(p.writes, w)
	}
	p.bytes += n
	return n
}

// Handle implements event.Handler.
func (p *posted) Handle(at event.Time, _ any) {
	t, c := p.socket, p.conn
	s := t.stack
	s.begin(at)
	defer s.host.Unlock()
	delete(s.posts, t)
	now := s.now()
	for _, w := range p.writes {
		if ok, _ := c.Push(now, w.Slice, w.how); !ok {
			w.Release()
		} else if w.stamp != 0 {
			t.mark(w.stamp)
		}
	}
	if p.read > 0 {
		c.AfterRead(now, p.read)
	}
	if t.conn == c && c != nil {
		t.settle(now)
		if p.starved && c.Writable() {
			t.Wake(sockeye.ForWrite)
		}
	}
	s.host.Pending = false
}

// A datagramOut is one that a call has sent.
type datagramOut struct {
	stack *Stack
	p     *packet.Packet
	h     header
	w     path
}

// Handle implements event.Handler.
func (d *datagramOut) Handle(now event.Time, _ any) {
	d.stack.begin(now)
	defer d.stack.host.Unlock()
	d.stack.output(d.p, d.h, d.w)
	d.stack.host.Pending = false
}

// Claims tells whether the next send may connect (TCP Fast Open).
func (t *TCP) Claims() bool { return t.conn == nil || t.deferred }

// Claims tells whether the next send takes a port.
func (u *UDP) Claims() bool { return u.claim.port == 0 }

// Claims is true for all sends: they draw identifications.
func (g *Ping) Claims() bool { return true }

// Claims is true for all sends: they draw identifications.
func (r *Raw) Claims() bool { return true }
