//go:build !race

package main

import (
	"strings"
	"testing"
)

// The race detector makes sync.Pool forget some of what it is given.
func TestRoundTripsAllocateNothing(t *testing.T) {
	for _, r := range rows(t, "-peers", "none", "tcp-pingpong", "in-pingpong", "in-bulk-1500") {
		if strings.HasPrefix(r.Metric, "allocs/") && r.Median > 0.1 { // less is the runtime's own
			t.Errorf("%s: %v %s", r.Test, r.Median, r.Metric)
		}
	}
}
