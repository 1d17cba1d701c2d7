package chat

import (
	"slices"
	"time"
)

// A person is somebody with a name, here or on another server.
type person struct {
	name, key string
	home      string  // the server that the person is at
	member    *member // nil: not this server
	rooms     []*room
}

// A room is where what one says is told to all. The server's lock guards it.
type room struct {
	name, key string
	people    []*person // in the order in which they came
	members   []*member // those of them who are here
	history   []past
	bytes     int       // of the history
	emptied   time.Time // when the last person left

	turn chan struct{} // holds something while somebody says something here

	came, went int // since they were told last
	timer      *time.Timer
}

// A past is a message that was said, and what newcomers are told of it.
type past struct {
	event Event
	frame *frame // nil until somebody wants it
}

const (
	maxRooms     = 1000
	maxJoined    = 10       // rooms that one member is in
	maxHistory   = 64 << 10 // bytes of a room's history
	maxListed    = 100      // names in a list
	maxAnnounced = 100      // people in a room that still hears of each who comes and goes
)

// list is who is in the room.
func (r *room) list(kind Kind) Event {
	e := Event{Kind: kind, Room: r.name, Count: len(r.people)}
	for _, p := range r.people[:min(len(r.people), maxListed)] {
		e.Members = append(e.Members, p.name)
	}
	return e
}

// remember adds a message to the history, which has at most so many.
func (r *room) remember(e Event, most int) {
	e.History = true
	r.history = append(r.history, past{event: e})
	r.bytes += len(e.Text)
	for len(r.history) > most || r.bytes > maxHistory {
		r.bytes -= len(r.history[0].event.Text)
		r.history[0] = past{}
		r.history = r.history[1:]
	}
}

// recall adds messages that were said elsewhere to the history, in the order of their times.
func (r *room) recall(said []Event, most int) {
	all := said
	for _, p := range r.history {
		if !slices.ContainsFunc(said, func(e Event) bool { return e.ID == p.event.ID }) {
			all = append(all, p.event)
		}
	}
	slices.SortStableFunc(all, func(a, b Event) int { return a.Time.Compare(b.Time) })
	r.history, r.bytes = nil, 0
	for _, e := range all {
		r.remember(e, most)
	}
}

// tell tells all who are here.
func (s *Server) tell(r *room, e Event) {
	f := encode(e)
	for _, m := range r.members {
		s.put(m, f)
	}
}

// put tells one member, who is put down as slow if there is no room left in the queue.
func (s *Server) put(m *member, f frame) {
	ok, filling := m.queue.put(f)
	if !ok {
		s.slow = append(s.slow, m)
	}
	if filling {
		s.filling = m
	}
}

// find gives a room, or makes one; nil: there are too many.
func (s *Server) find(name, key string) *room {
	if r := s.rooms[key]; r != nil {
		return r
	}
	if len(s.rooms) >= maxRooms {
		var oldest *room
		for _, r := range s.rooms {
			if len(r.people) == 0 && (oldest == nil || r.emptied.Before(oldest.emptied)) {
				oldest = r
			}
		}
		if oldest == nil {
			return nil
		}
		s.forget(oldest)
	}
	r := &room{name: name, key: key, turn: make(chan struct{}, 1)}
	s.rooms[key] = r
	return r
}

func (s *Server) forget(r *room) {
	delete(s.rooms, r.key)
	if r.timer != nil {
		r.timer.Stop()
	}
}

// enter lets a person into a room. A member is told who is there and what was said.
func (s *Server) enter(p *person, r *room) {
	s.announce(r, Event{Kind: Joined, Room: r.name, Name: p.name})
	r.people = append(r.people, p)
	p.rooms = append(p.rooms, r)
	m := p.member
	if m == nil {
		return
	}
	s.tellOthers(note{Kind: "entered", Name: p.name, Room: r.name})
	r.members = append(r.members, m)
	s.put(m, encode(r.list(Entered)))
	for i := range r.history {
		h := &r.history[i]
		if h.frame == nil {
			f := encode(h.event)
			h.frame = &f
		}
		s.put(m, *h.frame)
	}
}

// exit takes a person out of a room.
func (s *Server) exit(p *person, r *room, why string) {
	r.people = without(r.people, p)
	p.rooms = without(p.rooms, r)
	if m := p.member; m != nil {
		s.tellOthers(note{Kind: "exited", Name: p.name, Room: r.name, Text: why})
		r.members = without(r.members, m)
		if m.room == r {
			m.room = nil
			if len(p.rooms) > 0 {
				m.room = p.rooms[len(p.rooms)-1]
			}
		}
	}
	if len(r.people) == 0 {
		r.emptied = time.Now()
	}
	s.announce(r, Event{Kind: Left, Room: r.name, Name: p.name, Text: why})
}

// part takes a person out of everything.
func (s *Server) part(p *person, why string) {
	for len(p.rooms) > 0 {
		s.exit(p, p.rooms[0], why)
	}
	delete(s.people, p.key)
	if p.member != nil {
		s.tellOthers(note{Kind: "parted", Name: p.name, Text: why})
	} else if s.cluster != nil {
		delete(s.cluster.peers[p.home].people, p)
	}
}

func without[T comparable](list []T, one T) []T {
	if i := slices.Index(list, one); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// announce tells that somebody comes or goes: by name, or soon as a number where many are there.
func (s *Server) announce(r *room, e Event) {
	if len(r.people) <= maxAnnounced && r.timer == nil {
		s.tell(r, e)
		return
	}
	if e.Kind == Joined {
		r.came++
	} else {
		r.went++
	}
	if r.timer == nil {
		r.timer = time.AfterFunc(time.Second, func() {
			s.mu.Lock()
			defer s.unlock()
			if r.timer != nil {
				r.timer = nil
				s.tell(r, Event{Kind: Counted, Room: r.name, Came: r.came, Went: r.went, Count: len(r.people)})
				r.came, r.went = 0, 0
			}
		})
	}
}
