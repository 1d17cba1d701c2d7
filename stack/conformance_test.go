package stack_test

import (
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sockeye"
	"sockeye/conformance"
	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
	"sockeye/stack/sock"
	"sockeye/stack/tcp"
)

// site fits a host out as a scenario needs it.
func site(t *testing.T, needs conformance.Needs) conformance.Site {
	core, ip := sock.DefaultSysctl(), inet.DefaultSysctl()
	for _, s := range slices.Concat(conformance.Sysctls, needs.Sysctls) {
		name, value, _ := strings.Cut(s, "=")
		sysctl(t, &core, &ip, name, strings.Fields(value))
	}
	c := stack.Config{Privileged: !needs.Unprivileged, Sysctl: &core, Inet: &ip, Credentials: sockeye.Credentials{
		PID: int32(os.Getpid()), UID: uint32(os.Getuid()), GID: uint32(os.Getgid()),
	}}
	if needs.Ethernet {
		c.Loop = event.New()
		t.Cleanup(c.Loop.Close)
		near, _ := link.Cable(c.Loop, link.CableOptions{Ethernet: true})
		c.Interfaces = []stack.Interface{{Name: "eth0", Port: near, Addrs: []netip.Prefix{
			netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64"), netip.MustParsePrefix("fe80::1/64"),
		}}}
		c.Routes = []stack.Route{
			{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.254")},
			{Dst: netip.MustParsePrefix("ff00::/8"), Interface: "eth0"},
			{Dst: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("2001:db8::fe")},
		}
	}
	h := stack.NewHost(c)
	t.Cleanup(func() { h.Close() })
	host := h.Sockets()
	return conformance.Site{
		Host: host, Dir: "/run", Unlink: host.Unlink, Chmod: h.Chmod,
		RcvbufDefault: core.RmemDefault, RcvbufMax: core.RmemMax, SndbufDefault: core.WmemDefault, SndbufMax: core.WmemMax,
	}
}

// sysctl sets what a host has of the settings that scenarios name.
func sysctl(t *testing.T, core *sock.Sysctl, ip *inet.Sysctl, name string, values []string) {
	v := make([]int, len(values))
	for i, s := range values {
		v[i], _ = strconv.Atoi(s) // names, such as that of a congestion control, are TCP's
	}
	switch name {
	case "net.core.somaxconn":
		core.Somaxconn = v[0]
	case "net.unix.max_dgram_qlen":
		core.MaxDgramQlen = v[0]
	case "net.ipv4.ip_default_ttl":
		ip.DefaultTTL = uint8(v[0])
	case "net.ipv6.conf.lo.hop_limit":
		ip.DefaultHopLimit = uint8(v[0])
	case "net.ipv4.ip_local_port_range":
		ip.LocalPortRange = [2]uint16{uint16(v[0]), uint16(v[1])}
	case "net.ipv4.ip_unprivileged_port_start":
		ip.UnprivilegedPortStart = uint16(v[0])
	case "net.ipv4.ip_nonlocal_bind":
		ip.NonlocalBind = v[0] != 0
	case "net.ipv4.ping_group_range":
		ip.PingGroupRange = [2]uint32{uint32(v[0]), uint32(v[1])}
	case "net.ipv4.neigh.eth0.mcast_solicit":
		ip.NeighbourProbes = v[0]
	case "net.ipv4.neigh.eth0.retrans_time_ms":
		ip.NeighbourRetrans = time.Duration(v[0]) * time.Millisecond
	case "net.ipv4.icmp_ratemask":
		ip.ICMPRateMask = uint32(v[0])
	case "net.ipv6.icmp.ratelimit":
		ip.ICMP6RateLimit = time.Duration(v[0]) * time.Millisecond
	case "net.ipv4.conf.all.accept_source_route":
		ip.AcceptSourceRoute = v[0] != 0
	case "net.ipv6.bindv6only":
		ip.BindV6Only = v[0] != 0
	case "net.ipv4.ip_nonlocal_bind6", "net.ipv6.ip_nonlocal_bind", "net.ipv4.icmp_echo_ignore_broadcasts", "net.ipv6.conf.all.disable_ipv6",
		"net.ipv4.conf.lo.accept_source_route", "net.ipv6.conf.all.hop_limit", "net.ipv6.conf.default.hop_limit": // always so, or the same as another
	default:
		set, ok := strings.CutPrefix(name, "net.ipv4.tcp_")
		if !ok || !sysctlTCP(&ip.TCP, set, values[0], v) {
			t.Fatalf("a scenario needs %s, which hosts do not have", name)
		}
	}
}

// sysctlTCP sets those of TCP; false: there is none of that name.
func sysctlTCP(s *inet.TCPSysctl, name, text string, v []int) bool {
	numbers := map[string]*int{
		"ecn": &s.ECN, "fastopen": &s.FastOpen, "keepalive_probes": &s.KeepCount, "max_syn_backlog": &s.MaxSYNBacklog,
		"syn_retries": &s.SYNRetries, "synack_retries": &s.SYNACKRetries, "syncookies": &s.SYNCookies,
		"tw_reuse": &s.TWReuse,
	}
	booleans := map[string]*bool{
		"abort_on_overflow": &s.AbortOnOverflow, "sack": &s.SACK, "timestamps": &s.Timestamps, "window_scaling": &s.WindowScaling,
	}
	seconds := map[string]*tcp.Time{"fin_timeout": &s.FinTimeout, "keepalive_intvl": &s.KeepInterval, "keepalive_time": &s.KeepIdle}
	switch {
	case numbers[name] != nil:
		*numbers[name] = v[0]
	case booleans[name] != nil:
		*booleans[name] = v[0] != 0
	case seconds[name] != nil:
		*seconds[name] = tcp.Time(v[0]) * tcp.Second
	case name == "congestion_control":
		s.Congestion = text
	case name == "rmem":
		s.RcvBuf, s.RcvBufMax = v[1], v[2]
	case name == "wmem":
		s.SndBuf, s.SndBufMax = v[1], v[2]
	default:
		return false
	}
	return true
}

func TestSocketsAnswerAsLinuxDoes(t *testing.T) {
	leak.Check(t)
	for _, s := range conformance.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			got, err := conformance.Run(s, site(t, s.Needs))
			if err != nil {
				t.Error(err)
			}
			want, _ := conformance.Golden(s.Name)
			if d := conformance.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
