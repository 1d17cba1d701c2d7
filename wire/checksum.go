package wire

import (
	"encoding/binary"
	"math/bits"
)

var (
	be = binary.BigEndian
	le = binary.LittleEndian
)

// A Sum is the sum of 16-bit words from which the Internet checksum is made
// (RFC 1071), not yet folded to 16 bits. Sums of parts may be added with +, and
// so may any field of 16 or 32 bits in host order. The zero Sum is the sum of
// nothing.
type Sum uint64

// PseudoSum is the sum of the pseudo-header of n bytes of protocol p: RFC 9293
// section 3.1 for IPv4, RFC 8200 section 8.1 for IPv6.
func PseudoSum(src, dst Addr, p Protocol, n int) Sum {
	return src.sum() + dst.sum() + Sum(p) + Sum(uint32(n))
}

// Add is s with the words of b, which starts at an even offset of what is
// summed. A last odd byte is followed by a zero byte, so what comes after it must
// be added with AddAt.
func (s Sum) Add(b []byte) Sum { return s + Sum(bits.ReverseBytes16(fold(sum(b)))) }

// AddAt is s with the words of b, which starts at any offset of what is summed.
func (s Sum) AddAt(offset int, b []byte) Sum {
	if offset&1 == 0 {
		return s.Add(b)
	}
	// Each byte has the other place in its word: the sum comes out with its
	// bytes swapped (RFC 1071 section 2 (B)).
	return s + Sum(fold(sum(b)))
}

// Fold is the sum in 16 bits. Not inverted, it is what a packet's checksum field
// holds when a device is to add the rest (VIRTIO_NET_HDR_F_NEEDS_CSUM).
func (s Sum) Fold() uint16 { return fold(uint64(s)) }

// Checksum is what the checksum field holds when s is the sum of all the rest.
func (s Sum) Checksum() uint16 { return ^fold(uint64(s)) }

// Valid tells whether a packet is whole whose sum, with its checksum field, is s.
func (s Sum) Valid() bool { return fold(uint64(s)) == 0xffff }

// CopySum copies src to dst and returns its sum. It copies as many bytes as
// the shorter of the two has.
func CopySum(dst, src []byte) Sum {
	const chunk = 4096 // summed while it is still in the nearest cache
	var s Sum
	for n := min(len(dst), len(src)); n > 0; n = min(len(dst), len(src)) {
		n = copy(dst[:min(n, chunk)], src)
		s = s.Add(dst[:n])
		dst, src = dst[n:], src[n:]
	}
	return s
}

// UpdateChecksum is checksum ck after a part of the packet that summed to old
// became one that sums to new (RFC 1624 equation 3).
func UpdateChecksum(ck uint16, old, new Sum) uint16 {
	return (Sum(^ck) + Sum(^old.Fold()) + new).Checksum()
}

// sum adds the words of b as a little-endian machine reads them; the order of
// bytes can be mended at the end (RFC 1071 section 2 (B)). Eight bytes are added
// at once, each carry into the next addition and the last one back to the start.
func sum(b []byte) uint64 {
	var s, c uint64
	for len(b) >= 128 {
		p := (*[128]byte)(b)
		s, c = bits.Add64(s, le.Uint64(p[0:]), c)
		s, c = bits.Add64(s, le.Uint64(p[8:]), c)
		s, c = bits.Add64(s, le.Uint64(p[16:]), c)
		s, c = bits.Add64(s, le.Uint64(p[24:]), c)
		s, c = bits.Add64(s, le.Uint64(p[32:]), c)
		s, c = bits.Add64(s, le.Uint64(p[40:]), c)
		s, c = bits.Add64(s, le.Uint64(p[48:]), c)
		s, c = bits.Add64(s, le.Uint64(p[56:]), c)
		s, c = bits.Add64(s, le.Uint64(p[64:]), c)
		s, c = bits.Add64(s, le.Uint64(p[72:]), c)
		s, c = bits.Add64(s, le.Uint64(p[80:]), c)
		s, c = bits.Add64(s, le.Uint64(p[88:]), c)
		s, c = bits.Add64(s, le.Uint64(p[96:]), c)
		s, c = bits.Add64(s, le.Uint64(p[104:]), c)
		s, c = bits.Add64(s, le.Uint64(p[112:]), c)
		s, c = bits.Add64(s, le.Uint64(p[120:]), c)
		b = b[128:]
	}
	for len(b) >= 16 {
		s, c = bits.Add64(s, le.Uint64(b), c)
		s, c = bits.Add64(s, le.Uint64(b[8:]), c)
		b = b[16:]
	}
	var last uint64 // at most 15 bytes
	if len(b) >= 8 {
		s, c = bits.Add64(s, le.Uint64(b), c)
		b = b[8:]
	}
	if len(b) >= 4 {
		s, c = bits.Add64(s, uint64(le.Uint32(b)), c)
		b = b[4:]
	}
	if len(b) >= 2 {
		last = uint64(le.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		last += uint64(b[0])
	}
	s, c = bits.Add64(s, last, c)
	s, c = bits.Add64(s, 0, c)
	return s + c
}

// fold brings a sum down to 16 bits, carries added back.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}
