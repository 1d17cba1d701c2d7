package link

import (
	"sync"

	"sockeye/event"
	"sockeye/packet"
)

// An intake is where a device's goroutine brings packets into the network: a batch
// at a time, which it carries itself if nobody else runs the loop. One batch is on
// its way at most, so that a device can't fill the loop faster than hosts take
// packets out of it.
type intake struct {
	outlet
	loop  *event.Loop
	batch []*packet.Packet
	taken chan struct{}

	once   sync.Once
	closed chan struct{}
}

func (in *intake) init(loop *event.Loop) {
	in.loop, in.taken, in.closed = loop, make(chan struct{}, 1), make(chan struct{})
}

// maxBatch is the most packets of a batch.
const maxBatch = 64

// flush delivers the batch. It gives false when the device was closed.
func (in *intake) flush() bool {
	if len(in.batch) > 0 {
		in.loop.Do(in, nil)
		in.loop.Run()
		select {
		case <-in.taken:
		case <-in.closed:
			return false
		}
	}
	return true
}

// Handle implements event.Handler: the batch arrives.
func (in *intake) Handle(now event.Time, _ any) {
	for i, p := range in.batch {
		in.batch[i] = nil
		in.Receive(now, p)
	}
	in.batch = in.batch[:0]
	in.taken <- struct{}{}
}

// shut tells the goroutine of the device to end.
func (in *intake) shut() { in.once.Do(func() { close(in.closed) }) }
