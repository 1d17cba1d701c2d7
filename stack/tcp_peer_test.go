package stack_test

import (
	"math/rand/v2"
	"sync"

	"sockeye/event"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/wire"
)

const syn = wire.SYN

// segmentTo is a segment from a random address.
func segmentTo(random *rand.Rand, ip [4]byte, port uint16, flags wire.TCPFlags) *packet.Packet {
	src := [4]byte{11, byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())}
	h := wire.TCP{SrcPort: uint16(random.Uint32()) | 1, DstPort: port, Seq: wire.Seq(random.Uint32()), Flags: flags, Window: 1000}
	h.Options.Set, h.Options.MSS = wire.OptMSS, 1460
	return ipPacket(src, ip, h, 0)
}

// ipPacket is a segment with n bytes of payload, whose checksum is known to be right.
func ipPacket(src, dst [4]byte, h wire.TCP, n int) *packet.Packet {
	p := packet.NewPacket()
	p.Sum = packet.SumGood
	if n > 0 {
		p.Append(packet.Of(make([]byte, n)))
	}
	h.Put(p.Push(h.Len()))
	ip := wire.IPv4{Src: wire.AddrFrom4(src), Dst: wire.AddrFrom4(dst), TTL: 64, Protocol: wire.IPPROTO_TCP}
	ip.Put(p.Push(ip.Len()), h.Len()+n)
	return p
}

// A peer answers a host with segments that are right, or a little wrong. It remembers the
// last segment that came for each of its ports.
type peer struct {
	mu   sync.Mutex
	last [16]wire.TCP
	len  [16]int
}

func newPeer(port link.Port) *peer {
	p := new(peer)
	port.Attach(p)
	return p
}

// Receive implements link.Receiver.
func (r *peer) Receive(_ event.Time, p *packet.Packet) {
	defer p.Release()
	var ip wire.IPv4
	n, _, err := ip.Parse(p.Header(), p.Len())
	if err != nil || ip.Protocol != wire.IPPROTO_TCP {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h, _, err := wire.ParseTCP(p.Header()[n:]); err == nil {
		i := h.DstPort % 16
		r.last[i], r.len[i] = h, h.SeqLen(p.Len()-n-h.Len())
	}
}

// segment is the next one that the peer sends.
func (r *peer) segment(random *rand.Rand) *packet.Packet {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := random.IntN(len(r.last))
	last := &r.last[i]
	h := wire.TCP{SrcPort: 1024 + uint16(i), DstPort: 8080, Flags: wire.ACK, Seq: last.Ack, Ack: last.Seq.Add(r.len[i]), Window: uint16(random.Uint32())}
	if last.Flags == 0 || random.IntN(8) == 0 {
		h.Flags = wire.SYN
		h.Options.Set, h.Options.MSS, h.Options.WindowScale = wire.OptMSS|wire.OptSACKPermitted|wire.OptWindowScale, uint16(random.IntN(3000)), uint8(random.IntN(16))
		if random.IntN(4) == 0 {
			h.Options.Set |= wire.OptFastOpen
		}
	}
	switch random.IntN(16) {
	case 0:
		h.Seq = h.Seq.Add(random.IntN(4000) - 2000)
	case 1:
		h.Ack = h.Ack.Add(random.IntN(4000) - 2000)
	case 2:
		h.Flags = wire.TCPFlags(random.IntN(512))
	case 3:
		h.Flags |= wire.FIN
	case 4:
		h.Flags |= wire.URG
		h.Urgent = uint16(random.IntN(100))
	case 5:
		h.Options.NumSACK = 1
		h.Options.SACK[0] = wire.SACKBlock{Left: h.Ack.Add(random.IntN(100)), Right: h.Ack.Add(random.IntN(3000))}
	case 6:
		h.Options.Set |= wire.OptTimestamps
		h.Options.TSVal, h.Options.TSEcr = random.Uint32(), last.Options.TSVal
	}
	n := 0
	if random.IntN(2) == 0 {
		n = random.IntN(1500)
	}
	return ipPacket([4]byte{10, 0, 0, 2}, [4]byte{10, 0, 0, 1}, h, n)
}
