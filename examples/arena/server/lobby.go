package server

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"sockeye/examples/arena/game"
)

// A client is a connection to the lobby. The server's lock guards name and seat.
type client struct {
	server *Server
	conn   net.Conn
	out    chan string
	gone   chan struct{} // closed when nothing more is to be sent
	once   sync.Once
	name   string
	seat   *seat // in a match, or nil
}

// send leaves a line to be written, without waiting. A client that has not read maxLines is dropped.
func (c *client) send(line string) {
	select {
	case c.out <- line:
	default:
		c.once.Do(func() { close(c.gone) })
		c.conn.Close()
	}
}

// write writes lines until the client is gone, and then closes the connection.
func (c *client) write() {
	defer c.conn.Close()
	w := bufio.NewWriter(c.conn)
	for {
		select {
		case line := <-c.out:
			w.WriteString(line)
			w.WriteByte('\n')
			if len(c.out) == 0 && w.Flush() != nil {
				return
			}
		case <-c.gone:
			for len(c.out) > 0 { // what was wrong, say
				w.WriteString(<-c.out + "\n")
			}
			w.Flush()
			return
		}
	}
}

// serve reads what the client says until it quits.
func (c *client) serve() {
	defer c.server.forget(c)
	defer c.once.Do(func() {
		c.conn.SetWriteDeadline(time.Now().Add(time.Second)) // also for a write that goes on
		close(c.gone)
	})
	defer c.leave()
	c.conn.SetReadDeadline(time.Now().Add(introducing))
	lines := bufio.NewScanner(c.conn)
	lines.Buffer(make([]byte, MaxLine), MaxLine)
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "quit" {
			return
		}
		if err := c.obey(line); err != nil {
			c.send("error " + err.Error())
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		c.send(fmt.Sprintf("error a line of more than %d bytes; say less at once", MaxLine))
	}
}

func (c *client) obey(line string) error {
	if !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) {
		return errors.New("a line that is not text; send UTF-8 without control characters")
	}
	verb, rest, _ := strings.Cut(line, " ")
	do, ok := verbs[verb]
	switch {
	case !ok:
		return fmt.Errorf("unknown word %q; try name, matches, join, say, leave or quit", verb)
	case verb != "name" && c.name == "": // only this goroutine writes it
		return errors.New(`nobody knows you; say "name NAME" first`)
	}
	return do(c, rest)
}

var verbs = map[string]func(c *client, rest string) error{
	"name":    (*client).introduce,
	"matches": (*client).list,
	"join":    (*client).join,
	"say":     (*client).say,
	"leave":   func(c *client, _ string) error { return c.leave() },
}

func (c *client) introduce(name string) error {
	if err := checkName("name", name); err != nil {
		return err
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.name != "" {
		return fmt.Errorf("you are %s already", c.name)
	}
	for other := range c.server.clients {
		if other.name == name {
			return fmt.Errorf("there is a %s already; take another name", name)
		}
	}
	c.name = name
	c.conn.SetReadDeadline(time.Time{})
	c.send("hello " + name)
	return nil
}

func checkName(what, name string) error {
	if name == "" || len(name) > MaxName || strings.ContainsFunc(name, unicode.IsSpace) {
		return fmt.Errorf("%s %q: want 1 to %d bytes without spaces", what, name, MaxName)
	}
	return nil
}

func (c *client) list(string) error {
	list := c.server.Matches()
	for _, m := range list {
		c.send(fmt.Sprintf("match %s %d", m.Name, m.Players))
	}
	c.send(fmt.Sprintf("matches %d", len(list)))
	return nil
}

func (c *client) join(name string) error {
	if err := checkName("match", name); err != nil {
		return err
	}
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.seat != nil {
		return fmt.Errorf("you are in the match %s; leave it first", c.seat.match.name)
	}
	m := s.matches[name]
	if m == nil {
		if len(s.matches) == MaxMatches {
			return fmt.Errorf("there are %d matches already; join one of them", MaxMatches)
		}
		s.seed++
		m = &match{server: s, name: name, world: game.NewWorld(s.seed), seats: map[uint8]*seat{}}
		s.matches[name] = m
		s.work.Go(m.run)
	}
	id, ok := m.world.Add()
	if !ok {
		return fmt.Errorf("match %s is full: it has %d players; join another one", name, game.MaxPlayers)
	}
	var token [8]byte
	rand.Read(token[:])
	c.seat = &seat{client: c, match: m, id: id, token: binary.BigEndian.Uint64(token[:]), next: 1}
	s.seats[c.seat.token] = c.seat
	local, _ := netip.ParseAddrPort(s.states.LocalAddr().String())
	c.send(fmt.Sprintf("joined %s %d %016x %d", name, id, c.seat.token, local.Port()))
	for _, other := range m.seats {
		c.send(fmt.Sprintf("player %d %s", other.id, other.client.name))
	}
	m.seats[id] = c.seat
	m.tell(fmt.Sprintf("player %d %s", id, c.name))
	return nil
}

func (c *client) leave() error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	s := c.seat
	if s == nil {
		return errors.New("you are in no match")
	}
	c.seat = nil
	delete(c.server.seats, s.token)
	delete(s.match.seats, s.id)
	s.match.world.Remove(s.id)
	s.match.tell(fmt.Sprintf("gone %d", s.id))
	return nil
}

func (c *client) say(text string) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	line := fmt.Sprintf("said %s %s", c.name, text)
	if c.seat != nil {
		c.seat.match.tell(line)
		return nil
	}
	for other := range c.server.clients {
		if other.seat == nil && other.name != "" {
			other.send(line)
		}
	}
	return nil
}
