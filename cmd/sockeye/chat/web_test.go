package chat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sockeye/cmd/sockeye/chat"
)

// serveWeb serves browsers beside a world's server, and gives what opens connections there.
func serveWeb(w *world, o chat.Options) (dial func(ctx context.Context, network, address string) (net.Conn, error), host string, stop func()) {
	w.t.Helper()
	at, host := "127.0.0.1:0", ""
	if w.net != nil {
		at, host = ":8080", "server:8080"
	}
	l, err := w.server.Listen("tcp", at)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.net == nil {
		host = l.Addr().String()
	}
	lines, err := w.server.Listen("tcp", strings.Replace(at, "8080", "7001", 1))
	if err != nil {
		w.t.Fatal(err)
	}
	w.at = lines.Addr().String()
	if w.net != nil {
		w.at = "server:7001"
	}
	s := chat.NewServer(o)
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.ServeWeb(ctx, l); err != nil {
			w.t.Errorf("ServeWeb gives %v", err)
		}
	})
	serving.Go(func() {
		if err := s.Serve(ctx, lines); err != nil {
			w.t.Errorf("Serve gives %v", err)
		}
	})
	return w.members[0].DialContext, host, func() {
		cancel()
		serving.Wait()
	}
}

// A surfer is a member as a page's script has it.
type surfer struct {
	t  testing.TB
	ws *websocket.Conn
}

func surf(w *world, dial func(ctx context.Context, network, address string) (net.Conn, error), host string, header http.Header) (*surfer, *http.Response, error) {
	transport := &http.Transport{DialContext: dial}
	w.t.Cleanup(transport.CloseIdleConnections)
	ws, resp, err := websocket.Dial(w.t.Context(), "ws://"+host+"/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header,
	})
	if err != nil {
		return nil, resp, err
	}
	return &surfer{w.t, ws}, resp, nil
}

func (s *surfer) say(lines ...string) {
	s.t.Helper()
	for _, l := range lines {
		if err := s.ws.Write(context.Background(), websocket.MessageText, []byte(l)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// hears reads up to an event of a kind.
func (s *surfer) hears(kind chat.Kind) (e chat.Event) {
	s.t.Helper()
	for {
		_, b, err := s.ws.Read(context.Background())
		if err != nil {
			s.t.Fatalf("waiting for %s: %v", kind, err)
		}
		e = chat.Event{}
		if err := json.Unmarshal(b, &e); err != nil || bytes.ContainsRune(b, '\n') {
			s.t.Fatalf("%q is no event: %v", b, err)
		}
		if e.Kind == kind {
			return e
		}
	}
}

func TestPagesTalkWithOthersOverWebSocket(t *testing.T) {
	everyEngine(t, chat.Options{}, func(w *world) {
		dial, host, stop := serveWeb(w, chat.Options{Title: "test"})
		defer stop()
		ann := w.join("ann", "lobby")
		ann.say("hello")
		ann.await("[lobby] ann: hello")
		s, _, err := surf(w, dial, host, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.ws.CloseNow()
		s.hears(chat.Welcome)
		s.say("/name web")
		if e := s.hears(chat.Entered); e.Count != 2 || !slices.Equal(e.Members, []string{"ann", "web"}) || e.Room != "lobby" {
			t.Errorf("entered is %+v", e)
		}
		if e := s.hears(chat.Message); e.Text != "hello" || !e.History || e.ID == "" || time.Since(e.Time) > time.Minute {
			t.Errorf("the history is %+v", e)
		}
		s.say(strings.Repeat("x", chat.MaxLine+1), "two\nlines")
		if e := s.hears(chat.Refused); !strings.Contains(e.Text, "longer than 2048 bytes") {
			t.Errorf("refused is %+v", e)
		}
		ann.await("[lobby] web: two\ufffdlines")
		s.ws.Close(websocket.StatusNormalClosure, "")
		if got := ann.await("[lobby] * web left"); got != "[lobby] * web left" {
			t.Errorf("ann is told %q", got)
		}
	})
}

func TestAPageOfAnotherSiteCannotOpenAWebSocket(t *testing.T) {
	everyEngine(t, chat.Options{}, func(w *world) {
		dial, host, stop := serveWeb(w, chat.Options{})
		defer stop()
		_, resp, err := surf(w, dial, host, http.Header{"Origin": {"http://elsewhere.example"}})
		if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("got %v, %v", resp, err)
		}
	})
}

func TestAPageThatStopsReadingIsDroppedAndToldWhy(t *testing.T) {
	everyEngine(t, chat.Options{}, func(w *world) {
		dial, host, stop := serveWeb(w, chat.Options{Rate: -1, Queue: 64 << 10})
		defer stop()
		s, _, err := surf(w, dial, host, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.ws.CloseNow()
		s.say("/name slow")
		s.hears(chat.Entered)
		ann := w.join("ann", "lobby")
		text := strings.Repeat("x", 2000)
		for line := ""; line != "[lobby] * slow left: dropped: too slow: 64 KiB are waiting for you"; line = ann.line() {
			ann.say(text) // one for each line that is heard
		}
		if e := s.hears(chat.Bye); e.Text != "you are dropped: too slow: 64 KiB are waiting for you" {
			t.Errorf("the last event is %+v", e)
		}
		_, _, err = s.ws.Read(context.Background())
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != websocket.StatusPolicyViolation || closed.Reason != "you are dropped: too slow: 64 KiB are waiting for you" {
			t.Errorf("the WebSocket ends with %v", err)
		}
	})
}

func TestThePageLoadsOnlyWhatTheServerHas(t *testing.T) {
	everyEngine(t, chat.Options{}, func(w *world) {
		dial, host, stop := serveWeb(w, chat.Options{})
		defer stop()
		transport := &http.Transport{DialContext: dial}
		defer transport.CloseIdleConnections()
		client := http.Client{Transport: transport}
		for path, want := range map[string]string{"/": "text/html; charset=utf-8", "/chat.js": "text/javascript; charset=utf-8", "/chat.css": "text/css; charset=utf-8"} {
			resp, err := client.Get("http://" + host + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != 200 || len(body) == 0 || resp.Header.Get("Content-Type") != want ||
				resp.Header.Get("Content-Security-Policy") != "default-src 'self'" {
				t.Errorf("%s: %s, %v, %v", path, resp.Status, resp.Header, err)
			}
		}
		resp, err := client.Get("http://" + host + "/elsewhere")
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusNotFound {
			t.Errorf("/elsewhere: %s", resp.Status)
		}
	})
}

func TestHTTPThatIsHalfARequestOrNoneIsGivenUp(t *testing.T) {
	inLab(t, 1, far, chat.Options{}, func(w *world) {
		_, host, stop := serveWeb(w, chat.Options{})
		defer stop()
		for _, text := range []string{"GET /ws HT", "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 40<<10), "\x16\x03\x01 hello"} {
			begin := time.Now()
			conn, err := w.members[0].Dial("tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, text)
			io.Copy(io.Discard, conn)
			conn.Close()
			if took := time.Since(begin); took > 11*time.Second {
				t.Errorf("%.20q is given up after %v", text, took)
			}
		}
	})
}
