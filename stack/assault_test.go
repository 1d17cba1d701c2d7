package stack_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"sockeye"
	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/stack"
	"sockeye/stack/inet"
	"sockeye/wire"
)

// An assault throws packets at a host, 10.0.0.1 and fd00::1 and fe80::1 with the other half of
// each network behind tun0, and notes what comes back and what is counted. The host is a Go host
// or the machine's kernel: both have to give the same transcript.
type assault struct {
	testing.TB
	host  *sockeye.Host
	stack *stack.Host              // if it is one
	send  func([]byte)             // into the interface
	heard func() [][]byte          // out of it, since the last call
	count func() map[string]uint64 // the counters, by the names of nstat(8)

	ethernet bool
	lines    []string
	iss, irs wire.Seq // of the connection that dial made
	socks    []*sockeye.Socket
}

// A scenario is an assault with a name that tells what is thrown.
type scenario struct {
	name string
	body func(a *assault)
}

// needs is what scenarios of one group need of the host.
type needs struct {
	ethernet, forwarding bool
	gateway              bool // default routes lead by 10.0.0.254 and fe80::fe
	sysctl               func(*inet.Sysctl)
	kernel               []string // sysctl as the kernel has it
}

// A group is scenarios whose transcripts are in one file, testdata/hostile/name.txt.
type group struct {
	name string
	needs
	scenarios []scenario
}

func groups() []group {
	return []group{
		{"ip", needs{}, hostileIP()},
		{"router", needs{forwarding: true}, hostileToRouters()},
		{"fragments", needs{}, hostileFragments()},
		{"udp", needs{}, hostileUDP()},
		{"icmp", needs{}, hostileICMP()},
		{"neighbours", needs{ethernet: true}, hostileNeighbours()},
		{"tcp", needs{}, hostileTCP()},
		{"redirects", needs{forwarding: true}, detours()},
		{"redirected", needs{ethernet: true, gateway: true}, redirected()},
		{"extensions", needs{}, hostileExtensions()},
		{"hops", needs{}, hostileHops()},
	}
}

// run plays a scenario and gives its transcript: packets and calls in their order, and last what
// was counted.
func (a *assault) run(s scenario) string {
	before := a.count()
	s.body(a)
	after := a.count()
	for _, s := range a.socks {
		s.Close()
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if n := after[name] - before[name]; n != 0 && reason(name) {
			a.note("  %s %d", name, n)
		}
	}
	return strings.Join(a.lines, "\n") + "\n"
}

func (a *assault) note(format string, args ...any) {
	a.lines = append(a.lines, fmt.Sprintf(format, args...))
}

// unexplained are counters that tell no reason: volume, what the transcript shows as packets, and
// what Linux counts of the way that a packet took within it.
var unexplained = []string{
	"Octets", "ECTPkts", "ECT0Pkts", "OutTransmits", "OutRequests", "InReceives", "OutMsgs", "OutType", "OutEcho", "OutDest", "OutTime",
	"OutParm", "OutRedirects", "OutNeigh", "OutRouter", "OutPktToo", "OutMLD", "McastPkts", "BcastPkts", "InSegs", "OutSegs", "CurrEstab",
	"PureAcks", "HPHits", "HPAcks", "OrigDataSent", "Delivered", "AutoCorking", "RcvCoalesce", "KeepAlive", "Prune", "OutDatagrams",
	"InDestUnreachs", "InTimeExcds", "InParmProb", "InSrcQuenchs", "InRedirects", "InEcho", "InTimestamp", "InAddrMask", // told by InType
	"InPktTooBigs", "InGroupMemb", "InRouter", "InNeighbor", "InMLDv2", "AckCompressed", "TCPFromZero", "TCPToZero", "TCPWantZero",
	"TCPTimeouts", "InMartian", "TCPDelivered", "DelayedACK", "FragMemory", "arp_cache", "ndisc_cache", "IpExtInCEPkts",
}

func reason(name string) bool {
	return !slices.ContainsFunc(unexplained, func(part string) bool { return strings.Contains(name, part) })
}

// throw sends packets at the host and notes what it answers.
func (a *assault) throw(packets ...[]byte) {
	for _, p := range packets {
		a.note("> %s", a.describe(p))
		a.send(p)
		a.listen()
	}
}

// listen notes what the host sent.
func (a *assault) listen() {
	for _, p := range a.heard() {
		if line := a.describe(p); !chatter(p, a.ethernet) {
			a.note("< %s", line)
		}
	}
}

// chatter tells what hosts say on their own: listener reports, router solicitations.
func chatter(p []byte, ethernet bool) bool {
	if ethernet {
		_, p, _ = wire.ParseEthernet(p)
	}
	switch wire.Version(p) {
	case 4:
		return len(p) > 9 && p[9] == byte(wire.IPPROTO_IGMP)
	case 6:
		return len(p) >= 40 && p[24] == 0xff && (p[39] == 0x16 || p[39] == 2)
	}
	return false
}

// describe is a line about a packet; sequence numbers are relative to those of dial's connection.
func (a *assault) describe(p []byte) string {
	if a.ethernet {
		return wire.DescribeFrame(p)
	}
	var src, dst wire.Addr
	var segment []byte
	if h, payload, err := wire.ParseIPv4(p); err == nil && h.Protocol == wire.IPPROTO_TCP && h.FragOffset == 0 && !h.MF {
		src, dst, segment = h.Src, h.Dst, payload
	} else if h, payload, err := wire.ParseIPv6(p); err == nil && h.NextHeader == wire.IPPROTO_TCP {
		src, dst, segment = h.Src, h.Dst, payload
	}
	h, payload, err := wire.ParseTCP(segment)
	if err != nil || segment == nil {
		return wire.Describe(p)
	}
	seq, ack, base := h.Seq-a.irs, h.Ack-a.iss, a.iss
	if src == ip("10.0.0.1") || src == ip("fd00::1") {
		if h.Flags&wire.SYN != 0 {
			a.iss, ack = h.Seq, h.Ack-a.irs
			return fmt.Sprintf("IP %v.%d > %v.%d: Flags %v, ack %d", src, h.SrcPort, dst, h.DstPort, h.Flags, ack)
		}
		seq, ack, base = h.Seq-a.iss, h.Ack-a.irs, a.irs
	}
	if h.Flags&wire.ACK == 0 {
		ack = 0
	}
	sack := ""
	if h.Options.NumSACK > 0 {
		sack = fmt.Sprintf(", sack %d:%d", h.Options.SACK[0].Left-base, h.Options.SACK[0].Right-base)
	}
	return fmt.Sprintf("IP %v.%d > %v.%d: Flags %v, seq %d, ack %d%s, length %d",
		src, h.SrcPort, dst, h.DstPort, h.Flags, int32(seq), int32(ack), sack, len(payload))
}

// socket opens a socket of the host that is closed at the end.
func (a *assault) socket(family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) *sockeye.Socket {
	s, err := a.host.Socket(family, typ|sockeye.SOCK_NONBLOCK, proto)
	if err != nil {
		a.Fatal(err)
	}
	a.socks = append(a.socks, s)
	return s
}

// bound is a UDP socket on a port of the host.
func (a *assault) bound(addr string, port uint16) *sockeye.Socket {
	family := sockeye.AF_INET
	if strings.Contains(addr, ":") {
		family = sockeye.AF_INET6
	}
	s := a.socket(family, sockeye.SOCK_DGRAM, 0)
	if err := s.Bind(at(addr, port)); err != nil {
		a.Fatal(err)
	}
	return s
}

// recv notes what the socket receives.
func (a *assault) recv(s *sockeye.Socket) {
	b := make([]byte, 65536)
	n, from, err := s.Recvfrom(b, sockeye.MSG_DONTWAIT)
	if err != nil {
		a.note("recvfrom: %v", errno(err))
		return
	}
	text := fmt.Sprintf("%q", b[:n])
	if n > 40 {
		text = fmt.Sprintf("%q...", b[:20])
	}
	a.note("recvfrom: %d bytes %s from %v", n, text, from)
}

// pending notes SO_ERROR.
func (a *assault) pending(s *sockeye.Socket) {
	e, err := sockeye.SO_ERROR.Get(s)
	a.note("SO_ERROR: %v %v", e, err)
}

func errno(err error) string {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error()
	}
	return fmt.Sprint(err)
}

// goHost is an assault on a Go host.
func goHost(t testing.TB, n needs) *assault {
	set := inet.DefaultSysctl()
	set.Forwarding = n.forwarding
	if n.sysctl != nil {
		n.sysctl(&set)
	}
	loop := leak.Loop(t)
	near, far := link.Cable(loop, link.CableOptions{Ethernet: n.ethernet})
	var routes []stack.Route
	if n.gateway {
		routes = []stack.Route{
			{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.254")},
			{Dst: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("fe80::fe"), Interface: "tun0"},
		}
	}
	h := stack.NewHost(stack.Config{Loop: loop, Inet: &set, Privileged: true, Routes: routes, Interfaces: []stack.Interface{
		{Name: "tun0", Port: near, Addrs: prefixes("10.0.0.1/24", "fd00::1/64", "fe80::1/64")},
	}})
	ear := new(ear)
	far.Attach(ear)
	t.Cleanup(func() {
		h.Close()
		loop.Close()
	})
	return &assault{TB: t, host: h.Sockets(), stack: h, ethernet: n.ethernet, heard: ear.take,
		send: func(b []byte) {
			far.Send(link.FromWire(packet.Of(slices.Clone(b)), n.ethernet))
			loop.Run()
		},
		count: func() map[string]uint64 { return maps.Collect(h.Counters().All()) },
	}
}

// An ear keeps what comes out of a link.
type ear struct {
	mu    sync.Mutex
	heard [][]byte
}

// Receive implements link.Receiver.
func (e *ear) Receive(_ event.Time, p *packet.Packet) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.Sum == packet.SumPartial {
		link.FillChecksum(p, false)
	}
	e.heard = append(e.heard, p.AppendTo(nil))
	p.Release()
}

func (e *ear) take() [][]byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	heard := e.heard
	e.heard = nil
	return heard
}

// transcripts are those of a file.
func transcripts(name string) map[string]string {
	b, err := os.ReadFile(transcriptFile(name))
	if err != nil {
		return nil
	}
	m := make(map[string]string)
	for _, part := range strings.Split(string(b), "== ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		m[title] = strings.TrimRight(text, "\n") + "\n"
	}
	return m
}

func transcriptFile(name string) string { return filepath.Join("testdata", "hostile", name+".txt") }

// differs has the scenarios in which a Go host does something else, and why.
var differs = map[string]string{
	"v6 from ::ffff:10.0.0.2": "IPv4-mapped addresses have no place on a wire (RFC 4942 section 2.2): the host drops them as bad headers",
	"v6 to ::ffff:10.0.0.1":   "as above",
}

// A Go host answers every bad packet as the kernel did when the transcripts were written, and counts
// it under the same name.
func TestAHostAnswersHostilePacketsAsLinuxDoes(t *testing.T) {
	leak.Check(t)
	for _, g := range groups() {
		want := transcripts(g.name)
		for _, s := range g.scenarios {
			t.Run(g.name+"/"+s.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					got, want := goHost(t, g.needs).run(s), want[s.name]
					if differs[s.name] != "" {
						if !strings.Contains(got, "Ip6InHdrErrors 1") {
							t.Errorf("it is not dropped as a bad header:\n%s", got)
						}
						return
					}
					if got != want {
						t.Errorf("- kernel\n%s+ Go host\n%s", want, got)
					}
				})
			})
		}
	}
}

// Builders of packets from 10.0.0.2 to 10.0.0.1, and from fd00::2 to fd00::1.

func ip(s string) wire.Addr { return wire.AddrFromNetip(netip.MustParseAddr(s)) }

// ip4 is an IPv4 packet; edits come before its header's checksum.
func ip4(proto wire.Protocol, body []byte, edits ...func(*wire.IPv4)) []byte {
	h := wire.IPv4{Src: ip("10.0.0.2"), Dst: ip("10.0.0.1"), TTL: 64, Protocol: proto, ID: 77}
	for _, e := range edits {
		e(&h)
	}
	b := make([]byte, h.Len()+len(body))
	copy(b[h.Put(b, len(body)):], body)
	return b
}

func ip6(next wire.Protocol, body []byte, edits ...func(*wire.IPv6)) []byte {
	h := wire.IPv6{Src: ip("fd00::2"), Dst: ip("fd00::1"), HopLimit: 64, NextHeader: next}
	for _, e := range edits {
		e(&h)
	}
	b := make([]byte, wire.IPv6Len+len(body))
	copy(b[h.Put(b, len(body)):], body)
	return b
}

func from4(s string) func(*wire.IPv4) { return func(h *wire.IPv4) { h.Src = ip(s) } }
func to4(s string) func(*wire.IPv4)   { return func(h *wire.IPv4) { h.Dst = ip(s) } }
func from6(s string) func(*wire.IPv6) { return func(h *wire.IPv6) { h.Src = ip(s) } }
func to6(s string) func(*wire.IPv6)   { return func(h *wire.IPv6) { h.Dst = ip(s) } }

// datagram is a UDP datagram from port 9 with its checksum. ends are the addresses that it covers.
func datagram(src, dst string, port uint16, data string) []byte {
	b := make([]byte, wire.UDPLen+len(data))
	copy(b[wire.UDPLen:], data)
	wire.UDP{SrcPort: 9, DstPort: port}.Put(b, len(data))
	wire.FillUDP(b, wire.PseudoSum(ip(src), ip(dst), wire.IPPROTO_UDP, len(b)))
	return b
}

func udp4(port uint16, data string) []byte { return datagram("10.0.0.2", "10.0.0.1", port, data) }
func udp6(port uint16, data string) []byte { return datagram("fd00::2", "fd00::1", port, data) }

// edit writes bytes into a copy of a packet.
func edit(b []byte, at int, v ...byte) []byte {
	b = slices.Clone(b)
	copy(b[at:], v)
	return b
}

// resum is b with the IPv4 header's checksum computed anew.
func resum(b []byte) []byte {
	fixIPv4(b)
	return b
}

// icmp is an ICMPv4 message, with its checksum.
func icmp(typ, code uint8, rest uint32, body ...byte) []byte {
	b := append(make([]byte, wire.ICMPLen), body...)
	wire.ICMPv4{Type: typ, Code: code, Rest: rest}.Put(b)
	return b
}

// icmp6 is an ICMPv6 message between two addresses.
func icmp6(src, dst string, typ, code uint8, rest uint32, body ...byte) []byte {
	b := append(make([]byte, wire.ICMPLen), body...)
	wire.ICMPv6{Type: typ, Code: code, Rest: rest}.Put(b)
	wire.FillICMPv6(b, wire.PseudoSum(ip(src), ip(dst), wire.IPPROTO_ICMPV6, len(b)))
	return b
}

var hello = []byte("hello")

func be16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
