package conformance

import (
	"strings"

	. "sockeye"
)

// unixNames is what unix sockets are called, and what becomes of their names.
func unixNames() []Scenario {
	all := each([]kind{unixStream, unixDgram, unixSeqpacket}, []script{
		{"a path", func(x *calls, k kind) {
			f := x.bound(k)
			x.getsockname(f)
			x.bind(f, x.third(k))
		}},
		{"a path that is left behind", func(x *calls, k kind) {
			f := x.bound(k)
			x.close(f)
			x.bind(x.opened(k), x.server(k))
			x.connect(x.opened(k), x.server(k))
			x.unlink(x.server(k).Path())
			x.bind(x.opened(k), x.server(k))
		}},
		{"a path that is removed under its socket", func(x *calls, k kind) {
			f := x.bound(k)
			x.unlink(x.server(k).Path())
			x.getsockname(f)
			x.connect(x.opened(k), x.server(k))
			x.bind(x.opened(k), x.server(k))
		}},
		{"paths that cannot be", func(x *calls, k kind) {
			for _, p := range []string{"none/server", strings.Repeat("n", 300), "server/below"} {
				x.bound(k)
				sa := x.path(p)
				if len(sa.Path()) <= 108 {
					x.bind(x.opened(k), sa)
					x.connect(x.opened(k), sa)
				}
				x.closeAll()
			}
			x.bind(x.opened(k), SockaddrUnix(x.site.Dir))
		}},
		{"the longest paths", func(x *calls, k kind) {
			for _, n := range []int{107, 108} {
				sa := x.path(strings.Repeat("n", n-1-len(x.site.Dir)))
				f := x.opened(k)
				x.note("%d bytes", n)
				x.quietly(func() { x.bind(f, sa) })
				got := x.quietName(f)
				x.note("bound as given: %t", got == sa)
			}
			f := x.opened(k)
			x.note("109 bytes: %s", result(f.s.Bind(SockaddrUnix("/"+strings.Repeat("n", 108)))))
		}},
		{"an abstract name", func(x *calls, k kind) {
			f := x.opened(k)
			x.bind(f, SockaddrAbstract("name"))
			x.getsockname(f)
			x.bind(x.opened(k), SockaddrAbstract("name"))
			x.bind(x.opened(k), SockaddrAbstract("name\x00"))
			x.bind(x.opened(k), SockaddrAbstract("nam"))
			x.close(f)
			x.bind(x.opened(k), SockaddrAbstract("name"))
		}},
		{"an abstract name of all bytes", func(x *calls, k kind) {
			f := x.opened(k)
			x.bind(f, SockaddrAbstract(strings.Repeat("n", 107)))
			x.note("%d bytes", len(x.quietName(f).Path()))
			x.note("one more: %s", result(x.opened(k).s.Bind(SockaddrAbstract(strings.Repeat("n", 108)))))
			x.bind(x.opened(k), SockaddrAbstract(""))
		}},
		{"a name of the system's choice", func(x *calls, k kind) {
			f, g := x.opened(k), x.opened(k)
			x.bind(f, SockaddrUnix(""))
			x.getsockname(f)
			x.bind(f, SockaddrUnix(""))
			x.bind(g, SockaddrUnix(""))
			x.getsockname(g)
			x.bind(f, x.server(k))
		}},
		{"no name", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			x.getsockname(a)
			x.getpeername(a)
			x.bind(a, x.server(k))
			x.getpeername(b)
		}},
		{"connecting to nobody", func(x *calls, k kind) {
			x.connect(x.opened(k), x.server(k))
			x.connect(x.opened(k), SockaddrAbstract("nobody"))
			x.connect(x.opened(k), SockaddrUnix(""))
			x.connect(x.opened(k), SockaddrUnix(x.site.Dir))
		}},
		{"connecting to another type", func(x *calls, k kind) {
			for _, other := range []kind{unixStream, unixDgram, unixSeqpacket} {
				x.section("%s", other.name)
				s := x.bound(other)
				if other != unixDgram {
					x.listen(s, 5)
				}
				x.connect(x.opened(k), x.server(other))
			}
		}},
		{"addresses that are too short or of another family", func(x *calls, k kind) {
			for _, n := range []int{1, 2, 3} {
				x.bind(x.opened(k), resized(SockaddrUnix("/x"), n))
			}
			x.bind(x.opened(k), ip4("127.0.0.1", port))
			x.connect(x.opened(k), ip4("127.0.0.1", port))
			x.connect(x.opened(k), rawFamily(int(AF_UNSPEC), 16))
		}},
		{"AF_UNSPEC", func(x *calls, k kind) {
			a, _ := x.socketpair(AF_UNIX, k.typ, 0)
			x.connect(a, Sockaddr{})
			x.send(a, "x", MSG_DONTWAIT)
		}},
	})
	all = append(all, each([]kind{unixStream, unixDgram, unixSeqpacket}, []script{
		{"a path without permission", func(x *calls, k kind) {
			f := x.bound(k)
			if k != unixDgram {
				x.listen(f, 5)
			}
			x.chmod(x.server(k).Path(), 0)
			x.connect(x.opened(k), x.server(k))
			if k == unixDgram {
				x.sendto(x.opened(k), "x", 0, x.server(k))
			}
			x.chmod(x.server(k).Path(), 0o200)
			x.connect(x.opened(k), x.server(k))
		}},
	})...)
	for i := len(all) - 3; i < len(all); i++ {
		all[i].Needs.Unprivileged = true
	}
	return append(all,
		Scenario{Name: "unix dgram/a queue that is full", body: func(x *calls) {
			c, s := x.datagrams(unixDgram)
			x.fill(c)
			x.ready(c)
			x.recv(s, 1, 0)
			x.ready(c)
			x.send(c, "x", 0)
		}},
		Scenario{Name: "unix dgram/a queue that is full, to one who names it", body: func(x *calls) {
			c, s := x.datagrams(unixDgram)
			x.fill(c)
			f := x.opened(unixDgram)
			x.ready(f)
			x.sendto(f, "late", MSG_DONTWAIT, x.server(unixDgram))
			waiting := x.start(func(y *calls) { y.sendto(f, "late", 0, y.server(unixDgram)) })
			x.quietly(func() { x.recv(s, 1, 0) })
			x.join(waiting)
		}},
		Scenario{Name: "unix dgram/max_dgram_qlen bounds the queue", Needs: Needs{Sysctls: []string{"net.unix.max_dgram_qlen=3"}}, body: func(x *calls) {
			c, _ := x.datagrams(unixDgram)
			x.fill(c)
		}},
		Scenario{Name: "unix dgram/a peer that has another peer", body: func(x *calls) {
			a, _ := x.socketpair(AF_UNIX, SOCK_DGRAM, 0)
			x.bind(a, x.server(unixDgram))
			f := x.opened(unixDgram)
			x.connect(f, x.server(unixDgram))
			x.sendto(f, "x", 0, x.server(unixDgram))
		}},
		Scenario{Name: "unix dgram/the peer has closed", body: func(x *calls) {
			a, b := x.socketpair(AF_UNIX, SOCK_DGRAM, 0)
			x.send(b, "last", 0)
			x.close(b)
			x.ready(a)
			x.recv(a, 5, 0)
			x.send(a, "x", 0)
			x.send(a, "x", 0)
			x.recv(a, 5, MSG_DONTWAIT)
		}},
		Scenario{Name: "unix dgram/reconnecting drops what the old peer sent", body: func(x *calls) {
			c, s := x.datagrams(unixDgram)
			x.sendto(s, "old", 0, x.name(c))
			o := x.opened(unixDgram)
			x.bind(o, x.other(unixDgram))
			x.connect(c, x.other(unixDgram))
			x.recv(c, 5, MSG_DONTWAIT)
		}},
		Scenario{Name: "unix stream/out-of-band", body: func(x *calls) {
			a, b := x.socketpair(AF_UNIX, SOCK_STREAM, 0)
			x.send(a, "abc", 0)
			x.send(a, "d", MSG_OOB)
			x.ready(b)
			x.recv(b, 10, 0)
			x.sockatmark(b)
			x.recv(b, 1, MSG_OOB)
			x.recv(b, 10, MSG_DONTWAIT)
		}},
	)
}

// quietName is getsockname(2) without a line.
func (x *calls) quietName(f *fd) (sa Sockaddr) {
	x.quietly(func() { sa = x.getsockname(f) })
	return sa
}
