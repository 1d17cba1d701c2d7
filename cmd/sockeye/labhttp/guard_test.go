package labhttp_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sockeye/cmd/sockeye/labhttp"
	"sockeye/internal/leak"
)

const token = "CORRECTHORSEBATTERYSTAPLE"

// protected is a site that takes the token. It is at port.
func protected(t *testing.T) (s *site, port string) {
	s = newSite(t)
	s.server.Close()
	s.server = httptest.NewServer(labhttp.Protect(s.view, token))
	t.Cleanup(s.server.Close)
	return s, s.server.Listener.Addr().String()[len("127.0.0.1:"):]
}

func TestOnlyWhoMayIsLetIn(t *testing.T) {
	leak.Check(t)
	s, port := protected(t)
	cookie := "sockeye-" + port + "=" + token
	for _, tt := range []struct {
		name   string
		path   string
		header string // Name: value, and so on by lines; PORT is the server's
		post   bool
		status int
		want   string
	}{
		{"no token", "/api/state", "", false, 401, "the token is missing: open the page with the address that the terminal shows, or send Authorization: Bearer TOKEN"},
		{"no token for what there is not", "/api/x", "", false, 401, "the token is missing"},
		{"a wrong token", "/api/state", "Authorization: Bearer WRONG", false, 401, "the token is missing"},
		{"a token's beginning", "/api/state", "Authorization: Bearer " + token[:24], false, 401, "the token is missing"},
		{"another scheme", "/api/state", "Authorization: Basic " + token, false, 401, "the token is missing"},
		{"an empty token", "/api/state", "Authorization: Bearer ", false, 401, "the token is missing"},
		{"the token", "/api/state", "Authorization: Bearer " + token, false, 200, `"name":"test"`},
		{"the token in a query of the API", "/api/state?token=" + token, "", false, 401, "the token is wrong"},
		{"a wrong cookie", "/api/state", "Cookie: sockeye-PORT=WRONG", false, 401, "the token is missing"},
		{"the cookie of another port", "/api/state", "Cookie: sockeye-1=" + token, false, 401, "the token is missing"},
		{"the cookie", "/api/state", "Cookie: " + cookie, false, 200, `"name":"test"`},
		{"the cookie behind a wrong one", "/api/state", "Cookie: sockeye-PORT=WRONG; " + cookie, false, 200, `"name":"test"`},
		{"the page without a token", "/", "", false, 401, "This lab is private, and the token is missing."},
		{"the page with a wrong token", "/?token=WRONG", "", false, 401, "This lab is private, and the token is wrong."},
		{"the page with the cookie", "/", "Cookie: " + cookie, false, 200, "<title>Sockeye</title>"},
		{"a file of the page", "/style.css", "", false, 200, "{"},
		{"a POST with the token", "/api/join", "Authorization: Bearer " + token, true, 200, `"name":"test"`},
		{"a POST without it", "/api/join", "", true, 401, "the token is missing"},

		{"Host localhost", "/api/state", "Host: localhost:PORT\nCookie: " + cookie, false, 200, `"name":"test"`},
		{"Host LOCALHOST", "/api/state", "Host: LOCALHOST:PORT\nCookie: " + cookie, false, 200, `"name":"test"`},
		{"Host ::1", "/api/state", "Host: [::1]:PORT\nCookie: " + cookie, false, 200, `"name":"test"`},
		{"a foreign Host", "/api/state", "Host: evil.example:PORT\nCookie: " + cookie, false, 403, `the Host is \"evil.example:PORT\": the page is at http://localhost:PORT`},
		{"a foreign Host for a file", "/style.css", "Host: evil.example:PORT", false, 403, `the Host is \"evil.example:PORT\"`},
		{"a name below localhost's", "/api/state", "Host: localhost.evil.example:PORT\nCookie: " + cookie, false, 403, "the Host is"},
		{"Host of another port", "/api/state", "Host: localhost:1\nCookie: " + cookie, false, 403, `the Host is \"localhost:1\"`},
		{"Host without a port", "/api/state", "Host: localhost\nCookie: " + cookie, false, 403, `the Host is \"localhost\"`},
		{"an address that is not the loopback's", "/api/state", "Host: 192.0.2.1:PORT\nCookie: " + cookie, false, 403, `the Host is \"192.0.2.1:PORT\"`},

		{"its own Origin", "/api/join", "Host: 127.0.0.1:PORT\nOrigin: http://127.0.0.1:PORT\nCookie: " + cookie, true, 200, `"name":"test"`},
		{"a foreign Origin", "/api/join", "Origin: http://evil.example\nCookie: " + cookie, true, 403, `the Origin is \"http://evil.example\": only pages of http://`},
		{"a foreign Origin that reads", "/api/state", "Origin: http://evil.example\nCookie: " + cookie, false, 403, "the Origin is"},
		{"Origin null", "/api/join", "Origin: null\nCookie: " + cookie, true, 403, `the Origin is \"null\"`},
		{"Origin of another port", "/api/join", "Host: localhost:PORT\nOrigin: http://localhost:1\nCookie: " + cookie, true, 403, "the Origin is"},
		{"Origin of another scheme", "/api/join", "Host: localhost:PORT\nOrigin: https://localhost:PORT\nCookie: " + cookie, true, 403, "the Origin is"},
		{"Origin with the loopback's other name", "/api/join", "Host: localhost:PORT\nOrigin: http://127.0.0.1:PORT\nCookie: " + cookie, true, 403, "the Origin is"},

		{"another site's script", "/api/state", "Sec-Fetch-Site: cross-site\nCookie: " + cookie, false, 403, "the request comes from another site"},
		{"another port's script", "/api/state", "Sec-Fetch-Site: same-site\nCookie: " + cookie, false, 403, "the request comes from another site"},
		{"another site's frame of the API", "/api/state", "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nCookie: " + cookie, false, 403, "the request comes from another site"},
		{"a link to the page", "/", "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nCookie: " + cookie, false, 200, "<title>Sockeye</title>"},
		{"an address that was typed", "/api/state", "Sec-Fetch-Site: none\nCookie: " + cookie, false, 200, `"name":"test"`},
		{"its own script", "/api/state", "Sec-Fetch-Site: same-origin\nCookie: " + cookie, false, 200, `"name":"test"`},
	} {
		s.header = http.Header{}
		for line := range strings.Lines(strings.ReplaceAll(tt.header, "PORT", port)) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			s.header.Set(name, value)
		}
		body := map[bool][]string{true: {""}}[tt.post]
		status, answer := s.ask(tt.path, body...)
		if status != tt.status || !strings.Contains(answer, strings.ReplaceAll(tt.want, "PORT", port)) {
			t.Errorf("%s: %d %s\nnot %d %s", tt.name, status, answer, tt.status, tt.want)
		}
	}
}

func TestTheTokenBecomesACookie(t *testing.T) {
	leak.Check(t)
	s, port := protected(t)
	resp, err := s.server.Client().Transport.RoundTrip(httptest.NewRequest("GET", s.server.URL+"/?token="+token, nil))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	want := "sockeye-" + port + "=" + token + "; Path=/; HttpOnly; SameSite=Strict"
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" || resp.Header.Get("Set-Cookie") != want {
		t.Errorf("%d, Location %q, Set-Cookie %q, not %q", resp.StatusCode, resp.Header.Get("Location"), resp.Header.Get("Set-Cookie"), want)
	}
}

func TestThePageLoadsNothingOfOthers(t *testing.T) {
	leak.Check(t)
	s, _ := protected(t)
	for _, path := range []string{"/", "/style.css"} {
		resp, err := s.server.Client().Get(s.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		h := resp.Header
		if csp := h.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") ||
			!strings.Contains(csp, "frame-ancestors 'none'") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestTokensAreLongAndDiffer(t *testing.T) {
	leak.Check(t)
	if a, b := labhttp.NewToken(), labhttp.NewToken(); len(a) < 26 || a == b {
		t.Error(a, b)
	}
}

func TestALabIsServedAtTheLoopbackAlone(t *testing.T) {
	leak.Check(t)
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	err = labhttp.Serve(t.Context(), l, labhttp.NewView())
	if err == nil || !strings.Contains(err.Error(), "is shown on the loopback alone, and [::]:") && !strings.Contains(err.Error(), "is shown on the loopback alone, and 0.0.0.0:") {
		t.Error(err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is open still")
	}
}

func TestServeEndsStreamsWithItsContext(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "lab")} {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- labhttp.Serve(ctx, l, s.view) }()
		c, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("GET /api/events HTTP/1.1\r\nHost: lab\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		r := newEvents(t, c)
		r.next("state")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.end()
		c.Close()
		if _, err := os.Stat(address); network == "unix" && err == nil {
			t.Error("the socket is left behind")
		}
	}
}

// net/http waits half a second for such a client to read the answer, in a goroutine that nobody can wait for: so
// this test does not look for leaks.
func TestAHeaderThatDoesNotEndIsCutOff(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- labhttp.Serve(ctx, l, labhttp.NewView()) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute)) // in place of waiting for ever
	go c.Write([]byte("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 1<<20)))
	b := make([]byte, 64)
	n, _ := c.Read(b)
	if !strings.HasPrefix(string(b[:n]), "HTTP/1.1 431 ") {
		t.Errorf("%q", b[:n])
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
