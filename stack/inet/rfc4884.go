package inet

import (
	"encoding/binary"

	"sockeye/wire"
)

// originalLength4 is how long the quote of an error is, in bytes, before extensions that may follow it
// (RFC 4884 section 4); 0: the header does not say.
func originalLength4(m wire.ICMPv4) int {
	switch m.Type {
	case wire.ICMP_DEST_UNREACH, wire.ICMP_TIME_EXCEEDED, wire.ICMP_PARAMETERPROB:
		return int(m.Rest>>16&0xff) * 4
	}
	return 0
}

// originalLength6 is originalLength4 of ICMPv6, which counts eight bytes at a time.
func originalLength6(m wire.ICMPv6) int {
	switch m.Type {
	case wire.ICMPV6_DEST_UNREACH, wire.ICMPV6_TIME_EXCEED:
		return int(m.Rest>>24) * 8
	}
	return 0
}

const (
	minOriginal        = 128 // with extensions, a quote is padded to that (RFC 4884 section 4.1)
	extensionHeaderLen = 4
	objectHeaderLen    = 4
	rfc4884Invalid     = 1 // SO_EE_RFC4884_FLAG_INVALID
)

// extensions is ee_data of an error for a socket with IP_RECVERR_RFC4884 or IPV6_RECVERR_RFC4884:
// C's struct sock_ee_data_rfc4884, with where in the payload the extensions begin, and whether they are
// wrong (ip_icmp_error_rfc4884).
func (b *base) extensions(e *icmpError) uint32 {
	asked := b.ip.rfc4884
	if !e.dst.Is4() {
		asked = b.ip.rfc4884in6
	}
	headers := len(e.body) - len(e.payload)
	if !asked || e.original < minOriginal || e.original < headers || e.original+extensionHeaderLen > len(e.body) {
		return 0
	}
	at := e.original - headers
	v := binary.NativeEndian.AppendUint16(nil, uint16(at))
	v = append(v, 0, 0)
	if !validExtensions(e.payload[at:]) {
		v[2] = rfc4884Invalid
	}
	return binary.NativeEndian.Uint32(v)
}

// validExtensions checks the header of extensions, their checksum and the lengths of their objects, of
// version 2; others are as they are (RFC 4884 section 7).
func validExtensions(b []byte) bool {
	be := binary.BigEndian
	if b[0]>>4 != 2 {
		return true
	}
	if be.Uint16(b[2:]) != 0 && !wire.Sum(0).Add(b).Valid() {
		return false
	}
	for b = b[extensionHeaderLen:]; len(b) > 0; {
		if len(b) < objectHeaderLen {
			return false
		}
		n := int(be.Uint16(b))
		if n < objectHeaderLen || n > len(b) {
			return false
		}
		b = b[n:]
	}
	return true
}
