//go:build linux && !386 && !s390x

package random_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	. "sockeye"
	"sockeye/conformance"
	"sockeye/event"
	"sockeye/kernel"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
	"sockeye/stack/sock"
)

// A kernelPair is two hosts that are network namespaces. It gives a part of them that nobody has used.
type kernelPair struct {
	namespaces [2]*os.File
	dir        string
	made       int
}

// sysctls are the settings of the two hosts, besides conformance.Sysctls: no program
// learns of another one by what the host remembers of a path, or by how many errors it has sent.
var sysctls = append([]string{
	"net.ipv4.tcp_no_metrics_save=1",
	"net.ipv6.icmp.ratemask=255",
	"net.ipv4.ping_group_range=0 0",
}, conformance.Sysctls...)

// testingTB is what a testing.TB and a rapid.T have in common.
type testingTB interface {
	Helper()
	Fatal(args ...any)
}

// newKernelPair makes a pair. The calling goroutine stays on its thread, which is in the namespace of the
// first host.
func newKernelPair(t *testing.T) *kernelPair {
	runtime.LockOSThread()
	dir, err := os.MkdirTemp("", "r")
	fail(t, err)
	k := &kernelPair{dir: dir}
	t.Cleanup(func() {
		k.unplug()
		os.RemoveAll(dir)
	})
	k.plug(t)
	return k
}

// plug makes two namespaces with a cable between them.
func (k *kernelPair) plug(t testingTB) {
	t.Helper()
	k.unplug()
	k.made = 0
	for i := range k.namespaces {
		fail(t, unix.Unshare(unix.CLONE_NEWNET))
		for _, s := range sysctls {
			name, value, _ := strings.Cut(s, "=")
			fail(t, os.WriteFile(filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/")), []byte(value), 0))
		}
		f, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		fail(t, err)
		k.namespaces[i] = f
	}
	k.on(1, func() { ip(t, "link set lo up") })
	fail(t, k.enter(0))
	ip(t, `link set lo up
link add eth0 index 2 address 02:00:00:00:00:01 type veth peer name eth0 index 2 address 02:00:00:00:00:02 netns /proc/self/fd/3`, k.namespaces[1])
	for i := range k.namespaces {
		// Neighbours that are known from the start: nothing waits for them to answer.
		k.on(i, func() {
			ip(t, strings.NewReplacer("ME", strconv.Itoa(i+1), "PEER", strconv.Itoa(2-i)).Replace(`link set eth0 addrgenmode none
link set eth0 up
addr add 192.0.2.ME/24 brd 192.0.2.255 dev eth0
addr add 2001:db8::ME/64 dev eth0 nodad
neigh add 192.0.2.PEER lladdr 02:00:00:00:00:0PEER dev eth0 nud permanent
neigh add 2001:db8::PEER lladdr 02:00:00:00:00:0PEER dev eth0 nud permanent`))
		})
	}
	k.await(t)
}

func (k *kernelPair) unplug() {
	for _, f := range k.namespaces {
		f.Close() // of nil: an error that is well
	}
}

func fail(t testingTB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ip(t testingTB, lines string, files ...*os.File) {
	t.Helper()
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(lines)
	cmd.ExtraFiles = files
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("ip (of iproute2): %w: %s", err, bytes.TrimSpace(out)))
	}
}

func (k *kernelPair) enter(host int) error {
	return unix.Setns(int(k.namespaces[host].Fd()), unix.CLONE_NEWNET)
}

// on runs f with the thread in the namespace of a host.
func (k *kernelPair) on(host int, f func()) {
	if host == 0 {
		f()
		return
	}
	if err := k.enter(host); err != nil {
		panic(err)
	}
	f()
	if err := k.enter(0); err != nil {
		panic(err)
	}
}

// await waits until packets go through the cable: Linux takes its time to notice that it is plugged in.
func (k *kernelPair) await(t testingTB) {
	for _, f := range []Family{AF_INET, AF_INET6} {
		near, far := k.udp(t, 0, f), k.udp(t, 1, f)
		defer near.Close()
		defer far.Close()
		to := sockaddr(netip.MustParseAddr(cable[f][1]), 9)
		fail(t, far.Bind(to))
		for {
			_, err := near.Sendto([]byte("x"), 0, to)
			fail(t, err)
			far.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			if _, err = far.Recv(make([]byte, 1), 0); err == nil {
				break
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		}
	}
}

func (k *kernelPair) udp(t testingTB, host int, f Family) (s *Socket) {
	k.on(host, func() {
		var err error
		s, err = kernel.Host().Socket(f, SOCK_DGRAM, 0)
		fail(t, err)
	})
	return s
}

// most is how many programs a pair of namespaces is used for.
const most = 5000

// network is ports that nobody has used: connections leave some behind, in TIME-WAIT.
func (k *kernelPair) network(t testingTB) network {
	if k.made == most {
		k.plug(t)
	}
	port := 1024 + k.made*ports
	k.made++
	return network{hosts: [2]*Host{kernel.Host(), kernel.Host()}, on: k.on, dir: k.dir, port: uint16(port)}
}

// onGo calls f with two hosts of the Go engine.
func onGo(f func(n network)) {
	core, ipv := sock.DefaultSysctl(), inet.DefaultSysctl()
	core.MaxDgramQlen = 10
	ipv.PingGroupRange = [2]uint32{0, 0}
	ipv.TCP.Congestion = "reno"
	ipv.ICMPRateMask, ipv.ICMP6RateLimit, ipv.ICMPMsgsBurst = 0, 0, math.MaxInt32
	loop := event.New()
	near, far := link.Cable(loop, link.CableOptions{Ethernet: true, MaxGSO: link.MaxGSO, Checksum: link.ChecksumByLink})
	n := network{on: func(_ int, f func()) { f() }, dir: "/run", port: 1024}
	var hosts [2]*stack.Host
	for i, port := range []link.Port{near, far} {
		var addrs []netip.Prefix
		for _, f := range []Family{AF_INET, AF_INET6} {
			ip := netip.MustParseAddr(cable[f][i])
			addrs = append(addrs, netip.PrefixFrom(ip, map[bool]int{true: 24, false: 64}[ip.Is4()]))
		}
		hosts[i] = stack.NewHost(stack.Config{
			Privileged: true, Sysctl: &core, Inet: &ipv, Loop: loop, Seed: uint64(i),
			Interfaces:  []stack.Interface{{Name: "eth0", Port: port, Addrs: addrs}},
			Credentials: Credentials{PID: 1, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())},
		})
		n.hosts[i] = hosts[i].Sockets()
	}
	defer func() {
		hosts[0].Close()
		hosts[1].Close()
		loop.Close()
	}()
	f(n)
}
