package labfile

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"sockeye/nat"
)

// hostKind is a host without its name.
var hostKind = object("a host",
	at("run", "what runs on it", list(programKind(), "programs, as - web: 80"), func(h *Host) *[]Program { return &h.Run }),
	at("forward", "ports of this machine's loopback that lead, by way of this host, to HOST:PORT of the lab",
		mapping("ports and where they lead, as 8080: web:80", machinePortKind, part(targetKind, forwardTo)), func(h *Host) *[]Forward { return &h.Forward }),
	at("reverse", "ports of this host that lead to this machine's loopback",
		mapping("ports and where they lead, as 5432: 5432", hostPortKind, part(machineTargetKind, forwardTo)), func(h *Host) *[]Forward { return &h.Reverse }),
	at("router", "it forwards packets between its links", boolKind, func(h *Host) *bool { return &h.Router }),
	at("nat", "a router that translates addresses; its first link leads outside", natKind(), func(h *Host) *NAT { return &h.NAT }),
	at("nameserver", "it tells the names of all hosts by DNS, on port 53", boolKind, func(h *Host) *bool { return &h.NameServer }),
	at("addresses", "one or more for each link in turn; without them they are handed out", list(prefixKind, "addresses, as - 10.0.0.1/24"),
		func(h *Host) *[]netip.Prefix { return &h.Addresses }),
)

// natKind is a kind of translator, or its settings.
func natKind() kind[NAT] {
	word := scalar(schema{"enum": nat.Kinds()}, "one of "+strings.Join(nat.Kinds(), ", "), func(s string) (string, bool) {
		_, ok := nat.Named(s)
		return s, ok
	})
	settings := object("a translator",
		required(at("kind", "who may answer, and where", word, func(x *NAT) *string { return &x.Kind })),
		at("udp", "how long a mapping of UDP lasts that is not used", timeKind, func(x *NAT) *time.Duration { return &x.UDP }),
		at("tcp", "how long one of an established connection lasts", timeKind, func(x *NAT) *time.Duration { return &x.TCP }),
	)
	return kind[NAT]{schema{"anyOf": []schema{word.schema, settings.schema}}, func(r *reader, n *yaml.Node, to *NAT) {
		if v := r.at(n); v.Kind == yaml.ScalarNode && !null(v) {
			word.read(r, v, &to.Kind)
			return
		}
		settings.read(r, n, to)
	}}
}

// hostsKind is the hosts by name.
var hostsKind = mapping("hosts by name, as web: {run: [web: 80]}", part(nameKind, func(h *Host) *string { return &h.Name }),
	checked(kind[Host]{hostKind.schema, func(r *reader, n *yaml.Node, to *Host) {
		r.ports = make(map[string]*yaml.Node) // are each host's own
		hostKind.read(r, n, to)
	}}, checkHost))

func forwardTo(f *Forward) *string { return &f.To }

// Where forwarded ports begin and end.
var (
	machinePortKind = checked(scalar(schema{"type": "string"}, "a port of this machine's loopback, as 8080, 127.0.0.2:8080, udp://5353, or 0 for any that is free",
		func(s string) (f Forward, ok bool) {
			s, f.UDP = cutProtocol(s)
			f.From, ok = parseLoopback(s, 0)
			return f, ok
		}), func(r *reader, n *yaml.Node, f *Forward) {
		if f.From.Port() != 0 {
			r.claim(r.machine, n, f.UDP, f.From.String(), "of this machine leads elsewhere")
		}
	})
	hostPortKind = checked(scalar(schema{"type": "string"}, "a port of the host, as 5432 or udp://53", func(s string) (f Forward, ok bool) {
		s, f.UDP = cutProtocol(s)
		port, ok := parsePort(s)
		f.From = netip.AddrPortFrom(netip.Addr{}, port)
		return f, ok
	}), func(r *reader, n *yaml.Node, f *Forward) { r.take(n, f.From.Port(), f.UDP) })
	machineTargetKind = scalar(schema{"type": []string{"string", "integer"}}, "a port of this machine's loopback, as 5432 or 127.0.0.2:5432", func(s string) (string, bool) {
		at, ok := parseLoopback(s, 1)
		return at.String(), ok
	})
	// targetKind is a port of a host in the lab.
	targetKind = checked(scalar(schema{"type": "string"}, "HOST:PORT, as web:80", parseTarget), func(r *reader, n *yaml.Node, to *string) {
		host, _, _ := net.SplitHostPort(*to)
		if _, err := netip.ParseAddr(host); err != nil {
			r.refer(n, "host", host, func(f *File) []string { return names(f.Hosts, func(h *Host) string { return h.Name }) })
		}
	})
)

// take claims a port of the present host, of TCP, UDP or both.
func (r *reader) take(n *yaml.Node, port uint16, udp ...bool) {
	for _, u := range udp {
		r.claim(r.ports, n, u, strconv.Itoa(int(port)), "is taken by another program of the host")
	}
}

// claim notes who has a port first.
func (r *reader) claim(taken map[string]*yaml.Node, n *yaml.Node, udp bool, port, how string) {
	key := map[bool]string{false: "TCP", true: "UDP"}[udp] + " port " + port
	if first := taken[key]; first != nil {
		r.errorf(n, "%s %s already (line %d)", key, how, first.Line)
		return
	}
	taken[key] = n
}

// refer checks, when all is read, that a name is that of something.
func (r *reader) refer(n *yaml.Node, what, name string, among func(*File) []string) {
	r.later(func() {
		if all := among(r.file); !slices.Contains(all, name) {
			r.errorf(n, "there is no %s %q; there are %s", what, name, cmp.Or(strings.Join(all, ", "), "none"))
		}
	})
}

// names are those of a list of things.
func names[T any](list []T, of func(*T) string) (all []string) {
	for i := range list {
		all = append(all, of(&list[i]))
	}
	return all
}

// A programSort is one of the programs that come with the command.
type programSort struct {
	name, doc string
	udp       bool // it serves UDP too
	settings  kind[Program]
}

// claim takes the program's port.
func (s *programSort) claim(r *reader, n *yaml.Node, port uint16) {
	switch {
	case port == 0:
	case s.udp:
		r.take(n, port, false, true)
	default:
		r.take(n, port, false)
	}
}

var programSorts = []programSort{
	{"echo", "sends back what comes, by TCP and UDP (RFC 862)", true, object("echo", portField)},
	{"web", "serves a directory, or without one a page about who asks", false, object("web", portField,
		at("dir", "what is served, from where the file is", pathKind, func(p *Program) *string { return &p.Dir }))},
	{"chat", "is a chat server for people with nc: rooms, names, private messages", false, object("chat", portField)},
	{"sink", "swallows what comes, by TCP and UDP (RFC 863)", true, object("sink", portField)},
	{"source", "sends to a target, or whoever connects to its port (RFC 864)", false, checked(object("source", portField,
		at("to", "HOST:PORT that it connects to, again when the connection ends", targetKind, func(p *Program) *string { return &p.To }),
		at("rate", "bits per second; without it as fast as it goes", rateKind, func(p *Program) *int64 { return &p.Rate }),
		at("bytes", "after so many the connection ends", bytesKind, func(p *Program) *int64 { return &p.Bytes }),
		at("every", "from the end of a connection to the next", timeKind, func(p *Program) *time.Duration { return &p.Every }),
		at("udp", "datagrams to the target", boolKind, func(p *Program) *bool { return &p.UDP }),
	), checkSource)},
}

var portField = at("port", "that it listens on", portKind, func(p *Program) *uint16 { return &p.Port })

func checkSource(r *reader, n *yaml.Node, p *Program) {
	switch {
	case (p.To == "") == (p.Port == 0):
		r.errorf(n, "a source has either a port, where it waits for who connects, or a target: want one of port: 19 and to: sink:9")
	case p.To == "" && (p.UDP || p.Every > 0):
		r.errorf(n, "udp and every are settings of a source that has a target; add one, as to: sink:9")
	case p.UDP && p.Rate == 0:
		r.errorf(n, "a source of datagrams needs a rate, for nothing slows it down; add one, as rate: 1mbit")
	}
}

// commandKind is an unmodified program with its arguments, or a line for a shell.
var commandKind = kind[Program]{schema{"type": []string{"array", "string"}, "items": schema{"type": []string{"string", "number"}}, "minItems": 1}, func(r *reader, n *yaml.Node, to *Program) {
	n = r.at(n)
	if n.Kind == yaml.ScalarNode && !null(n) {
		to.Args = []string{"sh", "-c", n.Value}
		return
	}
	list(wordKind, "a program and its arguments, as [ping, web]").read(r, n, &to.Args)
	if len(to.Args) == 0 {
		r.errorf(n, "there is no program: want one and its arguments, as [ping, web], or a line for a shell")
	}
}}

// checkHost finds what a host cannot be at once. A command has the place of the whole host.
func checkHost(r *reader, n *yaml.Node, h *Host) {
	if h.NameServer && (h.Router || h.NAT.Kind != "" || len(h.Addresses) > 0) {
		r.errorf(n, "a nameserver is neither a router nor a translator, and its addresses are handed out; make it a host of its own")
	}
	if h.NameServer {
		r.take(n, 53, false, true)
	}
	if !slices.ContainsFunc(h.Run, func(p Program) bool { return p.Kind == "command" }) {
		return
	}
	if len(h.Run) > 1 || len(h.Forward) > 0 || len(h.Reverse) > 0 {
		r.errorf(n, "a host that runs a command is that program alone: it runs nothing else, and leads no ports anywhere; make it two hosts")
	}
}

// programKind is a mapping of one key, the program's name, to its port or its settings.
func programKind() kind[Program] {
	properties := schema{}
	var names []string
	for i := range programSorts {
		s := &programSorts[i]
		properties[s.name] = schema{"description": s.doc, "anyOf": []schema{portKind.schema, s.settings.schema}}
		names = append(names, s.name)
	}
	properties["command"] = commandKind.schema.with("an unmodified program, without root: the host is it and nothing else; a line for a shell, or a list")
	names = append(names, "command")
	s := schema{"type": "object", "minProperties": 1, "maxProperties": 1, "properties": properties, "additionalProperties": false}
	return kind[Program]{s, func(r *reader, n *yaml.Node, to *Program) {
		pairs := r.pairs(n, "a program, as web: 80")
		if len(pairs) != 1 {
			r.errorf(r.at(n), "this is %s: want one program and its port, as web: 80; there are %s", found(r.at(n)), strings.Join(names, ", "))
			return
		}
		key, value := pairs[0].key, r.at(pairs[0].value)
		i := slices.Index(names, key.Value)
		if i < 0 {
			r.errorf(key, "there is no program %q; there are %s", key.Value, strings.Join(names, ", "))
			return
		}
		if to.Kind = key.Value; to.Kind == "command" {
			commandKind.read(r, value, to)
			return
		}
		if value.Kind == yaml.ScalarNode && !null(value) {
			portKind.read(r, value, &to.Port)
			programSorts[i].claim(r, value, to.Port)
			return
		}
		before := len(r.errs)
		programSorts[i].settings.read(r, value, to)
		if to.Port == 0 && to.To == "" && len(r.errs) == before {
			r.errorf(key, "%s needs a port, as %s: 80", key.Value, key.Value)
		}
		programSorts[i].claim(r, value, to.Port)
	}}
}
