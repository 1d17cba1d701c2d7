package main

import (
	"context"

	"github.com/spf13/cobra"

	"sockeye"
	"sockeye/addr"
)

// A service is what runs on one address until Ctrl-C.
type service struct {
	a     *app
	at    addr.Address
	force bool
	log   bool // tell who came and went, and not only what failed
}

func (srv *service) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&srv.force, "force", "f", false, "take over a unix path that a dead program left behind")
	cmd.Flags().BoolVarP(&srv.log, "log", "l", false, "tell who came and went on standard error; errors are always told")
}

// noPath is the conflict of --force with an address that has no path.
func (srv *service) noPath() conflict {
	return conflict{srv.force && srv.at.Family != sockeye.AF_UNIX,
		"--force takes over the path of a unix socket, and " + srv.at.String() + " has none"}
}

// run opens the socket and serves it.
func (srv *service) run(ctx context.Context, serve func(context.Context, *sockeye.Socket) error) error {
	s, tidy, err := srv.a.listen(ctx, srv.at, srv.force)
	if err != nil {
		return err
	}
	defer tidy()
	if err := serve(ctx, s); err != nil && ctx.Err() == nil {
		return failure{srv.at.String(), err}
	}
	return nil
}

// name names a peer.
func (srv *service) name(sa sockeye.Sockaddr) string {
	if sa.IsZero() || sa.Family() == sockeye.AF_UNIX && sa.Path() == "" {
		return "unix: an unnamed peer"
	}
	return addr.FromSockaddr(srv.a.host, sa, srv.at.Type, srv.at.Protocol).String()
}

// tell tells of a connection or flow that began or ended, or of a datagram that
// was lost.
func (srv *service) tell(opened bool, e event, err error) {
	switch {
	case opened:
		e.Event, e.Received, e.Sent = "accepted", nil, nil
	case err != nil && !srv.at.Connected():
		e.Event, e.Received, e.Sent, e.Error = "failed", nil, nil, explain(err)
	default:
		e.Event = "closed"
		if err != nil {
			e.Error = explain(err)
		}
	}
	if srv.log || err != nil {
		srv.a.console.event(e)
	}
}
