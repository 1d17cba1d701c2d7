// Command sockeye opens sockets at a terminal: it listens and connects, echoes,
// relays and pings, and shows what sockets of this machine can do.
//
//	sockeye listen 8888
//	sockeye connect localhost:8888
//
// It is package sockeye with words for it; sockeye --help tells more.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sockeye/kernel"
)

func main() {
	if os.Args[0] == insideName {
		inside(os.Args[1:])
	}
	// A reader of standard output that goes away is met as EPIPE, so that there
	// is time to tidy up.
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		sig := <-signals
		signal.Stop(signals) // a second one ends the program at once
		cancel(interrupted{sig.(syscall.Signal)})
	}()
	a := &app{
		host:    kernel.Host(),
		stdin:   os.Stdin,
		stdout:  os.Stdout,
		console: &console{w: os.Stderr},
	}
	os.Exit(a.run(ctx, os.Args[1:]))
}
