package link_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"sockeye/internal/leak"
	"sockeye/link"
)

func TestFaultsAreReadAsPeopleWriteThem(t *testing.T) {
	leak.Check(t)
	for _, tt := range []struct {
		words string
		want  link.Faults
		text  string // if it is told in other words
	}{
		{"", link.Faults{}, ""},
		{"down=yes", link.Faults{Partition: true}, ""},
		{"delay=200ms jitter=10ms", link.Faults{Delay: 200 * time.Millisecond, Jitter: 10 * time.Millisecond}, ""},
		{"jitter=1ms distribution=normal order=yes", link.Faults{Jitter: time.Millisecond, Distribution: link.Normal, KeepOrder: true}, ""},
		{"loss=10%", link.Faults{Loss: 0.1}, ""},
		{"loss=0.001", link.Faults{Loss: 0.001}, "loss=0.1%"},
		{"rate=5mbit", link.Faults{Rate: 5e6}, ""},
		{"rate=1.5MBit", link.Faults{Rate: 15e5}, "rate=1.5mbit"},
		{"rate=768000", link.Faults{Rate: 768e3}, "rate=768kbit"},
		{"rate=1000001bit", link.Faults{Rate: 1000001}, ""},
		{"queue=100", link.Faults{Queue: link.Queue{Packets: 100}}, ""},
		{"queue=64kb overhead=38", link.Faults{Queue: link.Queue{Bytes: 64000, Overhead: 38}}, ""},
		{"queue=100/1.5mb", link.Faults{Queue: link.Queue{Packets: 100, Bytes: 1500000}}, ""},
		{"burst=1%/20%/50%", link.Faults{Burst: link.Burst{GoodToBad: 0.01, BadToGood: 0.2, LossBad: 0.5}}, "burst=1%/20%/50%/0%"},
		{"delay=1s reorder=25%/5", link.Faults{Delay: time.Second, Reorder: link.Reorder{Probability: 0.25, Gap: 5}}, ""},
		{"duplicate=1% corrupt=2%", link.Faults{Duplicate: 0.01, Corrupt: 0.02}, ""},
		{"delay=1s delay=0 rate=0 loss=0 burst=0 down=no", link.Faults{}, "-"},
	} {
		var f link.Faults
		for _, w := range strings.Fields(tt.words) {
			if err := f.SetWord(w); err != nil {
				t.Error(err)
			}
		}
		if f != tt.want {
			t.Errorf("%q is %+v, not %+v", tt.words, f, tt.want)
		}
		text := strings.TrimPrefix(map[bool]string{true: tt.words, false: tt.text}[tt.text == ""], "-")
		if f.String() != text {
			t.Errorf("%q is told as %q", tt.words, f)
		}
	}
}

func TestWhatFaultsSayGivesThemAgain(t *testing.T) {
	leak.Check(t)
	list := []link.Faults{everything, {Loss: 1.0 / 3}, {Loss: math.Nextafter(0.1, 1)}, {Rate: 1234567890}, {Queue: link.Queue{Bytes: 1}}}
	for _, name := range link.ProfileNames() {
		p, _ := link.ProfileNamed(name)
		list = append(list, p.Down, p.Up)
	}
	for _, want := range list {
		var f link.Faults
		for _, w := range strings.Fields(want.String()) {
			if err := f.SetWord(w); err != nil {
				t.Error(err)
			}
		}
		if f != want {
			t.Errorf("%v gives %+v, not %+v", want, f, want)
		}
		for _, name := range link.Settings() {
			if v := want.Get(name); v != "" && !strings.Contains(want.String(), name+"="+v) {
				t.Errorf("%v has %s=%s", want, name, v)
			}
		}
	}
}

func TestAFaultThatIsNoneIsRefused(t *testing.T) {
	leak.Check(t)
	for word, want := range map[string]string{
		"loss":               "loss: want a fault and its value, as loss=10% or delay=200ms",
		"loss=":              "loss=: want a share, as 10% or 0.1",
		"loss=101%":          "loss=101%: want a share, as 10% or 0.1",
		"loss=NaN":           "loss=NaN: want a share, as 10% or 0.1",
		"delay=5":            "delay=5: want a time, as 200ms or 1.5s",
		"delay=-5ms":         "delay=-5ms: want a time, as 200ms or 1.5s",
		"rate=fast":          "rate=fast: want bits per second, as 500kbit, 5mbit or 1gbit, or 0 for no limit",
		"rate=1e99":          "rate=1e99: want bits per second, as 500kbit, 5mbit or 1gbit, or 0 for no limit",
		"queue=/":            "queue=/: want packets, as 100, or bytes, as 64kb, or both, as 100/64kb",
		"queue=9/9":          "queue=9/9: want packets, as 100, or bytes, as 64kb, or both, as 100/64kb",
		"down=maybe":         "down=maybe: want yes or no",
		"distribution=round": "distribution=round: want uniform or normal",
		"reorder=1%/0":       "reorder=1%/0: want a share, as 25%, or a share of every fifth packet, as 25%/5",
		"melt=1": "melt=1: there is no such fault; there are down, delay, jitter, distribution, order, rate, queue, overhead, " +
			"loss, burst, duplicate, corrupt, reorder",
	} {
		f := link.Faults{Loss: 0.5, Queue: link.Queue{Packets: 7}}
		was := f
		if err := f.SetWord(word); err == nil || err.Error() != want {
			t.Errorf("%s: %v", word, err)
		}
		if f != was {
			t.Errorf("%s changed the faults to %v", word, f)
		}
	}
	var f link.Faults
	if err := f.Set("burst", "1%/2%"); err == nil {
		t.Error("a burst of two shares is taken")
	}
}
