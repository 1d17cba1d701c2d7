package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A test is one kind of work, measured with ours and with its peers.
type test struct {
	name    string
	about   string
	metrics []metric
	peers   []string // ours is the first
	needs   string   // a program that makes the load
	goals   []goal
	run     func(ctx context.Context, peer string, o options) (map[string]float64, error)
}

// A metric is one figure that a measurement gives.
type metric struct {
	name  string
	lower bool    // is better; else higher
	count bool    // of mishaps: no ratio
	most  float64 // that ours is to be; 0: no matter
}

// A goal is what ours is to reach: factor times as good as the peer.
type goal struct {
	metric, peer string
	factor       float64
}

// ours is the name that this project goes by among the peers.
const ours = "sockeye"

// A result is one metric of one peer over all rounds.
type result struct {
	Test   string  `json:"test"`
	Metric string  `json:"metric"`
	Peer   string  `json:"peer"`
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
	Rounds int     `json:"rounds"`
	Ratio  *ratio  `json:"ratio,omitempty"` // how many times as good ours is
	Goal   float64 `json:"goal,omitempty"`  // what the ratio's median is to reach
	Limit  float64 `json:"limit,omitempty"` // what our median is not to exceed
}

// A ratio is between two measurements of one round.
type ratio struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// measure makes all rounds of all tests, one peer after the other within a
// round, so that a slow spell of the machine touches all of them.
func measure(ctx context.Context, chosen []*test, o options, messages io.Writer) ([]result, error) {
	var results []result
	for _, t := range chosen {
		if t.needs != "" && !installed(t.needs) {
			fmt.Fprintf(messages, "%s: left out: %s is not installed\n", t.name, t.needs)
			continue
		}
		peers := t.available(o, messages)
		samples := make(map[string][]map[string]float64) // by peer, by round
		for round := range o.rounds {
			for i := range peers {
				peer := peers[(i+round)%len(peers)] // each is the first sometimes
				fmt.Fprintf(messages, "\r\033[K%s: round %d of %d, %s", t.name, round+1, o.rounds, peer)
				values, err := t.run(ctx, peer, o)
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				if err != nil && peer == ours {
					return nil, fmt.Errorf("%s: %s: %w", t.name, peer, err)
				}
				if err != nil {
					fmt.Fprintf(messages, "\r\033[K%s: %s failed: %v\n", t.name, peer, err)
				}
				samples[peer] = append(samples[peer], values)
			}
		}
		fmt.Fprint(messages, "\r\033[K")
		for _, m := range t.metrics {
			for _, peer := range peers {
				if r, ok := t.summary(m, peer, samples); ok {
					results = append(results, r)
				}
			}
		}
	}
	return results, nil
}

// available gives the peers that were asked for and can be run.
func (t *test) available(o options, messages io.Writer) []string {
	return slices.DeleteFunc(slices.Clone(t.peers), func(peer string) bool {
		if peer == ours {
			return false
		}
		if o.peers != "" && !slices.Contains(strings.Split(o.peers, ","), peer) {
			return true
		}
		if missing := missingProgram(peer); missing != "" {
			fmt.Fprintf(messages, "%s: without %s: %s is not installed\n", t.name, peer, missing)
			return true
		}
		return false
	})
}

func (t *test) summary(m metric, peer string, samples map[string][]map[string]float64) (result, bool) {
	var values, ratios []float64
	for round, sample := range samples[peer] {
		v, ok := sample[m.name]
		if !ok {
			continue
		}
		values = append(values, v)
		if our, ok := samples[ours][round][m.name]; ok && peer != ours && !m.count && our > 0 && v > 0 {
			if m.lower {
				our, v = v, our
			}
			ratios = append(ratios, our/v)
		}
	}
	if len(values) == 0 {
		return result{}, false
	}
	r := result{Test: t.name, Metric: m.name, Peer: peer, Rounds: len(values)}
	r.Median, r.Least, r.Most = spread(values)
	if peer == ours {
		r.Limit = m.most
	}
	if len(ratios) > 0 {
		r.Ratio = new(ratio)
		r.Ratio.Median, r.Ratio.Least, r.Ratio.Most = spread(ratios)
		for _, g := range t.goals {
			if g.metric == m.name && g.peer == peer {
				r.Goal = g.factor
			}
		}
	}
	return r, true
}

func spread(v []float64) (median, least, most float64) {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2, v[0], v[len(v)-1]
}
