package main

import (
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
)

// endOfStream is the receive that met the peer's end.
var endOfStream = regexp.MustCompile(`(?m)recv(msg)?\b.*= 0 ""`)

// housekeeping are calls by which the command would learn of its own socket.
var housekeeping = regexp.MustCompile(`SO_TYPE|SO_PROTOCOL|SO_DOMAIN|getpeername`)

func TestVerboseShowsCallsInTheirOrder(t *testing.T) {
	t.Parallel()
	l := run(t, "listen", "--verbose", "tcp4://127.0.0.1:0")
	at := strings.TrimPrefix(l.listening(), "tcp://")
	l.err.match(t, regexp.MustCompile(`accept\(\d+$`)) // it waits, and is seen waiting
	c := run(t, "connect", "--verbose", at)
	c.write("hello")
	l.out.await(t, "hello")
	c.closeInput()
	l.closeInput()
	c.ends(0, "")
	l.ends(0, "hello")
	for _, p := range []struct {
		*process
		asked int // how often getsockname was called: for the port that the system chose
		lines string
	}{
		{l, 1, `(?s)^socket\(AF_INET, SOCK_STREAM, IPPROTO_TCP\) = (\d+)
setsockopt\(\d+, SOL_SOCKET, SO_REUSEADDR, 1\) = 0
bind\(\d+, \{AF_INET 127\.0\.0\.1:0\}\) = 0
listen\(\d+, 65535\) = 0
getsockname\(\d+\) = 0, \{AF_INET ` + regexp.QuoteMeta(at) + `\}
.*
accept\(\d+\) = \d+, \{AF_INET 127\.0\.0\.1:\d+\}
.*
recv\(\d+, 262144, 0.*= 5 "hello"
.*shutdown\(\d+, SHUT_WR.*close\(\d+`},
		{c, 0, `(?s)^socket\(AF_INET, SOCK_STREAM, IPPROTO_TCP\) = \d+
connect\(\d+, \{AF_INET ` + regexp.QuoteMeta(at) + `\}\) = 0
.*send\(\d+, "hello", 5, 0.*shutdown\(\d+, SHUT_WR.*close\(\d+`},
	} {
		if text := p.err.text(); !regexp.MustCompile(p.lines).MatchString(text) {
			t.Errorf("%q does not show\n%s\nbut\n%s", p.cmd.Args[1:], p.lines, text)
		} else if strings.Count(text, "getsockname") != p.asked || housekeeping.MatchString(text) {
			t.Errorf("%q shows calls that nobody asked for:\n%s", p.cmd.Args[1:], text)
		}
	}
}

func TestVerboseTakesUpCallsThatOthersInterrupted(t *testing.T) {
	t.Parallel()
	l, at := tcpServer(t)
	c := run(t, "connect", "-v", at)
	conn, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c.err.match(t, regexp.MustCompile(`recv\(\d+, 262144, 0$`))
	c.write("ping")
	c.err.match(t, regexp.MustCompile(`recv\(\d+, 262144, 0 <unfinished \.\.\.>\nsend\(\d+, "ping", 4, 0\) = 4\n`))
	if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	conn.Write([]byte("pong"))
	c.err.match(t, regexp.MustCompile(`\n<\.\.\. recv resumed>\) = 4 "pong"\n`))
	c.closeInput()
	conn.Close()
	c.ends(0, "pong")
}

func TestEventsAreJSONIfAskedFor(t *testing.T) {
	t.Parallel()
	l := run(t, "listen", "--json", "--verbose", "tcp4://127.0.0.1:0").closeInput()
	at := l.err.match(t, regexp.MustCompile(`"event":"listening","address":"([^"]+)"`))
	c := run(t, "connect", "--json", at)
	c.write("hello")
	c.closeInput()
	c.ends(0, "")
	l.ends(0, "hello")
	got := map[string]int{}
	var closed event
	for line := range strings.Lines(l.err.text() + c.err.text()) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got[e.Event]++
		if e.Event == "closed" && *e.Received > 0 {
			closed = e
		}
	}
	for _, kind := range []string{"listening", "accepted", "connected", "call", "return"} {
		if got[kind] == 0 {
			t.Errorf("no event %q in %v", kind, got)
		}
	}
	if got["closed"] != 2 || closed.Received == nil || *closed.Received != 5 || *closed.Sent != 0 || got["call"] != got["return"] {
		t.Errorf("events %v, the listener's end %+v", got, closed)
	}
	bad := run(t, "connect", "--json", "x")
	bad.ends(2, "")
	var e event
	if err := json.Unmarshal([]byte(bad.err.text()), &e); err != nil || e.Event != "error" || !strings.Contains(e.Error, "no port") {
		t.Errorf("%q: %+v, %v", bad.err.text(), e, err)
	}
}
