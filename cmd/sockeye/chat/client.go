package chat

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Lost is the kind of an event that a Client makes itself: the connection has failed, and Text tells why.
const Lost Kind = "lost"

// A Client is a member's side of a chat.
type Client struct {
	// Dial connects to the server.
	Dial func(ctx context.Context) (net.Conn, error)
	// Name is who to be, and Room where to be first; "": the lobby.
	Name, Room string
	// Again makes the client connect again, and be in the rooms where it was, when the connection fails.
	Again bool
	// Told is called with each event, one after the other.
	Told func(Event)

	mu   sync.Mutex
	conn net.Conn // nil: not connected
	end  bool     // nothing more is to be said

	rooms []string // what Run knows of where it is
	seen  []string // the last messages
	held  map[string]bool
	named bool // in this connection
	been  bool // in any
}

// A Refusal is the server's reason not to have a member, or not any longer.
type Refusal struct {
	Text  string
	final bool // the server ended the connection
}

// Error is the Text.
func (r Refusal) Error() string { return r.Text }

// Run is there until the member quits, or the connection ends after End, which gives nil; until the server ends it, which
// gives a Refusal; or until ctx ends. Without Again, and before it has been there once, any error of a
// connection ends it.
func (c *Client) Run(ctx context.Context) error {
	c.held = make(map[string]bool)
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := c.once(ctx)
		refusal, refused := errors.AsType[Refusal](err)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil, !c.Again, !c.been, refused && refusal.final:
			return err
		}
		if c.named {
			wait, c.named = time.Second, false
		}
		// A server may take a while to find that who we were is gone, and refuse the name until then.
		c.Told(Event{Kind: Lost, Text: fmt.Sprintf("%v; trying again in %v", err, wait)})
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// once is one connection.
func (c *Client) once(ctx context.Context) error {
	conn, err := c.Dial(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	rooms := c.rooms
	if len(rooms) == 0 {
		rooms = []string{c.Room}
	}
	var hello strings.Builder
	fmt.Fprintf(&hello, "/json\n/name %s %s\n", c.Name, rooms[0])
	for _, r := range rooms[1:] {
		fmt.Fprintf(&hello, "/join %s\n", r)
	}
	if _, err := io.WriteString(conn, hello.String()); err != nil {
		return err
	}
	c.connected(conn)
	defer c.connected(nil)
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			if err == io.EOF && c.end {
				return nil
			}
			if err == io.EOF {
				err = errors.New("the server is gone")
			}
			return err
		}
		var e Event
		if text, plain := strings.CutPrefix(string(line), "* "); plain { // before it read /json
			e = Event{Kind: Welcome, Text: strings.TrimSpace(text)}
		} else if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("that is no chat server: it says %.60q", bytes.TrimSpace(line))
		}
		if err := c.told(e.harmless()); err != nil {
			return err
		}
		if e.Kind == Bye {
			return nil
		}
	}
}

func (c *Client) connected(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	if conn != nil && c.end {
		finish(conn)
	}
}

// told passes an event on, unless it was there before.
func (c *Client) told(e Event) error {
	switch e.Kind {
	case Named:
		c.Name, c.named, c.been = e.Name, true, true
	case Entered:
		if !slices.Contains(c.rooms, e.Room) {
			c.rooms = append(c.rooms, e.Room)
		}
	case Left:
		if e.Name == c.Name {
			c.rooms = without(c.rooms, e.Room)
		}
	case Refused:
		if !c.named {
			return Refusal{Text: e.Text}
		}
	case Message:
		if c.held[e.ID] {
			return nil
		}
		c.held[e.ID] = true
		if c.seen = append(c.seen, e.ID); len(c.seen) > 100*maxJoined {
			delete(c.held, c.seen[0])
			c.seen = c.seen[1:]
		}
	}
	if e.Kind == Bye && e.Text != farewellToQuit {
		return Refusal{e.Text, true}
	}
	c.Told(e)
	return nil
}

// ErrAway is what Say gives while there is no connection.
var ErrAway = errors.New("there is no connection at the moment")

// Say sends a line: what is to be said, or a command.
func (c *Client) Say(line string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return ErrAway
	}
	_, err := io.WriteString(c.conn, line+"\n")
	return err
}

// End says that nothing more will be said. The server answers what it has not answered yet, and ends the connection.
func (c *Client) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end = true; c.conn != nil {
		finish(c.conn)
	}
}

func finish(conn net.Conn) {
	if h, ok := conn.(interface{ CloseWrite() error }); ok {
		h.CloseWrite()
	}
}
