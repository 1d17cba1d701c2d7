package sockeye

import (
	"io"
	"net"
	"os"
	"time"
)

// A TCPConn is a net.Conn over TCP.
type TCPConn struct{ conn }

// CloseRead ends receiving (SHUT_RD).
func (c *TCPConn) CloseRead() error { return c.shutdown(SHUT_RD) }

// CloseWrite ends sending: the peer reads io.EOF, and can still write (SHUT_WR).
func (c *TCPConn) CloseWrite() error { return c.shutdown(SHUT_WR) }

// SetNoDelay sets TCP_NODELAY, which is on unless it is turned off.
func (c *TCPConn) SetNoDelay(on bool) error { return c.setError(TCP_NODELAY.Set(c.s, on)) }

// SetLinger says what Close does with data that is not acknowledged yet: with
// a negative sec the system goes on sending it; with 0 it is discarded and the
// peer gets a RST; otherwise Close waits up to sec seconds for it (SO_LINGER).
func (c *TCPConn) SetLinger(sec int) error {
	return c.setError(SO_LINGER.Set(c.s, Linger{On: sec >= 0, Seconds: max(sec, 0)}))
}

// SetKeepAlive sets SO_KEEPALIVE.
func (c *TCPConn) SetKeepAlive(on bool) error { return c.setError(SO_KEEPALIVE.Set(c.s, on)) }

// SetKeepAlivePeriod sets how long the connection is idle before it is probed
// (TCP_KEEPIDLE): seconds, rounded up.
func (c *TCPConn) SetKeepAlivePeriod(d time.Duration) error {
	return c.setError(setKeepAliveTimes(c.s, d, -1, -1))
}

// SetKeepAliveConfig sets all of keepalive. Zero times and counts mean package
// net's defaults; negative ones stay as they are.
func (c *TCPConn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	return c.setError(setKeepAlive(c.s, config))
}

// Package net's choice for keepalive.
const (
	keepAliveTime  = 15 * time.Second
	keepAliveCount = 9
)

// setTCPDefaults sets the options that package net sets on a connection:
// TCP_NODELAY, and keepalive as a Dialer or ListenConfig has it. What fails
// stays as it was.
func setTCPDefaults(s *Socket, idle time.Duration, config net.KeepAliveConfig) {
	TCP_NODELAY.Set(s, true)
	if !config.Enable && idle >= 0 {
		config = net.KeepAliveConfig{Enable: true, Idle: idle}
	}
	if config.Enable {
		setKeepAlive(s, config)
	}
}

func setKeepAlive(s *Socket, config net.KeepAliveConfig) error {
	if err := SO_KEEPALIVE.Set(s, config.Enable); err != nil {
		return err
	}
	return setKeepAliveTimes(s, config.Idle, config.Interval, config.Count)
}

func setKeepAliveTimes(s *Socket, idle, interval time.Duration, count int) error {
	for _, set := range []struct {
		option Option[time.Duration]
		value  time.Duration
	}{{TCP_KEEPIDLE, idle}, {TCP_KEEPINTVL, interval}} {
		if set.value == 0 {
			set.value = keepAliveTime
		}
		if set.value > 0 {
			if err := set.option.Set(s, set.value); err != nil {
				return err
			}
		}
	}
	if count == 0 {
		count = keepAliveCount
	}
	if count > 0 {
		return TCP_KEEPCNT.Set(s, count)
	}
	return nil
}

// ReadFrom sends what r has to read, until its end. From a file (sendfile(2)),
// and from a stream of this package (splice(2)), bare or in an
// io.LimitedReader, the data does not pass through the program where the
// engine can do without.
func (c *TCPConn) ReadFrom(r io.Reader) (int64, error) {
	src, max := r, int64(-1)
	limit, limited := r.(*io.LimitedReader)
	if limited {
		if src, max = limit.R, limit.N; max <= 0 {
			return 0, nil
		}
	}
	var n int64
	var err error
	call := "sendfile"
	if file, ok := src.(*os.File); ok {
		n, err = c.s.Sendfile(file, max)
	} else if from, ok := streamOf(src); ok {
		call = "splice"
		n, err = Splice(c.s, from, max)
	} else {
		n, err = io.Copy(onlyWriter{c}, r)
		return n, c.failed("readfrom", call, err)
	}
	if limited {
		limit.N -= n
	}
	return n, c.failed("readfrom", call, err)
}

// WriteTo receives until the end of the stream, and writes it to w. To a stream
// of this package the data does not pass through the program where the engine
// can do without (splice(2)).
func (c *TCPConn) WriteTo(w io.Writer) (n int64, err error) {
	if to, ok := streamOf(w); ok {
		n, err = Splice(to, c.s, -1)
	} else {
		n, err = io.Copy(w, onlyReader{c})
	}
	return n, c.failed("writeto", "splice", err)
}

// onlyReader hides WriteTo from io.Copy.
type onlyReader struct{ io.Reader }

// streamOf is the socket of a stream of this package.
func streamOf(v any) (*Socket, bool) {
	switch v := v.(type) {
	case *TCPConn:
		return v.s, true
	case *UnixConn:
		return v.s, v.n.typ == SOCK_STREAM
	case *Socket:
		return v, v.c.socktype() == SOCK_STREAM
	}
	return nil, false
}
