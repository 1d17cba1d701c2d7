package nat_test

import (
	"net/netip"
	"testing"
	"time"

	"sockeye/nat"
	"sockeye/packet"
	"sockeye/wire"
)

// errorAbout is an ICMP error that quotes the beginning of a packet.
func errorAbout(from string, quoted []byte, n int) []byte {
	h, _, err := wire.ParseIPv4(quoted)
	if err != nil {
		panic(err)
	}
	body := append(make([]byte, wire.ICMPLen), quoted[:min(len(quoted), n)]...)
	wire.ICMPv4{Type: wire.ICMP_DEST_UNREACH, Code: wire.ICMP_PORT_UNREACH}.Put(body)
	return inIP(wire.IPPROTO_ICMP, addr(from), h.Src, body)
}

func TestEchoesAreTranslatedByTheirIdentifier(t *testing.T) {
	n := table(t, nat.Config{})
	first, second := send(t, n, 0, echo(wire.ICMP_ECHO, ann+":77", eve+":0")), send(t, n, 0, echo(wire.ICMP_ECHO, ben+":77", eve+":0"))
	if first.Port() != 77 || second.Port() == 77 {
		t.Errorf("two hosts with one identifier got %v and %v", first, second)
	}
	for _, c := range []struct {
		out    netip.AddrPort
		inside string
	}{{first, ann + ":77"}, {second, ben + ":77"}} {
		got, v := through(t, n.In, 0, echo(wire.ICMP_ECHOREPLY, eve+":0", c.out.String()))
		if v != nat.Translated || got.dst != netip.MustParseAddrPort(c.inside) {
			t.Errorf("the answer to %v: %v, for %v", c.out, v, got.dst)
		}
	}
	if _, v := through(t, n.In, 0, echo(wire.ICMP_ECHO, eve+":77", box+":0")); v != nat.Own {
		t.Errorf("%v of a question for the translator", v)
	}
}

func TestErrorsReachWhomTheyAreAbout(t *testing.T) {
	for _, d := range []dgram{udp(ann+":5000", eve+":7"), tcp(wire.SYN, ann+":5000", eve+":7"), echo(wire.ICMP_ECHO, ann+":5000", eve+":0")} {
		for _, quote := range []int{28, 1 << 10} {
			n := table(t, nat.Config{})
			send(t, n, 0, udp(ben+":5000", sam+":9")) // so that the port is another
			send(t, n, 0, tcp(wire.SYN, ben+":5000", sam+":9"))
			send(t, n, 0, echo(wire.ICMP_ECHO, ben+":5000", sam+":0"))
			out := packetOf(d.bytes())
			n.Out(at(0), out)
			p := packetOf(errorAbout("198.51.100.77", out.AppendTo(nil), quote))
			if v := n.In(at(0), p); v != nat.Translated {
				t.Fatalf("%v: %v", d, v)
			}
			h, body, err := wire.ParseIPv4(p.AppendTo(nil))
			if err != nil || h.Dst != addr(ann) || h.Src != addr("198.51.100.77") {
				t.Errorf("%v -> %v, %v", h.Src, h.Dst, err)
			}
			_, quoted, err := wire.ParseICMPv4(body)
			if err != nil {
				t.Fatal(err)
			}
			q, err := wire.ParseQuote4(quoted)
			if err != nil || q.Src != addr(ann) || q.Dst != addr(eve) || !wire.Sum(0).Add(q.Header).Valid() {
				t.Errorf("it quotes %v -> %v, %v", q.Src, q.Dst, err)
			}
			if d.proto == wire.IPPROTO_ICMP && q.EchoID() != 5000 {
				t.Errorf("it quotes identifier %d", q.EchoID())
			} else if src, _ := q.Ports(); d.proto != wire.IPPROTO_ICMP && src != 5000 {
				t.Errorf("it quotes port %d", src)
			}
			if quote > 28 {
				if back, err := read(quoted); err != nil || back.src != d.src || back.dst != d.dst {
					t.Errorf("it quotes %v -> %v whole: %v", back.src, back.dst, err)
				}
			}
		}
	}
}

func TestErrorsFromInsideHideIt(t *testing.T) {
	n := table(t, nat.Config{})
	x := send(t, n, 0, udp(ann+":5000", eve+":7"))
	in := packetOf(udp(eve+":7", x.String()).bytes())
	n.In(at(0), in)
	p := packetOf(errorAbout(ann, in.AppendTo(nil), 1<<10))
	if v := n.Out(at(0), p); v != nat.Translated {
		t.Fatal(v)
	}
	h, body, err := wire.ParseIPv4(p.AppendTo(nil))
	if err != nil || h.Src != addr(box) || h.Dst != addr(eve) {
		t.Errorf("%v -> %v, %v", h.Src, h.Dst, err)
	}
	_, quoted, err := wire.ParseICMPv4(body)
	if err != nil {
		t.Fatal(err)
	}
	if q, err := read(quoted); err != nil || q.dst != x || q.src != netip.MustParseAddrPort(eve+":7") {
		t.Errorf("it quotes %v -> %v, %v", q.src, q.dst, err)
	}
}

func TestErrorsProlongNothingAndMakeNothing(t *testing.T) {
	n := table(t, nat.Config{})
	d := udp(ann+":5000", eve+":7")
	out := packetOf(d.bytes())
	n.Out(at(0), out)
	n.In(at(4*time.Minute), packetOf(errorAbout(sam, out.AppendTo(nil), 28)))
	if m := n.Mappings(at(4 * time.Minute)); len(m) != 1 || m[0].Left != time.Minute {
		t.Errorf("%v", m)
	}
	for _, about := range [][]byte{udp(box+":5000", sam+":7").bytes(), udp(box+":5001", eve+":7").bytes(), inIP(89, addr(box), addr(eve), make([]byte, 20))} {
		p := packetOf(errorAbout(sam, about, 28))
		before := string(p.AppendTo(nil))
		if v := n.In(at(0), p); v != nat.Own || string(p.AppendTo(nil)) != before {
			t.Errorf("%v of an error about a packet that nobody sent", v)
		}
	}
	if v := n.Out(at(0), packetOf(errorAbout(ann, udp(sam+":1", ann+":1").bytes(), 28))); v != nat.Stray {
		t.Errorf("%v of an error from inside about nothing", v)
	}
}

// A hairpinned packet's error goes back the same way (RFC 5508 REQ-7).
func TestErrorsAboutHairpinsAreHairpinned(t *testing.T) {
	n := table(t, nat.Config{})
	b := send(t, n, 0, udp(ben+":6000", eve+":7"))
	p := packetOf(udp(ann+":5000", b.String()).bytes())
	n.Hairpin(at(0), p)
	q := packetOf(errorAbout(ben, p.AppendTo(nil), 1<<10))
	if v := n.Hairpin(at(0), q); v != nat.Translated {
		t.Fatal(v)
	}
	h, body, err := wire.ParseIPv4(q.AppendTo(nil))
	if err != nil || h.Src != addr(box) || h.Dst != addr(ann) {
		t.Errorf("%v -> %v, %v", h.Src, h.Dst, err)
	}
	_, quoted, err := wire.ParseICMPv4(body)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := read(quoted); err != nil || d.src.String() != ann+":5000" || d.dst != b {
		t.Errorf("it quotes %v -> %v, %v", d.src, d.dst, err)
	}
}

func TestOtherProtocolsAndFragmentsDoNotPass(t *testing.T) {
	n := table(t, nat.Config{})
	for _, c := range []struct {
		name string
		b    []byte
		want nat.Verdict
	}{
		{"a protocol without ports", inIP(89, addr(ann), addr(eve), make([]byte, 20)), nat.Unsupported},
		{"ICMP of no use", inIP(wire.IPPROTO_ICMP, addr(ann), addr(eve), []byte{9, 0, 0xf6, 0xff, 0, 0, 0, 0}), nat.Unsupported},
		{"an answer that nobody asked for", echo(wire.ICMP_ECHOREPLY, ann+":0", eve+":5").bytes(), nat.Stray},
		{"half a UDP header", inIP(wire.IPPROTO_UDP, addr(ann), addr(eve), make([]byte, 4)), nat.Malformed},
		{"half an IP header", udp(ann+":1", eve+":1").bytes()[:10], nat.Malformed},
		{"IPv6", append([]byte{6 << 4}, make([]byte, 60)...), nat.Malformed},
		{"a fragment", func() []byte {
			h := wire.IPv4{Src: addr(ann), Dst: addr(eve), TTL: 64, Protocol: wire.IPPROTO_UDP, MF: true}
			b := make([]byte, h.Len()+16)
			h.Put(b, 16)
			return b
		}(), nat.Malformed},
	} {
		p := packetOf(c.b)
		if v := n.Out(at(0), p); v != c.want || string(p.AppendTo(nil)) != string(c.b) {
			t.Errorf("%s: %v, want %v", c.name, v, c.want)
		}
	}
}

func TestAChecksumThatIsMissingStaysSo(t *testing.T) {
	n := table(t, nat.Config{})
	b := udp(ann+":5000", eve+":7").bytes()
	b[20+6], b[20+7] = 0, 0
	p := packetOf(b)
	n.Out(at(0), p)
	if h := p.AppendTo(nil); h[26] != 0 || h[27] != 0 {
		t.Error("a datagram without a checksum was given one that is wrong")
	}
	p = packetOf(udp(ann+":5000", eve+":7").bytes())
	p.Sum = packet.SumPartial
	sum := [2]byte(p.AppendTo(nil)[26:])
	n.Out(at(0), p)
	if [2]byte(p.AppendTo(nil)[26:]) != sum {
		t.Error("a checksum that the link is to compute was changed")
	}
}
