package labup

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sockeye/lab"
	"sockeye/link"
)

// A State is what a lab is like at a moment, in short.
type State struct {
	Lab    string      `json:"lab"`
	Up     float64     `json:"up_s"`
	Hosts  []HostState `json:"hosts"`
	Links  []LinkState `json:"links"`
	Pairs  []PairState `json:"pairs,omitempty"`  // of hosts with faults of their own
	Parted [][2]string `json:"parted,omitempty"` // pairs of hosts that do not reach each other
	Ports  []Port      `json:"ports"`
}

// A HostState is that of a host.
type HostState struct {
	Name      string       `json:"name"`
	Up        bool         `json:"up"`
	Router    bool         `json:"router,omitempty"`
	Addresses []netip.Addr `json:"addresses"`
	Runs      []string     `json:"runs,omitempty"`
	Sockets   int          `json:"sockets"`
}

// A LinkState is that of a link.
type LinkState struct {
	Name string      `json:"name"`
	Ways [2]WayState `json:"ways"`
}

// A WayState is that of one direction of a link.
type WayState struct {
	From    string `json:"from"`
	Down    bool   `json:"down"`
	Faults  string `json:"faults,omitempty"` // as sockeye fault takes them
	Packets uint64 `json:"packets"`          // that were sent into it
	Bytes   uint64 `json:"bytes"`            // that came out of it
	Lost    uint64 `json:"lost"`             // packets
	Queued  int    `json:"queued"`           // packets
}

// A PairState is that of what one host sends to another, wherever it passes.
type PairState struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Faults string `json:"faults"`
}

// State is what the lab is like now.
func (l *Lab) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := State{Lab: l.file.Name, Up: time.Since(l.begun).Seconds(), Ports: l.ports()}
	for i := range l.file.Hosts {
		f := &l.file.Hosts[i]
		h := l.hosts[f.Name].node
		add := HostState{Name: f.Name, Up: h.IsUp(), Router: f.Router, Addresses: h.Addrs(), Sockets: len(h.Stack().ListSockets())}
		for _, p := range f.Run {
			add.Runs = append(add.Runs, p.String())
		}
		s.Hosts = append(s.Hosts, add)
	}
	for _, f := range l.file.Links {
		w := l.links[f.Name]
		add := LinkState{Name: f.Name}
		for i, end := range w.ends {
			f := w.link.Faults(end)
			partition := f.Partition
			f.Partition = false
			c := w.link.Stats(end)
			add.Ways[i] = WayState{
				From: end.Name(), Down: partition || w.link.IsCut(), Faults: f.String(), Packets: c.Packets[link.Sent],
				Bytes: c.Bytes[link.Delivered], Lost: lab.Lost(c), Queued: c.Queued,
			}
		}
		s.Links = append(s.Links, add)
	}
	for pair := range l.pairs {
		if f := l.net.FaultsFromTo(l.hosts[pair[0]].node, l.hosts[pair[1]].node); f != (link.Faults{}) {
			s.Pairs = append(s.Pairs, PairState{pair[0], pair[1], f.String()})
		}
	}
	slices.SortFunc(s.Pairs, func(a, b PairState) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
	})
	for _, p := range l.net.Parted() {
		s.Parted = append(s.Parted, [2]string{p[0].Name(), p[1].Name()})
	}
	return s
}

// Ports are the ports of this machine that lead into the lab, in the order of the file.
func (l *Lab) Ports() []Port {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ports()
}

func (l *Lab) ports() []Port {
	all := []Port{}
	for i := range l.file.Hosts {
		f := &l.file.Hosts[i]
		for _, w := range f.Forward {
			if j := l.hosts[f.Name].jobs[key("forward", w)]; j != nil {
				all = append(all, *j.port)
			}
		}
	}
	return all
}
