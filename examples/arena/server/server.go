// Package server runs arena's lobby and its matches.
//
// The lobby is lines of text over TCP, so that nc can look in. A client says
//
//	name NAME      first of all; answered by "hello NAME"
//	matches        answered by "match NAME PLAYERS" for each, and "matches N"
//	join MATCH     makes the match if there is none of that name; answered by "joined MATCH ID TOKEN UDPPORT"
//	say TEXT       to all in the match, or in the lobby
//	leave          back to the lobby
//	quit           ends the connection
//
// and is told
//
//	player ID NAME     of everybody in the match, and whoever comes
//	gone ID            who left
//	kill ID ID         who shot whom
//	said NAME TEXT
//	error TEXT         what was wrong, and what would be right
//
// The match itself is datagrams (package wire): the server takes inputs in the order of their numbers, each once, at most
// as many as time allows for, and sends each player a snapshot 30 times a second.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"sockeye/examples/arena/game"
	"sockeye/examples/arena/wire"
)

// Bounds of a server, which keep its memory bounded.
const (
	MaxClients = 1024 // in the lobby and in matches
	MaxMatches = 32
	MaxLine    = 400 // bytes
	MaxName    = 16  // bytes

	maxLines    = 1024             // that wait for a client that does not read
	introducing = 30 * time.Second // for a client to tell its name
)

// A Server is a lobby with its matches.
type Server struct {
	lobby  net.Listener
	states net.PacketConn
	ended  chan struct{}
	end    sync.Once
	work   sync.WaitGroup

	mu      sync.Mutex
	clients map[*client]bool
	matches map[string]*match
	seats   map[uint64]*seat // by token
	seed    uint64
}

// New makes a server. Serve closes what it is given.
func New(lobby net.Listener, states net.PacketConn) *Server {
	return &Server{
		lobby: lobby, states: states, ended: make(chan struct{}),
		clients: map[*client]bool{}, matches: map[string]*match{}, seats: map[uint64]*seat{},
	}
}

// Serve runs until ctx ends, which gives its cause, or the listener or the socket fails.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	failed := make(chan error, 2)
	s.work.Go(func() { failed <- s.receive() })
	s.work.Go(func() { failed <- s.accept() })
	err := <-failed
	s.close()
	s.work.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (s *Server) close() {
	s.end.Do(func() {
		close(s.ended)
		s.lobby.Close()
		s.states.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.clients {
			c.conn.Close()
		}
	})
}

func (s *Server) accept() error {
	for {
		conn, err := s.lobby.Accept()
		if err != nil {
			return err
		}
		c := &client{server: s, conn: conn, out: make(chan string, maxLines), gone: make(chan struct{})}
		s.mu.Lock()
		full := len(s.clients) == MaxClients
		if !full {
			s.clients[c] = true
		}
		s.mu.Unlock()
		select {
		case <-s.ended: // close may not have seen it
			full = true
		default:
		}
		if full {
			conn.SetWriteDeadline(time.Now().Add(time.Second))
			fmt.Fprintf(conn, "error the server is full: it has %d clients; try later\n", MaxClients)
			conn.Close()
			s.forget(c)
			continue
		}
		s.work.Go(c.write)
		s.work.Go(c.serve)
	}
}

func (s *Server) forget(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
}

// receive takes datagrams. What is of another form, or has no player's token, is dropped.
func (s *Server) receive() error {
	b := make([]byte, wire.MaxSize+1)
	for {
		n, from, err := s.states.ReadFrom(b)
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			select {
			case <-s.ended:
				return err
			case <-time.After(10 * time.Millisecond): // an error that lasts must not keep the processor busy
				continue
			}
		}
		m, err := wire.ParseInputs(b[:n])
		if err != nil {
			continue
		}
		s.mu.Lock()
		if seat := s.seats[m.Token]; seat != nil {
			seat.take(m, from, time.Now())
		}
		s.mu.Unlock()
	}
}

// Matches tells what is played, by name.
func (s *Server) Matches() (list []Match) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, m := range s.matches {
		list = append(list, Match{Name: name, Players: len(m.world.Players)})
	}
	slices.SortFunc(list, func(a, b Match) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// A Match is what the lobby tells of a match.
type Match struct {
	Name    string
	Players int
}

// World gives a copy of a match's world as it is now, with the names of its players by ID. It is nil where there is no such match.
func (s *Server) World(name string) (*game.World, map[uint8]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.matches[name]
	if m == nil {
		return nil, nil
	}
	names := map[uint8]string{}
	for id, seat := range m.seats {
		names[id] = seat.client.name
	}
	return m.world.Clone(), names
}
