// Command arena is a game for terminals and networks: who swims and shoots best.
//
//	arena serve :2000                         a server, on TCP and UDP
//	arena play localhost:2000                 a player: arrows swim, again the same arrow stops, space shoots
//	arena play -name anna -match pond HOST:2000
//	arena bots -n 20 localhost:2000           players who are programs
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"sockeye/examples/arena/client"
	"sockeye/examples/arena/server"
	"sockeye/kernel"
)

const usage = `arena serve :2000                            serve matches, on TCP and UDP
arena play localhost:2000                    play: arrows swim, enter talks, space shoots, q leaves
arena play -name anna -match pond HOST:2000  play under a name, in a match of its own
arena bots -n 20 -match pond HOST:2000       let programs play
`

// errUsage is of arguments that are not understood; what is wrong has been said.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "arena:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("arena "+verb, flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	name := flags.String("name", os.Getenv("USER"), "")
	match := flags.String("match", "pond", "")
	number := flags.Int("n", 4, "")
	if verb == "-h" || verb == "--help" {
		flags.Usage()
		return nil
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	do := map[string]func() error{
		"serve": func() error { return serve(ctx, flags.Arg(0)) },
		"play":  func() error { return play(ctx, flags.Arg(0), *name, *match) },
		"bots":  func() error { return bots(ctx, flags.Arg(0), *number, *match) },
	}[verb]
	switch {
	case do == nil:
		fmt.Fprintf(os.Stderr, "arena: %q is no command; try serve, play or bots\n", verb)
		return errUsage
	case flags.NArg() != 1:
		fmt.Fprintf(os.Stderr, "arena: %s takes one address, such as localhost:2000, not %d\n", verb, flags.NArg())
		return errUsage
	}
	return do()
}

func serve(ctx context.Context, address string) error {
	h := kernel.Host()
	l, err := h.Listen("tcp", address)
	if err != nil {
		return err
	}
	p, err := h.ListenPacket("udp", l.Addr().(*net.TCPAddr).AddrPort().String())
	if err != nil {
		l.Close()
		return err
	}
	fmt.Fprintln(os.Stderr, "arena: serving on", l.Addr())
	return server.New(l, p).Serve(ctx)
}

func bots(ctx context.Context, address string, number int, match string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work sync.WaitGroup
	for i := range number {
		c, err := client.Join(ctx, kernel.Host().DialContext, address, fmt.Sprintf("bot%d-%d", os.Getpid(), i), match)
		if err != nil {
			cancel(err)
			break
		}
		work.Go(func() {
			if err := c.Play(ctx, client.Bot(uint64(i))); err != nil {
				cancel(err)
			}
		})
	}
	work.Wait()
	return context.Cause(ctx)
}
