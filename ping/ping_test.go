package ping_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
	"sockeye/ping"
)

// inNamespace runs the rest of the test in a process that has a network
// namespace to itself, in which it is root. It gives false in the process that
// only looks on.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const mark = "PING_TEST_NAMESPACE"
	if os.Getenv(mark) != "" {
		run(t, "ip link set lo up")
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"=1", "GORACE=atexit_sleep_ms=0") // no pause at the end
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	t.Logf("in a namespace of its own:\n%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in a namespace of its own: %v", err)
	}
	return false
}

func run(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func inet(s string) sockeye.Sockaddr {
	return sockeye.SockaddrInet(netip.AddrPortFrom(netip.MustParseAddr(s), 0))
}

// replies asks and gives all that came back.
func replies(t *testing.T, to string, opt ping.Options) ([]ping.Reply, ping.Statistics) {
	t.Helper()
	p, err := ping.Open(kernel.Host(), inet(to), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Raw() == opt.Unprivileged {
		t.Errorf("Raw() = %v, want %v", p.Raw(), !opt.Unprivileged)
	}
	var all []ping.Reply
	for r, err := range p.Replies(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all, p.Statistics()
}

func TestLoopbackAnswersOverEitherKindOfSocket(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	run(t, "echo 0 0 > /proc/sys/net/ipv4/ping_group_range")
	for _, to := range []string{"127.0.0.1", "::1"} {
		for _, unprivileged := range []bool{false, true} {
			for _, size := range []int{0, 1, 56, 5000, ping.MaxSize} {
				opt := ping.Options{Count: 3, Interval: time.Millisecond, Size: size, Unprivileged: unprivileged}
				got, stats := replies(t, to, opt)
				what := fmt.Sprintf("%s, ping socket %v, %d bytes", to, unprivileged, size)
				if len(got) != 3 || stats.Sent != 3 || stats.Received != 3 || stats.Loss() != 0 {
					t.Errorf("%s: %d replies, %v", what, len(got), stats)
				}
				for i, r := range got {
					if r.Err != nil || r.Damaged || r.Duplicate || r.Seq != i+1 || r.Size != size+8 || r.TTL != 64 ||
						r.From != inet(to) || r.RTT <= 0 {
						t.Errorf("%s: reply %d is %+v", what, i, r)
					}
				}
				if stats.Min <= 0 || stats.Min > stats.Avg || stats.Avg > stats.Max {
					t.Errorf("%s: %v", what, stats)
				}
			}
		}
	}
}

// TestErrorsOfRoutersAreTold asks across a router in a second namespace.
func TestErrorsOfRoutersAreTold(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	router := exec.Command("cat")
	router.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	hold, err := router.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	defer router.Wait()
	defer hold.Close()
	run(t, strings.ReplaceAll(`
		echo 0 0 > /proc/sys/net/ipv4/ping_group_range
		ip link add here type veth peer name there
		ip link set there netns PID
		ip addr add 10.1.0.1/24 dev here
		ip -6 addr add fd01::1/64 dev here nodad
		ip link set here up
		nsenter -t PID -n sh -ec '
			echo 1 > /proc/sys/net/ipv4/ip_forward
			echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
			ip addr add 10.1.0.2/24 dev there
			ip -6 addr add fd01::2/64 dev there nodad
			ip link set there up
			ip link add far type veth peer name farther
			ip link set far up
			ip addr add 10.9.0.1/24 dev far
			ip -6 addr add fd09::1/64 dev far nodad
			ip route add unreachable 10.2.0.0/24
			ip route add prohibit 10.3.0.0/24
			ip -6 route add unreachable fd02::/64
		'
		ip route add default via 10.1.0.2
		# A router sends few errors to one address (icmp_ratelimit, icmp(7)).
		ip addr add 10.1.0.3/24 dev here
		ip route add 10.2.0.0/24 via 10.1.0.2 src 10.1.0.3
		ip addr add 10.1.0.4/24 dev here
		ip route add 10.3.0.0/24 via 10.1.0.2 src 10.1.0.4
		ip -6 route add default via fd01::2
	`, "PID", fmt.Sprint(router.Process.Pid)))
	for _, c := range []struct {
		to    string
		ttl   int
		text  string
		from  string
		errno error
	}{
		{"10.9.0.2", 1, "time to live exceeded", "10.1.0.2", syscall.EHOSTUNREACH},
		{"10.2.0.1", 0, "host unreachable", "10.1.0.2", syscall.EHOSTUNREACH},
		{"10.3.0.1", 0, "filtered", "10.1.0.2", syscall.EHOSTUNREACH},
		{"fd09::2", 1, "hop limit exceeded", "fd01::2", syscall.EHOSTUNREACH},
		{"fd02::1", 0, "no route", "fd01::2", syscall.ENETUNREACH},
	} {
		for _, unprivileged := range []bool{false, true} {
			opt := ping.Options{Count: 1, TTL: c.ttl, Unprivileged: unprivileged}
			got, stats := replies(t, c.to, opt)
			if len(got) != 1 || stats.Errors != 1 || stats.Received != 0 || stats.Loss() != 1 {
				t.Errorf("%s, ping socket %v: %+v, %v", c.to, unprivileged, got, stats)
			}
			for i, r := range got {
				var icmp *ping.ICMPError
				if !errors.As(r.Err, &icmp) || r.Err.Error() != c.text || r.From != inet(c.from) || r.Seq != i+1 || !errors.Is(r.Err, c.errno) {
					t.Errorf("%s, ping socket %v: %+v, want %q from %s (%v)", c.to, unprivileged, r, c.text, c.from, c.errno)
				}
			}
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	run(t, "ip link add veth0 type veth peer name veth1 && ip link set veth0 up && ip link set veth1 up && ip addr add 10.0.0.1/24 dev veth0 && "+
		"ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:01 dev veth0 nud permanent")
	got, stats := replies(t, "10.0.0.9", ping.Options{Count: 2, Interval: time.Millisecond, Timeout: time.Millisecond})
	if len(got) != 0 || stats.Sent != 2 || stats.Received != 0 || stats.Loss() != 1 {
		t.Errorf("%+v, %v", got, stats)
	}
	p, err := ping.Open(kernel.Host(), inet("198.51.100.1"), ping.Options{Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var last error
	for _, err := range p.Replies(t.Context()) {
		last = err
	}
	if !errors.Is(last, syscall.ENETUNREACH) {
		t.Errorf("a request that no route takes: %v, want ENETUNREACH", last)
	}
}

// TestDuplicatesAreCounted has somebody answer a second time, with other data.
func TestDuplicatesAreCounted(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	second, err := kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_RAW, sockeye.IPPROTO_ICMP)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := second.Recvfrom(b, 0)
			if err != nil {
				return
			}
			if icmp := b[20:n]; icmp[0] == 8 {
				// Type 8 becomes 0, and the data differs by 8 where it makes
				// up for that in the checksum.
				icmp[0], icmp[10] = 0, icmp[10]+8
				second.Sendto(icmp, 0, from)
			}
		}
	}()
	p, err := ping.Open(kernel.Host(), inet("127.0.0.1"), ping.Options{Interval: 10 * time.Millisecond, Size: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	seen := map[int]bool{}
	duplicates, damaged := 0, 0
	for r, err := range p.Replies(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Duplicate != seen[r.Seq] {
			t.Errorf("%+v: duplicate %v, want %v", r, r.Duplicate, seen[r.Seq])
		}
		seen[r.Seq] = true
		if r.Duplicate {
			duplicates++
		}
		if r.Damaged {
			damaged++
		}
		if duplicates == 3 {
			break
		}
	}
	if stats := p.Statistics(); stats.Duplicates != 3 || stats.Received != len(seen) || stats.Damaged != damaged || damaged < 3 {
		t.Errorf("%v; want 3 duplicates and %d damaged of %d", stats, damaged, len(seen))
	}
}

func TestWithoutPrivilegeTheErrorSaysWhatGivesIt(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	_, err := ping.Open(forbidding(), inet("127.0.0.1"), ping.Options{})
	if !errors.Is(err, syscall.EPERM) || !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), "ping_group_range") {
		t.Errorf("%v", err)
	}
}

// forbidding is a host that opens no raw socket, in a namespace that opens no
// ping socket.
func forbidding() *sockeye.Host { return sockeye.NewHost(noRaw{kernel.Host().Engine()}) }

type noRaw struct{ sockeye.Engine }

func (e noRaw) Socket(f sockeye.Family, t sockeye.Type, p sockeye.Protocol) (sockeye.Endpoint, error) {
	if t == sockeye.SOCK_RAW {
		return nil, syscall.EPERM
	}
	return e.Engine.Socket(f, t, p)
}

func TestRepliesEndWithTheContext(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, err := ping.Open(kernel.Host(), inet("127.0.0.1"), ping.Options{Interval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	n := 0
	for _, err := range p.Replies(ctx) {
		if err != nil {
			t.Error(err)
		}
		if n++; n == 5 {
			cancel()
		}
	}
	if stats := p.Statistics(); n != 5 || stats.Received != 5 {
		t.Errorf("%d replies, %v; want 5", n, stats)
	}
}

func TestStatisticsReadLikePing8(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s    ping.Statistics
		want string
	}{
		{ping.Statistics{Sent: 3, Elapsed: 2 * time.Second}, "3 packets transmitted, 0 received, 100% packet loss, time 2000ms"},
		{ping.Statistics{Sent: 3, Received: 2, Duplicates: 1, Errors: 1, Min: time.Millisecond, Avg: 1500 * time.Microsecond,
			Max: 2 * time.Millisecond, Mdev: 500 * time.Microsecond},
			"3 packets transmitted, 2 received, +1 duplicates, +1 errors, 33.33% packet loss, time 0ms\n" +
				"rtt min/avg/max/mdev = 1.000/1.500/2.000/0.500 ms"},
	} {
		if got := c.s.String(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestOptionsOutOfBoundsAreRefused(t *testing.T) {
	t.Parallel()
	for _, size := range []int{-1, ping.MaxSize + 1} {
		if _, err := ping.Open(kernel.Host(), inet("127.0.0.1"), ping.Options{Size: size}); err == nil {
			t.Errorf("size %d was taken", size)
		}
	}
}
