package wire_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"sockeye/wire"
)

// vnetBytes is a header in the machine's own order before a packet of n bytes.
func vnetBytes(flags, gso byte, hdrLen, gsoSize, start, offset uint16, n int) []byte {
	b := []byte{flags, gso}
	for _, v := range []uint16{hdrLen, gsoSize, start, offset} {
		b = binary.NativeEndian.AppendUint16(b, v)
	}
	return append(b, random(n)...)
}

func putVirtioNet(h wire.VirtioNet, b []byte) int { return h.Put(b) }

func TestVirtioNetIsParsedAndBuilt(t *testing.T) {
	b := vnetBytes(wire.VIRTIO_NET_HDR_F_NEEDS_CSUM, 0x81, 52, 1448, 20, 16, 64)
	want := wire.VirtioNet{
		Flags: wire.VIRTIO_NET_HDR_F_NEEDS_CSUM, GSOType: wire.VIRTIO_NET_HDR_GSO_TCPV4 | wire.VIRTIO_NET_HDR_GSO_ECN,
		HdrLen: 52, GSOSize: 1448, CsumStart: 20, CsumOffset: 16,
	}
	h, packet, err := wire.ParseVirtioNet(b)
	if err != nil || h != want || !bytes.Equal(packet, b[10:]) {
		t.Fatalf("%+v, %v", h, err)
	}
	built := dirty(10)
	if h.Put(built); !bytes.Equal(built, b[:10]) {
		t.Errorf("built %x, want %x", built, b[:10])
	}
}

func TestVirtioNetRefusals(t *testing.T) {
	const needs, ecn = wire.VIRTIO_NET_HDR_F_NEEDS_CSUM, 0x80
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing to do", vnetBytes(0, 0, 0, 0, 0, 0, 20), nil},
		{"a header less a byte", vnetBytes(0, 0, 0, 0, 0, 0, 0)[:9], wire.ErrShort},
		{"a packet of nothing", vnetBytes(0, 0, 0, 0, 0, 0, 0), nil},
		{"a checksum that ends the packet", vnetBytes(needs, 0, 0, 0, 20, 16, 38), nil},
		{"a checksum past the packet", vnetBytes(needs, 0, 0, 0, 20, 16, 37), wire.ErrLength},
		{"a checksum that starts past the packet", vnetBytes(needs, 0, 0, 0, 0xffff, 0xffff, 64), wire.ErrLength},
		{"offsets without a checksum to make", vnetBytes(0, 0, 0, 0, 0xffff, 0xffff, 64), nil},
		{"TCP over IPv6", vnetBytes(0, 4, 0, 1428, 0, 0, 64), nil},
		{"datagrams", vnetBytes(0, 5, 0, 1428, 0, 0, 64), nil},
		{"IPv4 fragments", vnetBytes(0, 3, 0, 1480, 0, 0, 64), nil},
		{"segments of no size", vnetBytes(0, 1, 0, 0, 0, 0, 64), wire.ErrLength},
		{"an unknown segmentation", vnetBytes(0, 2, 0, 1448, 0, 0, 64), wire.ErrVersion},
		{"ECN without TCP", vnetBytes(0, ecn|5, 0, 1448, 0, 0, 64), wire.ErrVersion},
		{"ECN without segments", vnetBytes(0, ecn, 0, 1448, 0, 0, 64), wire.ErrVersion},
	} {
		if _, _, err := wire.ParseVirtioNet(c.b); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestVirtioNetCompletesTheChecksum(t *testing.T) {
	src, dst := addr("10.0.0.1"), addr("10.0.0.2")
	packet := append(dirty(40), "hello"...)
	ip := wire.IPv4{Src: src, Dst: dst, TTL: 64, Protocol: wire.IPPROTO_TCP}
	n := ip.Put(packet, 25)
	tcpValue := wire.TCP{SrcPort: 1, DstPort: 2, Flags: wire.ACK}
	tcpValue.Put(packet[n:])
	pseudo := wire.PseudoSum(src, dst, wire.IPPROTO_TCP, 25)
	binary.BigEndian.PutUint16(packet[n+wire.TCPChecksumOffset:], pseudo.Fold())
	h := wire.VirtioNet{
		Flags: wire.VIRTIO_NET_HDR_F_NEEDS_CSUM, CsumStart: uint16(n), CsumOffset: wire.TCPChecksumOffset,
	}
	if h.Complete(packet); !pseudo.Add(packet[n:]).Valid() {
		t.Errorf("checksum %x is not valid", packet[n+wire.TCPChecksumOffset:][:2])
	}
}

func FuzzVirtioNet(f *testing.F) {
	parse := func(b []byte) (wire.VirtioNet, error) {
		h, packet, err := wire.ParseVirtioNet(bytes.Clone(b))
		if err == nil && h.NeedsChecksum() {
			h.Complete(packet)
			h.Flags &^= wire.VIRTIO_NET_HDR_F_NEEDS_CSUM // what is built has no packet to check against
		}
		return h, err
	}
	fuzz(f, parse, wire.VirtioNet.Len, putVirtioNet, nil, vnetBytes(1, 1, 52, 1448, 20, 16, 64))
}
