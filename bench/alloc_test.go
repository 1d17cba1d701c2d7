//go:build !race

// Under the race detector sync.Pool drops at random what it is given, so that
// allocations can't be counted.

package main

import "testing"

func TestRoundTripsAllocateNothing(t *testing.T) {
	for _, r := range rows(t, "-peers", "none", "tcp-pingpong") {
		if r.Metric == "allocs/call" && r.Median > 0.01 { // the runtime's own
			t.Errorf("%v allocations a call", r.Median)
		}
	}
}
