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
	typ, err := sockeye.SO_TYPE.Get(j.s)
	if err != nil {
		return err
	}
	s := j.s.WithContext(ctx)
	up, down := make(chan error, 1), make(chan error, 1)
	go func() { up <- j.upload(s, typ) }()
	go func() { down <- j.download(s, typ) }()
	var upErr error
	for uploading := true; ; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case upErr = <-up:
			uploading, up = false, nil
			if upErr != nil && connectionless(typ) {
				return cause(ctx, upErr)
			}
			// A stream that can't be sent to may still hold what was received.
		case err := <-down:
			switch {
			case err != nil:
				return cause(ctx, err)
			case uploading && !terminal(j.a.stdin):
				upErr = j.peerEnded(ctx, up)
			}
			return cause(ctx, upErr)
		}
	}
}

func connectionless(typ sockeye.Type) bool {
	return typ == sockeye.SOCK_DGRAM || typ == sockeye.SOCK_RAW
}

// peerEnded goes on sending to a peer that has ended its own direction, until
// the input ends or the peer is gone altogether.
func (j *session) peerEnded(ctx context.Context, up <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	gone := make(chan struct{})
	go func() {
		fds := []sockeye.PollFd{{Socket: j.s}} // POLLHUP and POLLERR are always watched for
		if n, err := j.s.Host().Poll(ctx, fds, -1); err == nil && n > 0 {
			close(gone)
		}
	}()
	select {
	case err := <-up:
		return err
	case <-gone:
		// The end of the upload raises POLLHUP as well.
		select {
		case err := <-up:
			return err
		default:
			return nil
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cause is err, or why the context ended if that is what ended the call.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return context.Cause(ctx)
	}
	return err
}

// upload sends standard input, and then the end of the stream.
func (j *session) upload(s *sockeye.Socket, typ sockeye.Type) error {
	err := j.send(s, typ)
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

func (j *session) send(s *sockeye.Socket, typ sockeye.Type) error {
	if typ == sockeye.SOCK_STREAM && regular(j.a.stdin) {
		n, err := s.Sendfile(j.a.stdin, -1)
		j.sent.Add(n)
		return err
	}
	buf := make([]byte, sendSize(s, typ))
	for {
		n, err := j.a.stdin.Read(buf)
		if n > 0 {
			m, err := s.Send(buf[:n], 0)
			j.sent.Add(int64(m))
			if err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("standard input: %w", err)
		}
	}
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
	switch family, _ := sockeye.SO_DOMAIN.Get(s); {
	case typ == sockeye.SOCK_STREAM:
		return chunk
	case family == sockeye.AF_INET:
		return 65507 // 65,535 less the headers of IP and UDP
	case family == sockeye.AF_INET6:
		return 65527
	}
	return 64 << 10
}

// download writes what is received to standard output until the peer's end.
func (j *session) download(s *sockeye.Socket, typ sockeye.Type) error {
	r, err := newReceiver(s, typ)
	if err != nil {
		return err
	}
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
	if family, err := sockeye.SO_DOMAIN.Get(s); err == nil && family == sockeye.AF_UNIX && typ != sockeye.SOCK_STREAM {
		size = 1 << 20 // a sender whose send buffer was enlarged
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
