package sockeye

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"syscall"
	"time"
)

// Splice moves bytes from the stream src to the stream dst until the end of
// src or, where max is not negative, until max bytes have gone. Both sockets'
// deadlines and contexts hold. On an engine that can, the data does not pass
// through the program (splice(2)); otherwise it is copied. It tells how many
// bytes dst took; what was read before an error in sending is lost, as with any
// copy.
func Splice(dst, src *Socket, max int64) (int64, error) {
	if t := src.c.host.tracer; t != nil {
		return t.splice(src, dst, max)
	}
	return splice(dst, src, max)
}

func splice(dst, src *Socket, max int64) (int64, error) {
	if max < 0 {
		max = math.MaxInt64
	}
	move := mover(dst, src)
	if move == nil {
		return copyStream(dst, src, max)
	}
	n, err := transfer{dst, src}.run(func(w Waits) (int64, error) { return move(max, w) })
	if err == nil {
		return n, nil
	}
	if !errors.Is(err, syscall.EINVAL) {
		return n, src.c.fail(callSplice, dst.c.remote(), err)
	}
	m, err := copyStream(dst, src, max-n)
	return n + m, err
}

// mover is how the engines of two sockets move data without bringing it to the program; nil: not at all.
func mover(dst, src *Socket) func(max int64, w Waits) (int64, error) {
	if sp, ok := src.c.ep.(Splicer); ok && src.c.host.engine == dst.c.host.engine {
		return func(max int64, w Waits) (int64, error) { return sp.SpliceTo(dst.c.ep, max, w) }
	}
	if m, ok := src.c.ep.(Mover); ok {
		return func(max int64, w Waits) (int64, error) { return m.MoveTo(dst.c.ep, max, w) }
	}
	if m, ok := dst.c.ep.(Mover); ok {
		return func(max int64, w Waits) (int64, error) { return m.MoveFrom(src.c.ep, max, w) }
	}
	return nil
}

func copyStream(dst, src *Socket, max int64) (int64, error) {
	return io.Copy(onlyWriter{dst}, io.LimitReader(src, max))
}

// Sendfile sends what is in the file from its current offset on, until its end
// or, where max is not negative, until max bytes have gone (sendfile(2)).
func (s *Socket) Sendfile(file *os.File, max int64) (int64, error) {
	if t := s.c.host.tracer; t != nil {
		return t.sendfile(s, file, max)
	}
	return s.sendfile(file, max)
}

func (s *Socket) sendfile(file *os.File, max int64) (int64, error) {
	if max < 0 {
		max = math.MaxInt64
	}
	if sp, ok := s.c.ep.(Splicer); ok {
		n, err := transfer{s, s}.run(func(w Waits) (int64, error) { return sp.Sendfile(file, max, w) })
		if err == nil {
			return n, nil
		}
		if n > 0 || !errors.Is(err, syscall.EINVAL) {
			return n, s.c.fail(callSendfile, Sockaddr{}, err)
		}
	}
	return io.Copy(onlyWriter{s}, io.LimitReader(file, max))
}

// onlyWriter hides ReadFrom from io.Copy.
type onlyWriter struct{ io.Writer }

// A transfer is the destination and the source of data. Each waits with its own
// deadlines; the context of either ends the waits of both.
type transfer [2]*Socket

func (t transfer) run(f func(Waits) (int64, error)) (int64, error) {
	if err := t.ended(); err != nil {
		return 0, err
	}
	for _, s := range t {
		if s.ctx != nil && s.ctx.Done() != nil {
			defer context.AfterFunc(s.ctx, t.interrupt)()
		}
	}
	return f(t.wait)
}

func (t transfer) ended() error {
	for _, s := range t {
		if s.ctx != nil {
			if err := s.ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t transfer) interrupt() {
	t[0].c.ep.Interrupt(ForWrite)
	t[1].c.ep.Interrupt(ForRead)
}

func (t transfer) wait(_ Endpoint, d Direction, limit time.Duration, try func() bool) error {
	s := t[ForWrite-d] // the destination is written, the source is read
	o := s.newOp(d, doTry)
	defer o.free()
	o.try, o.ctx = try, nil // ended and interrupt stand for the context
	if t[0].ctx != nil || t[1].ctx != nil {
		o.do = func(o *op) error {
			if err := t.ended(); err != nil {
				return err
			}
			return doTry(o)
		}
	}
	if limit > 0 {
		o.limit = time.Now().Add(limit)
	}
	return o.block() // a transfer waits on non-blocking sockets too
}

func doTry(o *op) error {
	if o.try() {
		return nil
	}
	return syscall.EAGAIN
}
