package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Servers share rooms by notes on NATS subjects: what goes to all of them, what goes to one, and a queue group that one
// of them answers who asks for the history. NATS keeps the order of what one server publishes, and brings each note
// once at most; what it loses while servers are apart is not said again, but who is where is found out
// anew, for each tells now and then how many people it has.
const (
	subjectAll     = "sockeye.chat.all"
	subjectOne     = "sockeye.chat.to."
	subjectHistory = "sockeye.chat.history"
)

const (
	aliveEvery = 2 * time.Second
	lostAfter  = 10 * time.Second // without a note, a server is out of reach
	maxOutbox  = 16 << 20         // bytes that wait for NATS to take them
	residents  = 500              // people in one note
)

// A note is what servers tell each other.
type note struct {
	From    string     `json:"from"`          // the server's ID
	Seq     uint64     `json:"seq,omitempty"` // counts what goes to all
	Kind    string     `json:"kind"`          // see deeds
	Name    string     `json:"name,omitempty"`
	NewName string     `json:"new_name,omitempty"`
	Room    string     `json:"room,omitempty"`
	Text    string     `json:"text,omitempty"`
	Event   *Event     `json:"event,omitempty"`
	Count   int        `json:"count,omitempty"`
	People  []resident `json:"people,omitempty"`
	More    bool       `json:"more,omitempty"` // another note goes on with this
	History []Event    `json:"history,omitempty"`
}

// A resident is somebody on another server.
type resident struct {
	Name  string   `json:"name"`
	Rooms []string `json:"rooms"`
}

// A cluster is the servers that one shares its rooms with. The server's lock guards it, but for the outbox.
type cluster struct {
	s      *Server
	nc     *nats.Conn
	seq    uint64
	peers  map[string]*peer
	out    outbox
	taught bool // the history of before is known, or is being asked for
}

// A peer is another server.
type peer struct {
	seen   time.Time
	seq    uint64
	people map[*person]bool
	state  []resident // as far as it was told
}

// Share makes the server share its rooms with all others that do so on the same NATS servers: who is there, what is
// said, private messages and history. It asks for what was said before, and is to be called before Serve. A name is one
// person's on all of them; if two servers give it out at the same moment, one of the two
// people gets another. leave ends it.
//
// The connection is to be made with nats.NoEcho, and stays the caller's to close; its handlers of what becomes of it are set.
func (s *Server) Share(nc *nats.Conn) (leave func(), err error) {
	c := &cluster{s: s, nc: nc, peers: make(map[string]*peer), out: outbox{more: make(chan struct{}, 1)}}
	nc.SetDisconnectErrHandler(func(*nats.Conn, error) { c.out.setAway(true) })
	nc.SetReconnectHandler(func(*nats.Conn) { c.out.setAway(false) })
	in := make(chan *nats.Msg, 1<<16)
	var subs []*nats.Subscription
	unsubscribe := func() {
		for _, sub := range subs {
			sub.Unsubscribe()
		}
	}
	// One channel for both keeps a server's notes in order.
	for _, subject := range []string{subjectAll, subjectOne + s.o.ID} {
		sub, err := nc.ChanSubscribe(subject, in)
		if err != nil {
			unsubscribe()
			return nil, err
		}
		subs = append(subs, sub)
	}
	if c.taught, err = c.learn(); err != nil {
		unsubscribe()
		return nil, err
	}
	sub, err := nc.QueueSubscribe(subjectHistory, "history", c.teach)
	if err != nil {
		unsubscribe()
		return nil, err
	}
	subs = append(subs, sub)
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { c.listen(in, stop, &running) })
	running.Go(func() { c.out.send(nc, stop) })
	s.mu.Lock()
	s.cluster = c
	c.toAll(note{Kind: "ask"})
	s.unlock()
	return sync.OnceFunc(func() {
		s.mu.Lock()
		c.toAll(note{Kind: "gone"})
		s.cluster = nil
		for id := range c.peers {
			c.forget(id, "the servers no longer share rooms")
		}
		s.unlock()
		close(stop)
		running.Wait()
		unsubscribe()
	}), nil
}

// listen does what notes say, and finds who is out of reach.
func (c *cluster) listen(in <-chan *nats.Msg, stop <-chan struct{}, running *sync.WaitGroup) {
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		select {
		case m := <-in:
			var n note
			if json.Unmarshal(m.Data, &n) == nil {
				c.s.mu.Lock()
				c.heed(n)
				ask := !c.taught && len(c.peers) > 0 // others were out of reach when this server began
				c.taught = c.taught || ask
				c.s.unlock()
				if ask {
					running.Go(func() { c.learn() })
				}
			}
		case <-alive.C:
			c.s.mu.Lock()
			c.toAll(note{Kind: "alive", Count: c.residents()})
			for id, p := range c.peers {
				if time.Since(p.seen) > lostAfter {
					c.forget(id, "that server is out of reach")
				}
			}
			c.s.unlock()
		case <-stop:
			return
		}
	}
}

// residents counts who is on this server.
func (c *cluster) residents() (n int) {
	for _, p := range c.s.people {
		if p.member != nil {
			n++
		}
	}
	return n
}

// forget lets all who are on a server leave.
func (c *cluster) forget(id, why string) {
	byName := func(a, b *person) int { return strings.Compare(a.name, b.name) }
	for _, p := range slices.SortedFunc(maps.Keys(c.peers[id].people), byName) {
		c.s.part(p, why)
	}
	delete(c.peers, id)
}

// toAll tells all servers. It is called with the server locked, as what it tells happens.
func (c *cluster) toAll(n note) {
	c.seq++
	n.Seq = c.seq
	c.send(subjectAll, n)
}

func (c *cluster) send(subject string, n note) {
	n.From = c.s.o.ID
	b, err := json.Marshal(n)
	if err != nil {
		panic(err) // a note has nothing that JSON cannot say
	}
	c.out.add(subject, b)
}

// tellOthers is toAll where rooms are shared.
func (s *Server) tellOthers(n note) {
	if s.cluster != nil {
		s.cluster.toAll(n)
	}
}

// An outbox holds what NATS has not taken yet, which may wait for the network as the server must not.
type outbox struct {
	mu    sync.Mutex
	away  bool // there is no connection: to publish would wait until there is one
	msgs  []outMsg
	bytes int
	more  chan struct{}
}

type outMsg struct {
	subject string
	data    []byte
}

func (o *outbox) add(subject string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes+len(data) > maxOutbox {
		return // lost, as what is said while servers are apart
	}
	o.msgs, o.bytes = append(o.msgs, outMsg{subject, data}), o.bytes+len(data)
	o.wake()
}

func (o *outbox) wake() {
	select {
	case o.more <- struct{}{}:
	default:
	}
}

func (o *outbox) setAway(away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = away
	o.wake()
}

func (o *outbox) take() (msgs []outMsg, away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away {
		return nil, true
	}
	msgs = o.msgs
	o.msgs, o.bytes = nil, 0
	return msgs, false
}

// send publishes until stop, and then what is left.
func (o *outbox) send(nc *nats.Conn, stop <-chan struct{}) {
	for stopped := false; !stopped; {
		select {
		case <-o.more:
		case <-stop:
			stopped = true
		}
		msgs, away := o.take()
		for _, m := range msgs {
			nc.Publish(m.subject, m.data) // an error says that it is closed
		}
		if stopped && !away {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			nc.FlushWithContext(ctx)
			cancel()
		}
	}
}

// learn asks for what was said before this server was there, and tells whether somebody answered.
func (c *cluster) learn() (taught bool, err error) {
	inbox := nats.NewInbox()
	sub, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return false, err
	}
	defer sub.Unsubscribe()
	if err := c.nc.PublishRequest(subjectHistory, inbox, nil); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lostAfter)
	defer cancel()
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if errors.Is(err, nats.ErrNoResponders) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("no answer to what was said before: %w", err)
		}
		var n note
		if err := json.Unmarshal(m.Data, &n); err != nil {
			return false, err
		}
		if n.Room == "" {
			return true, nil
		}
		c.s.mu.Lock()
		if r, err := c.s.findRoom(n.Room); err == nil {
			r.recall(n.History, c.s.o.History)
		}
		c.s.mu.Unlock()
	}
}

// teach answers learn, a room at a time.
func (c *cluster) teach(m *nats.Msg) {
	var notes []note
	c.s.mu.Lock()
	for _, r := range c.s.rooms {
		n := note{From: c.s.o.ID, Kind: "history", Room: r.name}
		for _, p := range r.history {
			n.History = append(n.History, p.event)
		}
		notes = append(notes, n)
	}
	c.s.mu.Unlock()
	slices.SortFunc(notes, func(a, b note) int { return len(b.History) - len(a.History) })
	for _, n := range append(notes, note{From: c.s.o.ID, Kind: "history"}) {
		if b, err := json.Marshal(n); err == nil {
			m.Respond(b)
		}
	}
}
