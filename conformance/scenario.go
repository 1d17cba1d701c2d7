package conformance

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sockeye"
)

// A Scenario is a short run of socket calls with a name that tells its subject,
// such as "tcp/connect/to a port that nobody listens on".
type Scenario struct {
	Name  string
	Needs Needs
	body  func(x *calls)
}

// Needs is what a scenario needs of the host that it runs on, beyond what every
// host has: the loopback interface lo with index 1, 127.0.0.1/8 and ::1, and the
// Sysctls. No scenario may find a socket, connection or queue that another one
// left behind.
type Needs struct {
	// Unprivileged: whoever makes the calls has no capability (capabilities(7)).
	Unprivileged bool
	// Ethernet: there is an interface eth0 with index 2, an MTU of 1500, and the
	// addresses 192.0.2.1/24 (broadcast address 192.0.2.255), 2001:db8::1/64 and
	// fe80::1/64. At its far end nobody answers. Multicast and default routes
	// lead there: 192.0.2.254 and 2001:db8::fe are the next hops.
	Ethernet bool
	// Sysctls are settings that differ from those of the variable Sysctls, in
	// the same notation.
	Sysctls []string
}

// Sysctls are the settings of every host, as sysctl.conf(5) has them: Linux's own
// defaults where scenarios depend on them, and no limits on the rate of ICMP
// errors. A new host's net.ipv4.ping_group_range holds no group (1 0).
var Sysctls = []string{
	"net.core.somaxconn=4096",
	"net.unix.max_dgram_qlen=10",
	"net.ipv4.icmp_echo_ignore_broadcasts=1",
	"net.ipv4.icmp_ratemask=0",
	"net.ipv6.icmp.ratelimit=0",
	"net.ipv4.ip_default_ttl=64",
	"net.ipv4.ip_local_port_range=32768 60999",
	"net.ipv4.ip_unprivileged_port_start=1024",
	"net.ipv4.tcp_abort_on_overflow=0",
	"net.ipv4.tcp_congestion_control=reno", // which every kernel allows every namespace
	"net.ipv4.tcp_ecn=2",
	"net.ipv4.tcp_fastopen=1",
	"net.ipv4.tcp_fin_timeout=60",
	"net.ipv4.tcp_keepalive_intvl=75",
	"net.ipv4.tcp_keepalive_probes=9",
	"net.ipv4.tcp_keepalive_time=7200",
	"net.ipv4.tcp_max_syn_backlog=1024",
	"net.ipv4.tcp_rmem=4096 131072 6291456",
	"net.ipv4.tcp_sack=1",
	"net.ipv4.tcp_syn_retries=6",
	"net.ipv4.tcp_synack_retries=5",
	"net.ipv4.tcp_syncookies=1",
	"net.ipv4.tcp_timestamps=1",
	"net.ipv4.tcp_tw_reuse=2",
	"net.ipv4.tcp_window_scaling=1",
	"net.ipv4.tcp_wmem=4096 16384 4194304",
	"net.ipv6.bindv6only=0",
	"net.ipv6.conf.all.disable_ipv6=0",
	"net.ipv6.conf.all.hop_limit=64",
	"net.ipv6.conf.default.hop_limit=64",
	"net.ipv6.conf.lo.hop_limit=64",
}

// A Site is where scenarios run: a host fitted out as their Needs say, and what
// else of it they touch.
type Site struct {
	Host *sockeye.Host
	// Dir is where unix path names may be made: an empty directory whose name
	// has at most 80 bytes.
	Dir string
	// Unlink removes a path name that a unix socket left behind (unlink(2)).
	Unlink func(path string) error
	// Chmod sets the permissions of a unix socket's path name (chmod(2)).
	Chmod func(path string, mode uint32) error
	// RcvbufDefault, RcvbufMax, SndbufDefault and SndbufMax are the sysctls
	// net.core.rmem_default, rmem_max, wmem_default and wmem_max in bytes. They
	// belong to the machine, so transcripts tell them by name.
	RcvbufDefault, RcvbufMax, SndbufDefault, SndbufMax int
}

// A group is scenarios that share the first part of their names and a file in
// testdata.
type group struct {
	name      string
	scenarios []Scenario
}

func groups() []group {
	return []group{
		{"families", families()},
		{"states", states()},
		{"options", options()},
		{"bind", binds()},
		{"connect", connects()},
		{"listen", listens()},
		{"stream", streams()},
		{"datagram", datagrams()},
		{"icmp", icmpErrors()},
		{"pathmtu", pathMTUs()},
		{"unix", unixNames()},
		{"rights", unixRights()},
		{"ancillary", ancillary()},
		{"senttimes", sentTimes()},
		{"ipoptions", ipOptions()},
		{"multicast", multicasts()},
		{"raw", raws()},
		{"urgent", urgents()},
		{"wait", waits()},
		{"sequences", sequences()},
	}
}

// Scenarios gives every scenario, group by group.
func Scenarios() []Scenario {
	var all []Scenario
	for _, g := range groups() {
		for _, s := range g.scenarios {
			s.Name = g.name + "/" + s.Name
			all = append(all, s)
		}
	}
	return all
}

// Group is the first part of the scenario's name. Its golden transcript is in
// the file testdata/<group>.txt.
func (s Scenario) Group() string {
	group, _, _ := strings.Cut(s.Name, "/")
	return group
}

// patience bounds a scenario: it fails with the call that still waits then. It is far more than any scenario takes, so that a loaded machine gives
// the same transcript.
const patience = 30 * time.Second

// Run makes the scenario's calls at the site and gives the transcript, one line
// for each call. What differs from run to run is told in the order of its
// appearance: ephemeral ports are P1, P2 and so on. An error means that the
// scenario could not be brought to its end; the transcript then holds the calls
// up to there.
func Run(s Scenario, at Site) (transcript string, err error) {
	x := &calls{site: at, shared: newShared()}
	defer x.closeAll()
	defer func() {
		transcript = x.render()
		if r := recover(); r != nil {
			f, ok := r.(failure)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("scenario %q: %w", s.Name, f.error)
		}
	}()
	s.body(x)
	if len(x.lines) == 0 {
		x.fail("it makes no calls")
	}
	return "", nil
}

// A failure ends a scenario that cannot go on.
type failure struct{ error }

func (x *calls) fail(format string, args ...any) {
	panic(failure{fmt.Errorf(format, args...)})
}

var errNotOpen = errors.New("a call on a socket that could not be opened")
