package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// printTable shows results to people, a block for each test.
func printTable(out io.Writer, chosen []*test, results []result) {
	for _, t := range chosen {
		fmt.Fprintf(out, "%s: %s\n", t.name, t.about)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, r := range results {
			if r.Test != t.name {
				continue
			}
			fmt.Fprintf(w, "\t%s\t%s\t%s\t[%s .. %s]\t%s\t\n", r.Metric, r.Peer,
				figure(r.Median), figure(r.Least), figure(r.Most), verdict(r))
		}
		w.Flush()
		fmt.Fprintln(out)
	}
}

// verdict tells how many times as good ours is, and as it should be.
func verdict(r result) string {
	switch {
	case r.Limit != 0 && r.Median <= r.Limit:
		return fmt.Sprintf("goal %s at most reached", figure(r.Limit))
	case r.Limit != 0:
		return fmt.Sprintf("goal %s at most missed", figure(r.Limit))
	case r.Ratio == nil:
		return ""
	}
	s := fmt.Sprintf("%s is %.2f x as good [%.2f .. %.2f]", ours, r.Ratio.Median, r.Ratio.Least, r.Ratio.Most)
	switch {
	case r.Goal == 0:
	case r.Ratio.Median >= r.Goal:
		s += fmt.Sprintf(", goal %.1f reached", r.Goal)
	default:
		s += fmt.Sprintf(", goal %.1f missed", r.Goal)
	}
	return s
}

// figure shows three digits or all that are before the point.
func figure(v float64) string {
	switch {
	case v >= 100 || v == float64(int(v)):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}
