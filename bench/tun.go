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

// iperf3 on the machine's kernel, against a host behind a TUN device and against another
// kernel behind a veth pair, both in a network namespace of the load's own. The kernel's
// side uses CUBIC, whatever the machine's default is.

// The two ends of the device.
var (
	kernelEnd = netip.MustParsePrefix("10.9.0.1/24")
	otherEnd  = netip.MustParsePrefix("10.9.0.2/24")
)

const iperfPort = 5201

// veth is the peer that is the kernel itself.
const veth = "veth"

// behindDevice is iperf3 with flags against the end of a device.
func behindDevice(flags ...string) load {
	return func(peer string, d time.Duration) (map[string]float64, error) {
		// The namespace is this thread's, and that of the programs that it starts.
		runtime.LockOSThread()
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			return nil, fmt.Errorf("unshare(CLONE_NEWNET): %w: a network namespace takes root", err)
		}
		open := map[string]func() (func(), error){ours: openTUNHost, veth: openVeth}[peer]
		if open == nil {
			return nil, fmt.Errorf("nothing behind a device is called %q", peer)
		}
		end, err := open()
		if err != nil {
			return nil, err
		}
		defer end()
		at := netip.AddrPortFrom(otherEnd.Addr(), iperfPort)
		return runIperf(context.Background(), at, append(flags, "-C", "cubic"), nil, d)
	}
}

// openTUNHost is a Go host with an iperf3 server, behind a TUN device.
func openTUNHost() (end func(), err error) {
	loop := event.New()
	dev, err := link.OpenTUN(loop, link.TUNOptions{})
	if err != nil {
		return nil, err
	}
	h := stack.NewHost(stack.Config{Loop: loop, Interfaces: []stack.Interface{
		{Name: "tun0", Port: dev, Addrs: []netip.Prefix{otherEnd}},
	}})
	end = func() {
		h.Close()
		loop.Close()
	}
	if err := configure(dev.Name()); err != nil {
		end()
		return nil, err
	}
	l, err := h.Sockets().Listen("tcp", netip.AddrPortFrom(otherEnd.Addr(), iperfPort).String())
	if err != nil {
		end()
		return nil, err
	}
	go serveIperf(l)
	return end, nil
}

func serveIperf(l net.Listener) {
	for {
		if err := iperf3.Serve(l); err != nil {
			return // the client tells what it has met
		}
	}
}

// configure gives a device the kernel's address, and turns it on.
func configure(device string) error {
	return shell(
		fmt.Sprintf("ip addr add %v dev %s", kernelEnd, device),
		"ip link set up dev "+device,
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

// openVeth is iperf3 itself in another namespace, at the other end of a veth pair.
func openVeth() (end func(), err error) {
	server := exec.Command(iperf, "-s", "-1", "--forceflush", "-p", strconv.Itoa(iperfPort))
	server.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	end = func() {
		server.Process.Kill()
		server.Wait()
	}
	pid := strconv.Itoa(server.Process.Pid)
	inside := "nsenter -t " + pid + " -n "
	err = shell("ip link add veth0 type veth peer name veth1 netns "+pid,
		fmt.Sprintf("%sip addr add %v dev veth1", inside, otherEnd), inside+"ip link set up dev veth1")
	if err == nil {
		err = configure("veth0")
	}
	if err == nil {
		err = awaitLine(out, "Server listening")
	}
	if err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// awaitLine reads until a line begins with a prefix, and passes over the rest.
func awaitLine(out io.Reader, prefix string) error {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), prefix) {
			go io.Copy(io.Discard, out)
			return nil
		}
	}
	return fmt.Errorf("%s ended before it said %q", iperf, prefix)
}
