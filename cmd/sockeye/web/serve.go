package web

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// A Server is how a handler is served.
type Server struct {
	Handler  http.Handler
	TLS      *tls.Config // nil: none. HTTP/2 is spoken with it, and without by who knows beforehand
	MaxConns int         // 0: 10,000
	// Log, unless nil, is told of each request that has ended, by any goroutine.
	Log func(Request)
	// Errors are told of connections that went wrong before there was a request: a line each; nil: not told.
	Errors io.Writer
}

// A Request is a line of the access log.
type Request struct {
	Time    time.Time     `json:"time"`
	Peer    string        `json:"peer"`
	Method  string        `json:"method"`
	Path    string        `json:"path"` // with the query
	Proto   string        `json:"proto"`
	Status  int           `json:"status"`
	Bytes   int64         `json:"bytes"` // of the answer's body
	Took    time.Duration `json:"-"`
	Seconds float64       `json:"seconds"` // Took
	Agent   string        `json:"agent,omitempty"`
	From    string        `json:"from,omitempty"` // Referer
}

// How long clients may take.
const (
	headTime = 10 * time.Second
	idleTime = 2 * time.Minute
	stopTime = 10 * time.Second
)

// Serve answers requests until ctx ends. Then it takes no more, and gives those that are under way ten
// seconds.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	max := s.MaxConns
	if max == 0 {
		max = 10_000
	}
	errs := s.Errors
	if errs == nil {
		errs = io.Discard
	}
	srv := &http.Server{
		Handler:           http.NewCrossOriginProtection().Handler(s.logged()),
		ReadHeaderTimeout: headTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    64 << 10,
		TLSConfig:         s.TLS,
		ErrorLog:          log.New(errs, "", 0),
		Protocols:         new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	l = netutil.LimitListener(patient{l}, max)
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		err := srv.Shutdown(limit)
		if err != nil {
			srv.Close()
		}
		stopped <- err
	})
	var err error
	if s.TLS != nil {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	if !stop() {
		err = <-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// logged is the handler that tells Log of its requests.
func (s *Server) logged() http.Handler {
	if s.Log == nil {
		return s.Handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		c := &counter{ResponseWriter: w}
		defer func() {
			took := time.Since(start)
			s.Log(Request{
				Time: start, Peer: r.RemoteAddr, Method: r.Method, Path: r.RequestURI, Proto: r.Proto,
				Status: c.status, Bytes: c.bytes, Took: took, Seconds: took.Seconds(),
				Agent: r.UserAgent(), From: r.Referer(),
			})
		}()
		s.Handler.ServeHTTP(c, r)
		if c.status == 0 {
			c.status = http.StatusOK
		}
	})
}

// A counter notes what an answer is.
type counter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap is for http.ResponseController.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *counter) WriteHeader(status int) {
	if status >= 200 && c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(p []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// ReadFrom lets files go to the socket by themselves.
func (c *counter) ReadFrom(r io.Reader) (int64, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := io.Copy(c.ResponseWriter, r)
	c.bytes += n
	return n, err
}
