package inet

import (
	"encoding/binary"
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// options are those of IPPROTO_IP and IPPROTO_IPV6.
type options struct {
	tos, ttl     int // ttl 0: the host's
	minTTL       uint8
	mtuDiscover  int
	recvErr      bool
	rfc4884      bool
	hdrIncl      bool
	freebind     bool
	transparent  bool
	noDefrag     bool
	bindNoPort   bool
	portRange    uint32
	options      *ipOptions
	multicastTTL int

	tclass, hopLimit int // -1: the host's
	minHopCount      int
	multicastHops    int
	mtuDiscover6     int
	mtu6             int
	recvErr6         bool
	rfc4884in6       bool
	dontFrag         bool
	autoFlowLabel    bool
	flowInfoSend     bool
	preferences      int

	multicastIf   int
	multicastSrc  wire.Addr // IP_MULTICAST_IF by address
	unicastIf     int
	pktinfoIf     int // IPV6_PKTINFO
	multicastLoop bool
	multicastAll  bool
	multicastAll6 bool

	stampID      uint32 // SCM_TS_OPT_ID, once it was given
	stampIDGiven bool

	recv    want
	pathMTU *mtuNote // that waits to be received
	groups  []membership
}

// The options of a fresh socket, which all share that have set none.
var (
	defaults4 = defaultOptions(sockeye.AF_INET)
	defaults6 = defaultOptions(sockeye.AF_INET6)
)

// own gives the socket options of its own, to be changed.
func (b *base) own() {
	if b.shared {
		o := *b.ip
		b.ip, b.shared = &o, false
	}
}

func defaultOptions(family sockeye.Family) options {
	return options{
		mtuDiscover: sockeye.IP_PMTUDISC_WANT, mtuDiscover6: sockeye.IP_PMTUDISC_WANT,
		tclass: -1, hopLimit: -1, multicastTTL: 1, multicastHops: 1, multicastLoop: true, multicastAll: family == sockeye.AF_INET, multicastAll6: true,
		multicastSrc: anyIPv4, autoFlowLabel: true,
	}
}

// A want is a set of the ancillary data that a socket asked to receive.
type want uint32

// What there is to receive.
const (
	recvPktinfo want = 1 << iota
	recvTTL
	recvTOS
	recvOpts
	recvRetOpts
	recvOrigDst
	recvFragSize
	recvPktinfo6
	recvHopLimit
	recvTClass
	recvFlow
	recvOrigDst6
	recvFragSize6
	recvPathMTU
)

func (o *options) has(w want) bool { return o.recv&w != 0 }

// An option is one whose value is an int. Without set it can't be set (ENOPROTOOPT).
type option struct {
	get func(b *base) (int, error)
	set func(b *base, v int) error
}

// flag is a boolean; bit is one of the ancillary data; bounded takes only so much.
func flag(field func(*options) *bool) option {
	return option{
		get: func(b *base) (int, error) { return b2i(*field(b.ip)), nil },
		set: func(b *base, v int) error { *field(b.ip) = v != 0; return nil },
	}
}

func bit(w want) option {
	return option{
		get: func(b *base) (int, error) { return b2i(b.ip.has(w)), nil },
		set: func(b *base, v int) error {
			b.ip.recv &^= w
			if v != 0 {
				b.ip.recv |= w
			}
			return nil
		},
	}
}

func bounded(least, most int, field func(*options) *int) option {
	return option{
		get: func(b *base) (int, error) { return *field(b.ip), nil },
		set: func(b *base, v int) error {
			if v < least || v > most {
				return syscall.EINVAL
			}
			*field(b.ip) = v
			return nil
		},
	}
}

// zeroOrOne is o with no other values.
func zeroOrOne(o option) option {
	set := o.set
	o.set = func(b *base, v int) error {
		if v != 0 && v != 1 {
			return syscall.EINVAL
		}
		return set(b, v)
	}
	return o
}

// privileged is o with EPERM for others, unless it is to be turned off.
func privileged(o option) option {
	set := o.set
	o.set = func(b *base, v int) error {
		if v != 0 && !b.Host.Privileged {
			return syscall.EPERM
		}
		return set(b, v)
	}
	return o
}

// of is o for sockets of one type alone; others answer wrong.
func of(typ sockeye.Type, wrong error, o option) option {
	set := o.set
	o.set = func(b *base, v int) error {
		if b.Type != typ {
			return wrong
		}
		return set(b, v)
	}
	return o
}

// notStream is o for all sockets but streams.
func notStream(o option) option {
	set := o.set
	o.set = func(b *base, v int) error {
		if b.Type == sockeye.SOCK_STREAM {
			return syscall.EINVAL
		}
		return set(b, v)
	}
	return o
}

// trafficClass is IP_TOS or IPV6_TCLASS set to v: the ECN bits of a stream are not the
// program's.
func (b *base) trafficClass(v, was int) int {
	if b.Type == sockeye.SOCK_STREAM {
		v = int(wire.TOS(v).WithECN(wire.TOS(was).ECN()))
	}
	return int(uint8(v))
}

// purging is o, which throws the queue of errors away when it is turned off.
func purging(o option) option {
	set := o.set
	o.set = func(b *base, v int) error {
		if v == 0 {
			b.errors = errorQueue{}
		}
		return set(b, v)
	}
	return o
}

// ifIndex is an interface's index in network order: IP_UNICAST_IF.
func ifIndex() option {
	swap := func(v int) int {
		return int(int32(binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, uint32(v)))))
	}
	return option{
		get: func(b *base) (int, error) { return swap(b.ip.unicastIf), nil },
		set: func(b *base, v int) error {
			v = swap(v)
			if v != 0 && b.stack.Iface(v) == nil {
				return syscall.EADDRNOTAVAIL
			}
			if b.claim.ifindex != 0 && v != 0 && v != b.claim.ifindex {
				return syscall.EINVAL
			}
			b.ip.unicastIf = v
			return nil
		},
	}
}

// pathMTU is IP_MTU and IPV6_MTU: that of the path to the peer, even one that is gone.
func (b *base) pathMTU() (int, error) {
	if b.remote == (wire.Addr{}) {
		return 0, syscall.ENOTCONN
	}
	p, err := b.stack.find(b.remote, b.way(b.remote))
	if err != nil {
		return 0, syscall.ENOTCONN
	}
	if p.dst.Is4() {
		p.mtu = min(p.mtu, maxMTU)
	}
	return p.mtu, nil
}

// maxMTU is the most that IPv4 can carry (IP_MAX_MTU).
const maxMTU = 65535

// getsockopt is getsockopt(2) of the levels that all sockets have.
func (b *base) getsockopt(level, name int, val []byte) (int, error) {
	switch {
	case level == sockeye.SOL_SOCKET:
		return b.getSocket(name, val)
	case level == sockeye.SOL_IP && b.hasIP():
		return b.get4(name, val)
	case level == sockeye.SOL_IPV6 && b.Family == sockeye.AF_INET6:
		return b.get6(name, val)
	case b.Family == sockeye.AF_INET:
		return 0, syscall.EOPNOTSUPP
	}
	return 0, syscall.ENOPROTOOPT
}

// setsockopt is setsockopt(2) of those levels.
func (b *base) setsockopt(level, name int, val []byte) error {
	if level == sockeye.SOL_SOCKET {
		return b.setSocket(name, val)
	}
	b.own()
	switch {
	case level == sockeye.SOL_IP && b.hasIP():
		return b.set4(name, val)
	case level == sockeye.SOL_IPV6 && b.Family == sockeye.AF_INET6:
		return b.set6(name, val)
	}
	return syscall.ENOPROTOOPT
}

// hasIP tells whether the socket has the options of IPPROTO_IP: IPv6's that can send
// to IPv4 do.
func (b *base) hasIP() bool { return b.Family == sockeye.AF_INET || b.Type != sockeye.SOCK_RAW }

// getSocket adds to the options of SOL_SOCKET those that are others for these sockets.
func (b *base) getSocket(name int, val []byte) (int, error) {
	switch name {
	case sockeye.SO_ACCEPTCONN.Name:
		return sock.PutBool(val, false)
	case sockeye.SO_PASSCRED.Name, sockeye.SO_PASSSEC.Name: // of unix sockets
		return 0, syscall.EOPNOTSUPP
	case sockeye.SO_PEEK_OFF.Name:
		if b.Proto != sockeye.IPPROTO_UDP {
			return 0, syscall.EOPNOTSUPP
		}
		return sock.PutInt(val, b.Opt.PeekOff)
	case sockeye.SO_PEERNAME.Name:
		if b.remotePort == 0 { // unlike getpeername(2) it tells of a connection that is over, too
			return 0, syscall.ENOTCONN
		}
		return copy(val, b.name(b.remote, b.remotePort, b.scope).AppendBytes(nil)), nil
	}
	b.noteBound()
	return b.GetSockopt(name, val)
}

// setSocket is getSocket's counterpart.
func (b *base) setSocket(name int, val []byte) error {
	switch name {
	case sockeye.SO_PASSCRED.Name, sockeye.SO_PASSSEC.Name:
		if _, err := sock.Int(val); err != nil {
			return err
		}
		return syscall.EOPNOTSUPP
	case sockeye.SO_PEEK_OFF.Name:
		if b.Proto != sockeye.IPPROTO_UDP {
			return syscall.EOPNOTSUPP
		}
		v, err := sock.Int(val)
		if err == nil {
			b.OwnOptions().PeekOff = v
		}
		return err
	}
	b.noteBound()
	was := b.Opt.Timestamping
	err := b.SetSockopt(name, val)
	if b.Opt.Timestamping&^was&sockeye.SOF_TIMESTAMPING_OPT_ID != 0 {
		b.stampKey = 0
	}
	b.claim.ifindex, b.claim.reuse, b.claim.share = b.Opt.BindToIfindex, b.Opt.ReuseAddr, b.Opt.ReusePort
	return err
}

// noteBound is for SO_BINDTOIFINDEX: connecting may have bound the socket to an interface.
func (b *base) noteBound() {
	if b.Opt.BindToIfindex != b.claim.ifindex {
		b.OwnOptions().BindToIfindex = b.claim.ifindex
	}
}
