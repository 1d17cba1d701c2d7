package inet

import (
	"encoding/binary"
	"slices"
	"time"

	"sockeye/event"
	"sockeye/packet"
	"sockeye/wire"
)

// fragment cuts a packet that is too long for its path (RFC 791 section 3.2, RFC 8200
// section 4.5). IPv4's options stand in the first fragment alone.
func (s *Stack) fragment(p *packet.Packet, h *header, w path) {
	s.scratch = p.AppendTo(s.scratch[:0])
	body := s.scratch[h.len():]
	p.Release()
	s.ids++
	id := s.ids
	room := (w.mtu - h.len()) &^ 7
	if !h.dst.Is4() {
		room = (w.mtu - h.len() - wire.FragmentLen) &^ 7
	}
	for offset := 0; offset < len(body); {
		n := min(room, len(body)-offset)
		q := packet.NewPacket()
		q.Append(packet.Of(body[offset : offset+n]))
		q.Sum = packet.SumUnknown
		more := offset+n < len(body)
		if h.dst.Is4() {
			ip := wire.IPv4{
				Src: h.src, Dst: h.dst, TOS: h.tos, TTL: h.ttl, Protocol: h.proto,
				ID: uint16(id), FragOffset: uint16(offset), MF: more,
			}
			if offset == 0 {
				ip.Options = h.options
			}
			ip.Put(q.Push(ip.Len()), n)
		} else {
			wire.Fragment{ID: id, Offset: uint16(offset), More: more}.Put(q.Push(wire.FragmentLen), h.proto)
			ip := *h
			ip.proto = wire.IPPROTO_FRAGMENT
			s.putHeader(q, &ip, wire.FragmentLen+n)
		}
		s.Counters.IPFragCreates++
		w.iface.send(q, w.next, w.cast)
		offset += n
	}
	s.Counters.IPFragOKs++
}

// Bounds of reassembly (ipfrag_high_thresh, ipfrag_time and ip6frag_time), and the
// most that a packet holds.
const (
	maxFragmentMemory = 4 << 20
	fragmentTime      = 30 * time.Second
	fragmentTime6     = 60 * time.Second
	maxPayload        = 65535
)

// A reassembly has the packets of which some fragments are there.
type reassembly struct {
	stack *Stack
	whole map[fragmentKey]*pieces
}

// A fragmentKey is what the fragments of one packet have in common.
type fragmentKey struct {
	src, dst wire.Addr
	id       uint32
	proto    wire.Protocol // IPv4's
}

// A fragment is where a piece belongs.
type fragment struct {
	key    fragmentKey
	offset int
	more   bool
}

// pieces are the fragments of one packet, in order, without overlaps.
type pieces struct {
	event.Event
	key    fragmentKey
	list   []piece
	total  int    // bytes of the whole; 0: not known
	have   int    // bytes that are there
	memory int    // that they take
	first  header // of the first fragment
	size   int    // of the largest fragment
}

type piece struct {
	offset, end int
	p           *packet.Packet
}

func (r *reassembly) init(s *Stack) { r.stack, r.whole = s, make(map[fragmentKey]*pieces) }

// add takes a fragment, and gives the whole packet when it was the last that was
// missing. Overlaps make the whole packet void (RFC 5722), but for one that is there
// twice.
func (r *reassembly) add(p *packet.Packet, h *header, f fragment) (_ *packet.Packet, ok bool) {
	c := &r.stack.Counters
	c.IPReasmReqds++
	n := p.Len()
	end := f.offset + n
	w := r.whole[f.key]
	memory := packet.Headroom + footprint(p)
	if n == 0 || f.more && n%8 != 0 || end > maxPayload || int(c.FragMemory)+memory > maxFragmentMemory {
		c.IPReasmFails++
		p.Release()
		return nil, false
	}
	if w == nil {
		w = &pieces{key: f.key}
		w.Handler, w.Arg = r, w
		r.whole[f.key] = w
		d := fragmentTime
		if !h.dst.Is4() {
			d = fragmentTime6
		}
		r.stack.loop.At(r.stack.loop.Now().Add(d), &w.Event)
	}
	i := 0
	for i < len(w.list) && w.list[i].offset < f.offset {
		i++
	}
	if i < len(w.list) && w.list[i].offset == f.offset && w.list[i].end == end {
		p.Release() // once more
		return nil, false
	}
	if i < len(w.list) && w.list[i].offset < end || i > 0 && w.list[i-1].end > f.offset ||
		w.total != 0 && (end > w.total || !f.more && end != w.total) ||
		!f.more && len(w.list) > 0 && w.list[len(w.list)-1].end > end {
		c.IPReasmFails++
		p.Release()
		r.drop(w)
		return nil, false
	}
	if !f.more {
		w.total = end
	}
	if f.offset == 0 {
		w.first = *h
	}
	w.list = slices.Insert(w.list, i, piece{f.offset, end, p})
	w.have += n
	w.memory += memory
	w.size = max(w.size, h.len()+n)
	c.FragMemory += uint64(memory)
	if w.have != w.total {
		return nil, false
	}
	c.IPReasmOKs++
	*h = w.first
	h.fragSize = w.size
	return r.join(w), true
}

// join makes one packet of the pieces, with the network header of the first.
func (r *reassembly) join(w *pieces) *packet.Packet {
	p := w.list[0].p
	p.Sum = packet.SumUnknown
	for _, f := range w.list[1:] {
		if b := f.p.Header(); len(b) > 0 {
			p.Append(packet.Of(b))
		}
		for _, s := range f.p.Take() {
			p.Append(s)
		}
		f.p.Release()
	}
	w.list = nil
	r.drop(w)
	if w.first.dst.Is4() {
		wholeHeader(p.NetworkHeader(), w.total)
	}
	return p
}

// wholeHeader makes of the IPv4 header of a first fragment that of the whole packet
// (ip_frag_reasm), which raw sockets see and errors quote.
func wholeHeader(b []byte, payload int) {
	const length, fragment, sum, df = 2, 6, 10, 0x40
	be := binary.BigEndian
	be.PutUint16(b[length:], uint16(len(b)+payload))
	b[fragment], b[fragment+1] = b[fragment]&df, 0
	be.PutUint16(b[sum:], 0)
	be.PutUint16(b[sum:], wire.Sum(0).Add(b).Checksum())
}

// footprint is the memory that a packet's payload takes.
func footprint(p *packet.Packet) (n int) {
	for _, s := range p.Payload {
		n += s.Footprint()
	}
	return n
}

// drop forgets a packet that is not whole.
func (r *reassembly) drop(w *pieces) {
	r.stack.loop.Cancel(&w.Event)
	for _, f := range w.list {
		f.p.Release()
	}
	w.list = nil
	r.stack.Counters.FragMemory -= uint64(w.memory)
	delete(r.whole, w.key)
}

// Handle implements event.Handler: the rest did not come in time. The sender learns
// of it if the first fragment did (RFC 792, RFC 8200 section 4.5).
func (r *reassembly) Handle(_ event.Time, arg any) {
	s, w := r.stack, arg.(*pieces)
	s.host.Lock()
	defer s.host.Unlock()
	if r.whole[w.key] != w {
		return
	}
	s.Counters.IPReasmTimeout++
	s.Counters.IPReasmFails++
	if len(w.list) > 0 && w.list[0].offset == 0 {
		s.sendError(w.list[0].p.Clone(), &w.first, reassemblyTimeExceeded)
	}
	r.drop(w)
	s.host.Pending = false
}

func (r *reassembly) close() {
	for _, w := range r.whole {
		r.drop(w)
	}
}
