package chat

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"sockeye"
)

// MaxLine is how many bytes a line from a member may have, its end not counted.
const MaxLine = 2048

// patience is how much of a line that is too long is skipped before the connection ends.
const patience = 64 << 10

// A conn carries lines to and from a member.
type conn interface {
	// readLine gives the next line, without its end, until the call after. At an error that
	// is a tooLong there may be more lines.
	readLine() ([]byte, error)
	// write writes frames. Only one goroutine calls it at a time.
	write(frames [][]byte) error
	// hurry gives a write that is under way, and those to come, until then, and a little more room
	// where the peer does not read. It is called at any time, once.
	hurry(until time.Time)
	// finish tells the peer that nothing follows, and why.
	finish(why string) error
	// discard reads what still comes to the end: a connection that is closed with something unread is
	// reset, and what was written last is lost (RFC 1122, section 4.2.2.13).
	discard()
	close() error
	peer() net.Addr
}

// tooLong is the error of a line that was skipped.
type tooLong struct{}

func (tooLong) Error() string {
	return fmt.Sprintf("that line was longer than %d bytes and was not said; send it in parts", MaxLine)
}

var errEndless = fmt.Errorf("a line had no end in %d KiB", patience>>10)

// A lineConn is a stream of lines.
type lineConn struct {
	net.Conn
	r *bufio.Reader
}

// sendBuffer bounds what the socket holds for a peer that does not read. The second figure is for a last
// line to such a peer: a write that waits goes on when SO_SNDBUF is raised (socket(7)).
const (
	sendBuffer      = 64 << 10
	sendBufferAtEnd = 128 << 10
)

func newLineConn(c net.Conn, silence time.Duration) *lineConn {
	prepare(c, silence)
	return &lineConn{c, bufio.NewReaderSize(c, MaxLine+2)}
}

// prepare sets the options of a connection, as far as it is a socket of ours that has them.
func prepare(c net.Conn, silence time.Duration) {
	s := socketOf(c)
	if s == nil {
		return
	}
	sockeye.SO_SNDBUF.Set(s, sendBuffer)
	sockeye.TCP_NODELAY.Set(s, true)
	// Who is cut off is noticed in time, by probes or by what is not acknowledged (tcp(7)).
	sockeye.SO_KEEPALIVE.Set(s, true)
	sockeye.TCP_KEEPIDLE.Set(s, silence/2)
	sockeye.TCP_KEEPINTVL.Set(s, silence/4)
	sockeye.TCP_USER_TIMEOUT.Set(s, silence)
}

// makeRoom lets a last line be left with the socket of a peer that does not read.
func makeRoom(s *sockeye.Socket) {
	sockeye.SO_SNDBUF.Set(s, sendBufferAtEnd) // a socket that is closed does not matter
	sockeye.TCP_USER_TIMEOUT.Set(s, time.Minute)
}

// socketOf gives the socket of a connection, or of TLS on it; nil: it has none of ours.
func socketOf(c net.Conn) *sockeye.Socket {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if s, ok := c.(interface{ Socket() *sockeye.Socket }); ok {
		return s.Socket()
	}
	return nil
}

func (c *lineConn) readLine() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	switch {
	case err == nil && len(ended(line)) > MaxLine:
		return nil, tooLong{}
	case err == nil:
		return ended(line), nil
	case errors.Is(err, io.EOF) && len(line) > 0: // the last line has no end
		if len(line) > MaxLine {
			return nil, tooLong{}
		}
		return line, nil
	case !errors.Is(err, bufio.ErrBufferFull):
		return nil, err
	}
	for skipped := len(line); skipped < patience; skipped += len(line) {
		if line, err = c.r.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return nil, tooLong{} // what comes next tells an error again
		}
	}
	return nil, errEndless
}

// ended is a line without its end.
func ended(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

func (c *lineConn) write(frames [][]byte) error {
	if len(frames) == 1 {
		_, err := c.Write(frames[0])
		return err
	}
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	*buf = (*buf)[:0]
	for _, f := range frames {
		*buf = append(*buf, f...)
	}
	_, err := c.Write(*buf)
	return err
}

func (c *lineConn) hurry(until time.Time) {
	if s := socketOf(c.Conn); s != nil {
		makeRoom(s)
	}
	c.SetWriteDeadline(until)
}

func (c *lineConn) finish(string) error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return c.Close()
}

func (c *lineConn) discard()       { io.Copy(io.Discard, c.Conn) }
func (c *lineConn) close() error   { return c.Close() }
func (c *lineConn) peer() net.Addr { return c.RemoteAddr() }
