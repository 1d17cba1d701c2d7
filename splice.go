package sockeye

import (
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
	if src.c.traced() {
		return src.traceSplice(dst, max)
	}
	return splice(dst, src, max)
}

func splice(dst, src *Socket, max int64) (int64, error) {
	if max < 0 {
		max = math.MaxInt64
	}
	if sp, ok := src.c.ep.(Splicer); ok && src.c.host.engine == dst.c.host.engine {
		n, err := sp.SpliceTo(dst.c.ep, max, waits(dst, src))
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, syscall.EINVAL) {
			return n, src.c.fail(callSplice, dst.c.remote(), err)
		}
		m, err := copyStream(dst, src, max-n)
		return n + m, err
	}
	return copyStream(dst, src, max)
}

func copyStream(dst, src *Socket, max int64) (int64, error) {
	return io.Copy(onlyWriter{dst}, io.LimitReader(src, max))
}

// Sendfile sends what is in the file from its current offset on, until its end
// or, where max is not negative, until max bytes have gone (sendfile(2)).
func (s *Socket) Sendfile(file *os.File, max int64) (int64, error) {
	if max < 0 {
		max = math.MaxInt64
	}
	if sp, ok := s.c.ep.(Splicer); ok {
		n, err := sp.Sendfile(file, max, waits(s, s))
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

// waits waits for one or the other of two sockets, each with its own deadlines
// and context.
func waits(a, b *Socket) Waits {
	return func(ep Endpoint, d Direction, limit time.Duration, try func() bool) error {
		s := a
		if ep == b.c.ep {
			s = b
		}
		o := s.newOp(d, doTry)
		defer o.free()
		o.try = try
		if limit > 0 {
			o.limit = time.Now().Add(limit)
		}
		return o.block() // a transfer waits on non-blocking sockets too
	}
}

func doTry(o *op) error {
	if o.try() {
		return nil
	}
	return syscall.EAGAIN
}
