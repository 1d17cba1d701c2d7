package ping

import (
	"encoding/binary"
	"errors"
	"syscall"

	"sockeye"
)

// A wire is how echo looks in one family. Both have the same header of eight
// bytes: type, code, checksum, identifier, sequence number.
type wire struct {
	family   sockeye.Family
	protocol sockeye.Protocol
	ask      uint8
	answer   uint8
	id       uint16
}

const headerSize = 8

func wireOf(f sockeye.Family) wire {
	if f == sockeye.AF_INET6 {
		return wire{family: f, protocol: sockeye.IPPROTO_ICMPV6, ask: 128, answer: 129}
	}
	return wire{family: f, protocol: sockeye.IPPROTO_ICMP, ask: 8, answer: 0}
}

// setup asks for errors and hops, and lets nothing in but answers.
func (w wire) setup(s *sockeye.Socket, raw bool, ttl int) error {
	recverr, recvttl, hops, filter := sockeye.IP_RECVERR, sockeye.IP_RECVTTL, sockeye.IP_TTL, sockeye.ICMP_FILTER
	if w.family == sockeye.AF_INET6 {
		recverr, recvttl = sockeye.IPV6_RECVERR, sockeye.IPV6_RECVHOPLIMIT
		hops, filter = sockeye.IPV6_UNICAST_HOPS, sockeye.ICMPV6_FILTER
	}
	if err := errors.Join(recverr.Set(s, true), recvttl.Set(s, true)); err != nil {
		return err
	}
	if ttl > 0 {
		if err := hops.Set(s, ttl); err != nil {
			return err
		}
	}
	if !raw {
		return nil
	}
	var only sockeye.ICMPFilter
	for i := range only.Blocked {
		only.Blocked[i] = ^uint32(0)
	}
	only.Blocked[w.answer/32] &^= 1 << (w.answer % 32)
	return filter.Set(s, only)
}

// request makes a request whose data counts up.
func (w wire) request(size int) []byte {
	b := make([]byte, headerSize+size)
	b[0] = w.ask
	binary.BigEndian.PutUint16(b[4:], w.id)
	for i := range b[headerSize:] {
		b[headerSize+i] = byte(i)
	}
	return b
}

// number gives a request its sequence number. The kernel fills in the checksum of
// ICMPv6, which covers addresses too (RFC 3542 section 3.1).
func (w wire) number(b []byte, seq uint16) {
	binary.BigEndian.PutUint16(b[6:], seq)
	if w.family == sockeye.AF_INET {
		b[2], b[3] = 0, 0
		binary.BigEndian.PutUint16(b[2:], ^sum(b))
	}
}

// payload is what follows the IP header, which raw sockets of IPv4 receive.
func (w wire) payload(b []byte) []byte {
	if w.family != sockeye.AF_INET {
		return b
	}
	if len(b) == 0 || len(b) < int(b[0]&0xf)*4 {
		return nil
	}
	return b[b[0]&0xf*4:]
}

// reply reads an answer to one of our requests. A raw socket of IPv4 is given
// messages whose checksum nobody has looked at.
func (w wire) reply(b []byte, raw bool) (seq uint16, ok bool) {
	if len(b) < headerSize || b[0] != w.answer || b[1] != 0 {
		return 0, false
	}
	if raw && w.family == sockeye.AF_INET && sum(b) != 0xffff {
		return 0, false
	}
	return w.header(b)
}

// asked reads the request that an ICMP error is about.
func (w wire) asked(b []byte) (seq uint16, ok bool) {
	if len(b) < headerSize || b[0] != w.ask {
		return 0, false
	}
	return w.header(b)
}

func (w wire) header(b []byte) (seq uint16, ours bool) {
	return binary.BigEndian.Uint16(b[6:]), binary.BigEndian.Uint16(b[4:]) == w.id
}

func (w wire) isTTL(c sockeye.ControlMessage) bool {
	if w.family == sockeye.AF_INET6 {
		return c.Level == sockeye.IPV6_HOPLIMIT.Level && c.Type == sockeye.IPV6_HOPLIMIT.Name
	}
	return c.Level == sockeye.IP_TTL.Level && c.Type == sockeye.IP_TTL.Name
}

// sum is the Internet checksum before its complement (RFC 1071).
func sum(b []byte) uint16 {
	var n uint32
	for ; len(b) >= 2; b = b[2:] {
		n += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		n += uint32(b[0]) << 8
	}
	for n > 0xffff {
		n = n>>16 + n&0xffff
	}
	return uint16(n)
}

// errno is the errno that an error wraps, or else the error.
func errno(err error) error {
	if e := syscall.Errno(0); errors.As(err, &e) {
		return e
	}
	return err
}
