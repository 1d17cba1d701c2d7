package main

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"

	"sockeye/cmd/sockeye/transfer"
)

// A reception is the options of receive.
type reception struct {
	service
	dir             string
	keep            bool
	code            transfer.Code
	replace, rename bool
}

// senders is how many may send at once.
const senders = 64

func (a *app) receiveCommand() *cobra.Command {
	srv := reception{service: service{a: a}}
	var coded bool
	cmd := &cobra.Command{
		Use:   "receive ADDR [DIR]",
		Short: "Receive files and folders from sockeye send",
		Example: `  sockeye receive 7000                        # into this folder; ends when all is there
  sockeye receive 7000 ~/Downloads --keep     # from whoever comes, until Ctrl-C
  sockeye receive 7000 --code                 # encrypted, from who knows the code that it tells
  sockeye receive 7000 --rename               # what is there stays, and the new one is "name (1).ext"
  sockeye receive unix:/tmp/drop --json | jq .name`,
		Long: `A file has its name once it is whole and its BLAKE3 is the sender's. When the connection breaks
a ".NAME.part-..." stays; the receiver waits for the sender to come again, which goes on at that byte.

What is there already stays, and a file that would take its name is told and left out, unless --replace or
--rename says otherwise. Nothing outside of DIR is written, whatever the sender comes with.
Without --code anybody who gets to the address may send.`,
		Args:        arguments("ADDR", "[DIR]"),
		Annotations: map[string]string{"exit": transferStatus, "try": "sockeye receive 7000"},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return nil, cobra.ShellCompDirectiveFilterDirs
			}
			return completeAddress(cmd, args, part)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if srv.at, err = parseStream("receive", args[0]); err != nil {
				return err
			}
			srv.dir = "."
			if len(args) > 1 {
				srv.dir = args[1]
			}
			if err := refuse(srv.noPath(), conflict{srv.replace && srv.rename, "--replace and --rename are two things to do with a name that is taken; choose one"}); err != nil {
				return err
			}
			if coded {
				srv.code = transfer.NewCode()
			}
			return srv.receive(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&srv.force, "force", "f", false, "take over a unix path that a dead program left behind")
	flags.BoolVarP(&srv.keep, "keep", "k", false, "go on after the first transfer, until Ctrl-C")
	flags.BoolVar(&coded, "code", false, "encrypt, and take files only from who knows a code, which is told")
	flags.BoolVar(&srv.replace, "replace", false, "let a file take the place of another one that has its name")
	flags.BoolVar(&srv.rename, "rename", false, "give a file whose name is taken another one")
	return cmd
}

func (srv *reception) receive(ctx context.Context) error {
	root, err := os.OpenRoot(srv.dir)
	if err != nil {
		return usage("%s", oneLine(err.Error()))
	}
	defer root.Close()
	l, tidy, err := srv.a.netListener(ctx, srv.at, srv.force)
	if err != nil {
		return err
	}
	defer tidy()
	if srv.code != "" {
		srv.a.console.event(event{Event: "code", Text: string(srv.code)})
	}
	parent := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	limited := netutil.LimitListener(l, senders)
	for {
		c, err := limited.Accept()
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return failure{srv.at.String(), err}
		}
		wg.Go(func() {
			defer c.Close()
			ended, err := srv.from(ctx, root, c)
			switch {
			case ended && !srv.keep || errors.Is(err, errStdout):
				once.Do(func() { first = err })
				cancel()
			case err != nil && ctx.Err() == nil:
				srv.a.console.event(event{Event: "failed", Error: explain(err)})
			}
		})
	}
	wg.Wait()
	if parent.Err() != nil {
		return context.Cause(parent)
	}
	return first
}

// from takes what one sender has, and tells whether it came to its end.
func (srv *reception) from(ctx context.Context, root *os.Root, c net.Conn) (ended bool, err error) {
	peer := c.RemoteAddr().Network() + "://" + c.RemoteAddr().String()
	if c.RemoteAddr().Network() == "unix" {
		peer = "unix: an unnamed peer"
	}
	if srv.code != "" {
		raw := c
		defer context.AfterFunc(ctx, func() { raw.Close() })()
		if c, err = srv.code.Receiver(ctx, raw); err != nil {
			return false, failure{peer, err}
		}
	}
	tally := srv.a.newTally("received", peer)
	r := transfer.Receiver{Root: root, Progress: tally.progress, Result: tally.result, Total: tally.total}
	switch {
	case srv.replace:
		r.OnClash = transfer.Replace
	case srv.rename:
		r.OnClash = transfer.Rename
	}
	err = r.Receive(ctx, c)
	return err == nil, tally.end(ctx, err)
}
