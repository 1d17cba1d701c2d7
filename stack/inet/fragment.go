package inet

import (
	"encoding/binary"
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
	told := p.Told
	p.Release()
	if !h.dst.Is4() {
		s.fragment6(s.scratch[h.len():], h, w, told)
	} else if ip, body, err := wire.ParseIPv4(s.scratch); err == nil { // it is this host's own, or was checked
		s.fragment4(body, ip, w, told)
	}
	s.Counters.ip(h.dst).FragOKs++
}

// fragment4 cuts a packet that may itself be a fragment, on its way through this host: its
// identification and place are kept. Who wants to know is told of the first one.
func (s *Stack) fragment4(body []byte, ip wire.IPv4, w path, told packet.Told) {
	start, last := int(ip.FragOffset), !ip.MF
	room := (w.mtu - ip.Len()) &^ 7
	for offset := 0; offset < len(body); offset += room {
		n := min(room, len(body)-offset)
		ip.FragOffset, ip.MF = uint16(start+offset), !last || offset+n < len(body)
		q := fragmentOf(body[offset : offset+n])
		ip.Put(q.Push(ip.Len()), n)
		q.Told, told = told, nil
		s.sendFragment(&s.Counters.IP, q, w)
		if offset == 0 {
			wire.KeepCopiedOptions(ip.Options)
		}
	}
}

func (s *Stack) fragment6(body []byte, h *header, w path, told packet.Told) {
	s.ids++
	ip := *h
	ip.proto = wire.IPPROTO_FRAGMENT
	room := (w.mtu - h.len() - wire.FragmentLen) &^ 7
	for offset := 0; offset < len(body); offset += room {
		n := min(room, len(body)-offset)
		q := fragmentOf(body[offset : offset+n])
		wire.Fragment{ID: s.ids, Offset: uint16(offset), More: offset+n < len(body)}.Put(q.Push(wire.FragmentLen), h.proto)
		s.putHeader(q, &ip, wire.FragmentLen+n)
		q.Told, told = told, nil
		s.sendFragment(&s.Counters.IP6, q, w)
	}
}

// fragmentOf is a fragment without its header.
func fragmentOf(b []byte) *packet.Packet {
	q := packet.NewPacket()
	q.Append(packet.Of(b))
	q.Sum = packet.SumUnknown
	return q
}

func (s *Stack) sendFragment(c *IPCounters, q *packet.Packet, w path) {
	c.FragCreates++
	w.iface.send(q, w.next, w.cast)
}

// Bounds of reassembly (ipfrag_high_thresh, ipfrag_time and ip6frag_time), and the
// most that a packet holds.
const (
	maxFragmentMemory = 4 << 20
	fragmentTime      = 30 * time.Second
	fragmentTime6     = 60 * time.Second
	maxPayload        = 65535
	piecesMemory      = 512 // what is kept of a packet besides its fragments, about
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
	at     int // of what follows IPv6's fragment header, behind the IPv6 header
}

// pieces are the fragments of one packet, in order, without overlaps.
type pieces struct {
	event.Event
	key    fragmentKey
	list   []piece
	total  int    // bytes of the whole, as far as it is known
	ended  bool   // the last fragment is there
	have   int    // bytes that are there
	memory int    // that they take
	first  header // of the first fragment
	size   int    // of the largest fragment
}

// A piece is a fragment, and how far the run of fragments that came in order reaches of which it is
// the first; 0 for one further behind.
type piece struct {
	offset, end, run int
	p                *packet.Packet
}

func (r *reassembly) init(s *Stack) { r.stack, r.whole = s, make(map[fragmentKey]*pieces) }

// add takes a fragment, and gives the whole packet when it was the last that was missing
// (ip_frag_queue, ip6_frag_queue). Overlaps make the whole packet void (RFC 5722), in IPv4 too; what is
// there already is dropped alone.
func (r *reassembly) add(p *packet.Packet, h *header, f fragment) (_ *packet.Packet, ok bool) {
	s := r.stack
	c := s.Counters.ip(h.dst)
	used := &s.Counters.FragMemory
	c.ReasmReqds++
	six := !h.dst.Is4()
	if six && f.offset == 0 && s.headersCut(p, h.proto) {
		c.InHdrErrors++
		s.answer(p, h, headersIncomplete)
		return nil, false
	}
	w := r.whole[f.key]
	memory := packet.Headroom + footprint(p)
	if w == nil {
		w = &pieces{key: f.key}
		memory += piecesMemory
	}
	if int(*used)+memory > maxFragmentMemory {
		c.ReasmFails++
		p.Release()
		return nil, false
	}
	end := f.offset + p.Len()
	switch {
	case six && end > maxPayload:
		c.InHdrErrors++
		s.answer(p, h, problem{typ6: wire.ICMPV6_PARAMPROB, code6: wire.ICMPV6_HDR_FIELD, rest: uint32(wire.IPv6Len + f.at - wire.FragmentLen + 2)})
		return nil, false
	case six && f.more && end%8 != 0:
		c.InHdrErrors++
		s.answer(p, h, problem{typ6: wire.ICMPV6_PARAMPROB, code6: wire.ICMPV6_HDR_FIELD, rest: payloadLenAt})
		return nil, false
	case f.more && end%8 != 0:
		end &^= 7
		p.Truncate(end - f.offset)
	}
	switch i, fits := w.place(f.offset, end); {
	case !f.more && (end < w.total || w.ended && end != w.total), f.more && end > w.total && w.ended, end == f.offset:
	case fits == overlap:
		if !six { // Linux has no counter of them in IPv6
			c.ReasmOverlaps++
		}
	case fits == duplicate:
		w.reach(end, f.more)
		p.Release()
		return nil, false
	default:
		w.reach(end, f.more)
		run := end
		if i > 0 && i == len(w.list) && w.list[i-1].end == f.offset {
			run = 0
			w.runOfLast().run = end
		}
		if len(w.list) == 0 {
			r.begin(w)
		}
		if f.offset == 0 {
			w.first = *h
		}
		w.list = slices.Insert(w.list, i, piece{f.offset, end, run, p})
		w.have += end - f.offset
		w.memory += memory
		w.size = max(w.size, h.len()+end-f.offset)
		*used += uint64(memory)
		if !w.ended || w.have != w.total {
			return nil, false
		}
		if w.total+h.len() > maxPayload && !six {
			break
		}
		c.ReasmOKs++
		*h = w.first
		h.fragSize = w.size
		return r.join(w), true
	}
	c.ReasmFails++
	if !slices.ContainsFunc(w.list, func(has piece) bool { return has.p == p }) {
		p.Release()
	}
	r.drop(w)
	return nil, false
}

// begin lets a packet's fragments wait, for as long as they may.
func (r *reassembly) begin(w *pieces) {
	w.Handler, w.Arg = r, w
	r.whole[w.key] = w
	d := fragmentTime
	if !w.key.dst.Is4() {
		d = fragmentTime6
	}
	r.stack.schedule(r.stack.loop.Now().Add(d), &w.Event)
}

// reach notes how far a fragment says that the packet goes.
func (w *pieces) reach(end int, more bool) {
	w.total = max(w.total, end)
	w.ended = w.ended || !more
}

// How a fragment goes with those that are there.
type fit uint8

const (
	missing fit = iota
	duplicate
	overlap
)

// place finds where a fragment belongs (inet_frag_queue_insert). One that lies within a run of those that
// came in order is a duplicate.
func (w *pieces) place(offset, end int) (i int, _ fit) {
	i = len(w.list)
	for i > 0 && w.list[i-1].offset >= end {
		i--
	}
	if i == 0 || w.list[i-1].end <= offset {
		return i, missing
	}
	if last := w.list[len(w.list)-1]; last.end < end {
		return i, overlap
	}
	for i--; w.list[i].run == 0; {
		i--
	}
	if head := w.list[i]; head.offset <= offset && end <= head.run {
		return i, duplicate
	}
	return i, overlap
}

// runOfLast is the first fragment of the run that the last one is in.
func (w *pieces) runOfLast() *piece {
	i := len(w.list) - 1
	for w.list[i].run == 0 {
		i--
	}
	return &w.list[i]
}

// headersCut tells whether a first fragment lacks headers up to the transport's (RFC 8200 section 4.5,
// RFC 7112).
func (s *Stack) headersCut(p *packet.Packet, next wire.Protocol) bool {
	s.scratch = p.AppendTo(s.scratch[:0])
	x, rest, err := wire.WalkExtensions(next, s.scratch)
	if err != nil {
		return err == wire.ErrShort || err == wire.ErrTruncated
	}
	least := 1
	switch x.Protocol {
	case wire.IPPROTO_TCP:
		least = wire.TCPLen
	case wire.IPPROTO_UDP:
		least = wire.UDPLen
	case wire.IPPROTO_ICMPV6:
		least = wire.ICMPLen
	}
	return len(rest) < least
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
	s.Counters.ip(w.key.dst).ReasmTimeout++
	s.Counters.ip(w.key.dst).ReasmFails++
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
