package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sockeye"
	"sockeye/addr"
	"sockeye/ping"
)

const pingExitStatus = `  0  the host answered
  1  it did not answer at all
  2  it could not be asked: wrong command line, unknown host, no privilege, no route`

func (a *app) pingCommand() *cobra.Command {
	opt := ping.Options{Size: ping.DefaultSize}
	interval, timeout := seconds(ping.DefaultInterval), seconds(ping.DefaultTimeout)
	var four, six bool
	cmd := &cobra.Command{
		Use:   "ping HOST",
		Short: "Ask a host for an echo (ICMP), and measure it",
		Example: `  sockeye ping localhost
  sockeye ping -c 3 -i 0.2 192.0.2.1
  sockeye ping -6 -c 1 --json example.org`,
		Long: `It uses a raw socket where that is allowed, and else a ping socket. Statistics come
at the end, with Ctrl-C as well. Times are in seconds, or written as 200ms.

A JSON line is a reply (event "reply": seq, from, bytes, ttl, rtt_ms, duplicate,
damaged), an error (event "error": seq, from, error) or, at the end, the statistics.`,
		Args:        arguments("HOST"),
		Annotations: map[string]string{"exit": pingExitStatus, "try": "sockeye ping localhost"},
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := pingTarget(args[0], four, six)
			if err != nil {
				return err
			}
			opt.Interval, opt.Timeout = time.Duration(interval), time.Duration(timeout)
			if err := refuse(
				conflict{four && six, "-4 and -6 exclude each other; leave one of them out"},
				conflict{opt.Count < 0, "-c is how many requests to send, and can't be negative"},
				conflict{opt.Size < 0 || opt.Size > ping.MaxSize, fmt.Sprintf("-s is from 0 to %d bytes", ping.MaxSize)},
				conflict{opt.TTL < 0 || opt.TTL > 255, "--ttl is from 1 to 255"},
				conflict{opt.Interval < time.Millisecond, "-i is at least 0.001 seconds"},
				conflict{opt.Timeout <= 0, "-W is a time to wait, and more than 0"},
			); err != nil {
				return err
			}
			return a.ping(cmd.Context(), args[0], to, opt)
		},
	}
	flags := cmd.Flags()
	flags.IntVarP(&opt.Count, "count", "c", 0, "how many requests to send (0: until Ctrl-C)")
	flags.VarP(&interval, "interval", "i", "time between requests")
	flags.IntVarP(&opt.Size, "size", "s", opt.Size, "bytes of data in a request")
	flags.VarP(&timeout, "timeout", "W", "how long to wait for a first answer after the last request")
	flags.IntVarP(&opt.TTL, "ttl", "t", 0, "hops that a request may take (0: the system's choice)")
	flags.BoolVarP(&four, "ipv4", "4", false, "IPv4 only")
	flags.BoolVarP(&six, "ipv6", "6", false, "IPv6 only")
	flags.BoolVar(&opt.Unprivileged, "unprivileged", false, "use a ping socket even where a raw one is allowed")
	return cmd
}

// seconds is a flag that takes 0.2 as well as 200ms.
type seconds time.Duration

func (s *seconds) String() string { return time.Duration(*s).String() }
func (s *seconds) Type() string   { return "time" }
func (s *seconds) Set(v string) error {
	if f, err := strconv.ParseFloat(v, 64); err == nil {
		*s = seconds(f * float64(time.Second))
		return nil
	}
	d, err := time.ParseDuration(v)
	*s = seconds(d)
	if err != nil {
		return errors.New("want seconds, as 0.2, or a unit, as 200ms")
	}
	return nil
}

// pingTarget reads a host, which may be written as icmp://host too.
func pingTarget(word string, four, six bool) (addr.Address, error) {
	if ip, err := netip.ParseAddr(word); err == nil && ip.Is6() {
		word = "[" + word + "]"
	}
	if !strings.Contains(word, "://") {
		word = "icmp://" + word
	}
	to, err := addr.Parse(word)
	switch {
	case err != nil:
		return to, err
	case to.Type != sockeye.SOCK_RAW || to.Protocol != sockeye.IPPROTO_ICMP && to.Protocol != sockeye.IPPROTO_ICMPV6:
		return to, usage("ping asks a host, and %s is more than one; try sockeye ping %s", word, to.Host)
	case four:
		to.Family, to.Protocol = sockeye.AF_INET, sockeye.IPPROTO_ICMP
	case six:
		to.Family, to.Protocol = sockeye.AF_INET6, sockeye.IPPROTO_ICMPV6
	}
	return to, nil
}

// The lines of ping --json.
type (
	pingReply struct {
		Event     string  `json:"event"` // reply
		Seq       int     `json:"seq"`
		From      string  `json:"from"`
		Bytes     int     `json:"bytes"`
		TTL       int     `json:"ttl"`
		RTT       float64 `json:"rtt_ms"`
		Duplicate bool    `json:"duplicate"`
		Damaged   bool    `json:"damaged"`
	}
	pingError struct {
		Event string `json:"event"` // error
		Seq   int    `json:"seq"`
		From  string `json:"from"`
		Error string `json:"error"`
	}
	pingStatistics struct {
		Event      string  `json:"event"` // statistics
		Host       string  `json:"host"`
		Address    string  `json:"address"`
		Sent       int     `json:"sent"`
		Received   int     `json:"received"`
		Duplicates int     `json:"duplicates"`
		Damaged    int     `json:"damaged"`
		Errors     int     `json:"errors"`
		Loss       float64 `json:"loss"` // 0 to 1
		Elapsed    float64 `json:"elapsed_ms"`
		Min        float64 `json:"min_ms"`
		Avg        float64 `json:"avg_ms"`
		Max        float64 `json:"max_ms"`
		Mdev       float64 `json:"mdev_ms"`
	}
)

func (a *app) ping(ctx context.Context, host string, to addr.Address, opt ping.Options) error {
	sa, err := a.route(ctx, to)
	if err != nil {
		return pingFailure(ctx, host, err)
	}
	p, err := ping.Open(a.host, sa, opt)
	if err != nil {
		return pingFailure(ctx, host, err)
	}
	defer p.Close()
	ip := a.ip(sa)
	if !a.json {
		if err := a.output(fmt.Appendf(nil, "PING %s (%s): %d data bytes\n", host, ip, opt.Size)); err != nil {
			return err
		}
	}
	var last error
	for r, err := range p.Replies(ctx) {
		if err != nil {
			last = err
			break
		}
		if err := a.pingReply(r); err != nil {
			return err
		}
	}
	s := p.Statistics()
	if last != nil && s.Sent == 0 {
		return pingFailure(ctx, host, last)
	}
	if err := a.pingStatistics(host, ip, s); err != nil {
		return err
	}
	switch {
	case last != nil:
		return pingFailure(ctx, host, last)
	case s.Received == 0:
		return statusError{statusNetwork, ""}
	}
	return nil
}

func pingFailure(ctx context.Context, host string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return statusError{statusUsage, failure{"ping " + host, err}.Error()}
}

// route gives the first of the host's addresses that a route leads to.
func (a *app) route(ctx context.Context, to addr.Address) (sockeye.Sockaddr, error) {
	infos, err := to.Remote(ctx, a.host)
	if err != nil {
		return sockeye.Sockaddr{}, err
	}
	var first error
	for _, i := range infos {
		// Connecting a datagram socket sends nothing, and looks for a route.
		s, err := a.host.Socket(i.Family, sockeye.SOCK_DGRAM, 0)
		if err == nil {
			err = s.Connect(i.Sockaddr.WithPort(1025))
			s.Close()
		}
		if err == nil || errors.Is(err, syscall.EACCES) {
			return i.Sockaddr, nil
		}
		if first == nil {
			first = err
		}
	}
	return sockeye.Sockaddr{}, first
}

// ip names a host, without a port.
func (a *app) ip(sa sockeye.Sockaddr) string {
	return addr.FromSockaddr(a.host, sa, sockeye.SOCK_RAW, 0).Host
}

func (a *app) pingReply(r ping.Reply) error {
	from := a.ip(r.From)
	switch {
	case a.json && r.Err != nil:
		return a.object(pingError{"error", r.Seq, from, explain(r.Err)})
	case a.json:
		return a.object(pingReply{"reply", r.Seq, from, r.Size, r.TTL, ping.Milliseconds(r.RTT), r.Duplicate, r.Damaged})
	case r.Err != nil:
		return a.output(fmt.Appendf(nil, "from %s: seq=%d %s\n", from, r.Seq, explain(r.Err)))
	}
	text := fmt.Sprintf("%d bytes from %s: seq=%d ttl=%d time=%.3f ms", r.Size, from, r.Seq, r.TTL, ping.Milliseconds(r.RTT))
	if r.Duplicate {
		text += " (DUP!)"
	}
	if r.Damaged {
		text += " (DAMAGED!)"
	}
	return a.output([]byte(text + "\n"))
}

func (a *app) pingStatistics(host, ip string, s ping.Statistics) error {
	if !a.json {
		return a.output(fmt.Appendf(nil, "\n--- %s ping statistics ---\n%s\n", host, s))
	}
	ms := ping.Milliseconds
	return a.object(pingStatistics{
		"statistics", host, ip, s.Sent, s.Received, s.Duplicates, s.Damaged, s.Errors, s.Loss(),
		ms(s.Elapsed), ms(s.Min), ms(s.Avg), ms(s.Max), ms(s.Mdev),
	})
}
