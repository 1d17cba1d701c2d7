package labfile

import (
	"net/netip"
	"slices"

	yaml "go.yaml.in/yaml/v4"
)

// A segment is hosts that reach each other without a router.
type segment struct {
	name     string
	prefixes [2]netip.Prefix // of IPv4 and IPv6, if a host was given an address there
}

// checkNetwork finds networks that cannot be: circles of switches, and addresses that do not fit.
func (r *reader) checkNetwork(document *yaml.Node) {
	f := r.file
	links, hosts := value(document, "links"), value(document, "hosts")
	root := make(map[string]string) // of a switch: another one of its segment, if it is not the first
	find := func(s string) string {
		for root[s] != "" {
			s = root[s]
		}
		return s
	}
	for i, l := range f.Links {
		if !slices.Contains(f.Switches, l.Ends[0]) || !slices.Contains(f.Switches, l.Ends[1]) {
			continue
		}
		a, b := find(l.Ends[0]), find(l.Ends[1])
		if a == b {
			r.errorf(item(links, i), "link %s makes a circle of switches, in which packets would go round for ever", l.Name)
			return
		}
		root[b] = a
	}
	segments := make(map[string]*segment)
	at := make(map[string][]*segment) // where a host is, by its links in turn
	for _, l := range f.Links {
		name := "link " + l.Name
		for _, end := range l.Ends {
			if slices.Contains(f.Switches, end) {
				name = "switch " + find(end)
			}
		}
		if segments[name] == nil {
			segments[name] = &segment{name: name}
		}
		for _, end := range l.Ends {
			at[end] = append(at[end], segments[name])
		}
	}
	owners := make(map[netip.Addr]string)
	for i := range f.Hosts {
		h := &f.Hosts[i]
		if !r.place(item(hosts, 2*i+1), h, at[h.Name], owners) {
			return
		}
	}
}

// place puts the addresses that a host was given at its links, in turn.
func (r *reader) place(n *yaml.Node, h *Host, at []*segment, owners map[netip.Addr]string) bool {
	var next [2]int
	for _, a := range h.Addresses {
		v := 0
		if a.Addr().Is6() {
			v = 1
		}
		if next[v] == len(at) {
			r.errorf(n, "host %s has the address %v, and no link for it: it has %d of them", h.Name, a, len(at))
			return false
		}
		s := at[next[v]]
		next[v]++
		switch o := owners[a.Addr()]; {
		case o != "":
			r.errorf(n, "host %s has the address %v, which host %s has already", h.Name, a.Addr(), o)
			return false
		case s.prefixes[v].IsValid() && s.prefixes[v] != a.Masked():
			r.errorf(n, "host %s has the address %v at %s, where the network is %v", h.Name, a, s.name, s.prefixes[v])
			return false
		}
		owners[a.Addr()], s.prefixes[v] = h.Name, a.Masked()
	}
	return true
}
