package web

import (
	"io"
	"net"
	"net/http"
	"time"
)

// Whoever takes, or gives, less than a stride in the time for it is given up. What fits into the socket's
// buffer waits for nobody.
const (
	stride     = 256 << 10
	strideTime = time.Minute
)

// A patient listener's connections end when their peer takes what it is sent too slowly.
type patient struct{ net.Listener }

func (l patient) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &patientConn{Conn: c}, nil
}

// A patientConn gives its peer a minute for each stride that is written. (The reader's deadlines are net/http's, for
// heads and idle connections, and a giver's, for bodies.) Only one goroutine writes at a time.
type patientConn struct {
	net.Conn
	left int       // of the stride
	last time.Time // when it wrote last
}

// allow lets n more bytes be written, of at most a stride. Who has been silent begins anew: a peer that takes too
// slowly keeps the writer busy.
func (c *patientConn) allow(n int) {
	now := time.Now()
	if c.left -= n; c.left < 0 || now.Sub(c.last) > time.Second {
		c.left = stride
		c.SetWriteDeadline(now.Add(strideTime))
	}
}

func (c *patientConn) Write(p []byte) (n int, err error) {
	for {
		part := p[n:min(n+stride, len(p))]
		c.allow(len(part))
		m, err := c.Conn.Write(part)
		c.last = time.Now()
		if n += m; err != nil || n == len(p) {
			return n, err
		}
	}
}

// ReadFrom lets files go to the socket by themselves, in strides.
func (c *patientConn) ReadFrom(r io.Reader) (n int64, err error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		return io.Copy(onlyWriter{c}, r)
	}
	for limited.N > 0 {
		c.allow(stride)
		all := limited.N
		part := &io.LimitedReader{R: limited.R, N: min(all, stride)}
		m, err := io.Copy(c.Conn, part)
		c.last = time.Now()
		n += m
		limited.N = all - m
		if err != nil || m == 0 {
			return n, err
		}
	}
	return n, nil
}

// onlyWriter hides ReadFrom from io.Copy.
type onlyWriter struct{ io.Writer }

// A giver reads a request's body, a stride a minute.
type giver struct {
	io.ReadCloser
	control *http.ResponseController
	left    int
}

func (g *giver) Read(p []byte) (int, error) {
	if g.left <= 0 {
		g.left = stride
		g.control.SetReadDeadline(time.Now().Add(strideTime))
	}
	n, err := g.ReadCloser.Read(p[:min(len(p), g.left)])
	g.left -= n
	return n, err
}
