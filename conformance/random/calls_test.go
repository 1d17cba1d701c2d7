//go:build linux && !386 && !s390x

package random_test

import (
	"context"
	"net/netip"
	"strings"

	"pgregory.net/rapid"

	. "sockeye"
)

// on adds a call on socket v to the program.
func (g *generator) on(v int, text string, uses []int, do func(r *run, s *socket) string) {
	g.call(call{text: text, uses: append([]int{v}, uses...), do: func(r *run) string { return do(r, r.sockets[v]) }})
}

func (g *generator) pair(k kind) {
	a, b := g.variable(), g.variable()
	g.call(call{text: "x." + strings.Replace(k.open(), "socket", "socketpair", 1), makes: []int{a, b}, do: func(r *run) string {
		s, t, err := r.hosts[0].Socketpair(k.family, k.typ|SOCK_NONBLOCK, k.proto)
		if err == nil {
			r.add(a, s, k, 0)
			r.add(b, t, k, 0)
		}
		return result(err)
	}})
}

func (g *generator) bind(v int, at address) {
	g.on(v, sprintf("x.bind(s%d, %s)", v, at.text), at.uses, func(r *run, s *socket) string {
		sa := at.of(r)
		err := s.Bind(sa)
		if p := sa.Path(); err == nil && p != "" && p[0] != 0 {
			r.paths[p] = true
		}
		return result(err)
	})
}

// listen is listen(2), but for a socket of IPv6 that has tried IPv4: see connect.
func (g *generator) listen(v, backlog int) {
	if s := g.sockets[v]; s.kind == tcp6 && s.version == 4 {
		return
	}
	g.on(v, sprintf("x.listen(s%d, %d)", v, backlog), nil, func(r *run, s *socket) string { return result(s.Listen(backlog)) })
}

// connect is connect(2). A datagram socket that has a peer and can't connect to another is closed
// then: Linux keeps the new address in the flow that it sends by, and the old route, so that what is
// sent from then on reaches neither. And an IPv6 socket keeps to one version of IP: a TCP socket that has
// tried IPv4 goes on speaking it there, and one that has an address of each uses both.
func (g *generator) connect(v int, to address) {
	s := g.sockets[v]
	if ip := to.of(g.run).Addr(); s.kind.family == AF_INET6 && ip.IsValid() {
		version := 6
		if ip.Is4() || ip.Is4In6() {
			version = 4
		}
		if s.version != 0 && s.version != version {
			return
		}
		s.version = version
	}
	had := s.connected
	g.on(v, sprintf("x.connect(s%d, %s)", v, to.text), to.uses, func(r *run, s *socket) string {
		sa := to.of(r)
		err := s.Connect(sa)
		if err == nil {
			s.connected = !sa.IsZero()
		}
		return result(err)
	})
	if had && isDatagram(s) && strings.Contains(g.lines[len(g.lines)-1], " = -1") {
		g.close(v)
	}
}

func (g *generator) accept(v int) {
	conn := g.variable()
	g.call(call{text: sprintf("x.accept4(s%d, SOCK_NONBLOCK)", v), makes: []int{conn}, uses: []int{v}, do: func(r *run) string {
		l := r.sockets[v]
		s, from, err := l.Accept4(SOCK_NONBLOCK)
		if err != nil {
			return result(err)
		}
		r.add(conn, s, l.kind, l.host)
		return r.addr(from, l.kind)
	}})
}

func (g *generator) close(v int) {
	g.on(v, sprintf("x.close(s%d)", v), nil, func(r *run, s *socket) string {
		delete(r.sockets, v)
		return result(s.Close())
	})
}

func (g *generator) setInt(v int, o AnyOption, value int) {
	g.on(v, sprintf("x.setInt(s%d, %v, %d)", v, o, value), nil, func(r *run, s *socket) string {
		level, name := o.Number()
		return result(s.SetsockoptInt(level, name, value))
	})
}

func (g *generator) get(v int, o AnyOption) {
	g.on(v, sprintf("x.get(s%d, %v)", v, o), nil, func(r *run, s *socket) string {
		value, err := o.Value(s.Socket)
		switch value := value.(type) {
		case TCPInfo:
			if value.State == TCP_FIN_WAIT2 { // it is a matter of when the FIN is acknowledged
				value.State = TCP_FIN_WAIT1
			}
			return result(err, sprintf("{%v, received %d}", value.State, value.BytesReceived))
		case Sockaddr:
			return result(err, r.addr(value, s.kind))
		case Credentials:
			return result(err, sprintf("%d %d, a process %t", int32(value.UID), int32(value.GID), value.PID > 0))
		}
		return result(err, sprintf("%+v", value))
	})
}

// data is what to send: letters that tell the calls of a program apart.
func (g *generator) data(k kind) (text string, b []byte) {
	letter := string(rune('a' + len(g.program)%26))
	n := pick(g, "length", []int{1, 5, 0, 100, 2, 1000, 3000})
	switch {
	case k.name == "ping6" && n > 0:
		return sprintf(`"\x80\x00\x00\x00\x00\x00\x00\x01"+strings.Repeat(%q, %d)`, letter, n),
			append([]byte{128, 0, 0, 0, 0, 0, 0, 1}, strings.Repeat(letter, n)...)
	case (k.name == "ping4" || k.name == "icmp4") && n > 0:
		return sprintf(`"\x08\x00\x00\x00\x00\x00\x00\x01"+strings.Repeat(%q, %d)`, letter, n),
			append([]byte{8, 0, 0, 0, 0, 0, 0, 1}, strings.Repeat(letter, n)...)
	case n <= 5:
		return sprintf("%q", strings.Repeat(letter, n)), []byte(strings.Repeat(letter, n))
	}
	return sprintf("strings.Repeat(%q, %d)", letter, n), []byte(strings.Repeat(letter, n))
}

func (g *generator) flags(from ...MsgFlags) MsgFlags {
	f := pick(g, "flag", append([]MsgFlags{0}, from...))
	if g.chance(5) {
		f |= pick(g, "flag", from)
	}
	return f
}

func (g *generator) sendFlags() MsgFlags {
	if !g.chance(3) {
		return 0
	}
	return g.flags(MSG_MORE, MSG_OOB, MSG_DONTROUTE, MSG_EOR, MSG_CONFIRM, MSG_DONTWAIT)
}

func (g *generator) recvFlags() MsgFlags {
	if g.chance(2) {
		return 0
	}
	return g.flags(MSG_PEEK, MSG_TRUNC, MSG_OOB, MSG_WAITALL, MSG_ERRQUEUE, MSG_DONTWAIT)
}

// size is of a buffer to receive to.
func (g *generator) size() int { return pick(g, "size", []int{16, 4, 1, 0, 200, 5000}) }

func (g *generator) send(v int) {
	text, data := g.data(g.sockets[v].kind)
	flags := g.sendFlags()
	g.on(v, sprintf("x.send(s%d, %s, %v)", v, text, flags), nil, func(r *run, s *socket) string {
		r.urgent = r.urgent || flags&MSG_OOB != 0
		return counted(s.Send(data, flags))
	})
	g.flush(v, flags, fixed("Sockaddr{}", Sockaddr{}))
}

// flush sends what MSG_MORE held back. When a connection would send it otherwise depends on the
// kernel's accounts of memory: whether the next segment takes the fast path. And a datagram that grows
// while its socket is connected goes to the new peer by the old route.
func (g *generator) flush(v int, flags MsgFlags, to address) {
	s := g.sockets[v]
	if flags&MSG_MORE == 0 || !isDatagram(s) && !(isTCP(s) && hasPeer(s)) {
		return
	}
	if g.chance(2) {
		g.ready(pick(g, "socket", g.live(always)))
	}
	g.on(v, sprintf(`x.sendto(s%d, "!!!!!!!!", 0, %s)`, v, to.text), to.uses, func(r *run, s *socket) string {
		return counted(s.Sendto([]byte("!!!!!!!!"), 0, to.of(r)))
	})
}

// to is where a message may go. One that grows does not go elsewhere than to the peer, if there is
// one: Linux would send to the other address from then on.
func (g *generator) to(s *socket, flags MsgFlags) address {
	if flags&MSG_MORE != 0 && isDatagram(s) && hasPeer(s) {
		return fixed("Sockaddr{}", Sockaddr{})
	}
	return g.address(s)
}

func (g *generator) sendto(v int) {
	text, data := g.data(g.sockets[v].kind)
	flags := g.sendFlags()
	to := g.to(g.sockets[v], flags)
	g.on(v, sprintf("x.sendto(s%d, %s, %v, %s)", v, text, flags, to.text), to.uses, func(r *run, s *socket) string {
		return counted(s.Sendto(data, flags, to.of(r)))
	})
	g.flush(v, flags, to)
}

// sendmsg sends two buffers, and with them a socket or other ancillary data.
func (g *generator) sendmsg(v int) {
	k := g.sockets[v].kind
	text, data := g.data(k)
	more := "more"
	flags := g.sendFlags()
	to := fixed("Sockaddr{}", Sockaddr{})
	if !k.connects() && g.chance(2) {
		to = g.to(g.sockets[v], flags)
	}
	control := g.control(k)
	fields, uses := sprintf("Buffers: [][]byte{[]byte(%s), []byte(%q)}, Name: %s", text, more, to.text), to.uses
	if control.b != nil {
		fields += ", Control: " + control.text
	}
	passed := 0
	if k.family == AF_UNIX && g.chance(2) {
		// None that may come to hold itself: Linux collects those some time later, and not at once.
		if others := g.live(func(s *socket) bool { return s.kind.family != AF_UNIX || idle(s) && unnamed(s) }); len(others) > 0 {
			passed = pick(g, "passed", others)
			uses = append(uses, passed)
			fields += sprintf(", Rights: rights(s%d)", passed)
		}
	}
	g.on(v, sprintf("x.sendmsg(s%d, &Message{%s}, %v)", v, fields, flags), uses, func(r *run, s *socket) string {
		m := &Message{Name: to.of(r), Buffers: [][]byte{data, []byte(more)}, Control: control.b}
		if passed != 0 {
			m.Rights = []Descriptor{r.sockets[passed].Socket}
		}
		r.urgent = r.urgent || flags&MSG_OOB != 0
		return counted(s.Sendmsg(m, flags))
	})
	g.flush(v, flags, to)
}

type ancillary struct {
	text string
	b    []byte
}

func (g *generator) control(k kind) ancillary {
	if !g.chance(4) {
		return ancillary{"nil", nil}
	}
	all := []ancillary{
		{"AppendInt(nil, SOL_IP, IP_TTL.Name, 9)", AppendInt(nil, SOL_IP, IP_TTL.Name, 9)},
		{"AppendInt(nil, SOL_IP, IP_TOS.Name, 4)", AppendInt(nil, SOL_IP, IP_TOS.Name, 4)},
		{"AppendInt(nil, SOL_IPV6, IPV6_HOPLIMIT.Name, 7)", AppendInt(nil, SOL_IPV6, IPV6_HOPLIMIT.Name, 7)},
		{"AppendInt(nil, SOL_IPV6, IPV6_TCLASS.Name, 8)", AppendInt(nil, SOL_IPV6, IPV6_TCLASS.Name, 8)},
		{"AppendInt(nil, SOL_SOCKET, SCM_RIGHTS+90, 1)", AppendInt(nil, SOL_SOCKET, SCM_RIGHTS+90, 1)},
		{"AppendSegmentSize(nil, 3)", AppendSegmentSize(nil, 3)},
		{"AppendPktinfo4(nil, 1, netip.Addr{})", AppendPktinfo4(nil, 1, netip.Addr{})},
	}
	return pick(g, "control", all)
}

func (g *generator) recv(v int) {
	size, flags := g.size(), g.recvFlags()
	g.on(v, sprintf("x.recv(s%d, %d, %v)", v, size, flags), nil, func(r *run, s *socket) string {
		p := make([]byte, size)
		n, err := s.Recv(p, flags)
		return s.received(p, n, err)
	})
}

func (g *generator) recvfrom(v int) {
	size, flags := g.size(), g.recvFlags()
	g.on(v, sprintf("x.recvfrom(s%d, %d, %v)", v, size, flags), nil, func(r *run, s *socket) string {
		p := make([]byte, size)
		n, from, err := s.Recvfrom(p, flags)
		if err != nil {
			return s.received(p, n, err)
		}
		return s.received(p, n, nil) + ", " + r.addr(from, s.kind)
	})
}

func (g *generator) recvmsg(v int) {
	size, room, flags := g.size(), pick(g, "room", []int{64, 0, 20, 256}), g.recvFlags()
	passed := g.variable()
	g.call(call{text: sprintf("x.recvmsg(s%d, room(%d, %d), %v)", v, size, room, flags), makes: []int{passed}, index: "[0]", uses: []int{v},
		do: func(r *run) string {
			m := &Message{Buffers: [][]byte{make([]byte, size)}, Control: make([]byte, room)}
			s := r.sockets[v]
			n, err := s.Recvmsg(m, flags)
			if err != nil {
				return counted(n, err)
			}
			return r.incoming(m, s, passed)
		}})
}

func (g *generator) sendmmsg(v int) {
	k := g.sockets[v].kind
	var texts []string
	var buffers [][]byte
	for range g.number("messages", 1, 3) {
		text, b := g.data(k)
		texts, buffers = append(texts, sprintf("*message(%s, Sockaddr{}, nil, nil)", text)), append(buffers, b)
	}
	flags := g.sendFlags()
	g.on(v, sprintf("x.sendmmsg(s%d, []Message{%s}, %v)", v, strings.Join(texts, ", "), flags), nil, func(r *run, s *socket) string {
		var ms []Message
		for _, b := range buffers {
			ms = append(ms, Message{Buffers: [][]byte{b}})
		}
		r.urgent = r.urgent || flags&MSG_OOB != 0
		return counted(s.Sendmmsg(ms, flags))
	})
	g.flush(v, flags, fixed("Sockaddr{}", Sockaddr{}))
}

func (g *generator) recvmmsg(v int) {
	size, n, flags := g.size(), g.number("messages", 1, 3), g.recvFlags()
	room := sprintf("*room(%d, 0)", size)
	g.on(v, sprintf("x.recvmmsg(s%d, []Message{%s}, %v)", v, room+strings.Repeat(", "+room, n-1), flags), nil, func(r *run, s *socket) string {
		ms := make([]Message, n)
		for i := range ms {
			ms[i].Buffers = [][]byte{make([]byte, size)}
		}
		n, err := s.Recvmmsg(ms, flags)
		show := counted(n, err)
		for i := range ms[:n] {
			show += "; " + r.incoming(&ms[i], s, -1)
		}
		return show
	})
}

func (g *generator) shutdown(v int) {
	how := pick(g, "how", []How{SHUT_WR, SHUT_RD, SHUT_RDWR})
	g.on(v, sprintf("x.shutdown(s%d, %v)", v, how), nil, func(r *run, s *socket) string { return result(s.Shutdown(how)) })
}

func (g *generator) getsockname(v int) {
	g.on(v, sprintf("x.getsockname(s%d)", v), nil, func(r *run, s *socket) string {
		sa, err := s.Getsockname()
		return result(err, r.addr(sa, s.kind))
	})
}

func (g *generator) getpeername(v int) {
	g.on(v, sprintf("x.getpeername(s%d)", v), nil, func(r *run, s *socket) string {
		sa, err := s.Getpeername()
		return result(err, r.addr(sa, s.kind))
	})
}

// ready is poll(2).
func (g *generator) ready(v int) {
	const all = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP
	g.on(v, sprintf("x.ready(s%d)", v), nil, func(r *run, s *socket) string { return s.Ready(all).String() })
}

// sel is select(2).
func (g *generator) sel(v int) {
	g.on(v, sprintf("x.sel(s%d)", v), nil, func(r *run, s *socket) string {
		one := []*Socket{s.Socket}
		in, out, ex, err := r.hosts[s.host].Select(context.Background(), one, one, one, 0)
		return result(err, sprintf("readable %t, writable %t, exceptional %t", len(in) > 0, len(out) > 0, len(ex) > 0))
	})
}

func (g *generator) inq(v int) {
	g.on(v, sprintf("x.inq(s%d)", v), nil, func(r *run, s *socket) string {
		n, err := s.Inq()
		if r.urgent && s.kind == unixStream { // Linux 6.18 goes on counting an urgent byte that was read past
			n = 0
		}
		return counted(n, err)
	})
}

// outq is SIOCOUTQ. How much is not 0 is the kernel's bookkeeping, and on a connection a
// matter of when acknowledgements come.
func (g *generator) outq(v int) {
	g.on(v, sprintf("x.outq(s%d)", v), nil, func(r *run, s *socket) string {
		n, err := s.Outq()
		if s.kind.is("tcp") {
			n = 0
		}
		return result(err, sprintf("more than 0: %t", n > 0))
	})
}

func (g *generator) sockatmark(v int) {
	g.on(v, sprintf("x.sockatmark(s%d)", v), nil, func(r *run, s *socket) string {
		at, err := s.AtMark()
		return result(err, sprintf("%t", at))
	})
}

// A move is a call that a program may go on with: so often, on sockets that it is for.
type move struct {
	weight int
	ok     func(s *socket) bool
	do     func(g *generator, v int)
}

func always(*socket) bool { return true }

func listens(s *socket) bool {
	on, err := SO_ACCEPTCONN.Get(s.Socket)
	return err == nil && on
}

func hasPeer(s *socket) bool {
	_, err := s.Getpeername()
	return err == nil || s.connected && isDatagram(s)
}

func not(f func(*socket) bool) func(*socket) bool { return func(s *socket) bool { return !f(s) } }

// idle sockets could listen or connect.
func idle(s *socket) bool { return !listens(s) && !hasPeer(s) }

// unnamed sockets have no address, for others to send to.
func unnamed(s *socket) bool {
	sa, err := s.Getsockname()
	return err == nil && sa.Path() == ""
}

func waits(s *socket) bool { return s.Ready(POLLIN) != 0 }

// isDatagram tells datagram sockets of IP.
func isDatagram(s *socket) bool { return !s.kind.connects() && s.kind.family != AF_UNIX }

func isTCP(s *socket) bool { return s.kind.is("tcp") }

var moves = []move{
	{4, always, (*generator).ready},
	{4, not(listens), (*generator).send},
	{4, not(listens), (*generator).recv},
	{6, waits, (*generator).recv},
	{3, waits, (*generator).recvmsg},
	{2, waits, (*generator).recvfrom},
	{1, waits, (*generator).recvmmsg},
	{12, func(s *socket) bool { return listens(s) && waits(s) }, (*generator).accept},
	{1, (*socket).accepts, (*generator).accept},
	{2, hasPeer, (*generator).sendmsg},
	{1, hasPeer, (*generator).sendmmsg},
	{4, func(s *socket) bool { return !s.kind.connects() }, (*generator).sendto},
	{1, always, (*generator).sendto},
	{1, always, (*generator).recv},
	{1, always, (*generator).sendmsg},
	{2, not(listens), (*generator).shutdown},
	{1, listens, (*generator).shutdown},
	{3, always, (*generator).close},
	{1, always, (*generator).getsockname},
	{1, always, (*generator).getpeername},
	{1, always, (*generator).inq},
	{1, always, (*generator).outq},
	{1, always, (*generator).sockatmark},
	{1, always, (*generator).sel},
	{3, always, func(g *generator, v int) { g.get(v, pick(g, "option", read)) }},
	{2, always, func(g *generator, v int) { g.get(v, SO_ERROR) }},
	{2, isTCP, func(g *generator, v int) { g.get(v, TCP_INFO) }},
	{3, always, func(g *generator, v int) {
		o := pick(g, "option", written)
		values := []int{1, 0, 2, -1, 3, 64, 255, 256, 1 << 20}
		if o.String() == "SO_BINDTOIFINDEX" { // what becomes of a connection without its interface takes time
			values = values[:3]
		}
		g.setInt(v, o, pick(g, "value", values))
	}},
	{4, idle, func(g *generator, v int) { g.connect(v, g.address(g.sockets[v])) }},
	{4, idle, func(g *generator, v int) { g.bind(v, g.address(g.sockets[v])) }},
	{3, func(s *socket) bool { return idle(s) && s.kind.connects() }, func(g *generator, v int) {
		g.listen(v, pick(g, "backlog", []int{5, 0, 1, -1}))
	}},
	{1, always, func(g *generator, v int) { g.connect(v, g.address(g.sockets[v])) }},
	{1, always, func(g *generator, v int) { g.connect(v, fixed("Sockaddr{}", Sockaddr{})) }},
	{1, always, func(g *generator, v int) { g.bind(v, g.address(g.sockets[v])) }},
	{1, always, func(g *generator, v int) { g.listen(v, 1) }},
	{1, not(listens), func(g *generator, v int) { g.linger(v) }},
}

func (s *socket) accepts() bool { return s.kind.connects() }

func (g *generator) linger(v int) {
	g.on(v, sprintf("set(x, s%d, SO_LINGER, Linger{On: true})", v), nil, func(r *run, s *socket) string {
		return result(SO_LINGER.Set(s.Socket, Linger{On: true}))
	})
}

// step goes on with one call, on one of the sockets or a new one.
func (g *generator) step() {
	all := g.live(always)
	if len(all) == 0 || len(all) < 6 && g.chance(8) {
		k := pick(g, "kind", g.kinds)
		switch n := g.number("new", 0, 5); {
		case n > 3 && k.family == AF_UNIX:
			g.pair(k)
		default:
			v := g.open(k, g.host())
			if l := g.live(func(s *socket) bool { return listens(s) && s.kind == k }); n > 0 && len(l) > 0 {
				g.connect(v, nameOf(pick(g, "listener", l)))
			}
		}
		return
	}
	v := pick(g, "socket", all)
	s := g.sockets[v]
	var may []func(*generator, int)
	for _, m := range moves {
		if m.ok(s) {
			for range m.weight {
				may = append(may, m.do)
			}
		}
	}
	may[rapid.IntRange(0, len(may)-1).Draw(g.t, "move")](g, v)
}

// read are the options that can be asked for: all but those whose value is of the machine or the
// moment. Buffers are tuned by the round-trip time, the MSS is at most half of a window that depends on
// the kernel's accounts of memory, and the MTU is that of the route which the socket has cached.
var read = without(Options(), WriteOnly, SO_RCVBUF, SO_SNDBUF, SO_INCOMING_CPU, TCP_TIMESTAMP, TCP_QUICKACK, TCP_INFO, SO_PEERGROUPS,
	TCP_WINDOW_CLAMP, TCP_MAXSEG, IP_MTU, IPV6_MTU)

// written are those that can be set, but for those that make time matter: delays, how big buffers are,
// and what acknowledgements wait for. IPV6_FLOWINFO_SEND tells a hash, and packets get timestamps only some
// time after a first socket asked for them.
var written = without(Options(), ReadOnly, SO_RCVBUF, SO_SNDBUF, SO_RCVBUFFORCE, SO_SNDBUFFORCE, SO_BUSY_POLL, SO_INCOMING_CPU,
	SO_RCVTIMEO, SO_SNDTIMEO, SO_LINGER, SO_TIMESTAMPING, TCP_TX_DELAY, TCP_NODELAY, TCP_QUICKACK, TCP_TIMESTAMP, TCP_WINDOW_CLAMP,
	TCP_USER_TIMEOUT, TCP_MAXSEG, SO_BINDTODEVICE, TCP_CORK, UDP_CORK, IPV6_FLOWINFO_SEND,
	SO_TIMESTAMP, SO_TIMESTAMPNS)

func without(all []AnyOption, access Access, others ...AnyOption) (list []AnyOption) {
	for _, o := range all {
		keep := o.Access() != access
		for _, other := range others {
			keep = keep && o.String() != other.String()
		}
		if keep {
			list = append(list, o)
		}
	}
	return list
}
