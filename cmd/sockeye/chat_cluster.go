package main

import (
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"sockeye"
	"sockeye/addr"
	"sockeye/cmd/sockeye/chat"
)

// clusterFlags are what a chat server's flags say of others to share rooms with.
type clusterFlags struct {
	cluster, nats, secret string
	peers                 []string

	mesh chat.Mesh
}

func (c *clusterFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.cluster, "cluster", "", "share rooms with other servers, which reach this one at this address")
	cmd.Flags().StringSliceVar(&c.peers, "peer", nil, "the --cluster address of another server")
	cmd.Flags().StringVar(&c.secret, "secret", "", "what the servers of the cluster know, and no other")
	cmd.Flags().StringVar(&c.nats, "nats", "", "share rooms with other servers through the NATS servers at these URLs")
}

func (c *clusterFlags) check() (err error) {
	if err := refuse(
		conflict{c.cluster != "" && c.nats != "", "--cluster runs a NATS server and --nats uses others; choose one"},
		conflict{c.cluster == "" && len(c.peers) > 0, "--peer wants --cluster too, such as --cluster 6222, so that others reach this server"},
		conflict{c.cluster == "" && c.secret != "", "--secret is for --cluster"},
	); err != nil || c.cluster == "" {
		return err
	}
	if c.mesh.Listen, err = clusterAddress("--cluster", c.cluster, false); err != nil {
		return err
	}
	for _, p := range c.peers {
		at, err := clusterAddress("--peer", p, true)
		if err != nil {
			return err
		}
		c.mesh.Peers = append(c.mesh.Peers, at)
	}
	c.mesh.Secret = c.secret
	return nil
}

// clusterAddress reads a TCP address. One to connect to needs a host.
func clusterAddress(flag, text string, connect bool) (string, error) {
	at, err := addr.Parse(text)
	if err != nil {
		return "", err
	}
	if at.Type != sockeye.SOCK_STREAM || at.Family == sockeye.AF_UNIX {
		return "", usage("%s is for TCP, and %s is something else; try host:6222", flag, at)
	}
	if connect && at.Host == "" {
		at.Host = "localhost"
	}
	return net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port))), nil
}

// share makes a server share its rooms, if that was asked for. leave ends it.
func (c *clusterFlags) share(a *app, s *chat.Server) (leave func(), err error) {
	switch {
	case c.cluster != "":
		c.mesh.ID = s.ID()
		e, err := chat.Embed(c.mesh)
		if err != nil {
			return nil, failure{"--cluster " + c.cluster, err}
		}
		unshare, err := s.Share(e.Conn)
		if err != nil {
			e.Close()
			return nil, failure{"--cluster " + c.cluster, err}
		}
		a.console.event(event{Event: "cluster", Address: "tcp://" + e.Addr.String()})
		return func() { unshare(); e.Close() }, nil
	case c.nats != "":
		nc, err := chat.Connect(c.nats)
		if err != nil {
			return nil, err
		}
		unshare, err := s.Share(nc)
		if err != nil {
			nc.Close()
			return nil, failure{"--nats " + c.nats, err}
		}
		return func() { unshare(); nc.Close() }, nil
	}
	return func() {}, nil
}
