package interop_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
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

// Requests time out while the network is cut, and the next one after that is answered.
func TestHTTPRequestsTimeOutWhileTheNetworkIsCut(t *testing.T) {
	leak.Check(t)
	everyWay(t, 1, func(t *testing.T, s *star) {
		server := &http.Server{Handler: http.HandlerFunc(echo)}
		go server.Serve(s.listen(t, ":80"))
		defer server.Close()
		transport := &http.Transport{DialContext: s.clients[0].Sockets().DialContext}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
		faults := s.cables[0].Faults(0)
		for _, cut := range []bool{false, true, false, true, false} {
			s.cut(t, 0, cut, faults)
			start := time.Now()
			got, err := post(client, "http://server/", []byte("hello"))
			var timeout net.Error
			switch {
			case !cut && got != "HTTP/1.1 / hello":
				t.Errorf("the answer is %q, %v", got, err)
			case cut && (!errors.As(err, &timeout) || !timeout.Timeout() || time.Since(start) != 20*time.Second):
				t.Errorf("after %v: %q, %v", time.Since(start), got, err)
			}
		}
	})
}

// Shutdown lets the request that is under way end, and takes no other.
func TestHTTPShutdownWaitsForRequestsUnderWay(t *testing.T) {
	leak.Check(t)
	everyWay(t, 2, func(t *testing.T, s *star) {
		begun := make(chan struct{})
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			time.Sleep(time.Minute)
			echo(w, r)
		})}
		l := s.listen(t, ":80")
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := server.Serve(l); err != http.ErrServerClosed {
				t.Error(err)
			}
		})
		wg.Go(func() {
			transport := &http.Transport{DialContext: s.clients[0].Sockets().DialContext}
			defer transport.CloseIdleConnections()
			got, err := post(&http.Client{Transport: transport}, "http://server/", []byte("hello"))
			if got != "HTTP/1.1 / hello" || err != nil {
				t.Errorf("the answer is %q, %v", got, err)
			}
		})
		<-begun
		start := time.Now()
		wg.Go(func() {
			time.Sleep(time.Second)
			_, err := s.clients[1].Sockets().Dial("tcp", "server:80")
			if !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("a server that is shut down answers %v", err)
			}
		})
		if err := server.Shutdown(t.Context()); err != nil || time.Since(start) < time.Minute {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		wg.Wait()
	})
}
