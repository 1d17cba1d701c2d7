package inet

import (
	"encoding/binary"
	"slices"
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// tosPriority is what IP_TOS makes of SO_PRIORITY (ip_tos2prio): by the bits for low delay and high
// throughput of RFC 1349.
var tosPriority = [4]int{0, 2, 6, 4}

// options4 are the options of IPPROTO_IP that are ints (do_ip_setsockopt).
var options4 = map[int]option{
	sockeye.IP_TOS.Name: {
		get: func(b *base) (int, error) { return b.ip.tos, nil },
		set: func(b *base, v int) error {
			if tos := b.trafficClass(v, b.ip.tos); tos != b.ip.tos {
				b.ip.tos, b.OwnOptions().Priority = tos, tosPriority[tos>>3&3]
			}
			return nil
		},
	},
	sockeye.IP_TTL.Name: {
		get: func(b *base) (int, error) { return int(b.hops(anyIPv4, unicast)), nil },
		set: func(b *base, v int) error {
			if v != -1 && (v < 1 || v > 255) {
				return syscall.EINVAL
			}
			b.ip.ttl = max(0, v)
			return nil
		},
	},
	sockeye.IP_MINTTL.Name: {
		get: func(b *base) (int, error) { return int(b.ip.minTTL), nil },
		set: func(b *base, v int) error {
			if v < 0 || v > 255 {
				return syscall.EINVAL
			}
			b.ip.minTTL = uint8(v)
			return nil
		},
	},
	sockeye.IP_MULTICAST_TTL.Name: {
		get: func(b *base) (int, error) { return b.ip.multicastTTL, nil },
		set: func(b *base, v int) error {
			if v == -1 {
				v = 1
			}
			if b.Type == sockeye.SOCK_STREAM || v < 0 || v > 255 {
				return syscall.EINVAL
			}
			b.ip.multicastTTL = v
			return nil
		},
	},
	sockeye.IP_LOCAL_PORT_RANGE.Name: {
		get: func(b *base) (int, error) { return int(int32(b.ip.portRange)), nil },
		set: func(b *base, v int) error {
			if low, high := uint16(v), uint16(v>>16); low != 0 && high != 0 && low > high {
				return syscall.EINVAL
			}
			b.ip.portRange = uint32(v)
			return nil
		},
	},
	sockeye.IP_MTU.Name:                  {get: (*base).pathMTU},
	sockeye.IP_UNICAST_IF.Name:           ifIndex(),
	sockeye.IP_HDRINCL.Name:              of(sockeye.SOCK_RAW, syscall.ENOPROTOOPT, flag(func(o *options) *bool { return &o.hdrIncl })),
	sockeye.IP_NODEFRAG.Name:             of(sockeye.SOCK_RAW, syscall.ENOPROTOOPT, flag(func(o *options) *bool { return &o.noDefrag })),
	sockeye.IP_MTU_DISCOVER.Name:         bounded(0, sockeye.IP_PMTUDISC_OMIT, func(o *options) *int { return &o.mtuDiscover }),
	sockeye.IP_RECVERR.Name:              purging(flag(func(o *options) *bool { return &o.recvErr })),
	sockeye.IP_RECVERR_RFC4884.Name:      zeroOrOne(flag(func(o *options) *bool { return &o.rfc4884 })),
	sockeye.IP_FREEBIND.Name:             flag(func(o *options) *bool { return &o.freebind }),
	sockeye.IP_TRANSPARENT.Name:          privileged(flag(func(o *options) *bool { return &o.transparent })),
	sockeye.IP_BIND_ADDRESS_NO_PORT.Name: flag(func(o *options) *bool { return &o.bindNoPort }),
	sockeye.IP_MULTICAST_LOOP.Name:       flag(func(o *options) *bool { return &o.multicastLoop }),
	sockeye.IP_MULTICAST_ALL.Name:        zeroOrOne(flag(func(o *options) *bool { return &o.multicastAll })),
	sockeye.IP_PKTINFO.Name:              bit(recvPktinfo),
	sockeye.IP_RECVTTL.Name:              bit(recvTTL),
	sockeye.IP_RECVTOS.Name:              bit(recvTOS),
	sockeye.IP_RECVOPTS.Name:             bit(recvOpts),
	sockeye.IP_RETOPTS.Name:              bit(recvRetOpts),
	sockeye.IP_RECVORIGDSTADDR.Name:      bit(recvOrigDst),
	sockeye.IP_RECVFRAGSIZE.Name:         notStream(bit(recvFragSize)),
}

// get4 is getsockopt(2) of IPPROTO_IP. A value that fits into a byte is given as one
// where there is no room for an int.
func (b *base) get4(name int, val []byte) (int, error) {
	switch name {
	case sockeye.IP_OPTIONS.Name:
		return copy(val, b.ip.options.given()), nil
	case sockeye.IP_MULTICAST_IF.Name:
		ip := b.ip.multicastSrc.As4()
		return copy(val, ip[:]), nil
	}
	o, ok := options4[name]
	if !ok {
		return 0, syscall.ENOPROTOOPT
	}
	v, err := o.get(b)
	if err != nil {
		return 0, err
	}
	if len(val) > 0 && len(val) < 4 && v >= 0 && v <= 255 {
		val[0] = byte(v)
		return 1, nil
	}
	return sock.PutInt(val, v)
}

// byteOr0 is the value of an option that may be given in one byte; none is 0.
func byteOr0(val []byte) int {
	switch {
	case len(val) >= 4:
		return int(int32(binary.NativeEndian.Uint32(val)))
	case len(val) > 0:
		return int(val[0])
	}
	return 0
}

// needsValue are the options for which no value at all is EINVAL.
var needsValue = []int{
	sockeye.IP_TTL.Name, sockeye.IP_MINTTL.Name, sockeye.IP_MULTICAST_TTL.Name, sockeye.IP_MULTICAST_LOOP.Name,
	sockeye.IP_MULTICAST_ALL.Name, sockeye.IP_FREEBIND.Name, sockeye.IP_TRANSPARENT.Name,
}

// set4 is setsockopt(2) of IPPROTO_IP.
func (b *base) set4(name int, val []byte) error {
	switch name {
	case sockeye.IP_OPTIONS.Name:
		return b.setIPOptions(val)
	case sockeye.IP_MULTICAST_IF.Name:
		return b.setMulticastIf(val)
	case sockeye.IP_ADD_MEMBERSHIP.Name, sockeye.IP_DROP_MEMBERSHIP.Name:
		return b.membership4(name, val)
	case sockeye.IP_ADD_SOURCE_MEMBERSHIP.Name, sockeye.IP_DROP_SOURCE_MEMBERSHIP.Name:
		return b.sourceMembership(name, val)
	case sockeye.IP_LOCAL_PORT_RANGE.Name, sockeye.IP_UNICAST_IF.Name:
		if len(val) != 4 {
			return syscall.EINVAL
		}
	}
	o, ok := options4[name]
	if !ok || o.set == nil {
		return syscall.ENOPROTOOPT
	}
	if len(val) == 0 && slices.Contains(needsValue, name) {
		return syscall.EINVAL
	}
	return o.set(b, byteOr0(val))
}

// setIPOptions sets what is sent in the headers of every packet (IP_OPTIONS).
func (b *base) setIPOptions(val []byte) error {
	o, err := b.parseOptions(val)
	if err == nil {
		b.ip.options = o
	}
	return err
}

// parseOptions reads options of the program's (ip_options_get). It may send what the system knows nothing of only
// with privilege.
func (b *base) parseOptions(val []byte) (*ipOptions, error) {
	if len(val) > wire.MaxIPv4Options {
		return nil, syscall.EINVAL
	}
	o := make([]byte, (len(val)+3)&^3)
	copy(o, val)
	if wire.CheckIPv4Options(o) >= 0 || !b.mayUseOptions(o) {
		return nil, syscall.EINVAL
	}
	if len(o) == 0 {
		return nil, nil
	}
	return b.stack.readOptions(endOptions(o), nil), nil
}

// mayUseOptions tells whether the program may send well-formed options.
func (b *base) mayUseOptions(o []byte) bool {
	for i := 0; i < len(o) && o[i] != wire.IPOPT_END; {
		if o[i] == wire.IPOPT_NOOP {
			i++
			continue
		}
		opt := o[i : i+int(o[i+1])]
		switch opt[0] {
		case wire.IPOPT_LSRR, wire.IPOPT_SSRR:
			if opt[2] != 4 || len(opt) < 7 || (len(opt)-3)%4 != 0 {
				return false
			}
		case wire.IPOPT_TIMESTAMP:
			if f := opt[3] & 15; int(opt[2]) <= len(opt) && f != stampTimeOnly && f != stampWithAddr && f != stampPrespecified && !b.Host.Privileged {
				return false
			}
		case wire.IPOPT_RR, wire.IPOPT_RA:
		default:
			if !b.Host.Privileged {
				return false
			}
		}
		i += len(opt)
	}
	return true
}

// endOptions is options with nothing but zeros behind their end (__ip_options_compile).
func endOptions(o []byte) []byte {
	for i := 0; i < len(o); {
		switch o[i] {
		case wire.IPOPT_END:
			clear(o[i:])
			return o
		case wire.IPOPT_NOOP:
			i++
		default:
			i += int(o[i+1])
		}
	}
	return o
}

// mreqn is C's struct ip_mreqn, which may be cut to a struct ip_mreq or, where no group
// is needed, to an address.
type mreqn struct {
	group, address wire.Addr
	ifindex        int
}

func parseMreqn(val []byte) (m mreqn, ok bool) {
	if len(val) < 8 {
		return m, false
	}
	m.group, m.address = wire.AddrFrom4([4]byte(val)), wire.AddrFrom4([4]byte(val[4:]))
	if len(val) >= 12 {
		m.ifindex = int(int32(binary.NativeEndian.Uint32(val[8:])))
	}
	return m, true
}

// setMulticastIf is IP_MULTICAST_IF.
func (b *base) setMulticastIf(val []byte) error {
	if b.Type == sockeye.SOCK_STREAM {
		return syscall.EINVAL
	}
	m, ok := parseMreqn(val)
	if !ok {
		if len(val) < 4 {
			return syscall.EINVAL
		}
		m.address = wire.AddrFrom4([4]byte(val))
	}
	var i *Iface
	switch {
	case m.ifindex != 0:
		i = b.stack.Iface(m.ifindex)
	case m.address.IsUnspecified():
		b.ip.multicastIf, b.ip.multicastSrc = 0, anyIPv4
		return nil
	default:
		i = b.stack.local(m.address)
	}
	if i == nil {
		return syscall.EADDRNOTAVAIL
	}
	if b.claim.ifindex != 0 && b.claim.ifindex != i.Index {
		return syscall.EINVAL
	}
	b.ip.multicastIf, b.ip.multicastSrc = i.Index, m.address
	return nil
}
