package chat

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// lobby is the room that a member enters who names none.
const lobby = "lobby"

// patienceWithAll is how long who says something waits for those who hear it to take what they were told before. It is
// for the many who read as fast as they can: where many talk at once they would be dropped with the slow. Who takes
// longer is not waited for again, until everything was taken.
const patienceWithAll = 20 * time.Millisecond

// obey does what a member asks for. Its error is for the member to read.
func (s *Server) obey(m *member, c Command) error {
	if c.Verb == "say" {
		s.mu.Lock()
		r := m.room
		s.mu.Unlock()
		if r != nil {
			r.turn <- struct{}{}
			defer func() { <-r.turn }()
		}
	}
	filling, err := s.obeyLocked(m, c)
	if filling != nil && !filling.queue.settle(patienceWithAll) {
		s.mu.Lock()
		defer s.unlock()
		for m := range s.members {
			m.queue.lag()
		}
	}
	return err
}

// obeyLocked gives too whose queue has not much room left; nil: nobody's.
func (s *Server) obeyLocked(m *member, c Command) (filling *member, err error) {
	s.mu.Lock()
	defer s.unlock()
	if _, in := s.members[m]; !in {
		return nil, nil // it was dropped, and what it still says is not heard
	}
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.name == c.Verb })
	if m.person == nil && (i < 0 || !verbs[i].anyone) {
		return nil, errors.New("say who you are first: /name NAME")
	}
	s.filling = nil
	err = handlers[c.Verb](s, m, c)
	return s.filling, err
}

// handlers do what verbs ask for, with the server locked.
var handlers = map[string]func(*Server, *member, Command) error{
	"say": (*Server).say, "name": (*Server).name, "join": (*Server).join, "leave": (*Server).leaveRoom, "msg": (*Server).msg,
	"who": (*Server).who, "rooms": (*Server).listRooms, "json": (*Server).toJSON, "help": (*Server).help,
}

func (s *Server) say(m *member, c Command) error {
	if m.room == nil {
		return errors.New("you are in no room: /join lobby enters one")
	}
	s.said++
	e := Event{Kind: Message, ID: fmt.Sprintf("%s-%d", s.o.ID, s.said), Time: time.Now().UTC(), Room: m.room.name, From: m.person.name, Text: c.Text}
	s.tell(m.room, e)
	m.room.remember(e, s.o.History)
	s.tellOthers(note{Kind: "said", Room: e.Room, Event: &e})
	return nil
}

func (s *Server) name(m *member, c Command) error {
	name, key, err := parseName("name", c.Name)
	if err != nil {
		return err
	}
	if taken := s.people[key]; taken != nil && taken != m.person {
		return fmt.Errorf("%s is taken; try /name %s2", name, name)
	}
	if m.person == nil {
		return s.introduce(m, name, key, c.Room)
	}
	if c.Room != "" {
		return fmt.Errorf("you have a name already: /name %s and /join %s are two lines", name, c.Room)
	}
	p := m.person
	old := p.name
	s.rename(p, name, key)
	s.put(m, encode(Event{Kind: Named, Name: name}))
	s.tellRenamed(p, old)
	return nil
}

// rename gives a person another name.
func (s *Server) rename(p *person, name, key string) {
	if p.member != nil {
		s.tellOthers(note{Kind: "renamed", Name: p.name, NewName: name})
	}
	delete(s.people, p.key)
	p.name, p.key = name, key
	s.people[key] = p
}

func (s *Server) tellRenamed(p *person, old string) {
	for _, r := range p.rooms {
		if len(r.people) <= maxAnnounced {
			s.tell(r, Event{Kind: Renamed, Room: r.name, From: old, Name: p.name})
		}
	}
}

// introduce gives a member a first name, and a room.
func (s *Server) introduce(m *member, name, key, where string) error {
	if where == "" {
		where = lobby
	}
	r, err := s.findRoom(where)
	if err != nil {
		return err
	}
	m.intro.Stop()
	m.person = &person{name: name, key: key, home: s.o.ID, member: m}
	s.people[key] = m.person
	s.log(Visit{Peer: m.conn.peer(), Name: name})
	s.put(m, encode(Event{Kind: Named, Name: name}))
	s.enter(m.person, r)
	m.room = r
	return nil
}

// findRoom is find for a name that was typed.
func (s *Server) findRoom(typed string) (*room, error) {
	name, key, err := parseName("room", typed)
	if err != nil {
		return nil, err
	}
	r := s.find(name, key)
	if r == nil {
		return nil, fmt.Errorf("there are %d rooms and somebody in each, so no other can be opened; /rooms lists them", maxRooms)
	}
	return r, nil
}

func (s *Server) join(m *member, c Command) error {
	in := slices.IndexFunc(m.person.rooms, called(c.Room))
	if in >= 0 {
		m.room = m.person.rooms[in]
		s.put(m, encode(m.room.list(Members)))
		return nil
	}
	if len(m.person.rooms) >= maxJoined {
		return fmt.Errorf("you are in %d rooms, and more are not possible: /leave ROOM leaves one", maxJoined)
	}
	r, err := s.findRoom(c.Room)
	if err != nil {
		return err
	}
	s.enter(m.person, r)
	m.room = r
	return nil
}

// called tells whether a room has the name that was typed.
func called(typed string) func(*room) bool {
	_, key, err := parseName("room", typed)
	return func(r *room) bool { return err == nil && r.key == key }
}

// myRoom is the room of that name that a member is in; "": the one where what is typed goes.
func (m *member) myRoom(typed string) (*room, error) {
	if typed == "" && m.room == nil {
		return nil, errors.New("you are in no room: /join lobby enters one")
	}
	if typed == "" {
		return m.room, nil
	}
	if i := slices.IndexFunc(m.person.rooms, called(typed)); i >= 0 {
		return m.person.rooms[i], nil
	}
	return nil, fmt.Errorf("you are not in %s", quote(typed))
}

func (s *Server) leaveRoom(m *member, c Command) error {
	r, err := m.myRoom(c.Room)
	if err != nil {
		return err
	}
	s.exit(m.person, r, "")
	s.put(m, encode(Event{Kind: Left, Room: r.name, Name: m.person.name}))
	return nil
}

func (s *Server) msg(m *member, c Command) error {
	_, key, err := parseName("name", c.Name)
	if err != nil {
		return err
	}
	to := s.people[key]
	if to == nil {
		return fmt.Errorf("nobody here is called %s; /who lists the names", c.Name)
	}
	e := Event{Kind: Private, Time: time.Now().UTC(), From: m.person.name, To: to.name, Text: c.Text}
	f := encode(e)
	s.put(m, f)
	switch {
	case to.member == nil:
		s.cluster.send(subjectOne+to.home, note{Kind: "private", Name: to.name, Event: &e})
	case to.member != m:
		s.put(to.member, f)
	}
	return nil
}

func (s *Server) who(m *member, c Command) error {
	if c.Room == "" {
		r, err := m.myRoom("")
		if err == nil {
			s.put(m, encode(r.list(Members)))
		}
		return err
	}
	_, key, err := parseName("room", c.Room)
	if err != nil {
		return err
	}
	r := s.rooms[key]
	if r == nil {
		return fmt.Errorf("there is no room %s; /rooms lists them", c.Room)
	}
	s.put(m, encode(r.list(Members)))
	return nil
}

func (s *Server) listRooms(m *member, _ Command) error {
	e := Event{Kind: Rooms}
	for _, r := range s.rooms {
		if len(r.people) > 0 {
			e.Rooms = append(e.Rooms, RoomCount{r.name, len(r.people)})
		}
	}
	slices.SortFunc(e.Rooms, func(a, b RoomCount) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Room, b.Room)
	})
	e.Rooms = e.Rooms[:min(len(e.Rooms), maxListed)]
	s.put(m, encode(e))
	return nil
}

func (s *Server) toJSON(m *member, _ Command) error {
	m.queue.toJSON()
	return nil
}

func (s *Server) help(m *member, _ Command) error {
	s.put(m, encode(Event{Kind: Help, Text: strings.Join(help(), "\n")}))
	return nil
}
