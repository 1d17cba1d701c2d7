package stack_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"sockeye/internal/leak"
)

// curl against package net/http's server, which knows nothing of where it is.
func TestCurlFetchesFromAServerOnAGoHost(t *testing.T) {
	leak.Check(t)
	h := neighbourhood(t)
	large := bytes.Repeat(noise(1<<20), 100)
	if testing.Short() {
		large = large[:10<<20]
	}
	var connections atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /small", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s", r.RemoteAddr)
	})
	mux.HandleFunc("GET /large", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(large)))
		w.Write(large)
	})
	mux.HandleFunc("PUT /sum", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%d %x %v", n, sum.Sum(nil), err)
	})
	server := http.Server{Handler: mux, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}}
	defer server.Close()
	file := filepath.Join(t.TempDir(), "large")
	for _, v := range []struct{ at, kernel string }{{"10.9.0.2", "10.9.0.1"}, {"[fd09::2]", "[fd09::1]"}} {
		at := v.at
		l := must(h.Sockets().Listen("tcp", at+":80"))
		go server.Serve(l)

		if got := run(t, "curl -sSg http://%s/small", at); !strings.HasPrefix(got, "hello, "+v.kernel+":") {
			t.Errorf("%s: got %q", at, got)
		}

		run(t, "curl -sSg -o %s http://%s/large", file, at)
		if got := must(os.ReadFile(file)); !bytes.Equal(got, large) {
			t.Errorf("%s: received %d bytes of %d, equal to what was sent: false", at, len(got), len(large))
		}
		want := fmt.Sprintf("%d %x <nil>", len(large), sha256.Sum256(large))
		if got := run(t, "curl -sSg -T %s http://%s/sum", file, at); got != want {
			t.Errorf("%s: after an upload %q, want %q", at, got, want)
		}

		before := connections.Load()
		run(t, "curl -sSg -Z --parallel-max 1 -o /dev/null -o /dev/null -o /dev/null http://%s/small http://%[1]s/large http://%[1]s/small", at)
		if n := connections.Load() - before; n != 1 {
			t.Errorf("%s: three requests of one curl came on %d connections", at, n)
		}
		run(t, "curl -sSg -o /dev/null -o /dev/null -H Connection:close http://%s/small http://%[1]s/small", at)
		if n := connections.Load() - before; n != 3 {
			t.Errorf("%s: two requests that close came on %d connections", at, n-1)
		}
	}
	if _, err := attempt(t, "curl -sSg http://10.9.0.2:81/"); !exited(err, 7) { // CURLE_COULDNT_CONNECT
		t.Errorf("of a port where nobody listens: %v", err)
	}
}

// exited tells whether a program ended with a status.
func exited(err error, status int) bool {
	var e interface{ ExitCode() int }
	return errors.As(err, &e) && e.ExitCode() == status
}
