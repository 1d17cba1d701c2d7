package ping_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"sockeye/kernel"
	"sockeye/ping"
)

// Opening a socket takes privilege, so this is not run.
func ExamplePinger_Replies() {
	p, err := ping.Open(kernel.Host(), inet("127.0.0.1"), ping.Options{Count: 3, Size: ping.DefaultSize})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	for r, err := range p.Replies(context.Background()) {
		switch {
		case err != nil:
			log.Fatal(err)
		case r.Err != nil:
			fmt.Println(r.Seq, r.Err)
		default:
			fmt.Println(r.Seq, r.RTT)
		}
	}
	fmt.Println(p.Statistics())
}

func ExampleStatistics_String() {
	fmt.Println(ping.Statistics{
		Sent: 4, Received: 3, Errors: 1, Elapsed: 3 * time.Second,
		Min: 28 * time.Microsecond, Avg: 31 * time.Microsecond, Max: 35 * time.Microsecond, Mdev: 3 * time.Microsecond,
	})
	// Output:
	// 4 packets transmitted, 3 received, +1 errors, 25% packet loss, time 3000ms
	// rtt min/avg/max/mdev = 0.028/0.031/0.035/0.003 ms
}
