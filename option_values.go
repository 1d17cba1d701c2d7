package sockeye

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func encodeInt(v int) []byte {
	return binary.NativeEndian.AppendUint32(nil, uint32(int32(max(math.MinInt32, min(math.MaxInt32, v)))))
}

// decodeInt reads an int, or the single byte that some options of IPPROTO_IP
// answer with.
func decodeInt(b []byte) int {
	if len(b) < 4 {
		return int(b[0])
	}
	return int(int32(binary.NativeEndian.Uint32(b)))
}

// intLike is the codec of an int that Go calls by another type.
func intLike[T ~int | ~uint8 | ~uint16 | ~uint32 | ~uintptr]() codec[T] {
	return codec[T]{
		typ: "int", size: 4, min: 1,
		encode: func(v T) []byte { return encodeInt(int(v)) },
		decode: func(b []byte) T { return T(decodeInt(b)) },
	}
}

var (
	intCodec      = intLike[int]()
	familyCodec   = intLike[Family]()
	typeCodec     = intLike[Type]()
	protocolCodec = intLike[Protocol]()
)

var boolCodec = codec[bool]{
	typ: "int (boolean)", size: 4, min: 1,
	encode: func(v bool) []byte {
		if v {
			return encodeInt(1)
		}
		return encodeInt(0)
	},
	decode: func(b []byte) bool { return decodeInt(b) != 0 },
}

var errnoCodec = codec[syscall.Errno]{
	typ: "int (errno)", size: 4, min: 4,
	decode: func(b []byte) syscall.Errno { return syscall.Errno(decodeInt(b)) },
}

// ticks is the codec of an int that counts units of time. A duration is rounded
// up, so that no timeout becomes none.
func ticks(unit time.Duration, typ string) codec[time.Duration] {
	return codec[time.Duration]{
		typ: typ, size: 4, min: 4,
		encode: func(v time.Duration) []byte {
			n := v / unit
			if v > n*unit {
				n++
			}
			return encodeInt(int(n))
		},
		decode: func(b []byte) time.Duration { return time.Duration(decodeInt(b)) * unit },
	}
}

var (
	seconds      = ticks(time.Second, "int (seconds)")
	milliseconds = ticks(time.Millisecond, "int (milliseconds)")
)

var timevalCodec = codec[time.Duration]{
	typ: "struct timeval", size: 2 * wordSize, min: 2 * wordSize,
	encode: func(v time.Duration) []byte {
		b := make([]byte, 2*wordSize)
		usec := int64(v / time.Microsecond)
		if v%time.Microsecond > 0 { // rounded up, so that no timeout becomes none
			usec++
		}
		putWord(b, usec/1e6)
		putWord(b[wordSize:], usec%1e6)
		return b
	},
	decode: func(b []byte) time.Duration {
		if sec := getWord(b); sec >= int64(math.MaxInt64/time.Second) {
			return math.MaxInt64
		}
		return time.Duration(getWord(b))*time.Second + time.Duration(getWord(b[wordSize:]))*time.Microsecond
	},
}

// nameCodec is the codec of a name of up to 16 bytes, its NUL included.
var nameCodec = codec[string]{
	typ: "string", size: 16,
	encode: func(v string) []byte { return append([]byte(v), 0) },
	decode: func(b []byte) string {
		s, _, _ := strings.Cut(string(b), "\x00")
		return s
	},
}

// A Linger is the value of SO_LINGER, C's struct linger (socket(7)). With On
// and no Seconds, close sends a RST; with Seconds it waits that long for what
// is unsent.
type Linger struct {
	On      bool
	Seconds int
}

// String is "off", or "on" and the time.
func (l Linger) String() string {
	if !l.On {
		return "off"
	}
	return "on, " + strconv.Itoa(l.Seconds) + " s"
}

var lingerCodec = codec[Linger]{
	typ: "struct linger", size: 8, min: 8,
	encode: func(v Linger) []byte { return append(boolCodec.encode(v.On), encodeInt(v.Seconds)...) },
	decode: func(b []byte) Linger { return Linger{On: decodeInt(b) != 0, Seconds: decodeInt(b[4:])} },
}

// Credentials are C's struct ucred: who a unix socket's peer is (SO_PEERCRED),
// or who sent a message (SCM_CREDENTIALS).
type Credentials struct {
	PID      int32
	UID, GID uint32
}

const sizeofUcred = 12

// String is the three numbers with their names: pid 7, uid 0, gid 0.
func (c Credentials) String() string {
	return "pid " + strconv.Itoa(int(c.PID)) + ", uid " + strconv.FormatUint(uint64(c.UID), 10) + ", gid " + strconv.FormatUint(uint64(c.GID), 10)
}

func (c Credentials) encode() []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(c.PID))
	b = binary.NativeEndian.AppendUint32(b, c.UID)
	return binary.NativeEndian.AppendUint32(b, c.GID)
}

func decodeCredentials(b []byte) Credentials {
	return Credentials{
		PID: int32(binary.NativeEndian.Uint32(b)),
		UID: binary.NativeEndian.Uint32(b[4:]),
		GID: binary.NativeEndian.Uint32(b[8:]),
	}
}

var ucredCodec = codec[Credentials]{
	typ: "struct ucred", size: sizeofUcred, min: sizeofUcred, decode: decodeCredentials,
}

// A Membership names a multicast group and the interface to join it on: C's
// struct ip_mreqn and struct ipv6_mreq (ip(7), ipv6(7)). For IPv4 the interface
// may be given by its index or by one of its addresses; with neither the
// system chooses.
type Membership struct {
	Group     netip.Addr
	Ifindex   int
	Interface netip.Addr // IPv4 only
}

func as4(ip netip.Addr) []byte {
	var b [4]byte
	if ip.Unmap().Is4() {
		b = ip.Unmap().As4()
	}
	return b[:]
}

var mreqnCodec = codec[Membership]{
	typ: "struct ip_mreqn", size: 12, min: 12,
	encode: func(v Membership) []byte {
		return append(append(as4(v.Group), as4(v.Interface)...), encodeInt(v.Ifindex)...)
	},
	decode: func(b []byte) Membership {
		return Membership{
			Group:     netip.AddrFrom4([4]byte(b[:4])),
			Interface: netip.AddrFrom4([4]byte(b[4:8])),
			Ifindex:   decodeInt(b[8:]),
		}
	},
}

var mreq6Codec = codec[Membership]{
	typ: "struct ipv6_mreq", size: 20, min: 20,
	encode: func(v Membership) []byte {
		var b [16]byte
		if v.Group.IsValid() {
			b = v.Group.As16()
		}
		return append(b[:], encodeInt(v.Ifindex)...)
	},
	decode: func(b []byte) Membership {
		return Membership{Group: netip.AddrFrom16([16]byte(b[:16])), Ifindex: decodeInt(b[16:])}
	},
}

// A MulticastInterface is the value of IP_MULTICAST_IF: where multicast goes
// out. It is set by index or by address and read as an address.
type MulticastInterface struct {
	Ifindex int
	Addr    netip.Addr
}

var multicastIfCodec = codec[MulticastInterface]{
	typ: "struct in_addr", size: 4, min: 4,
	encode: func(v MulticastInterface) []byte {
		return mreqnCodec.encode(Membership{Interface: v.Addr, Ifindex: v.Ifindex})
	},
	decode: func(b []byte) MulticastInterface {
		return MulticastInterface{Addr: netip.AddrFrom4([4]byte(b))}
	},
}

// A PathMTU is the value of IPV6_PATHMTU, C's struct ip6_mtuinfo (RFC 3542 section 11): the MTU of
// the path to a connected socket's peer. With IPV6_RECVPATHMTU it comes as ancillary data after a
// datagram was too long, with the address that it was for.
type PathMTU struct {
	Addr Sockaddr
	MTU  int
}

const sizeofMTUInfo = sizeofSockaddrInet6 + 4

var pathMTUCodec = codec[PathMTU]{typ: "struct ip6_mtuinfo", size: sizeofMTUInfo, min: sizeofMTUInfo, decode: decodePathMTU}

func decodePathMTU(b []byte) (p PathMTU) {
	if Family(binary.NativeEndian.Uint16(b)) == AF_INET6 {
		p.Addr = SockaddrBytes(b[:sizeofSockaddrInet6])
	}
	p.MTU = decodeInt(b[sizeofSockaddrInet6:])
	return p
}

// An ICMPFilter is the value of ICMP_FILTER (raw(7)) and ICMPV6_FILTER: a set bit
// blocks that ICMP type.
type ICMPFilter struct {
	Blocked [8]uint32 // of ICMP_FILTER only the first word
}

// Block returns the filter with the ICMP type blocked too.
func (f ICMPFilter) Block(typ uint8) ICMPFilter {
	f.Blocked[typ/32] |= 1 << (typ % 32)
	return f
}

// Blocks tells whether the ICMP type is blocked.
func (f ICMPFilter) Blocks(typ uint8) bool { return f.Blocked[typ/32]&(1<<(typ%32)) != 0 }

var (
	icmpFilterCodec  = filterCodec(1)
	icmp6FilterCodec = filterCodec(8)
)

func filterCodec(words int) codec[ICMPFilter] {
	typ := "struct icmp_filter"
	if words > 1 {
		typ = "struct icmp6_filter"
	}
	return codec[ICMPFilter]{
		typ: typ, size: 4 * words, min: 4 * words,
		encode: func(v ICMPFilter) []byte {
			var b []byte
			for _, w := range v.Blocked[:words] {
				b = binary.NativeEndian.AppendUint32(b, w)
			}
			return b
		},
		decode: func(b []byte) (v ICMPFilter) {
			for i := range words {
				v.Blocked[i] = binary.NativeEndian.Uint32(b[4*i:])
			}
			return v
		},
	}
}

var sockaddrCodec = codec[Sockaddr]{
	typ: "struct sockaddr", size: SizeofSockaddr, min: 2, exact: true, decode: SockaddrBytes,
}

var gidsCodec = codec[[]uint32]{
	typ: "gid_t[]", size: 4 * 1024,
	decode: func(b []byte) []uint32 {
		gids := make([]uint32, len(b)/4)
		for i := range gids {
			gids[i] = binary.NativeEndian.Uint32(b[4*i:])
		}
		return gids
	},
}

var (
	ipOptionsCodec   = bytesCodec(40)
	fastOpenKeyCodec = bytesCodec(32)
)

func bytesCodec(size int) codec[[]byte] {
	same := func(b []byte) []byte { return b }
	return codec[[]byte]{typ: "bytes", size: size, encode: same, decode: same}
}

// bigEndianCodec is the codec of an int in network order, as IP_UNICAST_IF has it.
var bigEndianCodec = codec[int]{
	typ: "int (network order)", size: 4, min: 4,
	encode: func(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) },
	decode: func(b []byte) int { return int(binary.BigEndian.Uint32(b)) },
}

// A PortRange bounds the ephemeral ports of one socket (IP_LOCAL_PORT_RANGE).
// Zero leaves a bound to the system.
type PortRange struct{ Low, High uint16 }

var portRangeCodec = codec[PortRange]{
	typ: "uint32 (high<<16 | low)", size: 4, min: 4,
	encode: func(v PortRange) []byte {
		return binary.NativeEndian.AppendUint32(nil, uint32(v.High)<<16|uint32(v.Low))
	},
	decode: func(b []byte) PortRange {
		v := binary.NativeEndian.Uint32(b)
		return PortRange{Low: uint16(v), High: uint16(v >> 16)}
	},
}

// A SourceMembership joins a group for what one source sends to it: C's struct
// ip_mreq_source (ip(7)).
type SourceMembership struct{ Group, Interface, Source netip.Addr }

var sourceCodec = codec[SourceMembership]{
	typ: "struct ip_mreq_source", size: 12, min: 12,
	encode: func(v SourceMembership) []byte {
		return append(append(as4(v.Group), as4(v.Interface)...), as4(v.Source)...)
	},
	decode: func(b []byte) SourceMembership {
		return SourceMembership{
			netip.AddrFrom4([4]byte(b[:4])), netip.AddrFrom4([4]byte(b[4:8])), netip.AddrFrom4([4]byte(b[8:12])),
		}
	},
}

var pktinfo6Codec = codec[Pktinfo]{
	typ: "struct in6_pktinfo", size: 20, min: 20,
	encode: func(v Pktinfo) []byte {
		var b [16]byte
		if v.Dst.IsValid() {
			b = v.Dst.As16()
		}
		return append(b[:], encodeInt(v.Ifindex)...)
	},
	decode: func(b []byte) Pktinfo {
		return Pktinfo{Dst: netip.AddrFrom16([16]byte(b[:16])), Ifindex: decodeInt(b[16:])}
	},
}
