package sockeye

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"syscall"
	"time"
	"unsafe"
)

// A ControlMessage is one piece of ancillary data, C's struct cmsghdr and what
// follows it (cmsg(3)). Level and Type are those of a socket option; Data is
// part of the buffer that it was read from.
type ControlMessage struct {
	Level, Type int
	Data        []byte
}

// The kinds of ancillary data that are no socket options as well.
const (
	SCM_RIGHTS       = 1
	SCM_CREDENTIALS  = 2
	SCM_TIMESTAMP    = 29
	SCM_TIMESTAMPNS  = 35
	SCM_TIMESTAMPING = 37
	SCM_TS_OPT_ID    = 81
)

// A cmsghdr is a size_t and two ints, and every message starts at a multiple of
// a word.
const (
	wordSize   = int(unsafe.Sizeof(uintptr(0)))
	cmsgHeader = wordSize + 8
)

func cmsgAlign(n int) int { return (n + wordSize - 1) &^ (wordSize - 1) }

// ControlSpace is the room that ancillary data of n bytes takes, CMSG_SPACE(n).
func ControlSpace(n int) int { return cmsgAlign(cmsgHeader) + cmsgAlign(n) }

// AppendControl appends a control message to ancillary data.
func AppendControl(b []byte, level, typ int, data []byte) []byte {
	b, d := growControl(b, level, typ, len(data))
	copy(d, data)
	return b
}

// growControl appends a header and gives the place for n bytes of data.
func growControl(b []byte, level, typ, n int) (all, data []byte) {
	start := len(b)
	b = append(b, make([]byte, ControlSpace(n))...)
	h := b[start:]
	if wordSize == 8 {
		binary.NativeEndian.PutUint64(h, uint64(cmsgHeader+n))
	} else {
		binary.NativeEndian.PutUint32(h, uint32(cmsgHeader+n))
	}
	binary.NativeEndian.PutUint32(h[wordSize:], uint32(level))
	binary.NativeEndian.PutUint32(h[wordSize+4:], uint32(typ))
	return b, h[cmsgHeader : cmsgHeader+n]
}

// ControlMessages goes through ancillary data. It ends at the first header
// that lies about its length.
func ControlMessages(b []byte) iter.Seq[ControlMessage] {
	return func(yield func(ControlMessage) bool) {
		for len(b) >= cmsgHeader {
			n := int(binary.NativeEndian.Uint32(b))
			if wordSize == 8 {
				n = int(binary.NativeEndian.Uint64(b))
			}
			if n < cmsgHeader || n > len(b) {
				return
			}
			m := ControlMessage{
				Level: int(int32(binary.NativeEndian.Uint32(b[wordSize:]))),
				Type:  int(int32(binary.NativeEndian.Uint32(b[wordSize+4:]))),
				Data:  b[cmsgHeader:n:n],
			}
			if !yield(m) {
				return
			}
			b = b[min(cmsgAlign(n), len(b)):]
		}
	}
}

// AppendInt appends a control message whose data is an int, such as IP_TTL,
// IP_TOS, IPV6_HOPLIMIT, IPV6_TCLASS or SO_MARK.
func AppendInt(b []byte, level, typ, v int) []byte {
	b, d := growControl(b, level, typ, 4)
	binary.NativeEndian.PutUint32(d, uint32(v))
	return b
}

// AppendSegmentSize asks for the payload of this send to be cut into datagrams
// of size bytes (UDP_SEGMENT, udp(7)).
func AppendSegmentSize(b []byte, size uint16) []byte {
	b, d := growControl(b, UDP_SEGMENT.Level, UDP_SEGMENT.Name, 2)
	binary.NativeEndian.PutUint16(d, size)
	return b
}

// AppendPktinfo4 chooses the interface (0: any) and the source address of this
// send (IP_PKTINFO, ip(7)).
func AppendPktinfo4(b []byte, ifindex int, source netip.Addr) []byte {
	b, d := growControl(b, IP_PKTINFO.Level, IP_PKTINFO.Name, 12)
	binary.NativeEndian.PutUint32(d, uint32(ifindex))
	if source = source.Unmap(); source.Is4() {
		ip := source.As4()
		copy(d[4:], ip[:])
	}
	return b
}

// AppendPktinfo6 chooses the interface (0: any) and the source address of this
// send (IPV6_PKTINFO, ipv6(7)).
func AppendPktinfo6(b []byte, ifindex int, source netip.Addr) []byte {
	b, d := growControl(b, IPV6_PKTINFO.Level, IPV6_PKTINFO.Name, 20)
	if source.IsValid() {
		ip := source.As16()
		copy(d, ip[:])
	}
	binary.NativeEndian.PutUint32(d[16:], uint32(ifindex))
	return b
}

// AppendCredentials tells the receiver who sends (SCM_CREDENTIALS, unix(7)).
// Without privilege they must be the sender's own.
func AppendCredentials(b []byte, c Credentials) []byte {
	return AppendControl(b, SOL_SOCKET, SCM_CREDENTIALS, c.encode())
}

// Int is the data of a message that holds an int or a byte, such as the TTL
// (IP_TTL), the TOS (IP_TOS, one byte), IPV6_HOPLIMIT, IPV6_TCLASS, or the size
// of coalesced datagrams (UDP_GRO).
func (m ControlMessage) Int() (int, bool) {
	switch {
	case len(m.Data) >= 4:
		return int(int32(binary.NativeEndian.Uint32(m.Data))), true
	case len(m.Data) == 2:
		return int(binary.NativeEndian.Uint16(m.Data)), true
	case len(m.Data) == 1:
		return int(m.Data[0]), true
	}
	return 0, false
}

// A Pktinfo tells how a datagram came in (IP_PKTINFO, IPV6_PKTINFO).
type Pktinfo struct {
	Ifindex int        // the interface
	Local   netip.Addr // the address that the system would answer from; IPv4 only
	Dst     netip.Addr // the destination in the datagram's header
}

// Pktinfo reads the data of IP_PKTINFO and IPV6_PKTINFO.
func (m ControlMessage) Pktinfo() (Pktinfo, bool) {
	d := m.Data
	switch {
	case m.is(IP_PKTINFO.Level, IP_PKTINFO.Name) && len(d) >= 12:
		return Pktinfo{
			Ifindex: int(binary.NativeEndian.Uint32(d)),
			Local:   netip.AddrFrom4([4]byte(d[4:8])),
			Dst:     netip.AddrFrom4([4]byte(d[8:12])),
		}, true
	case m.is(IPV6_PKTINFO.Level, IPV6_PKTINFO.Name) && len(d) >= 20:
		return Pktinfo{
			Ifindex: int(binary.NativeEndian.Uint32(d[16:])),
			Dst:     netip.AddrFrom16([16]byte(d[:16])),
		}, true
	}
	return Pktinfo{}, false
}

// OriginalDst reads the data of IP_ORIGDSTADDR and IPV6_ORIGDSTADDR: the address and port that a
// datagram was sent to, which may be another host's (IP_TRANSPARENT, ip(7)).
func (m ControlMessage) OriginalDst() (Sockaddr, bool) {
	if !m.is(IP_RECVORIGDSTADDR.Level, IP_RECVORIGDSTADDR.Name) && !m.is(IPV6_RECVORIGDSTADDR.Level, IPV6_RECVORIGDSTADDR.Name) {
		return Sockaddr{}, false
	}
	return SockaddrBytes(m.Data), true
}

// PathMTU reads the data of IPV6_PATHMTU: a datagram to this address was longer than the MTU.
func (m ControlMessage) PathMTU() (PathMTU, bool) {
	if !m.is(IPV6_PATHMTU.Level, IPV6_PATHMTU.Name) || len(m.Data) < sizeofMTUInfo {
		return PathMTU{}, false
	}
	return decodePathMTU(m.Data), true
}

func (m ControlMessage) is(level, typ int) bool { return m.Level == level && m.Type == typ }

// Credentials reads the data of SCM_CREDENTIALS.
func (m ControlMessage) Credentials() (Credentials, bool) {
	if !m.is(SOL_SOCKET, SCM_CREDENTIALS) || len(m.Data) < sizeofUcred {
		return Credentials{}, false
	}
	return decodeCredentials(m.Data), true
}

// Flags of SO_TIMESTAMPING, of what the system does in software (timestamping.rst in Linux's documentation).
const (
	SOF_TIMESTAMPING_TX_SOFTWARE = 1 << 1  // takes the time when a packet is handed to the device
	SOF_TIMESTAMPING_RX_SOFTWARE = 1 << 3  // takes the times of what comes
	SOF_TIMESTAMPING_SOFTWARE    = 1 << 4  // tells the times that were taken
	SOF_TIMESTAMPING_OPT_ID      = 1 << 7  // numbers what is sent: ExtendedError.Data
	SOF_TIMESTAMPING_TX_SCHED    = 1 << 8  // takes the time when a packet enters the queue of the device
	SOF_TIMESTAMPING_TX_ACK      = 1 << 9  // takes the time when the peer has acknowledged all of a send
	SOF_TIMESTAMPING_OPT_CMSG    = 1 << 10 // tells IP_PKTINFO of what was sent, too
	SOF_TIMESTAMPING_OPT_TSONLY  = 1 << 11 // tells times without the packet
	SOF_TIMESTAMPING_OPT_ID_TCP  = 1 << 16 // numbers bytes from those that are not yet sent
)

// What the time of a packet that was sent is the time of: ExtendedError.Info where the origin is
// SO_EE_ORIGIN_TIMESTAMPING.
const (
	SCM_TSTAMP_SND   = 0
	SCM_TSTAMP_SCHED = 1
	SCM_TSTAMP_ACK   = 2
)

// Timestamp reads the data of SCM_TIMESTAMP and SCM_TIMESTAMPNS, and the first time of SCM_TIMESTAMPING:
// when the packet came in or, with MSG_ERRQUEUE, went out.
func (m ControlMessage) Timestamp() (time.Time, bool) {
	if m.Level != SOL_SOCKET || len(m.Data) < 2*wordSize {
		return time.Time{}, false
	}
	sec, frac := getWord(m.Data), getWord(m.Data[wordSize:])
	switch m.Type {
	case SCM_TIMESTAMP:
		return time.Unix(sec, frac*1000), true
	case SCM_TIMESTAMPNS, SCM_TIMESTAMPING:
		return time.Unix(sec, frac), true
	}
	return time.Time{}, false
}

func getWord(b []byte) int64 {
	if wordSize == 8 {
		return int64(binary.NativeEndian.Uint64(b))
	}
	return int64(int32(binary.NativeEndian.Uint32(b)))
}

func putWord(b []byte, v int64) {
	if wordSize == 8 {
		binary.NativeEndian.PutUint64(b, uint64(v))
	} else {
		binary.NativeEndian.PutUint32(b, uint32(v))
	}
}

// An ErrorOrigin says who raised an error of the error queue.
type ErrorOrigin uint8

// The origins (recvmsg's IP_RECVERR in ip(7)).
const (
	SO_EE_ORIGIN_NONE         ErrorOrigin = 0
	SO_EE_ORIGIN_LOCAL        ErrorOrigin = 1
	SO_EE_ORIGIN_ICMP         ErrorOrigin = 2
	SO_EE_ORIGIN_ICMP6        ErrorOrigin = 3
	SO_EE_ORIGIN_TIMESTAMPING ErrorOrigin = 4
	SO_EE_ORIGIN_ZEROCOPY     ErrorOrigin = 5
)

var originNames = names{
	0: "SO_EE_ORIGIN_NONE", 1: "SO_EE_ORIGIN_LOCAL", 2: "SO_EE_ORIGIN_ICMP",
	3: "SO_EE_ORIGIN_ICMP6", 4: "SO_EE_ORIGIN_TIMESTAMPING", 5: "SO_EE_ORIGIN_ZEROCOPY",
}

// String is the Linux name, such as SO_EE_ORIGIN_ICMP, or else the number.
func (o ErrorOrigin) String() string { return originNames.of(int(o)) }

// An ExtendedError is C's struct sock_extended_err: what the error queue
// (MSG_ERRQUEUE) tells of an ICMP error or a local one.
type ExtendedError struct {
	Errno    syscall.Errno // ee_errno
	Origin   ErrorOrigin   // ee_origin
	Type     uint8         // ee_type: the ICMP type
	Code     uint8         // ee_code: the ICMP code
	Info     uint32        // ee_info: the MTU with EMSGSIZE, SCM_TSTAMP_SND and so on of times
	Data     uint32        // ee_data: with SOF_TIMESTAMPING_OPT_ID, the number of the send or of its last byte
	Offender Sockaddr      // SO_EE_OFFENDER: who sent the ICMP message
}

// ExtendedError reads the data of IP_RECVERR and IPV6_RECVERR.
func (m ControlMessage) ExtendedError() (ExtendedError, bool) {
	d := m.Data
	if !m.is(IP_RECVERR.Level, IP_RECVERR.Name) && !m.is(IPV6_RECVERR.Level, IPV6_RECVERR.Name) || len(d) < 16 {
		return ExtendedError{}, false
	}
	e := ExtendedError{
		Errno:  syscall.Errno(binary.NativeEndian.Uint32(d)),
		Origin: ErrorOrigin(d[4]),
		Type:   d[5],
		Code:   d[6],
		Info:   binary.NativeEndian.Uint32(d[8:]),
		Data:   binary.NativeEndian.Uint32(d[12:]),
	}
	off := d[16:]
	switch {
	case len(off) >= sizeofSockaddrInet6 && Family(binary.NativeEndian.Uint16(off)) == AF_INET6:
		e.Offender = SockaddrBytes(off[:sizeofSockaddrInet6])
	case len(off) >= sizeofSockaddrInet4 && Family(binary.NativeEndian.Uint16(off)) == AF_INET:
		e.Offender = SockaddrBytes(off[:sizeofSockaddrInet4])
	}
	return e, true
}
