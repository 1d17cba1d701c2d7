package conformance

import . "sockeye"

// A state is a way to bring a socket somewhere in its life. It is made anew for
// each probe.
type state struct {
	name string
	make func(x *calls, k kind) *fd
}

// A probe is one call on a socket that is called s.
type probe func(x *calls, s *fd, k kind)

// states makes every call in every state that sockets of each kind can be in.
// The calls do not wait: what would is EAGAIN.
func states() []Scenario {
	var all []Scenario
	for _, g := range []struct {
		kinds  []kind
		states [][]state
	}{
		{[]kind{tcp4, tcp6}, [][]state{anyStates, streamStates, tcpStates}},
		{[]kind{unixStream, unixSeqpacket}, [][]state{anyStates, streamStates, pairStates}},
		{[]kind{udp4, udp6}, [][]state{anyStates, datagramStates, udpStates}},
		{[]kind{unixDgram}, [][]state{anyStates, datagramStates, pairStates, unixDgramStates}},
		{[]kind{raw4, raw6, ping4, ping6}, [][]state{anyStates, rawStates}},
	} {
		for _, k := range g.kinds {
			for _, states := range g.states {
				for _, st := range states {
					all = append(all, Scenario{
						Name:  k.name + "/" + st.name,
						Needs: Needs{Sysctls: []string{pingAllowed}},
						body:  func(x *calls) { probeAll(x, k, st) },
					})
				}
			}
		}
	}
	return all
}

func probeAll(x *calls, k kind, st state) {
	all := probes
	if k.is("tcp") {
		all = append(all[:len(all):len(all)], tcpProbes...)
	}
	for _, p := range all {
		x.closeAll()
		var s *fd
		x.quietly(func() {
			o := x.opened(k)
			x.bind(o, x.other(k))
			if k.typ != SOCK_DGRAM && k.typ != SOCK_RAW {
				x.listen(o, 5)
			}
			s = st.make(x, k)
			s.s.SetNonblock(true)
		})
		p(x, x.as("s", s), k)
	}
}

// other is where another socket is bound, that probes can connect and send to.
func (x *calls) other(k kind) Sockaddr {
	switch {
	case k.family == AF_UNIX:
		return x.path("other")
	case k.is("raw"):
		return loopback(k.family, 0)
	}
	return loopback(k.family, port+1)
}

// third is an address that nobody is bound to.
func (x *calls) third(k kind) Sockaddr {
	switch {
	case k.family == AF_UNIX:
		return x.path("third")
	case k.is("raw"):
		return loopback(k.family, 0)
	}
	return loopback(k.family, port+2)
}

// payload is what can be sent on a socket of the kind: on ping sockets, an echo
// request.
func (k kind) payload() string {
	switch k.name {
	case "ping4":
		return "\x08\x00\x00\x00\x00\x00\x00\x01x"
	case "ping6":
		return "\x80\x00\x00\x00\x00\x00\x00\x01x"
	}
	return "x"
}

var probes = []probe{
	func(x *calls, s *fd, k kind) { x.ready(s) },
	func(x *calls, s *fd, k kind) { x.sel(s) },
	func(x *calls, s *fd, k kind) { x.getsockname(s) },
	func(x *calls, s *fd, k kind) { x.getpeername(s) },
	func(x *calls, s *fd, k kind) { x.get(s, SO_ERROR) },
	func(x *calls, s *fd, k kind) { x.get(s, SO_ACCEPTCONN) },
	func(x *calls, s *fd, k kind) { x.bind(s, x.third(k)) },
	func(x *calls, s *fd, k kind) { x.bind(s, x.other(k)) },
	func(x *calls, s *fd, k kind) { x.bind(s, wrongFamily(k)) },
	func(x *calls, s *fd, k kind) { x.listen(s, 1) },
	func(x *calls, s *fd, k kind) { x.accept(s) },
	func(x *calls, s *fd, k kind) { x.connect(s, x.other(k)) },
	func(x *calls, s *fd, k kind) { x.connect(s, Sockaddr{}) },
	func(x *calls, s *fd, k kind) { x.connect(s, wrongFamily(k)) },
	func(x *calls, s *fd, k kind) { x.send(s, k.payload(), 0) },
	func(x *calls, s *fd, k kind) { x.send(s, "", 0) },
	func(x *calls, s *fd, k kind) { x.send(s, k.payload(), MSG_OOB) },
	func(x *calls, s *fd, k kind) { x.sendto(s, k.payload(), 0, x.other(k)) },
	func(x *calls, s *fd, k kind) { x.sendto(s, k.payload(), 0, wrongFamily(k)) },
	func(x *calls, s *fd, k kind) { x.sendmsg(s, message(k.payload(), Sockaddr{}, nil, nil), 0) },
	func(x *calls, s *fd, k kind) { x.recv(s, 16, 0) },
	func(x *calls, s *fd, k kind) { x.recv(s, 0, 0) },
	func(x *calls, s *fd, k kind) { x.recv(s, 16, MSG_PEEK) },
	func(x *calls, s *fd, k kind) { x.recv(s, 16, MSG_WAITALL) },
	func(x *calls, s *fd, k kind) { x.recv(s, 1, MSG_OOB) },
	func(x *calls, s *fd, k kind) { x.recv(s, 16, MSG_ERRQUEUE) },
	func(x *calls, s *fd, k kind) { x.recvfrom(s, 16, 0) },
	func(x *calls, s *fd, k kind) { x.recvmsg(s, room(16, 64), 0) },
	func(x *calls, s *fd, k kind) { x.shutdown(s, SHUT_RD) },
	func(x *calls, s *fd, k kind) { x.shutdown(s, SHUT_WR) },
	func(x *calls, s *fd, k kind) { x.shutdown(s, SHUT_RDWR) },
	func(x *calls, s *fd, k kind) { x.shutdown(s, 3) },
	func(x *calls, s *fd, k kind) { x.inq(s) },
	func(x *calls, s *fd, k kind) { x.outq(s) },
	func(x *calls, s *fd, k kind) { x.sockatmark(s) },
	func(x *calls, s *fd, k kind) { x.close(s) },
}

var tcpProbes = []probe{
	func(x *calls, s *fd, k kind) { x.get(s, TCP_INFO) },
	func(x *calls, s *fd, k kind) { x.setInt(s, TCP_NODELAY, 1) },
	func(x *calls, s *fd, k kind) { x.setInt(s, IPV6_V6ONLY, 1) },
}

// wrongFamily is a well-formed address of a family that is not the socket's.
func wrongFamily(k kind) Sockaddr {
	switch k.family {
	case AF_INET:
		return ip6("::1", port)
	case AF_INET6:
		return SockaddrUnix("/nowhere")
	}
	return ip4("127.0.0.1", port)
}

var anyStates = []state{
	{"fresh", func(x *calls, k kind) *fd { return x.opened(k) }},
	{"bound", func(x *calls, k kind) *fd { return x.bound(k) }},
	{"closed", func(x *calls, k kind) *fd {
		s := x.opened(k)
		x.close(s)
		return s
	}},
	{"shut down without a peer", func(x *calls, k kind) *fd {
		s := x.opened(k)
		x.shutdown(s, SHUT_RDWR)
		return s
	}},
}

var streamStates = []state{
	{"listening", func(x *calls, k kind) *fd { return x.listening(k, 5) }},
	{"listening with a connection that waits", func(x *calls, k kind) *fd {
		l := x.listening(k, 5)
		x.connect(x.opened(k), x.server(k))
		x.await(l, POLLIN)
		return l
	}},
	{"shut down while listening", func(x *calls, k kind) *fd {
		l := x.listening(k, 5)
		x.shutdown(l, SHUT_RDWR)
		return l
	}},
	{"connected", func(x *calls, k kind) *fd {
		c, _ := x.connection(k)
		return c
	}},
	{"accepted", func(x *calls, k kind) *fd {
		_, a := x.connection(k)
		return a
	}},
	{"connected with data that waits", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		x.send(a, "hello", 0)
		x.await(c, POLLIN)
		return c
	}},
	{"peer has shut down writing", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		x.shutdown(a, SHUT_WR)
		x.await(c, POLLRDHUP)
		return c
	}},
	{"peer has shut down reading", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		x.shutdown(a, SHUT_RD)
		return c
	}},
	{"peer has closed", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		x.close(a)
		x.await(c, POLLRDHUP)
		return c
	}},
	{"peer has closed with our data unread", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		x.send(c, "hello", 0)
		x.await(a, POLLIN)
		x.close(a)
		x.await(c, POLLHUP|POLLERR)
		return c
	}},
	{"peer has sent and closed", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		x.send(a, "hello", 0)
		x.close(a)
		x.await(c, POLLRDHUP)
		return c
	}},
	{"shut down for reading", func(x *calls, k kind) *fd {
		c, _ := x.connection(k)
		x.shutdown(c, SHUT_RD)
		return c
	}},
	{"shut down for writing", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		x.shutdown(c, SHUT_WR)
		x.await(a, POLLRDHUP)
		x.awaitTCP(c, TCP_FIN_WAIT2)
		return c
	}},
	{"shut down for both", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		x.shutdown(c, SHUT_RDWR)
		x.await(a, POLLRDHUP)
		x.awaitTCP(c, TCP_FIN_WAIT2)
		return c
	}},
	{"both have shut down writing", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		x.shutdown(a, SHUT_WR)
		x.await(c, POLLRDHUP)
		x.shutdown(c, SHUT_WR)
		x.await(a, POLLRDHUP)
		x.awaitTCP(c, TCP_CLOSE)
		return c
	}},
	{"listener has closed without accepting", func(x *calls, k kind) *fd {
		l := x.listening(k, 5)
		c := x.opened(k)
		x.connect(c, x.server(k))
		x.await(l, POLLIN)
		x.close(l)
		x.await(c, POLLHUP|POLLERR)
		return c
	}},
	{"refused", func(x *calls, k kind) *fd {
		if k.family == AF_UNIX {
			x.close(x.bound(k))
		}
		c := x.opened(k)
		x.connect(c, x.server(k))
		return c
	}},
}

var tcpStates = []state{
	{"connecting", func(x *calls, k kind) *fd {
		x.fullListener(k)
		s := x.opened(k)
		s.s.SetNonblock(true)
		x.connect(s, x.server(k))
		return s
	}},
	{"connected and not asked yet", func(x *calls, k kind) *fd {
		x.listening(k, 5)
		s := x.opened(k)
		s.s.SetNonblock(true)
		x.connect(s, x.server(k))
		x.await(s, POLLOUT)
		return s
	}},
	{"refused and not asked yet", func(x *calls, k kind) *fd {
		s := x.opened(k)
		s.s.SetNonblock(true)
		x.connect(s, x.server(k))
		x.await(s, POLLHUP|POLLERR)
		return s
	}},
	{"reset by SO_LINGER 0", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		set(x, a, SO_LINGER, Linger{On: true})
		x.close(a)
		x.await(c, POLLHUP|POLLERR)
		return c
	}},
	{"reset and told of it", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		set(x, a, SO_LINGER, Linger{On: true})
		x.close(a)
		x.await(c, POLLHUP|POLLERR)
		x.recv(c, 1, 0)
		return c
	}},
	{"disconnected by AF_UNSPEC", func(x *calls, k kind) *fd {
		c, _ := x.connection(k)
		x.connect(c, Sockaddr{})
		return c
	}},
	{"urgent data waits", func(x *calls, k kind) *fd {
		c, a := x.connection(k)
		x.send(a, "abc", MSG_OOB)
		x.await(c, POLLPRI|POLLIN)
		return c
	}},
}

// fullListener is a listener whose queue is full: connections to it stay
// half-open.
func (x *calls) fullListener(k kind) *fd {
	l := x.listening(k, 0)
	x.connect(x.opened(k), x.server(k))
	x.await(l, POLLIN)
	return l
}

// pairStates are those of socketpair(2).
var pairStates = []state{
	{"pair", func(x *calls, k kind) *fd {
		a, _ := x.socketpair(k.family, k.typ, k.proto)
		return a
	}},
	{"pair whose other end has closed", func(x *calls, k kind) *fd {
		a, b := x.socketpair(k.family, k.typ, k.proto)
		x.close(b)
		return a
	}},
	{"pair whose other end has closed with our data unread", func(x *calls, k kind) *fd {
		a, b := x.socketpair(k.family, k.typ, k.proto)
		x.send(a, "hello", 0)
		x.close(b)
		return a
	}},
}

var datagramStates = []state{
	{"connected", func(x *calls, k kind) *fd {
		c, _ := x.datagrams(k)
		return c
	}},
	{"connected with a datagram that waits", func(x *calls, k kind) *fd {
		c, s := x.datagrams(k)
		x.sendto(s, "hello", 0, x.name(c))
		x.await(c, POLLIN)
		return c
	}},
	{"bound with an empty datagram that waits", func(x *calls, k kind) *fd {
		c, s := x.datagrams(k)
		x.send(c, "", 0)
		x.await(s, POLLIN)
		return s
	}},
	{"disconnected", func(x *calls, k kind) *fd {
		c, _ := x.datagrams(k)
		x.connect(c, Sockaddr{})
		return c
	}},
	{"shut down for reading", func(x *calls, k kind) *fd {
		c, _ := x.datagrams(k)
		x.shutdown(c, SHUT_RD)
		return c
	}},
	{"shut down for writing", func(x *calls, k kind) *fd {
		c, _ := x.datagrams(k)
		x.shutdown(c, SHUT_WR)
		return c
	}},
	{"shut down for both", func(x *calls, k kind) *fd {
		c, _ := x.datagrams(k)
		x.shutdown(c, SHUT_RDWR)
		return c
	}},
	{"peer has closed", func(x *calls, k kind) *fd {
		c, s := x.datagrams(k)
		x.close(s)
		return c
	}},
}

var udpStates = []state{
	{"refused", func(x *calls, k kind) *fd {
		c, s := x.datagrams(k)
		x.close(s)
		x.send(c, "x", 0)
		x.await(c, POLLERR)
		return c
	}},
	{"corked", func(x *calls, k kind) *fd {
		c, _ := x.datagrams(k)
		x.send(c, "x", MSG_MORE)
		return c
	}},
}

var unixDgramStates = []state{
	{"peer's queue is full", func(x *calls, k kind) *fd {
		c, _ := x.datagrams(k)
		x.fill(c)
		return c
	}},
}

// fill sends until there is no room.
func (x *calls) fill(f *fd) (n int) {
	for {
		if _, err := f.s.Send([]byte("x"), MSG_DONTWAIT); err != nil {
			x.note("%d sends fill the queue; then -1 %s", n, errorName(err))
			return n
		}
		n++
	}
}

var rawStates = []state{
	{"connected", func(x *calls, k kind) *fd {
		s := x.opened(k)
		x.connect(s, loopback(k.family, 0))
		return s
	}},
	{"disconnected", func(x *calls, k kind) *fd {
		s := x.opened(k)
		x.connect(s, loopback(k.family, 0))
		x.connect(s, Sockaddr{})
		return s
	}},
	{"shut down", func(x *calls, k kind) *fd {
		s := x.opened(k)
		x.connect(s, loopback(k.family, 0))
		x.shutdown(s, SHUT_RDWR)
		return s
	}},
}
