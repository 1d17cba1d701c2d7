package main

import (
	"time"

	"sockeye/event"
	"sockeye/link"
)

// bad is a link that loses, doubles, damages and reorders, the same both ways.
var bad = link.Impairment{Out: badly, In: badly, Seed: 1}

var badly = link.Faults{
	Loss: 0.03, Duplicate: 0.01, Corrupt: 0.01, Reorder: link.Reorder{Probability: 0.02}, Delay: 5 * time.Millisecond,
}

// openImpairedHost is a Go host behind a TUN device that is a bad link.
func openImpairedHost() (end func(), err error) { return openHostBehind(bad) }

// openImpairedKernel is another kernel there: the two have a TUN device each, and the link is
// between these.
func openImpairedKernel() (end func(), err error) {
	loop := event.New()
	near, err := openTUN(loop, kernelEnd)
	if err != nil {
		return nil, err
	}
	slow, err := link.Impair(loop, near, bad)
	if err != nil {
		return nil, err
	}
	type opened struct {
		far *link.TUN
		end func()
		err error
	}
	there, done := make(chan opened), make(chan struct{})
	go func() { // on a thread in a namespace of its own, which lasts until the end
		var o opened
		if o.err = newNamespace(); o.err == nil {
			o.far, o.end, o.err = openServerKernel(loop)
		}
		there <- o
		<-done
	}()
	o := <-there
	if o.err != nil {
		return nil, o.err
	}
	link.Patch(slow, o.far)
	return func() {
		close(done)
		o.end()
		slow.Close()
		o.far.Close()
		loop.Close()
	}, nil
}

func openServerKernel(loop *event.Loop) (*link.TUN, func(), error) {
	dev, err := openTUN(loop, otherEnd)
	if err != nil {
		return nil, nil, err
	}
	server, err := startIperf(0)
	if err != nil {
		return nil, nil, err
	}
	return dev, func() { stopIperf(server) }, nil
}
