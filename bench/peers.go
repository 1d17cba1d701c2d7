package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// programs are what the peers need that are not this program.
var programs = map[string]string{
	"socat": "socat", "socat-128k": "socat", "socat-recvfrom": "socat", "ncat": "ncat",
	"haproxy": "haproxy", "haproxy-splice": "haproxy", "pasta": "pasta", "slirp4netns": "slirp4netns",
}

// missingProgram names the program that a peer lacks.
func missingProgram(peer string) string {
	if program, ok := programs[peer]; ok && !installed(program) {
		return program
	}
	return ""
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// startRelay starts a relay from one port of 127.0.0.1 to another.
func startRelay(peer string, from, to int, o options) (*process, error) {
	socat := func(flags ...string) (*process, error) {
		return start("socat", append(flags, fmt.Sprintf("TCP4-LISTEN:%d,bind=127.0.0.1,reuseaddr,fork,backlog=512", from),
			"TCP4:"+loopback(to))...)
	}
	switch peer {
	case ours:
		if o.program != "" {
			return start(o.program, "relay", loopback(from), loopback(to))
		}
		return startSelf("serve", "relay", loopback(from), loopback(to))
	case "net":
		return startSelf("serve", "net-relay", loopback(from), loopback(to))
	case "socat":
		return socat()
	case "socat-128k":
		return socat("-b131072")
	case "ncat":
		return start("ncat", "-l", "-k", "--sh-exec", fmt.Sprintf("exec ncat 127.0.0.1 %d", to), "127.0.0.1", strconv.Itoa(from))
	case "haproxy":
		return startHaproxy(from, to, "")
	case "haproxy-splice":
		return startHaproxy(from, to, "option splice-request\n option splice-response\n")
	}
	return nil, fmt.Errorf("no relay is called %q", peer)
}

func startHaproxy(from, to int, options string) (*process, error) {
	f, err := os.CreateTemp("", "haproxy-*.cfg")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fmt.Fprintf(f, `global
 maxconn 4000
defaults
 mode tcp
 timeout connect 5s
 timeout client 60s
 timeout server 60s
listen relay
 bind 127.0.0.1:%d
 %s
 server target 127.0.0.1:%d
`, from, options, to)
	p, err := start("haproxy", "-db", "-f", f.Name())
	if err != nil {
		return nil, err
	}
	go func() {
		<-p.ended
		os.Remove(f.Name())
	}()
	return p, nil
}

// startEcho starts a UDP echo server at a port of 127.0.0.1.
func startEcho(peer string, at int, o options) (*process, error) {
	switch peer {
	case ours:
		if o.program != "" {
			return start(o.program, "echo", "udp://"+loopback(at))
		}
		return startSelf("serve", "echo", loopback(at))
	case "net":
		return startSelf("serve", "net-echo", loopback(at))
	case "socat":
		return start("socat", fmt.Sprintf("UDP4-LISTEN:%d,bind=127.0.0.1,fork", at), "PIPE")
	case "socat-recvfrom":
		return start("socat", fmt.Sprintf("UDP4-RECVFROM:%d,bind=127.0.0.1,fork", at), "PIPE")
	case "ncat":
		return start("ncat", "-u", "-l", "-k", "-e", "/bin/cat", "127.0.0.1", strconv.Itoa(at))
	}
	return nil, fmt.Errorf("no echo server is called %q", peer)
}

// direct is no relay at all.
const direct = "direct"

// behindRelay starts a target and a relay to it, and works on the relay.
func behindRelay(peer string, o options, target func(port int) (*process, error),
	work func(port int, running []*process) (map[string]float64, error)) (map[string]float64, error) {
	to, err := freePort("tcp")
	if err != nil {
		return nil, err
	}
	t, err := target(to)
	if err != nil {
		return nil, err
	}
	defer t.stop()
	if err := t.listens("tcp", to); err != nil {
		return nil, err
	}
	if peer == direct {
		return work(to, []*process{t})
	}
	from, err := freePort("tcp")
	if err != nil {
		return nil, err
	}
	r, err := startRelay(peer, from, to, o)
	if err != nil {
		return nil, err
	}
	defer r.stop()
	if err := r.listens("tcp", from); err != nil {
		return nil, err
	}
	return work(from, []*process{t, r})
}

const iperf = "iperf3"

// relayIperf runs iperf3 through a relay, with flags.
func relayIperf(flags ...string) func(context.Context, string, options) (map[string]float64, error) {
	return func(ctx context.Context, peer string, o options) (map[string]float64, error) {
		server := func(port int) (*process, error) {
			return start(iperf, "-s", "-B", "127.0.0.1", "-p", strconv.Itoa(port))
		}
		return behindRelay(peer, o, server, func(port int, running []*process) (map[string]float64, error) {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
			return runIperf(ctx, at, flags, running, o.duration)
		})
	}
}

func runIperf(ctx context.Context, at netip.AddrPort, flags []string, running []*process, d time.Duration) (map[string]float64, error) {
	seconds := int(math.Ceil(d.Seconds())) // iperf3 knows no shorter time
	args := append([]string{"-J", "-c", at.Addr().String(), "-p", strconv.Itoa(int(at.Port())), "-t", strconv.Itoa(seconds)}, flags...)
	client := exec.CommandContext(ctx, iperf, args...)
	out, err := client.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", client, err)
	}
	used := client.ProcessState.UserTime() + client.ProcessState.SystemTime()
	for _, p := range running {
		used += p.cpu()
	}
	var report struct {
		End struct {
			Received struct {
				Bits  float64 `json:"bits_per_second"`
				Bytes float64 `json:"bytes"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, err
	}
	received := report.End.Received
	if received.Bytes == 0 {
		return nil, errors.New("iperf3 received nothing")
	}
	return map[string]float64{"Gbit/s": received.Bits / 1e9, "Mbit/s": received.Bits / 1e6, "cpu-s/GB": used.Seconds() / (received.Bytes / 1e9)}, nil
}

// relayLoad works on a relay with a load of this program.
func relayLoad(name string) func(context.Context, string, options) (map[string]float64, error) {
	return func(ctx context.Context, peer string, o options) (map[string]float64, error) {
		server := func(port int) (*process, error) { return startSelf("serve", "one-answer", loopback(port)) }
		return behindRelay(peer, o, server, func(port int, _ []*process) (map[string]float64, error) {
			return values(ctx, "load", name, loopback(port), o.duration.String())
		})
	}
}

// echoLoad works on a UDP echo server.
func echoLoad(name string) func(context.Context, string, options) (map[string]float64, error) {
	return func(ctx context.Context, peer string, o options) (map[string]float64, error) {
		at, err := freePort("udp")
		if err != nil {
			return nil, err
		}
		p, err := startEcho(peer, at, o)
		if err != nil {
			return nil, err
		}
		defer p.stop()
		if err := p.listens("udp", at); err != nil {
			return nil, err
		}
		v, err := values(ctx, "load", name, loopback(at), o.duration.String())
		if err == nil && v["own"] > 0 {
			v["server-us/req"] = p.cpu().Seconds() * 1e6 / v["own"]
		}
		return v, err
	}
}

// libraryLoad is a load of this program on a library.
func libraryLoad(name string) func(context.Context, string, options) (map[string]float64, error) {
	return func(ctx context.Context, peer string, o options) (map[string]float64, error) {
		return values(ctx, "load", name, peer, o.duration.String())
	}
}
