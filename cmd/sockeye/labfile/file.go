package labfile

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"sockeye/link"
)

// A File is a lab as its file describes it. All names in it lead to something.
type File struct {
	Name     string
	Seed     uint64 // 0: another one in each run
	Hosts    []Host
	Switches []string
	Links    []Link
	Schedule []Event
}

// A Host is a host, or a router.
type Host struct {
	Name   string
	Router bool
	NAT    NAT
	// NameServer is that it tells the names of the lab's hosts, by DNS.
	NameServer bool
	Addresses  []netip.Prefix
	Run        []Program
	Forward    []Forward // from this machine's ports, by way of this host, to a host of the lab
	Reverse    []Forward // from this host's ports to this machine's
}

// A NAT is how a router translates addresses.
type NAT struct {
	Kind     string        // as nat.Named has it; "": it does not
	UDP, TCP time.Duration // how long mappings last that are not used; 0: as the RFCs recommend
}

// A Program is what a host runs. Which fields it has depends on its kind.
type Program struct {
	Kind  string        // echo, web, chat, sink, source or command
	Port  uint16        // that it listens on; of a source 0 if it has a target
	Dir   string        // web: what is served; "": a page of its own
	To    string        // source: HOST:PORT
	Rate  int64         // source: bits per second; 0: as fast as it goes
	Bytes int64         // source: how many; 0: no end
	UDP   bool          // source: datagrams
	Every time.Duration // source: pause between connections
	Args  []string      // command: the program and its arguments
}

// A Forward is a port that leads somewhere.
type Forward struct {
	UDP  bool
	From netip.AddrPort // of Reverse without an address
	To   string         // HOST:PORT
}

// A Link is a link between two hosts or switches.
type Link struct {
	Name   string
	Ends   [2]string
	Faults [2]link.Faults // of what comes from each end
}

// An Event is something that happens at a time, and is undone after a while.
type Event struct {
	At    time.Duration // since the lab came up
	For   time.Duration // 0: it is not undone
	Every time.Duration // when it happens again; 0: never

	// One of them is set.
	Link  string     // whose faults change
	Cut   string     // a link that is cut
	Crash string     // a host that crashes, and is restarted
	Part  [][]string // groups of hosts that are parted

	From   string // the end whose packets are meant; "": both
	Change Change // of Link
}

// Link is the one of a name.
func (f *File) Link(name string) *Link {
	return named(f.Links, name, func(l *Link) string { return l.Name })
}

// Host is the one of a name.
func (f *File) Host(name string) *Host {
	return named(f.Hosts, name, func(h *Host) string { return h.Name })
}

// named finds by name; nil: there is none.
func named[T any](list []T, name string, of func(*T) string) *T {
	for i := range list {
		if of(&list[i]) == name {
			return &list[i]
		}
	}
	return nil
}

// String says what runs: web on port 80.
func (p *Program) String() string {
	switch {
	case p.Kind == "command":
		return "command " + strings.Join(p.Args, " ")
	case p.To != "":
		return p.Kind + " to " + p.To
	default:
		return fmt.Sprintf("%s on port %d", p.Kind, p.Port)
	}
}
