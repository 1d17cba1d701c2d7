package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"sockeye"
	"sockeye/addr"
	"sockeye/relay"
)

func (a *app) relayCommand() *cobra.Command {
	srv := service{a: a}
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "relay ADDR TARGET",
		Short: "Forward every connection or datagram flow to a target, of any family",
		Example: `  sockeye relay 8080 localhost:80
  sockeye relay unix:/tmp/door example.org:22
  sockeye relay 2375 unix:/run/docker.sock
  sockeye relay udp://:5353 udp://192.0.2.1:53`,
		Long: `Each connection is forwarded over one of its own, both ends of input are passed on, and
on this machine the bytes do not pass through the program (splice(2)). Datagrams are
forwarded by their sender, each over a socket of its own, so that answers find back. It
runs until Ctrl-C, which is its orderly end: the exit status is 0.`,
		Args:              arguments("ADDR", "TARGET"),
		ValidArgsFunction: completeAddress,
		Annotations:       map[string]string{"exit": exitStatus, "try": "sockeye relay 8080 localhost:80"},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if srv.at, err = addr.Parse(args[0]); err != nil {
				return err
			}
			to, err := addr.Parse(args[1])
			if err != nil {
				return err
			}
			if err := refuse(
				srv.noPath(),
				conflict{timeout < 0, "--timeout is a time to wait, and can't be negative"},
				conflict{srv.at.Type == sockeye.SOCK_RAW || to.Type == sockeye.SOCK_RAW, "relay is for streams, datagrams and records, and not for raw sockets"},
				conflict{srv.at.Connected() != to.Connected(), "one of " + srv.at.String() + " and " + to.String() +
					" makes connections and the other does not; choose two of a kind"},
			); err != nil {
				return err
			}
			return srv.relay(cmd.Context(), to, timeout)
		},
	}
	srv.flags(cmd)
	cmd.Flags().DurationVarP(&timeout, "timeout", "t", 0, "give up connecting to the target after so long (0: when the system does)")
	return cmd
}

func (srv *service) relay(ctx context.Context, to addr.Address, timeout time.Duration) error {
	h := srv.a.host
	ways, err := to.Remote(ctx, h)
	if err != nil { // a name that nobody knows is told now
		return failure{"relay to " + to.String(), err}
	}
	target := relay.At(h, to.Type, sockaddrs(ways)...)
	if _, err := netip.ParseAddr(to.Host); err != nil && to.Host != "" && to.Host != "localhost" {
		target.DialNow = nil // another name may mean another address by then
	}
	target.Dial = func(ctx context.Context) (*sockeye.Socket, error) {
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		conn, err := to.Connect(ctx, h)
		if err != nil {
			return nil, failure{"connect to " + to.String(), err}
		}
		return conn, nil
	}
	return srv.run(ctx, func(ctx context.Context, s *sockeye.Socket) error {
		return relay.Serve(ctx, s, target, func(e relay.Event) {
			srv.tell(e.Opened, event{Peer: srv.name(e.Peer), Target: to.String(), Received: &e.Sent, Sent: &e.Received}, e.Err)
		})
	})
}

func sockaddrs(ways []addr.Info) (all []sockeye.Sockaddr) {
	for _, w := range ways {
		all = append(all, w.Sockaddr)
	}
	return all
}
