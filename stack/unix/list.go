package unix

import (
	"cmp"
	"slices"

	"sockeye"
	"sockeye/stack/sock"
)

// Sockets are the host's unix sockets, those on their way in messages too, in the order in which
// they were made. As with ss(8), connections that wait for accept are none (unix_diag.c).
func (f *Family) Sockets() (list []sock.SocketInfo) {
	seen := make(map[*Socket]bool)
	var visit func(file sock.File)
	visit = func(file sock.File) {
		s, ok := file.(*Socket)
		if !ok || seen[s] {
			return
		}
		seen[s] = true
		if s.Number() != 0 {
			list = append(list, s.info())
		}
		for _, e := range s.embryos {
			visit(e)
		}
		for _, m := range s.queue {
			for _, r := range m.rights {
				visit(r)
			}
		}
	}
	for _, file := range f.host.Files() {
		visit(file)
	}
	slices.SortFunc(list, func(a, b sock.SocketInfo) int { return cmp.Compare(a.Number, b.Number) })
	return list
}

// The states in the names that ss(8) has for them.
var states = map[state]sockeye.TCPState{
	closed: sockeye.TCP_CLOSE, established: sockeye.TCP_ESTABLISHED, listening: sockeye.TCP_LISTEN,
}

// info is what sk_diag_fill tells.
func (s *Socket) info() sock.SocketInfo {
	i := sock.SocketInfo{
		Family: s.Family, Type: s.Type, Proto: s.Proto, Connected: s.state == established, State: states[s.state],
		Local: s.name, SendQ: s.wmem, Number: s.Number(),
	}
	if s.peer != nil && !s.peer.gone {
		i.Peer, i.Remote = s.peer.Number(), s.peer.name
	}
	if s.state == listening {
		i.RecvQ, i.SendQ = len(s.embryos), s.backlog
	} else {
		i.RecvQ = s.unread()
	}
	return i
}
