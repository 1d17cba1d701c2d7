//go:build linux

package sockeye_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/rpc"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"sockeye"
	"sockeye/kernel"
)

// testServer is an httptest.Server on a listener of ours, with a client that
// dials by a Dialer of ours.
func testServer(t *testing.T, handler http.Handler, secure bool) (*httptest.Server, *http.Client) {
	t.Helper()
	srv := httptest.NewUnstartedServer(handler)
	srv.Listener.Close()
	srv.Listener = must(kernel.Host().Listen("tcp", "127.0.0.1:0"))(t)
	if secure {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	client := srv.Client()
	client.Transport.(*http.Transport).DialContext = (&sockeye.Dialer{Host: kernel.Host()}).DialContext
	return srv, client
}

func get(t *testing.T, client *http.Client, url string) []byte {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return body
}

func TestHTTPWorksBothWays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	check(t, os.WriteFile(file, data, 0o600))
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // HTTP/1 is half duplex here
		if err != nil {
			t.Error(err)
		}
		w.Write(body)
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	mux.HandleFunc("/proto", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	for _, tt := range []struct {
		name, proto string
		secure      bool
	}{{"plain", "HTTP/1.1", false}, {"TLS and HTTP/2", "HTTP/2.0", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv, client := testServer(t, mux, tt.secure)
			if got := get(t, client, srv.URL+"/proto"); string(got) != tt.proto {
				t.Errorf("spoke %s", got)
			}
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					body := bytes.Repeat([]byte{byte(i)}, i<<12)
					resp, err := client.Post(srv.URL+"/echo", "", bytes.NewReader(body))
					if err != nil {
						t.Error(err)
						return
					}
					defer resp.Body.Close()
					if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, body) {
						t.Errorf("%d of %d bytes came back, %v", len(got), len(body), err)
					}
				})
				wg.Go(func() {
					if got := get(t, client, srv.URL+"/file"); !bytes.Equal(got, data) {
						t.Errorf("%d of %d bytes of the file came", len(got), len(data))
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestReverseProxyAndWebSocketLikeUpgrade(t *testing.T) {
	backend, _ := testServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		io.Copy(conn, rw)
	}), false)
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse(backend.URL))(t))
	proxy.Transport = &http.Transport{DialContext: kernel.Host().DialContext}
	front, client := testServer(t, proxy, false)

	req := must(http.NewRequest("GET", front.URL, nil))(t)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp := must(client.Do(req))(t)
	rw := resp.Body.(io.ReadWriteCloser)
	defer rw.Close()
	must(rw.Write([]byte("through the proxy")))(t)
	buf := make([]byte, 17)
	must(io.ReadFull(rw, buf))(t)
	if string(buf) != "through the proxy" {
		t.Errorf("got %q", buf)
	}
}

func TestHTTPServersShutDown(t *testing.T) {
	l := must(kernel.Host().Listen("tcp", "127.0.0.1:0"))(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, "in time")
	})}
	served := make(chan error)
	go func() { served <- srv.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{DialContext: kernel.Host().DialContext}}
	answer := make(chan []byte)
	go func() { answer <- get(t, client, "http://"+l.Addr().String()) }()
	<-entered
	down := make(chan error)
	go func() { down <- srv.Shutdown(context.Background()) }()
	if err := <-served; err != http.ErrServerClosed {
		t.Errorf("Serve: %v", err)
	}
	close(leave)
	if got := <-answer; string(got) != "in time" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := kernel.Host().Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the address still answers")
	}
}

func TestHTTPConnectionsAreUsedAgain(t *testing.T) {
	srv, client := testServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}), false)
	for i := range 5 {
		var reused bool
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
		})
		resp := must(client.Do(must(http.NewRequestWithContext(ctx, "GET", srv.URL, nil))(t)))(t)
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if reused != (i > 0) {
			t.Errorf("request %d: the connection was used before: %v", i, reused)
		}
	}
}

func TestHTTPClientsAreCanceled(t *testing.T) {
	entered, left := make(chan struct{}), make(chan struct{})
	srv, client := testServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done() // the server sees that the client has left
		close(left)
	}), false)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-entered
		cancel()
	}()
	req := must(http.NewRequestWithContext(ctx, "GET", srv.URL, nil))(t)
	if _, err := client.Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-left
}

func TestTLSRunsOverEveryStream(t *testing.T) {
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	defer cert.Close()
	roots := cert.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for _, network := range []string{"tcp", "tcp6", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			c, s := connPair(t, network)
			server := tls.Server(s, &tls.Config{Certificates: cert.TLS.Certificates})
			client := tls.Client(c, &tls.Config{RootCAs: roots, ServerName: "example.com"})
			go func() {
				io.Copy(server, server)
				server.CloseWrite()
			}()
			msg := bytes.Repeat([]byte("secret"), 50_000)
			go func() {
				client.Write(msg)
				client.CloseWrite()
			}()
			got, err := io.ReadAll(client)
			if err != nil || !bytes.Equal(got, msg) {
				t.Errorf("%d of %d bytes, %v", len(got), len(msg), err)
			}
		})
	}
}

// Arith is what TestRPCWorks calls.
type Arith struct{}

func (Arith) Multiply(args [2]int, reply *int) error {
	*reply = args[0] * args[1]
	return nil
}

func TestRPCWorks(t *testing.T) {
	l := must(kernel.Host().Listen("unix", filepath.Join(t.TempDir(), "rpc")))(t)
	defer l.Close()
	srv := rpc.NewServer()
	check(t, srv.Register(Arith{}))
	go func() {
		if conn, err := l.Accept(); err == nil {
			srv.ServeConn(conn)
		}
	}()
	client := rpc.NewClient(must(kernel.Host().Dial("unix", l.Addr().String()))(t))
	defer client.Close()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			var product int
			if err := client.Call("Arith.Multiply", [2]int{i, i}, &product); err != nil || product != i*i {
				t.Errorf("%d * %d = %d, %v", i, i, product, err)
			}
		})
	}
	wg.Wait()
}
