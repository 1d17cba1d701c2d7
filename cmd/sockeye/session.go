package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"sockeye"
)

// chunk is how much is moved at once: more than a pipe holds, less than a
// processor's cache.
const chunk = 256 << 10

// A session joins standard input and output to one connected socket.
type session struct {
	a    *app
	s    *sockeye.Socket
	wait time.Duration // how long to wait for more after the end of input; 0: for ever

	received, sent atomic.Int64
	inputEnded     atomic.Bool
}

// run goes on until both directions have ended, and gives the error that ended
// either. All that was received is written out before.
func (j *session) run(ctx context.Context) error {
	typ := j.s.Type()
	s := j.s.WithContext(ctx)
	size := sendSize(s, typ)
	r, err := newReceiver(s, typ)
	if err != nil {
		return err
	}
	up, down := make(chan error, 1), make(chan error, 1)
	gone := make(chan error, 1)
	go func() { up <- j.upload(s, typ, size, gone) }()
	go func() { down <- j.download(r) }()
	var upErr error
	for uploading, downloading := true, true; uploading || downloading; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case upErr = <-up:
			uploading = false
			if upErr != nil && connectionless(typ) {
				return cause(ctx, upErr)
			}
			// A stream that can't be sent to may still hold what was received.
		case err := <-down:
			if downloading = false; err != nil || connectionless(typ) || terminal(j.a.stdin) {
				return cause(ctx, err)
			}
			if uploading {
				go j.watch(s, gone)
			}
		}
	}
	return cause(ctx, upErr)
}

func connectionless(typ sockeye.Type) bool {
	return typ == sockeye.SOCK_DGRAM || typ == sockeye.SOCK_RAW
}

// watch tells when the peer, whose own direction has ended, is gone altogether,
// with the error if it left what was sent to it unread.
func (j *session) watch(s *sockeye.Socket, gone chan<- error) {
	fds := []sockeye.PollFd{{Socket: j.s, Events: sockeye.POLLHUP}}
	n, err := j.s.Host().Poll(s.Context(), fds, -1)
	if err != nil || n == 0 || fds[0].Revents&sockeye.POLLNVAL != 0 { // the session ended before
		return
	}
	errno, err := sockeye.SO_ERROR.Get(s)
	if err == nil && errno != 0 {
		err = errno
	}
	gone <- err
}

// cause is err, or why the context ended if that is what ended the call.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return context.Cause(ctx)
	}
	return err
}

// upload sends standard input, and then the end of the stream.
func (j *session) upload(s *sockeye.Socket, typ sockeye.Type, size int, gone <-chan error) error {
	err := j.send(s, typ, size, gone)
	if !connectionless(typ) {
		// Also after an error, so that the peer does not wait for the rest.
		if end := s.Shutdown(sockeye.SHUT_WR); err == nil && !errors.Is(end, syscall.ENOTCONN) {
			err = end
		}
	}
	if err != nil {
		return err
	}
	j.inputEnded.Store(true)
	return j.bound()
}

// bound limits the wait for more.
func (j *session) bound() error {
	if j.wait == 0 || !j.inputEnded.Load() {
		return nil
	}
	return j.s.SetReadDeadline(time.Now().Add(j.wait))
}

// send sends standard input until its end, or until the peer is gone.
func (j *session) send(s *sockeye.Socket, typ sockeye.Type, size int, gone <-chan error) error {
	if typ == sockeye.SOCK_STREAM && regular(j.a.stdin) {
		n, err := s.Sendfile(j.a.stdin, -1)
		j.sent.Add(n)
		return err
	}
	in := j.a.input(size)
	for {
		select {
		case p, ok := <-in.pieces:
			if !ok {
				return in.err
			}
			n, err := s.Send(p, 0)
			j.sent.Add(int64(n))
			if err != nil {
				return err
			}
			in.free <- p[:cap(p)]
		case err := <-gone:
			select {
			case _, left := <-in.pieces:
				if left && err == nil {
					err = syscall.EPIPE
				}
			default: // nothing that is left unsent
			}
			return err
		}
	}
}

// An input is standard input, read ahead by one piece.
type input struct {
	pieces chan []byte
	free   chan []byte // pieces that have been used
	err    error       // why there are no more pieces; nil: the end
}

// input reads standard input in pieces of up to size bytes.
func (a *app) input(size int) *input {
	in := &input{pieces: make(chan []byte), free: make(chan []byte, 2)}
	in.free <- make([]byte, size)
	in.free <- make([]byte, size)
	go func() {
		defer close(in.pieces)
		for buf := range in.free {
			n, err := a.stdin.Read(buf)
			if n > 0 {
				in.pieces <- buf[:n]
			}
			if err != nil {
				if err != io.EOF {
					in.err = fmt.Errorf("standard input: %w", err)
				}
				return
			}
			if n == 0 {
				in.free <- buf
			}
		}
	}()
	return in
}

// regular tells whether f is a file with bytes in it, which the kernel can send
// by itself. Those of /proc have a size of 0, whatever they hold.
func regular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

// sendSize is how much of the input goes into one send: of a datagram socket, no
// more than one datagram holds.
func sendSize(s *sockeye.Socket, typ sockeye.Type) int {
	if typ == sockeye.SOCK_STREAM {
		return chunk
	}
	switch s.Family() {
	case sockeye.AF_INET:
		return 65507 // 65,535 less the headers of IP and UDP
	case sockeye.AF_INET6:
		return 65527
	}
	return 64 << 10
}

// download writes what is received to standard output until the peer's end.
func (j *session) download(r *receiver) error {
	for {
		p, _, err := r.receive()
		if len(p) > 0 {
			j.received.Add(int64(len(p)))
			if err := j.a.output(p); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded) && j.wait > 0:
			return nil
		case err != nil:
			return err
		}
		if r.truncated > 0 {
			j.a.console.line(fmt.Sprintf("sockeye: a datagram was cut from %d bytes to %d", r.truncated, len(p)))
		}
		if err := j.bound(); err != nil {
			return err
		}
	}
}

// output writes to standard output.
func (a *app) output(p []byte) error {
	if _, err := a.stdout.Write(p); err != nil {
		return fmt.Errorf("%w: %w", errStdout, err)
	}
	return nil
}

// A receiver receives from a socket of any type.
type receiver struct {
	s         *sockeye.Socket
	typ       sockeye.Type
	msg       sockeye.Message
	truncated int // how long the last datagram was, if it was cut
}

// newReceiver asks a seqpacket socket for credentials, by which an empty record
// can be told from the end: only a record has any.
func newReceiver(s *sockeye.Socket, typ sockeye.Type) (*receiver, error) {
	r := &receiver{s: s, typ: typ}
	size := chunk
	if typ != sockeye.SOCK_STREAM {
		size = 1 << 20 // a unix socket whose send buffer was enlarged may send as much
	}
	r.msg.Buffers = [][]byte{make([]byte, size)}
	if typ == sockeye.SOCK_SEQPACKET {
		r.msg.Control = make([]byte, 64)
		return r, sockeye.SO_PASSCRED.Set(s, true)
	}
	return r, nil
}

// receive gives what comes next and, on sockets that are not connected, who sent
// it. The bytes are good until the next call. The end of a connection is io.EOF.
func (r *receiver) receive() ([]byte, sockeye.Sockaddr, error) {
	buf := r.msg.Buffers[0]
	r.truncated = 0
	if r.typ == sockeye.SOCK_STREAM {
		n, err := r.s.Recv(buf, 0)
		if n == 0 && err == nil {
			err = io.EOF
		}
		return buf[:n], sockeye.Sockaddr{}, err
	}
	n, err := r.s.Recvmsg(&r.msg, sockeye.MSG_TRUNC)
	if err != nil {
		return nil, sockeye.Sockaddr{}, err
	}
	if r.typ == sockeye.SOCK_SEQPACKET && n == 0 && r.msg.ControlN == 0 {
		return nil, sockeye.Sockaddr{}, io.EOF
	}
	if n > len(buf) {
		r.truncated, n = n, len(buf)
	}
	return buf[:n], r.msg.Name, nil
}
