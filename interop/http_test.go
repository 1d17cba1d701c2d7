package interop_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sockeye/internal/leak"
)

// echo answers with the protocol, the path and what the request carried.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%s %s ", r.Proto, r.URL.Path)
	w.Write(body)
}

// Twenty clients ask again and again, with pauses that a connection is kept for.
func TestHTTPClientsAllGetTheirAnswers(t *testing.T) {
	leak.Check(t)
	protocols := func(set func(*http.Protocols, bool)) *http.Protocols {
		p := new(http.Protocols)
		set(p, true)
		return p
	}
	for _, tt := range []struct {
		name, scheme, proto string
		protocols           *http.Protocols
	}{
		{"HTTP 1.1", "http", "HTTP/1.1", protocols((*http.Protocols).SetHTTP1)},
		{"HTTP 1.1 over TLS", "https", "HTTP/1.1", protocols((*http.Protocols).SetHTTP1)},
		{"HTTP 2 by ALPN", "https", "HTTP/2.0", protocols((*http.Protocols).SetHTTP2)},
		{"HTTP 2 without TLS", "http", "HTTP/2.0", protocols((*http.Protocols).SetUnencryptedHTTP2)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			everyWay(t, 20, func(t *testing.T, s *star) {
				var conns atomic.Int32
				server := &http.Server{
					Handler: http.HandlerFunc(echo), Protocols: tt.protocols, TLSConfig: serverTLS(),
					ConnState: func(_ net.Conn, state http.ConnState) {
						if state == http.StateNew {
							conns.Add(1)
						}
					},
				}
				l := s.listen(t, ":8080")
				if tt.scheme == "https" {
					go server.ServeTLS(l, "", "")
				} else {
					go server.Serve(l)
				}
				defer server.Close()
				var wg sync.WaitGroup
				for i, h := range s.clients {
					transport := &http.Transport{
						DialContext: h.Sockets().DialContext, Protocols: tt.protocols, TLSClientConfig: clientTLS(),
					}
					defer transport.CloseIdleConnections()
					client := &http.Client{Transport: transport, Timeout: 5 * time.Minute}
					wg.Go(func() {
						for round := range 5 {
							body := bytes.Repeat([]byte{'a' + byte(round)}, i*1000)
							path := fmt.Sprintf("/%d/%d", i, round)
							got, err := post(client, tt.scheme+"://server:8080"+path, body)
							if want := fmt.Sprintf("%s %s %s", tt.proto, path, body); got != want || err != nil {
								t.Errorf("%s: %d bytes of %d, %v", path, len(got), len(want), err)
							}
							time.Sleep(time.Duration(round) * 10 * time.Second)
						}
					})
				}
				wg.Wait()
				if n := conns.Load(); n != 20 {
					t.Errorf("20 clients made %d connections", n)
				}
			})
		})
	}
}

// post gives the body of the answer.
func post(client *http.Client, url string, body []byte) (string, error) {
	r, err := client.Post(url, "text/plain", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	got, err := io.ReadAll(r.Body)
	return string(got), err
}
