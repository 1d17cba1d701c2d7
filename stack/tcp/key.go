package tcp

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// A Key is a secret of a host: 128 random bits.
type Key [16]byte

// A Flow names a connection: the host's own address and the peer's.
type Flow struct {
	Local, Remote netip.AddrPort
}

// hosts is the flow without its ports.
func (f Flow) hosts() Flow {
	return Flow{netip.AddrPortFrom(f.Local.Addr(), 0), netip.AddrPortFrom(f.Remote.Addr(), 0)}
}

// hash is SipHash-2-4 (Aumasson and Bernstein, 2012) of a flow and some words under a key.
func (k Key) hash(f Flow, words ...uint64) uint64 {
	var b [36]byte
	local, remote := f.Local.Addr().As16(), f.Remote.Addr().As16()
	copy(b[:], local[:])
	copy(b[16:], remote[:])
	binary.LittleEndian.PutUint16(b[32:], f.Local.Port())
	binary.LittleEndian.PutUint16(b[34:], f.Remote.Port())

	s := newSip(k)
	for i := 0; i < 32; i += 8 {
		s.word(binary.LittleEndian.Uint64(b[i:]))
	}
	s.word(uint64(binary.LittleEndian.Uint32(b[32:])))
	for _, w := range words {
		s.word(w)
	}
	return s.sum(uint64(5 + len(words)))
}

type sip struct{ a, b, c, d uint64 }

func newSip(k Key) sip {
	k0, k1 := binary.LittleEndian.Uint64(k[:]), binary.LittleEndian.Uint64(k[8:])
	return sip{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
}

func (s *sip) round() {
	s.a += s.b
	s.b = bits.RotateLeft64(s.b, 13) ^ s.a
	s.a = bits.RotateLeft64(s.a, 32)
	s.c += s.d
	s.d = bits.RotateLeft64(s.d, 16) ^ s.c
	s.a += s.d
	s.d = bits.RotateLeft64(s.d, 21) ^ s.a
	s.c += s.b
	s.b = bits.RotateLeft64(s.b, 17) ^ s.c
	s.c = bits.RotateLeft64(s.c, 32)
}

func (s *sip) word(w uint64) {
	s.d ^= w
	s.round()
	s.round()
	s.a ^= w
}

func (s *sip) sum(words uint64) uint64 {
	s.word(words * 8 << 56)
	s.c ^= 0xff
	for range 4 {
		s.round()
	}
	return s.a ^ s.b ^ s.c ^ s.d
}

// Words that keep the uses of one key apart.
const (
	useISN = iota + 1
	useOffset
	useCookie
	useCookieData
	useFastOpen
)

// ISN is the initial sequence number of a connection (RFC 6528): a clock of 64 ns ticks, as Linux
// has it, and a function of the flow that nobody can guess.
func (h *Host) ISN(now Time, f Flow) Seq {
	return Seq(uint32(h.Key.hash(f, useISN)) + uint32(now>>6))
}

// TSOffset is where the flow's timestamps begin (RFC 7323 section 5.4).
func (h *Host) TSOffset(f Flow) uint32 {
	return uint32(h.Key.hash(f.hosts(), useOffset))
}
