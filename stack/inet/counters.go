package inet

import (
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sockeye/stack/tcp"
	"sockeye/wire"
)

// Counters are what netstat -s and nstat(8) show of a host (RFC 4293, 4113 and 4022, and what
// Linux counts besides). Each has the name that the kernel gives it in /proc/net/snmp,
// /proc/net/netstat and /proc/net/snmp6, without the group in front.
type Counters struct {
	IP, IP6     IPCounters
	ICMP, ICMP6 ICMPCounters
	UDP, UDP6   UDPCounters
	TCP         tcp.Counters

	// TCP's that are no connection's.
	InCsumErrors                                                uint64
	ListenOverflows, ListenDrops, TCPReqQFullDrop               uint64
	TCPReqQFullDoCookies, TCPTimeWaitOverflow, TCPMinTTLDrop    uint64
	OutOfWindowIcmps                                            uint64
	InMartianSrc, InMartianDst                                  uint64 // /proc/net/stat/rt_cache
	UnresolvedDiscards, NeighTableFulls, NeighForcedCollections uint64 // /proc/net/stat/arp_cache and ndisc_cache

	FragMemory uint64 // bytes of fragments that wait for others now (/proc/net/sockstat)
}

// IPCounters are those of a version of IP.
type IPCounters struct {
	InReceives, InHdrErrors, InAddrErrors, InUnknownProtos, InDiscards, InDelivers uint64
	InNoRoutes, InTruncatedPkts, InCsumErrors, InTooBigErrors                      uint64
	ForwDatagrams, OutRequests, OutDiscards, OutNoRoutes                           uint64
	ReasmTimeout, ReasmReqds, ReasmOKs, ReasmFails, ReasmOverlaps                  uint64
	FragOKs, FragFails, FragCreates                                                uint64
}

// ICMPCounters are those of a version of ICMP. InType and OutType are messages by type.
type ICMPCounters struct {
	InMsgs, InErrors, InCsumErrors, OutMsgs, OutErrors uint64
	OutRateLimitGlobal, OutRateLimitHost               uint64
	InType, OutType                                    map[uint8]uint64
}

// UDPCounters are those of UDP over a version of IP.
type UDPCounters struct {
	InDatagrams, NoPorts, InErrors, OutDatagrams uint64
	RcvbufErrors, SndbufErrors, InCsumErrors     uint64
	IgnoredMulti                                 uint64
}

// Counting are Counters in use: a type without String, which the linker keeps of every type that a socket leads
// to, and reflection with it.
type counting Counters

// ip, icmp and udp are the counters of the version of IP that an address is of.
func (c *counting) ip(dst wire.Addr) *IPCounters {
	if dst.Is4() {
		return &c.IP
	}
	return &c.IP6
}

func (c *counting) icmp(dst wire.Addr) *ICMPCounters {
	if dst.Is4() {
		return &c.ICMP
	}
	return &c.ICMP6
}

func (c *counting) udp(dst wire.Addr) *UDPCounters {
	if dst.Is4() {
		return &c.UDP
	}
	return &c.UDP6
}

// received and sent count a message by its type.
func (c *ICMPCounters) received(typ uint8) {
	if c.InType == nil {
		c.InType = make(map[uint8]uint64)
	}
	c.InType[typ]++
}

func (c *ICMPCounters) sent(typ uint8) {
	if c.OutType == nil {
		c.OutType = make(map[uint8]uint64)
	}
	c.OutMsgs++
	c.OutType[typ]++
}

// Snapshot is a copy of the counters that shares nothing.
func (s *Stack) Snapshot() Counters {
	c := Counters(s.Counters)
	for _, i := range []*ICMPCounters{&c.ICMP, &c.ICMP6} {
		i.InType, i.OutType = maps.Clone(i.InType), maps.Clone(i.OutType)
	}
	c.TCP = s.tcp.host.Counters
	return c
}

// The groups that counters are of, but for those of whole structs.
var (
	extended  = []string{"InNoRoutes", "InTruncatedPkts", "InCsumErrors", "ReasmOverlaps"} // IpExt
	basicTCP  = []string{"ActiveOpens", "PassiveOpens", "AttemptFails", "EstabResets", "InSegs", "OutSegs", "RetransSegs", "OutRsts", "InErrs", "InCsumErrors"}
	elsewhere = []string{"InMartianSrc", "InMartianDst", "UnresolvedDiscards", "NeighTableFulls", "NeighForcedCollections", "FragMemory"}
)

// All are the counters that are not zero, under the names that nstat(8) prints.
func (c Counters) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		more := true
		put := func(name string, n uint64) {
			more = more && (n == 0 || yield(name, n))
		}
		each(c.IP, func(name string, n uint64) {
			if slices.Contains(extended, name) {
				name = "Ext" + name
			}
			put("Ip"+name, n)
		})
		each(c.IP6, func(name string, n uint64) {
			if name == "ForwDatagrams" {
				name = "OutForwDatagrams"
			}
			put("Ip6"+name, n)
		})
		for i, group := range []string{"Icmp", "Icmp6"} {
			of := []ICMPCounters{c.ICMP, c.ICMP6}[i]
			each(of, func(name string, n uint64) { put(group+name, n) })
			types := []string{"IcmpMsg", "Icmp6"}[i]
			for typ := range 256 {
				put(types+"InType"+strconv.Itoa(typ), of.InType[uint8(typ)])
			}
			for typ := range 256 {
				put(types+"OutType"+strconv.Itoa(typ), of.OutType[uint8(typ)])
			}
		}
		each(c.UDP, func(name string, n uint64) { put("Udp"+name, n) })
		each(c.UDP6, func(name string, n uint64) { put("Udp6"+name, n) })
		rest := func(name string, n uint64) {
			switch {
			case slices.Contains(basicTCP, name):
				name = "Tcp" + name
			case !slices.Contains(elsewhere, name):
				name = "TcpExt" + name
			}
			put(name, n)
		}
		each(c.TCP, rest)
		each(c, rest)
	}
}

// each gives the fields of a struct that are numbers.
func each(group any, f func(name string, n uint64)) {
	v := reflect.ValueOf(group)
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Uint64 {
			f(v.Type().Field(i).Name, v.Field(i).Uint())
		}
	}
}

// String is All, in the manner of nstat(8).
func (c Counters) String() string {
	var b strings.Builder
	for name, n := range c.All() {
		b.WriteString(name + strings.Repeat(" ", max(0, 32-len(name))) + strconv.FormatUint(n, 10) + "\n")
	}
	return b.String()
}
