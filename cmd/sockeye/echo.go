package main

import (
	"context"

	"github.com/spf13/cobra"

	"sockeye"
	"sockeye/addr"
	"sockeye/echo"
)

func (a *app) echoCommand() *cobra.Command {
	srv := service{a: a}
	cmd := &cobra.Command{
		Use:   "echo ADDR",
		Short: "Send back what comes, to any number of peers at once",
		Example: `  sockeye echo 7777
  sockeye echo udp://:7777
  sockeye echo unixpacket:/tmp/echo`,
		Long: `Streams get their bytes back, datagrams and records go back one by one. It runs until
Ctrl-C, which is its orderly end: the exit status is 0.`,
		Args:              arguments("ADDR"),
		ValidArgsFunction: completeAddress,
		Annotations:       map[string]string{"exit": exitStatus, "try": "sockeye echo 7777"},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if srv.at, err = addr.Parse(args[0]); err != nil {
				return err
			}
			if err := refuse(srv.noPath(), conflict{srv.at.Type == sockeye.SOCK_RAW,
				"echo is for streams, datagrams and records, and " + srv.at.String() + " is a raw socket"}); err != nil {
				return err
			}
			return srv.run(cmd.Context(), func(ctx context.Context, s *sockeye.Socket) error {
				return echo.Serve(ctx, s, func(e echo.Event) {
					srv.tell(e.Opened, event{Peer: srv.name(e.Peer), Received: &e.Bytes, Sent: &e.Bytes}, e.Err)
				})
			})
		},
	}
	srv.flags(cmd)
	return cmd
}
