package main

import (
	"errors"
	"syscall"

	"github.com/spf13/cobra"

	"sockeye"
)

var (
	families = []sockeye.Family{
		sockeye.AF_UNIX, sockeye.AF_INET, sockeye.AF_INET6,
		sockeye.AF_IPX, sockeye.AF_APPLETALK, sockeye.AF_NS, sockeye.AF_ISO,
	}
	types = []struct {
		name string
		typ  sockeye.Type
		icmp bool // of the family's ICMP
	}{
		{"STREAM", sockeye.SOCK_STREAM, false},
		{"DGRAM", sockeye.SOCK_DGRAM, false},
		{"SEQPACKET", sockeye.SOCK_SEQPACKET, false},
		{"RDM", sockeye.SOCK_RDM, false},
		{"RAW", sockeye.SOCK_RAW, true},
		{"PING", sockeye.SOCK_DGRAM, true},
	}
)

func (a *app) familiesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "families",
		Short: "What sockets this machine opens, family by type",
		Example: `  sockeye families
  sockeye families --json`,
		Long: `It opens one socket of each kind and tells the errno where it could not. RAW is a
raw socket and PING an unprivileged one (SOCK_DGRAM), both of the family's ICMP; the
others are of protocol 0. A JSON line has family, type, protocol, open and errno.`,
		Args: cobra.MatchAll(noArguments),
		RunE: func(*cobra.Command, []string) error { return a.families() },
	}
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s wants no address, but there is %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// A kind is one line of families --json.
type kind struct {
	Family   string  `json:"family"`
	Type     string  `json:"type"`
	Protocol string  `json:"protocol,omitempty"`
	Open     bool    `json:"open"`
	Errno    *string `json:"errno"` // null if it opened
}

func (a *app) families() error {
	names := []string{"FAMILY"}
	for _, t := range types {
		names = append(names, t.name)
	}
	var rows [][]string
	for _, f := range families {
		row := []string{f.String()}
		for _, t := range types {
			if t.name == "PING" && f != sockeye.AF_INET && f != sockeye.AF_INET6 {
				row = append(row, "-")
				continue
			}
			k := a.probe(f, t.typ, t.icmp)
			if a.json {
				if err := a.object(k); err != nil {
					return err
				}
			}
			if k.Open {
				row = append(row, "yes")
			} else {
				row = append(row, *k.Errno)
			}
		}
		rows = append(rows, row)
	}
	if a.json {
		return nil
	}
	return a.table(names, rows)
}

func (a *app) probe(f sockeye.Family, t sockeye.Type, icmp bool) kind {
	proto := sockeye.Protocol(0)
	switch {
	case icmp && f == sockeye.AF_INET:
		proto = sockeye.IPPROTO_ICMP
	case icmp && f == sockeye.AF_INET6:
		proto = sockeye.IPPROTO_ICMPV6
	}
	k := kind{Family: f.String(), Type: t.String(), Open: true}
	if proto != 0 {
		k.Protocol = proto.String()
	}
	s, err := a.host.Socket(f, t, proto)
	if err != nil {
		name := oneLine(err.Error())
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			name = sockeye.ErrnoName(errno)
		}
		k.Open, k.Errno = false, &name
		return k
	}
	s.Close()
	return k
}
