package chat

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

//go:embed page
var pageFiles embed.FS

// connKey is the key of a request's connection in its context.
type connKey struct{}

// ServeWeb serves browsers, as Serve does: a page at /, and at /ws a WebSocket (RFC 6455) whose messages are the lines
// of the protocol, without their ends, and JSON from the server from the beginning. A page
// of another site cannot open it (RFC 6455, section 10.2).
func (s *Server) ServeWeb(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return err
	}
	var attended sync.WaitGroup
	mux := http.NewServeMux()
	mux.Handle("GET /", headers(http.FileServerFS(files)))
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // Accept has answered
		}
		attended.Add(1)
		defer attended.Done()
		ws.SetReadLimit(patience)
		raw := r.Context().Value(connKey{}).(net.Conn)
		prepare(raw, s.o.Stall+2*grace)
		s.attend(ctx, &webConn{ws: ws, raw: raw}, true)
	})
	hs := &http.Server{
		Handler: mux, TLSConfig: s.o.TLS, ErrorLog: log.New(io.Discard, "", 0),
		ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	stop := context.AfterFunc(ctx, func() { hs.Close() })
	defer stop()
	if s.o.TLS != nil {
		err = hs.ServeTLS(l, "", "")
	} else {
		err = hs.Serve(l)
	}
	hs.Close()
	ended := ctx.Err() != nil
	cancel()
	attended.Wait()
	if ended {
		return nil
	}
	return err
}

// headers keep the page to what comes from here.
func headers(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}

// A webConn is a member in a browser.
type webConn struct {
	ws  *websocket.Conn
	raw net.Conn
}

func (c *webConn) readLine() ([]byte, error) {
	_, line, err := c.ws.Read(context.Background())
	switch {
	case err == nil && len(line) > MaxLine:
		return nil, tooLong{}
	case errors.Is(err, websocket.ErrMessageTooBig):
		return nil, errEndless
	case websocket.CloseStatus(err) >= 0: // a tab that is closed
		return nil, io.EOF
	}
	return line, err
}

func (c *webConn) write(frames [][]byte) error {
	for _, f := range frames {
		if err := c.ws.Write(context.Background(), websocket.MessageText, bytes.TrimSuffix(f, []byte("\n"))); err != nil {
			return err
		}
	}
	return nil
}

func (c *webConn) hurry(until time.Time) {
	if s := socketOf(c.raw); s != nil {
		makeRoom(s)
	}
	c.raw.SetWriteDeadline(until)
}

func (c *webConn) finish(why string) error {
	code := websocket.StatusPolicyViolation
	switch why {
	case "", farewellToQuit:
		code = websocket.StatusNormalClosure
	case closing:
		code = websocket.StatusGoingAway
	}
	const most = 123 // bytes of a reason (RFC 6455, section 5.5)
	for len(why) > most || !utf8.ValidString(why) {
		why = why[:min(len(why)-1, most)]
	}
	return c.ws.Close(code, why)
}

func (c *webConn) discard() {
	for {
		if _, _, err := c.ws.Read(context.Background()); err != nil {
			return
		}
	}
}

func (c *webConn) close() error   { return c.ws.CloseNow() }
func (c *webConn) peer() net.Addr { return c.raw.RemoteAddr() }
