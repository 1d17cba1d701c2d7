package stack_test

import (
	"encoding/binary"

	"sockeye"
	"sockeye/wire"
)

// queued notes what the error queue has, with ee_data as bytes: where extensions begin, and a flag.
func (a *assault) queued(s *sockeye.Socket) {
	m := sockeye.Message{Buffers: [][]byte{make([]byte, 2000)}, Control: make([]byte, 128)}
	n, err := s.Recvmsg(&m, sockeye.MSG_ERRQUEUE)
	if err != nil {
		a.note("recvmsg: %v", errno(err))
		return
	}
	for c := range m.ControlMessages() {
		if e, ok := c.ExtendedError(); ok {
			a.note("recvmsg: %d bytes, %v, type %d, code %d, info %d, data %x from %v", n, e.Errno, e.Type, e.Code, e.Info,
				binary.NativeEndian.AppendUint32(nil, e.Data), e.Offender)
		}
	}
}

// hostileExtensions are errors with extensions (RFC 4884), good and bad.
func hostileExtensions() (list []scenario) {
	quote := func(n int) []byte {
		b := append([]byte{0, 7, 0, 9}, be16(n-20)...)
		return ip4(17, append(append(b, 0, 0), make([]byte, n-20-8)...), from4("10.0.0.1"), to4("10.0.0.2"))
	}
	quote6 := func(n int) []byte {
		b := append([]byte{0, 7, 0, 9}, be16(n-40)...)
		return ip6(17, append(append(b, 0, 0), make([]byte, n-40-8)...), from6("fd00::1"), to6("fd00::2"))
	}
	sum := func(b []byte) []byte {
		binary.BigEndian.PutUint16(b[2:], wire.Sum(0).Add(b).Checksum())
		return b
	}
	label := []byte{0, 8, 1, 1, 0, 1, 0xf1, 0xff} // an MPLS label (RFC 4950)
	version2 := []byte{0x20, 0, 0, 0}
	join := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	for _, tt := range []struct {
		name       string
		words      int // of the quote, as the header says
		quote      int
		extensions []byte
	}{
		{"an MPLS label", 32, 128, sum(join(version2, label))},
		{"no checksum", 32, 128, join(version2, label)},
		{"a wrong checksum", 32, 128, join([]byte{0x20, 0, 1, 2}, label)},
		{"another version", 32, 128, join([]byte{0x10, 0, 1, 2}, label)},
		{"two objects", 32, 128, sum(join(version2, label, label))},
		{"an object that is cut", 32, 128, join(version2, label[:6])},
		{"an object header that is cut", 32, 128, join(version2, label[:3])},
		{"an object of no length", 32, 128, join(version2, []byte{0, 0, 1, 1})},
		{"an object of three bytes", 32, 128, join(version2, []byte{0, 3, 1, 1})},
		{"a header alone", 32, 128, version2},
		{"a header that is cut", 32, 128, version2[:3]},
		{"nothing", 32, 128, nil},
		{"a quote that is too short", 31, 124, join(version2, label)},
		{"a length that the header does not say", 0, 128, join(version2, label)},
		{"a length beyond the end", 255, 128, join(version2, label)},
		{"a longer quote", 40, 160, sum(join(version2, label))},
	} {
		for _, on := range []bool{true, false} {
			name := tt.name
			if !on && tt.words != 40 { // once is enough
				continue
			}
			if !on {
				name += ", not asked for"
			}
			for _, typ := range []uint8{3, 11, 12, 5} {
				list = append(list, scenario{"v4 type " + itoa(int(typ)) + " with " + name, func(a *assault) {
					s := a.bound("10.0.0.1", 7)
					sockeye.IP_RECVERR.Set(s, true)
					sockeye.IP_RECVERR_RFC4884.Set(s, on)
					a.throw(ip4(1, icmp(typ, 0, uint32(tt.words)<<16, append(quote(tt.quote), tt.extensions...)...)))
					a.queued(s)
				}})
			}
			for _, typ := range []uint8{1, 2, 3, 4} {
				list = append(list, scenario{"v6 type " + itoa(int(typ)) + " with " + name, func(a *assault) {
					s := a.bound("fd00::1", 7)
					sockeye.IPV6_RECVERR.Set(s, true)
					sockeye.IPV6_RECVERR_RFC4884.Set(s, on)
					a.throw(ip6(58, icmp6("fd00::2", "fd00::1", typ, 0, uint32(tt.words/2)<<24, append(quote6(tt.quote), tt.extensions...)...)))
					a.queued(s)
				}})
			}
		}
	}
	return list
}

// hostileHops are segments from too far away for IP_MINTTL and IPV6_MINHOPCOUNT (RFC 5082).
func hostileHops() (list []scenario) {
	syn6 := func(hops uint8) []byte {
		h := wire.TCP{SrcPort: 9, DstPort: 8080, Flags: wire.SYN, Seq: peersISN, Window: 1000}
		b := make([]byte, h.Len())
		h.Put(b)
		wire.FillTCP(b, wire.PseudoSum(ip("fd00::2"), ip("fd00::1"), wire.IPPROTO_TCP, len(b)))
		return ip6(6, b, func(h *wire.IPv6) { h.HopLimit = hops })
	}
	for _, least := range []int{0, 64, 255} {
		for _, hops := range []uint8{63, 64, 254, 255} {
			name := itoa(int(hops)) + " hops left of " + itoa(least)
			list = append(list,
				scenario{"v4 SYN with " + name, func(a *assault) {
					sockeye.IP_MINTTL.Set(a.listening(), least)
					a.throw(ip4(6, a.segment(wire.SYN, 0, 0, ""), func(h *wire.IPv4) { h.TTL = hops }))
				}},
				scenario{"v6 SYN with " + name, func(a *assault) {
					a.irs = peersISN
					l := a.socket(sockeye.AF_INET6, sockeye.SOCK_STREAM, 0)
					if l.Bind(at("fd00::1", 8080)) != nil || l.Listen(5) != nil {
						a.Fatal("no listener")
					}
					sockeye.IPV6_MINHOPCOUNT.Set(l, least)
					a.throw(syn6(hops))
				}},
				scenario{"v4 the handshake's end with " + name, func(a *assault) {
					l := a.listening()
					a.tcp(wire.SYN, 0, 0, "")
					sockeye.IP_MINTTL.Set(l, least)
					a.throw(ip4(6, a.segment(wire.ACK, 1, 1, ""), func(h *wire.IPv4) { h.TTL = hops }))
					s, _, err := l.Accept()
					a.note("accept: %v", errno(err))
					if err == nil {
						a.socks = append(a.socks, s)
					}
				}})
		}
	}
	return list
}
