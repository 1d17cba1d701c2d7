package lab

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"sockeye/link"
)

// Hosts are all hosts, in the order in which they were made.
func (n *Network) Hosts() []*Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.hosts)
}

// Switches are all switches, in the order in which they were made.
func (n *Network) Switches() []*Switch {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.switches)
}

// AllLinks are all links, in the order in which they were made.
func (n *Network) AllLinks() []*Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.links)
}

// Ends are the nodes that the link joins, as Network.Link was called.
func (l *Link) Ends() (a, b Node) { return l.a, l.b }

// IsCut tells whether Cut holds.
func (l *Link) IsCut() bool {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	return l.down
}

// IsUp tells whether the host runs: it has not crashed, or was restarted.
func (h *Host) IsUp() bool {
	h.net.start()
	for _, p := range h.plugs {
		if p.to.Load() == nil {
			return false
		}
	}
	return true
}

// Router tells whether the host forwards packets.
func (h *Host) Router() bool { return h.config.Forward || h.config.NAT != nil }

// Translator tells whether the host translates addresses, as Network.NAT makes it.
func (h *Host) Translator() bool { return h.config.NAT != nil }

// Parted are the pairs of hosts that Part and Isolate keep from each other.
func (n *Network) Parted() (pairs [][2]*Host) {
	parted := n.parted.Load()
	if parted == nil {
		return nil
	}
	for p := range maps.Keys(*parted) {
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, byNumber)
	return pairs
}

// PartedOneWay are the pairs of hosts of which PartOneWay keeps the second from hearing the first.
func (n *Network) PartedOneWay() (pairs [][2]*Host) {
	if ways := n.oneWay.Load(); ways != nil {
		pairs = slices.SortedFunc(maps.Keys(*ways), byNumber)
	}
	return pairs
}

// FaultyPairs are the pairs of hosts of which the second hears the first through faults of their own (SetFromTo).
func (n *Network) FaultyPairs() (pairs [][2]*Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for p, f := range n.between {
		if f != (link.Faults{}) {
			pairs = append(pairs, p)
		}
	}
	slices.SortFunc(pairs, byNumber)
	return pairs
}

// byNumber orders pairs of hosts as they were made.
func byNumber(p, q [2]*Host) int {
	return cmp.Or(cmp.Compare(p[0].number, q[0].number), cmp.Compare(p[1].number, q[1].number))
}

// A SocketStatus is what ss(8) shows of a socket.
type SocketStatus struct {
	Network      string // tcp, udp, icmp, raw and a protocol, unix, unixgram, unixpacket
	State        string // of TCP, as ESTABLISHED; of others CONNECTED or UNCONNECTED
	RecvQ, SendQ int    // as in sock.SocketInfo
	Local, Peer  string
	Drops        uint32 // datagrams that found no room
}

// SocketStatuses are the host's sockets.
func (h *Host) SocketStatuses() (list []SocketStatus) {
	for _, s := range h.Stack().ListSockets() {
		list = append(list, SocketStatus{
			Network: protocol(s), State: state(s), RecvQ: s.RecvQ, SendQ: s.SendQ,
			Local: s.Local.String(), Peer: s.Remote.String(), Drops: s.Drops,
		})
	}
	return list
}

// A Rung is a packet as a ladder shows it.
type Rung struct {
	*Step
	From   int       // which of the conversation's ends sent it
	Text   string    // what it is, in words
	States [2]string // of TCP's ends, where the packet changed them: as SYN-SENT
}

// Rungs are the conversation's packets, in the order of sending.
func (c *Conversation) Rungs() []Rung {
	list := make([]Rung, len(c.Steps))
	for i, r := range c.rungs(0) {
		list[i] = Rung{&c.Steps[i], c.from(&c.Steps[i]), r.text, r.states}
	}
	return list
}

// A Meter tells what passes links, from one reading to the next. Nothing is counted for it: a
// network that nobody looks at does not know of it. One goroutine uses it.
type Meter struct {
	net  *Network
	at   time.Duration
	last map[lane]link.Stats
}

// A lane is a link and the node that sends.
type lane struct {
	link *Link
	from Node
}

// A Flow is what comes from one end of a link.
type Flow struct {
	Link     *Link
	From, To Node
	Over     time.Duration // since the reading before
	Now      link.Stats    // the counters
	Was      link.Stats    // those of the reading before
}

// Meter makes a meter, whose first reading is now.
func (n *Network) Meter() *Meter {
	m := &Meter{net: n, last: make(map[lane]link.Stats)}
	m.Read()
	return m
}

// Read gives two flows for each link: that from the first of its ends, and that from the other.
func (m *Meter) Read() (flows []Flow) {
	now := m.net.Now()
	over := now - m.at
	m.at = now
	for _, l := range m.net.AllLinks() {
		for _, w := range []lane{{l, l.a}, {l, l.b}} {
			f := Flow{Link: l, From: w.from, To: l.a, Over: over, Now: l.Stats(w.from), Was: m.last[w]}
			if f.From == l.a {
				f.To = l.b
			}
			m.last[w] = f.Now
			flows = append(flows, f)
		}
	}
	return flows
}

// Packets is how many packets met a fate since the reading before.
func (f *Flow) Packets(of link.Fate) uint64 { return f.Now.Packets[of] - f.Was.Packets[of] }

// Lost is how many packets were lost since the reading before, for whatever cause.
func (f *Flow) Lost() uint64 { return Lost(f.Now) - Lost(f.Was) }

// BitRate is the bits per second that came out of the link since the reading before.
func (f *Flow) BitRate() float64 {
	if f.Over <= 0 {
		return 0
	}
	return float64(f.Now.Bytes[link.Delivered]-f.Was.Bytes[link.Delivered]) * 8 / f.Over.Seconds()
}

// Lost is how many packets a link has lost in one direction, for whatever cause.
func Lost(s link.Stats) (n uint64) {
	for _, f := range lossFates {
		n += s.Packets[f]
	}
	return n
}

var lossFates = []link.Fate{link.Lost, link.BurstLost, link.Overflowed, link.Partitioned}
