package main

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sockeye"
	"sockeye/addr"
)

// A listener is the listen command's options.
type listener struct {
	a       *app
	keep    bool
	command string // a program per peer; "": none
	force   bool
	wait    time.Duration
}

func (a *app) listenCommand() *cobra.Command {
	l := listener{a: a}
	cmd := &cobra.Command{
		Use:   "listen ADDR",
		Short: "Wait for a peer: standard input goes to it, what it sends to standard output",
		Example: `  sockeye listen 8888
  sockeye listen 8888 > file
  sockeye listen --keep --exec 'cat file' 8888
  sockeye listen udp://:9000
  sockeye listen unix:/tmp/door
  sockeye listen --verbose 127.0.0.1:0`,
		Long: `Standard error tells where it listens (port 0 takes one that is free), who came and
who went. It serves one peer, ends its own direction at the end of input, and leaves
when the peer has ended its direction too.

With --keep it serves all who come, at once: what they send goes to standard output
in pieces as it comes, and input goes to all who are connected at that moment, at
the pace of the slowest. A datagram socket hears all senders anyway; input goes to
the one who wrote last.

With --exec it runs a program through sh -c for each peer, whose standard input and
output are the connection. For each datagram it runs one too: the datagram is its
input, and what it prints goes back as one datagram. SOCKEYE_PEER and SOCKEYE_LOCAL
in its environment are the addresses.

A unix path is removed at the end. Ctrl-C is the orderly end with --keep, and of a
datagram socket: the exit status is 0.`,
		Args:              arguments("ADDR"),
		ValidArgsFunction: completeAddress,
		Annotations:       map[string]string{"exit": exitStatus, "try": "sockeye listen 8888"},
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := addr.Parse(args[0])
			if err != nil {
				return err
			}
			if err := refuse(
				conflict{l.wait < 0, "--wait is a time to wait, and can't be negative"},
				conflict{cmd.Flags().Changed("exec") && l.command == "", "--exec wants a program, such as --exec cat"},
				conflict{l.wait > 0 && l.command != "", "--wait is for standard input, which --exec does not use; leave one of them out"},
				conflict{l.force && at.Family != sockeye.AF_UNIX, "--force takes over the path of a unix socket, and " + at.String() + " has none"},
			); err != nil {
				return err
			}
			return l.run(cmd.Context(), at)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&l.keep, "keep", "k", false, "serve all who come, not only the first")
	flags.StringVarP(&l.command, "exec", "e", "", "run a program for each peer")
	flags.BoolVarP(&l.force, "force", "f", false, "take over a unix path that a dead program left behind")
	flags.DurationVarP(&l.wait, "wait", "w", 0, "leave when nothing has come for so long after the end of input (0: wait on)")
	return cmd
}

func (l *listener) run(ctx context.Context, at addr.Address) error {
	s, tidy, err := l.a.listen(ctx, at, l.force)
	if err != nil {
		return err
	}
	defer tidy()
	switch {
	case !at.Connected():
		err = l.datagrams(ctx, s)
	case l.keep:
		err = l.all(ctx, s)
	default:
		return l.one(ctx, s, tidy)
	}
	if ctx.Err() != nil {
		return nil // the only end that such a service has
	}
	return err
}

// one serves one peer. Meanwhile nobody else is let in.
func (l *listener) one(ctx context.Context, s *sockeye.Socket, tidy func()) error {
	conn, from, err := s.WithContext(ctx).Accept()
	if err != nil {
		return cause(ctx, err)
	}
	tidy()
	defer conn.Close()
	peer := peerName(conn, from)
	l.a.console.event(event{Event: "accepted", Peer: peer})
	if l.command != "" {
		return l.exec(ctx, conn, peer)
	}
	j := &session{a: l.a, s: conn, wait: l.wait}
	err = j.run(ctx)
	l.a.console.event(j.closed(peer, err))
	if err != nil {
		return failure{peer, err}
	}
	return nil
}

// all serves everyone who comes, until ctx or standard output ends.
func (l *listener) all(ctx context.Context, s *sockeye.Socket) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	h := &hall{a: l.a, left: make(chan struct{}, 1)}
	if l.command == "" {
		go h.input(ctx)
	}
	for {
		conn, from, err := s.WithContext(ctx).Accept()
		switch {
		case errors.Is(err, syscall.ECONNABORTED):
			continue // gone before it was let in
		case full(err):
			l.a.console.event(event{Error: explain(err)})
			select {
			case <-h.left: // and made room
			case <-ctx.Done():
			}
			continue
		case err != nil:
			return cause(ctx, err)
		}
		go func() {
			defer func() {
				conn.Close()
				h.leave()
			}()
			peer := peerName(conn, from)
			l.a.console.event(event{Event: "accepted", Peer: peer})
			if l.command != "" {
				if err := l.exec(ctx, conn, peer); err != nil && ctx.Err() == nil {
					l.a.console.event(event{Peer: peer, Error: explain(err)})
				}
				return
			}
			if err := h.serve(ctx, conn, peer); errors.Is(err, errStdout) {
				stop(err)
			}
		}()
	}
}

// full tells whether a connection could not be let in for want of room.
func full(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}
