package gateway

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Policy says what may be reached: what a rule of Deny is about may not; if there are rules in
// Allow, only what one of them is about may.
type Policy struct{ Allow, Deny []Rule }

// A Rule is about addresses and ports: all that it leaves out is any.
type Rule struct {
	Host        string       // a name; its addresses are those that the nameservers give for it
	Net         netip.Prefix // or a network
	First, Last uint16       // ports; 0 and 0: all
}

// ParseRule reads HOST, ADDRESS or NETWORK, each with :PORT or :FIRST-LAST behind it, or alone :PORT. An
// IPv6 address that a port follows is in brackets.
func ParseRule(s string) (r Rule, err error) {
	host, ports := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && (strings.Count(s, ":") == 1 || s[max(0, i-1)] == ']') {
		host, ports = s[:i], s[i+1:]
		if ports == "" {
			return r, fmt.Errorf("%q has no port behind the colon; want one, as in %s443", s, s)
		}
	}
	if ports != "" {
		first, last, is := strings.Cut(ports, "-")
		if !is {
			last = first
		}
		a, errA := strconv.ParseUint(first, 10, 16)
		b, errB := strconv.ParseUint(last, 10, 16)
		if errA != nil || errB != nil || a == 0 || a > b {
			return r, fmt.Errorf("%q: %q is no port; want 1 to 65535, or a range as 8000-8080", s, ports)
		}
		r.First, r.Last = uint16(a), uint16(b)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "" {
		if ports == "" {
			return r, fmt.Errorf("an empty rule; want a host, network or port, as in example.org:443")
		}
		return r, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		r.Net = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen())
		return r, nil
	}
	if strings.Contains(host, "/") {
		if r.Net, err = netip.ParsePrefix(host); err != nil {
			return r, fmt.Errorf("%q: %q is no network; want one as 10.0.0.0/8", s, host)
		}
		return r, nil
	}
	if strings.ContainsAny(host, ":[] ") {
		return r, fmt.Errorf("%q: %q is neither an address nor a name; want HOST:PORT, NETWORK or [IPv6]:PORT", s, host)
	}
	r.Host = canonical(host)
	return r, nil
}

// canonical is a name as names are compared.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// learned are the addresses of the names that rules are about.
type learned struct {
	mu sync.Mutex
	of map[string][]netip.Addr // a rule's name; all are there from the beginning
}

// learnPolicy looks up the names in the rules: a program may know their addresses without having
// asked the gateway.
func (g *Gateway) learnPolicy() {
	g.names.of = make(map[string][]netip.Addr)
	for _, r := range slices.Concat(g.Policy.Allow, g.Policy.Deny) {
		if r.Host != "" {
			g.names.of[r.Host] = nil
		}
	}
	var asking sync.WaitGroup
	for _, name := range slices.Collect(maps.Keys(g.names.of)) { // the answers change the map
		for _, typ := range []queryType{queryA, queryAAAA} {
			asking.Go(func() {
				ctx, cancel := context.WithTimeout(g.ctx, 2*nameTimeout)
				defer cancel()
				q, err := question(name, typ)
				if err != nil {
					return // it has no addresses
				}
				if answer, err := g.ask(ctx, q); err == nil {
					g.names.learn(answer)
				}
			})
		}
	}
	asking.Wait()
}

func (n *learned) addrs(name string) []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.of[name]
}

// admits tells whether the policy lets a destination be reached.
func (g *Gateway) admits(to netip.AddrPort) bool {
	is := func(r Rule) bool { return g.about(r, to) }
	if slices.ContainsFunc(g.Policy.Deny, is) {
		return false
	}
	return len(g.Policy.Allow) == 0 || slices.ContainsFunc(g.Policy.Allow, is)
}

// about tells whether a rule is about a destination. A port of 0 is that of protocols without ports, which
// rules without ports are about.
func (g *Gateway) about(r Rule, to netip.AddrPort) bool {
	switch {
	case r.First != 0 && (to.Port() < r.First || to.Port() > r.Last):
		return false
	case r.Host != "":
		return slices.Contains(g.names.addrs(r.Host), to.Addr())
	case r.Net.IsValid():
		return r.Net.Contains(to.Addr())
	}
	return true
}
