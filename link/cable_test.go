package link_test

import (
	"slices"
	"sync"
	"testing"

	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/wire"
)

func TestLoopbackGivesBackWhatIsSent(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	loop := network(t)
	lo := link.Loopback(loop)
	got := attach(lo)
	sent := spec{slices: []int{60000}, gso: 32000}.build()
	want := sent.AppendTo(nil)
	lo.Send(sent)
	if len(got.arrivals()) != 0 {
		t.Fatal("Send delivered: that is for the loop")
	}
	loop.Run()
	a := got.arrivals()
	if len(a) != 1 || a[0].gso != 32000 || a[0].sum != packet.SumPartial {
		t.Fatalf("got %d packets, want the large one as it was sent", len(a))
	}
	equal(t, "loopback", a[0].data, want)
	if pr := lo.Properties(); pr.MTU != 65536 || !pr.Loopback || pr.Ethernet {
		t.Errorf("properties %+v", pr)
	}
}

func TestCableCarriesBothWaysInOrder(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	loop := network(t)
	a, b := link.Cable(loop, link.CableOptions{})
	atA, atB := attach(a), attach(b)
	for i := range 100 {
		a.Send(numbered(i, 100))
		b.Send(numbered(i+1000, 100))
	}
	loop.Run()
	for i := range 100 {
		if n := number(atB.arrivals()[i]); n != i {
			t.Fatalf("packet %d at b is %d", i, n)
		}
		if n := number(atA.arrivals()[i]); n != i+1000 {
			t.Fatalf("packet %d at a is %d", i, n)
		}
	}
}

// A ponger answers every packet until it has had enough.
type ponger struct {
	port link.Port
	left int
}

func (g *ponger) Receive(now event.Time, p *packet.Packet) {
	if g.left--; g.left < 0 {
		p.Release()
		return
	}
	g.port.Send(p)
}

func TestAnAnswerToEveryAnswerDoesNotRecurse(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	loop := network(t)
	a, b := link.Cable(loop, link.CableOptions{})
	left, right := &ponger{a, 1e5}, &ponger{b, 1e5}
	a.Attach(left)
	b.Attach(right)
	a.Send(datagram(10))
	loop.Run() // would exhaust the stack
	if left.left+right.left != -1 {
		t.Errorf("%d and %d packets are left", left.left, right.left)
	}
}

func TestCableTakesWhatItsOptionsSay(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	large := spec{slices: []int{5000}, gso: 1460, flags: wire.ACK}
	for _, tt := range []struct {
		name    string
		options link.CableOptions
		send    spec
		want    []int // lengths of the packets that come out
		gso     int
		sum     packet.Sum
	}{
		{"a packet of the MTU", link.CableOptions{}, spec{slices: []int{1460}, flags: wire.ACK}, []int{1500}, 0, packet.SumUnknown},
		{"a longer one", link.CableOptions{}, spec{slices: []int{1461}, flags: wire.ACK}, nil, 0, 0},
		{"a frame of the MTU", link.CableOptions{Ethernet: true}, spec{ethernet: true, slices: []int{1460}}, []int{1514}, 0, packet.SumUnknown},
		{"a longer frame", link.CableOptions{Ethernet: true}, spec{ethernet: true, slices: []int{1461}}, nil, 0, 0},
		{"jumbo frames", link.CableOptions{MTU: 9000}, spec{slices: []int{8000}}, []int{8040}, 0, packet.SumUnknown},
		{"a large packet, cut", link.CableOptions{}, large, []int{1500, 1500, 1500, 660}, 0, packet.SumUnknown},
		{"a large packet, whole", link.CableOptions{MaxGSO: 65000, Checksum: link.ChecksumByLink}, large, []int{5040}, 1460, packet.SumPartial},
		{"one larger than allowed", link.CableOptions{MaxGSO: 4999, Checksum: link.ChecksumByLink}, large, []int{1500, 1500, 1500, 660}, 0, packet.SumPartial},
		{"segments above the MTU", link.CableOptions{MTU: 1400, MaxGSO: 65000}, large, nil, 0, 0},
		{"no checksum needed", link.CableOptions{Checksum: link.ChecksumByLink}, spec{slices: []int{1}}, []int{41}, 0, packet.SumPartial},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			loop := network(t)
			a, b := link.Cable(loop, tt.options)
			got := attach(b)
			a.Send(tt.send.build())
			loop.Run()
			var lengths []int
			for _, p := range got.arrivals() {
				lengths = append(lengths, len(p.data))
				if p.gso != tt.gso || p.sum != tt.sum {
					t.Errorf("GSO size %d, checksum %d; want %d, %d", p.gso, p.sum, tt.gso, tt.sum)
				}
				if tt.sum == packet.SumUnknown && !parse(t, p.data, tt.send).valid {
					t.Error("the checksum is wrong")
				}
			}
			if !slices.Equal(lengths, tt.want) {
				t.Errorf("lengths %v, want %v", lengths, tt.want)
			}
		})
	}
}

func TestAnUnpluggedEndNeitherTakesNorGives(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	loop := network(t)
	a, b := link.Cable(loop, link.CableOptions{})
	atA, atB := attach(a), attach(b)
	b.Send(datagram(1)) // on its way when a is unplugged
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a.Send(datagram(1))
	loop.Run()
	if n := len(atA.arrivals()) + len(atB.arrivals()); n != 0 {
		t.Errorf("%d packets arrived", n)
	}
}

func TestPatchJoinsTwoLinks(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	loop := network(t)
	a, b := link.Cable(loop, link.CableOptions{})
	c, d := link.Cable(loop, link.CableOptions{})
	link.Patch(b, c)
	atA, atD := attach(a), attach(d)
	a.Send(numbered(1, 10))
	d.Send(numbered(2, 10))
	loop.Run()
	if !slices.Equal(numbers(atA.arrivals()), []int{2}) || !slices.Equal(numbers(atD.arrivals()), []int{1}) {
		t.Errorf("a has %v, d has %v", numbers(atA.arrivals()), numbers(atD.arrivals()))
	}
}

func TestManySendersKeepTheirOrder(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	loop := network(t)
	a, b := link.Cable(loop, link.CableOptions{})
	got := attach(b)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				a.Send(numbered(g*1000+i, 10))
				loop.Run()
			}
		})
	}
	wg.Wait()
	loop.Close() // waits for who is delivering
	next := [4]int{}
	for _, n := range numbers(got.arrivals()) {
		if n%1000 != next[n/1000] {
			t.Fatalf("sender %d: packet %d came when %d was due", n/1000, n%1000, next[n/1000])
		}
		next[n/1000]++
	}
	if next != [4]int{1000, 1000, 1000, 1000} {
		t.Errorf("arrived: %v", next)
	}
}
