package nat_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sockeye/event"
	"sockeye/nat"
	"sockeye/packet"
	"sockeye/wire"
)

// The addresses of the tests: two hosts inside, two outside, and the translator's.
const (
	ann = "10.0.0.1"
	ben = "10.0.0.2"
	eve = "198.51.100.5"
	sam = "198.51.100.9"
	box = "203.0.113.1"
)

func addr(s string) wire.Addr { return wire.AddrFromNetip(netip.MustParseAddr(s)) }

// at is the instant a time after the beginning.
func at(d time.Duration) event.Time { return event.Time(1 + d) }

func table(t testing.TB, c nat.Config) *nat.Table {
	t.Helper()
	n, err := nat.New(c, 1, addr(box))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A dgram is a packet in words: "udp 10.0.0.1:5 198.51.100.5:7".
type dgram struct {
	proto    wire.Protocol
	src, dst netip.AddrPort
	flags    wire.TCPFlags
	typ      uint8 // of ICMP; the identifier is the port of who asks
	body     []byte
}

func udp(src, dst string) dgram {
	return dgram{proto: wire.IPPROTO_UDP, src: netip.MustParseAddrPort(src), dst: netip.MustParseAddrPort(dst), body: []byte("hello")}
}

func tcp(flags wire.TCPFlags, src, dst string) dgram {
	d := udp(src, dst)
	d.proto, d.flags = wire.IPPROTO_TCP, flags
	return d
}

func echo(typ uint8, src, dst string) dgram {
	d := udp(src, dst)
	d.proto, d.typ = wire.IPPROTO_ICMP, typ
	return d
}

// answer is the packet that goes back.
func (d dgram) answer() dgram {
	d.src, d.dst = d.dst, d.src
	if d.proto == wire.IPPROTO_ICMP {
		d.typ = wire.ICMP_ECHOREPLY
	}
	return d
}

// bytes is the packet with all its checksums.
func (d dgram) bytes() []byte {
	src, dst := wire.AddrFromNetip(d.src.Addr()), wire.AddrFromNetip(d.dst.Addr())
	var b []byte
	switch d.proto {
	case wire.IPPROTO_UDP:
		b = append(make([]byte, wire.UDPLen), d.body...)
		wire.UDP{SrcPort: d.src.Port(), DstPort: d.dst.Port()}.Put(b, len(d.body))
		wire.FillUDP(b, wire.PseudoSum(src, dst, d.proto, len(b)))
	case wire.IPPROTO_TCP:
		h := wire.TCP{SrcPort: d.src.Port(), DstPort: d.dst.Port(), Flags: d.flags, Seq: 1}
		b = append(make([]byte, wire.TCPLen), d.body...)
		h.Put(b)
		wire.FillTCP(b, wire.PseudoSum(src, dst, d.proto, len(b)))
	case wire.IPPROTO_ICMP:
		id := d.src.Port()
		if d.typ == wire.ICMP_ECHOREPLY {
			id = d.dst.Port()
		}
		b = append(make([]byte, wire.ICMPLen), d.body...)
		wire.ICMPv4Echo(d.typ, id, 1).Put(b)
	}
	return inIP(d.proto, src, dst, b)
}

func inIP(proto wire.Protocol, src, dst wire.Addr, body []byte) []byte {
	h := wire.IPv4{Src: src, Dst: dst, TTL: 64, Protocol: proto}
	b := append(make([]byte, h.Len()), body...)
	h.Put(b, len(body))
	return b
}

func packetOf(b []byte) *packet.Packet {
	p := packet.NewPacket()
	p.Sum = packet.SumUnknown
	p.Append(packet.Of(b))
	return p
}

// read gives the packet in words, and an error when a checksum is wrong.
func read(b []byte) (d dgram, err error) {
	h, body, err := wire.ParseIPv4(b)
	if err != nil {
		return d, err
	}
	var from, to uint16
	d.proto = h.Protocol
	switch h.Protocol {
	case wire.IPPROTO_UDP:
		u, rest, err := wire.ParseUDP(body)
		if err == nil {
			err = wire.CheckUDP(body, h.Src, h.Dst)
		}
		if err != nil {
			return d, err
		}
		from, to, d.body = u.SrcPort, u.DstPort, rest
	case wire.IPPROTO_TCP:
		s, rest, err := wire.ParseTCP(body)
		if err == nil && !wire.PseudoSum(h.Src, h.Dst, h.Protocol, len(body)).Add(body).Valid() {
			err = wire.ErrChecksum
		}
		if err != nil {
			return d, err
		}
		from, to, d.flags, d.body = s.SrcPort, s.DstPort, s.Flags, rest
	case wire.IPPROTO_ICMP:
		m, rest, err := wire.ParseICMPv4(body)
		if err != nil {
			return d, err
		}
		d.typ, d.body = m.Type, rest
		if from = m.ID(); m.Type == wire.ICMP_ECHOREPLY {
			from, to = 0, m.ID()
		}
	}
	d.src, d.dst = netip.AddrPortFrom(h.Src.Netip(), from), netip.AddrPortFrom(h.Dst.Netip(), to)
	return d, nil
}

// through gives a packet to one of a table's methods, and what came of it.
func through(t testing.TB, f func(event.Time, *packet.Packet) nat.Verdict, now time.Duration, d dgram) (dgram, nat.Verdict) {
	t.Helper()
	p := packetOf(d.bytes())
	defer p.Release()
	v := f(at(now), p)
	got, err := read(p.AppendTo(nil))
	if err != nil {
		t.Fatalf("%v became %x: %v", d, p.AppendTo(nil), err)
	}
	return got, v
}

// send lets a packet out, and gives the outside endpoint that it has then.
func send(t testing.TB, n *nat.Table, now time.Duration, d dgram) netip.AddrPort {
	t.Helper()
	got, v := through(t, n.Out, now, d)
	if v != nat.Translated {
		t.Fatalf("%v of %v -> %v", v, d.src, d.dst)
	}
	if got.dst != d.dst || string(got.body) != string(d.body) || got.src.Addr() != netip.MustParseAddr(box) {
		t.Fatalf("%v -> %v became %v -> %v %q", d.src, d.dst, got.src, got.dst, got.body)
	}
	return got.src
}

// A mapping is kept for as much of the peer as its dependence says.
func TestMappingsDependOnWhatTheyAreToldTo(t *testing.T) {
	const in = ann + ":5000"
	peers := []string{eve + ":7", eve + ":8", sam + ":7"}
	for _, c := range []struct {
		mapping nat.Dependence
		same    [3]bool // as the first, for each peer
	}{
		{nat.EndpointIndependent, [3]bool{true, true, true}},
		{nat.AddressDependent, [3]bool{true, true, false}},
		{nat.AddressAndPortDependent, [3]bool{true, false, false}},
	} {
		for _, packet := range []func(src, dst string) dgram{udp, func(src, dst string) dgram { return tcp(wire.SYN, src, dst) }} {
			n := table(t, nat.Config{Mapping: c.mapping})
			first := send(t, n, 0, packet(in, peers[0]))
			for i, peer := range peers {
				if got := send(t, n, 0, packet(in, peer)); (got == first) != c.same[i] {
					t.Errorf("%v: the sender is %v to %v, and %v to %v", c.mapping, first, peers[0], got, peer)
				}
			}
		}
	}
}

func TestFiltersLetInWhomTheyAreToldTo(t *testing.T) {
	senders := []string{eve + ":7", eve + ":8", sam + ":7"} // the first was sent to
	for _, c := range []struct {
		filtering nat.Dependence
		want      [3]nat.Verdict
	}{
		{nat.EndpointIndependent, [3]nat.Verdict{nat.Translated, nat.Translated, nat.Translated}},
		{nat.AddressDependent, [3]nat.Verdict{nat.Translated, nat.Translated, nat.Filtered}},
		{nat.AddressAndPortDependent, [3]nat.Verdict{nat.Translated, nat.Filtered, nat.Filtered}},
	} {
		for _, packet := range []func(src, dst string) dgram{udp, func(src, dst string) dgram { return tcp(wire.SYN, src, dst) }} {
			n := table(t, nat.Config{Filtering: c.filtering})
			out := send(t, n, 0, packet(ann+":5000", senders[0]))
			for i, from := range senders {
				got, v := through(t, n.In, 0, packet(from, out.String()))
				if v != c.want[i] {
					t.Errorf("%v: %v of a packet from %v, want %v", c.filtering, v, from, c.want[i])
				}
				if v == nat.Translated && (got.dst != netip.MustParseAddrPort(ann+":5000") || got.src != netip.MustParseAddrPort(from)) {
					t.Errorf("%v: from %v it came to %v", c.filtering, got.src, got.dst)
				}
			}
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	for _, kind := range nat.Kinds() {
		c, ok := nat.Named(kind)
		if !ok || c.Check() != nil {
			t.Errorf("%s: %v, %v", kind, c, c.Check())
		}
	}
	if _, ok := nat.Named("square"); ok || len(nat.Kinds()) != 4 {
		t.Errorf("kinds are %v", nat.Kinds())
	}
}

func TestAPortIsPreservedUntilAnotherHasIt(t *testing.T) {
	n := table(t, nat.Config{})
	first, second := send(t, n, 0, udp(ann+":5000", eve+":7")), send(t, n, 0, udp(ben+":5000", eve+":7"))
	if first.Port() != 5000 || second.Port() == 5000 || second.Port()%2 != 0 || second.Port() < 1024 {
		t.Errorf("they got %v and %v", first, second)
	}
	if got := send(t, n, 0, tcp(wire.SYN, ben+":5000", eve+":7")); got.Port() != 5000 {
		t.Errorf("another protocol got %v", got)
	}
	for range 2 { // the second one can't be preserved
		if got := send(t, n, 0, udp(ann+":501", eve+":7")); got.Port() >= 1024 || got.Port()%2 != 1 {
			t.Errorf("a port below 1024 became %v", got)
		}
	}
}

func TestThePortsOfTheHostAreNotGiven(t *testing.T) {
	n := table(t, nat.Config{})
	n.Serves = func(proto wire.Protocol, port uint16) bool { return proto == wire.IPPROTO_UDP && port == 5000 }
	if got := send(t, n, 0, udp(ann+":5000", eve+":7")); got.Port() == 5000 {
		t.Error("the host's own port was given")
	}
	if _, v := through(t, n.In, 0, udp(eve+":7", box+":5000")); v != nat.Own {
		t.Errorf("%v of a packet for the host", v)
	}
	if _, v := through(t, n.In, 0, udp(eve+":7", box+":5001")); v != nat.NoMapping {
		t.Errorf("%v of a packet for nobody", v)
	}
	if _, v := through(t, n.Out, 0, udp(box+":5000", eve+":7")); v != nat.Own {
		t.Errorf("%v of a packet from the host", v)
	}
}

func TestAllPortsAreGivenAndNoneTwice(t *testing.T) {
	choices := []nat.PortChoice{nat.PreservePort, nat.RandomPort, nat.NextPort}
	if testing.Short() {
		choices = choices[:1]
	}
	for _, choice := range choices {
		n := table(t, nat.Config{Mapping: nat.AddressAndPortDependent, Ports: choice, Sessions: 1 << 17})
		given := make(map[netip.AddrPort]bool)
		for i := range 1<<16 - 1024 {
			given[send(t, n, 0, udp(ann+":5000", peer(i)))] = true
		}
		if len(given) != 1<<16-1024 {
			t.Errorf("%v: %d ports were given", choice, len(given))
		}
		if _, v := through(t, n.Out, 0, udp(ann+":5000", peer(1<<16))); v != nat.Full {
			t.Errorf("%v: %v of one more", choice, v)
		}
		if _, v := through(t, n.Out, 6*time.Minute, udp(ann+":5000", peer(1<<16))); v != nat.Translated {
			t.Errorf("%v: %v once the others are over", choice, v)
		}
	}
}

// peer is one of many.
func peer(i int) string {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), uint16(1+i>>16)).String()
}

func TestSessionsAreBounded(t *testing.T) {
	n := table(t, nat.Config{Sessions: 10})
	for i := range 10 {
		send(t, n, 0, udp(ann+":5000", peer(i)))
	}
	if _, v := through(t, n.Out, 0, udp(ann+":5000", peer(10))); v != nat.Full {
		t.Errorf("%v of the eleventh", v)
	}
	if _, v := through(t, n.Out, 5*time.Minute, udp(ann+":5000", peer(10))); v != nat.Translated {
		t.Errorf("%v once the others are over", v)
	}
}

func TestMappingsExpire(t *testing.T) {
	in, out := ann+":5000", eve+":7"
	open := func(t *testing.T, n *nat.Table) netip.AddrPort {
		x := send(t, n, 0, tcp(wire.SYN, in, out))
		through(t, n.In, 0, tcp(wire.SYN|wire.ACK, out, x.String()))
		return send(t, n, 0, tcp(wire.ACK, in, out))
	}
	for _, c := range []struct {
		name  string
		begin func(t *testing.T, n *nat.Table) netip.AddrPort
		in    dgram
		last  time.Duration
	}{
		{"UDP", func(t *testing.T, n *nat.Table) netip.AddrPort { return send(t, n, 0, udp(in, out)) }, udp(out, in), 5 * time.Minute},
		{"ICMP", func(t *testing.T, n *nat.Table) netip.AddrPort {
			return send(t, n, 0, echo(wire.ICMP_ECHO, in, eve+":0"))
		},
			echo(wire.ICMP_ECHOREPLY, eve+":0", in), time.Minute},
		{"TCP, established", open, tcp(wire.ACK, out, in), 2*time.Hour + 4*time.Minute},
		{"TCP, opening", func(t *testing.T, n *nat.Table) netip.AddrPort { return send(t, n, 0, tcp(wire.SYN, in, out)) },
			tcp(wire.SYN|wire.ACK, out, in), 4 * time.Minute},
		{"TCP, one side closed", func(t *testing.T, n *nat.Table) netip.AddrPort {
			open(t, n)
			return send(t, n, 0, tcp(wire.FIN|wire.ACK, in, out))
		}, tcp(wire.ACK, out, in), 2*time.Hour + 4*time.Minute},
		{"TCP, closed", func(t *testing.T, n *nat.Table) netip.AddrPort {
			x := open(t, n)
			through(t, n.In, 0, tcp(wire.FIN|wire.ACK, out, x.String()))
			return send(t, n, 0, tcp(wire.FIN|wire.ACK, in, out))
		}, tcp(wire.ACK, out, in), 4 * time.Minute},
		{"TCP, reset", func(t *testing.T, n *nat.Table) netip.AddrPort {
			x := open(t, n)
			through(t, n.In, 0, tcp(wire.RST, out, x.String()))
			return x
		}, tcp(wire.ACK, out, in), 4 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, late := range []struct {
				by   time.Duration
				want bool
			}{{-1, true}, {0, false}} {
				n := table(t, nat.Config{})
				c.in.dst = c.begin(t, n)
				if left := n.Mappings(at(0))[0].Left; left != c.last {
					t.Errorf("%v are left", left)
				}
				if _, v := through(t, n.In, c.last+late.by, c.in); (v == nat.Translated) != late.want {
					t.Errorf("after %v: %v", c.last+late.by, v)
				}
			}
		})
	}
}

func TestWhatGoesOutProlongsAMappingAndWhatComesInIfToldTo(t *testing.T) {
	for _, inbound := range []bool{false, true} {
		n := table(t, nat.Config{UDP: 2 * time.Minute, RefreshInbound: inbound})
		x := send(t, n, 0, udp(ann+":5000", eve+":7"))
		send(t, n, time.Minute, udp(ann+":5000", eve+":7"))
		if _, v := through(t, n.In, 150*time.Second, udp(eve+":7", x.String())); v != nat.Translated {
			t.Errorf("%v of a packet for a mapping that was prolonged", v)
		}
		_, v := through(t, n.In, 200*time.Second, udp(eve+":7", x.String()))
		if (v == nat.Translated) != inbound {
			t.Errorf("RefreshInbound %v: %v", inbound, v)
		}
	}
}

func TestOnlyASYNMakesAMappingUnlessTheTableAdopts(t *testing.T) {
	for _, adopt := range []bool{false, true} {
		n := table(t, nat.Config{AdoptTCP: adopt})
		want := nat.Stray
		if adopt {
			want = nat.Translated
		}
		for _, f := range []wire.TCPFlags{wire.ACK, wire.SYN | wire.ACK, wire.FIN | wire.ACK} {
			if _, v := through(t, n.Out, 0, tcp(f, ann+":5000", eve+":7")); v != want {
				t.Errorf("AdoptTCP %v: %v of %v", adopt, v, f)
			}
		}
	}
}

// Both sides send a SYN at once, as hosts do that open a way to each other (RFC 5382 REQ-2).
func TestSimultaneousOpenPasses(t *testing.T) {
	c, _ := nat.Named("port-restricted-cone")
	n := table(t, c)
	x := send(t, n, 0, tcp(wire.SYN, ann+":5000", eve+":7"))
	if _, v := through(t, n.In, 0, tcp(wire.SYN, eve+":7", x.String())); v != nat.Translated {
		t.Errorf("%v of the other's SYN", v)
	}
	send(t, n, 0, tcp(wire.SYN|wire.ACK, ann+":5000", eve+":7"))
	through(t, n.In, 0, tcp(wire.SYN|wire.ACK, eve+":7", x.String()))
	if left := n.Mappings(at(0))[0].Left; left < 2*time.Hour {
		t.Errorf("the connection is established, and its mapping lasts %v", left)
	}
}

func TestHairpinsHaveAnOutsideSource(t *testing.T) {
	n := table(t, nat.Config{})
	b := send(t, n, 0, udp(ben+":6000", eve+":7"))
	got, v := through(t, n.Hairpin, 0, udp(ann+":5000", b.String()))
	if v != nat.Translated || got.src != netip.MustParseAddrPort(box+":5000") || got.dst != netip.MustParseAddrPort(ben+":6000") {
		t.Fatalf("%v: %v -> %v", v, got.src, got.dst)
	}
	if got, v = through(t, n.Hairpin, 0, got.answer()); v != nat.Translated || got.src != b || got.dst != netip.MustParseAddrPort(ann+":5000") {
		t.Errorf("the answer: %v: %v -> %v", v, got.src, got.dst)
	}
	if err := n.SetConfig(nat.Config{NoHairpin: true}); err != nil {
		t.Fatal(err)
	}
	if _, v := through(t, n.Hairpin, 0, udp(ann+":5000", b.String())); v != nat.Hairpin {
		t.Errorf("%v where there is no hairpinning", v)
	}
	if _, v := through(t, n.Hairpin, 0, udp(ann+":5000", box+":1")); v != nat.NoMapping || len(n.Mappings(at(0))) != 2 {
		t.Errorf("%v of a packet for nobody, which leaves %v", v, n.Mappings(at(0)))
	}
}

func TestAnInsideHostHasOneOutsideAddress(t *testing.T) {
	n, err := nat.New(nat.Config{}, 1, addr(box), addr("203.0.113.2"), addr("203.0.113.3"))
	if err != nil {
		t.Fatal(err)
	}
	used := make(map[netip.Addr]bool)
	for host := range 6 {
		var first netip.Addr
		for port := range 20 {
			got, _ := through(t, n.Out, 0, udp(fmt.Sprintf("10.0.0.%d:%d", host, 1024+port), eve+":7"))
			if port == 0 {
				first = got.src.Addr()
				used[first] = true
			}
			if got.src.Addr() != first {
				t.Errorf("host %d is %v, and %v", host, first, got.src)
			}
		}
	}
	if len(used) != 3 {
		t.Errorf("of three addresses these are used: %v", used)
	}
	n.SetOutside(addr(box))
	for _, m := range n.Mappings(at(0)) {
		if m.Outside.Addr() != netip.MustParseAddr(box) {
			t.Errorf("a mapping is left at %v", m.Outside)
		}
	}
}

func TestMappingsAreShown(t *testing.T) {
	n := table(t, nat.Config{Mapping: nat.AddressDependent, Filtering: nat.AddressAndPortDependent})
	send(t, n, 0, udp(ann+":5000", eve+":7"))
	send(t, n, time.Minute, udp(ann+":5000", eve+":8"))
	m := n.Mappings(at(2 * time.Minute))
	want := "[{udp 10.0.0.1:5000 203.0.113.1:5000 198.51.100.5:0 [198.51.100.5:7 198.51.100.5:8] 2m0s 4m0s}]"
	if got := fmt.Sprint(m); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if c := n.Counters(); c.Made != 1 || c.Packets[nat.Outward][nat.Translated] != 2 {
		t.Errorf("%+v", c)
	}
	if m := n.Mappings(at(time.Hour)); len(m) != 0 || n.Counters().Expired != 1 {
		t.Errorf("an hour later there are %v", m)
	}
}

func TestAChangeOfTheMappingForgetsAll(t *testing.T) {
	n := table(t, nat.Config{})
	send(t, n, 0, udp(ann+":5000", eve+":7"))
	n.SetConfig(nat.Config{Filtering: nat.AddressDependent})
	if len(n.Mappings(at(0))) != 1 {
		t.Error("another filtering ends mappings")
	}
	n.SetConfig(nat.Config{Mapping: nat.AddressDependent})
	if len(n.Mappings(at(0))) != 0 {
		t.Error("a mapping outlives another dependence")
	}
}

func TestConfigsAreChecked(t *testing.T) {
	for _, c := range []struct {
		config nat.Config
		want   string
	}{
		{nat.Config{UDP: -1}, "nat: UDP is -1: it cannot be below 0"},
		{nat.Config{Sessions: -5}, "nat: Sessions is -5: it cannot be below 0"},
		{nat.Config{Mapping: 7}, "nat: Mapping is 7 and Filtering 0: they are EndpointIndependent, AddressDependent or AddressAndPortDependent"},
		{nat.Config{Ports: 3}, "nat: Ports is 3: it is PreservePort, RandomPort or NextPort"},
	} {
		if _, err := nat.New(c.config, 1); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
