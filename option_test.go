//go:build linux

package sockeye_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"sockeye"
	"sockeye/kernel"
)

// An optionEndpoint answers getsockopt with bytes of the test's, and keeps
// those of setsockopt.
type optionEndpoint struct {
	sockeye.Endpoint
	answer, set []byte
}

func (ep *optionEndpoint) Descriptor() int { return 3 }

func (ep *optionEndpoint) Getsockname() (sockeye.Sockaddr, error) { return sockeye.Sockaddr{}, nil }

func (ep *optionEndpoint) Getsockopt(_, _ int, val []byte) (int, error) {
	return copy(val, ep.answer), nil
}

func (ep *optionEndpoint) Setsockopt(_, _ int, val []byte) error {
	ep.set = slices.Clone(val)
	return nil
}

func (ep *optionEndpoint) socket() *sockeye.Socket { return kernel.Host().Adopt(ep) }

// words lays out ints as C does.
func words(vs ...uint32) (b []byte) {
	for _, v := range vs {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

// cOption is an option and a value of its type.
type cOption struct {
	option sockeye.AnyOption
	set    func(*sockeye.Socket) error
	value  any
}

func with[T any](o sockeye.Option[T], v T) cOption {
	return cOption{o, func(s *sockeye.Socket) error { return o.Set(s, v) }, v}
}

func TestOptionsHaveTheirCLayout(t *testing.T) {
	ip := netip.MustParseAddr
	group6 := ip("ff02::1").As16()
	long := func(sec, usec uint64) []byte { // struct timeval
		if unsafe.Sizeof(uintptr(0)) == 8 {
			return binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, sec), usec)
		}
		return words(uint32(sec), uint32(usec))
	}
	for _, tt := range []struct {
		name string
		cOption
		bytes []byte
	}{
		{"a boolean", with(sockeye.SO_REUSEADDR, true), words(1)},
		{"an int", with(sockeye.IP_TTL, 64), words(64)},
		{"a negative int", with(sockeye.SO_PEEK_OFF, -1), words(1<<32 - 1)},
		{"seconds", with(sockeye.TCP_KEEPIDLE, 90*time.Second), words(90)},
		{"milliseconds", with(sockeye.TCP_USER_TIMEOUT, 1500*time.Millisecond), words(1500)},
		{"struct timeval", with(sockeye.SO_RCVTIMEO, 1500*time.Millisecond), long(1, 500_000)},
		{"struct linger", with(sockeye.SO_LINGER, sockeye.Linger{On: true, Seconds: 3}), words(1, 3)},
		{"a string", with(sockeye.TCP_CONGESTION, "reno"), []byte("reno\x00")},
		{"struct ip_mreqn", with(sockeye.IP_ADD_MEMBERSHIP, sockeye.Membership{Group: ip("224.0.0.9"), Interface: ip("10.0.0.1"), Ifindex: 2}),
			slices.Concat([]byte{224, 0, 0, 9, 10, 0, 0, 1}, words(2))},
		{"struct ipv6_mreq", with(sockeye.IPV6_ADD_MEMBERSHIP, sockeye.Membership{Group: ip("ff02::1"), Ifindex: 2}),
			slices.Concat(group6[:], words(2))},
		{"struct ip_mreq_source", with(sockeye.IP_ADD_SOURCE_MEMBERSHIP,
			sockeye.SourceMembership{Group: ip("232.0.0.1"), Interface: ip("10.0.0.1"), Source: ip("192.0.2.1")}),
			[]byte{232, 0, 0, 1, 10, 0, 0, 1, 192, 0, 2, 1}},
		{"struct icmp_filter", with(sockeye.ICMP_FILTER, sockeye.ICMPFilter{}.Block(8)), words(1 << 8)},
		{"struct icmp6_filter", with(sockeye.ICMPV6_FILTER, sockeye.ICMPFilter{}.Block(128).Block(255)),
			words(0, 0, 0, 0, 1, 0, 0, 1<<31)},
		{"network order", with(sockeye.IP_UNICAST_IF, 2), []byte{0, 0, 0, 2}},
		{"a range of ports", with(sockeye.IP_LOCAL_PORT_RANGE, sockeye.PortRange{Low: 1000, High: 2000}), words(2000<<16 | 1000)},
		{"struct in6_pktinfo", with(sockeye.IPV6_PKTINFO, sockeye.Pktinfo{Dst: ip("ff02::1"), Ifindex: 2}), slices.Concat(group6[:], words(2))},
		{"bytes", with(sockeye.IP_OPTIONS, []byte{7, 3, 4}), []byte{7, 3, 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ep := &optionEndpoint{answer: tt.bytes}
			check(t, tt.set(ep.socket()))
			if !slices.Equal(ep.set, tt.bytes) {
				t.Errorf("%v sets % x, want % x", tt.option, ep.set, tt.bytes)
			}
			if got := must(tt.option.Value(ep.socket()))(t); !reflect.DeepEqual(got, tt.value) {
				t.Errorf("%v reads %v, want %v", tt.option, got, tt.value)
			}
		})
	}
}

func TestOptionsThatAreOnlyReadHaveTheirCLayout(t *testing.T) {
	for _, tt := range []struct {
		option sockeye.AnyOption
		bytes  []byte
		want   any
	}{
		{sockeye.SO_ERROR, words(uint32(syscall.ECONNREFUSED)), syscall.ECONNREFUSED},
		{sockeye.SO_TYPE, words(5), sockeye.SOCK_SEQPACKET},
		{sockeye.SO_DOMAIN, words(10), sockeye.AF_INET6},
		{sockeye.SO_PROTOCOL, words(17), sockeye.IPPROTO_UDP},
		{sockeye.SO_PEERCRED, words(1, 2, 3), sockeye.Credentials{PID: 1, UID: 2, GID: 3}},
		{sockeye.SO_PEERGROUPS, words(4, 5), []uint32{4, 5}},
		{sockeye.IP_MULTICAST_IF, []byte{10, 0, 0, 1}, sockeye.MulticastInterface{Addr: netip.MustParseAddr("10.0.0.1")}},
		{sockeye.IP_TOS, []byte{16}, 16}, // IPPROTO_IP may answer with a byte
	} {
		t.Run(tt.option.String(), func(t *testing.T) {
			ep := &optionEndpoint{answer: tt.bytes}
			if got := must(tt.option.Value(ep.socket()))(t); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestDurationsRoundUpSoThatNoTimeoutBecomesNone(t *testing.T) {
	for _, tt := range []struct {
		cOption
		want time.Duration
	}{
		{with(sockeye.TCP_KEEPIDLE, time.Nanosecond), time.Second},
		{with(sockeye.TCP_KEEPIDLE, 1500*time.Millisecond), 2 * time.Second},
		{with(sockeye.TCP_USER_TIMEOUT, time.Nanosecond), time.Millisecond},
		{with(sockeye.SO_RCVTIMEO, time.Nanosecond), time.Microsecond},
		{with(sockeye.SO_RCVTIMEO, time.Second-time.Nanosecond), time.Second},
		{with(sockeye.SO_RCVTIMEO, 0), 0},
		{with(sockeye.TCP_KEEPIDLE, 0), 0},
	} {
		ep := new(optionEndpoint)
		check(t, tt.set(ep.socket()))
		ep.answer = ep.set
		if got := must(tt.option.Value(ep.socket()))(t); got != tt.want {
			t.Errorf("%v of %v became %v, want %v", tt.option, tt.value, got, tt.want)
		}
	}
}

func TestShortAnswersAreErrors(t *testing.T) {
	ep := &optionEndpoint{answer: []byte{1}}
	_, err := sockeye.SO_LINGER.Get(ep.socket())
	if err == nil || err.Error() != "getsockopt SO_LINGER: got 1 bytes, want at least 8" {
		t.Errorf("got %v", err)
	}
	if _, err := sockeye.SO_REUSEADDR.Get((&optionEndpoint{}).socket()); err == nil {
		t.Error("an empty answer was read")
	}
}

func TestOptionsThatCannotBeSetSayENOPROTOOPT(t *testing.T) {
	ep := new(optionEndpoint)
	for _, err := range []error{
		sockeye.SO_PEERCRED.Set(ep.socket(), sockeye.Credentials{}), sockeye.TCP_INFO.Set(ep.socket(), sockeye.TCPInfo{}),
		sockeye.SO_ERROR.Set(ep.socket(), 0),
	} {
		if !errors.Is(err, syscall.ENOPROTOOPT) || ep.set != nil {
			t.Errorf("got %v, and % x was set", err, ep.set)
		}
	}
}

// Every option's answer on every kind of socket can be decoded, or the system
// does not know the option there.
func TestEveryOptionIsReadable(t *testing.T) {
	a, b := socketPair(t)
	u, _, err := kernel.Host().Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	check(t, err)
	defer u.Close()
	udp := must(kernel.Host().Socket(sockeye.AF_INET6, sockeye.SOCK_DGRAM, 0))(t)
	defer udp.Close()
	read := make(map[string]bool)
	for _, s := range []*sockeye.Socket{a, b, u, udp} {
		for _, o := range sockeye.Options() {
			_, err := o.Value(s)
			if _, errno := errors.AsType[syscall.Errno](err); err != nil && !errno {
				t.Errorf("%v: %v", o, err)
			}
			if err == nil {
				read[o.String()] = true
			}
		}
	}
	for _, name := range []string{"SO_RCVBUF", "TCP_INFO", "IP_TTL", "SO_PEERCRED", "IPV6_V6ONLY", "TCP_CONGESTION"} {
		if !read[name] {
			t.Errorf("%s could be read nowhere", name)
		}
	}
}

func TestOptionsAreListedWithTheirNames(t *testing.T) {
	seen := make(map[[2]int]string)
	for _, o := range sockeye.Options() {
		level, name := o.Number()
		if other, twice := seen[[2]int{level, name}]; twice {
			t.Errorf("%v and %s have one number", o, other)
		}
		seen[[2]int{level, name}] = o.String()
		prefix, _, _ := strings.Cut(strings.TrimPrefix(o.LevelName(), "SOL_"), "_")
		switch prefix = strings.Replace(prefix, "SOCKET", "SO", 1); {
		case prefix == "RAW":
			prefix = "ICMP"
		}
		if !strings.HasPrefix(o.String(), prefix+"_") {
			t.Errorf("%v is of %s", o, o.LevelName())
		}
		if o.Type() == "" {
			t.Errorf("%v has no C type", o)
		}
	}
	if sockeye.SO_TYPE.Access().String() != "read-only" || sockeye.IP_ADD_MEMBERSHIP.Access().String() != "write-only" ||
		sockeye.IP_TTL.Access().String() != "read-write" {
		t.Error("Access does not tell what can be done")
	}
}

func TestICMPFiltersBlockTypes(t *testing.T) {
	f := sockeye.ICMPFilter{}.Block(0).Block(135)
	for typ := range 256 {
		if got, want := f.Blocks(uint8(typ)), typ == 0 || typ == 135; got != want {
			t.Errorf("type %d: %v", typ, got)
		}
	}
}

// tcpInfoBytes is a struct tcp_info as Linux lays it out (uapi/linux/tcp.h), each
// field with another value.
func tcpInfoBytes() []byte {
	b := []byte{byte(sockeye.TCP_CLOSE_WAIT), byte(sockeye.TCP_CA_Loss), 3, 4, 5, sockeye.TCPI_OPT_SACK | sockeye.TCPI_OPT_ECN, 0x87, 1 | 2<<1}
	for i := range 24 { // the fields of 32 bits up to tcpi_total_retrans, at 8
		b = binary.NativeEndian.AppendUint32(b, uint32(1000+i))
	}
	for i := range 4 { // tcpi_pacing_rate, at 104
		b = binary.NativeEndian.AppendUint64(b, uint64(1<<40+i))
	}
	for i := range 6 { // tcpi_segs_out, at 136
		b = binary.NativeEndian.AppendUint32(b, uint32(2000+i))
	}
	for i := range 4 { // tcpi_delivery_rate, at 160
		b = binary.NativeEndian.AppendUint64(b, uint64(2<<40+i))
	}
	b = append(b, words(3000, 3001)...) // tcpi_delivered, at 192
	for i := range 2 {                  // tcpi_bytes_sent, at 200
		b = binary.NativeEndian.AppendUint64(b, uint64(3<<40+i))
	}
	b = append(b, words(4000, 4001, 4002, 4003, 4004, 4005)...) // tcpi_dsack_dups, at 216
	b = binary.NativeEndian.AppendUint16(b, 5000)               // tcpi_total_rto, at 240
	b = binary.NativeEndian.AppendUint16(b, 5001)
	return append(b, words(5002)...)
}

func TestTCPInfoIsDecoded(t *testing.T) {
	read := func(b []byte) sockeye.TCPInfo {
		return must(sockeye.TCP_INFO.Get((&optionEndpoint{answer: b}).socket()))(t)
	}
	usec, msec := time.Microsecond, time.Millisecond
	full := tcpInfoBytes()
	want := sockeye.TCPInfo{
		State: sockeye.TCP_CLOSE_WAIT, CAState: sockeye.TCP_CA_Loss, Retransmits: 3, Probes: 4, Backoff: 5,
		Options: sockeye.TCPI_OPT_SACK | sockeye.TCPI_OPT_ECN, SndWscale: 7, RcvWscale: 8,
		DeliveryRateAppLimited: true, FastopenClientFail: 2,
		RTO: 1000 * usec, ATO: 1001 * usec, SndMSS: 1002, RcvMSS: 1003,
		Unacked: 1004, Sacked: 1005, Lost: 1006, Retrans: 1007, Fackets: 1008,
		LastDataSent: 1009 * msec, LastAckSent: 1010 * msec, LastDataRecv: 1011 * msec, LastAckRecv: 1012 * msec,
		PMTU: 1013, RcvSsthresh: 1014, RTT: 1015 * usec, RTTVar: 1016 * usec, SndSsthresh: 1017, SndCwnd: 1018,
		AdvMSS: 1019, Reordering: 1020, RcvRTT: 1021 * usec, RcvSpace: 1022, TotalRetrans: 1023,
		PacingRate: 1 << 40, MaxPacingRate: 1<<40 + 1, BytesAcked: 1<<40 + 2, BytesReceived: 1<<40 + 3,
		SegsOut: 2000, SegsIn: 2001, NotsentBytes: 2002, MinRTT: 2003 * usec, DataSegsIn: 2004, DataSegsOut: 2005,
		DeliveryRate: 2 << 40, BusyTime: (2<<40 + 1) * usec, RwndLimited: (2<<40 + 2) * usec, SndbufLimited: (2<<40 + 3) * usec,
		Delivered: 3000, DeliveredCE: 3001, BytesSent: 3 << 40, BytesRetrans: 3<<40 + 1,
		DSACKDups: 4000, ReordSeen: 4001, RcvOooPack: 4002, SndWnd: 4003,
		RcvWnd: 4004, Rehash: 4005, TotalRTO: 5000, TotalRTORecoveries: 5001, TotalRTOTime: 5002 * msec,
	}
	if got := read(full); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := read(append(full, make([]byte, 64)...)); got != want {
		t.Error("a newer system's longer struct reads differently")
	}
	// Older systems give less: what they give reads the same, the rest is zero.
	for _, tt := range []struct {
		system string
		size   int
		last   func(sockeye.TCPInfo) uint64 // the last field that is there
		next   func(sockeye.TCPInfo) uint64 // the first that is not
	}{
		{"Linux 2.6", 104, func(i sockeye.TCPInfo) uint64 { return uint64(i.TotalRetrans) }, func(i sockeye.TCPInfo) uint64 { return i.PacingRate }},
		{"Linux 4.1", 136, func(i sockeye.TCPInfo) uint64 { return i.BytesReceived }, func(i sockeye.TCPInfo) uint64 { return uint64(i.SegsOut) }},
		{"Linux 4.9", 168, func(i sockeye.TCPInfo) uint64 { return i.DeliveryRate }, func(i sockeye.TCPInfo) uint64 { return uint64(i.BusyTime) }},
		{"Linux 5.4", 232, func(i sockeye.TCPInfo) uint64 { return uint64(i.SndWnd) }, func(i sockeye.TCPInfo) uint64 { return uint64(i.RcvWnd) }},
		{"Linux 6.2", 240, func(i sockeye.TCPInfo) uint64 { return uint64(i.Rehash) }, func(i sockeye.TCPInfo) uint64 { return uint64(i.TotalRTO) }},
		{"the least that is read", 8, func(i sockeye.TCPInfo) uint64 { return uint64(i.State) }, func(i sockeye.TCPInfo) uint64 { return uint64(i.RTO) }},
	} {
		got := read(full[:tt.size])
		if tt.last(got) != tt.last(want) || tt.next(got) != 0 {
			t.Errorf("%s: the last field is %d, want %d; the next %d, want 0", tt.system, tt.last(got), tt.last(want), tt.next(got))
		}
	}
	if _, err := sockeye.TCP_INFO.Get((&optionEndpoint{answer: full[:7]}).socket()); err == nil {
		t.Error("7 bytes were read as a struct tcp_info")
	}
}
