package wire

import (
	"math/bits"
	"net/netip"
)

// An Addr is an IPv4 or IPv6 address in 16 bytes without a pointer: two words
// that are compared, hashed and passed in registers. An IPv4 address is held in
// its IPv4-mapped form (RFC 4291 section 2.5.5.2). That form cannot come from an
// IPv6 packet: the parsers refuse it there (ErrAddress), as Linux does. The zero
// Addr is ::.
type Addr struct{ hi, lo uint64 }

const mapped = 0xffff << 32 // the low word of ::ffff:0.0.0.0

// AddrFrom4 is an IPv4 address.
func AddrFrom4(b [4]byte) Addr { return addr4(b[:]) }

// AddrFrom16 is an IPv6 address, or the IPv4 address that an IPv4-mapped one
// stands for.
func AddrFrom16(b [16]byte) Addr { return addr6(b[:]) }

// AddrFromNetip is the address of a, without its zone.
func AddrFromNetip(a netip.Addr) Addr { return AddrFrom16(a.As16()) }

func addr4(b []byte) Addr { return Addr{0, mapped | uint64(be.Uint32(b))} }
func addr6(b []byte) Addr { return Addr{be.Uint64(b), be.Uint64(b[8:])} }

// Words is the address as two numbers, for hashing.
func (a Addr) Words() (hi, lo uint64) { return a.hi, a.lo }

// As4 is the four bytes of an IPv4 address, the last four of an IPv6 one.
func (a Addr) As4() (b [4]byte) {
	be.PutUint32(b[:], uint32(a.lo))
	return b
}

// As16 is the IPv6 address, or the IPv4-mapped form of an IPv4 address.
func (a Addr) As16() (b [16]byte) {
	be.PutUint64(b[:], a.hi)
	be.PutUint64(b[8:], a.lo)
	return b
}

// Netip is a as package netip has it.
func (a Addr) Netip() netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4(a.As4())
	}
	return netip.AddrFrom16(a.As16())
}

// String is the address as RFC 5952 writes it.
func (a Addr) String() string { return a.Netip().String() }

// Is4 tells an IPv4 address from an IPv6 one.
func (a Addr) Is4() bool { return a.hi == 0 && a.lo>>32 == 0xffff }

// Size is the bytes that the address takes in a packet: 4 or 16.
func (a Addr) Size() int {
	if a.Is4() {
		return 4
	}
	return 16
}

// Append appends the address as it stands in a packet.
func (a Addr) Append(b []byte) []byte {
	if a.Is4() {
		return be.AppendUint32(b, uint32(a.lo))
	}
	return be.AppendUint64(be.AppendUint64(b, a.hi), a.lo)
}

func (a Addr) put4(b []byte) { be.PutUint32(b, uint32(a.lo)) }

func (a Addr) put16(b []byte) {
	be.PutUint64(b, a.hi)
	be.PutUint64(b[8:], a.lo)
}

// sum is the address's part in a pseudo-header's checksum.
func (a Addr) sum() Sum {
	if a.Is4() {
		return Sum(a.lo & 0xffffffff)
	}
	return Sum(a.hi>>32) + Sum(a.hi&0xffffffff) + Sum(a.lo>>32) + Sum(a.lo&0xffffffff)
}

// IsUnspecified tells 0.0.0.0 and ::.
func (a Addr) IsUnspecified() bool { return a.hi == 0 && (a.lo == 0 || a.lo == mapped) }

// IsLoopback tells 127.0.0.0/8 and ::1.
func (a Addr) IsLoopback() bool {
	return a.hi == 0 && (a.lo == 1 || a.lo>>24 == (mapped|127<<24)>>24)
}

// IsBroadcast tells 255.255.255.255.
func (a Addr) IsBroadcast() bool { return a == Addr{0, mapped | 0xffffffff} }

// IsMulticast tells 224.0.0.0/4 and ff00::/8.
func (a Addr) IsMulticast() bool {
	if a.Is4() {
		return uint32(a.lo)>>28 == 0xe
	}
	return a.hi>>56 == 0xff
}

// IsLinkLocal tells the unicast addresses 169.254.0.0/16 and fe80::/10.
func (a Addr) IsLinkLocal() bool {
	if a.Is4() {
		return uint32(a.lo)>>16 == 0xa9fe
	}
	return a.hi>>54 == 0xfe80>>6
}

// IsLinkLocalMulticast tells 224.0.0.0/24 and groups of IPv6's link-local scope,
// ff02::/16 with any flags.
func (a Addr) IsLinkLocalMulticast() bool {
	if a.Is4() {
		return uint32(a.lo)>>8 == 0xe00000
	}
	return a.hi>>56 == 0xff && a.hi>>48&0xf == 2
}

// CommonPrefix is the number of leading bits that a and b share; 0 when they
// are of different families. An address is within a network when it shares at
// least the network's prefix length with it.
func (a Addr) CommonPrefix(b Addr) int {
	if a.Is4() != b.Is4() {
		return 0
	}
	if a.Is4() {
		return bits.LeadingZeros32(uint32(a.lo ^ b.lo))
	}
	if a.hi != b.hi {
		return bits.LeadingZeros64(a.hi ^ b.hi)
	}
	return 64 + bits.LeadingZeros64(a.lo^b.lo)
}

// SolicitedNode is the multicast address at which the owner of IPv6 address a
// is asked for its link-layer address (RFC 4291 section 2.7.1).
func (a Addr) SolicitedNode() Addr {
	return Addr{0xff02 << 48, 0x1ff<<24 | a.lo&0xffffff}
}

// MulticastMAC is where a link carries packets for the group a: RFC 1112
// section 6.4 for IPv4, RFC 2464 section 7 for IPv6.
func (a Addr) MulticastMAC() MAC {
	v := uint32(a.lo)
	if a.Is4() {
		return MAC{0x01, 0x00, 0x5e, byte(v>>16) & 0x7f, byte(v >> 8), byte(v)}
	}
	return MAC{0x33, 0x33, byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
}
