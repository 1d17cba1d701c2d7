package stack_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sockeye/internal/leak"
	"sockeye/kernel"
)

var update = flag.Bool("update", false, "write what this machine's kernel answers to testdata/hostile")

// The machine's kernel still answers as it did when the transcripts were written.
func TestTheKernelAnswersHostilePacketsAsRecorded(t *testing.T) {
	leak.Check(t)
	for _, g := range groups() {
		want := transcripts(g.name)
		var all strings.Builder
		for _, s := range g.scenarios {
			t.Run(g.name+"/"+s.name, func(t *testing.T) {
				got := kernelHost(t, g.needs).run(s)
				fmt.Fprintf(&all, "== %s\n%s\n", s.name, got)
				if got != want[s.name] && !*update {
					t.Errorf("- as recorded\n%s+ this kernel\n%s", want[s.name], got)
				}
			})
		}
		if *update {
			if err := os.WriteFile(transcriptFile(g.name), []byte(all.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// kernelHost is an assault on the kernel, in a network namespace that ends with the test's thread.
// What is written into the device has been handled when write(2) returns.
func kernelHost(t testing.TB, n needs) *assault {
	t.Helper()
	runtime.LockOSThread() // never unlocked
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("unshare(CLONE_NEWNET): %v: this test makes a network namespace, for which it needs root", err)
	}
	set := func(name string, value any) {
		path := "/proc/sys/net/" + strings.ReplaceAll(name, ".", "/")
		if err := os.WriteFile(path, fmt.Append(nil, value), 0); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	req, _ := unix.NewIfreq("tun0")
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if n.ethernet {
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	}
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		t.Fatal(err)
	}
	set("ipv6.conf.tun0.accept_dad", 0)
	set("ipv6.conf.tun0.router_solicitations", 0)
	commands := []string{
		"link set lo up", "link set tun0 addrgenmode none", "addr add 10.0.0.1/24 brd 10.0.0.255 dev tun0",
		"link set tun0 up", "addr add fd00::1/64 nodad dev tun0", "addr add fe80::1/64 nodad dev tun0",
	}
	if n.gateway {
		commands = append(commands, "route add default via 10.0.0.254", "-6 route add default via fe80::fe dev tun0")
	}
	if n.ethernet {
		commands = slices.Insert(commands, 0, "link set tun0 address 02:00:00:00:00:01")
	}
	for _, c := range commands {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", c, err, out)
		}
	}
	if n.forwarding {
		set("ipv4.ip_forward", 1)
		set("ipv6.conf.all.forwarding", 1)
	}
	for _, s := range n.kernel {
		name, value, _ := strings.Cut(s, "=")
		set(name, value)
	}
	for _, ip := range []string{"fd00", "fe80"} { // a new address is in use a little later
		for want := ip + strings.Repeat("0", 27) + "1 80"; !strings.Contains(procNet("ipv6_route"), want); {
			runtime.Gosched()
		}
	}
	a := &assault{TB: t, host: kernel.Host(), ethernet: n.ethernet, count: nstat}
	a.send = func(b []byte) {
		if _, err := unix.Write(fd, b); err != nil {
			a.note("the device refuses it: %v", err)
		}
	}
	a.heard = func() (list [][]byte) {
		for {
			b := make([]byte, 65536)
			n, err := unix.Read(fd, b)
			if err != nil {
				return list
			}
			list = append(list, b[:n])
		}
	}
	a.heard()
	return a
}

// nstat reads the counters of the thread's network namespace.
func nstat() map[string]uint64 {
	m := make(map[string]uint64)
	put := func(name, value string) {
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			m[name] = n
		}
	}
	for _, file := range []string{"snmp", "netstat"} {
		lines := strings.Split(procNet(file), "\n")
		for i := 0; i+1 < len(lines); i += 2 {
			names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
			for k := 1; k < len(names); k++ {
				put(strings.TrimSuffix(names[0], ":")+names[k], values[k])
			}
		}
	}
	for line := range strings.Lines(procNet("snmp6")) {
		if f := strings.Fields(line); len(f) == 2 {
			put(f[0], f[1])
		}
	}
	return m
}

func procNet(file string) string {
	b, _ := os.ReadFile("/proc/thread-self/net/" + file)
	return string(b)
}
