package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sockeye/event"
	"sockeye/internal/iperf3"
	"sockeye/link"
	"sockeye/stack"
)

// iperf3 on the machine's kernel against what is behind a device of its own: a Go host or
// another kernel, in network namespaces that end with the load. A kernel that sends uses
// CUBIC, whatever the machine's default is.

// Other kernels that a load runs against.
const (
	veth  = "veth"  // at the other end of a veth pair
	linux = "linux" // behind the same link as the Go host
)

// The addresses at the two ends of the device.
var (
	kernelEnd = netip.MustParsePrefix("10.9.0.1/24")
	otherEnd  = netip.MustParsePrefix("10.9.0.2/24")
	served    = netip.AddrPortFrom(otherEnd.Addr(), 5201)
)

// An opener puts an iperf3 server behind a new device of the thread's namespace.
type opener func() (end func(), err error)

var (
	iperfServers = map[string]opener{
		ours: openHost, veth: openVeth, gvisorTUN: openGVisorTUN, gvisorPacket: openGVisorPacket,
	}
	impairedServers = map[string]opener{ours: openImpairedHost, linux: openImpairedKernel}
)

// behindDevice is iperf3 with flags against what peers open.
func behindDevice(peers map[string]opener, flags ...string) load {
	return func(peer string, d time.Duration) (map[string]float64, error) {
		open := peers[peer]
		if open == nil {
			return nil, fmt.Errorf("nothing behind a device is called %q", peer)
		}
		if err := newNamespace(); err != nil {
			return nil, err
		}
		end, err := open()
		if err != nil {
			return nil, err
		}
		defer end()
		return runIperf(context.Background(), served, append(flags, "-C", "cubic"), nil, d)
	}
}

// newNamespace takes the thread, and the programs that it starts, into a network namespace.
// The goroutine stays on the thread.
func newNamespace() error {
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare(CLONE_NEWNET): %w: a network namespace takes root", err)
	}
	return nil
}

// openHost is a Go host behind a TUN device.
func openHost() (end func(), err error) { return openHostBehind(link.Impairment{}) }

func openHostBehind(bad link.Impairment) (end func(), err error) {
	loop := event.New()
	dev, err := openTUN(loop, kernelEnd)
	if err != nil {
		return nil, err
	}
	var port link.Port = dev
	if bad.Seed != 0 {
		if port, err = link.Impair(loop, dev, bad); err != nil {
			return nil, err
		}
	}
	h := stack.NewHost(stack.Config{Loop: loop, Interfaces: []stack.Interface{
		{Name: "tun0", Port: port, Addrs: []netip.Prefix{otherEnd}},
	}})
	l, err := h.Sockets().Listen("tcp", served.String())
	if err != nil {
		return nil, err
	}
	go serveIperf(l)
	return func() {
		h.Close()
		loop.Close()
	}, nil
}

func serveIperf(l net.Listener) {
	for {
		if err := iperf3.Serve(l); err != nil {
			return // the client tells what it has met
		}
	}
}

// openTUN is a device that is up and has an address of the kernel's.
func openTUN(loop *event.Loop, at netip.Prefix) (*link.TUN, error) {
	dev, err := link.OpenTUN(loop, link.TUNOptions{})
	if err != nil {
		return nil, err
	}
	return dev, configure("", dev.Name(), at)
}

// configure gives a device an address and turns it on. The commands begin with a prefix.
func configure(prefix, device string, at netip.Prefix) error {
	return shell(
		fmt.Sprintf("%sip addr add %v dev %s", prefix, at, device),
		fmt.Sprintf("%sip link set up dev %s", prefix, device),
	)
}

// shell runs commands without quotes in them.
func shell(commands ...string) error {
	for _, command := range commands {
		args := strings.Fields(command)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", command, err, out)
		}
	}
	return nil
}

// openVeth is another kernel at the other end of a veth pair.
func openVeth() (end func(), err error) {
	server, err := startIperf(syscall.CLONE_NEWNET)
	if err != nil {
		return nil, err
	}
	pid := strconv.Itoa(server.Process.Pid)
	err = shell("ip link add veth0 type veth peer name veth1 netns " + pid)
	if err == nil {
		err = configure("nsenter -t "+pid+" -n ", "veth1", otherEnd)
	}
	if err == nil {
		err = configure("", "veth0", kernelEnd)
	}
	return func() { stopIperf(server) }, err
}

// startIperf starts iperf3's own server, and waits until it listens.
func startIperf(namespaces uintptr) (*exec.Cmd, error) {
	server := exec.Command(iperf, "-s", "--forceflush", "-p", strconv.Itoa(int(served.Port())))
	server.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL}
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	const ready = "Server listening"
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), ready) {
			go io.Copy(io.Discard, out)
			return server, nil
		}
	}
	stopIperf(server)
	return nil, fmt.Errorf("%s ended before it said %q", iperf, ready)
}

func stopIperf(server *exec.Cmd) {
	server.Process.Kill()
	server.Wait()
}
