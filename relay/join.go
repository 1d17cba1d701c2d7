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
	closed := make(joint)
	c := &connection{owner: closed, ctx: ctx, peer: a, target: b}
	c.join()
	c.left = true
	closed.Go(c.pipes[0].run)
	c.pipes[1].run() // here, where there is a goroutine that can wait
	<-closed
	return c.pipes[0].total, c.pipes[1].total, c.cause()
}

// A joint is the owner of one connection. It is closed with it.
type joint chan struct{}

func (joint) Go(f func())         { go f() }
func (j joint) close(*connection) { close(j) }
