package lab

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"sockeye"
	"sockeye/wire"
)

// Ladder draws all conversations of two hosts, as far as they are remembered.
func (n *Network) Ladder(a, b *Host) string {
	var s strings.Builder
	for _, c := range n.Between(a, b) {
		s.WriteString(c.String())
	}
	return s.String()
}

// A rung is what a ladder shows of a step besides the step itself.
type rung struct {
	states [2]string // of the ends, where the step changed them
	text   string
}

// String draws the conversation as a ladder: each packet on a line, with the times at which
// it was sent and arrived, in seconds since the network was made. Sequence numbers count
// from 0 on each side. States are shown where they change.
func (c *Conversation) String() string { return c.Tail(len(c.Steps)) }

// Tail draws the last steps of the conversation.
func (c *Conversation) Tail(steps int) string {
	first := max(0, len(c.Steps)-steps)
	rungs := c.rungs(first)
	width := 0
	for i := range rungs[first:] {
		width = max(width, utf8.RuneCountInString(rungs[first+i].text))
	}
	width += 6 // of the arrow's shaft
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s  %s, %s\n", 24+width, c.end(0), c.end(1), protocolName(c.Proto))
	if first > 0 {
		fmt.Fprintf(&b, "%24s(%d earlier)\n", "", first)
	}
	for i := first; i < len(rungs); i++ {
		s, r := &c.Steps[i], &rungs[i]
		start, end := seconds(s.Sent), seconds(s.Arrived)
		if s.Arrived == 0 {
			end = ""
		}
		from := c.from(s)
		if from == 1 {
			start, end = end, start
		}
		line := fmt.Sprintf("%-11s %10s  %s  %-10s %s", r.states[0], start, arrow(from, s, r.text, width), end, r.states[1])
		b.WriteString(strings.TrimRight(line, " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// arrow is a step's text on an arrow of the given width, which breaks where the packet was lost.
func arrow(from int, s *Step, text string, width int) string {
	shaft := strings.Repeat("─", width-utf8.RuneCountInString(text)-2)
	switch {
	case s.Arrived == 0 && s.Lost == "" && from == 0:
		return text + " " + strings.Repeat("·", width-utf8.RuneCountInString(text)-1)
	case s.Arrived == 0 && s.Lost == "":
		return strings.Repeat("·", width-utf8.RuneCountInString(text)-1) + " " + text
	case s.Arrived == 0 && from == 0:
		return text + " " + shaft + "✗"
	case s.Arrived == 0:
		return "✗" + shaft + " " + text
	case from == 0:
		return text + " " + shaft + "▶"
	}
	return "◀" + shaft + " " + text
}

// rungs goes through what happens at both ends, in the order of time. Only those from a first one on have texts.
func (c *Conversation) rungs(first int) []rung {
	rungs := make([]rung, len(c.Steps))
	ends := [2]end{{state: sockeye.TCP_CLOSE}, {state: sockeye.TCP_LISTEN}}
	for _, in := range c.instants() {
		s, r := &c.Steps[in.step], &rungs[in.step]
		from := c.from(s)
		if c.Proto != wire.IPPROTO_TCP || s.Fragment {
			r.text = s.plain()
			continue
		}
		at := from
		if in.arrival {
			at = 1 - from
		}
		e := &ends[at]
		was := e.state
		if in.arrival {
			e.receives(s)
		} else {
			note := e.sends(s)
			if in.step >= first {
				r.text = s.segment(e, &ends[1-at], note)
			}
		}
		if e.state != was {
			r.states[at] = strings.ReplaceAll(strings.TrimPrefix(e.state.String(), "TCP_"), "_", "-")
		}
	}
	return rungs
}

// segment is a TCP segment in words.
func (s *Step) segment(e, to *end, note string) string {
	x, base, peer := &s.TCP, uint32(e.base), uint32(to.base)
	var w []string
	for _, f := range []struct {
		flag wire.TCPFlags
		name string
	}{{wire.SYN, "SYN"}, {wire.FIN, "FIN"}, {wire.RST, "RST"}, {wire.URG, "URG"}, {wire.ECE, "ECE"}, {wire.CWR, "CWR"}} {
		if x.Flags&f.flag != 0 {
			w = append(w, f.name)
		}
	}
	seq := uint32(x.Seq) - base
	switch {
	case s.Len > 0:
		w = append(w, fmt.Sprintf("%d:%d", seq, seq+uint32(s.Len)))
	case x.Flags&(wire.SYN|wire.FIN|wire.RST) != 0:
		w = append(w, fmt.Sprint(seq))
	}
	if x.Flags&wire.ACK != 0 && to.based {
		w = append(w, fmt.Sprintf("ack %d", uint32(x.Ack)-peer))
	}
	for _, b := range x.Options.SACK[:x.Options.NumSACK] {
		w = append(w, fmt.Sprintf("sack %d:%d", uint32(b.Left)-peer, uint32(b.Right)-peer))
	}
	if x.Flags&wire.RST == 0 {
		window := int(x.Window)
		if x.Flags&wire.SYN == 0 && e.scale > 0 && to.scale >= 0 {
			window <<= e.scale
		}
		w = append(w, fmt.Sprintf("win %d", window))
	}
	return s.remarks(w, note)
}

// plain is a packet of another protocol in words.
func (s *Step) plain() string {
	w := []string{fmt.Sprintf("%d bytes", s.Len)}
	switch {
	case s.Fragment:
		w = append(w, "fragment")
	case s.Proto == wire.IPPROTO_ICMP || s.Proto == wire.IPPROTO_ICMPV6:
		w = []string{fmt.Sprintf("type %d code %d, %d bytes", s.Type, s.Code, s.Len)}
	}
	return s.remarks(w, "")
}

// remarks adds what happened to the packet.
func (s *Step) remarks(w []string, note string) string {
	text := strings.Join(w, " ")
	for _, more := range []string{note, s.Note, s.Lost} {
		if more != "" {
			text += ", " + more
		}
	}
	return text
}

// end is what an end is called, with its address.
func (c *Conversation) end(i int) string {
	address := c.Ends[i].String()
	if c.Ends[i].Port() == 0 {
		address = c.Ends[i].Addr().String()
	}
	return strings.TrimPrefix(c.Names[i]+" "+address, " ")
}

func protocolName(p wire.Protocol) string {
	switch p {
	case wire.IPPROTO_TCP:
		return "TCP"
	case wire.IPPROTO_UDP:
		return "UDP"
	case wire.IPPROTO_ICMP, wire.IPPROTO_ICMPV6:
		return "ICMP"
	}
	return fmt.Sprintf("protocol %d", p)
}

// seconds is a time in seconds, to the microsecond.
func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }
