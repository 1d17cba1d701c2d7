package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// A zone is what the names of a network mean. Names are kept in lower case and without a dot at their end.
type zone struct {
	mu       sync.Mutex
	hosts    map[string][]netip.Addr // their own names
	given    map[string][]netip.Addr // by SetName, in place of those
	owners   map[netip.Addr]string   // of the hosts' addresses
	services map[string][]net.SRV    // by names as _http._tcp.web
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// addrs are those of a name; false: there is no such name.
func (z *zone) addrs(name string) ([]netip.Addr, bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	name = canonical(name)
	list, ok := z.given[name]
	if !ok {
		list, ok = z.hosts[name]
	}
	return list, ok
}

// namesOf are the names that have an address.
func (z *zone) namesOf(a netip.Addr) (names []string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if host, ok := z.owners[a]; ok {
		names = append(names, host)
	}
	for _, name := range slices.Sorted(maps.Keys(z.given)) {
		if slices.Contains(z.given[name], a) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// servers are those of a service; false: there is no such name.
func (z *zone) servers(name string) ([]net.SRV, bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	list, ok := z.services[canonical(name)]
	return list, ok
}

// all are the names with addresses.
func (z *zone) all() map[string][]netip.Addr {
	z.mu.Lock()
	defer z.mu.Unlock()
	names := maps.Clone(z.hosts)
	maps.Copy(names, z.given)
	for name, addrs := range names {
		names[name] = slices.Clone(addrs)
	}
	return names
}

// Names are all that hosts can look up, with their addresses.
func (n *Network) Names() map[string][]netip.Addr {
	n.start()
	return n.zone.all()
}

// SetName gives a name addresses, besides the names of hosts or in place of those of one, from now on. With no
// address the name exists and has none. It may be called at any time.
func (n *Network) SetName(name string, addrs ...netip.Addr) {
	n.zone.mu.Lock()
	defer n.zone.mu.Unlock()
	n.zone.given[canonical(name)] = slices.Clone(addrs)
}

// SetService says which servers a service of a name has, from now on, as a SRV record (RFC 2782):
//
//	n.SetService("http", "tcp", "shop", net.SRV{Target: "web1", Port: 8080, Weight: 1})
func (n *Network) SetService(service, proto, name string, servers ...net.SRV) {
	n.zone.mu.Lock()
	defer n.zone.mu.Unlock()
	n.zone.services[canonical(fmt.Sprintf("_%s._%s.%s", service, proto, name))] = slices.Clone(servers)
}

// Resolver is how programs on the host look names up: package net's own resolver (PreferGo), which asks the
// name servers of the network (NameServer) in turn, over the network. If there are none it is answered without a packet. The
// machine's /etc/hosts comes first, and addresses come in the order of RFC 6724 as package net sees it.
//
// Dial and its like do without: they find names in a table that each host has, in no time and whatever the state of the
// network, as in /etc/hosts, or ask as the Resolver does if HostConfig.DNS says so.
func (h *Host) Resolver() *net.Resolver { return &net.Resolver{PreferGo: true, Dial: h.dialNames} }

// dialNames is net.Resolver.Dial. The address is from the machine's configuration.
func (h *Host) dialNames(ctx context.Context, network, _ string) (net.Conn, error) {
	n := h.net
	n.start()
	if len(n.nameServers) == 0 {
		near, far := net.Pipe()
		go n.answerStream(far)
		return near, nil
	}
	server := n.nameServers[int(h.lookups.Add(1)-1)%len(n.nameServers)]
	return h.DialContext(ctx, network, netip.AddrPortFrom(server.Addrs()[0], namePort).String())
}

// lookup is stack.Config.Lookup.
func (h *Host) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	if !h.config.DNS {
		list, ok := h.net.zone.addrs(name)
		if !ok {
			return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
		}
		return list, nil
	}
	list, err := h.Resolver().LookupNetIP(ctx, "ip", name)
	slices.SortStableFunc(list, func(a, b netip.Addr) int { return version(a.Unmap()) - version(b.Unmap()) })
	return list, err
}

// Package net makes a channel at its first lookup, which would belong to the testing/synctest bubble that looked
// something up first, and be of no use to others. So there is a lookup before all bubbles, which asks nobody.
func init() {
	nobody := errors.New("nobody is asked")
	r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, nobody }}
	r.LookupHost(context.Background(), "name.invalid")
}
