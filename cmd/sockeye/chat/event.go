package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Kind tells events apart.
type Kind string

// The kinds of events, and the fields that each has.
const (
	Welcome Kind = "welcome" // Text
	Named   Kind = "named"   // Name: who you are now
	Entered Kind = "entered" // Room, Count, Members: you are in a room; its history follows
	Members Kind = "members" // Room, Count, Members: the answer to /who
	Rooms   Kind = "rooms"   // Rooms
	Help    Kind = "help"    // Text, of several lines
	Message Kind = "message" // ID, Time, Room, From, Text; History
	Private Kind = "private" // Time, From, To, Text
	Joined  Kind = "joined"  // Room, Name
	Left    Kind = "left"    // Room, Name, Text: why, if it was said; also of yourself
	Renamed Kind = "renamed" // Room, From, Name
	Counted Kind = "counted" // Room, Came, Went, Count: presence in a large room
	Refused Kind = "error"   // Text: what was wrong
	Bye     Kind = "bye"     // Text: why the connection ends
)

// An Event is what a member is told.
type Event struct {
	Kind    Kind        `json:"type"`
	ID      string      `json:"id,omitempty"` // of a message, on all servers that share the room
	Time    time.Time   `json:"time,omitzero"`
	Room    string      `json:"room,omitempty"`
	From    string      `json:"from,omitempty"`
	To      string      `json:"to,omitempty"`
	Name    string      `json:"name,omitempty"`
	Text    string      `json:"text,omitempty"`
	Count   int         `json:"count,omitempty"`
	Came    int         `json:"came,omitempty"`
	Went    int         `json:"went,omitempty"`
	Members []string    `json:"members,omitempty"` // at most 100 of Count
	Rooms   []RoomCount `json:"rooms,omitempty"`
	History bool        `json:"history,omitempty"` // it was said before you came
}

// A RoomCount is a room, and how many are there.
type RoomCount struct {
	Room  string `json:"room"`
	Count int    `json:"count"`
}

// String is the event as a line for people; Help and Rooms have several.
func (e Event) String() string {
	switch e.Kind {
	case Welcome, Bye:
		return "* " + e.Text
	case Help:
		return "* " + strings.ReplaceAll(e.Text, "\n", "\n* ")
	case Named:
		return "* you are " + e.Name
	case Rooms:
		lines := []string{fmt.Sprintf("* %s", plural(len(e.Rooms), "room", "rooms"))}
		for _, r := range e.Rooms {
			lines = append(lines, fmt.Sprintf("* [%s] %s", r.Room, plural(r.Count, "is there", "are there")))
		}
		return strings.Join(lines, "\n")
	case Refused:
		return "! " + e.Text
	case Private:
		return fmt.Sprintf("[%s -> %s] %s", e.From, e.To, e.Text)
	case Message:
		if e.History {
			return fmt.Sprintf("[%s] %s %s: %s", e.Room, e.Time.UTC().Format("15:04"), e.From, e.Text)
		}
		return fmt.Sprintf("[%s] %s: %s", e.Room, e.From, e.Text)
	}
	return fmt.Sprintf("[%s] * %s", e.Room, e.presence())
}

// presence is what an event tells of who is in a room.
func (e Event) presence() string {
	switch e.Kind {
	case Joined:
		return e.Name + " is here"
	case Renamed:
		return e.From + " is now " + e.Name
	case Counted:
		return fmt.Sprintf("%d came and %d left: %s", e.Came, e.Went, plural(e.Count, "is here", "are here"))
	case Left:
		if e.Text != "" {
			return e.Name + " left: " + e.Text
		}
		return e.Name + " left"
	case Entered, Members:
		text := plural(e.Count, "is here", "are here")
		if len(e.Members) > 0 {
			text += ": " + strings.Join(e.Members, ", ")
		}
		if more := e.Count - len(e.Members); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		return text
	}
	return string(e.Kind)
}

// harmless is the event as a terminal may show it, whatever sent it.
func (e Event) harmless() Event {
	if e.Kind == Help {
		lines := strings.Split(e.Text, "\n")
		for i, l := range lines {
			lines[i] = clean(l)
		}
		e.Text = strings.Join(lines, "\n")
	} else {
		e.Text = clean(e.Text)
	}
	e.Room, e.From, e.To, e.Name = clean(e.Room), clean(e.From), clean(e.To), clean(e.Name)
	for i := range e.Members {
		e.Members[i] = clean(e.Members[i])
	}
	for i := range e.Rooms {
		e.Rooms[i].Room = clean(e.Rooms[i].Room)
	}
	return e
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// A frame is an event as it is written, which all who are told share.
type frame struct{ plain, json []byte }

func encode(e Event) frame {
	return frame{append([]byte(e.String()), '\n'), encodeJSON(e)}
}

func encodeJSON(e Event) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // an Event has nothing that JSON cannot say
	}
	return append(b, '\n')
}

// in gives the form that a member asked for.
func (f frame) in(json bool) []byte {
	if json {
		return f.json
	}
	return f.plain
}
