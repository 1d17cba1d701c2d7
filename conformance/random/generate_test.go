//go:build linux && !386 && !s390x

package random_test

import (
	"slices"

	"pgregory.net/rapid"

	. "sockeye"
)

// longest is how many calls a program makes at most, after those that set its scene.
const longest = 40

// A generator draws a program, and makes its calls on a network at once: what is drawn
// next depends on what sockets there are and what became of them.
type generator struct {
	t *rapid.T
	*run
	kinds []kind
	both  bool // hosts are in use; not with unix sockets, whose paths are in a file system that both share on the kernel
	vars  int
	program
	lines []string
}

// generate draws a program, and gives the answers that it got from the network too.
func generate(t *rapid.T, n network) (program, []string) {
	g := &generator{t: t, run: newRun(n)}
	defer g.run.close()
	g.kinds = pick(g, "theme", themes)
	g.both = g.chance(4) && !slices.ContainsFunc(g.kinds, func(k kind) bool { return k.family == AF_UNIX })
	g.scene()
	for range g.number("calls", 1, longest) {
		g.step()
	}
	return g.program, g.lines
}

func pick[T any](g *generator, label string, from []T) T {
	return from[rapid.IntRange(0, len(from)-1).Draw(g.t, label)]
}

func (g *generator) number(label string, least, most int) int {
	return rapid.IntRange(least, most).Draw(g.t, label)
}

// chance is true once in n.
func (g *generator) chance(n int) bool { return rapid.IntRange(1, n).Draw(g.t, "chance") == n }

// call adds a call to the program, and makes it.
func (g *generator) call(c call) {
	g.program = append(g.program, c)
	g.lines = append(g.lines, g.run.line(c))
}

// variable is a new one.
func (g *generator) variable() int {
	g.vars++
	return g.vars
}

func (g *generator) host() int {
	if g.both {
		return g.number("host", 0, 1)
	}
	return 0
}

// open calls socket(2), and gives the variable.
func (g *generator) open(k kind, host int) int {
	v := g.variable()
	g.call(call{text: "xy"[host:host+1] + "." + k.open(), makes: []int{v}, do: func(r *run) string {
		var s *Socket
		var err error
		r.on(host, func() { s, err = r.hosts[host].Socket(k.family, k.typ|SOCK_NONBLOCK, k.proto) })
		if err == nil {
			r.add(v, s, k, host)
		}
		return result(err)
	}})
	if k.is("tcp") {
		// What the Nagle algorithm holds back depends on when acknowledgements come.
		g.setInt(v, TCP_NODELAY, 1)
	}
	return v
}

// scene begins most programs with a connection or two sockets that know each other.
func (g *generator) scene() {
	k := pick(g, "kind", g.kinds)
	switch n := g.number("scene", 0, 5); {
	case n == 0:
		g.open(k, g.host())
	case k.family == AF_UNIX && n < 3:
		g.pair(k)
	case k.connects():
		g.connection(k, n != 5)
	default:
		g.datagrams(k)
	}
}

// connection is a listener and a connection to it.
func (g *generator) connection(k kind, accepted bool) {
	near, far := g.host(), g.host()
	at := g.server(k, near, far)
	l := g.open(k, far)
	if g.chance(3) {
		g.setInt(l, SO_REUSEADDR, 1)
	}
	g.bind(l, at)
	g.listen(l, pick(g, "backlog", []int{5, 0, 1}))
	c := g.open(k, near)
	g.connect(c, at)
	if accepted {
		g.accept(l)
	}
}

// datagrams is a socket that is bound, and one that is connected to it.
func (g *generator) datagrams(k kind) {
	near, far := g.host(), g.host()
	at := g.server(k, near, far)
	s, c := g.open(k, far), g.open(k, near)
	g.bind(s, at)
	if k.family == AF_UNIX && !g.chance(4) {
		g.bind(c, path("c"))
	}
	g.connect(c, at)
}

// server is an address of the far host that the near one can reach.
func (g *generator) server(k kind, near, far int) address {
	port := 0
	switch {
	case k.family == AF_UNIX:
		return path("a")
	case k.typ == SOCK_RAW:
		port = -1
	}
	if near != far {
		return ipPort(cable[k.family][far], port)
	}
	return loopback(k.family, port)
}

func loopback(f Family, port int) address {
	if f == AF_INET6 {
		return ipPort("::1", port)
	}
	return ipPort("127.0.0.1", port)
}

// address is any that may make sense to a socket.
func (g *generator) address(s *socket) address {
	if g.chance(3) {
		if others := g.live(func(o *socket) bool { return o.kind.family == s.kind.family }); len(others) > 0 {
			return nameOf(pick(g, "whose", others))
		}
	}
	if s.kind.family == AF_UNIX {
		return pick(g, "address", []address{
			path("a"), path("b"), path("c"), abstract("a"),
			fixed(`SockaddrUnix("")`, SockaddrUnix("")), path("no/such"), loopback(AF_INET, 0),
		})
	}
	port := g.number("port", -1, ports-1)
	if s.kind.typ == SOCK_RAW {
		port = -1
	}
	near := cable[s.kind.family]
	all := []address{loopback(s.kind.family, port), ipPort("0.0.0.0", port), ipPort(near[s.host], port), ipPort("127.0.0.2", port)}
	if s.kind.family == AF_INET6 {
		all = append(all, ipPort("::", port), ipPort("::ffff:127.0.0.1", port), ipPort("::ffff:0.0.0.0", port))
	}
	if g.both {
		all = append(all, ipPort(near[1-s.host], port))
	}
	// What no host has, broadcast and groups, and the wrong family.
	return pick(g, "address", append(all, ipPort("198.51.100.1", port), ipPort("255.255.255.255", port),
		ipPort("192.0.2.255", port), fixed(`SockaddrUnix("/nowhere/at/all")`, SockaddrUnix("/nowhere/at/all")), loopback(AF_INET6, port)))
}

// live are the variables of sockets of which ok is true, in the order of their making.
func (g *generator) live(ok func(s *socket) bool) (list []int) {
	for v := 1; v <= g.vars; v++ {
		if s := g.sockets[v]; s != nil && ok(s) {
			list = append(list, v)
		}
	}
	return list
}
