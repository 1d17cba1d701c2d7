package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var served = regexp.MustCompile(`(?m)serving \S+ at (\S+)$`)

func TestWebServesAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		args   []string
		scheme string
		proto  string
	}{
		{"http", []string{"127.0.0.1:0"}, "http", "HTTP/1.1"},
		{"https", []string{"127.0.0.1:0", "--tls"}, "https", "HTTP/2.0"},
		{"a unix socket", []string{"unix:" + filepath.Join(t.TempDir(), "web")}, "http", "HTTP/1.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := run(t, append([]string{"web", dir}, tt.args...)...)
			url := w.err.match(t, served)
			transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			if path, ok := strings.CutPrefix(tt.args[0], "unix:"); ok {
				transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }
			}
			defer transport.CloseIdleConnections()
			if !strings.HasPrefix(url, tt.scheme+"://localhost") {
				t.Errorf("the site is at %s", url)
			}
			resp, err := (&http.Client{Transport: transport}).Get(url + "a.txt")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(body) != "hello" || resp.Proto != tt.proto {
				t.Errorf("%q came by %s", body, resp.Proto)
			}
			w.out.await(t, `"GET /a.txt `+tt.proto+`" 200 5 "-" "Go-http-client/`)
			transport.CloseIdleConnections()
			w.signal(os.Interrupt)
			if got := w.status(); got != 0 {
				t.Errorf("it ended with status %d", got)
			}
		})
	}
}

func TestWebTakesUploadsOfCurl(t *testing.T) {
	t.Parallel()
	dir, from := t.TempDir(), filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(from, []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	w := run(t, "web", dir, "127.0.0.1:0", "--upload", "--json", "--max-size", "1k")
	var e event
	if err := json.Unmarshal([]byte(w.err.match(t, regexp.MustCompile(`(?m)^(.*"serving".*)$`))), &e); err != nil {
		t.Fatal(err)
	}
	tool(t, "curl", "-sS", "-T", from, e.Address).ends(0, "")
	if got, err := os.ReadFile(filepath.Join(dir, "new")); string(got) != "hello" {
		t.Errorf("%q came, %v", got, err)
	}
	tool(t, "curl", "-sS", "-T", from, e.Address).ends(0, "/new: it is there already; to replace it send If-Match with its ETag, or with *\n")
	w.out.await(t, `"method":"PUT","path":"/new","proto":"HTTP/1.1","status":201,`)
	w.out.await(t, `"status":409,`)
}

func TestWebRefusesBadInput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   string
		status int
		line   string
	}{
		{"web", 2, "sockeye web wants DIR; try sockeye web ."},
		{"web . 1 2", 2, `sockeye web wants DIR [ADDR] and nothing more, but there is "2"`},
		{"web . udp://:1", 2, "web is for streams, and udp://:1 is none; try tcp:// or unix:"},
		{"web . --max-size 1M", 2, "--max-size is for uploads; add --upload"},
		{"web . --upload --max-size 1X", 2, `--max-size wants bytes, as 500k, 100M or 2G, and "1X" is not`},
		{"web . --connections 0", 2, "--connections is how many there may be at once, and is at least 1"},
		{"web . --cert x", 2, "--cert wants --key with the certificate's key"},
		{"web /no/such/folder", 1, "serve /no/such/folder: open /no/such/folder: no such file or directory"},
	} {
		run(t, strings.Fields(c.args)...).fails(c.status, c.line)
	}
}
