package relay

import (
	"context"
	"errors"
	"syscall"

	"sockeye"
)

// A Target is what a relay leads to.
type Target struct {
	// Dial gives a connected socket to the target, which becomes the relay's. It
	// is called for every peer, for several at once.
	Dial func(context.Context) (*sockeye.Socket, error)

	// DialNow may be nil. It is Dial for streams to a target that is so near that
	// there is nothing to wait for; where it gives nil, Dial is to find out. first is
	// what the peer has sent so far: DialNow sends what it can of it, and tells how
	// many bytes.
	DialNow func(first []byte) (s *sockeye.Socket, sent int)
}

// At is a target that has one address or more, which are tried in turn. It has a
// DialNow if they are all on this machine.
func At(h *sockeye.Host, typ sockeye.Type, addresses ...sockeye.Sockaddr) Target {
	at := Target{Dial: func(ctx context.Context) (s *sockeye.Socket, err error) {
		for _, sa := range addresses {
			if s, err = dial(ctx, h, typ, sa); err == nil {
				break
			}
		}
		return s, err
	}}
	for _, sa := range addresses {
		if sa.Family() != sockeye.AF_UNIX && !sa.Addr().Unmap().IsLoopback() {
			return at
		}
	}
	at.DialNow = func(first []byte) (s *sockeye.Socket, sent int) {
		for _, sa := range addresses {
			if s, sent = dialNow(h, typ, sa, first); s != nil {
				break
			}
		}
		return s, sent
	}
	return at
}

func dial(ctx context.Context, h *sockeye.Host, typ sockeye.Type, sa sockeye.Sockaddr) (*sockeye.Socket, error) {
	s, err := h.Socket(sa.Family(), typ, 0)
	if err != nil {
		return nil, err
	}
	if sa.Family() == sockeye.AF_UNIX && typ == sockeye.SOCK_DGRAM {
		err = s.Bind(sockeye.SockaddrUnix("")) // to any name, so that it can be answered
	}
	if err == nil {
		err = s.WithContext(ctx).Connect(sa)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func dialNow(h *sockeye.Host, typ sockeye.Type, sa sockeye.Sockaddr, first []byte) (s *sockeye.Socket, sent int) {
	s, err := h.Socket(sa.Family(), typ|sockeye.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, 0
	}
	carry := len(first) > 0 && sa.Family() != sockeye.AF_UNIX
	if carry { // the last ACK of the handshake, which waits for data to go with
		sockeye.TCP_QUICKACK.Set(s, false)
	}
	err = s.Connect(sa)
	// On loopback the handshake is over by now, though the answer is EINPROGRESS.
	switch under := errors.Is(err, syscall.EINPROGRESS); {
	case len(first) > 0 && (err == nil || under):
		sent, err = s.Send(first, 0)
	case under:
		err = s.Connect(sa)
	}
	if err != nil {
		s.Close()
		return nil, 0
	}
	if carry { // so that an answer in small pieces does not wait for an ACK
		sockeye.TCP_QUICKACK.Set(s, true)
	}
	s.SetNonblock(false)
	return s, sent
}
