package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"sync"

	"github.com/spf13/cobra"

	"sockeye"
	"sockeye/addr"
	"sockeye/cmd/sockeye/chat"
)

func (a *app) chatCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "chat COMMAND",
		Short: "Talk in rooms: a server, and the member's side of it; nc and browsers can join as well",
		Example: `  sockeye chat serve 7000                    # at one terminal
  sockeye chat join localhost:7000           # at others
  nc localhost 7000                          # or so: then /name ann, and /help
  sockeye chat serve 7000 --web 8080         # and for browsers: http://localhost:8080`,
		Annotations: map[string]string{"exit": exitStatus},
		Args:        cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				cmd.Help()
				return usage("sockeye chat wants serve or join; start with sockeye chat serve 7000")
			}
			return usage("unknown command %q; try sockeye chat serve or sockeye chat join", args[0])
		},
	}
	cmd.AddCommand(a.chatServeCommand(), a.chatJoinCommand())
	for _, c := range cmd.Commands() {
		c.DisableFlagsInUseLine = true
	}
	return cmd
}

// A chatServer is the options of chat serve.
type chatServer struct {
	service
	web     string
	tls     serverTLS
	cluster clusterFlags
	options chat.Options
}

func (a *app) chatServeCommand() *cobra.Command {
	srv := chatServer{service: service{a: a}}
	cmd := &cobra.Command{
		Use:   "serve ADDR",
		Short: "Serve a chat",
		Example: `  sockeye chat serve 7000
  sockeye chat serve 7000 --web 8080                    # a page for browsers too
  sockeye chat serve 7000 --tls                         # with a certificate made for the occasion
  sockeye chat serve 7000 --cert cert.pem --key key.pem
  sockeye chat serve 7000 --cluster 6222                # rooms shared by several machines: the first,
  sockeye chat serve 7000 --cluster 6222 --peer first:6222   # and the others
  sockeye chat serve 7000 --nats nats://broker:4222     # or through NATS servers that are there`,
		Long: `Members are people with sockeye chat join or nc, programs, and with --web browsers. It
speaks lines of text: /help lists the commands. A member who does not read what is sent
is dropped and told why, and never holds up the rest.

With --cluster or --nats several servers share their rooms: people, messages, private
messages and history. --cluster runs a NATS server within, which the others reach at that
address; each --peer is such an address of another, and who is reached tells of the rest.

It runs until Ctrl-C, which is its orderly end: members are told, and the exit status is 0.`,
		Args:              arguments("ADDR"),
		ValidArgsFunction: completeAddress,
		Annotations:       map[string]string{"exit": exitStatus, "try": "sockeye chat serve 7000"},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if srv.at, err = parseStream("chat", args[0]); err != nil {
				return err
			}
			if err := refuse(
				srv.noPath(),
				conflict{srv.options.Members < 1, "--members is how many there may be at once, and is at least 1"},
				conflict{srv.options.History < 0, "--history is a number of messages, and can't be negative"},
				conflict{srv.options.Rate <= 0, "--rate is lines a second, and more than 0"},
			); err != nil {
				return err
			}
			srv.options.History = cmp.Or(srv.options.History, -1) // whose zero is another thing
			if srv.options.TLS, err = srv.tls.config(a); err != nil {
				return err
			}
			if err := srv.cluster.check(); err != nil {
				return err
			}
			return srv.serve(cmd.Context())
		},
	}
	srv.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&srv.web, "web", "", "serve a page for browsers at this address")
	srv.tls.flags(cmd)
	srv.cluster.flags(cmd)
	flags.StringVar(&srv.options.Title, "title", "sockeye chat", "what the server calls itself")
	flags.IntVar(&srv.options.Members, "members", 20_000, "how many there may be at once")
	flags.IntVar(&srv.options.History, "history", 100, "how many messages of a room a newcomer gets")
	flags.Float64Var(&srv.options.Rate, "rate", 20, "how many lines a second are read from a member, after a burst")
	return cmd
}

// parseStream reads the address of a stream socket.
func parseStream(what, text string) (addr.Address, error) {
	at, err := addr.Parse(text)
	if err == nil && at.Type != sockeye.SOCK_STREAM {
		err = usage("%s is for streams, and %s is none; try tcp:// or unix:", what, at)
	}
	return at, err
}

func (srv *chatServer) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if srv.log {
		srv.options.Log = srv.visit
	}
	s := chat.NewServer(srv.options)
	serve := []func(context.Context, net.Listener) error{s.Serve}
	at := []addr.Address{srv.at}
	if srv.web != "" {
		web, err := parseStream("--web", srv.web)
		if err != nil {
			return err
		}
		at, serve = append(at, web), append(serve, s.ServeWeb)
	}
	var listeners []net.Listener
	for _, at := range at {
		l, tidy, err := srv.a.netListener(ctx, at, srv.force)
		if err != nil {
			return err
		}
		defer tidy()
		listeners = append(listeners, l)
	}
	leave, err := srv.cluster.share(srv.a, s)
	if err != nil {
		return err
	}
	defer leave()
	errs := make(chan error, len(at))
	for i, l := range listeners {
		go func() {
			err := serve[i](ctx, l)
			if err != nil && ctx.Err() == nil {
				err = failure{at[i].String(), err}
			} else {
				err = nil
			}
			cancel()
			errs <- err
		}()
	}
	var first error
	for range listeners {
		first = cmp.Or(first, <-errs)
	}
	return first
}

// netListener is listen for programs that are written against package net.
func (a *app) netListener(ctx context.Context, at addr.Address, force bool) (net.Listener, func(), error) {
	s, tidy, err := a.listen(ctx, at, force)
	if err != nil {
		return nil, nil, err
	}
	l, err := sockeye.NewListener(s)
	if err != nil {
		tidy()
		return nil, nil, err
	}
	return l, sync.OnceFunc(tidy), nil
}

// visit tells who came and went.
func (srv *chatServer) visit(v chat.Visit) {
	peer := v.Peer.Network() + "://" + v.Peer.String()
	if srv.at.Family == sockeye.AF_UNIX {
		peer = "unix: an unnamed peer"
	}
	e := event{Event: "accepted", Peer: peer, Name: v.Name}
	if v.Left {
		e.Event, e.Error = "closed", v.Why
	}
	srv.a.console.event(e)
}

// A chatMember is the options of chat join.
type chatMember struct {
	a          *app
	to         addr.Address
	name, room string
	plain      bool
	tls        clientTLS
}

func (a *app) chatJoinCommand() *cobra.Command {
	m := chatMember{a: a}
	cmd := &cobra.Command{
		Use:   "join ADDR",
		Short: "Join a chat",
		Example: `  sockeye chat join localhost:7000
  sockeye chat join --name ann --room dev example.org:7000
  make 2>&1 | sockeye chat join --name build example.org:7000 >/dev/null
  sockeye chat join --tls --pin 4f2a... example.org:7000`,
		Long: `At a terminal it has the whole screen: a tab for each room and each person you talk to
alone, who is there, and a line to type in. Tab goes to the next one, PageUp and PageDown
move in what was said, Ctrl-C leaves. When the connection is lost it connects again.

In a pipe, or with --plain, it sends each line of standard input and writes what comes to
standard output, with --json as JSON. At the end of input it leaves. Lines that begin with
a slash are commands: /join ROOM, /msg NAME TEXT, /who, and more that /help lists.`,
		Args:              arguments("ADDR"),
		ValidArgsFunction: completeAddress,
		Annotations:       map[string]string{"exit": exitStatus, "try": "sockeye chat join localhost:7000"},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if m.to, err = parseStream("chat", args[0]); err != nil {
				return err
			}
			if m.name == "" {
				return usage("who are you? --name ann says it, where USER does not")
			}
			if err := m.tls.check(); err != nil {
				return err
			}
			return m.join(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&m.name, "name", "n", userName(), "who to be")
	flags.StringVarP(&m.room, "room", "r", "", "where to be first (the lobby)")
	flags.BoolVar(&m.plain, "plain", false, "plain lines, also at a terminal")
	m.tls.flags(cmd)
	return cmd
}

// dial connects to the server.
func (m *chatMember) dial(ctx context.Context) (net.Conn, error) {
	s, err := m.to.Connect(ctx, m.a.host)
	if err != nil {
		return nil, failure{"connect to " + m.to.String(), err}
	}
	conn, err := sockeye.NewConn(s)
	if err != nil {
		s.Close()
		return nil, err
	}
	config := m.tls.config(m.to.Host)
	if config == nil {
		return conn, nil
	}
	c := tls.Client(conn, config)
	if err := c.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, failure{m.to.String(), err}
	}
	return c, nil
}
