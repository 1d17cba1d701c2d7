package conformance

import (
	"bytes"
	"encoding/binary"

	. "sockeye"
)

// The options of an IPv4 header (RFC 791 section 3.1).
const (
	ipoptRR        = 7
	ipoptTimestamp = 68
	ipoptLSRR      = 131
	ipoptSSRR      = 137
	ipoptRA        = 148
)

// ipOptions is the options of IPv4's header: how they are given, sent, received, and echoed.
func ipOptions() []Scenario {
	record := []byte{ipoptRR, 15, 4, 12: 0, 15: 0}
	var all []Scenario
	for _, o := range []struct {
		name string
		b    []byte
	}{
		{"a record of the route", record},
		{"a record of the route that is full", []byte{ipoptRR, 7, 8, 1, 2, 3, 4, 0}},
		{"a record of the route that has begun", []byte{ipoptRR, 11, 8, 1, 2, 3, 4, 11: 0}},
		{"times", []byte{ipoptTimestamp, 12, 5, 0, 11: 0}},
		{"times with addresses", []byte{ipoptTimestamp, 20, 5, 1, 19: 0}},
		{"times of named hosts", []byte{ipoptTimestamp, 20, 5, 3, 127, 0, 0, 1, 0, 0, 0, 0, 127, 0, 0, 2, 19: 0}},
		{"times of others", []byte{ipoptTimestamp, 12, 5, 3, 192, 0, 2, 9, 11: 0}},
		{"times without room", []byte{ipoptTimestamp, 8, 9, 0x20, 1, 2, 3, 4}},
		{"a router alert", []byte{ipoptRA, 4, 0, 0}},
		{"several", append(append([]byte{1, 1}, record[:15]...), ipoptTimestamp, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
		{"some that nobody knows", []byte{200, 4, 1, 2}},
	} {
		all = append(all,
			Scenario{Name: "udp4/" + o.name, body: func(x *calls) { x.optionsOfDatagrams(o.b) }},
			Scenario{Name: "tcp4/" + o.name, body: func(x *calls) { x.optionsOfStreams(o.b) }},
			Scenario{Name: "ping4/" + o.name, Needs: Needs{Sysctls: []string{pingAllowed}}, body: func(x *calls) { x.optionsOfEchoes(o.b) }},
			Scenario{Name: "udp4 unprivileged/" + o.name, Needs: Needs{Unprivileged: true}, body: func(x *calls) {
				f := x.opened(udp4)
				x.setBytes(f, IP_OPTIONS, o.b)
				x.getBytes(f, IP_OPTIONS, 40)
			}})
	}
	loose := []byte{ipoptLSRR, 11, 4, 127, 0, 0, 2, 127, 0, 0, 3, 0}
	for _, c := range []struct {
		name    string
		sysctls []string
	}{
		{"refused", nil},
		{"accepted", []string{"net.ipv4.conf.all.accept_source_route=1", "net.ipv4.conf.lo.accept_source_route=1"}},
	} {
		all = append(all, Scenario{Name: "udp4/a source route is " + c.name, Needs: Needs{Sysctls: c.sysctls}, body: func(x *calls) {
			c, s := x.optionReceiver()
			for _, kind := range []byte{ipoptLSRR, ipoptSSRR} {
				x.setBytes(c, IP_OPTIONS, append([]byte{kind}, loose[1:]...))
				x.getBytes(c, IP_OPTIONS, 40)
				x.sendto(c, "hello", 0, x.server(udp4))
				x.recvmsg(s, room(10, 256), MSG_DONTWAIT)
			}
		}}, Scenario{Name: "ping4/a source route is " + c.name, Needs: Needs{Sysctls: append([]string{pingAllowed}, c.sysctls...)}, body: func(x *calls) {
			x.optionsOfEchoes(loose)
		}})
	}
	return append(all,
		Scenario{Name: "udp4/that are wrong", body: func(x *calls) {
			f := x.opened(udp4)
			for _, b := range [][]byte{
				{ipoptRR, 2, 4}, {ipoptRR, 3, 3}, {ipoptRR, 6, 4, 0, 0, 0}, {ipoptRR, 7, 4, 0, 0, 0, 0, ipoptRR, 7, 4, 0, 0, 0, 0},
				{ipoptTimestamp, 4, 5, 0}, {ipoptTimestamp, 8, 5, 1, 0, 0, 0, 0}, {ipoptTimestamp, 8, 9, 0xf0, 0, 0, 0, 0}, {ipoptTimestamp, 8, 5, 2, 0, 0, 0, 0},
				{ipoptLSRR, 3, 4, 0}, {ipoptLSRR, 7, 5, 1, 2, 3, 4, 0}, {ipoptLSRR, 9, 4, 1, 2, 3, 4, 5, 6}, {ipoptRA, 3, 0}, {ipoptRA, 4, 0, 1},
			} {
				x.setBytes(f, IP_OPTIONS, b)
				x.getBytes(f, IP_OPTIONS, 40)
			}
		}},
		Scenario{Name: "udp4/for one send", body: func(x *calls) {
			c, s := x.optionReceiver()
			for _, b := range [][]byte{record, {ipoptRA, 4, 0, 0}, {}, {ipoptRR, 3}} {
				x.sendmsg(c, message("hello", x.server(udp4), AppendControl(nil, SOL_IP, IP_RETOPTS.Name, b), nil), 0)
				x.recvmsg(s, room(10, 256), MSG_DONTWAIT)
			}
			x.setBytes(c, IP_OPTIONS, record)
			x.sendmsg(c, message("hello", x.server(udp4), AppendControl(nil, SOL_IP, IP_RETOPTS.Name, []byte{ipoptRA, 4, 0, 0}), nil), 0)
			x.recvmsg(s, room(10, 256), MSG_DONTWAIT)
		}},
		Scenario{Name: "udp4/in errors", body: func(x *calls) {
			f := x.opened(udp4)
			x.setBytes(f, IP_OPTIONS, record)
			for _, o := range []AnyOption{IP_RECVERR, IP_RECVOPTS, IP_RETOPTS} {
				x.setInt(f, o, 1)
			}
			x.sendto(f, "nobody is there", 0, x.third(udp4))
			x.await(f, POLLERR)
			x.recvmsg(f, room(20, 256), MSG_ERRQUEUE)
		}},
		Scenario{Name: "raw4/in the header", body: func(x *calls) {
			c, s := x.datagrams(raw4)
			x.setBytes(c, IP_OPTIONS, record)
			x.send(c, "hello", 0)
			p := make([]byte, 100)
			n, err := s.s.Recv(p, 0)
			x.log(sprintf("%d %s %v, options %s, %q", n, p[:1], err, headerOptions(p[20:36]), p[36:n]), "recv(server)")
		}})
}

// optionReceiver is a datagram socket, and one at the server address that tells options of headers.
func (x *calls) optionReceiver() (c, s *fd) {
	s = x.as("server", x.bound(udp4))
	x.setInt(s, IP_RECVOPTS, 1)
	x.setInt(s, IP_RETOPTS, 1)
	return x.as("client", x.opened(udp4)), s
}

func (x *calls) optionsOfDatagrams(b []byte) {
	c, s := x.optionReceiver()
	x.setBytes(c, IP_OPTIONS, b)
	x.getBytes(c, IP_OPTIONS, 40)
	x.sendto(c, "hello", 0, x.server(udp4))
	x.recvmsg(s, room(10, 256), MSG_DONTWAIT)
	x.recvmsg(s, room(10, 256), MSG_DONTWAIT)
}

func (x *calls) optionsOfStreams(b []byte) {
	l := x.listening(tcp4, 5)
	c := x.opened(tcp4)
	x.setBytes(c, IP_OPTIONS, b)
	x.connect(c, x.server(tcp4))
	a := x.accept(l)
	v, err := IP_OPTIONS.Get(a.s)
	x.log(result(err, headerOptions(v)), "getsockopt(%v, IP_OPTIONS)", a)
	x.get(c, TCP_MAXSEG)
	x.get(a, TCP_MAXSEG)
	x.send(a, "hello", 0)
	x.recv(c, 10, 0)
	x.close(l)
}

func (x *calls) optionsOfEchoes(b []byte) {
	f := x.opened(ping4)
	x.setInt(f, IP_RECVOPTS, 1)
	x.setInt(f, IP_RETOPTS, 1)
	x.setBytes(f, IP_OPTIONS, b)
	x.sendto(f, x.payload(ping4), 0, loopback(AF_INET, 0))
	m := room(100, 256)
	if _, err := f.s.Recvmsg(m, MSG_DONTWAIT); err != nil {
		x.log(counted(0, err), "recvmsg(%v)", f)
		return
	}
	m.Buffers, m.N, m.Name = nil, 0, Sockaddr{}
	_, show := x.incoming(m)
	x.log(show, "recvmsg(%v)", f)
}

// headerOptions shows options, and of times only that they are there.
func headerOptions(b []byte) string {
	b = bytes.Clone(b)
	for i := 0; i < len(b) && b[i] != 0; {
		if b[i] == 1 {
			i++
			continue
		}
		if i+1 >= len(b) || b[i+1] < 2 || i+int(b[i+1]) > len(b) {
			break
		}
		opt := b[i : i+int(b[i+1])]
		if opt[0] == ipoptTimestamp {
			step, at := 4, 4
			if opt[3]&15 != 0 {
				step, at = 8, 8
			}
			for ; at+4 <= len(opt); at += step {
				if t := opt[at : at+4]; binary.BigEndian.Uint32(t) != 0 && binary.BigEndian.Uint32(t) != 0x01020304 {
					copy(t, "TIME")
				}
			}
		}
		i += len(opt)
	}
	return sprintf("[%x]", b)
}
