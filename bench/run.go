package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"sockeye"
)

// Programs on networks of their own, behind a gateway without privileges: sockeye run, and the peers pasta
// and slirp4netns. The machine is a network namespace of the load's own, and the program reaches the
// machine's loopback at an address that each gateway has for it.

// behindGateway measures what a load does behind a peer's gateway, with a server of the machine. The flags are
// those of sockeye run.
func behindGateway(server, inner string, mtu int, flags ...string) func(context.Context, string, options) (map[string]float64, error) {
	return func(ctx context.Context, peer string, o options) (map[string]float64, error) {
		if peer == ours {
			program, err := theCommand(ctx, o)
			if err != nil {
				return nil, err
			}
			peer = program
		}
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		args := append([]string{"behind", peer, server, inner, strconv.Itoa(mtu), o.duration.String()}, flags...)
		cmd := exec.CommandContext(ctx, self, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		return printed(cmd)
	}
}

var built struct {
	sync.Once
	path string
	err  error
}

// theCommand is the path of the command sockeye, which is built if there is none.
func theCommand(ctx context.Context, o options) (string, error) {
	if o.program != "" {
		return filepath.Abs(o.program)
	}
	built.Do(func() {
		var dir string
		if dir, built.err = os.MkdirTemp("", "sockeye"); built.err == nil {
			built.path = filepath.Join(dir, "sockeye")
			_, built.err = goCommand(ctx, "build", "-o", built.path, "sockeye/cmd/sockeye")
		}
	})
	return built.path, built.err
}

// runBehind is "behind PEER SERVER LOAD MTU DURATION [FLAGS]", in a network namespace of its own: PEER is a name, or
// the path of the command sockeye.
func runBehind(_ context.Context, args []string) error {
	if len(args) < 5 {
		return fmt.Errorf("behind %s: want PEER SERVER LOAD MTU DURATION", strings.Join(args, " "))
	}
	peer, server, inner, mtu, d := args[0], args[1], args[2], args[3], args[4]
	// pasta copies the addresses and routes of an interface that leads to the world.
	if err := shell("ip link set up dev lo", "ip link add wan type veth peer name world", "ip link set up dev world",
		"ip link set up dev wan", "ip addr add 203.0.113.5/24 dev wan", "ip route add default via 203.0.113.1"); err != nil {
		return err
	}
	var p *process
	var err error
	if server == iperf {
		p, err = start(iperf, "-s", "-p", strconv.Itoa(int(served.Port())))
	} else {
		p, err = startSelf("serve", server, netip.AddrPortFrom(netip.IPv4Unspecified(), served.Port()).String())
	}
	if err != nil {
		return err
	}
	defer p.stop()
	if err := p.listens("tcp", int(served.Port())); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	work := func(machine string) []string {
		return []string{self, "load", inner, machine + ":" + strconv.Itoa(int(served.Port())), d}
	}
	var line []string
	switch peer {
	case direct:
		line = work("127.0.0.1")
	case "pasta":
		line = append([]string{"pasta", "-4", "--config-net", "--runas", "0", "--mtu", mtu, "--quiet", "--"}, work("203.0.113.1")...)
	case "slirp4netns":
		end, enter, err := openSlirp(mtu)
		if err != nil {
			return err
		}
		defer end()
		line = append(enter, work("10.0.2.2")...)
	default:
		line = slices.Concat([]string{peer, "run", "--host-loopback", "--mtu", mtu}, args[5:], []string{"--"}, work("198.18.0.3"))
	}
	v, err := printed(exec.Command(line[0], line[1:]...))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(v)
}

// openSlirp makes a network namespace behind slirp4netns, and gives the command that enters it.
func openSlirp(mtu string) (end func(), enter []string, err error) {
	inside := exec.Command("sleep", "infinity")
	inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := inside.Start(); err != nil {
		return nil, nil, err
	}
	pid := strconv.Itoa(inside.Process.Pid)
	ready, theirs, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	slirp := exec.Command("slirp4netns", "--configure", "--mtu="+mtu, "--ready-fd=3", pid, "tap0")
	slirp.ExtraFiles = []*os.File{theirs}
	slirp.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	end = func() {
		for _, p := range []*exec.Cmd{slirp, inside} {
			if p.Process != nil {
				p.Process.Kill()
				p.Wait()
			}
		}
	}
	err = slirp.Start()
	theirs.Close()
	if err == nil {
		_, err = bufio.NewReader(ready).ReadByte()
	}
	if err != nil {
		end()
		return nil, nil, fmt.Errorf("slirp4netns: %w", err)
	}
	return end, []string{"nsenter", "-t", pid, "-n"}, nil
}

// iperfClient is iperf3 with flags.
func iperfClient(flags ...string) load {
	return func(at string, d time.Duration) (map[string]float64, error) {
		to, err := netip.ParseAddrPort(at)
		if err != nil {
			return nil, err
		}
		return runIperf(context.Background(), to, flags, nil, d)
	}
}

// turns counts how often one byte goes there and back on one connection.
func turns(at string, d time.Duration) (map[string]float64, error) {
	to, err := netip.ParseAddrPort(at)
	if err != nil {
		return nil, err
	}
	s, err := connect(context.Background(), sockeye.SockaddrInet(to))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := sockeye.TCP_NODELAY.Set(s, true); err != nil {
		return nil, err
	}
	b := [1]byte{'x'}
	n, start := 0, time.Now()
	for ; time.Since(start) < d; n++ {
		if _, err := s.Send(b[:], 0); err != nil {
			return nil, err
		}
		if k, err := s.Recv(b[:], 0); k != 1 {
			return nil, fmt.Errorf("%d bytes came back: %w", k, err)
		}
	}
	return map[string]float64{"turns/s": float64(n) / time.Since(start).Seconds()}, nil
}
