package nat

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"sockeye/event"
	"sockeye/packet"
	"sockeye/wire"
)

// A Verdict is what a table made of a packet.
type Verdict uint8

const (
	Arrived     Verdict = iota // nothing yet: for Config.Observe
	Own                        // of the translator's own host, and left as it is
	Translated                 // changed, and to be sent on
	NoMapping                  // came in for a port that nobody inside has
	Filtered                   // came in from whom the one inside has not sent anything
	Stray                      // a TCP segment or an ICMP error of no known connection
	Hairpin                    // from inside to an outside address, which Config.NoHairpin forbids
	Full                       // needed a port or a session, and there is none left
	Unsupported                // of another protocol than TCP, UDP and ICMP, or of a type that has no answer
	Malformed                  // could not be read, or was a fragment

	NumVerdicts // is how many there are
)

// String is the verdict in lower case, such as no mapping.
func (v Verdict) String() string {
	return [...]string{"arrived", "own", "translated", "no mapping", "filtered", "stray", "hairpin", "full", "unsupported", "malformed"}[v]
}

// Dropped tells the verdicts on packets that go no further.
func (v Verdict) Dropped() bool { return v > Translated }

// Counters are what a table has done.
type Counters struct {
	Packets [2][NumVerdicts]uint64 // by Way and Verdict; a packet that is hairpinned goes out, and comes in
	Made    uint64                 // mappings
	Expired uint64                 // mappings
}

// A Table is the mappings of one translator. It is for one goroutine at a time.
type Table struct {
	// Serves, if not nil, tells whether the translator's own host has a socket at a port of the outside addresses.
	// No mapping gets that port, and what comes in for it and is for nobody inside is the host's Own.
	Serves func(proto wire.Protocol, port uint16) bool

	config   Config
	outside  []wire.Addr
	random   *rand.Rand
	within   map[withinKey]*mapping
	without  map[withoutKey]*mapping
	ports    map[portsKey]*portSet
	sessions int
	last     uint16     // port that was given, for NextPort
	ids      uint16     // of packets that may be cut
	swept    event.Time // when all that had expired was removed
	counters Counters
}

// A withinKey finds a mapping from inside. The remote endpoint is narrowed to what the mapping depends on.
type withinKey struct {
	proto      wire.Protocol
	in, remote endpoint
}

// A withoutKey finds a mapping from outside.
type withoutKey struct {
	proto wire.Protocol
	out   endpoint
}

// A mapping lets an outside endpoint stand for one inside.
type mapping struct {
	withinKey
	out      endpoint
	made     event.Time
	until    event.Time
	sessions map[endpoint]*session // by remote endpoint
}

// A session is what goes on between a mapping and one peer.
type session struct {
	until event.Time
	tcp   connection
}

// New makes a table without mappings for outside addresses. An inside host always gets the same of them
// (RFC 4787 REQ-2). Random ports come from the seed.
func New(c Config, seed uint64, outside ...wire.Addr) (*Table, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	t := &Table{
		config: c.filled(), random: rand.New(rand.NewPCG(seed, 0)),
		within: make(map[withinKey]*mapping), without: make(map[withoutKey]*mapping), ports: make(map[portsKey]*portSet),
	}
	t.ids = uint16(t.random.Uint32())
	t.SetOutside(outside...)
	return t, nil
}

// SetOutside gives other outside addresses. Mappings at those that are no longer there end.
func (t *Table) SetOutside(addrs ...wire.Addr) {
	t.outside = slices.Clone(addrs)
	for _, m := range t.without {
		if !t.Outside(m.out.addr) {
			t.remove(m)
		}
	}
}

// Outside tells whether an address is one of the table's.
func (t *Table) Outside(a wire.Addr) bool { return slices.Contains(t.outside, a) }

// SetConfig changes how the translator behaves from now on. Mappings stay, and last as long as they did; if Mapping
// is another they are forgotten.
func (t *Table) SetConfig(c Config) error {
	if err := c.Check(); err != nil {
		return err
	}
	if c.Mapping != t.config.Mapping {
		t.Forget()
	}
	t.config = c.filled()
	return nil
}

// Config is how the translator behaves, with the defaults filled in.
func (t *Table) Config() Config { return t.config }

// Counters are the present counters.
func (t *Table) Counters() Counters { return t.counters }

// A Mapping is one of a table, as its administrator sees it.
type Mapping struct {
	Proto   wire.Protocol
	Inside  netip.AddrPort // the port is the identifier of an ICMP query
	Outside netip.AddrPort
	Remote  netip.AddrPort   // what of the peer the mapping is for: zero if it does not matter, port 0 if that does not
	Peers   []netip.AddrPort // that may answer, if filtering is address-and-port-dependent
	Age     time.Duration
	Left    time.Duration // until it expires, if it is not used
}

// Mappings are those that have not expired, in the order of their protocols and outside endpoints.
func (t *Table) Mappings(now event.Time) (list []Mapping) {
	t.sweep(now)
	for _, m := range t.without {
		add := Mapping{
			Proto: m.proto, Inside: m.in.netip(), Outside: m.out.netip(), Remote: m.remote.netip(),
			Age: now.Sub(m.made), Left: m.until.Sub(now),
		}
		for peer := range m.sessions {
			add.Peers = append(add.Peers, peer.netip())
		}
		slices.SortFunc(add.Peers, netip.AddrPort.Compare)
		list = append(list, add)
	}
	slices.SortFunc(list, func(a, b Mapping) int {
		if a.Proto != b.Proto {
			return int(a.Proto) - int(b.Proto)
		}
		return a.Outside.Compare(b.Outside)
	})
	return list
}

func (e endpoint) netip() netip.AddrPort {
	if e == (endpoint{}) {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(e.addr.Netip(), e.port)
}

// Forget ends all mappings, as turning the translator off and on does.
func (t *Table) Forget() {
	clear(t.within)
	clear(t.without)
	clear(t.ports)
	t.sessions = 0
}

// narrow is what of a remote endpoint matters.
func (d Dependence) narrow(remote endpoint) endpoint {
	switch d {
	case EndpointIndependent:
		return endpoint{}
	case AddressDependent:
		remote.port = 0
	}
	return remote
}

// fromInside finds the mapping of an inside endpoint towards a remote one; nil: there is none.
func (t *Table) fromInside(now event.Time, proto wire.Protocol, in, remote endpoint) *mapping {
	return t.living(now, t.within[withinKey{proto, in, t.config.Mapping.narrow(remote)}])
}

// fromOutside finds the mapping that has an outside endpoint.
func (t *Table) fromOutside(now event.Time, proto wire.Protocol, out endpoint) *mapping {
	return t.living(now, t.without[withoutKey{proto, out}])
}

// living removes a mapping that has expired.
func (t *Table) living(now event.Time, m *mapping) *mapping {
	if m == nil || now < m.until {
		return m
	}
	t.counters.Expired++
	t.remove(m)
	return nil
}

func (t *Table) remove(m *mapping) {
	delete(t.within, m.withinKey)
	delete(t.without, withoutKey{m.proto, m.out})
	t.portsOf(m.proto, m.out.addr).set(m.out.port, false)
	t.sessions -= len(m.sessions)
}

// open gives the session of a mapping with a peer, a new one if it must; nil: the table is full.
func (t *Table) open(now event.Time, m *mapping, remote endpoint) *session {
	s := t.session(now, m, remote)
	if s == nil && t.room(now) {
		s = new(session)
		m.sessions[remote] = s
		t.sessions++
	}
	return s
}

// session is the one of a mapping with a peer; nil: there is none.
func (t *Table) session(now event.Time, m *mapping, remote endpoint) *session {
	s := m.sessions[remote]
	if s != nil && s.until <= now {
		delete(m.sessions, remote)
		t.sessions--
		return nil
	}
	return s
}

// room tells whether there may be one more session.
func (t *Table) room(now event.Time) bool {
	if t.sessions >= t.config.Sessions || now.Sub(t.swept) > t.config.UDP {
		t.sweep(now)
	}
	return t.sessions < t.config.Sessions
}

// sweep removes all that has expired.
func (t *Table) sweep(now event.Time) {
	t.swept = now
	for _, m := range t.without {
		if t.living(now, m) == nil {
			continue
		}
		for remote := range m.sessions {
			t.session(now, m, remote)
		}
	}
}

// extend lets a session last, and its mapping with it.
func (m *mapping) extend(s *session, until event.Time) {
	shorter := until < s.until
	s.until = until
	if !shorter {
		m.until = max(m.until, until)
		return
	}
	m.until = 0
	for _, s := range m.sessions {
		m.until = max(m.until, s.until)
	}
}

// admits tells whether a peer may send to the one inside.
func (t *Table) admits(now event.Time, m *mapping, remote endpoint) bool {
	switch t.config.Filtering {
	case EndpointIndependent:
		return true
	case AddressDependent:
		for peer, s := range m.sessions {
			if peer.addr == remote.addr && now < s.until {
				return true
			}
		}
	}
	return t.session(now, m, remote) != nil
}

// note counts a verdict, and tells of it.
func (t *Table) note(now event.Time, w Way, v Verdict, p *packet.Packet) Verdict {
	if v != Arrived {
		t.counters.Packets[w][v]++
	}
	if t.config.Observe != nil {
		t.config.Observe(now, w, v, p)
	}
	return v
}
