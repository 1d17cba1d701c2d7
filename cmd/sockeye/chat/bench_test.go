package chat_test

import (
	"fmt"
	"sync"
	"testing"

	"sockeye"
	"sockeye/cmd/sockeye/chat"
	"sockeye/kernel"
)

// What is said in a room of 1,000 is told 1,000 times. The members are in the same process, so
// half of the time is theirs.
func BenchmarkARoomOf1000(b *testing.B) {
	h := kernel.Host()
	w := &world{t: b, server: h, members: []*sockeye.Host{h}, at: "127.0.0.1:0"}
	w.serve(chat.Options{Rate: -1})
	defer w.stop()
	const members, batch = 1000, 20
	var heard sync.WaitGroup
	var guests []*guest
	for i := range members {
		guests = append(guests, w.join(fmt.Sprint("m", i), "lobby"))
	}
	for _, g := range guests {
		go func() {
			for {
				line, err := g.r.ReadSlice('\n')
				if err != nil {
					return
				}
				if line[0] == '[' && line[len("[lobby] ")] != '*' {
					heard.Done()
				}
			}
		}()
	}
	messages := 0
	for b.Loop() {
		heard.Add(members * batch)
		for range batch {
			guests[0].say("what is said in a room is told to all who are there")
		}
		heard.Wait()
		messages += batch
	}
	b.ReportMetric(float64(messages)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(messages*members)/b.Elapsed().Seconds(), "deliveries/s")
}
