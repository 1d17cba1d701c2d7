package networks_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sockeye/lab"
	"sockeye/link"
)

// A partition of seconds can end in an outage of hours. While the network was parted, requests piled up; when
// it is whole again they all come at once, each again and again after its timeout, and the server spends its time on
// requests that nobody waits for any more. It is sound, the network is sound, the load is what it always was, and it
// never recovers (Bronson et al., Metastable Failures in Distributed Systems, HotOS 2021). Clients that wait longer after
// each failure, and not all equally long, let it.
func TestARetryStormOutlivesThePartition(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pause func(attempt int) time.Duration
		heals bool
	}{
		{"clients that try again at once", func(int) time.Duration { return 0 }, false},
		{"clients that back off, with jitter", func(attempt int) time.Duration {
			d := time.Second << attempt // which leaves time for three attempts: 9 a second of all clients, at the worst
			return d + rand.N(d)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := lab.New(t)
				core := n.Switch("core")
				server := n.Host("server")
				n.Link(server, core)
				var clients []*client
				for _, name := range []string{"ann", "ben", "cho"} {
					h := n.Host(name)
					n.Link(h, core, link.Faults{Delay: 5 * time.Millisecond})
					clients = append(clients, &client{http: &http.Client{Transport: h.Transport()}, pause: tt.pause})
				}
				ctx, stop := context.WithCancel(t.Context())
				go http.Serve(server.MustListen("tcp", ":80"), worker(ctx, 80*time.Millisecond)) // 12 requests/s
				for _, c := range clients {
					go c.run(ctx) // 3 requests/s of all
				}

				before := answered(clients, 10*time.Second)
				n.Isolate(server)
				during := answered(clients, 10*time.Second)
				n.Join()
				answered(clients, 20*time.Second)
				after := answered(clients, 10*time.Second)
				stop()
				synctest.Wait()

				t.Logf("requests answered in 10 s: %d before, %d during, %d 20 s after the partition", before, during, after)
				if before < 28 || during > 3 {
					t.Errorf("%d requests of 30 were answered before the partition, %d during it", before, during)
				}
				if healed := after > before*9/10; healed != tt.heals {
					t.Errorf("healed: %v, want %v", healed, tt.heals)
				}
			})
		})
	}
}

// worker answers requests one after the other, whether anybody still waits for them or not.
func worker(ctx context.Context, each time.Duration) http.Handler {
	turn := make(chan bool, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case turn <- true:
			sleep(ctx, each)
			<-turn
		case <-ctx.Done():
		}
		io.WriteString(w, "done")
	})
}

// A client makes requests, and each of them until it is answered.
type client struct {
	http     *http.Client
	pause    func(attempt int) time.Duration
	answered atomic.Int64
}

// run makes a new request each second. Who asked for it waits for ten.
func (c *client) run(ctx context.Context) {
	defer c.http.CloseIdleConnections()
	for ctx.Err() == nil {
		go func() {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			for attempt := 0; ctx.Err() == nil; attempt++ {
				if c.try(ctx) == nil {
					c.answered.Add(1)
					return
				}
				sleep(ctx, c.pause(attempt))
			}
		}()
		sleep(ctx, time.Second)
	}
}

// try makes a request once, and waits for half a second.
func (c *client) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://server/", nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.ReadAll(resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return err
}

// answered is how many requests were answered in a while.
func answered(clients []*client, while time.Duration) (n int64) {
	for _, c := range clients {
		c.answered.Store(0)
	}
	time.Sleep(while)
	for _, c := range clients {
		n += c.answered.Load()
	}
	return n
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
