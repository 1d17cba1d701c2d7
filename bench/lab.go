package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"sockeye/lab"
	"sockeye/link"
)

// How fast the time of a lab goes: hosts on one switch, each with ten connections to others, on all of which
// programs send at a rate.

const (
	connectionsEach = 10
	pace            = 50 * time.Millisecond // between the writes on a connection
)

// simulated measures hosts that send so many bits per second on each of their connections.
func simulated(hosts, rate int) func(context.Context, string, options) (map[string]float64, error) {
	return func(ctx context.Context, _ string, o options) (map[string]float64, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		return printed(exec.CommandContext(ctx, self, "lab", strconv.Itoa(hosts), strconv.Itoa(rate), o.duration.String()))
	}
}

// runLab is "lab HOSTS RATE DURATION". Virtual time is for tests alone: so this process becomes one, and ends with it.
func runLab(_ context.Context, args []string) error {
	var hosts, rate int
	var d time.Duration
	if len(args) == 3 {
		hosts, _ = strconv.Atoi(args[0])
		rate, _ = strconv.Atoi(args[1])
		d, _ = time.ParseDuration(args[2])
	}
	if hosts <= connectionsEach || rate <= 0 || d <= 0 {
		return fmt.Errorf("lab %s: want HOSTS RATE DURATION, and more than %d hosts", strings.Join(args, " "), connectionsEach)
	}
	os.Args = os.Args[:1] // package testing reads them
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "lab", F: func(t *testing.T) {
		var v map[string]float64
		var err error
		synctest.Test(t, func(*testing.T) { v, err = simulate(hosts, rate, d) })
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(v)
		}
		exit(err)
	}}}, nil, nil)
	return nil
}

// realTime is the clock of the machine, also where package time has another.
func realTime() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano()), err
}

// simulate counts from when all connections are open until d has passed in reality.
func simulate(hosts, rate int, d time.Duration) (map[string]float64, error) {
	n := lab.Open(lab.Config{Seed: 1})
	var senders sync.WaitGroup
	defer senders.Wait() // time stands still when the first goroutine of a bubble has ended
	defer n.Close()
	lan := n.Switch("lan")
	var all []*lab.Host
	for i := range hosts {
		h := n.Host(fmt.Sprint("h", i))
		n.Link(h, lan, link.Faults{Delay: time.Millisecond, Rate: 1e9})
		all = append(all, h)
	}
	var received sync.Map // by connection: its count
	for _, h := range all {
		l := h.MustListen("tcp4", ":9")
		go drain(l, &received)
	}
	conns := make(chan net.Conn, hosts*connectionsEach)
	var dials sync.WaitGroup
	for i, h := range all {
		for k := range connectionsEach {
			to := all[(i+1+k)%hosts]
			dials.Go(func() {
				c, err := h.Dial("tcp4", to.Name()+":9")
				if err == nil {
					conns <- c
				}
			})
		}
	}
	dials.Wait()
	close(conns)
	if len(conns) != hosts*connectionsEach {
		return nil, errors.New("not all connections came about")
	}
	for c := range conns {
		senders.Go(func() { send(c, rate) })
	}
	start, err := realTime()
	begun, before := time.Now(), total(&received)
	for now := start; now-start < d && err == nil; now, err = realTime() {
		time.Sleep(pace)
	}
	end, err := realTime()
	over, took := time.Since(begun).Seconds(), (end - start).Seconds()
	bits := float64(total(&received)-before) * 8
	return map[string]float64{"s/s": over / took, "Mbit/s": bits / took / 1e6, "carried %": 100 * bits / over / float64(hosts*connectionsEach*rate)}, err
}

// A count is what a connection has received.
type count struct {
	sync.Mutex
	bytes int64
}

func total(received *sync.Map) (sum int64) {
	received.Range(func(c, _ any) bool {
		n := c.(*count)
		n.Lock()
		defer n.Unlock()
		sum += n.bytes
		return true
	})
	return sum
}

// drain takes what comes on a host's connections.
func drain(l net.Listener, received *sync.Map) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		n := new(count)
		received.Store(n, true)
		go func() {
			for buf := make([]byte, 1<<14); ; {
				k, err := c.Read(buf)
				n.Lock()
				n.bytes += int64(k)
				n.Unlock()
				if err != nil {
					return
				}
			}
		}()
	}
}

// send writes at a rate until the network is closed.
func send(c net.Conn, rate int) {
	for b := make([]byte, rate/8*int(pace/time.Millisecond)/1000); ; time.Sleep(pace) {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}
