package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"sockeye/addr"
)

func (a *app) connectCommand() *cobra.Command {
	var wait, timeout time.Duration
	cmd := &cobra.Command{
		Use:   "connect ADDR",
		Short: "Connect to an address: standard input goes there, what comes back to standard output",
		Example: `  sockeye connect localhost:8888
  printf 'GET / HTTP/1.0\r\n\r\n' | sockeye connect example.org:80
  sockeye connect host:8888 < file
  echo hello | sockeye connect udp://localhost:8888
  sockeye connect unix:/run/docker.sock`,
		Long: `At the end of input it ends its own direction (shutdown(2)) and goes on reading
until the peer's end. Datagrams have no end: it leaves when nothing has come for a
second after the end of input, or for as long as --wait says. One read of the input
is one datagram, so a line that is typed is one.

At a terminal the peer's end is the end. In a pipe, input that is left is sent all
the same, for the peer may still be reading; if it is not, that is an error.`,
		Args:              arguments("ADDR"),
		ValidArgsFunction: completeAddress,
		Annotations:       map[string]string{"exit": exitStatus, "try": "sockeye connect localhost:8888"},
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := addr.Parse(args[0])
			if err != nil {
				return err
			}
			if err := refuse(
				conflict{wait < 0, "--wait is a time to wait, and can't be negative"},
				conflict{timeout < 0, "--timeout is a time to wait, and can't be negative"},
			); err != nil {
				return err
			}
			if wait == 0 && !to.Connected() {
				wait = time.Second
			}
			return a.connect(cmd.Context(), to, wait, timeout)
		},
	}
	cmd.Flags().DurationVarP(&wait, "wait", "w", 0, "leave when nothing has come for so long after the end of input (datagrams: 1s)")
	cmd.Flags().DurationVarP(&timeout, "timeout", "t", 0, "give up connecting after so long (0: when the system does)")
	return cmd
}

func (a *app) connect(ctx context.Context, to addr.Address, wait, timeout time.Duration) error {
	dial, cancel := ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		dial, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	s, err := to.Connect(dial, a.host)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return failure{"connect to " + to.String(), err}
	}
	defer s.Close()
	peer := to.String()
	if a.json {
		if p, err := addr.PeerOf(s); err == nil {
			peer = p.String()
		}
		local, err := addr.LocalOf(s)
		if err != nil {
			return err
		}
		a.console.event(event{Event: "connected", Address: local.String(), Peer: peer})
	}
	j := &session{a: a, s: s, wait: wait}
	err = j.run(ctx)
	if a.json {
		a.console.event(j.closed(peer, err))
	}
	if err != nil {
		return failure{to.String(), err}
	}
	return nil
}

// closed is the event of a session's end.
func (j *session) closed(peer string, err error) event {
	received, sent := j.received.Load(), j.sent.Load()
	e := event{Event: "closed", Peer: peer, Received: &received, Sent: &sent}
	if _, text := verdict(err); text != "" {
		e.Error = text
	}
	return e
}
