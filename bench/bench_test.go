package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// The loads and servers run in processes of this program, which in a test is
// the test.
func TestMain(m *testing.M) {
	if run, ok := modes[argument(1)]; ok {
		exit(run(context.Background(), os.Args[2:]))
	}
	os.Exit(m.Run())
}

// rows runs tests for a very short time.
func rows(t *testing.T, args ...string) []result {
	t.Helper()
	var out, messages bytes.Buffer
	args = append([]string{"-rounds", "1", "-duration", "20ms", "-json"}, args...)
	if err := bench(t.Context(), args, &out, &messages); err != nil {
		t.Fatalf("%v\n%s", err, &messages)
	}
	var rs []result
	for dec := json.NewDecoder(&out); dec.More(); {
		var r result
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	return rs
}

func TestEveryLoadGivesSaneRows(t *testing.T) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.needs != "" && !installed(test.needs) {
				t.Fatalf("%s has to be installed", test.needs)
			}
			seen := make(map[string]bool) // metrics of ours
			for _, r := range rows(t, "-peers", "net,direct", test.name) {
				if math.IsNaN(r.Median) || math.IsInf(r.Median, 0) || r.Least < 0 || r.Least > r.Median || r.Median > r.Most {
					t.Errorf("%+v", r)
				}
				switch {
				case r.Peer != ours:
				case r.Metric == "foreign" || r.Metric == "merged" || r.Metric == "failed":
					seen[r.Metric] = true
					if r.Most != 0 {
						t.Errorf("%s: %v", r.Metric, r.Most)
					}
				case r.Metric == "half-close" || r.Metric == "server-close":
					seen[r.Metric] = true
					if r.Least != 1 {
						t.Errorf("%s is not passed on", r.Metric)
					}
				default:
					seen[r.Metric] = r.Median > 0 || slices.Contains(mayBeZero, r.Metric)
				}
			}
			for _, m := range test.metrics {
				if !seen[m.name] && m.name != "server-us/req" { // too short for the system's clock
					t.Errorf("no %s", m.name)
				}
			}
		})
	}
}

// mayBeZero are metrics that are best when they are 0.
var mayBeZero = []string{"lost", "missing", "modules", "allocs/call", "allocs/segment", "server-us/req"}

func TestRatioIsOfOneRound(t *testing.T) {
	tt := &test{
		name:    "work",
		metrics: []metric{{name: "rate"}, {name: "cost", lower: true}},
		goals:   []goal{{"rate", "net", 1.5}},
	}
	samples := map[string][]map[string]float64{
		ours:  {{"rate": 20, "cost": 1}, {"rate": 200, "cost": 2}, {"rate": 60, "cost": 3}},
		"net": {{"rate": 10, "cost": 2}, {"rate": 100, "cost": 6}, nil},
	}
	rate, _ := tt.summary(tt.metrics[0], "net", samples)
	if want := (ratio{2, 2, 2}); *rate.Ratio != want || rate.Median != 55 || rate.Goal != 1.5 {
		t.Errorf("got %+v %+v", rate, *rate.Ratio)
	}
	cost, _ := tt.summary(tt.metrics[1], "net", samples)
	if want := (ratio{2.5, 2, 3}); *cost.Ratio != want {
		t.Errorf("got %+v, want %+v", *cost.Ratio, want)
	}
}

func TestLimitIsOfOurs(t *testing.T) {
	tt := &test{name: "work", metrics: []metric{{name: "size", lower: true, most: 5}}}
	samples := map[string][]map[string]float64{ours: {{"size": 6}}, "net": {{"size": 4}}}
	for peer, want := range map[string]string{ours: "goal 5 at most missed", "net": "sockeye is 0.67 x as good [0.67 .. 0.67]"} {
		r, _ := tt.summary(tt.metrics[0], peer, samples)
		if got := verdict(r); got != want {
			t.Errorf("%s: got %q, want %q", peer, got, want)
		}
	}
}

func TestBadArgumentsAreNamed(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"tcp-bulky"}, `"tcp-bulky"`},
		{[]string{"-rounds", "0"}, "-rounds 0"},
		{[]string{"-duration", "-1s"}, "-duration -1s"},
	} {
		err := bench(t.Context(), tt.args, new(bytes.Buffer), new(bytes.Buffer))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: got %v, want %s in it", tt.args, err, tt.want)
		}
	}
}

func TestMissingPeersAreNamed(t *testing.T) {
	t.Setenv("PATH", "")
	var messages bytes.Buffer
	test := &test{name: "work", peers: []string{ours, "net", "socat"}}
	if got := test.available(options{}, &messages); len(got) != 2 {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(messages.String(), "socat is not installed") {
		t.Errorf("got %q", &messages)
	}
}
