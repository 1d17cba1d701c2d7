package nat

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"sockeye/event"
	"sockeye/packet"
)

// A Dependence says how much of a remote endpoint matters (RFC 4787 sections 4.1 and 5).
type Dependence uint8

// How much may matter, from the least to the most.
const (
	EndpointIndependent Dependence = iota
	AddressDependent
	AddressAndPortDependent
)

// String is the RFC's term in lower case, such as address-dependent.
func (d Dependence) String() string {
	return [...]string{"endpoint-independent", "address-dependent", "address-and-port-dependent"}[d%3]
}

// A PortChoice says which port outside a mapping gets. Two mappings of a protocol never share one (RFC 4787 REQ-3);
// ports below 1024 stand for such, and even ports for even ones, as long as there are some (REQ-3a, REQ-4).
type PortChoice uint8

const (
	// PreservePort takes the port that the sender has inside, or a random one if another mapping has that.
	PreservePort PortChoice = iota
	// RandomPort is any (RFC 6056).
	RandomPort
	// NextPort is the one behind the last, which a peer can guess.
	NextPort
)

// String is preserved, random or next.
func (c PortChoice) String() string { return [...]string{"preserved", "random", "next"}[c%3] }

// A Config says how a translator behaves. The zero Config is a full cone with the times that the RFCs recommend.
type Config struct {
	Mapping   Dependence // senders keep their port outside for: every peer, all ports of one address, one endpoint
	Filtering Dependence // who may answer: anybody, an address that was sent to, an endpoint that was sent to
	Ports     PortChoice
	// NoHairpin drops what one inside host sends to the outside address of another (RFC 4787 REQ-9 asks for
	// hairpinning).
	NoHairpin bool
	// RefreshInbound lets what comes in prolong a UDP mapping too; what goes out always does (RFC 4787 REQ-6).
	RefreshInbound bool
	// AdoptTCP makes a mapping for any TCP segment that goes out, as Linux does by default
	// (nf_conntrack_tcp_loose). Without it only a SYN makes one, and other segments of no known connection are
	// dropped.
	AdoptTCP bool

	// How long mappings last that are not used.
	UDP           time.Duration // 0: 5 minutes (RFC 4787 REQ-5)
	TCP           time.Duration // of established connections; 0: 2 hours and 4 minutes (RFC 5382 REQ-5)
	TCPTransitory time.Duration // of those that are opening or closing; 0: 4 minutes (RFC 5382 REQ-5)
	ICMP          time.Duration // of queries; 0: 60 seconds (RFC 5508 REQ-2)

	// Sessions bounds the pairs of mapping and peer; 0: 65536.
	Sessions int

	// Observe, if not nil, is told of each packet that a table is given: first as it came, with the Verdict
	// Arrived, and then what became of it. The packet is valid during the call, and not to be changed.
	Observe func(now event.Time, way Way, v Verdict, p *packet.Packet)
}

// A Way is that of a packet through a table.
type Way uint8

const (
	Outward Way = iota // from inside
	Inward             // from outside
)

// String is outward or inward.
func (w Way) String() string { return [...]string{"outward", "inward"}[w&1] }

// filled has the defaults in place of zeros.
func (c Config) filled() Config {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&c.UDP, 5*time.Minute)
	set(&c.TCP, 2*time.Hour+4*time.Minute)
	set(&c.TCPTransitory, 4*time.Minute)
	set(&c.ICMP, time.Minute)
	if c.Sessions == 0 {
		c.Sessions = 1 << 16
	}
	return c
}

// Check gives an error that says which field is wrong, and why.
func (c Config) Check() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"UDP", c.UDP}, {"TCP", c.TCP}, {"TCPTransitory", c.TCPTransitory}, {"ICMP", c.ICMP}, {"Sessions", time.Duration(c.Sessions)}} {
		if d.value < 0 {
			return errors.New("nat: " + d.name + " is " + strconv.FormatInt(int64(d.value), 10) + ": it cannot be below 0")
		}
	}
	switch {
	case c.Mapping > AddressAndPortDependent, c.Filtering > AddressAndPortDependent:
		return errors.New("nat: Mapping is " + strconv.Itoa(int(c.Mapping)) + " and Filtering " + strconv.Itoa(int(c.Filtering)) +
			": they are EndpointIndependent, AddressDependent or AddressAndPortDependent")
	case c.Ports > NextPort:
		return errors.New("nat: Ports is " + strconv.Itoa(int(c.Ports)) + ": it is PreservePort, RandomPort or NextPort")
	}
	return nil
}

var kinds = map[string]Config{
	"full-cone":            {},
	"restricted-cone":      {Filtering: AddressDependent},
	"port-restricted-cone": {Filtering: AddressAndPortDependent},
	"symmetric":            {Mapping: AddressAndPortDependent, Filtering: AddressAndPortDependent, Ports: RandomPort},
}

// Named is the translator of a kind: full-cone, restricted-cone, port-restricted-cone or symmetric.
func Named(kind string) (c Config, ok bool) {
	c, ok = kinds[kind]
	return c, ok
}

// Kinds are the names that Named knows, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }
