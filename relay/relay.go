// Package relay forwards connections and datagrams from one socket to another,
// of any family to any family.
package relay

import (
	"context"
	"fmt"

	"sockeye"
)

// An Event is a connection, or a flow of datagrams, that was opened or has
// ended.
type Event struct {
	Peer, Target   sockeye.Sockaddr
	Opened         bool  // it begins; Target is known
	Sent, Received int64 // bytes to the target and from it, at the end
	Err            error // why it ended, when not in order; of a flow, also why a datagram was lost
}

// Serve relays until ctx ends, which gives nil, or the socket fails. It closes
// s, and whatever it accepted and dialed, before it returns.
//
// With a listening s, of SOCK_STREAM or SOCK_SEQPACKET, each connection is
// relayed in both directions until both have ended. The end of one direction is
// passed on as such, and a reset as a reset; what was received before either is
// delivered first.
//
// With a bound s of SOCK_DGRAM all datagrams of one sender are a flow, with a
// target socket of its own, so that answers go to their own peer, from the
// address that it wrote to. A flow ends when it was idle for two minutes
// (RFC 4787, section 4.3). Datagrams of any length keep their boundaries.
//
// log may be nil. It is called from several goroutines at once.
func Serve(ctx context.Context, s *sockeye.Socket, to Target, log func(Event)) error {
	typ := s.Type()
	switch typ {
	case sockeye.SOCK_STREAM, sockeye.SOCK_SEQPACKET:
		return serveConnections(ctx, s, typ, to, log)
	case sockeye.SOCK_DGRAM:
		return serveFlows(ctx, s, to.Dial, log)
	}
	return fmt.Errorf("relay: a socket of %v can't be relayed: want SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM", typ)
}
