package chat_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sockeye/cmd/sockeye/chat"
	"sockeye/link"
)

// A talk is what members say in a room, on a network with faults.
type talk struct {
	Said [][]time.Duration // of each member: the pauses before its messages
	Loss float64
	Cut  int           // whose link is cut meanwhile
	From time.Duration // after so long
	For  time.Duration // less than what makes the server give a member up
}

func talks(members int) *rapid.Generator[talk] {
	return rapid.Custom(func(t *rapid.T) talk {
		pause := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(0, 800).Draw(t, "pause")) * time.Millisecond
		})
		return talk{
			Said: rapid.SliceOfN(rapid.SliceOfN(pause, 0, 25), 2, members).Draw(t, "said"),
			Loss: rapid.SampledFrom([]float64{0, 0.01, 0.05}).Draw(t, "loss"),
			Cut:  rapid.IntRange(0, members-1).Draw(t, "cut"),
			From: time.Duration(rapid.IntRange(0, 5000).Draw(t, "from")) * time.Millisecond,
			For:  time.Duration(rapid.IntRange(0, 15).Draw(t, "for")) * time.Second,
		}
	})
}

// hold lets members talk, and gives what each heard.
func (k talk) hold(join func(i int) *guest, cut func(i int), mend func(i int)) (heard [][]string) {
	var guests []*guest
	total := 0
	for i, pauses := range k.Said {
		guests = append(guests, join(i))
		total += len(pauses)
	}
	for _, g := range guests { // all know that all are there
		var names []string
		for i := range guests {
			names = append(names, fmt.Sprint("m", i))
		}
		g.until(names...)
	}
	mended := make(chan bool)
	go func() {
		time.Sleep(k.From)
		cut(k.Cut % len(guests))
		time.Sleep(k.For)
		mend(k.Cut % len(guests))
		close(mended)
	}()
	heard = make([][]string, len(guests))
	done := make(chan int)
	for i, g := range guests {
		go func() {
			for n, pause := range k.Said[i] {
				time.Sleep(pause)
				io.WriteString(g.conn, fmt.Sprintf("%d\n", n)) // whoever does not hear it tells
			}
		}()
		go func() {
			defer func() { done <- i }()
			for len(heard[i]) < total {
				line, err := g.r.ReadString('\n')
				if err != nil {
					heard[i] = append(heard[i], err.Error())
					return
				}
				if !strings.HasPrefix(line, "[lobby] * ") {
					heard[i] = append(heard[i], strings.TrimSuffix(line, "\n"))
				}
			}
		}()
	}
	for range guests {
		<-done
	}
	<-mended
	// What came twice would be between the last message and this.
	for i, g := range guests {
		g.say("/rooms")
		for {
			line := g.line()
			if line == "* 1 room" {
				break
			}
			if !strings.HasPrefix(line, "[lobby] * ") {
				heard[i] = append(heard[i], line)
			}
		}
	}
	return heard
}

// check gives what is wrong with what was heard; "": nothing.
func (k talk) check(heard [][]string, sameForAll bool) string {
	for i, lines := range heard {
		next := make([]int, len(k.Said))
		for at, line := range lines {
			var who, n int
			if _, err := fmt.Sscanf(line, "[lobby] m%d: %d", &who, &n); err != nil {
				return fmt.Sprintf("m%d hears %q", i, line)
			}
			if n != next[who] {
				return fmt.Sprintf("m%d hears %q as line %d, and %d was next of m%d", i, line, at, next[who], who)
			}
			next[who]++
		}
		for who, pauses := range k.Said {
			if next[who] != len(pauses) {
				return fmt.Sprintf("m%d hears %d of %d messages of m%d", i, next[who], len(pauses), who)
			}
		}
		if sameForAll && !slices.Equal(lines, heard[0]) {
			return fmt.Sprintf("m%d hears another order than m0", i)
		}
	}
	return ""
}

func TestMessagesComeOnceAndInOrderThroughLossAndCuts(t *testing.T) {
	const members = 5
	rapid.Check(t, func(r *rapid.T) {
		k := talks(members).Draw(r, "talk")
		var problem string
		t.Run("one server", func(t *testing.T) {
			faults := far
			faults.Loss = k.Loss
			inLab(t, members, faults, chat.Options{Rate: -1}, func(w *world) {
				heard := k.hold(func(i int) *guest { return w.join(fmt.Sprint("m", i), "lobby") },
					func(i int) { w.links[i].Cut() }, func(i int) { w.links[i].Mend() })
				problem = k.check(heard, true)
			})
		})
		if problem != "" {
			r.Fatal(problem)
		}
	})
}

func TestMessagesComeOnceAndInOrderThroughSeveralServers(t *testing.T) {
	const members, servers = 5, 3
	rapid.Check(t, func(r *rapid.T) {
		k := talks(members).Draw(r, "talk")
		k.For = min(k.For, 5*time.Second) // a server that is silent for longer is given up
		var problem string
		t.Run("several servers", func(t *testing.T) {
			labCluster(t, servers, chat.Options{Rate: -1}, func(c *cluster) {
				faults := link.Faults{Delay: far.Delay, Loss: k.Loss}
				for _, wire := range c.links {
					if err := wire.Set(faults); err != nil {
						t.Fatal(err)
					}
				}
				heard := k.hold(func(i int) *guest { return c.use(i%servers).join(fmt.Sprint("m", i), "lobby") },
					func(i int) { c.links[i%servers].Cut() }, func(i int) { c.links[i%servers].Mend() })
				problem = k.check(heard, false)
			})
		})
		if problem != "" {
			r.Fatal(problem)
		}
	})
}
