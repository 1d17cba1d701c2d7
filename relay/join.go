package relay

import (
	"context"

	"sockeye"
)

// Join relays between two connected sockets as Serve does, until both directions have ended or
// ctx ends, and closes both; run runs a function in another goroutine. It tells how many bytes
// went from a to b and back, and what broke the connection if it did not end in order.
func Join(ctx context.Context, run func(func()), a, b *sockeye.Socket) (sent, received int64, err error) {
	defer context.AfterFunc(ctx, func() {
		a.Close()
		b.Close()
	})()
	defer a.Close()
	defer b.Close()
	j := joint{run, make(chan struct{})}
	c := &connection{owner: j, ctx: ctx, peer: a, target: b}
	c.join()
	c.left = true
	j.Go(c.pipes[0].run)
	c.pipes[1].run() // here, where there is a goroutine that can wait
	<-j.closed
	return c.pipes[0].total, c.pipes[1].total, c.cause()
}

// A joint is the owner of one connection.
type joint struct {
	run    func(func())
	closed chan struct{}
}

func (j joint) Go(f func())       { j.run(f) }
func (j joint) close(*connection) { close(j.closed) }
