package wire

import "encoding/binary"

// The header that a TUN or packet device puts before each packet when IFF_VNET_HDR
// is set (linux/virtio_net.h, struct virtio_net_hdr): what is left for the other
// side to do. Its numbers are in the machine's own order.
const (
	vnetFlags      = 0
	vnetGSOType    = 1
	vnetHdrLen     = 2
	vnetGSOSize    = 4
	vnetCsumStart  = 6
	vnetCsumOffset = 8

	// VirtioNetLen is the length of the header.
	VirtioNetLen = 10
)

// The flags.
const (
	VIRTIO_NET_HDR_F_NEEDS_CSUM = 1 // the checksum field holds the pseudo-header's sum only
	VIRTIO_NET_HDR_F_DATA_VALID = 2 // the checksum has been checked
)

// A GSOType says how the packet is to be cut into segments.
type GSOType uint8

// The types. VIRTIO_NET_HDR_GSO_ECN is a bit that stands with a TCP type: the
// first segment alone has CWR.
const (
	VIRTIO_NET_HDR_GSO_NONE   GSOType = 0
	VIRTIO_NET_HDR_GSO_TCPV4  GSOType = 1
	VIRTIO_NET_HDR_GSO_UDP    GSOType = 3 // IPv4 fragments
	VIRTIO_NET_HDR_GSO_TCPV6  GSOType = 4
	VIRTIO_NET_HDR_GSO_UDP_L4 GSOType = 5 // datagrams
	VIRTIO_NET_HDR_GSO_ECN    GSOType = 0x80
)

// VirtioNet is the header.
type VirtioNet struct {
	Flags      uint8
	GSOType    GSOType
	HdrLen     uint16 // a hint: headers to keep together
	GSOSize    uint16 // payload of each segment
	CsumStart  uint16 // the checksum covers the packet from here
	CsumOffset uint16 // and stands there, counted from CsumStart
}

// ParseVirtioNet parses the header and gives the packet. It refuses what the
// kernel refuses in virtio_net_hdr_to_skb: a segmentation that it does not know
// (ErrVersion) or without a size, and a checksum outside of the packet (ErrLength).
func ParseVirtioNet(b []byte) (h VirtioNet, packet []byte, err error) {
	if len(b) < VirtioNetLen {
		return h, nil, ErrShort
	}
	ne := binary.NativeEndian
	h = VirtioNet{
		Flags: b[vnetFlags], GSOType: GSOType(b[vnetGSOType]),
		HdrLen: ne.Uint16(b[vnetHdrLen:]), GSOSize: ne.Uint16(b[vnetGSOSize:]),
		CsumStart: ne.Uint16(b[vnetCsumStart:]), CsumOffset: ne.Uint16(b[vnetCsumOffset:]),
	}
	packet = b[VirtioNetLen:]
	switch h.GSOType &^ VIRTIO_NET_HDR_GSO_ECN {
	case VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6:
	case VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_UDP, VIRTIO_NET_HDR_GSO_UDP_L4:
		if h.GSOType&VIRTIO_NET_HDR_GSO_ECN != 0 {
			return h, nil, ErrVersion
		}
	default:
		return h, nil, ErrVersion
	}
	if h.GSOType != VIRTIO_NET_HDR_GSO_NONE && h.GSOSize == 0 {
		return h, nil, ErrLength
	}
	if h.NeedsChecksum() && h.checksumAt()+2 > len(packet) {
		return h, nil, ErrLength
	}
	return h, packet, nil
}

// NeedsChecksum tells whether the packet's checksum is still to be completed.
// Such a packet never was on a wire and needs no check.
func (h VirtioNet) NeedsChecksum() bool { return h.Flags&VIRTIO_NET_HDR_F_NEEDS_CSUM != 0 }

func (h VirtioNet) checksumAt() int { return int(h.CsumStart) + int(h.CsumOffset) }

// Complete writes the checksum that NeedsChecksum tells of, for a packet that is
// passed on to where nobody else will.
func (h VirtioNet) Complete(packet []byte) {
	ck := Sum(0).Add(packet[h.CsumStart:]).Checksum()
	be.PutUint16(packet[h.checksumAt():], nonzero(ck))
}

// Len is the length of the header.
func (h VirtioNet) Len() int { return VirtioNetLen }

// Put writes the header.
func (h VirtioNet) Put(b []byte) int {
	_ = b[:VirtioNetLen]
	ne := binary.NativeEndian
	b[vnetFlags], b[vnetGSOType] = h.Flags, byte(h.GSOType)
	ne.PutUint16(b[vnetHdrLen:], h.HdrLen)
	ne.PutUint16(b[vnetGSOSize:], h.GSOSize)
	ne.PutUint16(b[vnetCsumStart:], h.CsumStart)
	ne.PutUint16(b[vnetCsumOffset:], h.CsumOffset)
	return VirtioNetLen
}
