package wire

// Ethernet II (RFC 894), with at most one tag of IEEE 802.1Q.
const (
	ethDst     = 0
	ethSrc     = 6
	ethType    = 12
	ethTCI     = 14
	ethTagType = 16

	// EthernetLen is the length of an untagged header.
	EthernetLen    = 14
	ethernetTagged = 18
)

// A MAC is an Ethernet address.
type MAC [6]byte

// BroadcastMAC is every station.
var BroadcastMAC = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// IsGroup tells multicast and broadcast addresses.
func (m MAC) IsGroup() bool { return m[0]&1 != 0 }

// IsZero tells the address that is no address.
func (m MAC) IsZero() bool { return m == MAC{} }

// String is the address as 02:00:00:00:00:01.
func (m MAC) String() string {
	const digits = "0123456789abcdef"
	s := make([]byte, 0, 17)
	for i, v := range m {
		if i > 0 {
			s = append(s, ':')
		}
		s = append(s, digits[v>>4], digits[v&15])
	}
	return string(s)
}

// An EtherType says what a frame carries.
type EtherType uint16

// The types (linux/if_ether.h).
const (
	ETH_P_IP    EtherType = 0x0800
	ETH_P_ARP   EtherType = 0x0806
	ETH_P_8021Q EtherType = 0x8100
	ETH_P_IPV6  EtherType = 0x86dd
)

const ethTypeMin = 0x0600 // below it stands a length: IEEE 802.3

// Ethernet is the header of a frame. A tagged frame has its tag control
// information in TCI; a host takes identifier 0 as untagged and, unless it has a
// VLAN of that identifier, drops the rest.
type Ethernet struct {
	Dst, Src MAC
	Type     EtherType
	Tagged   bool
	TCI      uint16
}

// VLAN is the identifier in the tag, 0 without one.
func (h Ethernet) VLAN() uint16 { return h.TCI & 0xfff }

// ParseEthernet parses a frame and gives what it carries, with the padding that
// a short frame has. A frame with a length in place of the type is ErrVersion.
func ParseEthernet(b []byte) (h Ethernet, payload []byte, err error) {
	if len(b) < EthernetLen {
		return h, nil, ErrShort
	}
	h.Dst, h.Src = MAC(b[ethDst:]), MAC(b[ethSrc:])
	h.Type = EtherType(be.Uint16(b[ethType:]))
	payload = b[EthernetLen:]
	if h.Type == ETH_P_8021Q {
		if len(b) < ethernetTagged {
			return h, nil, ErrShort
		}
		h.Tagged, h.TCI = true, be.Uint16(b[ethTCI:])
		h.Type = EtherType(be.Uint16(b[ethTagType:]))
		payload = b[ethernetTagged:]
	}
	if h.Type < ethTypeMin {
		return h, nil, ErrVersion
	}
	return h, payload, nil
}

// Len is the length of the header.
func (h Ethernet) Len() int {
	if h.Tagged {
		return ethernetTagged
	}
	return EthernetLen
}

// Put writes the header.
func (h Ethernet) Put(b []byte) int {
	copy(b[ethDst:ethSrc], h.Dst[:])
	copy(b[ethSrc:ethType], h.Src[:])
	if !h.Tagged {
		be.PutUint16(b[ethType:], uint16(h.Type))
		return EthernetLen
	}
	be.PutUint16(b[ethType:], uint16(ETH_P_8021Q))
	be.PutUint16(b[ethTCI:], h.TCI)
	be.PutUint16(b[ethTagType:], uint16(h.Type))
	return ethernetTagged
}
