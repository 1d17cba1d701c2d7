package link_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/wire"
)

// A bench of a switch with its ports and what arrived at them.
type switched struct {
	loop  *event.Loop
	sw    *link.Switch
	ports []link.Port
	sinks []*sink
}

func newSwitched(t *testing.T, ports int, o link.SwitchOptions) *switched {
	s := &switched{loop: network(t)}
	s.sw = link.NewSwitch(s.loop, o)
	for range ports {
		p := s.sw.Port([6]byte{})
		s.ports, s.sinks = append(s.ports, p), append(s.sinks, attach(p))
	}
	return s
}

// send sends a frame into a port and gives the ports that it came out of.
func (s *switched) send(port int, from, to wire.MAC) (out []int) {
	before := make([]int, len(s.sinks))
	for i, k := range s.sinks {
		before[i] = len(k.arrivals())
	}
	s.ports[port].Send(spec{ethernet: true, from: from, to: to, slices: []int{10}}.build())
	s.loop.Run()
	for i, k := range s.sinks {
		for range len(k.arrivals()) - before[i] {
			out = append(out, i)
		}
	}
	return out
}

func TestSwitchLearnsWhereStationsAre(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	s := newSwitched(t, 4, link.SwitchOptions{})
	for i, tt := range []struct {
		port     int
		from, to wire.MAC
		want     []int
	}{
		{0, station1, station2, []int{1, 2, 3}}, // not known yet
		{1, station2, station1, []int{0}},
		{0, station1, station2, []int{1}},
		{0, station1, wire.BroadcastMAC, []int{1, 2, 3}},
		{1, station2, wire.MAC{0x33, 0x33, 0, 0, 0, 1}, []int{0, 2, 3}},
		{1, station2, wire.MAC{1, 0x80, 0xc2, 0, 0, 0}, nil}, // spanning tree
		{0, station3, station1, nil},                         // on the same port as the sender
		{2, station2, station1, []int{0}},                    // station 2 has moved
		{0, station1, station2, []int{2}},
		{3, wire.BroadcastMAC, station1, []int{0}}, // a source that is none
		{0, station1, wire.BroadcastMAC, []int{1, 2, 3}},
	} {
		if got := s.send(tt.port, tt.from, tt.to); !slices.Equal(got, tt.want) {
			t.Errorf("frame %d from port %d came out of %v, want %v", i, tt.port, got, tt.want)
		}
	}
}

func TestSwitchForgetsSilentStations(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSwitched(t, 3, link.SwitchOptions{Ageing: time.Minute})
		s.send(0, station1, station2)
		time.Sleep(time.Minute)
		if got := s.send(1, station2, station1); !slices.Equal(got, []int{0}) {
			t.Errorf("after a minute: %v", got)
		}
		time.Sleep(time.Nanosecond)
		if got := s.send(1, station2, station1); !slices.Equal(got, []int{0, 2}) {
			t.Errorf("after more than a minute: %v", got)
		}
	})
}

func TestSwitchIsAHubForAddressesThatItCannotRemember(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSwitched(t, 3, link.SwitchOptions{Addresses: 2, Ageing: time.Minute})
		for _, from := range stations {
			s.send(0, from, wire.BroadcastMAC)
		}
		if got := s.send(1, wire.MAC{2, 9}, station3); !slices.Equal(got, []int{0, 2}) {
			t.Errorf("the third address is known: %v", got)
		}
		time.Sleep(2 * time.Minute)
		s.send(0, station3, wire.BroadcastMAC) // takes the place of one that is too old
		if got := s.send(1, wire.MAC{2, 9}, station3); !slices.Equal(got, []int{0}) {
			t.Errorf("the third address is not known: %v", got)
		}
	})
}

func TestAPortThatIsClosedIsOutOfTheSwitch(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	s := newSwitched(t, 3, link.SwitchOptions{})
	s.send(1, station2, station1)
	if err := s.ports[1].Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.send(0, station1, station2); !slices.Equal(got, []int{2}) {
		t.Errorf("a frame for the station that was there came out of %v", got)
	}
	if got := s.send(1, station2, station1); got != nil {
		t.Errorf("a frame from the closed port came out of %v", got)
	}
}

func TestFloodedFramesAreEachTheirOwn(t *testing.T) {
	leak.Check(t)
	t.Parallel()
	loop := network(t)
	sw := link.NewSwitch(loop, link.SwitchOptions{MaxGSO: link.MaxGSO, Checksum: link.ChecksumByLink})
	from := sw.Port(station1)
	if hw := from.Properties().Hardware; hw != station1 {
		t.Errorf("the port has address %v", wire.MAC(hw))
	}
	for range 2 {
		sw.Port([6]byte{}).Attach(scribbler{t})
	}
	s := spec{ethernet: true, to: wire.BroadcastMAC, slices: []int{3000}, gso: 1000}
	from.Send(s.build())
	loop.Run()
}

// A scribbler changes the headers that it is given, after it found them unchanged.
type scribbler struct{ t *testing.T }

func (s scribbler) Receive(_ event.Time, p *packet.Packet) {
	if p.Header()[0] != 0xff || p.GSO.Size != 1000 || p.Len() != 54+3000 {
		s.t.Errorf("got % x, %d bytes, GSO size %d", p.Header(), p.Len(), p.GSO.Size)
	}
	clear(p.Header())
	p.Release()
}
