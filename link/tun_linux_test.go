package link_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/wire"
)

// A pair is the addresses of the kernel and of the test at the two ends of a device.
type pair struct{ kernel, ours netip.Addr }

var pairs = []pair{
	{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")},
	{netip.MustParseAddr("fd09::1"), netip.MustParseAddr("fd09::2")},
}

// namespace takes the test into a network namespace of its own, which ends with
// the test's thread.
func namespace(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("unshare(CLONE_NEWNET): %v: this test makes a network namespace, for which it needs root", err)
	}
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// A peer is what the kernel sees behind the device: it answers echo requests and
// takes connections, and gives the rest to the test.
type peer struct {
	dev  *link.TUN
	loop *event.Loop
	seen chan arrival // datagrams, segments with payload, and echo replies
	syn  chan wire.TCP
	acks atomic.Bool // whether it acknowledges data
}

// isn is the initial sequence number of the peer's connections.
const isn = 5000

// connect gives a device that is up, in a namespace of the test's own, and a
// peer behind it.
func connect(t testing.TB) *peer {
	t.Helper()
	namespace(t)
	loop := network(t)
	dev, err := link.OpenTUN(loop, link.TUNOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	run(t, "ip", "addr", "add", pairs[0].kernel.String()+"/24", "dev", dev.Name())
	run(t, "ip", "addr", "add", pairs[1].kernel.String()+"/64", "dev", dev.Name(), "nodad")
	run(t, "ip", "link", "set", dev.Name(), "up")
	p := &peer{dev: dev, loop: loop, seen: make(chan arrival, 1000), syn: make(chan wire.TCP, 1)}
	dev.Attach(p)
	// The kernel routes to its new IPv6 address a moment later: ping until an answer arrives.
	run(t, "ping", "-c", "1", "-i", "0.01", "-w", "10", pairs[1].ours.String())
	return p
}

// send sends transport bytes to the kernel, with their checksum left to the link.
func (p *peer) send(to pair, protocol wire.Protocol, header, payload []byte, gso int) {
	var b [packet.Headroom]byte
	src, dst := wire.AddrFromNetip(to.ours), wire.AddrFromNetip(to.kernel)
	n := len(header) + len(payload)
	var hlen int
	if to.kernel.Is4() {
		ip := wire.IPv4{Src: src, Dst: dst, Protocol: protocol, TTL: 64, DF: true}
		hlen = ip.Put(b[:], n)
	} else {
		ip := wire.IPv6{Src: src, Dst: dst, NextHeader: protocol, HopLimit: 64}
		hlen = ip.Put(b[:], n)
	}
	q := packet.NewPacket()
	q.SetHeader(append(b[:hlen], header...))
	q.GSO.Size = gso
	for half := range 2 { // in two slices
		if part := payload[half*len(payload)/2 : (half+1)*len(payload)/2]; len(part) > 0 {
			q.Append(packet.Of(part))
		}
	}
	p.dev.Send(q)
	p.loop.Run()
}

func (p *peer) sendTCP(to pair, h wire.TCP, payload []byte, gso int) {
	b := make([]byte, h.Len())
	h.Put(b)
	p.send(to, wire.IPPROTO_TCP, b, payload, gso)
}

// Receive implements link.Receiver.
func (p *peer) Receive(now event.Time, q *packet.Packet) {
	a := arrival{now, q.AppendTo(nil), q.GSO.Size, q.Sum}
	q.Release()
	var from pair
	var protocol wire.Protocol
	var b []byte
	if wire.Version(a.data) == 4 {
		ip, rest, err := wire.ParseIPv4(a.data)
		if err != nil {
			panic(err)
		}
		from, protocol, b = pairs[0], ip.Protocol, rest
	} else {
		ip, rest, err := wire.ParseIPv6(a.data)
		if err != nil {
			panic(err)
		}
		if ip.Dst.IsMulticast() {
			return // the kernel looks for routers and listeners
		}
		from, protocol, b = pairs[1], ip.NextHeader, rest
	}
	switch protocol {
	case wire.IPPROTO_ICMP, wire.IPPROTO_ICMPV6:
		answers := map[byte]byte{8: 0, 128: 129} // echo request and reply
		if reply, ok := answers[b[0]]; ok {
			h := append([]byte{reply}, b[1:8]...)
			p.send(from, protocol, h, b[8:], 0)
			return
		}
	case wire.IPPROTO_TCP:
		h, data, err := wire.ParseTCP(b)
		if err != nil {
			panic(err)
		}
		answer := wire.TCP{SrcPort: h.DstPort, DstPort: h.SrcPort, Seq: isn, Flags: wire.ACK, Window: 65535}
		if h.Flags&wire.SYN != 0 {
			answer.Flags, answer.Ack = wire.SYN|wire.ACK, h.Seq+1
			answer.Options.Set, answer.Options.MSS = wire.OptMSS, 1400
			p.sendTCP(from, answer, nil, 0)
			p.syn <- h
			return
		}
		if len(data) == 0 {
			return
		}
		if p.acks.Load() {
			answer.Seq, answer.Ack = isn+1, h.Seq.Add(len(data))
			p.sendTCP(from, answer, nil, 0)
		}
	}
	p.seen <- a
}

func TestTheKernelsPingIsAnsweredThroughTUN(t *testing.T) {
	leak.Check(t)
	connect(t)
	for _, to := range pairs {
		run(t, "ping", "-c", "3", "-i", "0.01", "-s", "1400", to.ours.String())
	}
}

func TestTheKernelAnswersPingThroughTUN(t *testing.T) {
	leak.Check(t)
	p := connect(t)
	data := payload(1000)
	p.send(pairs[0], wire.IPPROTO_ICMP, []byte{8, 0, 0, 0, 0, 1, 0, 1}, data, 0)
	if _, rest, err := wire.ParseIPv4((<-p.seen).data); err != nil || rest[0] != 0 || !wire.Sum(0).Add(rest).Valid() || !bytes.Equal(rest[8:], data) {
		t.Errorf("the answer is % x, %v", rest[:8], err)
	}
	p.send(pairs[1], wire.IPPROTO_ICMPV6, []byte{128, 0, 0, 0, 0, 1, 0, 1}, data, 0)
	if _, rest, err := wire.ParseIPv6((<-p.seen).data); err != nil || rest[0] != 129 || !bytes.Equal(rest[8:], data) {
		t.Errorf("the answer is % x, %v", rest[:8], err)
	}
}

func TestDatagramsGoBothWaysThroughTUN(t *testing.T) {
	leak.Check(t)
	p := connect(t)
	for _, to := range pairs {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.kernel, 2000)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		buf := make([]byte, 2000)
		s := spec{udp: true, v6: to.kernel.Is6()}
		for _, n := range []int{0, 1, 8, 999, 1452} {
			h := make([]byte, wire.UDPLen)
			wire.UDP{SrcPort: 1000, DstPort: 2000}.Put(h, n)
			p.send(to, wire.IPPROTO_UDP, h, payload(n), 0)
			got, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil || from.Addr().Unmap() != to.ours {
				t.Fatalf("from %v: %v", from, err)
			}
			equal(t, "at the kernel", buf[:got], payload(n))
			if _, err := c.WriteToUDPAddrPort(buf[:got], from); err != nil {
				t.Fatal(err)
			}
			a := <-p.seen
			r := parse(t, a.data, s)
			equal(t, "back", r.payload, payload(n))
			if a.sum == packet.SumUnknown && !r.valid {
				t.Error("a checksum to be checked is wrong")
			}
		}
	}
}

func TestTheKernelsLargeSegmentsComeWhole(t *testing.T) {
	leak.Check(t)
	p := connect(t)
	p.acks.Store(true)
	for _, to := range pairs {
		c, err := net.Dial("tcp", netip.AddrPortFrom(to.ours, 80).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		first := (<-p.syn).Seq + 1
		data := payload(60000)
		if _, err := c.Write(data); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 0, len(data))
		large := 0
		for len(got) < len(data) {
			a := <-p.seen
			r := parse(t, a.data, spec{v6: to.kernel.Is6()})
			at := r.tcp.Seq.Diff(first)
			if at != len(got) {
				t.Fatalf("a segment at %d, want %d", at, len(got))
			}
			got = append(got, r.payload...)
			switch {
			case a.gso != 0:
				large++
				if a.gso != 1400 || len(r.payload) <= a.gso || a.sum != packet.SumPartial {
					t.Errorf("%d bytes with GSO size %d, checksum marked %d", len(r.payload), a.gso, a.sum)
				}
			case len(r.payload) > 1400:
				t.Errorf("%d bytes without a GSO size", len(r.payload))
			}
		}
		equal(t, "data", got, data)
		if large == 0 {
			t.Error("no large segment came")
		}
	}
}

// received is the packets that the kernel counts on the device.
func received(t *testing.T, device string) (n int) {
	t.Helper()
	b, err := os.ReadFile("/proc/thread-self/net/dev")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(b), device+":")
	var bytes int
	if _, err := fmt.Sscan(line, &bytes, &n); err != nil {
		t.Fatalf("no counters of %s in %s", device, b)
	}
	return n
}

func TestTheKernelTakesLargeSegmentsWhole(t *testing.T) {
	leak.Check(t)
	p := connect(t)
	for _, to := range pairs {
		c, err := net.Dial("tcp", netip.AddrPortFrom(to.ours, 80).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		syn := <-p.syn
		before := received(t, p.dev.Name())
		data := payload(20000)
		h := wire.TCP{SrcPort: 80, DstPort: syn.SrcPort, Seq: isn + 1, Ack: syn.Seq + 1, Flags: wire.ACK | wire.PSH, Window: 65535}
		p.sendTCP(to, h, data, 1400)
		got := make([]byte, len(data))
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
		equal(t, "data", got, data)
		if n := received(t, p.dev.Name()) - before; n != 1 {
			t.Errorf("the kernel received %d packets", n)
		}
	}
	if d := p.dev.Dropped(); d != 0 {
		t.Errorf("%d packets were dropped", d)
	}
}

func TestLargeDatagramsGoBothWaysWhole(t *testing.T) {
	leak.Check(t)
	p := connect(t)
	for _, to := range pairs {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.kernel, 2000)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		data := payload(2500)
		h := make([]byte, wire.UDPLen)
		wire.UDP{SrcPort: 1000, DstPort: 2000}.Put(h, len(data))
		p.send(to, wire.IPPROTO_UDP, h, data, 1000)
		buf := make([]byte, 2000)
		var from netip.AddrPort
		for _, want := range [][]byte{data[:1000], data[1000:2000], data[2000:]} {
			var n int
			if n, from, err = c.ReadFromUDPAddrPort(buf); err != nil {
				t.Fatal(err)
			}
			equal(t, "datagram", buf[:n], want)
		}
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, 1000) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.WriteToUDPAddrPort(data, from); err != nil {
			t.Fatal(err)
		}
		a := <-p.seen
		r := parse(t, a.data, spec{udp: true, v6: to.kernel.Is6()})
		equal(t, "large datagram", r.payload, data)
		if a.gso != 1000 || a.sum != packet.SumPartial {
			t.Errorf("GSO size %d, checksum marked %d (TUN has large datagrams since Linux 6.2)", a.gso, a.sum)
		}
	}
}

func TestTUNHasTheDevicesProperties(t *testing.T) {
	leak.Check(t)
	namespace(t)
	loop := network(t)
	dev, err := link.OpenTUN(loop, link.TUNOptions{Name: "water%d", MTU: 9000})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	i, err := net.InterfaceByName("water0")
	if err != nil || i.MTU != 9000 {
		t.Fatalf("%+v, %v", i, err)
	}
	if pr := dev.Properties(); dev.Name() != "water0" || pr.MTU != 9000 || pr.Ethernet || pr.MaxGSO == 0 {
		t.Errorf("%s: %+v", dev.Name(), pr)
	}
	dev.Send(datagram(1)) // it is not up
	dev.Send(datagram(9000))
	dev.Send(spec{slices: []int{20000}, gso: 8961}.build())
	loop.Run()
	if dev.Dropped() != 1+1+3 {
		t.Errorf("%d packets were dropped", dev.Dropped())
	}
}

func TestTUNEndsAtClose(t *testing.T) {
	leak.Check(t)
	namespace(t)
	loop := network(t)
	for range 3 {
		dev, err := link.OpenTUN(loop, link.TUNOptions{Name: "again"})
		if err != nil {
			t.Fatal(err)
		}
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
		<-dev.Done()
		if err := dev.Err(); err != nil {
			t.Error(err)
		}
		dev.Send(datagram(1))
		loop.Run()
		if dev.Dropped() != 1 {
			t.Errorf("%d packets were dropped after Close", dev.Dropped())
		}
	}
}

func TestTUNEndsWithItsDevice(t *testing.T) {
	leak.Check(t)
	p := connect(t)
	run(t, "ip", "link", "del", p.dev.Name())
	<-p.dev.Done()
	if err := p.dev.Err(); err == nil || !strings.HasPrefix(err.Error(), "link: reading from TUN device tun0: ") {
		t.Errorf("it ended with %v", err)
	}
}

func TestTUNSaysWhatIsWrong(t *testing.T) {
	leak.Check(t)
	namespace(t)
	loop := network(t)
	held, err := link.OpenTUN(loop, link.TUNOptions{Name: "held"})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	for _, tt := range []struct {
		options link.TUNOptions
		want    string
	}{
		{link.TUNOptions{Name: "a-name-of-16-byt"}, `link: "a-name-of-16-byt" is no name for a TUN device: it has 1 to 15 bytes`},
		{link.TUNOptions{Name: "held"}, "link: TUNSETIFF held: device or resource busy"},
		{link.TUNOptions{Name: "lo"}, "link: TUNSETIFF lo: invalid argument"},
		{link.TUNOptions{MTU: 10}, "link: MTU 10 for tun0: invalid argument"},
	} {
		if _, err := link.OpenTUN(loop, tt.options); err == nil || err.Error() != tt.want {
			t.Errorf("%+v: %v, want %s", tt.options, err, tt.want)
		}
	}
}

func TestLargeDatagramsAreCutForAnOldKernel(t *testing.T) {
	leak.Check(t)
	p := connect(t)
	p.dev.WithoutUSO()
	to := pairs[0]
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.kernel, 2000)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	before := received(t, p.dev.Name())
	data := payload(2500)
	h := make([]byte, wire.UDPLen)
	wire.UDP{SrcPort: 1000, DstPort: 2000}.Put(h, len(data))
	p.send(to, wire.IPPROTO_UDP, h, data, 1000)
	buf := make([]byte, 2000)
	for _, want := range [][]byte{data[:1000], data[1000:2000], data[2000:]} {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "datagram", buf[:n], want)
	}
	if n := received(t, p.dev.Name()) - before; n != 3 {
		t.Errorf("the kernel received %d packets", n)
	}
}
