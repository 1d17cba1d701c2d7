package conformance

import (
	"strings"

	. "sockeye"
)

// A kind is what socket(2) is given.
type kind struct {
	name   string
	family Family
	typ    Type
	proto  Protocol
}

var (
	tcp4          = kind{"tcp4", AF_INET, SOCK_STREAM, 0}
	tcp6          = kind{"tcp6", AF_INET6, SOCK_STREAM, 0}
	udp4          = kind{"udp4", AF_INET, SOCK_DGRAM, 0}
	udp6          = kind{"udp6", AF_INET6, SOCK_DGRAM, 0}
	raw4          = kind{"raw4", AF_INET, SOCK_RAW, experimental}
	raw6          = kind{"raw6", AF_INET6, SOCK_RAW, experimental}
	ping4         = kind{"ping4", AF_INET, SOCK_DGRAM, IPPROTO_ICMP}
	ping6         = kind{"ping6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6}
	unixStream    = kind{"unix stream", AF_UNIX, SOCK_STREAM, 0}
	unixDgram     = kind{"unix dgram", AF_UNIX, SOCK_DGRAM, 0}
	unixSeqpacket = kind{"unix seqpacket", AF_UNIX, SOCK_SEQPACKET, 0}

	// kinds needs pingAllowed.
	kinds = []kind{tcp4, tcp6, udp4, udp6, raw4, raw6, ping4, ping6, unixStream, unixDgram, unixSeqpacket}
)

// experimental is a protocol number that nobody speaks (RFC 3692).
const experimental Protocol = 253

// pingAllowed lets the group 0 open ping sockets (icmp(7)).
const pingAllowed = "net.ipv4.ping_group_range=0 0"

func (k kind) is(names string) bool { return strings.HasPrefix(k.name, names) }

// port is where servers of scenarios listen.
const port = 5000

// server is an address of the kind to bind to.
func (x *calls) server(k kind) Sockaddr {
	switch {
	case k.family == AF_UNIX:
		return x.path("server")
	case k.is("raw"):
		return loopback(k.family, 0)
	}
	return loopback(k.family, port)
}

// opened opens a socket of the kind.
func (x *calls) opened(k kind) *fd { return x.socket(k.family, k.typ, k.proto) }

// bound is a socket of the kind, bound to its server address.
func (x *calls) bound(k kind) *fd {
	f := x.opened(k)
	if x.quiet && k.is("tcp") { // scenes are set again and again, at the same address
		set(x, f, SO_REUSEADDR, true)
	}
	x.bind(f, x.server(k))
	return f
}

// listening is a bound socket that listens.
func (x *calls) listening(k kind, backlog int) *fd {
	l := x.bound(k)
	x.listen(l, backlog)
	return l
}

// connected is a connection to a new listener: its listener, the side that
// connected and the side that was accepted.
func (x *calls) connected(k kind) (l, c, a *fd) {
	l = x.listening(k, 5)
	c = x.opened(k)
	x.connect(c, x.server(k))
	return l, c, x.accept(l)
}

// connection is connected as the scene that is set.
func (x *calls) connection(k kind) (c, a *fd) {
	x.quietly(func() { _, c, a = x.connected(k) })
	return x.as("client", c), x.as("server", a)
}

// datagrams is two datagram sockets as the scene that is set: one at the server
// address, and one connected to it.
func (x *calls) datagrams(k kind) (client, server *fd) {
	x.quietly(func() {
		server = x.bound(k)
		client = x.opened(k)
		if k.family == AF_UNIX {
			x.bind(client, x.path("client"))
		}
		x.connect(client, x.server(k))
	})
	return x.as("client", client), x.as("server", server)
}

// A script is a scenario for more than one kind of socket.
type script struct {
	name string
	body func(x *calls, k kind)
}

// each runs scripts for kinds: "tcp4/an empty send".
func each(kinds []kind, scripts []script) []Scenario {
	var all []Scenario
	for _, k := range kinds {
		for _, s := range scripts {
			all = append(all, Scenario{
				Name: k.name + "/" + s.name,
				body: func(x *calls) { s.body(x, k) },
			})
		}
	}
	return all
}
