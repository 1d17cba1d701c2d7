package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sockeye"
	"sockeye/cmd/sockeye/labjoin"
	"sockeye/gateway"
	"sockeye/link"
)

// A runner runs a program on a network of its own.
type runner struct {
	a *app

	delay, jitter seconds
	loss          share
	rate          rates
	profile       string
	mtu           int
	capture       string
	ladder        string
	publish       []string
	allow, deny   []string
	hostLoopback  bool
	dns           []string
	join          string
}

const runExitStatus = `  that of the program; it ends by the same signal as the program did
  2    the command line is wrong
  125  the network did not come up
  126  the program can't be run
  127  there is no such program`

func (a *app) runCommand() *cobra.Command {
	r := &runner{a: a}
	cmd := &cobra.Command{
		Use:   "run [flags] -- PROGRAM [ARGS]",
		Short: "Run a program on a network of its own, with faults, without root",
		Example: `  sockeye run -- curl https://example.org
  sockeye run --profile 3g -- firefox
  sockeye run --delay 80ms --jitter 10ms --loss 1% --rate 5mbit -- iperf3 -c host
  sockeye run --publish 8080:80 -- nginx -g 'daemon off;'
  sockeye run --allow example.org:443 -- ./installer   # nothing else is reachable
  sockeye run --capture out.pcapng -- ./program        # for Wireshark
  sockeye run --loss 5% --ladder - -- curl http://example.org   # packet by packet
  sockeye run --host-loopback -- curl http://198.18.0.3:8080
  sockeye run --join demo/alice -- curl http://bob     # on a lab that sockeye up runs`,
		Long: `The program is unmodified, a static binary too. It gets a network namespace with one
interface, of which the other end is a gateway in pure Go: that carries TCP, UDP and ping
of IPv4 and IPv6 out through this machine's own sockets. So the program reaches what you
reach, by its user's own right, and sees the same errors. Terminal, standard streams,
signals and the exit status are the program's.

Faults are on each way: with --delay 80ms a ping takes 160ms. A profile has them all:
` + profileList() + `; flags given with it change it.

The program's address is 198.18.0.2; 198.18.0.1, the gateway, answers for names as this
machine's nameservers do. This machine's loopback is out of reach, unless --host-loopback
makes it the address 198.18.0.3. A RULE is HOST, ADDRESS or NETWORK, with :PORT or
:FIRST-LAST behind it if need be, or :PORT alone; what is denied meets "no route to host".
What listens inside is published at this machine's 127.0.0.1, or another ADDR.

With --join the program is a host of a lab instead: it has that host's addresses, routes
and links, and the names of the lab.`,
		Args:        runArguments,
		Annotations: map[string]string{"exit": runExitStatus},
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := program(args[0])
			if err != nil {
				return err
			}
			n, err := r.network(cmd)
			if err != nil {
				return err
			}
			return n.run(path, args)
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false)
	flags.Var(&r.delay, "delay", "time that packets take, each way")
	flags.Var(&r.jitter, "jitter", "by how much that varies")
	flags.Var(&r.loss, "loss", "share of packets that are lost, each way, as 1% or 0.01")
	flags.Var(&r.rate, "rate", "bits per second, as 5mbit, or DOWN/UP, as 20mbit/1mbit")
	flags.StringVar(&r.profile, "profile", "", "behave as a kind of access does, as 3g")
	flags.IntVar(&r.mtu, "mtu", 0, "bytes of a packet (default 65520, and with faults 1500)")
	flags.StringVar(&r.capture, "capture", "", "write the program's packets to this file (pcapng)")
	flags.StringVar(&r.ladder, "ladder", "", "at the end, draw who sent what when, and what was lost, to this file; -: standard error")
	flags.StringArrayVar(&r.publish, "publish", nil, "[ADDR:]PORT[:INSIDE][/udp]: lead a port of this machine to the program's")
	flags.StringArrayVar(&r.allow, "allow", nil, "RULE: let the program reach this, and nothing else that is not allowed")
	flags.StringArrayVar(&r.deny, "deny", nil, "RULE: do not let the program reach this")
	flags.BoolVar(&r.hostLoopback, "host-loopback", false, "let 198.18.0.3 and fd00:5eaf::3 be this machine's loopback")
	flags.StringVar(&r.join, "join", "", "LAB/HOST: be a host of a lab that is up")
	flags.StringArrayVar(&r.dns, "dns", nil, "ask this nameserver, instead of those in /etc/resolv.conf")
	return cmd
}

func profileList() string {
	return "  " + strings.Join(link.ProfileNames(), ", ")
}

func runArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage("sockeye run wants a program; try sockeye run -- curl https://example.org")
	}
	return nil
}

// program finds the program as a shell does.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil, errors.Is(err, exec.ErrDot):
		return path, nil
	case errors.Is(err, os.ErrPermission):
		return "", statusError{statusNotRunnable, name + ": permission denied: it is no program that you may run"}
	}
	return "", statusError{statusNotFound, name + ": no such program"}
}

// Exit statuses of run, as of env(1).
const (
	statusOwn         = 125
	statusNotRunnable = 126
	statusNotFound    = 127
)

// The network of the program. 198.18.0.0/15 is for tests of networks (RFC 2544), and the other a prefix of
// RFC 4193: what a machine talks to is in neither.
var (
	everything    = prefixes("0.0.0.0/0", "::/0")
	insideAddrs   = prefixes("198.18.0.2/29", "fd00:5eaf::2/64")
	gatewayAddrs  = prefixes("198.18.0.1/29", "fd00:5eaf::1/64")
	loopbackAlias = map[netip.Addr]netip.Addr{
		netip.MustParseAddr("198.18.0.3"):   netip.MustParseAddr("127.0.0.1"),
		netip.MustParseAddr("fd00:5eaf::3"): netip.IPv6Loopback(),
	}
)

func prefixes(words ...string) (list []netip.Prefix) {
	for _, w := range words {
		list = append(list, netip.MustParsePrefix(w))
	}
	return list
}

// network is what the flags ask for.
func (r *runner) network(cmd *cobra.Command) (*network, error) {
	if cmd.Flags().Changed("join") {
		return r.joined(cmd.Context(), cmd.Flags())
	}
	n := &network{a: r.a, capture: r.capture, ladder: r.ladder}
	n.config = gateway.Config{Outside: r.a.host, Addrs: gatewayAddrs}
	if r.hostLoopback {
		n.config.Aliases = loopbackAlias
	}
	var err error
	if n.down, n.up, err = r.faults(cmd.Flags().Changed); err != nil {
		return nil, err
	}
	mtu := r.mtu
	switch {
	case mtu != 0:
	case n.faulty():
		mtu = link.EthernetMTU // a rate in packets of 64 KB comes in jerks
	default:
		mtu = 65520 // a packet of IPv4 holds no more, and a round number of cache lines no less
	}
	if err := refuse(
		conflict{mtu < 1280 || mtu > 65535, "--mtu is from 1280, which IPv6 needs, to 65535"},
	); err != nil {
		return nil, err
	}
	n.plan.Interfaces = []labjoin.Interface{{Name: "sockeye0", MTU: mtu, Addrs: insideAddrs}}
	for i, g := range gatewayAddrs {
		n.plan.Routes = append(n.plan.Routes, labjoin.Route{Dst: everything[i], Gateway: g.Addr()})
	}
	if n.config.Policy.Allow, err = rules("--allow", r.allow); err != nil {
		return nil, err
	}
	if n.config.Policy.Deny, err = rules("--deny", r.deny); err != nil {
		return nil, err
	}
	for _, word := range r.publish {
		p, err := parsePublication(word)
		if err != nil {
			return nil, err
		}
		n.published = append(n.published, p)
	}
	if err := n.resolve(r.dns); err != nil {
		return nil, err
	}
	return n, nil
}

// faults are those of a profile, and of the flags that were given.
func (r *runner) faults(given func(string) bool) (down, up link.Faults, err error) {
	if r.profile != "" {
		p, ok := link.ProfileNamed(r.profile)
		if !ok {
			return down, up, usage("--profile %q: there is no such profile; there are %s", r.profile, strings.TrimSpace(profileList()))
		}
		down, up = p.Down, p.Up
	}
	for i, f := range []*link.Faults{&down, &up} {
		if given("delay") {
			f.Delay = r.delay.duration()
		}
		if given("jitter") {
			f.Jitter = r.jitter.duration()
		}
		if given("loss") {
			f.Loss = float64(r.loss)
		}
		if given("rate") {
			f.Rate = r.rate[i]
		}
		// Only what is faulty overtakes, and a link by itself does not.
		f.KeepOrder = f.KeepOrder || f.Jitter > 0
	}
	return down, up, refuse(
		conflict{r.delay < 0 || r.jitter < 0, "--delay and --jitter are times, and can't be negative"},
		conflict{r.jitter > 0 && down.Delay == 0, "--jitter varies a delay; add one, as --delay 80ms"},
	)
}

func rules(flag string, words []string) (list []gateway.Rule, err error) {
	for _, w := range words {
		r, err := gateway.ParseRule(w)
		if err != nil {
			return nil, usage("%s %v", flag, err)
		}
		list = append(list, r)
	}
	return list, nil
}

// A publication is a port of this machine that leads to one of the program's.
type publication struct {
	typ    sockeye.Type
	at     netip.AddrPort
	inside uint16
}

// parsePublication reads [ADDR:]PORT[:INSIDE][/udp].
func parsePublication(word string) (p publication, err error) {
	wrong := func(why string) (publication, error) {
		return p, usage("--publish %q: %s; want [ADDR:]PORT[:INSIDE], as 8080:80, with /udp behind it for UDP", word, why)
	}
	rest, protocol, _ := strings.Cut(word, "/")
	switch protocol {
	case "", "tcp":
		p.typ = sockeye.SOCK_STREAM
	case "udp":
		p.typ = sockeye.SOCK_DGRAM
	default:
		return wrong(fmt.Sprintf("%q is neither tcp nor udp", protocol))
	}
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if host, ports, ok := cutAddress(rest); ok {
		if ip, err = netip.ParseAddr(host); err != nil {
			return wrong(fmt.Sprintf("%q is no address", host))
		}
		rest = ports
	}
	outside, inside, both := strings.Cut(rest, ":")
	if !both {
		inside = outside
	}
	from, errFrom := strconv.ParseUint(outside, 10, 16)
	to, errTo := strconv.ParseUint(inside, 10, 16)
	if errFrom != nil || errTo != nil || to == 0 {
		return wrong("a port is from 1 to 65535, outside also 0 for any that is free")
	}
	p.at, p.inside = netip.AddrPortFrom(ip, uint16(from)), uint16(to)
	return p, nil
}

// cutAddress cuts an address, IPv6 in brackets, off what is in front of ports.
func cutAddress(s string) (host, rest string, ok bool) {
	if strings.HasPrefix(s, "[") {
		host, rest, ok = strings.Cut(s[1:], "]:")
		return host, rest, ok
	}
	if host, rest, ok = strings.Cut(s, ":"); !ok || !strings.ContainsAny(host, ".abcdefghijklmnopqrstuvwxyz") {
		return "", s, false
	}
	return host, rest, true
}

// resolve finds the nameservers, and writes the program's /etc/resolv.conf: the gateway is its nameserver,
// and the rest is as it was.
func (n *network) resolve(asked []string) error {
	var kept []string
	file, err := os.ReadFile("/etc/resolv.conf")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return statusError{statusOwn, err.Error()}
	}
	for line := range strings.Lines(string(file)) {
		words := strings.Fields(line)
		switch {
		case len(words) >= 2 && words[0] == "nameserver":
			if at, err := nameserver(words[1]); err == nil && len(asked) == 0 {
				n.config.Nameservers = append(n.config.Nameservers, at)
			}
		case len(words) > 0 && !strings.HasPrefix(words[0], "#") && !strings.HasPrefix(words[0], ";"):
			kept = append(kept, strings.TrimSpace(line))
		}
	}
	for _, word := range asked {
		at, err := nameserver(word)
		if err != nil {
			return usage("--dns %q is no address; want one as 192.0.2.53, or with a port as 127.0.0.1:5353", word)
		}
		n.config.Nameservers = append(n.config.Nameservers, at)
	}
	if len(n.config.Nameservers) == 0 { // resolv.conf(5)
		n.config.Nameservers = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}
	}
	lines := slices.Concat([]string{"nameserver " + gatewayAddrs[0].Addr().String()}, kept)
	n.plan.Resolv = strings.Join(lines, "\n") + "\n"
	return nil
}

// nameserver is an address, perhaps with a zone or a port.
func nameserver(word string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(word)
	if err != nil {
		ip, err := netip.ParseAddr(word)
		if err != nil {
			return at, err
		}
		at = netip.AddrPortFrom(ip, 53)
	}
	if zone := at.Addr().Zone(); zone != "" {
		if i, err := net.InterfaceByName(zone); err == nil {
			at = netip.AddrPortFrom(at.Addr().WithZone(strconv.Itoa(i.Index)), at.Port())
		}
	}
	return at, nil
}

// listen opens the socket of a publication on this machine.
func (p publication) listen(ctx context.Context, h *sockeye.Host) (*sockeye.Socket, error) {
	family := sockeye.AF_INET
	if p.at.Addr().Is6() {
		family = sockeye.AF_INET6
	}
	s, err := h.Socket(family, p.typ, 0)
	if err != nil {
		return nil, err
	}
	if p.typ == sockeye.SOCK_STREAM {
		err = sockeye.SO_REUSEADDR.Set(s, true)
	}
	if err == nil {
		err = s.Bind(sockeye.SockaddrInet(p.at))
	}
	if err == nil && p.typ == sockeye.SOCK_STREAM {
		err = s.Listen(4096)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
