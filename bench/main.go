// Command bench measures this project beside package net and the programs that
// people use for the same work today: in one run, in turns, so that the ratios
// hold where the figures themselves depend on the machine.
//
//	go run ./bench                   everything, for a few minutes
//	go run ./bench relay echo-32     the tests whose names begin so
//	go run ./bench -list             what there is to measure
//
// Programs to measure against that are not installed are named and left out.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	if run, ok := modes[argument(1)]; ok { // a child of this program
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		exit(run(ctx, os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(bench(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func argument(i int) string {
	if i < len(os.Args) {
		return os.Args[i]
	}
	return ""
}

func exit(err error) {
	if err != nil && err != flag.ErrHelp {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Options are how to measure.
type options struct {
	duration time.Duration // of each measurement
	rounds   int
	peers    string // names to measure beside ours, parted by commas; empty: all
	program  string // path of the command sockeye; empty: this program, which serves as it does
}

func bench(ctx context.Context, args []string, out, messages io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(messages)
	flags.Usage = func() {
		fmt.Fprintln(messages, "usage: bench [flags] [test...]")
		flags.PrintDefaults()
	}
	flags.DurationVar(&o.duration, "duration", time.Second, "how long each measurement takes")
	flags.IntVar(&o.rounds, "rounds", 3, "how often each is made")
	flags.StringVar(&o.peers, "peers", "", "measure only beside these peers, parted by commas")
	flags.StringVar(&o.program, "sockeye", "", "path of the command sockeye, to measure it")
	asJSON := flags.Bool("json", false, "print JSON lines")
	list := flags.Bool("list", false, "list the tests and peers")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.duration <= 0 || o.rounds <= 0 {
		return fmt.Errorf("-duration %v -rounds %d: both have to be more than 0", o.duration, o.rounds)
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	if *list {
		for _, t := range chosen {
			fmt.Fprintf(out, "%-12s %s: %s\n", t.name, t.about, strings.Join(t.peers, ", "))
		}
		return nil
	}
	results, err := measure(ctx, chosen, o, messages)
	if err != nil {
		return err
	}
	if *asJSON {
		enc := json.NewEncoder(out)
		for _, r := range results {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	printTable(out, chosen, results)
	return nil
}

// choose gives the tests whose names begin with one of the words; all, if there
// are none.
func choose(words []string) ([]*test, error) {
	if len(words) == 0 {
		return tests, nil
	}
	var chosen []*test
	for _, w := range words {
		n := len(chosen)
		for _, t := range tests {
			if strings.HasPrefix(t.name, w) {
				chosen = append(chosen, t)
			}
		}
		if len(chosen) == n {
			return nil, fmt.Errorf("no test is called %q: -list shows them", w)
		}
	}
	return chosen, nil
}
