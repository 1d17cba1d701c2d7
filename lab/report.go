package lab

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"sockeye"
	"sockeye/link"
	"sockeye/stack/sock"
)

// Report is what the sockets and the links of the network are about: each host's sockets
// with their states and queues, as ss(8) shows them, what is on its way or was lost
// on each link, and the last steps of the last conversations.
func (n *Network) Report() string { return n.report(n.Now()) }

// report is Report at a time.
func (n *Network) report(now time.Duration) string {
	n.mu.Lock()
	hosts, links, running := n.hosts, n.links, n.running
	n.mu.Unlock()
	if !running {
		return "nothing has happened on it\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "after %v:\nHOST\tNETWORK\tSTATE\tRECV-Q\tSEND-Q\tLOCAL\tPEER\n", now)
	for _, h := range hosts {
		for _, s := range h.Stack().ListSockets() {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%v\t%v\n", h.name, protocol(s), state(s), s.RecvQ, s.SendQ, s.Local, s.Remote)
		}
	}
	for _, h := range hosts {
		if h.config.NAT == nil || len(h.plugs) == 0 || n.Now()-now > quiet { // by another clock all would have expired
			continue
		}
		fmt.Fprintf(w, "NAT\tNETWORK\tINSIDE\tOUTSIDE\tPEERS\tLEFT\n")
		list, _ := h.Stack().Mappings(interfaceName(0))
		for _, m := range list {
			fmt.Fprintf(w, "%s\t%v\t%v\t%v\t%v\t%v\n", h.name, m.Proto, m.Inside, m.Outside, m.Peers, m.Left)
		}
	}
	fmt.Fprintf(w, "LINK\tFROM\tSENT\tARRIVED\tQUEUED\tON ITS WAY\tLOST\n")
	for _, l := range links {
		for _, from := range []Node{l.a, l.b} {
			s := l.Stats(from)
			fmt.Fprintf(w, "%v\t%s\t%d\t%d\t%d\t%d\t%s\n", l, from.Name(), s.Packets[link.Sent], s.Packets[link.Delivered],
				s.Queued, s.InFlight, lost(s))
		}
	}
	w.Flush()
	all := n.Conversations()
	for _, c := range all[max(0, len(all)-reported):] {
		b.WriteString(c.Tail(reportedSteps))
	}
	return b.String()
}

// How many conversations, and steps of each, a report shows.
const (
	reported      = 4
	reportedSteps = 16
)

func protocol(s sock.SocketInfo) string {
	if s.Family == sockeye.AF_UNIX {
		return map[sockeye.Type]string{
			sockeye.SOCK_STREAM: "unix", sockeye.SOCK_DGRAM: "unixgram", sockeye.SOCK_SEQPACKET: "unixpacket",
		}[s.Type]
	}
	name := strings.TrimPrefix(s.Proto.String(), "IPPROTO_")
	if s.Type == sockeye.SOCK_RAW {
		name = "raw " + name
	}
	return strings.ToLower(name)
}

func state(s sock.SocketInfo) string {
	switch {
	case s.Family != sockeye.AF_UNIX && s.Type == sockeye.SOCK_STREAM, s.State == sockeye.TCP_LISTEN:
		return s.State.String()
	case s.Connected:
		return "CONNECTED"
	}
	return "UNCONNECTED"
}

// lost is the packets that did not arrive, by cause.
func lost(s link.Stats) string {
	var causes []string
	for _, f := range lossFates {
		if k := s.Packets[f]; k > 0 {
			causes = append(causes, fmt.Sprintf("%d %v", k, f))
		}
	}
	return strings.Join(causes, ", ")
}
