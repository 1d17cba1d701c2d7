package conformance

import (
	"slices"
	"time"

	. "sockeye"
)

// options asks every option that package sockeye knows by name for its default
// on each kind of socket, sets it within and beyond its bounds, with right and
// wrong lengths, on sockets that have it and that do not, and on listening and
// connected ones, and looks what accept(2) hands on.
func options() []Scenario {
	var all []Scenario
	needs := Needs{Sysctls: []string{pingAllowed}}
	for _, o := range Options() {
		level := o.LevelName()
		all = append(all,
			Scenario{Name: level + "/" + o.String(), Needs: needs, body: func(x *calls) { optionOf(x, o) }})
	}
	for _, level := range []string{"SOL_SOCKET", "SOL_IP", "SOL_IPV6", "SOL_TCP", "SOL_UDP"} {
		all = append(all, Scenario{Name: "unprivileged/" + level,
			Needs: Needs{Unprivileged: true, Sysctls: []string{pingAllowed}},
			body: func(x *calls) {
				for _, o := range Options() {
					if o.LevelName() == level && !slices.Contains(machineNames, o.String()) {
						setUnprivileged(x, o)
					}
				}
			}})
	}
	return append(all,
		Scenario{Name: "unknown/levels and numbers", Needs: needs, body: unknownOptions},
		Scenario{Name: "closed/get and set", body: func(x *calls) {
			s := x.opened(tcp4)
			x.close(s)
			x.get(s, SO_TYPE)
			x.setInt(s, SO_REUSEADDR, 1)
		}},
	)
}

// superuser are the options that need a capability over the whole machine, which
// the root of a namespace may not have.
var superuser = []string{"SO_DEBUG", "SO_RCVBUFFORCE", "SO_SNDBUFFORCE", "SO_BUSY_POLL"}

// machineNames are the options whose permission depends on the machine.
var machineNames = []string{"TCP_CONGESTION"}

// integers are tried on every option that holds an int: the edges of what some
// option takes, and of what fits into 8, 16 and 32 bits.
var integers = []int{
	-1 << 31, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 40, 64, 87, 88, 120, 127, 128, 255, 256, 1279, 1280,
	32767, 32768, 65535, 65536, 1<<30 - 1, 1<<31 - 1,
}

// booleans are tried on every option that holds a truth value.
var booleans = []int{-1, 0, 1, 2, 256}

// bytesTried are for the options that hold something else.
var bytesTried = map[string][][]byte{
	"SO_LINGER": {
		ints(0, 0), ints(1, 0), ints(1, 5), ints(2, 5), ints(1, -1), ints(1, 1<<31-1), ints(-1, 5), ints(1), ints(1, 5, 7),
	},
	"SO_RCVTIMEO":      timevals,
	"SO_SNDTIMEO":      timevals,
	"SO_BINDTODEVICE":  {[]byte("lo\x00"), []byte("lo"), []byte("\x00"), []byte(""), []byte("none0\x00"), []byte("a name of 20 letters"), []byte("l\x00o")},
	"TCP_CONGESTION":   {[]byte("reno"), []byte("reno\x00"), []byte("none"), []byte(""), []byte("cubic"), []byte("a name of 20 letters")},
	"IP_OPTIONS":       {{}, {1}, {1, 1, 1, 0}, {7, 7, 4, 0, 0, 0, 0, 0}, {7, 99, 4, 0}, make([]byte, 40), make([]byte, 41)},
	"TCP_FASTOPEN_KEY": {make([]byte, 15), make([]byte, 16), make([]byte, 32), make([]byte, 33)},
	"ICMP_FILTER":      {ints(0), ints(1 << 8), ints(-1), {1}, ints(1, 2), {}},
	"ICMPV6_FILTER":    {make([]byte, 32), ints(-1, -1, -1, -1, -1, -1, -1, -1), ints(1), {1}, make([]byte, 40)},
	"IP_MULTICAST_IF": {
		{127, 0, 0, 1}, {0, 0, 0, 0}, {192, 0, 2, 77}, {127, 0}, mreqn("0.0.0.0", "127.0.0.1", 0), mreqn("0.0.0.0", "0.0.0.0", 1),
		mreqn("0.0.0.0", "0.0.0.0", 99), mreqn("0.0.0.0", "0.0.0.0", -1),
	},
	"IP_ADD_MEMBERSHIP":         memberships4,
	"IP_DROP_MEMBERSHIP":        memberships4,
	"IPV6_ADD_MEMBERSHIP":       memberships6,
	"IPV6_DROP_MEMBERSHIP":      memberships6,
	"IP_ADD_SOURCE_MEMBERSHIP":  {{239, 1, 1, 1, 127, 0, 0, 1, 127, 0, 0, 1}, {10, 1, 1, 1, 127, 0, 0, 1, 127, 0, 0, 1}, {239, 1, 1, 1}},
	"IP_DROP_SOURCE_MEMBERSHIP": {{239, 1, 1, 1, 127, 0, 0, 1, 127, 0, 0, 1}, {239, 1, 1, 1}},
	"IPV6_PKTINFO":              {make([]byte, 20), mreq6("::1", 1), mreq6("::1", 99), mreq6("2001:db8::77", 0), {1}},
	"IP_UNICAST_IF":             {{0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 0, 99}, {1}},
	"IPV6_UNICAST_IF":           {{0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 0, 99}, {1}},
	"IP_LOCAL_PORT_RANGE":       {ints(0), ints(40000), ints(40000 << 16), ints(50000<<16 | 40000), ints(40000<<16 | 50000), {1}},
}

var (
	timevals = [][]byte{
		timeval(0), timeval(20 * time.Millisecond), ints(5, 0, 0, 0), ints(5, 0, 999999, 0), ints(5, 0, 1000000, 0),
		ints(-1, -1, 0, 0), ints(0, 0, -1, -1), ints(1<<31-1, 1<<31-1, 0, 0), ints(1), ints(1, 0, 0), ints(1, 0, 0, 0, 7),
	}
	memberships4 = [][]byte{
		mreqn("239.1.1.1", "0.0.0.0", 1), mreqn("239.1.1.1", "127.0.0.1", 0), mreqn("239.1.1.1", "0.0.0.0", 99),
		mreqn("239.1.1.1", "192.0.2.77", 0), mreqn("239.1.1.1", "0.0.0.0", 0), mreqn("10.1.1.1", "0.0.0.0", 1),
		mreqn("239.1.1.1", "127.0.0.1", 0)[:8], mreqn("239.1.1.1", "127.0.0.1", 0)[:7],
	}
	memberships6 = [][]byte{
		mreq6("ff02::77", 1), mreq6("ff02::77", 99), mreq6("ff02::77", 0), mreq6("2001:db8::1", 1), mreq6("::ffff:239.1.1.1", 1),
		mreq6("ff02::77", 1)[:16],
	}
)

func mreqn(group, address string, ifindex int) []byte {
	g, a := ip4(group, 0).Addr().As4(), ip4(address, 0).Addr().As4()
	return append(append(g[:], a[:]...), ints(ifindex)...)
}

func mreq6(addr string, ifindex int) []byte {
	a := ip6(addr, 0).Addr().As16()
	return append(a[:], ints(ifindex)...)
}

// handedOn is what a listener has when a connection comes, where 1 would make
// no difference or stop the connection.
var handedOn = map[string][]byte{
	"SO_RCVBUF": ints(10000), "SO_SNDBUF": ints(10000), "SO_LINGER": ints(1, 5), "SO_RCVTIMEO": ints(5, 0, 0, 0),
	"SO_SNDTIMEO": ints(5, 0, 0, 0), "SO_BINDTODEVICE": []byte("lo\x00"), "SO_PRIORITY": ints(5), "SO_RCVLOWAT": ints(5),
	"SO_BINDTOIFINDEX": ints(1), "SO_PEEK_OFF": ints(5),
	"IP_TOS": ints(16), "IP_TTL": ints(5), "IP_MTU_DISCOVER": ints(IP_PMTUDISC_DO), "IP_MULTICAST_TTL": ints(5), "IP_MINTTL": ints(5),
	"IP_UNICAST_IF": {0, 0, 0, 1}, "IP_MULTICAST_IF": {127, 0, 0, 1},
	"IPV6_UNICAST_HOPS": ints(5), "IPV6_MULTICAST_HOPS": ints(5), "IPV6_TCLASS": ints(16), "IPV6_MTU_DISCOVER": ints(2),
	"IPV6_UNICAST_IF": {0, 0, 0, 1}, "IPV6_MINHOPCOUNT": ints(5),
	"TCP_MAXSEG": ints(1000), "TCP_KEEPIDLE": ints(5), "TCP_KEEPINTVL": ints(5), "TCP_KEEPCNT": ints(5), "TCP_SYNCNT": ints(5),
	"TCP_LINGER2": ints(5), "TCP_DEFER_ACCEPT": ints(5), "TCP_WINDOW_CLAMP": ints(10000), "TCP_USER_TIMEOUT": ints(10000),
	"TCP_FASTOPEN": ints(5), "TCP_NOTSENT_LOWAT": ints(10000), "TCP_CONGESTION": []byte("cubic"), "TCP_QUICKACK": ints(0),
}

// homes are the kinds of socket that an option is tried on.
func homes(o AnyOption) []kind {
	icmp4 := kind{"icmp4", AF_INET, SOCK_RAW, IPPROTO_ICMP}
	icmp6 := kind{"icmp6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6}
	switch o.LevelName() {
	case "SOL_IP":
		return []kind{udp4, raw4}
	case "SOL_IPV6":
		return []kind{udp6, raw6}
	case "SOL_TCP":
		return []kind{tcp4}
	case "SOL_UDP":
		return []kind{udp4, udp6}
	case "SOL_RAW":
		return []kind{icmp4, raw4}
	case "SOL_ICMPV6":
		return []kind{icmp6, raw6}
	}
	return []kind{tcp4, udp4, unixStream}
}

func optionOf(x *calls, o AnyOption) {
	x.section("as it is on a fresh socket, and set to 1")
	for _, k := range kinds {
		f := x.fresh(k)
		if o.Access() != WriteOnly {
			x.get(f, o)
		}
		if !slices.Contains(superuser, o.String()) {
			x.tryInt(f, o, 1)
		}
	}
	if !slices.Contains(superuser, o.String()) {
		for _, k := range homes(o) {
			if intsFor(o) != nil || bytesTried[o.String()] != nil {
				x.section("values on %s", k.name)
			}
			for _, v := range intsFor(o) {
				x.tryInt(x.fresh(k), o, v)
			}
			for _, v := range bytesTried[o.String()] {
				x.tryBytes(x.fresh(k), o, v)
			}
		}
	}
	k := homes(o)[0]
	x.section("lengths on %s", k.name)
	f := x.fresh(k)
	if bytesTried[o.String()] == nil && !slices.Contains(superuser, o.String()) {
		for _, n := range []int{0, 1, 2, 3, 5, 8} {
			x.setBytes(f, o, ints(1, 0)[:n])
		}
		x.setInt(f, o, 0)
	}
	for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 256} {
		if n < 256 || o.String() != "TCP_INFO" { // which grows with each kernel
			x.getBytes(f, o, n)
		}
	}
	if o.LevelName() == "SOL_SOCKET" || o.LevelName() == "SOL_TCP" || o.LevelName() == "SOL_IP" {
		onConnections(x, o, tcp4)
	}
	if o.LevelName() == "SOL_IPV6" {
		onConnections(x, o, tcp6)
	}
	if o.LevelName() == "SOL_SOCKET" {
		onConnections(x, o, unixStream)
	}
}

func intsFor(o AnyOption) []int {
	switch {
	case bytesTried[o.String()] != nil || o.Access() == ReadOnly:
		return nil
	case o.Type() == "int (boolean)":
		return booleans
	case o.String() == "SO_RCVBUF" || o.String() == "SO_SNDBUF": // up to what any machine allows
		return []int{-1 << 31, -1, 0, 1, 1151, 1152, 1153, 2303, 2304, 2305, 4096, 10000, 65536, 100000, 1 << 30, 1<<31 - 1}
	}
	return integers
}

// fresh is a socket of the kind, called by the kind's name.
func (x *calls) fresh(k kind) (f *fd) {
	x.quietly(func() { f = x.opened(k) })
	return x.as(k.name, f)
}

// tryInt is setInt, and what can be read then.
func (x *calls) tryInt(f *fd, o AnyOption, v int) {
	if x.setInt(f, o, v) == nil {
		x.readBack(f, o)
	}
}

func (x *calls) tryBytes(f *fd, o AnyOption, v []byte) {
	if x.setBytes(f, o, v) == nil {
		x.readBack(f, o)
	}
}

// readBack adds to the line of setsockopt what getsockopt gives then.
func (x *calls) readBack(f *fd, o AnyOption) {
	v, err := o.Value(f.s)
	x.lines[len(x.lines)-1] += "; then reads " + result(err, x.optionValue(o, v))
}

// onConnections sets an option on a listener and looks at the connection that
// it accepts, and sets it on the connection.
func onConnections(x *calls, o AnyOption, k kind) {
	v, ok := handedOn[o.String()]
	if !ok {
		v = ints(1)
	}
	x.section("on %s connections", k.name)
	var l, c, a *fd
	x.quietly(func() {
		l = x.as("listener", x.opened(k))
		c = x.as("client", x.opened(k))
	})
	if !slices.Contains(superuser, o.String()) && o.Access() != ReadOnly {
		x.tryBytes(l, o, v)
	}
	x.quietly(func() {
		set(x, l, SO_REUSEADDR, true)
		x.bind(l, x.server(k))
		x.listen(l, 5)
		x.connect(c, x.server(k))
		x.send(c, "x", 0)
		a = x.as("accepted", x.accept(l))
	})
	for _, f := range []*fd{l, a, c} {
		if o.Access() != WriteOnly {
			x.get(f, o)
		}
	}
	if !slices.Contains(superuser, o.String()) {
		x.tryBytes(c, o, v)
	}
}

func setUnprivileged(x *calls, o AnyOption) {
	v, ok := handedOn[o.String()]
	if !ok {
		v = ints(1)
	}
	if tried := bytesTried[o.String()]; !ok && tried != nil {
		v = tried[0]
	}
	for _, k := range homes(o) {
		if k.typ == SOCK_RAW {
			continue // no such socket without privilege
		}
		x.tryBytes(x.fresh(k), o, v)
	}
	if o.String() == "SO_PRIORITY" {
		for _, p := range []int{6, 7, -1} {
			x.tryInt(x.fresh(udp4), o, p)
		}
	}
}

func unknownOptions(x *calls) {
	for _, k := range kinds {
		f := x.fresh(k)
		for _, n := range []struct{ level, name int }{
			{SOL_SOCKET, 999}, {SOL_IP, 999}, {SOL_IPV6, 999}, {SOL_TCP, 999}, {SOL_UDP, 999}, {999, 1}, {-1, 1},
		} {
			p := make([]byte, 4)
			room, err := f.s.Getsockopt(n.level, n.name, p)
			x.log(result(err, itoa(room)), "getsockopt(%v, level %d, %d)", f, n.level, n.name)
			x.log(result(f.s.Setsockopt(n.level, n.name, p)), "setsockopt(%v, level %d, %d)", f, n.level, n.name)
		}
	}
}
