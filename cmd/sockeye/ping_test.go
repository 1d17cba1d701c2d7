package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// scripted starts the command, as "$0", in a script that may change the network
// namespace that it has to itself, in which it is root.
func scripted(t *testing.T, script string) *process {
	t.Helper()
	return start(t, inNamespace(exec.Command("/bin/sh", "-ec", "ip link set lo up; "+script, os.Args[0]), 0))
}

func TestPingTellsRepliesAndStatistics(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "::1", "localhost", "icmp://127.0.0.1"} {
		p := scripted(t, `exec "$0" ping -c 3 -i 0.001 `+host)
		if status := p.status(); status != 0 {
			t.Errorf("status %d", status)
		}
		want := regexp.MustCompile(`^PING ` + regexp.QuoteMeta(host) + ` \(\S+\): 56 data bytes
64 bytes from \S+: seq=1 ttl=64 time=\d+\.\d{3} ms
64 bytes from \S+: seq=2 ttl=64 time=\d+\.\d{3} ms
64 bytes from \S+: seq=3 ttl=64 time=\d+\.\d{3} ms

--- ` + regexp.QuoteMeta(host) + ` ping statistics ---
3 packets transmitted, 3 received, 0% packet loss, time \d+ms
rtt min/avg/max/mdev = [\d./]+ ms
$`)
		if got := p.out.text(); !want.MatchString(got) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestPingGivesJSON(t *testing.T) {
	t.Parallel()
	for _, unprivileged := range []string{"", "--unprivileged"} {
		p := scripted(t, `echo 0 0 > /proc/sys/net/ipv4/ping_group_range; exec "$0" ping --json -c 2 -i 1ms -s 100 `+unprivileged+` 127.0.0.1`)
		if status := p.status(); status != 0 {
			t.Errorf("status %d", status)
		}
		lines := strings.Split(strings.TrimSpace(p.out.text()), "\n")
		if len(lines) != 3 {
			t.Fatalf("%d lines: %q", len(lines), lines)
		}
		var r pingReply
		if err := json.Unmarshal([]byte(lines[1]), &r); err != nil || r.RTT <= 0 {
			t.Errorf("%s: %v", lines[1], err)
		}
		r.RTT = 0
		if want := (pingReply{Event: "reply", Seq: 2, From: "127.0.0.1", Bytes: 108, TTL: 64}); r != want {
			t.Errorf("reply %+v, want %+v", r, want)
		}
		var s pingStatistics
		if err := json.Unmarshal([]byte(lines[2]), &s); err != nil || s.Event != "statistics" || s.Sent != 2 || s.Received != 2 || s.Max < s.Min {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

func TestPingsStatusTellsHowItWent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, script string
		status       int
		out, err     string
	}{
		{"nobody answers", `ip route add 198.51.100.0/24 dev lo; exec "$0" ping -c 2 -i 0.001 -W 0.01 198.51.100.1`, 1,
			"2 packets transmitted, 0 received, 100% packet loss", "^$"},
		{"no route", `exec "$0" ping -c 1 198.51.100.1`, 2, "^$",
			`^sockeye: ping 198\.51\.100\.1: network is unreachable: no route leads there\n$`},
		{"no address of the family", `exec "$0" ping -6 127.0.0.1`, 2, "^$", "is an IPv4 address|no address of this family"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := scripted(t, c.script)
			if status := p.status(); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			for text, want := range map[string]string{p.out.text(): c.out, p.err.text(): c.err} {
				if !regexp.MustCompile(want).MatchString(text) {
					t.Errorf("%q, want %q", text, want)
				}
			}
		})
	}
}

func TestPingWithoutPrivilegeSaysWhatGivesIt(t *testing.T) {
	t.Parallel()
	script := `ip link set lo up; exec unshare --user --map-user=1000 "$0" ping -c 1 127.0.0.1`
	p := start(t, inNamespace(exec.Command("/bin/sh", "-ec", script, os.Args[0]), 0))
	p.fails(2, "ping 127.0.0.1: no privilege for a raw socket (operation not permitted: it takes root or CAP_NET_RAW) nor for a "+
		"ping socket (permission denied: it takes a group within the sysctl net.ipv4.ping_group_range)")
}

func TestPingTellsItsStatisticsWhenInterrupted(t *testing.T) {
	t.Parallel()
	p := scripted(t, `exec "$0" ping -i 0.001 127.0.0.1`)
	p.out.await(t, "seq=3 ")
	p.signal(os.Interrupt)
	if status := p.status(); status != 0 {
		t.Errorf("status %d", status)
	}
	p.out.await(t, " packet loss, time ")
}
