package conformance

import (
	"strings"

	. "sockeye"
)

// icmpErrors is how errors of the network reach datagram sockets.
func icmpErrors() []Scenario {
	all := each([]kind{udp4, udp6}, []script{
		{"a closed port, told by recv", func(x *calls, k kind) {
			c := x.refused(k)
			x.recv(c, 5, 0)
			x.recv(c, 5, MSG_DONTWAIT)
			x.ready(c)
		}},
		{"a closed port, told by send", func(x *calls, k kind) {
			c := x.refused(k)
			x.send(c, "again", 0)
			x.ready(c)
			x.send(c, "again", 0)
			x.await(c, POLLERR)
		}},
		{"a closed port, told by SO_ERROR", func(x *calls, k kind) {
			c := x.refused(k)
			x.get(c, SO_ERROR)
			x.get(c, SO_ERROR)
			x.ready(c)
		}},
		{"a closed port, told to a recv that waits", func(x *calls, k kind) {
			c := x.opened(k)
			x.connect(c, x.server(k))
			waiting := x.start(func(y *calls) { y.recv(c, 5, 0) })
			x.send(c, "x", 0)
			x.join(waiting)
		}},
		{"a closed port, not told without connect", func(x *calls, k kind) {
			f := x.opened(k)
			x.sendto(f, "x", 0, x.server(k))
			x.sendto(f, "x", 0, x.server(k))
			x.get(f, SO_ERROR)
		}},
		{"the error queue without connect", func(x *calls, k kind) {
			f := x.opened(k)
			x.setInt(f, recvErr(k), 1)
			x.sendto(f, "hello", 0, x.server(k))
			x.await(f, POLLERR)
			x.recvmsg(f, room(10, 256), MSG_ERRQUEUE)
			x.ready(f)
			x.recvmsg(f, room(10, 256), MSG_ERRQUEUE)
		}},
		{"the error queue and SO_ERROR", func(x *calls, k kind) {
			f := x.opened(k)
			x.setInt(f, recvErr(k), 1)
			x.connect(f, x.server(k))
			x.send(f, "hello", 0)
			x.await(f, POLLERR)
			x.get(f, SO_ERROR)
			x.ready(f)
			x.recvmsg(f, room(2, 256), MSG_ERRQUEUE)
			x.ready(f)
			x.get(f, SO_ERROR)
		}},
		{"the error queue holds several", func(x *calls, k kind) {
			f := x.opened(k)
			x.setInt(f, recvErr(k), 1)
			x.sendto(f, "one", 0, x.server(k))
			x.await(f, POLLERR)
			x.sendto(f, "two", 0, x.third(k))
			x.sendto(f, "two", 0, x.third(k))
			x.recvmsg(f, room(10, 256), MSG_ERRQUEUE)
			x.awaitQuietly(f, POLLERR)
			x.recvmsg(f, room(10, 256), MSG_ERRQUEUE)
		}},
		{"the error queue with no room for ancillary data", func(x *calls, k kind) {
			f := x.opened(k)
			x.setInt(f, recvErr(k), 1)
			x.connect(f, x.server(k))
			x.send(f, "hello", 0)
			x.await(f, POLLERR)
			x.recvmsg(f, room(10, 0), MSG_ERRQUEUE)
		}},
		{"switching the error queue off empties it", func(x *calls, k kind) {
			f := x.opened(k)
			x.setInt(f, recvErr(k), 1)
			x.connect(f, x.server(k))
			x.send(f, "hello", 0)
			x.await(f, POLLERR)
			x.setInt(f, recvErr(k), 0)
			x.recvmsg(f, room(10, 256), MSG_ERRQUEUE)
			x.ready(f)
		}},
	})
	for _, k := range []kind{udp4, udp6} {
		discover := func(v int) func(x *calls) {
			return func(x *calls) {
				f := x.opened(k)
				x.setInt(f, recvErr(k), 1)
				if k == udp6 {
					x.setInt(f, IPV6_MTU_DISCOVER, v)
				} else {
					x.setInt(f, IP_MTU_DISCOVER, v)
				}
				x.connect(f, ip4OrIP6(map[bool]string{false: "192.0.2.77", true: "2001:db8::77"}[k == udp6], port))
				if k == udp6 {
					x.get(f, IPV6_MTU)
				} else {
					x.get(f, IP_MTU)
				}
				fits := 1500 - 20 - 8
				if k == udp6 {
					fits = 1500 - 40 - 8
				}
				for _, n := range []int{fits, fits + 1, 3000} {
					x.send(f, strings.Repeat("x", n), 0)
				}
				x.recvmsg(f, room(10, 256), MSG_ERRQUEUE)
			}
		}
		for _, d := range []struct {
			name string
			v    int
		}{{"IP_PMTUDISC_DONT", IP_PMTUDISC_DONT}, {"IP_PMTUDISC_WANT", IP_PMTUDISC_WANT}, {"IP_PMTUDISC_DO", IP_PMTUDISC_DO}, {"IP_PMTUDISC_PROBE", IP_PMTUDISC_PROBE}} {
			all = append(all, Scenario{Name: k.name + "/larger than the MTU with " + d.name, Needs: Needs{Ethernet: true}, body: discover(d.v)})
		}
	}
	return append(all, Scenario{Name: "udp4/a neighbour that does not answer",
		Needs: Needs{Ethernet: true, Sysctls: []string{"net.ipv4.neigh.eth0.mcast_solicit=1", "net.ipv4.neigh.eth0.retrans_time_ms=50"}},
		body: func(x *calls) {
			f := x.opened(udp4)
			set(x, f, IP_RECVERR, true)
			x.sendto(f, "x", 0, ip4("192.0.2.77", port))
			x.await(f, POLLERR)
			x.recvmsg(f, room(10, 256), MSG_ERRQUEUE)
			x.get(f, SO_ERROR)
		}})
}

func recvErr(k kind) AnyOption {
	if k.family == AF_INET6 {
		return IPV6_RECVERR
	}
	return IP_RECVERR
}

// refused is a connected socket that has sent to a port nobody is bound to.
func (x *calls) refused(k kind) *fd {
	c := x.opened(k)
	x.connect(c, x.server(k))
	x.send(c, "x", 0)
	x.await(c, POLLERR)
	return c
}
