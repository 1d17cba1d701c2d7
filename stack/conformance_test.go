package stack_test

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sockeye"
	"sockeye/conformance"
	"sockeye/event"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
	"sockeye/stack/sock"
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
	case "net.ipv6.bindv6only":
		ip.BindV6Only = v[0] != 0
	case "net.ipv4.ip_nonlocal_bind6", "net.ipv6.ip_nonlocal_bind", "net.ipv4.icmp_echo_ignore_broadcasts",
		"net.ipv4.icmp_ratemask", "net.ipv6.icmp.ratelimit", "net.ipv6.conf.all.disable_ipv6",
		"net.ipv6.conf.all.hop_limit", "net.ipv6.conf.default.hop_limit": // always so, or the same as another
	default:
		if !strings.HasPrefix(name, "net.ipv4.tcp_") {
			t.Fatalf("a scenario needs %s, which hosts do not have", name)
		}
	}
}

func TestSocketsAnswerAsLinuxDoes(t *testing.T) {
	for _, s := range conformance.Scenarios() {
		if slices.ContainsFunc(tcpScenarios, func(name string) bool { return strings.Contains(s.Name, name) }) {
			continue
		}
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

// Where only addresses and ports are at stake, UDP must answer as TCP does.
func TestBindAnswersAsLinuxDoesWithUDPInPlaceOfTCP(t *testing.T) {
	for _, s := range conformance.Scenarios() {
		if !slices.ContainsFunc(bindScenarios, func(name string) bool { return strings.Contains(s.Name, name) }) {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			at := site(t, s.Needs)
			at.Host = sockeye.NewHost(withoutTCP{at.Host.Engine()})
			got, _ := conformance.Run(s, at)
			want, _ := conformance.Golden(s.Name)
			if d := conformance.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// bindScenarios are those whose TCP sockets neither listen nor meet UDP's ports.
var bindScenarios = []string{"addresses/of an interface", "low ports", "unprivileged/all others"}

// tcpScenarios are parts of the names of those that open TCP sockets, which hosts do not
// have yet.
var tcpScenarios = []string{
	"tcp", "TIME-WAIT", "fast open", "options/SOL_", "options/unprivileged/SOL_SOCKET", "options/unknown", "options/closed", "unprivileged/SOL_TCP",
	"AF_INET/SOCK_STREAM", "AF_INET6/SOCK_STREAM", "socketpair/each", "unprivileged/all others", "names/what",
	"bind/IPv4-mapped", "addresses/of an interface", "low ports", "foreign addresses", "ephemeral ports/used up",
	"dual stack", "in flight when the receiver", "that still works", "several at once", "of each kind", "not unix/TCP",
	"IP_BIND_ADDRESS_NO_PORT", "listener closed", "two bound", "two listen",
}

// withoutTCP opens UDP sockets where TCP is asked for.
type withoutTCP struct{ sockeye.Engine }

func (e withoutTCP) Socket(family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) (sockeye.Endpoint, error) {
	if family != sockeye.AF_UNIX && typ == sockeye.SOCK_STREAM {
		typ = sockeye.SOCK_DGRAM
	}
	return e.Engine.Socket(family, typ, proto)
}

var notTCP = regexp.MustCompile(`(?m)^[a-z]+\((udp|raw|ping|icmp|unix).*\n`)

// Every scenario of options asks TCP sockets too. What the others answer, up to where
// it needs connections, is compared here.
func TestOptionsAnswerAsLinuxDoes(t *testing.T) {
	for _, s := range conformance.Scenarios() {
		if !strings.HasPrefix(s.Name, "options/SOL_") || strings.Contains(s.Name, "SOL_TCP") {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			at := site(t, s.Needs)
			at.Host = sockeye.NewHost(withoutTCP{at.Host.Engine()})
			got, _ := conformance.Run(s, at)
			want, _ := conformance.Golden(s.Name)
			got, want = strings.Join(notTCP.FindAllString(got, -1), ""), strings.Join(notTCP.FindAllString(want, -1), "")
			if d := conformance.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
