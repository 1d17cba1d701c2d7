package conformance

import (
	"encoding/binary"

	. "sockeye"
)

// raws is IP itself: raw sockets and ping sockets.
func raws() []Scenario {
	icmp4 := kind{"icmp4", AF_INET, SOCK_RAW, IPPROTO_ICMP}
	icmp6 := kind{"icmp6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6}
	ping := Needs{Sysctls: []string{pingAllowed}}
	return []Scenario{
		{Name: "raw4/a protocol number of its own", body: func(x *calls) {
			s, c := x.opened(raw4), x.opened(raw4)
			x.sendto(c, "hello", 0, loopback(AF_INET, 0))
			x.recvIP(s, 100)
			x.connect(c, loopback(AF_INET, 0))
			x.send(c, "again", 0)
			x.recvIP(s, 100)
			x.getsockname(c)
			x.getpeername(c)
		}},
		{Name: "raw6/a protocol number of its own", body: func(x *calls) {
			s, c := x.opened(raw6), x.opened(raw6)
			x.sendto(c, "hello", 0, loopback(AF_INET6, 0))
			x.recvfrom(s, 100, 0)
			x.sendto(c, "port", 0, loopback(AF_INET6, 7))
			x.sendto(c, "port", 0, loopback(AF_INET6, uint16(experimental)))
			x.recvfrom(s, 100, 0)
		}},
		{Name: "raw4/OSPF is protocol 89", body: func(x *calls) {
			s := x.socket(AF_INET, SOCK_RAW, IPPROTO_OSPF)
			x.sendto(s, "hello", 0, loopback(AF_INET, 0))
			x.recvIP(s, 100)
		}},
		{Name: "raw4/every socket of the protocol has a copy", body: func(x *calls) {
			a, b, other := x.opened(raw4), x.opened(raw4), x.socket(AF_INET, SOCK_RAW, 254)
			x.sendto(a, "hello", 0, loopback(AF_INET, 0))
			x.recvIP(a, 100)
			x.recvIP(b, 100)
			x.recv(other, 100, MSG_DONTWAIT)
		}},
		{Name: "raw4/bind and connect filter", body: func(x *calls) {
			bound, connected := x.opened(raw4), x.opened(raw4)
			x.bind(bound, ip4("127.0.0.2", 0))
			x.connect(connected, ip4("127.0.0.3", 0))
			c := x.opened(raw4)
			x.sendto(c, "elsewhere", 0, loopback(AF_INET, 0))
			x.sendto(c, "here", 0, ip4("127.0.0.2", 0))
			x.recvIP(bound, 100)
			x.recv(connected, 100, MSG_DONTWAIT)
		}},
		{Name: "raw4/IP_HDRINCL", body: func(x *calls) {
			s, c := x.opened(raw4), x.opened(raw4)
			set(x, c, IP_HDRINCL, true)
			x.sendto(c, header4(77, "mine"), 0, loopback(AF_INET, 0))
			x.recvIP(s, 100)
			x.sendto(c, "too short", 0, loopback(AF_INET, 0))
			x.sendto(c, "\x47"+header4(77, "lies of its length")[1:], 0, loopback(AF_INET, 0))
		}},
		{Name: "raw4/IPPROTO_RAW sends only", body: func(x *calls) {
			c := x.socket(AF_INET, SOCK_RAW, IPPROTO_RAW)
			x.get(c, IP_HDRINCL)
			s := x.opened(raw4)
			x.sendto(c, header4(9, "mine"), 0, loopback(AF_INET, 0))
			x.recvIP(s, 100)
			x.recv(c, 100, MSG_DONTWAIT)
		}},
		{Name: "raw6/IPV6_HDRINCL", body: func(x *calls) {
			s, c := x.opened(raw6), x.opened(raw6)
			set(x, s, IPV6_RECVHOPLIMIT, true)
			set(x, s, IPV6_RECVTCLASS, true)
			x.get(c, IPV6_HDRINCL)
			set(x, c, IPV6_HDRINCL, true)
			x.get(c, IPV6_HDRINCL)
			to := loopback(AF_INET6, 0)
			x.sendto(c, header6(77, 5, "whole"), 0, to)
			x.recvmsg(s, room(100, 200), 0)
			x.recvmsg(c, room(100, 200), 0)
			x.sendto(c, header6(78, 3, "cut short"), 0, to)
			x.recvmsg(s, room(100, 200), 0)
			x.sendto(c, header6(79, 0, ""), 0, to)
			x.recvmsg(s, room(100, 200), 0)
			x.sendto(c, header6(80, 7, "by port"), 0, loopback(AF_INET6, uint16(experimental)))
			x.recvmsg(s, room(100, 200), 0)
			set(x, c, IPV6_HDRINCL, false)
			x.sendto(c, header6(81, 0, ""), 0, to)
			x.recvmsg(s, room(100, 200), 0)
		}},
		{Name: "raw6/IPV6_HDRINCL with a header that nobody takes", body: func(x *calls) {
			s, c := x.opened(raw6), x.opened(raw6)
			set(x, c, IPV6_HDRINCL, true)
			to := loopback(AF_INET6, 0)
			x.sendto(c, header6(77, 9, "less"), 0, to)
			x.sendto(c, "\x40"+header6(77, 4, "IPv4")[1:], 0, to)
			x.recv(s, 100, MSG_DONTWAIT)
		}},
		{Name: "raw6/IPV6_HDRINCL limits", body: func(x *calls) {
			c := x.opened(raw6)
			set(x, c, IPV6_HDRINCL, true)
			to := loopback(AF_INET6, 0)
			x.sendto(c, header6(77, 0, "")[:39], 0, to)
			x.sendto(c, "", 0, to)
			x.sendto(c, header6(77, 0, ""), 0, to)
			x.sendto(c, header6(77, 65495, string(make([]byte, 65495))), 0, to)
			x.sendto(c, header6(77, 65496, string(make([]byte, 65496))), 0, to)
			x.sendto(c, header6(77, 65497, string(make([]byte, 65497))), 0, to)
			x.sendto(c, header6(77, 7, "by port"), 0, loopback(AF_INET6, 7))
			x.send(c, header6(77, 0, ""), 0)
		}},
		{Name: "raw6/IPV6_HDRINCL goes by two levels", body: func(x *calls) {
			c := x.opened(raw6)
			for _, level := range []int{SOL_RAW, SOL_IPV6, SOL_ICMPV6, SOL_IP} {
				for _, v := range [][]byte{ints(2), ints(0), {1}, {}} {
					err := c.s.Setsockopt(level, IPV6_HDRINCL.Name, v)
					on, getErr := c.s.GetsockoptInt(level, IPV6_HDRINCL.Name)
					x.log(result(err)+", then "+result(getErr, itoa(on)), "setsockopt(%v, level %d, IPV6_HDRINCL, %v)", c, level, v)
				}
			}
		}},
		{Name: "raw6/IPV6_HDRINCL from a connected socket", body: func(x *calls) {
			s, c := x.opened(raw6), x.opened(raw6)
			set(x, c, IPV6_HDRINCL, true)
			x.connect(c, loopback(AF_INET6, 0))
			x.send(c, header6(77, 4, "mine"), 0)
			x.recvfrom(s, 100, 0)
			x.bind(x.opened(raw6), loopback(AF_INET6, 0))
		}},
		{Name: "raw6/IPPROTO_RAW sends only", body: func(x *calls) {
			c := x.socket(AF_INET6, SOCK_RAW, IPPROTO_RAW)
			x.get(c, IPV6_HDRINCL)
			s := x.opened(raw6)
			x.sendto(c, header6(9, 4, "mine"), 0, loopback(AF_INET6, 0))
			x.recvfrom(s, 100, 0)
			x.recv(c, 100, MSG_DONTWAIT)
			set(x, c, IPV6_HDRINCL, false)
			x.sendto(c, "by port", 0, loopback(AF_INET6, uint16(experimental)))
			x.recvfrom(s, 100, 0)
			x.sendto(c, "by port", 0, loopback(AF_INET6, 256))
			x.sendto(c, "by none", 0, loopback(AF_INET6, 0))
			x.recvfrom(c, 100, 0)
		}},
		{Name: "raw4/limits", body: func(x *calls) {
			c := x.opened(raw4)
			for _, n := range []int{65515, 65516, 70000} {
				x.sendto(c, string(make([]byte, n)), 0, loopback(AF_INET, 0))
			}
			x.send(c, "x", 0)
			x.sendto(c, "", 0, loopback(AF_INET, 0))
			x.sendto(c, "x", 0, elsewhere(tcp4))
		}},
		{Name: "raw4/a small buffer", body: func(x *calls) {
			c := x.opened(raw4)
			x.sendto(c, "hello", 0, loopback(AF_INET, 0))
			m := room(1, 0)
			n, err := c.s.Recvmsg(m, MSG_TRUNC)
			x.log(result(err, sprintf("%d, %v", n, m.Flags)), "recvmsg(%v, 1, MSG_TRUNC)", c)
		}},
		{Name: "icmp4/echo", body: func(x *calls) {
			c := x.opened(icmp4)
			set(x, c, ICMP_FILTER, ICMPFilter{}.Block(8))
			x.sendto(c, echo(AF_INET, 7, 1, "hello"), 0, loopback(AF_INET, 0))
			x.recvIP(c, 100)
		}},
		{Name: "icmp4/ICMP_FILTER", body: func(x *calls) {
			all, none, replies := x.opened(icmp4), x.opened(icmp4), x.opened(icmp4)
			set(x, none, ICMP_FILTER, ICMPFilter{Blocked: [8]uint32{1<<32 - 1}})
			set(x, replies, ICMP_FILTER, ICMPFilter{Blocked: [8]uint32{^uint32(1)}})
			x.sendto(all, echo(AF_INET, 7, 1, "hello"), 0, loopback(AF_INET, 0))
			x.recvIP(all, 100)
			x.recvIP(all, 100)
			x.recvIP(replies, 100)
			x.recv(replies, 100, MSG_DONTWAIT)
			x.recv(none, 100, MSG_DONTWAIT)
		}},
		{Name: "icmp6/echo, with ICMPV6_FILTER and the checksum that the system adds", body: func(x *calls) {
			c := x.opened(icmp6)
			set(x, c, ICMPV6_FILTER, ICMPFilter{}.Block(128))
			x.sendto(c, echo(AF_INET6, 7, 1, "hello"), 0, loopback(AF_INET6, 0))
			x.recvEcho(c)
		}},
		{Name: "icmp4/sees the errors of others", body: func(x *calls) {
			s := x.opened(icmp4)
			x.sendto(x.opened(udp4), "x", 0, loopback(AF_INET, port))
			x.recvIPHead(s)
		}},
		{Name: "ping4/echo", Needs: ping, body: func(x *calls) {
			c := x.opened(ping4)
			x.sendto(c, echo(AF_INET, 999, 1, "hello"), 0, loopback(AF_INET, 0))
			x.recvEcho(c)
			x.getsockname(c)
			x.connect(c, loopback(AF_INET, 0))
			x.send(c, echo(AF_INET, 0, 2, "again"), 0)
			x.recvEcho(c)
		}},
		{Name: "ping6/echo", Needs: ping, body: func(x *calls) {
			c := x.opened(ping6)
			x.sendto(c, echo(AF_INET6, 999, 1, "hello"), 0, loopback(AF_INET6, 0))
			x.recvEcho(c)
		}},
		{Name: "ping4/an identifier of one's own", Needs: ping, body: func(x *calls) {
			c := x.opened(ping4)
			x.bind(c, loopback(AF_INET, 77))
			x.getsockname(c)
			x.sendto(c, echo(AF_INET, 0, 1, "hello"), 0, loopback(AF_INET, 0))
			data := x.quietRecv(c, 100)
			x.note("identifier %d", binary.BigEndian.Uint16([]byte(data)[4:]))
		}},
		{Name: "ping4/what is no echo request", Needs: ping, body: func(x *calls) {
			c := x.opened(ping4)
			for _, p := range []string{"", "short", "\x00\x00\x00\x00\x00\x00\x00\x00", "\x08\x01\x00\x00\x00\x00\x00\x00", "\x0d\x00\x00\x00\x00\x00\x00\x00"} {
				x.sendto(c, p, 0, loopback(AF_INET, 0))
			}
			x.send(c, echo(AF_INET, 0, 1, ""), 0)
		}},
		{Name: "ping4/limits", Needs: ping, body: func(x *calls) {
			c := x.opened(ping4)
			for _, n := range []int{65499, 65500, 70000} {
				x.sendto(c, echo(AF_INET, 0, 1, string(make([]byte, n))), 0, loopback(AF_INET, 0))
			}
		}},
	}
}

// echo is an ICMP echo request. The system writes the identifier of ping
// sockets, and the checksum of those and of ICMPv6.
func echo(f Family, id, seq uint16, data string) string {
	p := []byte{8, 0, 0, 0, 0, 0, 0, 0}
	if f == AF_INET6 {
		p[0] = 128
	}
	binary.BigEndian.PutUint16(p[4:], id)
	binary.BigEndian.PutUint16(p[6:], seq)
	p = append(p, data...)
	if f == AF_INET {
		binary.BigEndian.PutUint16(p[2:], checksum(p))
	}
	return string(p)
}

// checksum is the Internet checksum (RFC 1071).
func checksum(p []byte) uint16 {
	var sum uint32
	for ; len(p) > 1; p = p[2:] {
		sum += uint32(binary.BigEndian.Uint16(p))
	}
	if len(p) == 1 {
		sum += uint32(p[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// header4 is an IPv4 packet of the experimental protocol to the loopback, whose
// total length, identification and checksum the system fills in (raw(7)).
func header4(ttl byte, data string) string {
	h := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, ttl, byte(experimental), 0, 0, 127, 0, 0, 1, 127, 0, 0, 1}
	return string(h) + data
}

// header6 is an IPv6 packet of the experimental protocol from and to the loopback. The
// system fills in nothing.
func header6(hops byte, length uint16, data string) string {
	h := make([]byte, 40)
	h[0], h[1] = 0x6a, 0xb0 // traffic class 0xab
	binary.BigEndian.PutUint16(h[4:], length)
	h[6], h[7], h[23], h[39] = byte(experimental), hops, 1, 1
	return string(h) + data
}

// recvIP receives an IPv4 packet and tells its header, but for what differs each
// time.
func (x *calls) recvIP(f *fd, size int) {
	p := make([]byte, size)
	n, from, err := f.s.Recvfrom(p, 0)
	if err != nil || n < 20 {
		x.log(result(err, itoa(n)), "recvfrom(%v, %d, 0)", f, size)
		return
	}
	h, body := p[:20], p[20:n]
	if h[9] == byte(IPPROTO_ICMP) {
		binary.BigEndian.PutUint16(body[2:], 0)
	}
	x.log(sprintf("%d {header %d, total %d, ttl %d, protocol %d, %d.%d.%d.%d -> %d.%d.%d.%d, checksum right %t, %q}, %s",
		n, h[0]&15*4, binary.BigEndian.Uint16(h[2:]), h[8], h[9], h[12], h[13], h[14], h[15], h[16], h[17], h[18], h[19],
		checksum(h) == 0, body, x.addr(from)), "recvfrom(%v, %d, 0)", f, size)
}

// recvIPHead is recvIP of an ICMP error, whose data holds another packet.
func (x *calls) recvIPHead(f *fd) {
	p := make([]byte, 200)
	n, err := f.s.Recv(p, 0)
	if err != nil {
		x.log(result(err), "recv(%v)", f)
		return
	}
	x.log(sprintf("%d {protocol %d, type %d, code %d, about protocol %d}", n, p[9], p[20], p[21], p[20+8+9]), "recv(%v, 200, 0)", f)
}

// recvEcho receives an ICMP message and tells all but its identifier and
// checksum.
func (x *calls) recvEcho(f *fd) {
	p := make([]byte, 100)
	n, from, err := f.s.Recvfrom(p, 0)
	if err != nil || n < 8 {
		x.log(result(err, itoa(n)), "recvfrom(%v, 100, 0)", f)
		return
	}
	x.log(sprintf("%d {type %d, code %d, seq %d, %q}, %s", n, p[0], p[1], binary.BigEndian.Uint16(p[6:]), p[8:n], x.addr(from)),
		"recvfrom(%v, 100, 0)", f)
}

func (x *calls) quietRecv(f *fd, size int) (data string) {
	x.quietly(func() { data = x.recv(f, size, 0) })
	return data
}
