package inet

import (
	"encoding/binary"
	"time"

	"sockeye/packet"
	"sockeye/wire"
)

// ipOptions are the options of an IPv4 header (RFC 791 section 3.1), with the work that they leave to a host:
// record route, timestamp and source route have places that are filled on the way. A place is taken when the
// options are read, and filled when the packet leaves (ip_options_compile and ip_options_build in Linux).
type ipOptions struct {
	data []byte

	record, stamp, route int // where they begin in data, from 1; 0: they are not there
	recordHere           bool
	stampAddr, stampTime bool
	strict               bool      // route is
	hit                  bool      // route leads on from this host, to next
	next                 wire.Addr // with route: where it goes next
	last                 wire.Addr // with route, of what this host sends: where it ends
}

// readOptions reads well-formed options. Those of a packet that came in are filled in where here, which is this
// host's address in them, tells; with nil they are those of packets to be sent.
func (s *Stack) readOptions(b []byte, here func() wire.Addr) *ipOptions {
	o := &ipOptions{data: b}
	for i := 0; i < len(b) && b[i] != wire.IPOPT_END; {
		if b[i] == wire.IPOPT_NOOP {
			i++
			continue
		}
		opt := b[i : i+int(b[i+1])]
		switch opt[0] {
		case wire.IPOPT_LSRR, wire.IPOPT_SSRR:
			o.route, o.strict = i+1, opt[0] == wire.IPOPT_SSRR
			if here == nil { // the packet goes to the first host, which is in its header then
				o.next = wire.AddrFrom4([4]byte(opt[3:]))
				copy(opt[3:], opt[7:])
			}
		case wire.IPOPT_RR:
			o.record = i + 1
			if at := int(opt[2]); at <= len(opt) {
				if here != nil {
					putAddr(opt[at-1:], here())
				}
				opt[2] += 4
				o.recordHere = true
			}
		case wire.IPOPT_TIMESTAMP:
			o.stamp = i + 1
			s.readStamp(o, opt, here)
		}
		i += len(opt)
	}
	return o
}

// The flags of the timestamp option.
const (
	stampTimeOnly     = 0
	stampWithAddr     = 1
	stampPrespecified = 3
)

// readStamp is readOptions for a timestamp option.
func (s *Stack) readStamp(o *ipOptions, opt []byte, here func() wire.Addr) {
	flags, at := opt[3]&15, int(opt[2])
	if at > len(opt) { // full: it counts those who had no place
		if flags != stampPrespecified && here != nil {
			opt[3] = flags | (opt[3]>>4+1)<<4
		}
		return
	}
	switch flags {
	case stampTimeOnly:
		opt[2] += 4
		at--
	case stampWithAddr:
		if here != nil {
			putAddr(opt[at-1:], here())
		}
		o.stampAddr = true
		opt[2] += 8
		at += 3
	case stampPrespecified:
		if c, near := s.castOf(wire.AddrFrom4([4]byte(opt[at-1:]))); c == unicast && near == nil {
			return
		}
		opt[2] += 8
		at += 3
	default:
		return
	}
	o.stampTime = true
	if here != nil {
		putMilliseconds(opt[at:])
	}
}

func putAddr(b []byte, ip wire.Addr) {
	a := ip.As4()
	copy(b, a[:])
}

// putMilliseconds writes the time as milliseconds since midnight UT.
func putMilliseconds(b []byte) {
	binary.BigEndian.PutUint32(b, milliseconds(time.Now()))
}

func milliseconds(t time.Time) uint32 {
	t = t.UTC()
	return uint32(t.Sub(t.Truncate(24*time.Hour)) / time.Millisecond)
}

// given is the options as the program gave them (ip_options_undo).
func (o *ipOptions) given() []byte {
	if o == nil {
		return nil
	}
	b := append([]byte(nil), o.data...)
	back := func(opt []byte) {
		opt[2] -= 4
		clear(opt[opt[2]-1 : opt[2]+3])
	}
	if o.route > 0 {
		opt := b[o.route-1:]
		copy(opt[7:opt[1]], opt[3:])
		putAddr(opt[3:], o.next)
	}
	if o.recordHere {
		back(b[o.record-1:])
	}
	if o.stamp > 0 {
		opt := b[o.stamp-1:]
		if o.stampTime {
			back(opt)
			if opt[3]&15 == stampPrespecified {
				opt[2] -= 4
			}
		}
		if o.stampAddr {
			back(opt)
		}
	}
	return b
}

// to is the options of a packet to an address.
func (o *ipOptions) to(dst wire.Addr) *ipOptions {
	if o == nil || o.route == 0 {
		return o
	}
	p := *o
	p.last = dst
	return &p
}

// hop is where a packet to an address goes first.
func (o *ipOptions) hop(dst wire.Addr) wire.Addr {
	if o == nil || o.route == 0 {
		return dst
	}
	return o.next
}

func (o *ipOptions) len() int {
	if o == nil {
		return 0
	}
	return len(o.data)
}

// build is the options of a packet that this host sends.
func (o *ipOptions) build(src wire.Addr) []byte {
	if o == nil {
		return nil
	}
	b := append([]byte(nil), o.data...)
	if o.route > 0 {
		opt := b[o.route-1:]
		putAddr(opt[opt[1]-4:], o.last)
	}
	o.sign(b, src)
	if o.stampTime {
		opt := b[o.stamp-1:]
		putMilliseconds(opt[opt[2]-5:])
	}
	return b
}

// fillChecksum fills in the transport's checksum of a packet that goes by a source route: in it is the address of the last
// host, which is not yet in the header (RFC 9293 section 3.1).
func (o *ipOptions) fillChecksum(p *packet.Packet, h *header) {
	at := wire.UDPChecksumOffset
	if h.proto == wire.IPPROTO_TCP {
		at = wire.TCPChecksumOffset
	}
	sum := wire.PseudoSum(h.src, o.last, h.proto, p.Len()).Add(p.AppendTo(nil)).Checksum()
	if sum == 0 && h.proto == wire.IPPROTO_UDP {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(p.Header()[at:], sum)
	p.Sum = packet.SumGood
}

// sign writes the address that a packet leaves from into the places that were taken.
func (o *ipOptions) sign(b []byte, src wire.Addr) {
	if o.recordHere {
		opt := b[o.record-1:]
		putAddr(opt[opt[2]-5:], src)
	}
	if o.stampAddr {
		opt := b[o.stamp-1:]
		putAddr(opt[opt[2]-9:], src)
	}
}

// echoOptions is the options of an answer to a packet: records go on being filled, and a source route leads back
// (__ip_options_echo, RFC 1122 sections 3.2.1.8 and 3.2.2.6).
func (s *Stack) echoOptions(h *header) *ipOptions {
	o := h.options
	if o == nil || !h.dst.Is4() {
		return nil
	}
	r := new(ipOptions)
	if o.record > 0 {
		r.record = len(r.data) + 1
		opt := append([]byte(nil), o.data[o.record-1:][:o.data[o.record]]...)
		if o.recordHere && int(opt[2]) <= len(opt) {
			if int(opt[2])+3 > len(opt) {
				return nil
			}
			opt[2] += 4
			r.recordHere = true
		}
		r.data = append(r.data, opt...)
	}
	if o.stamp > 0 {
		r.stamp = len(r.data) + 1
		opt := append([]byte(nil), o.data[o.stamp-1:][:o.data[o.stamp]]...)
		if !s.echoStamp(o, r, opt) {
			return nil
		}
		r.data = append(r.data, opt...)
	}
	if o.route > 0 {
		o.echoRoute(r, h.src)
	}
	for len(r.data)%4 != 0 {
		r.data = append(r.data, wire.IPOPT_END)
	}
	if len(r.data) == 0 {
		return nil
	}
	return r
}

// echoStamp makes place in the timestamp option of an answer; false: it is malformed.
func (s *Stack) echoStamp(o, r *ipOptions, opt []byte) bool {
	at := int(opt[2])
	if at > len(opt) {
		return true
	}
	if o.stampAddr {
		if at+3 > len(opt) {
			return false
		}
		r.stampAddr = true
		at += 4
	}
	if o.stampTime {
		if at+3 > len(opt) {
			return false
		}
		if opt[3]&15 != stampPrespecified {
			r.stampTime = true
			at += 4
		} else if at+7 <= len(opt) {
			if c, near := s.castOf(wire.AddrFrom4([4]byte(opt[at-1:]))); c != unicast || near != nil {
				r.stampTime = true
				at += 8
			}
		}
	}
	opt[2] = byte(at)
	return true
}

// echoRoute turns a source route round.
func (o *ipOptions) echoRoute(r *ipOptions, src wire.Addr) {
	opt := o.data[o.route-1:][:o.data[o.route]]
	at := min(int(opt[2]), len(opt)+1) - 4
	if at <= 3 {
		return
	}
	first := wire.AddrFrom4([4]byte(opt[at-1:]))
	var back []byte
	for at -= 4; at > 3; at -= 4 {
		back = append(back, opt[at-1:at+3]...)
	}
	n := len(back) + 4
	if wire.AddrFrom4([4]byte(opt[at+3:])) == src { // it has its own address in it
		n -= 4
	}
	if n < 4 {
		return
	}
	r.route, r.next, r.strict = len(r.data)+1, first, o.strict
	r.data = append(r.data, opt[0], byte(n+3), 4)
	r.data = append(r.data, append(back, 0, 0, 0, 0)[:n]...)
}
