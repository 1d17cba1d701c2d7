package link_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
)

// impaired is a cable with faults on the way from end a to end b.
type impaired struct {
	loop *event.Loop
	port *link.Impaired
	got  *sink // at b
	far  link.Port
}

func impair(t *testing.T, c link.Impairment) *impaired {
	t.Helper()
	loop := network(t)
	a, b := link.Cable(loop, link.CableOptions{MaxGSO: link.MaxGSO, Checksum: link.ChecksumByLink})
	p, err := link.Impair(loop, a, c)
	if err != nil {
		t.Fatal(err)
	}
	return &impaired{loop, p, attach(b), b}
}

// send sends numbered packets of 1000 bytes in all.
func (i *impaired) send(from, n int) {
	for k := range n {
		i.port.Send(numbered(from+k, 972))
	}
	i.loop.Run()
}

// counts gives the counters by name, without those that are zero.
func counts(s link.Stats) string {
	var b strings.Builder
	for f := range link.NumFates {
		if s.Packets[f] > 0 {
			fmt.Fprintf(&b, "%v %d, ", f, s.Packets[f])
		}
	}
	return strings.TrimSuffix(b.String(), ", ")
}

// times are the arrivals' times after a start, in milliseconds.
func times(list []arrival, start event.Time) (ms []float64) {
	for _, a := range list {
		ms = append(ms, float64(a.at.Sub(start))/1e6)
	}
	return ms
}

func sequence(from, n int) (s []int) {
	for i := range n {
		s = append(s, from+i)
	}
	return s
}

func TestWithoutFaultsPacketsPassUnchanged(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	i := impair(t, link.Impairment{})
	i.port.Send(spec{slices: []int{20000}, gso: 1000}.build())
	i.send(0, 10)
	got := i.got.arrivals()
	if len(got) != 11 || got[0].gso != 1000 {
		t.Fatalf("%d packets arrived", len(got))
	}
	s := i.port.Stats(link.Out)
	if c := counts(s); c != "sent 30, delivered 30" {
		t.Error(c)
	}
	if want := uint64(20*(40+1000) + 10*1000); s.Bytes[link.Sent] != want || s.Bytes[link.Delivered] != want {
		t.Errorf("%d bytes were sent and %d delivered, not %d: a large packet counts as its segments", s.Bytes[link.Sent], s.Bytes[link.Delivered], want)
	}
}

func TestDelayIsExactAndKeepsOrder(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		i := impair(t, link.Impairment{Out: link.Faults{Delay: 50 * time.Millisecond}})
		start := i.loop.Now()
		i.send(0, 3)
		time.Sleep(10 * time.Millisecond)
		i.send(3, 2)
		if s := i.port.Stats(link.Out); s.InFlight != 5 {
			t.Errorf("%d in flight", s.InFlight)
		}
		time.Sleep(time.Second)
		if got := numbers(i.got.arrivals()); !slices.Equal(got, sequence(0, 5)) {
			t.Errorf("got %v", got)
		}
		if got := times(i.got.arrivals(), start); !slices.Equal(got, []float64{50, 50, 50, 60, 60}) {
			t.Errorf("at %v ms", got)
		}
	})
}

func TestDirectionsHaveTheirOwnFaults(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		i := impair(t, link.Impairment{Out: link.Faults{Delay: time.Second}, In: link.Faults{Delay: 2 * time.Second}})
		near := attach(i.port)
		start := i.loop.Now()
		i.port.Send(datagram(4))
		i.far.Send(datagram(4))
		i.loop.Run()
		time.Sleep(time.Minute)
		if out, in := times(i.got.arrivals(), start), times(near.arrivals(), start); !slices.Equal(out, []float64{1000}) || !slices.Equal(in, []float64{2000}) {
			t.Errorf("out after %v ms, in after %v ms", out, in)
		}
	})
}

func TestJitterHasItsDistribution(t *testing.T) {
	leak.Check(t)
	const n = 10000
	for _, tt := range []struct {
		distribution link.Distribution
		deviation    float64 // of the delays, in ms
		most         float64
	}{
		{link.Uniform, 10 / math.Sqrt(3), 10},
		{link.Normal, 10, 40},
	} {
		synctest.Test(t, func(t *testing.T) {
			i := impair(t, link.Impairment{Out: link.Faults{Delay: 100 * time.Millisecond, Jitter: 10 * time.Millisecond, Distribution: tt.distribution}})
			start := i.loop.Now()
			i.send(0, n)
			time.Sleep(time.Second)
			var sum, squares float64
			for _, ms := range times(i.got.arrivals(), start) {
				sum, squares = sum+ms, squares+ms*ms
				if math.Abs(ms-100) > tt.most {
					t.Fatalf("a packet took %v ms", ms)
				}
			}
			mean := sum / n
			deviation := math.Sqrt(squares/n - mean*mean)
			if math.Abs(mean-100) > 0.3 || math.Abs(deviation-tt.deviation) > 0.2 {
				t.Errorf("distribution %d: mean %.2f ms, deviation %.2f ms, want 100 and %.2f", tt.distribution, mean, deviation, tt.deviation)
			}
			if slices.IsSorted(numbers(i.got.arrivals())) {
				t.Error("jitter did not reorder")
			}
		})
	}
}

func TestJitterKeepsOrderIfTold(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		faults := link.Faults{Delay: 10 * time.Millisecond, Jitter: 10 * time.Millisecond, KeepOrder: true}
		i := impair(t, link.Impairment{Out: faults})
		for k := range 1000 {
			i.send(k, 1)
			time.Sleep(100 * time.Microsecond)
			if k == 500 { // even a link that becomes faster
				if err := i.port.Set(link.Out, link.Faults{KeepOrder: true}); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Second)
		if !slices.Equal(numbers(i.got.arrivals()), sequence(0, 1000)) {
			t.Error("packets overtook")
		}
	})
}

func TestRateSpacesPacketsAndTheQueueIsBounded(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		name  string
		queue link.Queue
		want  []float64 // times of arrival of ten packets of 1000 bytes at 8 Mbit/s, 5 ms away
	}{
		{"by default", link.Queue{}, []float64{6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
		{"4 packets", link.Queue{Packets: 4}, []float64{6, 7, 8, 9}},
		{"3500 bytes", link.Queue{Bytes: 3500}, []float64{6, 7, 8}},
		{"4 packets and 10000 bytes", link.Queue{Packets: 4, Bytes: 10000}, []float64{6, 7, 8, 9}},
		{"2 packets with 250 bytes of overhead", link.Queue{Packets: 2, Overhead: 250}, []float64{6.25, 7.5}},
		{"less than a packet", link.Queue{Bytes: 999}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			i := impair(t, link.Impairment{Out: link.Faults{Rate: 8e6, Delay: 5 * time.Millisecond, Queue: tt.queue}})
			start := i.loop.Now()
			i.send(0, 10)
			if s := i.port.Stats(link.Out); s.Queued != len(tt.want) || s.QueuedBytes != 1000*len(tt.want) {
				t.Errorf("%s: %d packets and %d bytes in the queue", tt.name, s.Queued, s.QueuedBytes)
			}
			time.Sleep(time.Second)
			if got := times(i.got.arrivals(), start); !slices.Equal(got, tt.want) {
				t.Errorf("%s: at %v ms, want %v", tt.name, got, tt.want)
			}
			s := i.port.Stats(link.Out)
			if over := s.Packets[link.Overflowed]; int(over) != 10-len(tt.want) || s.Queued != 0 || s.QueuedBytes != 0 {
				t.Errorf("%s: %s, %d queued", tt.name, counts(s), s.Queued)
			}
		})
	}
}

func TestTheQueueDrainsWhilePacketsCome(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		i := impair(t, link.Impairment{Out: link.Faults{Rate: 8e6, Queue: link.Queue{Packets: 5}}})
		for k := range 3000 { // one each 0.9 ms, which is a tenth more than leave
			i.send(k, 1)
			time.Sleep(900 * time.Microsecond)
		}
		time.Sleep(time.Second)
		s := i.port.Stats(link.Out)
		if d := s.Packets[link.Delivered]; d < 2700 || d > 2706 || s.Packets[link.Overflowed] != 3000-d {
			t.Error(counts(s))
		}
		if !slices.IsSorted(numbers(i.got.arrivals())) {
			t.Error("the queue is not in order")
		}
	})
}

func TestANewRateHoldsForWhatWaits(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		i := impair(t, link.Impairment{Out: link.Faults{Rate: 8e6}}) // 1 ms for a packet
		start := i.loop.Now()
		i.send(0, 6)
		time.Sleep(1500 * time.Microsecond)
		set := func(rate int64) {
			if err := i.port.Set(link.Out, link.Faults{Rate: rate}); err != nil {
				t.Error(err)
			}
		}
		set(80e6) // half of the second packet is left: 0.05 ms
		time.Sleep(100 * time.Microsecond)
		set(800e3) // half of the third packet is left: 5 ms
		time.Sleep(10 * time.Millisecond)
		set(0)
		time.Sleep(time.Second)
		if got := times(i.got.arrivals(), start); !slices.Equal(got, []float64{1, 1.55, 6.6, 11.6, 11.6, 11.6}) {
			t.Errorf("at %v ms", got)
		}
	})
}

func TestLossHasItsProbability(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	i := impair(t, link.Impairment{Out: link.Faults{Loss: 0.03}})
	i.send(0, 20000)
	s := i.port.Stats(link.Out)
	if lost := s.Packets[link.Lost]; lost < 500 || lost > 700 || int(lost) != 20000-len(i.got.arrivals()) {
		t.Error(counts(s))
	}
}

func TestBurstsHaveTheirLength(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	i := impair(t, link.Impairment{Out: link.Faults{Burst: link.Burst{GoodToBad: 0.01, BadToGood: 0.25, LossBad: 1}}})
	i.send(0, 20000)
	bursts, lost, last := 0, 0, -1
	for _, n := range numbers(i.got.arrivals()) {
		if n != last+1 {
			bursts, lost = bursts+1, lost+n-last-1
		}
		last = n
	}
	// A burst lasts 1/BadToGood packets, and there is one in 1/GoodToBad + 1/BadToGood.
	if mean := float64(lost) / float64(bursts); math.Abs(mean-4) > 0.8 || bursts < 150 || bursts > 235 {
		t.Errorf("%d bursts of %.2f packets", bursts, mean)
	}
	if s := i.port.Stats(link.Out); s.Packets[link.BurstLost]+s.Packets[link.Delivered] != 20000 {
		t.Error(counts(s))
	}
}

func TestDuplicatesFollowTheirOriginals(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	i := impair(t, link.Impairment{Out: link.Faults{Duplicate: 1}})
	i.send(0, 3)
	if got := numbers(i.got.arrivals()); !slices.Equal(got, []int{0, 0, 1, 1, 2, 2}) {
		t.Errorf("got %v", got)
	}
	if c := counts(i.port.Stats(link.Out)); c != "sent 3, delivered 6, duplicated 3" {
		t.Error(c)
	}
}

func TestReorderLetsEveryGapthPacketOvertake(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		i := impair(t, link.Impairment{Out: link.Faults{Delay: 10 * time.Millisecond, Reorder: link.Reorder{Probability: 1, Gap: 3}}})
		i.send(0, 9)
		time.Sleep(time.Second)
		if got := numbers(i.got.arrivals()); !slices.Equal(got, []int{2, 5, 8, 0, 1, 3, 4, 6, 7}) {
			t.Errorf("got %v", got)
		}
		if c := counts(i.port.Stats(link.Out)); c != "sent 9, delivered 9, reordered 3" {
			t.Error(c)
		}
	})
}

func TestCorruptionFlipsOneBitThatTheChecksumsShow(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	i := impair(t, link.Impairment{Seed: 5, Out: link.Faults{Corrupt: 1}})
	s := spec{slices: []int{50, 50}}
	p := s.build()
	whole := p.Clone()
	link.FillChecksum(whole, false)
	want := whole.AppendTo(nil)
	for range 2000 {
		i.port.Send(p.Clone())
	}
	i.loop.Run()
	places := map[int]bool{}
	for _, a := range i.got.arrivals() {
		flips := 0
		for k := range a.data {
			if d := a.data[k] ^ want[k]; d != 0 {
				flips++
				places[k] = true
				if d&(d-1) != 0 {
					t.Fatalf("byte %d: %08b", k, d)
				}
			}
		}
		// A length that grew keeps its bytes, and one that shrank loses what is behind it.
		if flips != 1 || a.sum != packet.SumUnknown {
			t.Fatalf("%d bits were flipped, checksum marked %d", flips, a.sum)
		}
	}
	if len(places) != len(want) {
		t.Errorf("%d bytes of %d were hit", len(places), len(want))
	}
	equal(t, "the original", p.AppendTo(nil)[40:], want[40:])
}

func TestPartitionStopsWhatIsSentAndWhatWouldArrive(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		delay := link.Faults{Delay: 10 * time.Millisecond}
		i := impair(t, link.Impairment{Out: delay, In: delay})
		near := attach(i.port)
		parted := delay
		parted.Partition = true
		i.send(0, 1) // arrives during the partition
		time.Sleep(5 * time.Millisecond)
		if err := i.port.Set(link.Out, parted); err != nil {
			t.Fatal(err)
		}
		i.far.Send(numbered(9, 10)) // the other way is open
		i.send(1, 1)                // sent during it
		time.Sleep(20 * time.Millisecond)
		if err := i.port.Set(link.Out, delay); err != nil {
			t.Fatal(err)
		}
		i.send(2, 1)
		time.Sleep(time.Second)
		if got := numbers(i.got.arrivals()); !slices.Equal(got, []int{2}) {
			t.Errorf("arrived: %v", got)
		}
		if got := numbers(near.arrivals()); !slices.Equal(got, []int{9}) {
			t.Errorf("the other way: %v", got)
		}
		if c := counts(i.port.Stats(link.Out)); c != "sent 3, delivered 1, partitioned 2" {
			t.Error(c)
		}
	})
}

func TestEachSegmentOfALargePacketHasItsOwnFate(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	i := impair(t, link.Impairment{Seed: 3, Out: link.Faults{Loss: 0.5}})
	for range 100 {
		i.port.Send(spec{slices: []int{10000}, gso: 1000}.build())
	}
	i.loop.Run()
	s := i.port.Stats(link.Out)
	if lost := s.Packets[link.Lost]; s.Packets[link.Sent] != 1000 || lost < 430 || lost > 570 || int(lost) != 1000-len(i.got.arrivals()) {
		t.Error(counts(s))
	}
	for f, n := range s.Packets {
		if s.Bytes[f] != n*(40+1000) {
			t.Errorf("%d packets were %v, with %d bytes", n, link.Fate(f), s.Bytes[f])
		}
	}
	for _, a := range i.got.arrivals() {
		if a.gso != 0 || len(parse(t, a.data, spec{}).payload) != 1000 {
			t.Fatalf("a packet of %d bytes arrived, GSO size %d", len(a.data), a.gso)
		}
	}
}

// everything is a link with all faults at once.
var everything = link.Faults{
	Loss: 0.05, Burst: link.Burst{GoodToBad: 0.02, BadToGood: 0.3, LossGood: 0.01, LossBad: 0.7},
	Duplicate: 0.05, Corrupt: 0.05, Reorder: link.Reorder{Probability: 0.1, Gap: 4},
	Rate: 8e6, Queue: link.Queue{Packets: 5}, Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond, Distribution: link.Normal,
}

// stormy sends packets through everything, and gives what happened as text.
func stormy(t *testing.T, seed uint64) (story string) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		i := impair(t, link.Impairment{Seed: seed, Out: everything, Observe: func(now event.Time, d link.Direction, f link.Fate, p *packet.Packet) {
			fmt.Fprintf(&b, "%d %v %v %x\n", now, d, f, p.AppendTo(nil)[:32])
		}})
		send := rand.New(rand.NewPCG(1, 1))
		for k := range 2000 {
			i.send(k, 1)
			time.Sleep(time.Duration(send.IntN(int(2 * time.Millisecond))))
		}
		time.Sleep(time.Second)
		s := i.port.Stats(link.Out)
		n := s.Packets
		if n[link.Sent]+n[link.Duplicated] != n[link.Delivered]+n[link.Lost]+n[link.BurstLost]+n[link.Overflowed] || s.InFlight+s.Queued != 0 {
			t.Errorf("the counters do not add up: %s", counts(s))
		}
		for f := range link.NumFates {
			if n[f] == 0 && f != link.Partitioned {
				t.Errorf("no packet was %v", f)
			}
		}
		if d := len(i.got.arrivals()); d != int(n[link.Delivered]) {
			t.Errorf("%d arrived, %d counted", d, n[link.Delivered])
		}
		story = b.String()
	})
	return story
}

func TestTheSameSeedHasTheSameStory(t *testing.T) {
	leak.Check(t)
	first := stormy(t, 42)
	for range 5 {
		if stormy(t, 42) != first {
			t.Fatal("two runs differ")
		}
	}
	if stormy(t, 43) == first {
		t.Error("another seed has the same story")
	}
}

func TestFatesDoNotDependOnTheRate(t *testing.T) {
	leak.Check(t)
	lost := func(rate int64) (n []int) {
		synctest.Test(t, func(t *testing.T) {
			i := impair(t, link.Impairment{Seed: 1, Out: link.Faults{Loss: 0.2, Rate: rate, Delay: 1e6, Jitter: 1e6, KeepOrder: true}})
			i.send(0, 500)
			time.Sleep(time.Hour)
			n = numbers(i.got.arrivals())
		})
		return n
	}
	if slow, fast := lost(1e5), lost(1e9); !slices.Equal(slow, fast) {
		t.Error("other packets were lost at another rate")
	}
}

func TestImpairRefusesWhatCannotBe(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	for _, tt := range []struct {
		faults link.Faults
		want   string
	}{
		{link.Faults{Loss: 1.5}, "link: Loss is 1.5: a probability is from 0 to 1"},
		{link.Faults{Corrupt: math.NaN()}, "link: Corrupt is NaN: a probability is from 0 to 1"},
		{link.Faults{Burst: link.Burst{LossBad: -1}}, "link: Burst.LossBad is -1: a probability is from 0 to 1"},
		{link.Faults{Delay: -1}, "link: Delay is -1: it cannot be below 0"},
		{link.Faults{Rate: -8}, "link: Rate is -8: it cannot be below 0"},
		{link.Faults{Reorder: link.Reorder{Probability: 0.5}}, "link: Reorder without a Delay: there is nothing to overtake"},
		{link.Faults{Delay: 1, Reorder: link.Reorder{Gap: 5}}, "link: Reorder.Gap is 5 and its Probability 0: no packet would overtake"},
		{link.Faults{Distribution: 2}, "link: Distribution is 2: it is Uniform or Normal"},
	} {
		i := impair(t, link.Impairment{Out: link.Faults{Loss: 1}})
		if err := i.port.Set(link.Out, tt.faults); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
		if f := i.port.Faults(link.Out); f != (link.Faults{Loss: 1}) {
			t.Errorf("after a Set that failed the faults are %+v", f)
		}
	}
}

func TestAClosedImpairmentDropsWhatIsOnItsWay(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		i := impair(t, link.Impairment{Out: link.Faults{Rate: 8e6, Delay: 2 * time.Millisecond}})
		i.send(0, 10)
		time.Sleep(3500 * time.Microsecond)
		if err := i.port.Close(); err != nil {
			t.Fatal(err)
		}
		i.send(10, 10)
		time.Sleep(time.Second)
		if got := numbers(i.got.arrivals()); !slices.Equal(got, []int{0}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestFaultsMayChangeWhileManySend(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		i := impair(t, link.Impairment{Out: everything, In: everything})
		near := attach(i.port)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for k := range 500 {
					i.send(g*500+k, 1)
					i.far.Send(datagram(100))
					i.loop.Run()
					time.Sleep(time.Millisecond)
				}
			})
		}
		wg.Go(func() {
			parted := everything
			parted.Partition = true
			for k := range 500 {
				for _, d := range []link.Direction{link.Out, link.In} {
					if err := i.port.Set(d, []link.Faults{everything, parted, {}}[k%3]); err != nil {
						t.Error(err)
					}
				}
				time.Sleep(time.Millisecond)
			}
		})
		wg.Wait()
		time.Sleep(time.Minute)
		for d, got := range map[link.Direction]*sink{link.Out: i.got, link.In: near} {
			s := i.port.Stats(d)
			n := s.Packets
			ended := n[link.Delivered] + n[link.Lost] + n[link.BurstLost] + n[link.Overflowed] + n[link.Partitioned]
			if n[link.Sent] != 2000 || n[link.Sent]+n[link.Duplicated] != ended || s.Queued+s.InFlight+s.QueuedBytes != 0 {
				t.Errorf("%v: %s; %d queued, %d in flight", d, counts(s), s.Queued, s.InFlight)
			}
			if len(got.arrivals()) != int(n[link.Delivered]) {
				t.Errorf("%v: %d arrived, %d counted", d, len(got.arrivals()), n[link.Delivered])
			}
		}
	})
}

func TestClosingAnImpairedLinkLeavesNothingScheduled(t *testing.T) {
	leak.Check(t)
	loop := network(t)
	a, b := link.Cable(loop, link.CableOptions{})
	got := attach(b)
	slow, err := link.Impair(loop, a, link.Impairment{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []link.Faults{{Delay: time.Hour}, {Delay: time.Hour, Rate: 1}} {
		if err := slow.Set(link.Out, f); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			slow.Send(datagram(1000))
		}
	}
	if s := slow.Stats(link.Out); s.InFlight != 5 || s.Queued != 5 {
		t.Errorf("of 10 packets %d are in flight and %d wait", s.InFlight, s.Queued)
	}
	slow.Close()
	if at, some := loop.Next(); some {
		t.Errorf("something is scheduled in %v", at.Sub(loop.Now()))
	}
	if s := slow.Stats(link.Out); s.InFlight != 0 || s.Queued != 0 || s.QueuedBytes != 0 || len(got.arrivals()) != 0 {
		t.Errorf("still counted: %+v", s)
	}
}
