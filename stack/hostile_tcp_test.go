package stack_test

import (
	"sockeye"
	"sockeye/wire"
)

// peersISN is the peer's initial sequence number.
const peersISN = 1000

// segment is a segment with its checksum, whose numbers count from those of the connection.
func (a *assault) segment(flags wire.TCPFlags, seq, ack int, data string, edits ...func(*wire.TCP)) []byte {
	h := wire.TCP{SrcPort: 9, DstPort: 8080, Flags: flags, Seq: wire.Seq(peersISN + seq), Window: 1000}
	if flags&wire.ACK != 0 {
		h.Ack = a.iss + wire.Seq(ack)
	}
	for _, e := range edits {
		e(&h)
	}
	b := make([]byte, h.Len()+len(data))
	copy(b[h.Put(b):], data)
	wire.FillTCP(b, wire.PseudoSum(ip("10.0.0.2"), ip("10.0.0.1"), wire.IPPROTO_TCP, len(b)))
	return b
}

func (a *assault) tcp(flags wire.TCPFlags, seq, ack int, data string, edits ...func(*wire.TCP)) {
	a.throw(ip4(6, a.segment(flags, seq, ack, data, edits...)))
}

func (a *assault) listening() *sockeye.Socket {
	a.irs = peersISN
	l := a.socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	sockeye.SO_REUSEADDR.Set(l, true)
	if l.Bind(at("10.0.0.1", 8080)) != nil || l.Listen(5) != nil {
		a.Fatal("no listener")
	}
	return l
}

// connected is a connection of the host, whose peer throws the segments.
func (a *assault) connected() *sockeye.Socket {
	l := a.listening()
	a.tcp(wire.SYN, 0, 0, "")
	a.tcp(wire.ACK, 1, 1, "")
	s, _, err := l.Accept()
	if err != nil {
		a.Fatal(err)
	}
	s.SetNonblock(true)
	a.socks = append(a.socks, s)
	return s
}

// abused is a scenario with a connection; it tells what the connection makes of it.
func abused(name string, body func(a *assault, s *sockeye.Socket)) scenario {
	return scenario{name, func(a *assault) {
		s := a.connected()
		body(a, s)
		a.pending(s)
		a.recv(s)
	}}
}

func hostileTCP() []scenario {
	const fin, rst, psh, ack, urg = wire.FIN, wire.RST, wire.PSH, wire.ACK, wire.URG
	quoting := func(typ, code uint8, rest uint32, seq int) func(a *assault, s *sockeye.Socket) {
		return func(a *assault, s *sockeye.Socket) {
			s.Send([]byte("hello"), 0)
			a.listen()
			h := wire.TCP{SrcPort: 8080, DstPort: 9, Seq: a.iss + wire.Seq(seq), Flags: ack | psh}
			b := make([]byte, h.Len())
			h.Put(b)
			a.throw(ip4(1, icmp(typ, code, rest, ip4(6, b, from4("10.0.0.1"), to4("10.0.0.2"))...)))
			a.listen()
		}
	}
	raw := func(name string, change func(b []byte) []byte) scenario {
		return scenario{name, func(a *assault) {
			a.listening()
			a.throw(ip4(6, change(a.segment(wire.SYN, 0, 0, ""))))
		}}
	}
	// options throws a SYN with options that are written as they are.
	options := func(name string, o ...byte) scenario {
		return raw(name, func(b []byte) []byte {
			for len(o)%4 != 0 {
				o = append(o, 0)
			}
			b = append(b, o...)
			b[12] = byte(len(b) / 4 << 4)
			wire.FillTCP(b, wire.PseudoSum(ip("10.0.0.2"), ip("10.0.0.1"), wire.IPPROTO_TCP, len(b)))
			return b
		})
	}
	list := []scenario{
		raw("a good SYN", func(b []byte) []byte { return b }),
		raw("a header that is cut", func(b []byte) []byte { return b[:19] }),
		raw("a header of four words", func(b []byte) []byte { return edit(b, 12, 0x40) }),
		raw("a header longer than the segment", func(b []byte) []byte { return edit(b, 12, 0x70) }),
		raw("a wrong checksum", func(b []byte) []byte { return edit(b, 16, 1, 2) }),
		options("options of length zero", 2, 0, 5, 0xb4),
		options("options longer than the header", 2, 200, 5, 0xb4),
		options("options that end within a length", 1, 1, 1, 2),
		options("an MSS of another length", 2, 3, 5, 1),
		options("a window scale of 200", 3, 3, 200, 1),
		options("an MSS of zero", 2, 4, 0, 0),
		options("SACK blocks in a SYN", 5, 10, 0, 0, 0, 1, 0, 0, 0, 2),
		options("an unknown option", 77, 4, 1, 2),
		options("a Fast Open cookie of odd length", 34, 5, 1, 2, 3),
		{"a land attack", func(a *assault) {
			a.listening()
			b := a.segment(wire.SYN, 0, 0, "", func(h *wire.TCP) { h.SrcPort = 8080 })
			wire.FillTCP(b, wire.PseudoSum(ip("10.0.0.1"), ip("10.0.0.1"), wire.IPPROTO_TCP, len(b)))
			a.throw(ip4(6, b, from4("10.0.0.1")))
		}},
		{"a SYN to everybody", func(a *assault) {
			a.listening()
			b := a.segment(wire.SYN, 0, 0, "")
			wire.FillTCP(b, wire.PseudoSum(ip("10.0.0.2"), ip("10.0.0.255"), wire.IPPROTO_TCP, len(b)))
			a.throw(ip4(6, b, to4("10.0.0.255")))
		}},
		{"a SYN that goes on with a wrong ACK", func(a *assault) {
			a.listening()
			a.tcp(wire.SYN, 0, 0, "")
			a.tcp(ack, 1, 77, "")
			a.tcp(ack, 1, 1, "")
		}},
		{"a SYN that is reset from outside of the window", func(a *assault) {
			a.listening()
			a.tcp(wire.SYN, 0, 0, "")
			a.tcp(rst, 7, 0, "")
			a.tcp(rst, 100_000, 0, "")
			a.tcp(rst, 1, 0, "")
			a.tcp(ack, 1, 1, "")
		}},
		{"a segment below the least TTL", func(a *assault) {
			s := a.connected()
			sockeye.IP_MINTTL.Set(s, 255)
			a.tcp(ack|psh, 1, 1, "hello")
			a.recv(s)
			a.throw(ip4(6, a.segment(ack|psh, 1, 1, "hello"), func(h *wire.IPv4) { h.TTL = 255 }))
			a.recv(s)
		}},
		abused("blind RST in the window", func(a *assault, s *sockeye.Socket) { a.tcp(rst, 100, 0, "") }),
		abused("blind RST out of the window", func(a *assault, s *sockeye.Socket) { a.tcp(rst, 1_000_000, 0, "") }),
		abused("exact RST", func(a *assault, s *sockeye.Socket) { a.tcp(rst, 1, 0, "") }),
		abused("RST with an ACK of nothing", func(a *assault, s *sockeye.Socket) { a.tcp(rst|ack, 1, 1_000_000, "") }),
		abused("blind SYN in the window", func(a *assault, s *sockeye.Socket) { a.tcp(wire.SYN, 100, 0, "") }),
		abused("blind SYN out of the window", func(a *assault, s *sockeye.Socket) { a.tcp(wire.SYN, 1_000_000, 0, "") }),
		abused("blind SYN-ACK", func(a *assault, s *sockeye.Socket) { a.tcp(wire.SYN|ack, 1, 1, "") }),
		abused("two challenges in a row", func(a *assault, s *sockeye.Socket) {
			a.tcp(wire.SYN, 100, 0, "")
			a.tcp(wire.SYN, 100, 0, "")
			a.tcp(rst, 100, 0, "")
		}),
		abused("blind data with an ACK of what was never sent", func(a *assault, s *sockeye.Socket) { a.tcp(ack|psh, 1, 1_000_000, "evil") }),
		abused("blind data with an ACK that is too old", func(a *assault, s *sockeye.Socket) { a.tcp(ack|psh, 1, -1_000_000, "evil") }),
		abused("blind data out of the window", func(a *assault, s *sockeye.Socket) { a.tcp(ack|psh, 1_000_000, 1, "evil") }),
		abused("blind data without ACK", func(a *assault, s *sockeye.Socket) { a.tcp(psh, 1, 0, "evil") }),
		abused("data ahead of its turn", func(a *assault, s *sockeye.Socket) { a.tcp(ack|psh, 100, 1, "evil") }),
		abused("no flags", func(a *assault, s *sockeye.Socket) { a.tcp(0, 1, 0, "evil") }),
		abused("all flags", func(a *assault, s *sockeye.Socket) { a.tcp(fin|wire.SYN|rst|psh|ack|urg, 1, 1, "evil") }),
		abused("SYN and FIN", func(a *assault, s *sockeye.Socket) { a.tcp(fin|wire.SYN|ack, 1, 1, "") }),
		abused("FIN out of the window", func(a *assault, s *sockeye.Socket) { a.tcp(fin|ack, 1_000_000, 1, "") }),
		abused("SACK of what was never sent", func(a *assault, s *sockeye.Socket) {
			a.tcp(ack, 1, 1, "", func(h *wire.TCP) {
				h.Options.NumSACK = 1
				h.Options.SACK[0] = wire.SACKBlock{Left: a.iss + 5000, Right: a.iss + 1000}
			})
		}),
		abused("an urgent pointer beyond the data", func(a *assault, s *sockeye.Socket) {
			a.tcp(ack|urg, 1, 1, "x", func(h *wire.TCP) { h.Urgent = 60000 })
		}),
		abused("host unreachable about what is in flight", quoting(3, 1, 0, 1)),
		abused("host unreachable about what is not in flight", quoting(3, 1, 0, 1_000_000)),
		abused("port unreachable about what is in flight", quoting(3, 3, 0, 1)),
		abused("source quench", quoting(4, 0, 0, 1)),
		abused("fragmentation needed about what is not in flight", quoting(3, 4, 600, 1_000_000)),
		abused("fragmentation needed with room enough", quoting(3, 4, 1400, 1)),
		abused("fragmentation needed below the least", quoting(3, 4, 68, 1)),
		abused("time exceeded", quoting(11, 0, 0, 1)),
		abused("parameter problem", quoting(12, 0, 0, 1)),
		{"host unreachable about a connection that is not there", func(a *assault) {
			b := make([]byte, wire.TCPLen)
			(&wire.TCP{SrcPort: 8080, DstPort: 9, Flags: ack}).Put(b)
			a.throw(ip4(1, icmp(3, 1, 0, ip4(6, b, from4("10.0.0.1"), to4("10.0.0.2"))...)))
		}},
	}
	flags := []wire.TCPFlags{0, fin, wire.SYN, rst, ack, fin | wire.SYN, wire.SYN | rst, wire.SYN | ack, fin | ack, rst | ack, fin | wire.SYN | rst | psh | ack | urg}
	for _, f := range flags {
		list = append(list,
			scenario{"to a listener " + f.String(), func(a *assault) {
				a.listening()
				a.tcp(f, 0, 77, "")
			}},
			scenario{"to a port that is closed " + f.String(), func(a *assault) {
				a.irs = peersISN
				a.tcp(f, 0, 77, "x")
			}},
			abused("to a connection "+f.String(), func(a *assault, s *sockeye.Socket) { a.tcp(f, 1, 1, "") }))
	}
	return list
}
