package wire

// ARP for IPv4 over Ethernet (RFC 826).
const (
	arpHardware = 0
	arpProtocol = 2
	arpSizes    = 4
	arpOp       = 6
	arpSHA      = 8
	arpSPA      = 14
	arpTHA      = 18
	arpTPA      = 24

	// ARPLen is the length of the packet.
	ARPLen = 28

	arpEthernet = 1      // ARPHRD_ETHER
	arpAddrLens = 0x0604 // hardware and protocol address lengths
)

// An ARPOp is what an ARP packet is for.
type ARPOp uint16

// The operations (linux/if_arp.h).
const (
	ARPOP_REQUEST ARPOp = 1
	ARPOP_REPLY   ARPOp = 2
)

// ARP is a packet of the address resolution protocol.
type ARP struct {
	Op        ARPOp
	SenderMAC MAC
	TargetMAC MAC
	SenderIP  Addr
	TargetIP  Addr
}

// ParseARP parses a packet. Hardware other than Ethernet and protocols other
// than IPv4 are ErrVersion, as are operations other than request and reply;
// address lengths that do not fit them are ErrLength.
func ParseARP(b []byte) (p ARP, err error) {
	switch {
	case len(b) < ARPLen:
		return p, ErrShort
	case be.Uint16(b[arpHardware:]) != arpEthernet || EtherType(be.Uint16(b[arpProtocol:])) != ETH_P_IP:
		return p, ErrVersion
	case be.Uint16(b[arpSizes:]) != arpAddrLens:
		return p, ErrLength
	}
	p.Op = ARPOp(be.Uint16(b[arpOp:]))
	if p.Op != ARPOP_REQUEST && p.Op != ARPOP_REPLY {
		return p, ErrVersion
	}
	p.SenderMAC, p.TargetMAC = MAC(b[arpSHA:]), MAC(b[arpTHA:])
	p.SenderIP, p.TargetIP = addr4(b[arpSPA:]), addr4(b[arpTPA:])
	return p, nil
}

// Len is the length of the packet.
func (p ARP) Len() int { return ARPLen }

// Put writes the packet.
func (p ARP) Put(b []byte) int {
	_ = b[:ARPLen]
	be.PutUint16(b[arpHardware:], arpEthernet)
	be.PutUint16(b[arpProtocol:], uint16(ETH_P_IP))
	be.PutUint16(b[arpSizes:], arpAddrLens)
	be.PutUint16(b[arpOp:], uint16(p.Op))
	copy(b[arpSHA:], p.SenderMAC[:])
	p.SenderIP.put4(b[arpSPA:])
	copy(b[arpTHA:], p.TargetMAC[:])
	p.TargetIP.put4(b[arpTPA:])
	return ARPLen
}
