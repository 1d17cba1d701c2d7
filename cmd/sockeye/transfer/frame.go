package transfer

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// Version is of the protocol. Ends of different versions refuse each other.
const Version = 1

const (
	maxFrame  = 16 << 10 // of a frame's JSON
	blockSize = 1 << 20  // the most bytes that follow a data frame
	window    = 64       // offers that may wait for their turn
	smallData = 32 << 10 // up to here data goes through the buffer, with what is before and behind it
	maxName   = 4095     // of a path, PATH_MAX of limits.h
)

// The peer is given up when it takes, or gives, less than a stride in patience. Whoever has work to do that takes long
// says so by busy frames.
const (
	stride   = 256 << 10
	patience = time.Minute
	busyTime = 10 * time.Second
)

// A frame is one message: its length in four bytes, big endian, and JSON. After a data frame come Length raw bytes.
type frame struct {
	Kind    string `json:"kind"`
	Version int    `json:"version,omitempty"` // hello
	Files   int    `json:"files,omitempty"`   // hello: how much there will be
	Bytes   int64  `json:"bytes,omitempty"`
	ID      uint64 `json:"id,omitempty"`     // of the offer that it is about, from 1 upwards
	Name    []byte `json:"name,omitempty"`   // offer: path below DIR; result: the name it got, if another. Any bytes
	Type    string `json:"type,omitempty"`   // offer: file, folder, link
	Target  []byte `json:"target,omitempty"` // offer: of a link
	Size    int64  `json:"size,omitempty"`   // offer; answer: how much of it is there
	Mode    uint32 `json:"mode,omitempty"`   // offer: permissions
	Time    int64  `json:"time,omitempty"`   // offer: of modification, nanoseconds since 1970
	Sum     []byte `json:"sum,omitempty"`    // answer, whole
	There   bool   `json:"there,omitempty"`  // answer: what is there has the name already
	Offset  int64  `json:"offset,omitempty"` // start, data
	Length  int    `json:"length,omitempty"` // data
	State   State  `json:"state,omitempty"`  // result
	Why     string `json:"why,omitempty"`    // result, drop, refused
	Void    bool   `json:"void,omitempty"`   // drop: what came of it is of no use
}

// A stream is a connection with frames.
type stream struct {
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
	last time.Time // of what was sent
	echo bool      // answer busy with busy
}

func newStream(c net.Conn) *stream {
	p := &patientConn{Conn: c}
	return &stream{conn: p, r: bufio.NewReaderSize(p, 64<<10), w: bufio.NewWriterSize(p, 64<<10), last: time.Now()}
}

// send puts a frame into the buffer.
func (s *stream) send(f frame) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if len(b) > maxFrame {
		return fmt.Errorf("a frame of %d bytes is over the %d that are allowed", len(b), maxFrame)
	}
	s.last = time.Now()
	s.w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
	_, err = s.w.Write(b)
	return err
}

func (s *stream) flush() error { return s.w.Flush() }

// now sends a frame at once.
func (s *stream) now(f frame) error {
	if err := s.send(f); err != nil {
		return err
	}
	return s.flush()
}

// busy tells the peer, now and then, that there is still somebody.
func (s *stream) busy() error {
	if time.Since(s.last) < busyTime {
		return nil
	}
	return s.now(frame{Kind: "busy"})
}

// A ProtocolError is a peer that does not keep to the protocol.
type ProtocolError struct{ Text string }

func (e *ProtocolError) Error() string { return "the peer does not speak this protocol: " + e.Text }

func wrong(format string, args ...any) error { return &ProtocolError{fmt.Sprintf(format, args...)} }

// receive gives the next frame that is not of kind busy.
func (s *stream) receive() (frame, error) {
	for {
		var head [4]byte
		if _, err := io.ReadFull(s.r, head[:]); err != nil {
			return frame{}, cut(err)
		}
		if head[0] == 0x16 && head[1] == 3 { // a handshake record, RFC 8446 section 5.1
			return frame{}, wrong("it speaks TLS; both sides need the code, or neither")
		}
		n := binary.BigEndian.Uint32(head[:])
		if n > maxFrame {
			return frame{}, wrong("a frame begins with %q, which would make it %d bytes, over %d", head, n, maxFrame)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(s.r, b); err != nil {
			return frame{}, cut(err)
		}
		var f frame
		if err := json.Unmarshal(b, &f); err != nil {
			return frame{}, wrong("a frame is not what it should be (%v)", err)
		}
		s.conn.(*patientConn).left = 0
		s.conn.SetWriteDeadline(time.Now().Add(patience)) // of a write that waits for this peer
		switch f.Kind {
		case "busy":
			if s.echo {
				if err := s.busy(); err != nil {
					return frame{}, err
				}
			}
			continue
		case "refused":
			return frame{}, &RefusedError{f.Why}
		}
		return f, nil
	}
}

// A RefusedError is why the peer wants no transfer.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return "the peer refuses: " + e.Why }

// errCut is a connection that ended before the transfer did.
var errCut = errors.New("the connection was cut before the end; the same command goes on from there")

func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}

// until makes whatever waits on the connection fail when ctx ends.
func until(ctx context.Context, c net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { c.Close() })
}

// ended gives the cause of ctx instead of what it led to.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the peer did nothing for %v: %w", patience, err)
	}
	return err
}

// A patientConn gives its peer a minute for each stride, or for each frame.
type patientConn struct {
	net.Conn
	left int       // of the stride that is read
	last time.Time // when something was read
}

func (c *patientConn) Read(p []byte) (int, error) {
	now := time.Now()
	if c.left <= 0 || now.Sub(c.last) > time.Second { // the peer had no chance meanwhile
		c.left = stride
		c.SetReadDeadline(now.Add(patience))
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	c.last = time.Now()
	return n, err
}

func (c *patientConn) Write(p []byte) (n int, err error) {
	for {
		c.SetWriteDeadline(time.Now().Add(patience))
		m, err := c.Conn.Write(p[n:min(n+stride, len(p))])
		if n += m; err != nil || n == len(p) {
			return n, err
		}
	}
}

// sendFile sends n bytes of a file from offset, by sendfile(2) where the connection can. It tells how many there were: a
// file may have become shorter.
func (s *stream) sendFile(f *os.File, offset int64, n int, progress func(int64)) (sent int, err error) {
	if n <= smallData {
		b := make([]byte, n)
		if sent, err = f.ReadAt(b, offset); err == io.EOF {
			err = nil
		}
		if err == nil {
			_, err = s.w.Write(b[:sent])
		}
		progress(int64(sent))
		return sent, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return 0, err
	}
	if err := s.flush(); err != nil {
		return 0, err
	}
	raw := s.conn.(*patientConn)
	for sent < n && err == nil {
		raw.SetWriteDeadline(time.Now().Add(patience))
		var m int64
		if m, err = io.Copy(raw.Conn, &io.LimitedReader{R: f, N: int64(min(n-sent, stride))}); m == 0 {
			break
		}
		sent += int(m)
		progress(m)
	}
	s.last = time.Now()
	return sent, err
}
