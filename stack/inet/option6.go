package inet

import (
	"encoding/binary"
	"slices"
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// options6 are the options of IPPROTO_IPV6 that are ints (do_ipv6_setsockopt).
var options6 = map[int]option{
	sockeye.IPV6_V6ONLY.Name: {
		get: func(b *base) (int, error) { return b2i(b.claim.v6only), nil },
		set: func(b *base, v int) error {
			if b.claim.port != 0 || b.Type == sockeye.SOCK_RAW {
				return syscall.EINVAL
			}
			b.claim.v6only = v != 0
			return nil
		},
	},
	sockeye.IPV6_UNICAST_HOPS.Name: {
		get: func(b *base) (int, error) { return int(b.hops(wire.Addr{}, unicast)), nil },
		set: func(b *base, v int) error {
			if v < -1 || v > 255 {
				return syscall.EINVAL
			}
			b.ip.hopLimit = v
			return nil
		},
	},
	sockeye.IPV6_MULTICAST_HOPS.Name: {
		get: func(b *base) (int, error) { return b.ip.multicastHops, nil },
		set: func(b *base, v int) error {
			if b.Type == sockeye.SOCK_STREAM {
				return syscall.ENOPROTOOPT
			}
			if v < -1 || v > 255 {
				return syscall.EINVAL
			}
			if v == -1 {
				v = 1
			}
			b.ip.multicastHops = v
			return nil
		},
	},
	sockeye.IPV6_MULTICAST_IF.Name: {
		get: func(b *base) (int, error) { return b.ip.multicastIf, nil },
		set: func(b *base, v int) error {
			if b.Type == sockeye.SOCK_STREAM {
				return syscall.ENOPROTOOPT
			}
			if v != 0 && b.stack.Iface(v) == nil {
				return syscall.ENODEV
			}
			if b.claim.ifindex != 0 && v != b.claim.ifindex {
				return syscall.EINVAL
			}
			b.ip.multicastIf = v
			return nil
		},
	},
	sockeye.IPV6_TCLASS.Name: {
		get: func(b *base) (int, error) { return max(0, b.ip.tclass), nil },
		set: func(b *base, v int) error {
			if v < -1 || v > 255 {
				return syscall.EINVAL
			}
			b.ip.tclass = b.trafficClass(max(0, v), max(0, b.ip.tclass))
			return nil
		},
	},
	sockeye.IPV6_MTU.Name: {
		get: (*base).pathMTU,
		set: func(b *base, v int) error {
			if v != 0 && v < wire.MinMTU6 {
				return syscall.EINVAL
			}
			b.ip.mtu6 = v
			return nil
		},
	},
	sockeye.IPV6_UNICAST_IF.Name:       ifIndex(),
	sockeye.IPV6_MTU_DISCOVER.Name:     bounded(0, sockeye.IP_PMTUDISC_OMIT, func(o *options) *int { return &o.mtuDiscover6 }),
	sockeye.IPV6_MINHOPCOUNT.Name:      bounded(0, 255, func(o *options) *int { return &o.minHopCount }),
	sockeye.IPV6_ADDR_PREFERENCES.Name: {get: getPreferences, set: setPreferences},
	sockeye.IPV6_RECVERR.Name:          purging(flag(func(o *options) *bool { return &o.recvErr6 })),
	sockeye.IPV6_RECVERR_RFC4884.Name:  zeroOrOne(flag(func(o *options) *bool { return &o.rfc4884in6 })),
	sockeye.IPV6_FREEBIND.Name:         flag(func(o *options) *bool { return &o.freebind }),
	sockeye.IPV6_TRANSPARENT.Name:      privileged(flag(func(o *options) *bool { return &o.transparent })),
	sockeye.IPV6_DONTFRAG.Name:         flag(func(o *options) *bool { return &o.dontFrag }),
	sockeye.IPV6_AUTOFLOWLABEL.Name:    flag(func(o *options) *bool { return &o.autoFlowLabel }),
	sockeye.IPV6_FLOWINFO_SEND.Name:    flag(func(o *options) *bool { return &o.flowInfoSend }),
	sockeye.IPV6_MULTICAST_LOOP.Name:   zeroOrOne(flag(func(o *options) *bool { return &o.multicastLoop })),
	sockeye.IPV6_MULTICAST_ALL.Name:    flag(func(o *options) *bool { return &o.multicastAll6 }),
	sockeye.IPV6_RECVPKTINFO.Name:      bit(recvPktinfo6),
	sockeye.IPV6_RECVHOPLIMIT.Name:     bit(recvHopLimit),
	sockeye.IPV6_RECVTCLASS.Name:       bit(recvTClass),
	sockeye.IPV6_RECVPATHMTU.Name:      bit(recvPathMTU),
	sockeye.IPV6_RECVORIGDSTADDR.Name:  bit(recvOrigDst6),
	sockeye.IPV6_RECVFRAGSIZE.Name:     bit(recvFragSize6),
	ipv6FlowInfo:                       bit(recvFlow),
}

// What source addresses are preferred (RFC 5014, linux/in6.h).
const (
	preferTmp, preferPublic, preferPubTmpDefault = 1, 2, 0x100
	preferCoa, preferHome                        = 4, 0x400
	preferCGA, preferNonCGA                      = 8, 0x800
)

func getPreferences(b *base) (int, error) {
	v := b.ip.preferences
	if v&(preferTmp|preferPublic) == 0 {
		v |= preferPubTmpDefault
	}
	if v&preferCoa == 0 {
		v |= preferHome
	}
	return v, nil
}

// setPreferences takes at most one of each group of preferences.
func setPreferences(b *base, v int) error {
	privacy, home := v&(preferTmp|preferPublic|preferPubTmpDefault), v&(preferCoa|preferHome)
	if privacy&(privacy-1) != 0 || home&(home-1) != 0 || v&(preferCGA|preferNonCGA) == preferCGA|preferNonCGA {
		return syscall.EINVAL
	}
	b.ip.preferences = v & (preferTmp | preferPublic | preferCoa)
	return nil
}

// get6 is getsockopt(2) of IPPROTO_IPV6.
func (b *base) get6(name int, val []byte) (int, error) {
	if name == sockeye.IPV6_PATHMTU.Name {
		return b.getPathMTU(val)
	}
	o, ok := options6[name]
	if !ok || o.get == nil {
		return 0, syscall.ENOPROTOOPT
	}
	v, err := o.get(b)
	if err != nil {
		return 0, err
	}
	return sock.PutInt(val, v)
}

// mayBeShort are the options that take a value of less than an int for 0.
var mayBeShort = []int{sockeye.IPV6_AUTOFLOWLABEL.Name, sockeye.IPV6_DONTFRAG.Name, sockeye.IPV6_RECVFRAGSIZE.Name}

// set6 is setsockopt(2) of IPPROTO_IPV6.
func (b *base) set6(name int, val []byte) error {
	switch name {
	case sockeye.IPV6_ADD_MEMBERSHIP.Name, sockeye.IPV6_DROP_MEMBERSHIP.Name:
		return b.membership6(name, val)
	case sockeye.IPV6_PKTINFO.Name:
		if len(val) < 20 {
			return syscall.EINVAL
		}
		b.ip.pktinfoIf = int(binary.NativeEndian.Uint32(val[16:]))
		return nil
	}
	o, ok := options6[name]
	if !ok || o.set == nil {
		return syscall.ENOPROTOOPT
	}
	v, err := sock.Int(val)
	if err != nil && !slices.Contains(mayBeShort, name) {
		return err
	}
	return o.set(b, v)
}
