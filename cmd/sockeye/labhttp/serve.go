package labhttp

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Limits of the server.
const (
	mostConns   = 128
	readHeader  = 5 * time.Second
	readRequest = 10 * time.Second
	writeReply  = 30 * time.Second // but for streams, which have their own
	idle        = time.Minute
	mostHeader  = 16 << 10
)

// Serve serves a handler at a listener until ctx is done, and closes the listener. A TCP listener must be on
// the loopback. Streams end with ctx.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		l.Close()
		return fmt.Errorf("a lab is shown on the loopback alone, and %v is not on it; listen at 127.0.0.1:%d", a, a.Port)
	}
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeader, ReadTimeout: readRequest, WriteTimeout: writeReply, IdleTimeout: idle,
		MaxHeaderBytes: mostHeader,
		BaseContext:    func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	err := s.Serve(netutil.LimitListener(l, mostConns))
	if ctx.Err() != nil {
		return nil
	}
	return err
}
