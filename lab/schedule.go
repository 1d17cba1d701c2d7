package lab

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"sockeye/link"
)

// A FaultKind is what goes wrong.
type FaultKind uint8

const (
	Cut     FaultKind = iota // a link lets nothing through
	Lossy                    // a link loses packets, with the probability Amount
	Slow                     // a link takes Amount seconds longer
	Isolate                  // a host is parted from all others
	Split                    // the hosts are parted into two groups
	Crash                    // a host crashes, and is restarted
	Deaf                     // a host hears nothing from another, which still hears it
	kinds
)

var faultNames = [kinds]string{"cut", "lossy", "slow", "isolate", "split", "crash", "deaf"}

// String is the word that ParseSchedule reads.
func (k FaultKind) String() string { return faultNames[k%kinds] }

// A Fault is something that goes wrong on a network for a while.
type Fault struct {
	At, For time.Duration // when it begins, since the network was made, and how long it lasts
	Kind    FaultKind
	// Target is the number of the link or host, in the order in which they were made, from 0; it is
	// taken modulo how many there are. For Split its bits say which hosts are in the second group. For Deaf it is the
	// number of the host that hears nothing and, divided by how many there are, that of the other.
	Target uint32
	Amount float64
}

// A Schedule is faults, which may overlap.
type Schedule []Fault

// String is the schedule in the form that ParseSchedule reads: cut:0@1.5s+300ms, lossy:2@2s+1s=0.25
func (s Schedule) String() string {
	var words []string
	for _, f := range s {
		w := fmt.Sprintf("%v:%d@%v+%v", f.Kind, f.Target, f.At, f.For)
		if f.Kind == Lossy || f.Kind == Slow {
			w += "=" + strconv.FormatFloat(f.Amount, 'g', -1, 64)
		}
		words = append(words, w)
	}
	return strings.Join(words, ", ")
}

// ParseSchedule reads what String wrote.
func ParseSchedule(text string) (s Schedule, err error) {
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		f, err := parseFault(w)
		if err != nil {
			return nil, fmt.Errorf("lab: the fault %q is none: %w; one is cut:0@1.5s+300ms, or lossy:2@2s+1s=0.25", w, err)
		}
		s = append(s, f)
	}
	return s, nil
}

func parseFault(w string) (f Fault, err error) {
	name, rest, _ := strings.Cut(w, ":")
	target, rest, _ := strings.Cut(rest, "@")
	at, rest, _ := strings.Cut(rest, "+")
	duration, amount, has := strings.Cut(rest, "=")
	kind := slices.Index(faultNames[:], name)
	if kind < 0 {
		return f, fmt.Errorf("kinds are %s", strings.Join(faultNames[:], ", "))
	}
	f.Kind = FaultKind(kind)
	n, err := strconv.ParseUint(target, 10, 32)
	if err != nil {
		return f, err
	}
	f.Target = uint32(n)
	if f.At, err = time.ParseDuration(at); err != nil {
		return f, err
	}
	if f.For, err = time.ParseDuration(duration); err != nil {
		return f, err
	}
	if has {
		f.Amount, err = strconv.ParseFloat(amount, 64)
	}
	return f, err
}

// ScheduleOf makes a schedule of any bytes, as a fuzzer gives them: eight for a fault.
func ScheduleOf(data []byte, within time.Duration) (s Schedule) {
	for ; len(data) >= 8; data = data[8:] {
		part := func(i int) time.Duration {
			return within * time.Duration(binary.LittleEndian.Uint16(data[i:])) / (1 << 16)
		}
		s = append(s, Fault{
			Kind: FaultKind(data[0]) % kinds, Target: uint32(data[1]), At: part(2).Round(time.Millisecond),
			For: part(4).Round(time.Millisecond), Amount: float64(data[6]) / 256,
		})
	}
	return s
}

// RandomSchedule draws up to a number of faults of the given kinds, all of them if there are
// none, that begin within a time.
func RandomSchedule(seed uint64, most int, within time.Duration, of ...FaultKind) (s Schedule) {
	r := rand.New(rand.NewPCG(seed, scheduleSeeds))
	for range r.IntN(most + 1) {
		f := Fault{
			At:     time.Duration(r.Int64N(int64(within))).Round(time.Millisecond),
			For:    time.Duration(r.ExpFloat64() * float64(within) / 4).Round(time.Millisecond),
			Kind:   FaultKind(r.IntN(int(kinds))),
			Target: r.Uint32N(1 << 16), Amount: float64(r.IntN(100)) / 100,
		}
		if len(of) > 0 {
			f.Kind = of[r.IntN(len(of))]
		}
		s = append(s, f)
	}
	slices.SortFunc(s, func(a, b Fault) int { return int(a.At - b.At) })
	return s
}

const scheduleSeeds = 3 << 32

// Play lets the faults of a schedule happen. What Set, Cut, Part and their like did to the same links and
// hosts before gives way to it as long as one of its faults lasts.
func (n *Network) Play(s Schedule) {
	n.start()
	n.play(s)
}

func (n *Network) play(s Schedule) {
	p := &play{net: n, weather: make([][2]link.Faults, len(n.links))}
	for i, l := range n.links {
		p.weather[i] = l.faults
	}
	for i := range s {
		f := &s[i]
		n.At(f.At, func() { p.begin(f) })
		n.At(f.At+f.For, func() { p.end(f) })
	}
}

// A play is a schedule that goes on. The loop calls it.
type play struct {
	net     *Network
	weather [][2]link.Faults // of the links, without faults of the schedule
	now     []*Fault
}

func (p *play) begin(f *Fault) {
	p.now = append(p.now, f)
	if f.Kind == Crash && p.count(f.host(p.net)) == 1 {
		f.host(p.net).Crash()
	}
	p.apply()
}

func (p *play) end(f *Fault) {
	p.now = slices.DeleteFunc(p.now, func(g *Fault) bool { return g == f })
	if f.Kind == Crash && p.count(f.host(p.net)) == 0 {
		f.host(p.net).Restart()
	}
	p.apply()
}

// count is how many crashes of a host go on.
func (p *play) count(h *Host) (k int) {
	for _, f := range p.now {
		if f.Kind == Crash && f.host(p.net) == h {
			k++
		}
	}
	return k
}

// apply makes the network as the faults that go on together have it.
func (p *play) apply() {
	n := p.net
	for i, l := range n.links {
		for d, f := range p.weather[i] {
			for _, g := range p.now {
				if g.link(n) != l {
					continue
				}
				switch g.Kind {
				case Cut:
					f.Partition = true
				case Lossy:
					f.Loss = 1 - (1-f.Loss)*(1-g.Amount)
				case Slow:
					f.Delay += time.Duration(g.Amount * float64(time.Second))
				}
			}
			if f != l.impaired.Faults(link.Direction(d)) {
				l.impaired.Set(link.Direction(d), f) // which cannot be impossible
			}
		}
	}
	n.Join()
	for _, f := range p.now {
		switch f.Kind {
		case Isolate:
			n.Isolate(f.host(n))
		case Split:
			n.Part(f.groups(n))
		case Deaf:
			deaf, other := f.deaf(n)
			n.PartOneWay([]*Host{other}, []*Host{deaf})
		}
	}
}

// link is the one that a fault befalls; nil: none.
func (f *Fault) link(n *Network) *Link {
	if f.Kind > Slow || len(n.links) == 0 {
		return nil
	}
	return n.links[int(f.Target)%len(n.links)]
}

func (f *Fault) host(n *Network) *Host { return n.hosts[int(f.Target)%len(n.hosts)] }

// deaf are the hosts of Deaf.
func (f *Fault) deaf(n *Network) (deaf, other *Host) {
	k := uint32(len(n.hosts))
	return n.hosts[f.Target%k], n.hosts[f.Target/k%k]
}

// groups are those of Split.
func (f *Fault) groups(n *Network) (a, b []*Host) {
	for i, h := range n.hosts {
		if f.Target>>(i%32)&1 == 0 {
			a = append(a, h)
		} else {
			b = append(b, h)
		}
	}
	return a, b
}

// Describe says of each fault of a schedule when it befalls what on the network.
func (n *Network) Describe(s Schedule) string {
	var b strings.Builder
	for i := range s {
		f := &s[i]
		fmt.Fprintf(&b, "%10v  for %-8v %s\n", f.At, f.For, f.describe(n))
	}
	return b.String()
}

func (f *Fault) describe(n *Network) string {
	switch f.Kind {
	case Cut:
		return fmt.Sprintf("link %v is cut", f.link(n))
	case Lossy:
		return fmt.Sprintf("link %v loses %.0f %% of its packets", f.link(n), 100*f.Amount)
	case Slow:
		return fmt.Sprintf("link %v is slower by %v", f.link(n), time.Duration(f.Amount*float64(time.Second)))
	case Isolate:
		return fmt.Sprintf("host %s is parted from all others", f.host(n).name)
	case Crash:
		return fmt.Sprintf("host %s is down", f.host(n).name)
	case Deaf:
		deaf, other := f.deaf(n)
		return fmt.Sprintf("host %s hears nothing from %s", deaf.name, other.name)
	}
	a, b := f.groups(n)
	return fmt.Sprintf("%s are parted from %s", nameList(a), nameList(b))
}

func nameList(hosts []*Host) string {
	var names []string
	for _, h := range hosts {
		names = append(names, h.name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}
