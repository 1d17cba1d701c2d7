package chat

import (
	"fmt"
	"slices"
	"time"
)

// heed does what another server's note says.
func (c *cluster) heed(n note) {
	if n.From == c.s.o.ID || c.s.cluster == nil {
		return
	}
	p := c.peers[n.From]
	if p == nil {
		p = &peer{people: make(map[*person]bool)}
		c.peers[n.From] = p
		if n.Kind != "gone" {
			c.send(subjectOne+n.From, note{Kind: "ask"})
		}
	}
	p.seen = time.Now()
	if n.Seq != 0 {
		if n.Seq <= p.seq {
			return // it was here before
		}
		p.seq = n.Seq
	}
	if deed, ok := deeds[n.Kind]; ok {
		deed(c, p, n)
	}
}

// deeds are what notes of each kind ask for.
var deeds = map[string]func(*cluster, *peer, note){
	// A message was said in a room.
	"said": func(c *cluster, _ *peer, n note) {
		r, err := c.s.findRoom(n.Room)
		if err != nil || n.Event == nil || slices.ContainsFunc(r.history, func(p past) bool { return p.event.ID == n.Event.ID }) {
			return
		}
		c.s.tell(r, *n.Event)
		r.remember(*n.Event, c.s.o.History)
	},
	// A private message is for somebody here.
	"private": func(c *cluster, _ *peer, n note) {
		_, key, err := parseName("name", n.Name)
		if to := c.s.people[key]; err == nil && n.Event != nil && to != nil && to.member != nil {
			c.s.put(to.member, encode(*n.Event))
		}
	},
	// Somebody entered a room; with the first there is somebody.
	"entered": func(c *cluster, p *peer, n note) {
		if who := c.resident(p, n.From, n.Name); who != nil {
			c.enter(who, n.Room)
		}
	},
	"exited": func(c *cluster, p *peer, n note) {
		who := c.known(p, n.Name)
		if who == nil {
			return
		}
		if i := slices.IndexFunc(who.rooms, called(n.Room)); i >= 0 {
			c.s.exit(who, who.rooms[i], n.Text)
		}
	},
	"parted": func(c *cluster, p *peer, n note) {
		if who := c.known(p, n.Name); who != nil {
			c.s.part(who, n.Text)
		}
	},
	"renamed": func(c *cluster, p *peer, n note) {
		who := c.known(p, n.Name)
		name, key, err := parseName("name", n.NewName)
		if who == nil || err != nil || !c.make(way{n.From, who, key}) {
			return // what is wrong now shows at the next "alive"
		}
		old := who.name
		c.s.rename(who, name, key)
		c.s.tellRenamed(who, old)
	},
	// A server is there, and has so many people.
	"alive": func(c *cluster, p *peer, n note) {
		if n.Count != len(p.people) {
			c.send(subjectOne+n.From, note{Kind: "ask"})
		}
	},
	// A server asks who is here.
	"ask": func(c *cluster, _ *peer, n note) {
		var all []resident
		for _, p := range c.s.people {
			if p.member != nil {
				r := resident{Name: p.name}
				for _, room := range p.rooms {
					r.Rooms = append(r.Rooms, room.name)
				}
				all = append(all, r)
			}
		}
		for len(all) > residents {
			c.send(subjectOne+n.From, note{Kind: "state", People: all[:residents], More: true})
			all = all[residents:]
		}
		c.send(subjectOne+n.From, note{Kind: "state", People: all})
	},
	// The answer to that.
	"state": func(c *cluster, p *peer, n note) {
		p.state = append(p.state, n.People...)
		if !n.More {
			c.become(p, n.From, p.state)
			p.state = nil
		}
	},
	"gone": func(c *cluster, _ *peer, n note) { c.forget(n.From, "that server closed") },
}

// known is somebody who is on a server.
func (c *cluster) known(p *peer, name string) *person {
	_, key, err := parseName("name", name)
	if who := c.s.people[key]; err == nil && who != nil && p.people[who] {
		return who
	}
	return nil
}

// resident is known, or makes somebody; nil: the name is another's.
func (c *cluster) resident(p *peer, home, name string) *person {
	if who := c.known(p, name); who != nil {
		return who
	}
	name, key, err := parseName("name", name)
	if err != nil || !c.make(way{home, nil, key}) {
		return nil
	}
	who := &person{name: name, key: key, home: home}
	c.s.people[key] = who
	p.people[who] = true
	return who
}

// A way is a name that a server gave out to somebody.
type way struct {
	home string
	who  *person
	key  string
}

// make makes way for a name that another server gave out, and tells whether it is free. Of two servers that
// gave it out at the same moment the one with the lower ID has its way, and all others see it so.
func (c *cluster) make(w way) bool {
	holder := c.s.people[w.key]
	switch {
	case holder == nil || holder == w.who:
		return true
	case holder.home < w.home:
		return false
	case holder.member == nil:
		c.s.part(holder, "")
		return true
	}
	for i := 2; ; i++ {
		end := fmt.Sprint(i)
		base := []rune(holder.name)
		name, key, err := parseName("name", string(base[:min(len(base), maxName-len(end))])+end)
		if err == nil && c.s.people[key] == nil {
			old := holder.name
			c.s.rename(holder, name, key)
			c.s.put(holder.member, encode(Event{Kind: Refused, Text: fmt.Sprintf("%s was given out on another server too; you are %s now", old, name)}))
			c.s.put(holder.member, encode(Event{Kind: Named, Name: name}))
			c.s.tellRenamed(holder, old)
			return true
		}
	}
}

// become makes a server's people those that it told of.
func (c *cluster) become(p *peer, home string, all []resident) {
	there := make(map[*person]bool)
	for _, r := range all {
		who := c.resident(p, home, r.Name)
		if who == nil {
			continue
		}
		there[who] = true
		for _, room := range slices.Clone(who.rooms) {
			if !slices.ContainsFunc(r.Rooms, func(name string) bool { return called(name)(room) }) {
				c.s.exit(who, room, "")
			}
		}
		for _, name := range r.Rooms {
			c.enter(who, name)
		}
	}
	for who := range p.people {
		if !there[who] {
			c.s.part(who, "")
		}
	}
}

// enter lets somebody on another server into a room.
func (c *cluster) enter(who *person, name string) {
	if slices.ContainsFunc(who.rooms, called(name)) {
		return
	}
	if r, err := c.s.findRoom(name); err == nil {
		c.s.enter(who, r)
	}
}
