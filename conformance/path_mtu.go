package conformance

import (
	"strings"

	. "sockeye"
)

// pathMTUs is how IPv6 sockets learn that datagrams were too long (RFC 3542 section 11).
func pathMTUs() (all []Scenario) {
	const fits = 1500 - 40 - 8
	far := ip6("2001:db8::77", port)
	add := func(name string, body func(x *calls)) {
		all = append(all, Scenario{Name: "udp6/" + name, Needs: Needs{Ethernet: true}, body: body})
	}
	for _, connected := range []bool{true, false} {
		name := map[bool]string{true: "a connected socket", false: "an unconnected socket"}[connected]
		for _, how := range []struct {
			option AnyOption
			v      int
		}{{IPV6_DONTFRAG, 1}, {IPV6_MTU_DISCOVER, IP_PMTUDISC_DO}} {
			add("too long with "+how.option.String()+" on "+name, func(x *calls) {
				f := x.opened(udp6)
				x.setInt(f, IPV6_RECVPATHMTU, 1)
				x.setInt(f, how.option, how.v)
				to := far
				if connected {
					x.connect(f, far)
					to = Sockaddr{}
				}
				x.sendmsg(f, message(strings.Repeat("x", fits), to, nil, nil), 0)
				x.recvmsg(f, room(10, 256), MSG_DONTWAIT)
				x.sendmsg(f, message(strings.Repeat("x", fits+1), to, nil, nil), 0)
				x.ready(f)
				x.recvmsg(f, room(10, 256), MSG_DONTWAIT)
				x.recvmsg(f, room(10, 256), MSG_DONTWAIT)
			})
		}
	}
	add("only the last is kept", func(x *calls) {
		f := x.opened(udp6)
		x.setInt(f, IPV6_RECVPATHMTU, 1)
		x.setInt(f, IPV6_DONTFRAG, 1)
		x.sendto(f, strings.Repeat("x", fits+1), 0, far)
		x.sendto(f, strings.Repeat("x", fits+1), 0, ip6("2001:db8::78", port))
		x.recvmsg(f, room(10, 256), MSG_DONTWAIT)
		x.recvmsg(f, room(10, 256), MSG_DONTWAIT)
	})
	add("with the error queue as well, and before what came", func(x *calls) {
		f := x.opened(udp6)
		x.bind(f, ip6("::", port))
		x.setInt(f, IPV6_RECVPATHMTU, 1)
		x.setInt(f, IPV6_RECVERR, 1)
		x.setInt(f, IPV6_DONTFRAG, 1)
		x.sendto(f, "hello", 0, loopback(AF_INET6, port))
		x.sendto(f, strings.Repeat("x", fits+1), 0, far)
		x.recvmsg(f, room(10, 40), MSG_DONTWAIT)
		x.recvmsg(f, room(10, 256), MSG_DONTWAIT)
		x.recvmsg(f, room(10, 256), MSG_ERRQUEUE)
		x.recvmsg(f, room(10, 256), MSG_ERRQUEUE)
	})
	add("not asked for", func(x *calls) {
		f := x.opened(udp6)
		x.setInt(f, IPV6_DONTFRAG, 1)
		x.sendto(f, strings.Repeat("x", fits+1), 0, far)
		x.setInt(f, IPV6_RECVPATHMTU, 1)
		x.recvmsg(f, room(10, 256), MSG_DONTWAIT)
	})
	add("not asked for any more", func(x *calls) {
		f := x.opened(udp6)
		x.setInt(f, IPV6_DONTFRAG, 1)
		x.setInt(f, IPV6_RECVPATHMTU, 1)
		x.sendto(f, strings.Repeat("x", fits+1), 0, far)
		x.setInt(f, IPV6_RECVPATHMTU, 0)
		x.recvmsg(f, room(10, 256), MSG_DONTWAIT)
	})
	add("IPV6_PATHMTU", func(x *calls) {
		f := x.opened(udp6)
		x.get(f, IPV6_PATHMTU)
		x.connect(f, far)
		x.get(f, IPV6_PATHMTU)
		for _, n := range []int{0, 4, 31, 32, 40} {
			x.getBytes(f, IPV6_PATHMTU, n)
		}
		x.setBytes(f, IPV6_PATHMTU, make([]byte, 32))
	})
	return all
}
