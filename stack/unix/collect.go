package unix

import "sockeye/stack/sock"

// Sockets that were passed on (SCM_RIGHTS), and that nobody can receive any more because the only ones who hold them
// are their own messages, are found when a socket is closed, and their messages thrown away (unix_gc in
// net/unix/garbage.c).

// A flight is a socket in a message that waits at another one, or at itself.
type flight struct{ socket, at *Socket }

// passed notes files that are in a message for a socket, and arrived that they are not any more.
func (f *Family) passed(rights []sock.File, at *Socket) {
	for _, file := range rights {
		if s, ok := file.(*Socket); ok {
			f.flights = append(f.flights, flight{s, at})
		}
	}
}

func (f *Family) arrived(rights []sock.File, at *Socket) {
	for _, file := range rights {
		s, ok := file.(*Socket)
		for i := 0; ok && i < len(f.flights); i++ {
			if f.flights[i] == (flight{s, at}) {
				f.flights = append(f.flights[:i], f.flights[i+1:]...)
				break
			}
		}
	}
}

// collect ends the sockets that nobody can reach.
func (f *Family) collect() {
	if len(f.flights) == 0 || f.collecting {
		return
	}
	f.collecting = true
	defer func() { f.collecting = false }()
	type waiting struct {
		*message
		at *Socket
	}
	var lost []waiting // out of their queues before the first of them ends a socket
	for _, s := range f.unreachable() {
		for _, at := range append([]*Socket{s}, s.embryos...) {
			for _, m := range at.queue {
				lost = append(lost, waiting{m, at})
			}
			at.queue = nil
		}
	}
	for _, w := range lost {
		w.at.free(w.message)
	}
}

// unreachable are the sockets that only messages hold, none of which waits at a socket that can be reached, in the order in
// which they were passed on.
func (f *Family) unreachable() (list []*Socket) {
	held := make(map[*Socket]int32)
	for _, g := range f.flights {
		held[g.socket]++
	}
	reached := make(map[*Socket]bool)
	reachable := func(s *Socket) bool {
		if s.embryo {
			s = s.parent
		}
		return reached[s] || held[s] < s.References()
	}
	for again := true; again; {
		again = false
		for _, g := range f.flights {
			if !reached[g.socket] && (reachable(g.socket) || reachable(g.at)) {
				reached[g.socket], again = true, true
			}
		}
	}
	for _, g := range f.flights {
		if !reached[g.socket] {
			reached[g.socket] = true // it is named once
			list = append(list, g.socket)
		}
	}
	return list
}
