package packet

import "sync"

// Headroom is the most that a packet's headers take: Ethernet with a tag, IPv6
// with some extension headers, TCP with all its options.
const Headroom = 192

// A Packet is one packet on its way: its headers in memory of its own, and its
// payload in slices, which it holds. Packets are pooled: whoever was given one
// passes it on or releases it.
type Packet struct {
	Payload []Slice
	GSO     GSO
	Sum     Sum
	// Via is the interface, by its index, that the sender of a packet to its own host asked for; 0: none.
	Via int32
	// Told is told when the packet is handed to a link; nil: nobody wants to know.
	Told Told

	network  int // where the network header begins, after Network
	from, to int // the headers are head[from:to]
	head     [Headroom]byte
	slices   [4]Slice // for Payload
}

// A Told learns that a packet is handed to a link. It may read the packet, and keeps nothing of it.
type Told interface{ Leaves(p *Packet) }

// Sum is what is known of the transport's checksum.
type Sum uint8

const (
	// SumPartial is a checksum that nobody has computed: the packet has met no
	// link that can damage it. A link that can must fill it in.
	SumPartial Sum = iota
	// SumUnknown is a checksum that has to be checked.
	SumUnknown
	// SumGood is a checksum that was checked.
	SumGood
)

// A GSO says that the payload is that of several segments with one header (generic
// segmentation offload): Size bytes each, the last one less. The zero GSO is one
// segment.
type GSO struct{ Size int }

var packets = sync.Pool{New: func() any { return new(Packet) }}

// NewPacket gives an empty packet, with room for headers in front.
func NewPacket() *Packet {
	p := packets.Get().(*Packet)
	p.network, p.from, p.to = Headroom, Headroom, Headroom
	p.Payload = p.slices[:0]
	p.GSO, p.Sum, p.Via, p.Told = GSO{}, SumPartial, 0, nil
	return p
}

// Header is the headers that are there, the outermost first.
func (p *Packet) Header() []byte { return p.head[p.from:p.to] }

// Push makes room for a header of n bytes in front of the others.
func (p *Packet) Push(n int) []byte {
	p.from -= n
	return p.head[p.from : p.from+n]
}

// Pull takes n bytes of headers off the front.
func (p *Packet) Pull(n int) { p.from += n }

// SetHeader makes b the headers, in place of what was there.
func (p *Packet) SetHeader(b []byte) {
	p.from = p.to - len(b)
	if p.from < 0 {
		p.from, p.to = 0, len(b)
	}
	copy(p.head[p.from:], b)
}

// Append adds payload. The packet holds the slice's reference from here on.
func (p *Packet) Append(s Slice) { p.Payload = append(p.Payload, s) }

// Len is the length of the whole, headers and payload.
func (p *Packet) Len() int { return p.to - p.from + Len(p.Payload) }

// AppendTo appends the whole packet's bytes to b.
func (p *Packet) AppendTo(b []byte) []byte {
	b = append(b, p.Header()...)
	for _, s := range p.Payload {
		b = append(b, s.Bytes()...)
	}
	return b
}

// Clone is the same packet again: headers of its own, the payload shared.
func (p *Packet) Clone() *Packet {
	q := NewPacket()
	q.head, q.network, q.from, q.to = p.head, p.network, p.from, p.to
	q.GSO, q.Sum, q.Via = p.GSO, p.Sum, p.Via
	for _, s := range p.Payload {
		q.Append(s.Retain())
	}
	return q
}

// Take gives the payload to the caller, who holds the slices from here on; they
// are valid until the packet is released.
func (p *Packet) Take() []Slice {
	s := p.Payload
	p.Payload = nil
	return s
}

// Release ends the packet, and gives its payload's references back.
func (p *Packet) Release() {
	Release(p.Payload)
	p.Payload = nil
	clear(p.slices[:])
	packets.Put(p)
}

// Network notes that the packet begins with a network header of n bytes, which
// Headers still gives, and that size bytes belong to it behind that header: what a
// link padded is cut off. Header begins behind it from here on.
func (p *Packet) Network(n, size int) {
	p.network = p.from
	p.from += n
	p.Truncate(size)
}

// NetworkHeader is the header that Network noted, with what was pulled behind it.
func (p *Packet) NetworkHeader() []byte { return p.head[min(p.network, p.from):p.from] }

// Pullup moves payload to the end of the headers until Header has n bytes. It gives
// false when the packet is shorter than that, or has no room for them.
func (p *Packet) Pullup(n int) bool {
	need := n - (p.to - p.from)
	if need <= 0 {
		return true
	}
	start := min(p.network, p.from)
	if need > start || need > Len(p.Payload) {
		return false
	}
	copy(p.head[start-need:], p.head[start:p.to])
	if p.network <= p.from {
		p.network -= need
	}
	p.from -= need
	for to := p.head[p.to-need : p.to]; len(to) > 0; {
		s := p.Payload[0]
		k := copy(to, s.Bytes())
		to = to[k:]
		if k < s.Len() {
			p.Payload[0] = s.Sub(k, s.Len())
			break
		}
		s.Release()
		p.Payload = p.Payload[1:]
	}
	return true
}

// Truncate cuts the packet to n bytes.
func (p *Packet) Truncate(n int) {
	over := p.Len() - n
	for over > 0 && len(p.Payload) > 0 {
		last := len(p.Payload) - 1
		s := p.Payload[last]
		if s.Len() > over {
			p.Payload[last] = s.Sub(0, s.Len()-over)
			return
		}
		over -= s.Len()
		s.Release()
		p.Payload[last] = Slice{}
		p.Payload = p.Payload[:last]
	}
	if over > 0 {
		p.to -= over
	}
}
