package chat

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sockeye/internal/accept"
)

// Options say what a server is like. The zero Options are of use.
type Options struct {
	// Title is what the server calls itself; "": "sockeye chat".
	Title string
	// ID tells servers that share rooms apart, and the messages of one run from those of the next;
	// "": one that is drawn.
	ID string
	// Members is how many there may be at once; 0: 20,000.
	Members int
	// History is how many messages of a room a newcomer gets; 0: 100, negative: none.
	History int
	// Queue is how many bytes wait for a member who does not take them; 0: 256 KiB.
	Queue int
	// Stall is how long a member may take nothing while something is there, and how long a host may
	// be silent; 0: 30 s.
	Stall time.Duration
	// Introduction is how long a member may be without a name; 0: one minute.
	Introduction time.Duration
	// Rate is how many lines a second are read from a member, after a burst of five times as many; who
	// writes faster is read no faster. 0: 20, negative: as many as come.
	Rate float64
	// TLS, if not nil, is spoken by Serve and ServeWeb.
	TLS *tls.Config
	// Log, if not nil, is told who came and went. It must not wait.
	Log func(Visit)
}

// A Visit is that a member gave a first name, or left.
type Visit struct {
	Peer net.Addr
	Name string // "": none was ever given
	Left bool
	Why  string // the reason of leaving, if there is one
}

// grace is how long a connection that ends may take for what is still to be written, and
// farewell the same when the server itself ends.
const (
	grace    = 5 * time.Second
	farewell = time.Second
)

// What members are told at the end, if nothing is wrong.
const (
	farewellToQuit = "bye"
	closing        = "the server is closing"
)

// A Server is one chat. Its methods may be called at once.
type Server struct {
	o Options

	// One lock for all: under it nothing waits, and telling 1,000 members takes it for some
	// 100 µs, next to the milliseconds that writing to them takes elsewhere.
	mu      sync.Mutex
	people  map[string]*person
	rooms   map[string]*room
	members map[*member]struct{} // the connections
	slow    []*member            // to be dropped before the lock is let go
	filling *member              // whose queue has not much room left
	said    uint64               // messages
	cluster *cluster             // nil: no rooms are shared
}

// NewServer makes a server.
func NewServer(o Options) *Server {
	if o.Title == "" {
		o.Title = "sockeye chat"
	}
	if o.ID == "" {
		o.ID = rand.Text()[:8]
	}
	orElse(&o.Members, 20_000)
	orElse(&o.History, 100)
	orElse(&o.Queue, 256<<10)
	orElse(&o.Stall, 30*time.Second)
	orElse(&o.Introduction, time.Minute)
	orElse(&o.Rate, 20)
	return &Server{o: o, people: make(map[string]*person), rooms: make(map[string]*room), members: make(map[*member]struct{})}
}

// ID is Options.ID, or what was drawn.
func (s *Server) ID() string { return s.o.ID }

func orElse[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Serve runs a server on one listener: it is NewServer and its Serve.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	return NewServer(o).Serve(ctx, l)
}

// Serve serves who connects, by the line protocol, until ctx ends, which gives nil, or the listener fails. It closes
// the listener, tells its members that it is over, and returns when the last is gone.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	var attended sync.WaitGroup
	defer attended.Wait()
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			attended.Go(func() {
				if c, err := s.secure(ctx, c); err == nil {
					s.attend(ctx, newLineConn(c, s.o.Stall+2*grace), false)
				}
			})
		case ctx.Err() != nil:
			return nil
		case accept.Starved(err):
			select {
			case <-time.After(accept.Scarcity): // somebody may leave
			case <-ctx.Done():
			}
		default:
			return err
		}
	}
}

// secure makes TLS of a connection where that is wanted. One that fails is closed.
func (s *Server) secure(ctx context.Context, c net.Conn) (net.Conn, error) {
	if s.o.TLS == nil {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Introduction)
	defer cancel()
	t := tls.Server(c, s.o.TLS)
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}

// attend serves one connection to its end, which may want JSON from the beginning.
func (s *Server) attend(ctx context.Context, c conn, json bool) {
	m, err := s.open(c, json)
	if err != nil {
		m.queue.end(true, err.Error(), farewell)
		m.queue.close()
		return
	}
	stop := context.AfterFunc(ctx, func() { m.queue.end(true, closing, farewell) })
	defer stop()
	why := s.read(ctx, m)
	if ctx.Err() != nil {
		why = closing
	}
	s.mu.Lock()
	s.leave(m, why)
	s.unlock()
	after := grace
	if why == errEndless.Error() {
		after = farewell // it would go on
	}
	m.queue.end(false, why, after)
	c.discard()
	m.queue.close()
}

// open makes a member of a connection, and greets it. An error says why it cannot stay.
func (s *Server) open(c conn, json bool) (*member, error) {
	m := &member{conn: c}
	if s.o.Rate > 0 {
		m.limiter = rate.NewLimiter(rate.Limit(s.o.Rate), max(1, int(5*s.o.Rate)))
	}
	m.queue = queue{conn: c, json: json, limit: s.o.Queue, stall: s.o.Stall, flushed: make(chan struct{}), stalled: func() {
		s.drop(m, fmt.Sprintf("too slow: nothing was taken for %v", s.o.Stall))
	}}
	s.mu.Lock()
	defer s.unlock()
	if len(s.members) >= s.o.Members {
		return m, fmt.Errorf("%s is full, with %s: come again later", s.o.Title, plural(len(s.members), "member", "members"))
	}
	s.members[m] = struct{}{}
	m.intro = time.AfterFunc(s.o.Introduction, func() {
		s.drop(m, fmt.Sprintf("no name was given within %v: /name NAME gives one", s.o.Introduction))
	})
	s.put(m, encode(Event{Kind: Welcome, Text: s.o.Title + ": /name NAME tells who you are, /help the rest"}))
	return m, nil
}

// read obeys what a member says until there is no more, and gives the reason if the member should know.
func (s *Server) read(ctx context.Context, m *member) (why string) {
	for {
		line, err := m.conn.readLine()
		if _, long := errors.AsType[tooLong](err); err != nil && !long {
			switch {
			case errors.Is(err, errEndless):
				return err.Error()
			case errors.Is(err, io.EOF):
				return ""
			}
			return "the connection is lost"
		}
		if m.queue.ended() || m.limiter != nil && m.limiter.Wait(ctx) != nil {
			return ""
		}
		var c Command
		if err == nil && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err == nil {
			c, err = Parse(string(line))
		}
		if err == nil && c.Verb == "quit" {
			s.mu.Lock()
			s.leave(m, c.Text)
			s.unlock()
			return farewellToQuit
		}
		if err == nil {
			err = s.obey(m, c)
		}
		if err != nil {
			s.answer(m, Event{Kind: Refused, Text: err.Error()})
		}
	}
}

// drop ends a member's connection, and what it has not taken is lost.
func (s *Server) drop(m *member, why string) {
	s.mu.Lock()
	defer s.unlock()
	s.dropLocked(m, why)
}

func (s *Server) dropLocked(m *member, why string) {
	m.queue.end(true, "you are dropped: "+why, grace)
	s.leave(m, "dropped: "+why)
}

// leave takes a member out of everything. A member who is out already is left as it is.
func (s *Server) leave(m *member, why string) {
	if _, in := s.members[m]; !in {
		return
	}
	delete(s.members, m)
	m.intro.Stop()
	v := Visit{Peer: m.conn.peer(), Left: true, Why: why}
	if m.person != nil {
		v.Name = m.person.name
		s.part(m.person, why)
	}
	s.log(v)
}

func (s *Server) log(v Visit) {
	if s.o.Log != nil {
		s.o.Log(v)
	}
}

// unlock lets go of the state, after those were dropped who could not take what was said. To tell of
// them may show that others cannot.
func (s *Server) unlock() {
	for len(s.slow) > 0 {
		m := s.slow[0]
		s.slow = s.slow[1:]
		s.dropLocked(m, fmt.Sprintf("too slow: %d KiB are waiting for you", s.o.Queue>>10))
	}
	s.mu.Unlock()
}

// answer tells one member.
func (s *Server) answer(m *member, e Event) {
	s.mu.Lock()
	defer s.unlock()
	s.put(m, encode(e))
}
