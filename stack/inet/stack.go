package inet

import (
	"math/rand/v2"
	"time"

	"sockeye/event"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/stack/sock"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// A Stack is the Internet layer of one host. The host's lock guards it.
type Stack struct {
	Sysctl   Sysctl
	Counters counting

	host   *sock.Host
	loop   *event.Loop
	seed   uint64
	rand   *rand.Rand
	ifaces []*Iface // by index, from 1
	routes []Route  // the longest prefix first, then the lowest metric
	mtus   pathMTUs
	parts  reassembly
	limit  icmpLimit

	redirects redirects
	detours   detours

	translates bool // an interface has NAT

	raw     []*Raw
	udp     ports[*UDP]
	ping    ports[*Ping]
	tcp     tcpLayer
	posts   map[*TCP]*posted // in lockstep
	gone    bool             // unplugged: nothing is scheduled any more
	looped  []*packet.Packet // sent to lo
	changes uint64           // counts what may change a path: addresses, routes, settings, and calls on UDP sockets
	ids     uint32           // of packets that may be fragmented
	in      header           // scratch: of the packet that is being handled
	scratch []byte
}

// A Sysctl holds the settings of /proc/sys/net/ipv4 and ipv6 (ip-sysctl.rst in Linux's
// documentation).
type Sysctl struct {
	DefaultTTL            uint8     // ip_default_ttl
	DefaultHopLimit       uint8     // conf.*.hop_limit
	LocalPortRange        [2]uint16 // ip_local_port_range
	UnprivilegedPortStart uint16    // ip_unprivileged_port_start
	PingGroupRange        [2]uint32 // ping_group_range
	Forwarding            bool      // ip_forward, conf.all.forwarding
	AcceptSourceRoute     bool      // conf.all.accept_source_route: whoever sends chooses the way that packets take
	AcceptRedirects       bool      // conf.*.accept_redirects; routers never do
	BindV6Only            bool      // bindv6only
	NonlocalBind          bool      // ip_nonlocal_bind
	EchoIgnoreAll         bool      // icmp_echo_ignore_all
	SendRedirects         bool      // ipv4/conf.*.send_redirects; IPv6 always does

	ICMPRateLimit  time.Duration // icmp_ratelimit: between errors to one host; 0: no limit
	ICMPRateMask   uint32        // icmp_ratemask: the types that are limited, by bit
	ICMP6RateLimit time.Duration // ipv6/icmp/ratelimit
	ICMPMsgsPerSec int           // icmp_msgs_per_sec: to all hosts
	ICMPMsgsBurst  int           // icmp_msgs_burst

	IPv6 IPv6Conf // ipv6/conf/*

	NeighbourProbes  int           // neigh.*.mcast_solicit, and ucast_solicit
	NeighbourRetrans time.Duration // neigh.*.retrans_time_ms

	TCP TCPSysctl
}

// A TCPSysctl holds those of TCP (tcp(7)).
type TCPSysctl struct {
	tcp.Settings
	MaxSYNBacklog   int  // tcp_max_syn_backlog
	SYNCookies      int  // tcp_syncookies: 0 never, 1 when the backlog is full, 2 always
	AbortOnOverflow bool // tcp_abort_on_overflow
	MaxTWBuckets    int  // tcp_max_tw_buckets
}

// DefaultSysctl is a fresh Linux machine's.
func DefaultSysctl() Sysctl {
	return Sysctl{
		DefaultTTL:            64,
		DefaultHopLimit:       64,
		LocalPortRange:        [2]uint16{32768, 60999},
		UnprivilegedPortStart: 1024,
		PingGroupRange:        [2]uint32{1, 0},
		SendRedirects:         true,
		AcceptRedirects:       true,
		NeighbourProbes:       3,
		NeighbourRetrans:      time.Second,
		ICMPRateLimit:         time.Second,
		ICMPRateMask:          1<<wire.ICMP_DEST_UNREACH | 1<<wire.ICMP_SOURCE_QUENCH | 1<<wire.ICMP_TIME_EXCEEDED | 1<<wire.ICMP_PARAMETERPROB,
		ICMP6RateLimit:        100 * time.Millisecond,
		ICMPMsgsPerSec:        1000,
		ICMPMsgsBurst:         50,
		TCP:                   TCPSysctl{Settings: tcp.Defaults(), MaxSYNBacklog: 1024, SYNCookies: 1, MaxTWBuckets: 65536},
	}
}

// New is the Internet layer of a host, with the loopback interface. The seed decides
// ephemeral ports and whatever else must not be guessed.
func New(h *sock.Host, loop *event.Loop, seed uint64) *Stack {
	s := &Stack{
		Sysctl: DefaultSysctl(),
		host:   h, loop: loop, seed: seed,
		rand: rand.New(rand.NewPCG(seed, 0)),
		udp:  make(ports[*UDP]), ping: make(ports[*Ping]),
		mtus: pathMTUs{known: make(map[wire.Addr]pathMTU)}, posts: make(map[*TCP]*posted),
	}
	s.ids = s.rand.Uint32()
	var key tcp.Key
	for i := range key {
		key[i] = byte(s.rand.Uint32())
	}
	s.tcp = newTCPLayer(key, seed)
	s.tcp.options.congestion = s.Sysctl.TCP.Congestion
	s.parts.init(s)
	h.Carry, h.Deliver = loop.Run, s.deliverLooped
	h.IfaceIndex, h.IfaceName = s.indexOf, s.nameOf
	lo := s.AddIface("lo", link.Loopback(loop))
	lo.loops = true
	lo.AddAddr(wire.AddrFrom4([4]byte{127, 0, 0, 1}), 8)
	lo.AddAddr(wire.AddrFrom16([16]byte{15: 1}), 128)
	return s
}

// now is the time. It stands still while the host is locked: to ask for it costs as much as
// handling a tenth of a segment.
func (s *Stack) now() tcp.Time {
	if s.host.Clock == 0 {
		s.host.Clock = int64(s.loop.Now())
	}
	return tcp.Time(s.host.Clock)
}

// begin starts what the loop has called for at a time. Another call may have been later.
func (s *Stack) begin(now event.Time) {
	s.host.Lock()
	s.host.Clock = max(int64(now), s.host.Latest)
}

// SetSysctl changes the settings.
func (s *Stack) SetSysctl(c Sysctl) {
	s.changes++
	s.Sysctl, s.tcp.host.Settings = c, c.TCP.Settings
	s.tcp.options.congestion = c.TCP.Congestion
}

// Unplug takes the host off its links: nothing comes or goes any more. The ports that it
// gives, if it has not been called before, are to be closed once the host is unlocked: that
// of a device waits for its goroutine, which may be about to hand the host a packet.
func (s *Stack) Unplug() (unplugged []link.Port) {
	if s.gone {
		return nil
	}
	s.gone = true
	s.changes++
	for _, i := range s.ifaces {
		i.Up = false
		i.port.Attach(nil)
		unplugged = append(unplugged, i.port)
	}
	return unplugged
}

// schedule lets e happen at a time, unless the host is gone by now.
func (s *Stack) schedule(t event.Time, e *event.Event) {
	if !s.gone {
		s.loop.At(t, e)
	}
}

// Forget is the end of an unplugged host, whose sockets are closed: it forgets what waits for
// a time.
func (s *Stack) Forget() {
	s.parts.close()
	for _, i := range s.ifaces {
		i.forgetNeighbours()
		if i.auto != nil {
			s.loop.Cancel(&i.auto.Event)
		}
		for _, r := range i.due {
			s.loop.Cancel(&r.Event)
		}
	}
	for t := range s.tcp.flows.all() {
		t.forget()
	}
}
