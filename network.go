package sockeye

import (
	"net"
	"strconv"
	"strings"
)

// A network is one of package net's networks, taken apart: what socket(2) is
// to be asked for.
type network struct {
	name   string // as it was given, such as "tcp6" or "ip4:icmp"
	kind   string // "tcp", "udp", "ip" or "unix"
	family Family // AF_UNSPEC: AF_INET or AF_INET6, as the addresses are
	typ    Type
	proto  Protocol
}

var networks = map[string]network{
	"tcp":        {kind: "tcp", typ: SOCK_STREAM},
	"tcp4":       {kind: "tcp", typ: SOCK_STREAM, family: AF_INET},
	"tcp6":       {kind: "tcp", typ: SOCK_STREAM, family: AF_INET6},
	"udp":        {kind: "udp", typ: SOCK_DGRAM},
	"udp4":       {kind: "udp", typ: SOCK_DGRAM, family: AF_INET},
	"udp6":       {kind: "udp", typ: SOCK_DGRAM, family: AF_INET6},
	"ip":         {kind: "ip", typ: SOCK_RAW},
	"ip4":        {kind: "ip", typ: SOCK_RAW, family: AF_INET},
	"ip6":        {kind: "ip", typ: SOCK_RAW, family: AF_INET6},
	"unix":       {kind: "unix", typ: SOCK_STREAM, family: AF_UNIX},
	"unixgram":   {kind: "unix", typ: SOCK_DGRAM, family: AF_UNIX},
	"unixpacket": {kind: "unix", typ: SOCK_SEQPACKET, family: AF_UNIX},
}

// ipProtocols are the names that a protocol may have in "ip:proto" (IANA's
// protocol numbers, protocols(5)).
var ipProtocols = map[string]Protocol{
	"icmp": 1, "igmp": 2, "ipv4": 4, "tcp": 6, "egp": 8, "igp": 9, "udp": 17, "dccp": 33, "ipv6": 41, "rsvp": 46,
	"gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115,
	"sctp": 132, "udplite": 136,
}

// parseNetwork takes apart the name of a network. Its errors are package net's.
func parseNetwork(name string) (network, error) {
	base, proto, hasProto := strings.Cut(name, ":")
	n, ok := networks[base]
	if !ok || hasProto != (n.kind == "ip") {
		return network{}, net.UnknownNetworkError(name)
	}
	n.name = name
	if hasProto {
		if p, ok := ipProtocols[strings.ToLower(proto)]; ok {
			n.proto = p
		} else if v, err := strconv.ParseUint(proto, 10, 16); err == nil {
			n.proto = Protocol(v)
		} else {
			return network{}, &net.AddrError{Err: "unknown IP protocol specified", Addr: proto}
		}
	}
	return n, nil
}

// networkOf is the network that a socket belongs to.
func networkOf(s *Socket) (network, error) {
	family, err := SO_DOMAIN.Get(s)
	if err != nil {
		return network{}, err
	}
	name := map[Type]string{SOCK_STREAM: "tcp", SOCK_DGRAM: "udp", SOCK_RAW: "ip"}
	if family == AF_UNIX {
		name = map[Type]string{SOCK_STREAM: "unix", SOCK_DGRAM: "unixgram", SOCK_SEQPACKET: "unixpacket"}
	}
	typ := s.c.socktype()
	n, ok := networks[name[typ]]
	if !ok || family != AF_UNIX && family != AF_INET && family != AF_INET6 {
		return network{}, net.UnknownNetworkError(family.String() + " " + typ.String())
	}
	n.name, n.family = name[typ], family
	if n.kind == "ip" {
		if n.proto, err = SO_PROTOCOL.Get(s); err != nil {
			return network{}, err
		}
		n.name += ":" + strconv.Itoa(int(n.proto))
	}
	return n, nil
}
