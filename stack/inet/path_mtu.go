package inet

import (
	"encoding/binary"
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// An mtuNote is that a datagram to dst was too long, for IPV6_RECVPATHMTU (RFC 3542 section 11.3).
type mtuNote struct {
	dst   wire.Addr
	scope int
	mtu   int
}

// noteMTU keeps the last such note, if the socket asked for it (ipv6_local_rxpmtu).
func (b *base) noteMTU(dst wire.Addr, mtu int) {
	if b.ip.has(recvPathMTU) && !dst.Is4() {
		b.ip.pathMTU = &mtuNote{dst: dst, mtu: mtu}
		if needsScope(dst) {
			b.ip.pathMTU.scope = b.scope
		}
	}
}

// receiveMTU is recvmsg(2) of such a note, which comes without data (ipv6_recv_rxpmtu).
func (b *base) receiveMTU(m *sockeye.Message) {
	n := b.ip.pathMTU
	b.ip.pathMTU = nil
	m.Name = sockeye.SockaddrInet6(n.dst.As16(), 0, 0, uint32(n.scope))
	c := sock.ControlOf(m)
	c.Add(sockeye.SOL_IPV6, sockeye.IPV6_PATHMTU.Name, mtuInfo(m.Name.AppendBytes(nil), n.mtu))
	c.Done()
}

// getPathMTU is getsockopt(2) of IPV6_PATHMTU.
func (b *base) getPathMTU(val []byte) (int, error) {
	if len(val) < sizeofMTUInfo {
		return 0, syscall.EINVAL
	}
	mtu, err := b.pathMTU()
	if err != nil {
		return 0, err
	}
	return copy(val, mtuInfo(make([]byte, sizeofSockaddrIn6), mtu)), nil
}

const sizeofMTUInfo = sizeofSockaddrIn6 + 4

// mtuInfo is C's struct ip6_mtuinfo.
func mtuInfo(sa []byte, mtu int) []byte { return binary.NativeEndian.AppendUint32(sa, uint32(mtu)) }
