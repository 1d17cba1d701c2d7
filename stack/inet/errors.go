package inet

import (
	"encoding/binary"
	"syscall"
	"time"

	"sockeye"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// An icmpError is what an ICMP error, or a local one, says to a socket.
type icmpError struct {
	errno  syscall.Errno
	fatal  bool // a connected socket learns of it without IP_RECVERR
	origin sockeye.ErrorOrigin
	typ    uint8
	code   uint8
	info   uint32

	offender wire.Addr
	dst      wire.Addr // of the packet that it is about
	port     uint16
	iface    int
	payload  []byte // of that packet
	data     uint32 // ee_data
	at       time.Time
	h        header // of the ICMP message, or of what was sent; iface nil: there is none to tell of
	body     []byte // what followed the ICMP header; only until report
	original int    // how long the quote in it is, if the header says so (RFC 4884)
}

// An errorQueue is a socket's, for MSG_ERRQUEUE (IP_RECVERR in ip(7)).
type errorQueue struct {
	list *[]icmpError // nil: empty, as it is for almost all sockets
}

func (q *errorQueue) len() int {
	if q.list == nil {
		return 0
	}
	return len(*q.list)
}

// maxErrors bounds the queue.
const maxErrors = 256

// What ICMP's codes of ICMP_DEST_UNREACH mean (icmp_err_convert in net/ipv4/icmp.c).
var unreachable4 = [...]icmpError{
	wire.ICMP_NET_UNREACH:    {errno: syscall.ENETUNREACH},
	wire.ICMP_HOST_UNREACH:   {errno: syscall.EHOSTUNREACH},
	wire.ICMP_PROT_UNREACH:   {errno: syscall.ENOPROTOOPT, fatal: true},
	wire.ICMP_PORT_UNREACH:   {errno: syscall.ECONNREFUSED, fatal: true},
	wire.ICMP_FRAG_NEEDED:    {errno: syscall.EMSGSIZE},
	wire.ICMP_SR_FAILED:      {errno: syscall.EOPNOTSUPP},
	wire.ICMP_NET_UNKNOWN:    {errno: syscall.ENETUNREACH, fatal: true},
	wire.ICMP_HOST_UNKNOWN:   {errno: syscall.EHOSTDOWN, fatal: true},
	wire.ICMP_HOST_ISOLATED:  {errno: syscall.ENONET, fatal: true},
	wire.ICMP_NET_ANO:        {errno: syscall.ENETUNREACH, fatal: true},
	wire.ICMP_HOST_ANO:       {errno: syscall.EHOSTUNREACH, fatal: true},
	wire.ICMP_NET_UNR_TOS:    {errno: syscall.ENETUNREACH},
	wire.ICMP_HOST_UNR_TOS:   {errno: syscall.EHOSTUNREACH},
	wire.ICMP_PKT_FILTERED:   {errno: syscall.EHOSTUNREACH, fatal: true},
	wire.ICMP_PREC_VIOLATION: {errno: syscall.EHOSTUNREACH, fatal: true},
	wire.ICMP_PREC_CUTOFF:    {errno: syscall.EHOSTUNREACH, fatal: true},
}

// And those of ICMPV6_DEST_UNREACH (tab_unreach in net/ipv6/icmp.c).
var unreachable6 = [...]icmpError{
	wire.ICMPV6_NOROUTE:        {errno: syscall.ENETUNREACH},
	wire.ICMPV6_ADM_PROHIBITED: {errno: syscall.EACCES, fatal: true},
	wire.ICMPV6_NOT_NEIGHBOUR:  {errno: syscall.EHOSTUNREACH},
	wire.ICMPV6_ADDR_UNREACH:   {errno: syscall.EHOSTUNREACH},
	wire.ICMPV6_PORT_UNREACH:   {errno: syscall.ECONNREFUSED, fatal: true},
	wire.ICMPV6_POLICY_FAIL:    {errno: syscall.EACCES, fatal: true},
	wire.ICMPV6_REJECT_ROUTE:   {errno: syscall.EACCES, fatal: true},
}

// meaning4 is what an ICMPv4 error says; false: nothing.
func meaning4(m wire.ICMPv4) (e icmpError, ok bool) {
	switch m.Type {
	case wire.ICMP_DEST_UNREACH:
		if int(m.Code) >= len(unreachable4) {
			return e, false
		}
		e = unreachable4[m.Code]
		if m.Code == wire.ICMP_FRAG_NEEDED {
			e.info = uint32(m.MTU())
		}
	case wire.ICMP_TIME_EXCEEDED:
		e.errno = syscall.EHOSTUNREACH
	case wire.ICMP_PARAMETERPROB:
		e.errno, e.fatal, e.info = syscall.EPROTO, true, uint32(m.Pointer())
	default:
		return e, false
	}
	e.origin, e.typ, e.code = sockeye.SO_EE_ORIGIN_ICMP, m.Type, m.Code
	return e, true
}

// meaning6 is meaning4 for ICMPv6 (icmpv6_err_convert).
func meaning6(m wire.ICMPv6) (e icmpError, ok bool) {
	e.errno = syscall.EPROTO
	switch m.Type {
	case wire.ICMPV6_DEST_UNREACH:
		e.fatal = true
		if int(m.Code) < len(unreachable6) {
			e = unreachable6[m.Code]
		}
	case wire.ICMPV6_PKT_TOOBIG:
		e.errno = syscall.EMSGSIZE
	case wire.ICMPV6_TIME_EXCEED:
		e.errno = syscall.EHOSTUNREACH
	case wire.ICMPV6_PARAMPROB:
		e.fatal = true
	}
	e.origin, e.typ, e.code, e.info = sockeye.SO_EE_ORIGIN_ICMP6, m.Type, m.Code, m.Rest // whatever the type
	return e, true
}

// recvErr tells whether the socket keeps errors about packets to ip in its queue. An
// IPv6 socket that sends to IPv4 has an option for each.
func (b *base) recvErr(ip wire.Addr) bool {
	if ip.Is4() {
		return b.ip.recvErr
	}
	return b.ip.recvErr6
}

// report tells the socket of an ICMP error about what it sent (udp_err, raw_err,
// ping_err): queued with IP_RECVERR, or else as the pending error if it is fatal and
// the socket connected.
func (b *base) report(e icmpError) {
	if e.errno == syscall.EMSGSIZE {
		discover := b.ip.mtuDiscover
		if !e.dst.Is4() {
			discover = b.ip.mtuDiscover6
		}
		e.fatal = discover != sockeye.IP_PMTUDISC_DONT
		if !e.fatal && e.dst.Is4() {
			return
		}
	}
	keep := b.recvErr(e.dst)
	if !keep && !(e.fatal && b.connected) {
		return
	}
	if keep {
		e.data = b.extensions(&e)
		if b.Opt.Stamps() {
			e.at = time.Now()
		}
		b.errors.put(e)
	}
	b.Err = e.errno
	b.WakeAll()
}

// tooLong is EMSGSIZE of a datagram that is longer than may be sent to dst, for which
// IP_RECVERR has a word too (ip_local_error).
func (b *base) tooLong(dst wire.Addr, port uint16, mtu int) error {
	if b.recvErr(dst) {
		b.errors.put(icmpError{
			errno: syscall.EMSGSIZE, origin: sockeye.SO_EE_ORIGIN_LOCAL, info: uint32(mtu), dst: dst, port: port,
		})
		b.WakeAll()
	}
	return syscall.EMSGSIZE
}

func (q *errorQueue) put(e icmpError) {
	if q.len() >= maxErrors {
		return
	}
	if q.list == nil {
		q.list = new([]icmpError)
	}
	e.body = nil
	*q.list = append(*q.list, e)
}

// take takes the first out of a queue that is not empty.
func (q *errorQueue) take() icmpError {
	e := (*q.list)[0]
	if *q.list = (*q.list)[1:]; q.len() == 0 {
		q.list = nil
	}
	return e
}

// receiveError is recvmsg(2) with MSG_ERRQUEUE (ip_recv_error).
func (b *base) receiveError(m *sockeye.Message, flags sockeye.MsgFlags) error {
	if b.errors.len() == 0 {
		return syscall.EAGAIN
	}
	e := b.errors.take()
	isICMP := func(e icmpError) bool {
		return e.origin == sockeye.SO_EE_ORIGIN_ICMP || e.origin == sockeye.SO_EE_ORIGIN_ICMP6
	}
	switch {
	case b.errors.len() > 0 && isICMP((*b.errors.list)[0]):
		b.Err = (*b.errors.list)[0].errno
		b.WakeAll()
	case isICMP(e):
		b.Err = 0
	}
	rest := e.payload
	for _, to := range m.Buffers {
		n := copy(to, rest)
		rest, m.N = rest[n:], m.N+n
	}
	if len(rest) > 0 {
		m.Flags |= sockeye.MSG_TRUNC
	}
	m.Flags |= sockeye.MSG_ERRQUEUE
	if e.origin != sockeye.SO_EE_ORIGIN_TIMESTAMPING {
		m.Name = b.name(e.dst, e.port, e.iface)
	}
	c := sock.ControlOf(m)
	b.TellTime(&c, e.at)
	if e.h.iface != nil {
		b.tellError(&c, &e)
	}
	c.Add(b.level(), b.recvErrName(), b.extended(&e))
	c.Done()
	return nil
}

// tellError adds the ancillary data about the message that an error came in, or about what was sent.
func (b *base) tellError(c *sock.Control, e *icmpError) {
	d := datagram{h: e.h}
	if b.Family == sockeye.AF_INET6 {
		b.tell6(c, &d)
	}
	if !e.h.dst.Is4() {
		return
	}
	if b.ip.has(recvPktinfo) {
		local := anyIPv4
		if e.origin == sockeye.SO_EE_ORIGIN_TIMESTAMPING {
			local = e.h.src
		}
		tellPktinfo(c, e.h.iface.Index, local, e.h.dst)
	}
	b.tellHeader4(c, &d)
}

// level is that of the options of the socket's family.
func (b *base) level() int {
	if b.Family == sockeye.AF_INET6 {
		return sockeye.SOL_IPV6
	}
	return sockeye.SOL_IP
}

func (b *base) recvErrName() int {
	if b.Family == sockeye.AF_INET6 {
		return sockeye.IPV6_RECVERR.Name
	}
	return sockeye.IP_RECVERR.Name
}

// extended is C's struct sock_extended_err, with the offender's address behind it.
func (b *base) extended(e *icmpError) []byte {
	v := binary.NativeEndian.AppendUint32(nil, uint32(e.errno))
	v = append(v, byte(e.origin), e.typ, e.code, 0)
	v = binary.NativeEndian.AppendUint32(v, e.info)
	v = binary.NativeEndian.AppendUint32(v, e.data)
	if e.h.iface == nil {
		n := sizeofSockaddrIn
		if b.Family == sockeye.AF_INET6 {
			n = sizeofSockaddrIn6
		}
		return append(v, make([]byte, n)...)
	}
	return b.name(e.offender, 0, e.iface).AppendBytes(v)
}
