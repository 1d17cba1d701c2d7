package labhttp_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"sockeye/cmd/sockeye/labhttp"
	"sockeye/internal/leak"
	"sockeye/lab"
)

// events reads a stream of events.
type events struct {
	t     *testing.T
	lines *bufio.Reader
	name  string
}

func newEvents(t *testing.T, r io.Reader) *events { return &events{t: t, lines: bufio.NewReader(r)} }

// open opens a stream that ends with the test.
func (s *site) open(query string) *events {
	s.t.Helper()
	resp, err := s.server.Client().Get(s.server.URL + "/api/events" + query)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		s.t.Fatalf("%s, %s", resp.Status, kind)
	}
	return newEvents(s.t, resp.Body)
}

// next waits for the next event of a name, and gives its data.
func (e *events) next(name string) string {
	e.t.Helper()
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			e.t.Fatalf("the stream ended while waiting for %s: %v", name, err)
		}
		field, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case field == "event":
			e.name = value
		case field == "data" && e.name == name:
			return value
		}
	}
}

// end waits for the stream's end.
func (e *events) end() {
	e.t.Helper()
	if _, err := io.Copy(io.Discard, e.lines); err == nil {
		return
	}
}

// until waits for an event of a name with which what holds.
func until[T any](e *events, name string, what func(T) bool) (got T) {
	e.t.Helper()
	for {
		var next T
		if err := json.Unmarshal([]byte(e.next(name)), &next); err != nil {
			e.t.Fatal(err)
		}
		if what(next) {
			return next
		}
	}
}

func TestTheStreamTellsOfFaultsAndCrashes(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	e := s.open("")
	until(e, "state", func(got labhttp.State) bool { return got.Name == "test" && got.Links[3].Ways[1].Faults == "delay=2ms" })
	s.get(new(labhttp.State), "/api/links/wan", `{"from": "web", "set": ["loss=5%"]}`)
	got := until(e, "state", func(got labhttp.State) bool { return got.Links[3].Ways[1].Faults == "delay=2ms loss=5%" })
	if got.Links[3].Ways[1].Count != nil || got.Time != 0 {
		t.Errorf("a state in a stream has what always changes: %+v", got)
	}
	s.wan.Cut() // by whom ever
	until(e, "state", func(got labhttp.State) bool { return got.Links[3].Ways[0].Down })
	s.bob.Crash()
	until(e, "state", func(got labhttp.State) bool { return !got.Nodes[1].Up })
}

func TestTheStreamTellsOfTrafficUntilItStops(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	c := s.connect()
	e := s.open("")
	e.next("state")
	fmt.Fprint(c, strings.Repeat("x", 100_000))
	var arrived, bits float64
	moving := func(f labhttp.Flow) bool { return f.Link == "wan" && f.From == "r" }
	for arrived < 69 { // segments of 1448 bytes
		until(e, "traffic", func(got labhttp.Traffic) bool {
			for _, f := range got.Flows {
				if moving(f) {
					arrived += float64(f.Arrived)
					bits += f.BitRate * got.Over
				}
			}
			return true
		})
	}
	if bits < 8*100_000 {
		t.Errorf("%v bits arrived", bits)
	}
	if _, err := io.ReadFull(c, make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	until(e, "traffic", func(got labhttp.Traffic) bool {
		for _, f := range got.Flows {
			if moving(f) && f.BitRate == 0 {
				return true
			}
		}
		return false
	})
}

func TestTheStreamTellsOfSocketsAndOfALadder(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	c := s.connect()
	var list []labhttp.Conversation
	s.get(&list, "/api/ladders")
	e := s.open("?host=alice&ladder=" + list[0].ID)
	until(e, "sockets", func(got labhttp.Sockets) bool { return got.Host == "alice" && got.Sockets[0].State == "ESTABLISHED" })
	until(e, "ladder", func(got labhttp.Ladder) bool { return got.ID == list[0].ID && got.Packets >= 4 })
	c.Close()
	f := s.open("?host=alice&ladder=" + list[0].ID)
	until(f, "sockets", func(got labhttp.Sockets) bool {
		return len(got.Sockets) == 1 && got.Sockets[0].State == "TIME-WAIT" || len(got.Sockets) == 0
	})
	until(e, "ladder", func(got labhttp.Ladder) bool {
		return got.Rungs[len(got.Rungs)-1].States[0] == "TIME-WAIT" || got.Rungs[len(got.Rungs)-2].States[0] == "TIME-WAIT"
	})
	s.connect()
	until(e, "ladders", func(got []labhttp.Conversation) bool { return len(got) == 2 && got[1].ID == list[0].ID })
}

func TestAStreamGoesOnWithAnotherLab(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	e := s.open("?host=solo")
	e.next("state")
	n := lab.New(t)
	n.Host("solo")
	s.view.Show(labhttp.Lab{Name: "other", Network: n})
	s.network.Close()
	until(e, "state", func(got labhttp.State) bool { return got.Name == "other" && len(got.Nodes) == 1 })
	until(e, "sockets", func(got labhttp.Sockets) bool { return got.Host == "solo" })
}

func TestStreamsAreLimited(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	var last *events
	for range 32 {
		last = s.open("")
		last.next("state")
	}
	if status, answer := s.ask("/api/events"); status != 503 || !strings.Contains(answer, "32 streams are open already: close a page that shows the lab") {
		t.Errorf("%d %s", status, answer)
	}
}
