package inet

import (
	"slices"
	"time"

	"sockeye/event"
	"sockeye/packet"
	"sockeye/wire"
)

// fragment cuts a packet, its IP header in front, that is too long for its path (RFC 791
// section 3.2, RFC 8200 section 4.5).
func (s *Stack) fragment(p *packet.Packet, h *header, w path) {
	s.scratch = p.AppendTo(s.scratch[:0])
	p.Release()
	if !h.dst.Is4() {
		s.fragment6(s.scratch[h.len():], h, w)
	} else if ip, body, err := wire.ParseIPv4(s.scratch); err == nil { // it is this host's own, or was checked
		s.fragment4(body, ip, w)
	}
	s.Counters.IPFragOKs++
}

// fragment4 cuts a packet that may itself be a fragment, on its way through this host: its
// identification and place are kept.
func (s *Stack) fragment4(body []byte, ip wire.IPv4, w path) {
	start, last := int(ip.FragOffset), !ip.MF
	room := (w.mtu - ip.Len()) &^ 7
	for offset := 0; offset < len(body); offset += room {
		n := min(room, len(body)-offset)
		ip.FragOffset, ip.MF = uint16(start+offset), !last || offset+n < len(body)
		q := fragmentOf(body[offset : offset+n])
		ip.Put(q.Push(ip.Len()), n)
		s.sendFragment(q, w)
		if offset == 0 {
			wire.KeepCopiedOptions(ip.Options)
		}
	}
}

func (s *Stack) fragment6(body []byte, h *header, w path) {
	s.ids++
	ip := *h
	ip.proto = wire.IPPROTO_FRAGMENT
	room := (w.mtu - h.len() - wire.FragmentLen) &^ 7
	for offset := 0; offset < len(body); offset += room {
		n := min(room, len(body)-offset)
		q := fragmentOf(body[offset : offset+n])
		wire.Fragment{ID: s.ids, Offset: uint16(offset), More: offset+n < len(body)}.Put(q.Push(wire.FragmentLen), h.proto)
		s.putHeader(q, &ip, wire.FragmentLen+n)
		s.sendFragment(q, w)
	}
}

// fragmentOf is a fragment without its header.
func fragmentOf(b []byte) *packet.Packet {
	q := packet.NewPacket()
	q.Append(packet.Of(b))
	q.Sum = packet.SumUnknown
	return q
}

func (s *Stack) sendFragment(q *packet.Packet, w path) {
	s.Counters.IPFragCreates++
	w.iface.send(q, w.next, w.cast)
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
	return p
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
