// Package echo is the echo service (RFC 862) on a socket of any kind: every
// byte of a stream, every record of a connection of SOCK_SEQPACKET, and every
// datagram goes back to who sent it.
package echo

import (
	"context"
	"fmt"

	"sockeye"
	"sockeye/internal/accept"
)

// An Event is a connection that was opened or has ended, or a datagram that
// could not be answered.
type Event struct {
	Peer   sockeye.Sockaddr
	Opened bool  // the connection begins
	Bytes  int64 // sent back on the connection, once it has ended
	Err    error // why a connection ended, when not by the peer's orderly end
}

// Serve echoes until ctx ends, which gives nil, or the socket fails. s is a
// listening socket of SOCK_STREAM or SOCK_SEQPACKET, whose peers are served all
// at once, or a bound socket of SOCK_DGRAM. Serve closes it, and whatever it
// accepted, before it returns.
//
// An answer to a datagram comes from the address that the datagram was sent to,
// also where s is bound to the wildcard address.
//
// log may be nil. It is called from several goroutines at once.
func Serve(ctx context.Context, s *sockeye.Socket, log func(Event)) error {
	if log == nil {
		log = func(Event) {}
	}
	typ := s.Type()
	switch typ {
	case sockeye.SOCK_STREAM:
		return serveConnections(ctx, s, log, echoStream)
	case sockeye.SOCK_SEQPACKET:
		return serveConnections(ctx, s, log, echoRecords)
	case sockeye.SOCK_DGRAM:
		return serveDatagrams(ctx, s, log)
	}
	return fmt.Errorf("echo: a socket of %v can't be served: want SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM", typ)
}

func serveConnections(ctx context.Context, s *sockeye.Socket, log func(Event), echo func(*sockeye.Socket) (int64, error)) error {
	// Accepted sockets have their listener's: no answer waits for the
	// acknowledgement of the one before. Other families know no such option.
	sockeye.TCP_NODELAY.Set(s, true)
	all := accept.New(s)
	return all.Serve(ctx, func(ctx context.Context, conn *sockeye.Socket, from sockeye.Sockaddr) {
		all.Go(func() {
			defer all.End(conn)
			log(Event{Peer: from, Opened: true})
			n, err := echo(conn)
			if err != nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			log(Event{Peer: from, Bytes: n, Err: err})
		})
	})
}
