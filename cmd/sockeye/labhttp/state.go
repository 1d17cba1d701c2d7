package labhttp

import (
	"net/http"
	"strconv"
	"strings"

	"sockeye/lab"
	"sockeye/link"
)

// A State is what a lab has, and what is wrong with it.
type State struct {
	Name     string      `json:"name"`
	Seed     uint64      `json:"seed,string"`
	Time     float64     `json:"time,omitempty"` // not in a stream
	Nodes    []Node      `json:"nodes"`
	Links    []Link      `json:"links"`
	Parted   [][2]string `json:"parted"` // pairs of hosts
	OneWay   [][2]string `json:"oneWay"` // pairs of which the second does not hear the first
	Pairs    []Pair      `json:"pairs"`  // faults of what one host sends another, besides those of links
	Forwards []Forward   `json:"forwards"`
}

// A Node is a host, a router, a router that translates addresses, or a switch.
type Node struct {
	Name  string   `json:"name"`
	Kind  string   `json:"kind"` // host, router, translator or switch
	Addrs []string `json:"addrs,omitempty"`
	Up    bool     `json:"up"` // false: crashed
}

// A Link joins two nodes.
type Link struct {
	Name string `json:"name"`
	Ways [2]Way `json:"ways"` // from its first end, and from the other
}

// A Way is one direction of a link.
type Way struct {
	From   string    `json:"from"`
	To     string    `json:"to"`
	Faults string    `json:"faults"`             // words, as delay=40ms loss=1%
	Down   bool      `json:"down"`               // nothing gets through; faults says so too, unless the link is cut
	Count  *Counters `json:"counters,omitempty"` // not in a stream
}

// A Pair has faults of what one host sends another.
type Pair struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Faults string `json:"faults"`
}

// Counters are of what was sent one way since the lab came up, in packets, and what is on the link now.
type Counters struct {
	Sent           uint64            `json:"sent"`
	Delivered      uint64            `json:"delivered"`
	DeliveredBytes uint64            `json:"deliveredBytes"`
	Lost           uint64            `json:"lost"`
	Fates          map[string]uint64 `json:"fates,omitempty"` // what else befell packets: lost, overflowed, duplicated ...
	Queued         int               `json:"queued"`
	QueuedBytes    int               `json:"queuedBytes"`
	InFlight       int               `json:"inFlight"`
}

// Sockets are those of a host.
type Sockets struct {
	Host    string   `json:"host"`
	Sockets []Socket `json:"sockets"`
}

// A Socket is what ss(8) shows of one.
type Socket struct {
	Network string `json:"network"`
	State   string `json:"state"`
	RecvQ   int    `json:"recvQ"`
	SendQ   int    `json:"sendQ"`
	Local   string `json:"local"`
	Peer    string `json:"peer"`
	Drops   uint32 `json:"drops,omitempty"`
}

// Settings are what faults there are.
type Settings struct {
	Faults   []string  `json:"faults"` // names
	Profiles []Profile `json:"profiles"`
}

// A Profile is a kind of access to the Internet.
type Profile struct {
	Name   string `json:"name"`
	Down   string `json:"down"` // faults towards the user
	Up     string `json:"up"`
	Source string `json:"source"`
}

// state is GET /api/state.
func (v *View) state(*http.Request) (any, error) {
	l, err := v.shown()
	if err != nil {
		return nil, err
	}
	return l.state(true), nil
}

// state tells of all, with time and counters or without.
func (l *Lab) state(counters bool) *State {
	n := l.Network
	s := &State{
		Name: l.Name, Seed: n.Seed(), Forwards: append([]Forward{}, l.Forwards...),
		Nodes: []Node{}, Links: []Link{}, Parted: [][2]string{}, OneWay: [][2]string{}, Pairs: []Pair{}, // [] in JSON, and not null
	}
	if counters {
		s.Time = n.Now().Seconds()
	}
	for _, h := range n.Hosts() {
		add := Node{Name: h.Name(), Kind: "host", Up: h.IsUp()}
		switch {
		case h.Translator():
			add.Kind = "translator"
		case h.Router():
			add.Kind = "router"
		}
		for _, a := range h.Addrs() {
			add.Addrs = append(add.Addrs, a.String())
		}
		s.Nodes = append(s.Nodes, add)
	}
	for _, w := range n.Switches() {
		s.Nodes = append(s.Nodes, Node{Name: w.Name(), Kind: "switch", Up: true})
	}
	names := l.names()
	for _, x := range n.AllLinks() {
		a, b := x.Ends()
		s.Links = append(s.Links, Link{Name: names[x], Ways: [2]Way{way(x, a, b, counters), way(x, b, a, counters)}})
	}
	for _, p := range n.Parted() {
		s.Parted = append(s.Parted, [2]string{p[0].Name(), p[1].Name()})
	}
	for _, p := range n.PartedOneWay() {
		s.OneWay = append(s.OneWay, [2]string{p[0].Name(), p[1].Name()})
	}
	for _, p := range n.FaultyPairs() {
		s.Pairs = append(s.Pairs, Pair{p[0].Name(), p[1].Name(), n.FaultsFromTo(p[0], p[1]).String()})
	}
	return s
}

func way(l *lab.Link, from, to lab.Node, counters bool) Way {
	f := l.Faults(from)
	w := Way{From: from.Name(), To: to.Name(), Faults: f.String(), Down: f.Partition || l.IsCut()}
	if counters {
		c := count(l.Stats(from))
		w.Count = &c
	}
	return w
}

func count(s link.Stats) Counters {
	c := Counters{
		Sent: s.Packets[link.Sent], Delivered: s.Packets[link.Delivered], DeliveredBytes: s.Bytes[link.Delivered],
		Lost: lab.Lost(s), Queued: s.Queued, QueuedBytes: s.QueuedBytes, InFlight: s.InFlight,
	}
	for f := link.Lost; f < link.NumFates; f++ {
		if k := s.Packets[f]; k > 0 {
			if c.Fates == nil {
				c.Fates = make(map[string]uint64)
			}
			c.Fates[f.String()] = k
		}
	}
	return c
}

// names are those of all links. Of several between the same ends, the second is called alice-bob.2
func (l *Lab) names() map[*lab.Link]string {
	names := make(map[*lab.Link]string)
	uses := make(map[string]int)
	for _, x := range l.Network.AllLinks() {
		name := x.String()
		if uses[name]++; uses[name] > 1 {
			name += "." + strconv.Itoa(uses[name])
		}
		names[x] = name
	}
	return names
}

// link is the one of a name, which is also found with its ends turned about.
func (l *Lab) link(name string) (*lab.Link, error) {
	names := l.names()
	var turned *lab.Link
	var list []string
	for _, x := range l.Network.AllLinks() {
		if names[x] == name {
			return x, nil
		}
		if a, b := x.Ends(); turned == nil && b.Name()+"-"+a.Name() == name {
			turned = x
		}
		list = append(list, names[x])
	}
	if turned != nil {
		return turned, nil
	}
	return nil, refuse(http.StatusNotFound, "there is no link %q; there are %s", name, strings.Join(list, ", "))
}

// host is the one of a name.
func (l *Lab) host(name string) (*lab.Host, error) {
	var list []string
	for _, h := range l.Network.Hosts() {
		if h.Name() == name {
			return h, nil
		}
		list = append(list, h.Name())
	}
	return nil, refuse(http.StatusNotFound, "there is no host %q; there are %s", name, strings.Join(list, ", "))
}

// sockets is GET /api/hosts/{host}/sockets.
func (v *View) sockets(r *http.Request) (any, error) {
	l, err := v.shown()
	if err != nil {
		return nil, err
	}
	return l.sockets(r.PathValue("host"))
}

func (l *Lab) sockets(name string) (*Sockets, error) {
	h, err := l.host(name)
	if err != nil {
		return nil, err
	}
	list := &Sockets{Host: name, Sockets: []Socket{}}
	for _, s := range h.SocketStatuses() {
		list.Sockets = append(list.Sockets, Socket(s))
	}
	return list, nil
}

// settings is GET /api/settings.
func (v *View) settings(*http.Request) (any, error) {
	s := Settings{Faults: link.Settings()}
	for _, name := range link.ProfileNames() {
		p, _ := link.ProfileNamed(name)
		s.Profiles = append(s.Profiles, Profile{name, p.Down.String(), p.Up.String(), p.Source})
	}
	return s, nil
}
