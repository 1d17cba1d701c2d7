package datagram

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"

	"sockeye"
)

// What one message with UDP_SEGMENT may hold: UDP_MAX_SEGMENTS of the kernels
// that knew it first, and the largest payload of UDP over IPv4.
const (
	maxSegments = 64
	maxGlued    = 65507
)

// A Sender gathers datagrams and sends them from one socket.
type Sender struct {
	s     *sockeye.Socket
	flags sockeye.MsgFlags
	glues bool // UDP_SEGMENT can be used
	ms    []sockeye.Message
	runs  []run // by message
}

// A run is what one message holds: datagrams for one peer in their order, all
// of one size but the last, which may be shorter.
type run struct {
	local netip.Addr
	size  int
	count int
	total int
}

// whole tells whether the last datagram is as long as the others, so that more
// can follow.
func (r run) whole() bool { return r.size > 0 && r.total == r.count*r.size }

func (r run) append(d run) (run, bool) {
	sum := run{r.local, r.size, r.count + d.count, r.total + d.total}
	return sum, r.whole() && d.local == r.local && (d.size == r.size || d.count == 1 && 0 < d.size && d.size < r.size) &&
		sum.count <= maxSegments && sum.total <= maxGlued
}

// NewSender makes a sender that sends with these flags.
func NewSender(s *sockeye.Socket, flags sockeye.MsgFlags) *Sender {
	// 0 is what it is: of interest is whether the socket knows it.
	return &Sender{s: s, flags: flags, glues: sockeye.UDP_SEGMENT.Set(s, 0) == nil}
}

// Add takes what came to be sent to a peer, the zero Sockaddr being the
// connected one, from the datagram's local address. The data has to stay as it
// is until Flush.
func (b *Sender) Add(to sockeye.Sockaddr, d Datagram) {
	r := run{d.Local, len(d.Data), 1, len(d.Data)}
	if d.Segment > 0 {
		r.size, r.count = d.Segment, (len(d.Data)+d.Segment-1)/d.Segment
	}
	if r.count > 1 && !b.glues {
		for p := range d.Each() {
			b.Add(to, Datagram{Local: d.Local, Data: p})
		}
		return
	}
	if last := len(b.ms) - 1; b.glues && last >= 0 && b.ms[last].Name == to {
		if sum, ok := b.runs[last].append(r); ok {
			b.runs[last] = sum
			b.ms[last].Buffers = append(b.ms[last].Buffers, d.Data)
			return
		}
	}
	b.ms = slices.Grow(b.ms, 1)[:len(b.ms)+1] // with the slices of the message that was there
	m := &b.ms[len(b.ms)-1]
	m.Name, m.Buffers = to, append(m.Buffers[:0], d.Data)
	b.runs = append(b.runs, r)
}

// Flush sends what was added. It calls failed for each datagram that could not
// be sent, and goes on with the others; but after EAGAIN, which a non-blocking
// send gives, no later datagram overtakes: they fail as well.
func (b *Sender) Flush(failed func(to sockeye.Sockaddr, p []byte, err error)) {
	for i := range b.ms {
		m, r := &b.ms[i], b.runs[i]
		m.Control = appendSource(m.Control[:0], m.Name, r.local)
		if r.count > 1 {
			m.Control = sockeye.AppendSegmentSize(m.Control, uint16(r.size))
		}
	}
	for sent := 0; sent < len(b.ms); {
		n, err := b.s.Sendmmsg(b.ms[sent:], b.flags)
		sent += n
		if errors.Is(err, syscall.EAGAIN) {
			for ; sent < len(b.ms); sent++ {
				b.each(sent, func(p []byte) { failed(b.ms[sent].Name, p, err) })
			}
		}
		if err != nil && sent < len(b.ms) {
			b.sendSingly(sent, failed)
			sent++
		}
	}
	b.ms, b.runs = b.ms[:0], b.runs[:0]
}

// each calls f for each datagram of a message.
func (b *Sender) each(i int, f func(p []byte)) {
	for _, buf := range b.ms[i].Buffers {
		for p := range (Datagram{Data: buf, Segment: b.runs[i].size}).Each() {
			f(p)
		}
	}
}

// sendSingly sends a message that failed again, datagram by datagram. There are
// devices and paths that take no UDP_SEGMENT (EIO, EINVAL, EMSGSIZE), and an
// error may be that of a datagram sent before (ip(7)), which a call reports
// instead of sending.
func (b *Sender) sendSingly(i int, failed func(to sockeye.Sockaddr, p []byte, err error)) {
	single := sockeye.Message{Name: b.ms[i].Name, Control: appendSource(nil, b.ms[i].Name, b.runs[i].local)}
	b.each(i, func(p []byte) {
		single.Buffers = [][]byte{p}
		_, err := b.s.Sendmsg(&single, b.flags)
		if errors.Is(err, syscall.ECONNREFUSED) {
			_, err = b.s.Sendmsg(&single, b.flags)
		}
		if err != nil {
			failed(single.Name, p, err)
		}
	})
}

// appendSource chooses the address that a datagram is sent from.
func appendSource(control []byte, to sockeye.Sockaddr, local netip.Addr) []byte {
	switch {
	case !local.IsValid():
		return control
	case to.Family() == sockeye.AF_INET:
		return sockeye.AppendPktinfo4(control, 0, local)
	}
	return sockeye.AppendPktinfo6(control, 0, local)
}
