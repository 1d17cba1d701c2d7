package labhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"sockeye/lab"
	"sockeye/link"
)

// A Traffic is what moved on links since the event before.
type Traffic struct {
	Time  float64 `json:"time"`
	Over  float64 `json:"over"` // seconds since the reading before
	Flows []Flow  `json:"flows"`
}

// A Flow is what came from one end of a link. The first event has them all, and one that has stopped is told
// once more.
type Flow struct {
	Link       string   `json:"link"`
	From       string   `json:"from"`
	Sent       uint64   `json:"sent"` // packets since the reading before
	Arrived    uint64   `json:"arrived"`
	Lost       uint64   `json:"lost"`
	Overflowed uint64   `json:"overflowed,omitempty"` // of the lost ones, those that found the queue full
	BitRate    float64  `json:"bitRate"`              // that arrived, in bits per second
	Counters   Counters `json:"counters"`
}

// Streams of events.
const (
	mostStreams = 32
	beat        = 250 * time.Millisecond // between two looks at the lab
	heartbeat   = 15 * time.Second       // of silence, after which a comment shows that the stream is alive
	patience    = 10 * time.Second       // with a reader that does not read
)

// A stream tells one reader of what changes.
type stream struct {
	view *View
	w    http.ResponseWriter
	out  *http.ResponseController

	host, ladder string // whose sockets, and which conversation, the reader wants to see
	lab          *Lab
	meter        *lab.Meter
	moved        map[string]bool   // flows that the last traffic told of
	sent         map[string][]byte // the last data of each kind of event
	spoke        time.Time
	seen         bool // the conversations are those of the last packet
}

// stream is GET /api/events.
func (v *View) stream(w http.ResponseWriter, r *http.Request) {
	if v.streams.Add(1) > mostStreams {
		v.streams.Add(-1)
		reply(w, nil, refuse(http.StatusServiceUnavailable, "%d streams are open already: close a page that shows the lab", mostStreams))
		return
	}
	defer v.streams.Add(-1)
	s := &stream{
		view: v, w: w, out: http.NewResponseController(w), sent: make(map[string][]byte),
		host: r.FormValue("host"), ladder: r.FormValue("ladder"),
	}
	s.out.SetReadDeadline(time.Time{}) // the server's is for a request, and this one does not end
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for s.look() == nil {
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// look sends what has changed. The error is that of the connection.
func (s *stream) look() error {
	if l := s.view.lab.Load(); l == nil {
		return s.flush(nil)
	} else if l != s.lab {
		s.lab, s.meter, s.moved, s.seen = l, l.Network.Meter(), nil, false
		clear(s.sent)
	}
	var b bytes.Buffer
	s.event(&b, "state", s.lab.state(false))
	if t, any := s.traffic(); len(t.Flows) > 0 {
		s.event(&b, "traffic", t)
		s.seen = s.seen && !any
	}
	if s.host != "" {
		if list, err := s.lab.sockets(s.host); err == nil {
			s.event(&b, "sockets", list)
		}
	}
	if !s.seen { // a conversation changes when a packet moves
		s.seen = true
		all := s.lab.Network.Conversations()
		s.event(&b, "ladders", latest(all))
		if l := ladder(all, s.ladder); l != nil {
			s.event(&b, "ladder", l)
		}
	}
	return s.flush(b.Bytes())
}

// traffic reads the meter, and tells whether any packet moved.
func (s *stream) traffic() (t Traffic, any bool) {
	names := s.lab.names()
	was, first := s.moved, s.moved == nil
	s.moved = make(map[string]bool)
	t.Time = s.lab.Network.Now().Seconds()
	for _, f := range s.meter.Read() {
		t.Over = f.Over.Seconds()
		id := names[f.Link] + " " + f.From.Name()
		moved := f.Now != f.Was
		if !moved && !was[id] && !first {
			continue
		}
		if moved {
			s.moved[id], any = true, true
		}
		t.Flows = append(t.Flows, Flow{
			Link: names[f.Link], From: f.From.Name(), Sent: f.Packets(link.Sent), Arrived: f.Packets(link.Delivered),
			Lost: f.Lost(), Overflowed: f.Packets(link.Overflowed), BitRate: f.BitRate(), Counters: count(f.Now),
		})
	}
	return t, any
}

// event appends an event, if it is not as it was.
func (s *stream) event(b *bytes.Buffer, name string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // of types that are all ours
	}
	if bytes.Equal(s.sent[name], data) {
		return
	}
	s.sent[name] = data
	b.WriteString("event: " + name + "\ndata: ")
	b.Write(data)
	b.WriteString("\n\n")
}

// flush sends events, and a comment when there were none for long.
func (s *stream) flush(events []byte) error {
	now := time.Now()
	if len(events) == 0 {
		if now.Sub(s.spoke) < heartbeat {
			return nil
		}
		events = []byte(":\n\n")
	}
	s.spoke = now
	if err := s.out.SetWriteDeadline(now.Add(patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write(events); err != nil {
		return err
	}
	return s.out.Flush()
}
