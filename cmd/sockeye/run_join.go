package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"sockeye/cmd/sockeye/labctl"
	"sockeye/cmd/sockeye/labjoin"
)

// A member is a program that is a host of a lab.
type member struct {
	*labjoin.Membership
	lab    string
	ending chan struct{} // closed with the program's end
}

// joinFlags are those that go with --join: all others are about the gateway, which is not there.
var joinFlags = []string{"join", "help", "verbose", "json"}

// joined is the network of a program that is a host of a lab.
func (r *runner) joined(ctx context.Context, flags *pflag.FlagSet) (*network, error) {
	lab, host, ok := strings.Cut(r.join, "/")
	if !ok || lab == "" || host == "" || strings.Contains(host, "/") {
		return nil, usage("--join %q: want LAB/HOST, as demo/alice", r.join)
	}
	var err error
	flags.Visit(func(f *pflag.Flag) {
		if err == nil && !slices.Contains(joinFlags, f.Name) {
			err = usage("--%s is for a network of the program's own; with --join it is on the lab's, where sockeye fault sets faults", f.Name)
		}
	})
	if err != nil {
		return nil, err
	}
	conn, err := labctl.Dial(ctx, lab)
	if err != nil {
		return nil, statusError{statusOwn, "--join " + r.join + ": " + err.Error()}
	}
	m, err := labjoin.Join(ctx, conn, host)
	if err != nil {
		return nil, statusError{statusOwn, "--join " + r.join + ": " + err.Error()}
	}
	n := &network{a: r.a, member: &member{m, lab, make(chan struct{})}}
	n.plan.Place = m.Place
	n.plan.Resolv = "# names of the lab are in /etc/hosts\n"
	n.plan.Hosts = hostsFile(m.Place)
	return n, nil
}

// hostsFile is the /etc/hosts of a host of a lab (hosts(5)).
func hostsFile(p labjoin.Place) string {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost\n")
	for _, name := range slices.Sorted(maps.Keys(p.Names)) {
		for _, ip := range p.Names[name] {
			fmt.Fprintf(&b, "%v\t%s\n", ip, name)
		}
	}
	return b.String()
}

// begin gives the lab the devices, and watches over it.
func (m *member) begin(devices []int, a *app) error {
	if err := m.Give(devices); err != nil {
		return err
	}
	go func() {
		m.Wait()
		select {
		case <-m.ending:
		default:
			a.console.event(event{Event: "failed", Error: "the lab " + m.lab + " has ended: the program has no network any more"})
		}
	}()
	return nil
}

// end gives the place back.
func (m *member) end() {
	close(m.ending)
	m.Close()
}
