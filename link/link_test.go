package link_test

import (
	"bytes"
	"sync"
	"testing"

	"sockeye/event"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/wire"
)

// An arrival is a packet that came out of a port.
type arrival struct {
	at   event.Time
	data []byte
	gso  int
	sum  packet.Sum
}

// A sink notes what comes out of a port.
type sink struct {
	mu  sync.Mutex
	got []arrival
	// seen, if not nil, is told of every packet.
	seen chan arrival
}

func (s *sink) Receive(now event.Time, p *packet.Packet) {
	a := arrival{now, p.AppendTo(nil), p.GSO.Size, p.Sum}
	p.Release()
	s.mu.Lock()
	s.got = append(s.got, a)
	s.mu.Unlock()
	if s.seen != nil {
		s.seen <- a
	}
}

func (s *sink) arrivals() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]arrival(nil), s.got...)
}

// network is a loop that ends with the test.
func network(t testing.TB) *event.Loop {
	loop := event.New()
	t.Cleanup(loop.Close)
	return loop
}

// attach gives the sink of a port.
func attach(p link.Port) *sink {
	s := new(sink)
	p.Attach(s)
	return s
}

// raw is a packet of these bytes and no others: not even an IP packet, unless they
// are one.
func raw(b []byte) *packet.Packet {
	p := link.FromWire(packet.Of(b), false)
	return p
}

var (
	host1, host2 = wire.AddrFrom4([4]byte{10, 0, 0, 1}), wire.AddrFrom4([4]byte{10, 0, 0, 2})
	host1v6      = wire.AddrFrom16([16]byte{0: 0xfd, 15: 1})
	host2v6      = wire.AddrFrom16([16]byte{0: 0xfd, 15: 2})
	station1     = wire.MAC{2, 0, 0, 0, 0, 1}
	station2     = wire.MAC{2, 0, 0, 0, 0, 2}
	station3     = wire.MAC{2, 0, 0, 0, 0, 3}
	stations     = []wire.MAC{station1, station2, station3}
)

// A spec is a packet to be.
type spec struct {
	ethernet, v6 bool
	tag          bool // the Ethernet header has one
	extension    bool // IPv6 has hop-by-hop options
	udp          bool
	flags        wire.TCPFlags
	seq          wire.Seq
	options      wire.TCPOptions
	id           uint16
	gso          int
	slices       []int // lengths of the payload's slices
	from, to     wire.MAC
}

// payload is n bytes that differ from their neighbours.
func payload(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// build makes the packet, without a checksum.
func (s spec) build() *packet.Packet {
	n := 0
	for _, k := range s.slices {
		n += k
	}
	var b [packet.Headroom]byte
	end := 0
	if s.ethernet {
		kind := wire.ETH_P_IP
		if s.v6 {
			kind = wire.ETH_P_IPV6
		}
		end += wire.Ethernet{Dst: s.to, Src: s.from, Type: kind, Tagged: s.tag, TCI: 5}.Put(b[:])
	}
	tcp := wire.TCP{SrcPort: 1000, DstPort: 2000, Seq: s.seq, Ack: 77, Flags: s.flags, Window: 500, Options: s.options}
	tlen, protocol := tcp.Len(), wire.IPPROTO_TCP
	if s.udp {
		tlen, protocol = wire.UDPLen, wire.IPPROTO_UDP
	}
	if s.v6 {
		ip := wire.IPv6{Src: host1v6, Dst: host2v6, NextHeader: protocol, HopLimit: 64}
		if s.extension {
			ip.NextHeader = wire.IPPROTO_HOPOPTS
			end += ip.Put(b[end:], wire.RouterAlertIPv6Len+tlen+n)
			end += wire.PutRouterAlert(b[end:], protocol)
		} else {
			end += ip.Put(b[end:], tlen+n)
		}
	} else {
		ip := wire.IPv4{Src: host1, Dst: host2, Protocol: protocol, TTL: 64, ID: s.id}
		end += ip.Put(b[end:], tlen+n)
	}
	if s.udp {
		end += wire.UDP{SrcPort: 1000, DstPort: 2000}.Put(b[end:], n)
	} else {
		end += tcp.Put(b[end:])
	}
	p := packet.NewPacket()
	p.SetHeader(b[:end])
	p.GSO.Size = s.gso
	all := payload(n)
	for _, k := range s.slices {
		p.Append(packet.Of(all[:k]))
		all = all[k:]
	}
	return p
}

// datagram is an IPv4 datagram of n bytes of payload.
func datagram(n int) *packet.Packet { return spec{udp: true, slices: []int{n}}.build() }

// numbered is a datagram that carries a number.
func numbered(i, n int) *packet.Packet {
	p := datagram(n)
	b := p.Payload[0].Bytes()
	b[0], b[1], b[2], b[3] = byte(i>>24), byte(i>>16), byte(i>>8), byte(i)
	return p
}

// number is what numbered put there.
func number(a arrival) int {
	b := a.data[28:]
	return int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
}

func numbers(list []arrival) []int {
	var n []int
	for _, a := range list {
		n = append(n, number(a))
	}
	return n
}

// A parsed packet is one as a host reads it.
type parsed struct {
	id      uint16
	tcp     wire.TCP
	udp     wire.UDP
	payload []byte
	valid   bool // the checksum is right
}

// parse reads a packet strictly: lengths and header checksum must be right.
func parse(t *testing.T, b []byte, s spec) (r parsed) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v in % x", err, b[:min(len(b), 80)])
		}
	}
	if s.ethernet {
		_, rest, err := wire.ParseEthernet(b)
		must(err)
		b = rest
	}
	var src, dst wire.Addr
	whole := len(b)
	if s.v6 {
		ip, rest, err := wire.ParseIPv6(b)
		must(err)
		whole -= wire.IPv6Len
		x, rest, err := wire.WalkExtensions(ip.NextHeader, rest)
		must(err)
		src, dst, b = ip.Src, ip.Dst, rest
		whole -= x.Len
	} else {
		ip, rest, err := wire.ParseIPv4(b)
		must(err)
		src, dst, r.id, b = ip.Src, ip.Dst, ip.ID, rest
		whole -= ip.Len()
	}
	if len(b) != whole {
		t.Fatalf("the IP header's length leaves %d bytes of %d", len(b), whole)
	}
	var err error
	if s.udp {
		r.valid = wire.CheckUDP(b, src, dst) == nil && (b[6] != 0 || b[7] != 0)
		r.udp, r.payload, err = wire.ParseUDP(b)
		must(err)
		if len(r.payload) != len(b)-wire.UDPLen {
			t.Fatalf("UDP's length leaves %d bytes of %d", len(r.payload), len(b)-wire.UDPLen)
		}
		return r
	}
	r.valid = wire.PseudoSum(src, dst, wire.IPPROTO_TCP, len(b)).Add(b).Valid()
	r.tcp, r.payload, err = wire.ParseTCP(b)
	must(err)
	return r
}

func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %d bytes % x, want %d bytes % x", what, len(got), got[:min(40, len(got))], len(want), want[:min(40, len(want))])
	}
}

// A blocker holds the loop until it is freed.
type blocker struct{ blocked, free chan struct{} }

func (b blocker) Receive(_ event.Time, p *packet.Packet) {
	select {
	case b.blocked <- struct{}{}:
	case <-b.free:
	}
	<-b.free
	p.Release()
}
