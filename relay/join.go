package relay

import (
	"context"

	"sockeye"
)

// Join relays between two connected sockets as Serve does, until both directions have ended or
// ctx ends, and closes both. It tells how many bytes went from a to b and back, and what broke
// the connection if it did not end in order.
func Join(ctx context.Context, a, b *sockeye.Socket) (sent, received int64, err error) {
	defer context.AfterFunc(ctx, func() {
		a.Close()
		b.Close()
	})()
	defer a.Close()
	defer b.Close()
	c := &connection{ctx: ctx}
	for i, s := range []*sockeye.Socket{a, b} {
		typ, err := sockeye.SO_TYPE.Get(s)
		if err != nil {
			return 0, 0, err
		}
		c.ends[i] = end{s, typ}
	}
	back := make(chan int64)
	go func() { back <- c.forward(1, 0) }()
	sent = c.forward(0, 1)
	received = <-back
	if c.err != nil && ctx.Err() != nil {
		c.err = context.Cause(ctx)
	}
	return sent, received, c.err
}
