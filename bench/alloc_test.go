//go:build !race

package main

import "testing"

// The race detector makes sync.Pool forget some of what it is given.
func TestRoundTripsAllocateNothing(t *testing.T) {
	for _, r := range rows(t, "-peers", "none", "tcp-pingpong") {
		if r.Metric == "allocs/call" && r.Median > 0.01 { // the runtime's own
			t.Errorf("%v allocations a call", r.Median)
		}
	}
}
