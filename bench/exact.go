package main

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// How exact the faults of sockeye run are, as ping and iperf3 measure them.

// pinged runs ping with flags and gives what a pattern's group finds in what it says.
func pinged(at, pattern string, flags ...string) (float64, error) {
	to, err := netip.ParseAddrPort(at)
	if err != nil {
		return 0, err
	}
	out, err := exec.Command("ping", append(flags, to.Addr().String())...).Output()
	m := regexp.MustCompile(pattern).FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("ping %q: %w: %s", flags, err, out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// delayOff is for a delay of 40 ms each way.
func delayOff(at string, d time.Duration) (map[string]float64, error) {
	const asked = 80.0
	n := max(5, int(d/(20*time.Millisecond)))
	mean, err := pinged(at, `rtt min/avg/max/mdev = [\d.]+/([\d.]+)/`, "-q", "-c", strconv.Itoa(n), "-i", "0.02")
	return map[string]float64{"off %": 100 * math.Abs(mean-asked) / asked}, err
}

// lossOff is for a loss of 5 % each way, which leaves 0.95² of the replies.
func lossOff(at string, d time.Duration) (map[string]float64, error) {
	const kept = 0.95 * 0.95
	n := max(200, int(d/(2*time.Millisecond)))
	got, err := pinged(at, `(\d+) received`, "-q", "-c", strconv.Itoa(n), "-i", "0.002", "-W", "0.5")
	sigma := math.Sqrt(float64(n) * kept * (1 - kept))
	return map[string]float64{"sigmas": math.Abs(got-kept*float64(n)) / sigma}, err
}

// rateOff is for a rate of 20 Mbit/s of packets, of which the payload is 1448 bytes in 1500. The first second,
// in which the connection grows, is left out.
func rateOff(flags ...string) load {
	const asked = 20e-3 * 1448 / 1500
	return func(at string, d time.Duration) (map[string]float64, error) {
		to, err := netip.ParseAddrPort(at)
		if err != nil {
			return nil, err
		}
		v, err := runIperf(context.Background(), to, append(flags, "-O", "1"), nil, max(d, 3*time.Second))
		return map[string]float64{"off %": 100 * math.Abs(v["Gbit/s"]-asked) / asked}, err
	}
}
