package conformance

import (
	"errors"
	"os"
	"syscall"
	"time"

	. "sockeye"
)

// unixRights is what unix sockets carry besides data: descriptors and
// credentials.
func unixRights() []Scenario {
	all := each([]kind{unixStream, unixDgram, unixSeqpacket}, []script{
		{"a socket of each kind", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			for _, passed := range []kind{tcp4, tcp6, udp4, udp6, unixStream, unixDgram, unixSeqpacket, raw4, raw6} {
				f := x.opened(passed)
				x.sendmsg(a, message("x", Sockaddr{}, nil, rights(f)), 0)
				for _, g := range x.recvmsg(b, room(5, 64), 0) {
					x.get(g, SO_TYPE)
					x.get(g, SO_DOMAIN)
				}
			}
		}},
		{"several at once", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			x.sendmsg(a, message("x", Sockaddr{}, nil, rights(x.opened(udp4), x.opened(tcp4), x.opened(unixStream))), 0)
			x.recvmsg(b, room(5, 64), 0)
		}},
		{"too little room", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			for _, n := range []int{0, 16, 19, 20, 24} {
				x.sendmsg(a, message("x", Sockaddr{}, nil, rights(a, b, a)), 0)
				x.recvmsg(b, room(5, n), 0)
			}
		}},
		{"a socket that still works", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			c, s := x.connection(tcp4)
			x.sendmsg(a, message("x", Sockaddr{}, nil, rights(c)), 0)
			x.close(c)
			for _, g := range x.recvmsg(b, room(5, 64), 0) {
				x.send(g, "hello", 0)
				x.recv(s, 10, 0)
				x.getpeername(g)
			}
		}},
		{"options go with a socket", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			f := x.opened(udp4)
			x.setInt(f, IP_TTL, 7)
			x.sendmsg(a, message("x", Sockaddr{}, nil, rights(f)), 0)
			for _, g := range x.recvmsg(b, room(5, 64), 0) {
				x.get(g, IP_TTL)
				x.setInt(g, IP_TTL, 9)
			}
			x.get(f, IP_TTL)
		}},
		{"in flight when the receiver closes", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			c, s := x.connection(tcp4)
			x.sendmsg(a, message("x", Sockaddr{}, nil, rights(c)), 0)
			x.close(c)
			x.ready(s)
			x.close(b)
			x.await(s, POLLRDHUP)
		}},
		{"a peek gives them too", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			x.sendmsg(a, message("x", Sockaddr{}, nil, rights(a)), 0)
			x.recvmsg(b, room(5, 64), MSG_PEEK)
			x.recvmsg(b, room(5, 64), 0)
		}},
		{"recv drops them", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			x.sendmsg(a, message("xy", Sockaddr{}, nil, rights(a)), 0)
			x.recv(b, 1, 0)
			x.recvmsg(b, room(5, 64), MSG_DONTWAIT)
		}},
		{"without data", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			x.sendmsg(a, message("", Sockaddr{}, nil, rights(a)), 0)
			x.recvmsg(b, room(5, 64), MSG_DONTWAIT)
		}},
		{"SCM_CREDENTIALS with SO_PASSCRED", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			x.send(a, "before", 0)
			x.setInt(b, SO_PASSCRED, 1)
			x.recvmsg(b, room(10, 64), 0)
			x.send(a, "after", 0)
			x.recvmsg(b, room(10, 64), 0)
			x.sendmsg(a, message("named", Sockaddr{}, AppendCredentials(nil, own()), nil), 0)
			x.recvmsg(b, room(10, 64), 0)
		}},
		{"SCM_CREDENTIALS without SO_PASSCRED", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			x.sendmsg(a, message("named", Sockaddr{}, AppendCredentials(nil, own()), nil), 0)
			x.recvmsg(b, room(10, 64), 0)
		}},
		{"credentials and descriptors together", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			x.setInt(b, SO_PASSCRED, 1)
			x.sendmsg(a, message("both", Sockaddr{}, AppendCredentials(nil, own()), rights(a)), 0)
			x.recvmsg(b, room(10, 128), 0)
		}},
		{"SO_PASSCRED gives a name to a socket that connects or sends", func(x *calls, k kind) {
			s := x.bound(k)
			if k != unixDgram {
				x.listen(s, 5)
			}
			c := x.opened(k)
			x.setInt(c, SO_PASSCRED, 1)
			x.connect(c, x.server(k))
			x.getsockname(c)
		}},
		{"SO_PEERCRED", func(x *calls, k kind) {
			a, _ := x.socketpair(AF_UNIX, k.typ, 0)
			x.get(a, SO_PEERCRED)
			f := x.opened(k)
			x.get(f, SO_PEERCRED)
		}},
	})
	all = append(all, each([]kind{unixStream}, []script{
		{"a descriptor ends a large receive", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			x.send(a, "one", 0)
			x.sendmsg(a, message("two", Sockaddr{}, nil, rights(a)), 0)
			x.send(a, "three", 0)
			x.recvmsg(b, room(20, 64), 0)
			x.recvmsg(b, room(20, 64), 0)
		}},
		{"credentials of others end a large receive", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			x.setInt(b, SO_PASSCRED, 1)
			x.send(a, "one", 0)
			x.sendmsg(a, message("two", Sockaddr{}, AppendCredentials(nil, own()), nil), 0)
			x.recvmsg(b, room(20, 64), 0)
		}},
	})...)
	all = append(all, each([]kind{unixStream, unixDgram, unixSeqpacket}, []script{
		{"a socket that waits at itself ends when another is closed", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			x.sendmsg(a, message("x", Sockaddr{}, nil, rights(b)), 0)
			x.close(b)
			x.ready(a)
			x.send(a, "it is there", 0)
			x.closeAnother(k)
			x.awaitGone(a)
			x.send(a, "it is gone", MSG_NOSIGNAL)
		}},
		{"sockets that wait at each other end when another is closed", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			c, d := x.socketpair(AF_UNIX, k.typ, 0)
			x.sendmsg(a, message("x", Sockaddr{}, nil, rights(d)), 0)
			x.sendmsg(c, message("y", Sockaddr{}, nil, rights(b, b)), 0)
			x.close(b)
			x.close(d)
			x.ready(a)
			x.ready(c)
			x.closeAnother(k)
			x.awaitGone(a)
			x.awaitGone(c)
		}},
		{"sockets that can be received do not end", func(x *calls, k kind) {
			a, b := x.socketpair(AF_UNIX, k.typ, 0)
			c, d := x.socketpair(AF_UNIX, k.typ, 0)
			x.sendmsg(a, message("x", Sockaddr{}, nil, rights(d)), 0)
			x.sendmsg(c, message("y", Sockaddr{}, nil, rights(d)), 0)
			x.close(d)
			x.closeAnother(k)
			got := x.recvmsg(b, room(5, 64), 0)
			got = x.recvmsg(got[0], room(5, 64), 0)
			x.send(c, "z", 0)
			x.recv(got[0], 5, 0)
		}},
	})...)
	return append(all,
		Scenario{Name: "unprivileged/credentials that are not one's own", Needs: Needs{Unprivileged: true}, body: func(x *calls) {
			a, b := x.socketpair(AF_UNIX, SOCK_DGRAM, 0)
			x.setInt(b, SO_PASSCRED, 1)
			c := own()
			c.PID = 1 << 22
			_, err := a.s.Sendmsg(message("lie", Sockaddr{}, AppendCredentials(nil, c), nil), 0)
			x.log(result(err), "sendmsg(%v, another's process id)", a)
			x.sendmsg(a, message("truth", Sockaddr{}, AppendCredentials(nil, own()), nil), 0)
			x.recvmsg(b, room(10, 64), 0)
		}},
		Scenario{Name: "not unix/TCP and UDP do not carry them", body: func(x *calls) {
			c, s := x.connection(tcp4)
			x.sendmsg(c, message("x", Sockaddr{}, nil, rights(c)), 0)
			x.recvmsg(s, room(5, 64), MSG_DONTWAIT)
			x.section("udp4")
			u, v := x.datagrams(udp4)
			x.sendmsg(u, message("x", Sockaddr{}, nil, rights(u)), 0)
			x.recvmsg(v, room(5, 64), MSG_DONTWAIT)
		}},
	)
}

// closeAnother closes two sockets that have nothing to do with others: the system looks for those that nobody can reach.
func (x *calls) closeAnother(k kind) {
	x.quietly(func() {
		a, b := x.socketpair(AF_UNIX, k.typ, 0)
		x.close(a)
		x.close(b)
	})
}

// awaitGone waits until a socket's peer is.
func (x *calls) awaitGone(f *fd) {
	for err := error(nil); err == nil || errors.Is(err, syscall.EAGAIN); x.pause() {
		if time.Now().After(x.deadline) {
			x.fail("the peer of %v is still there", f)
		}
		_, err = f.s.Send(nil, MSG_DONTWAIT|MSG_NOSIGNAL)
	}
	x.ready(f)
}

// own are the credentials of this process.
func own() Credentials {
	return Credentials{PID: int32(os.Getpid()), UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
}
