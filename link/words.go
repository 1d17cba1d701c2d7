package link

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A setting is one thing about Faults that people can write: name=value.
type setting struct {
	name string
	want string // what a value looks like
	set  func(f *Faults, value string) bool
	get  func(f *Faults) string // "": as in the zero Faults
}

// settings are all, in the order in which String tells them.
var settings = []setting{
	{"down", "yes or no",
		func(f *Faults, v string) bool { return parseBool(&f.Partition, v) },
		func(f *Faults) string { return formatBool(f.Partition) }},
	{"delay", "a time, as 200ms or 1.5s",
		func(f *Faults, v string) bool { return parseTime(&f.Delay, v) },
		func(f *Faults) string { return formatTime(f.Delay) }},
	{"jitter", "a time, as 10ms",
		func(f *Faults, v string) bool { return parseTime(&f.Jitter, v) },
		func(f *Faults) string { return formatTime(f.Jitter) }},
	{"distribution", "uniform or normal",
		func(f *Faults, v string) bool {
			f.Distribution = map[string]Distribution{"normal": Normal}[v]
			return v == "normal" || v == "uniform"
		},
		func(f *Faults) string { return map[Distribution]string{Normal: "normal"}[f.Distribution] }},
	{"order", "yes, packets keep it, or no",
		func(f *Faults, v string) bool { return parseBool(&f.KeepOrder, v) },
		func(f *Faults) string { return formatBool(f.KeepOrder) }},
	{"rate", "bits per second, as 500kbit, 5mbit or 1gbit, or 0 for no limit",
		func(f *Faults, v string) bool { return parseRate(&f.Rate, v) },
		func(f *Faults) string { return formatRate(f.Rate) }},
	{"queue", "packets, as 100, or bytes, as 64kb, or both, as 100/64kb",
		func(f *Faults, v string) bool { return parseQueue(&f.Queue, v) },
		func(f *Faults) string { return formatQueue(f.Queue) }},
	{"overhead", "bytes for each packet, as 38",
		func(f *Faults, v string) bool { return parseCount(&f.Queue.Overhead, v) },
		func(f *Faults) string { return formatCount(f.Queue.Overhead) }},
	{"loss", "a share, as 10% or 0.1",
		func(f *Faults, v string) bool { return parseShare(&f.Loss, v) },
		func(f *Faults) string { return formatShare(f.Loss) }},
	{"burst", "the shares of packets that make a good channel bad and a bad one good, and those lost in a bad and " +
		"in a good one, as 1%/20%/50%/0%, or 0 for none",
		func(f *Faults, v string) bool { return parseBurst(&f.Burst, v) },
		func(f *Faults) string { return formatBurst(f.Burst) }},
	{"duplicate", "a share, as 1% or 0.01",
		func(f *Faults, v string) bool { return parseShare(&f.Duplicate, v) },
		func(f *Faults) string { return formatShare(f.Duplicate) }},
	{"corrupt", "a share, as 1% or 0.01",
		func(f *Faults, v string) bool { return parseShare(&f.Corrupt, v) },
		func(f *Faults) string { return formatShare(f.Corrupt) }},
	{"reorder", "a share, as 25%, or a share of every fifth packet, as 25%/5",
		func(f *Faults, v string) bool { return parseReorder(&f.Reorder, v) },
		func(f *Faults) string { return formatReorder(f.Reorder) }},
}

// Settings are the names that Set takes.
func Settings() (names []string) {
	for _, s := range settings {
		names = append(names, s.name)
	}
	return names
}

// Set changes one fault as people write it, delay=200ms or loss=10%:
//
//	down          yes or no: nothing gets through
//	delay         200ms
//	jitter        10ms
//	distribution  of the jitter, uniform or normal
//	order         yes: packets do not overtake when the delay varies
//	rate          bits per second: 500kbit, 5mbit, 1gbit; 0: no limit
//	queue         100 packets, 64kb for bytes, or 100/64kb
//	overhead      bytes of the rate that each packet takes on top of its own
//	loss          10% or 0.1, as all shares
//	burst         good-to-bad/bad-to-good/lost-in-bad/lost-in-good, 1%/20%/50%/0%
//	duplicate     1%
//	corrupt       1%
//	reorder       25%, or 25%/5: of every fifth packet
//
// The error says what would be right. Faults that do not go together are found when a link is given them.
func (f *Faults) Set(name, value string) error {
	for _, s := range settings {
		if s.name != name {
			continue
		}
		if now := *f; s.set(&now, strings.ToLower(value)) {
			*f = now
			return nil
		}
		return fmt.Errorf("%s=%s: want %s", name, value, s.want)
	}
	return fmt.Errorf("%s=%s: there is no such fault; there are %s", name, value, strings.Join(Settings(), ", "))
}

// SetWord is Set of a word such as loss=10%.
func (f *Faults) SetWord(word string) error {
	name, value, ok := strings.Cut(word, "=")
	if !ok {
		return errors.New(word + ": want a fault and its value, as loss=10% or delay=200ms")
	}
	return f.Set(name, value)
}

// Get is the present value of a fault in the form that Set takes; "": there is none of it.
func (f Faults) Get(name string) string {
	for _, s := range settings {
		if s.name == name {
			return s.get(&f)
		}
	}
	return ""
}

// String is the faults in words that SetWord takes, delay=40ms loss=1%; "": there are none.
func (f Faults) String() string {
	var words []string
	for _, s := range settings {
		if v := s.get(&f); v != "" {
			words = append(words, s.name+"="+v)
		}
	}
	return strings.Join(words, " ")
}

func parseBool(b *bool, v string) bool {
	*b = v == "yes" || v == "true"
	return *b || v == "no" || v == "false"
}

func formatBool(b bool) string { return map[bool]string{true: "yes"}[b] }

func parseTime(d *time.Duration, v string) bool {
	var err error
	*d, err = time.ParseDuration(v)
	return err == nil && *d >= 0
}

func formatTime(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func parseShare(share *float64, v string) bool {
	number, percent := strings.CutSuffix(v, "%")
	x, err := strconv.ParseFloat(number, 64)
	if percent {
		x /= 100
	}
	*share = x
	return err == nil && x >= 0 && x <= 1
}

func formatShare(share float64) string {
	if share == 0 {
		return ""
	}
	return percent(share)
}

// percent is exact enough for parseShare to give the same again, and not longer than that for people's figures.
func percent(share float64) string {
	text := strconv.FormatFloat(share*100, 'g', 12, 64) + "%"
	var again float64
	if parseShare(&again, text); again != share {
		return strconv.FormatFloat(share, 'g', -1, 64)
	}
	return text
}

// units are those of rates, as in tc(8), and of queues.
var (
	rateUnits = []unit{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}, {"", 1}}
	byteUnits = []unit{{"mb", 1e6}, {"kb", 1e3}, {"b", 1}}
)

type unit struct {
	name string
	size int64
}

func parseRate(rate *int64, v string) (ok bool) {
	*rate, ok = parseUnits(v, rateUnits)
	return ok
}

// parseUnits reads a number with the first of the units that it ends with.
func parseUnits(v string, units []unit) (int64, bool) {
	for _, u := range units {
		if number, ok := strings.CutSuffix(v, u.name); ok {
			x, err := strconv.ParseFloat(number, 64)
			x *= float64(u.size)
			return int64(x), err == nil && x >= 0 && x <= 1e15
		}
	}
	return 0, false
}

func formatRate(rate int64) string {
	if rate == 0 {
		return ""
	}
	return formatUnits(rate, rateUnits)
}

// formatUnits takes the largest unit in which there is no long fraction.
func formatUnits(n int64, units []unit) string {
	for _, u := range units {
		if n%(max(1, u.size/100)) == 0 && n >= u.size {
			return strconv.FormatFloat(float64(n)/float64(u.size), 'f', -1, 64) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func parseCount(n *int, v string) bool {
	x, err := strconv.ParseUint(v, 10, 31)
	*n = int(x)
	return err == nil
}

func formatCount(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func parseQueue(q *Queue, v string) bool {
	q.Packets, q.Bytes = 0, 0
	packets, bytes, both := strings.Cut(v, "/")
	if !both && strings.HasSuffix(v, "b") {
		packets, bytes = "0", v
	}
	if bytes != "" || both {
		n, ok := parseUnits(bytes, byteUnits)
		if !ok {
			return false
		}
		q.Bytes = int(n)
	}
	return parseCount(&q.Packets, packets)
}

func formatQueue(q Queue) string {
	switch {
	case q.Bytes == 0:
		return formatCount(q.Packets)
	case q.Packets == 0:
		return formatUnits(int64(q.Bytes), byteUnits)
	}
	return formatCount(q.Packets) + "/" + formatUnits(int64(q.Bytes), byteUnits)
}

func parseBurst(b *Burst, v string) bool {
	*b = Burst{}
	if v == "0" {
		return true
	}
	parts := strings.Split(v, "/")
	into := []*float64{&b.GoodToBad, &b.BadToGood, &b.LossBad, &b.LossGood}
	if len(parts) < 3 || len(parts) > len(into) {
		return false
	}
	for i, p := range parts {
		if !parseShare(into[i], p) {
			return false
		}
	}
	return true
}

func formatBurst(b Burst) string {
	if b == (Burst{}) {
		return ""
	}
	return percent(b.GoodToBad) + "/" + percent(b.BadToGood) + "/" + percent(b.LossBad) + "/" + percent(b.LossGood)
}

func parseReorder(r *Reorder, v string) bool {
	share, gap, ok := strings.Cut(v, "/")
	r.Gap = 0
	return parseShare(&r.Probability, share) && (!ok || parseCount(&r.Gap, gap) && r.Gap > 0)
}

func formatReorder(r Reorder) string {
	if r.Gap == 0 {
		return formatShare(r.Probability)
	}
	return percent(r.Probability) + "/" + strconv.Itoa(r.Gap)
}
