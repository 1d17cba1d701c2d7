package labup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"sockeye"
	"sockeye/addr"
	"sockeye/cmd/sockeye/labfile"
	"sockeye/relay"
)

// scheme is that of a port.
func scheme(udp bool) string {
	if udp {
		return "udp://"
	}
	return "tcp://"
}

// A Port is a port of this machine that leads into the lab.
type Port struct {
	Address string `json:"address"` // tcp://127.0.0.1:8080
	By      string `json:"by"`      // the host
	To      string `json:"to"`      // web:80
}

// A PortError is that of a port of this machine that could not be had.
type PortError struct {
	Address string // tcp://127.0.0.1:8080
	To      string // where it was to lead
	Err     error
}

// Error is the port, where it leads to, and the cause.
func (e *PortError) Error() string {
	return fmt.Sprintf("%s, which leads to %s: %v", e.Address, e.To, e.Err)
}

// Unwrap gives the cause.
func (e *PortError) Unwrap() error { return e.Err }

// forward leads a port of this machine, by way of the host, to a host of the lab.
func (h *host) forward(f labfile.Forward) (*job, error) {
	at, err := addr.Parse(scheme(f.UDP) + f.From.String())
	if err != nil {
		return nil, err
	}
	to, err := addr.Parse(scheme(f.UDP) + f.To)
	if err != nil {
		return nil, err
	}
	s, err := at.Listen(h.lab.ctx, h.lab.Machine, sockeye.SOMAXCONN)
	if errors.Is(err, syscall.EADDRINUSE) && h.lab.AnyPort {
		at.Port = 0
		s, err = at.Listen(h.lab.ctx, h.lab.Machine, sockeye.SOMAXCONN)
	}
	if err != nil {
		return nil, &PortError{scheme(f.UDP) + f.From.String(), f.To, err}
	}
	local, err := addr.LocalOf(s)
	if err != nil {
		s.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(h.lab.ctx)
	port := &Port{local.String(), h.name, f.To}
	h.lab.run(func() {
		err := relay.Serve(ctx, s, relay.Target{Dial: func(ctx context.Context) (*sockeye.Socket, error) {
			return to.Connect(ctx, h.sockets())
		}}, h.lab.tell(local.String(), f.To))
		if err != nil && ctx.Err() == nil {
			h.lab.logf("%s: %v", local, err)
		}
	})
	return &job{stop: cancel, port: port}, nil
}

// reverse leads a port of the host to this machine.
func (h *host) reverse(f labfile.Forward) *job {
	from := h.name + ":" + strconv.Itoa(int(f.From.Port()))
	return h.serving("port "+strconv.Itoa(int(f.From.Port())), func(ctx context.Context, on *sockeye.Host) (service, error) {
		to, err := addr.Parse(scheme(f.UDP) + f.To)
		if err != nil {
			return nil, err
		}
		s, err := listenOn(ctx, on, f.UDP, f.From.Port())
		if err != nil {
			return nil, err
		}
		target := relay.Target{Dial: func(ctx context.Context) (*sockeye.Socket, error) { return to.Connect(ctx, h.lab.Machine) }}
		return func(ctx context.Context) error {
			return relay.Serve(ctx, s, target, h.lab.tell(scheme(f.UDP)+from, f.To+" of this machine"))
		}, nil
	})
}

// tell logs the connections and flows of a port.
func (l *Lab) tell(at, to string) func(relay.Event) {
	return func(e relay.Event) {
		switch peer := e.Peer.AddrPort().String(); {
		case e.Opened:
			l.logf("%s: %s connected to %s", at, peer, to)
		case e.Err != nil && e.Sent == 0 && e.Received == 0:
			l.logf("%s: %s to %s: %v", at, peer, to, e.Err)
		case e.Err != nil:
			l.logf("%s: %s closed: %d bytes sent, %d received: %v", at, peer, e.Sent, e.Received, e.Err)
		default:
			l.logf("%s: %s closed: %d bytes sent, %d received", at, peer, e.Sent, e.Received)
		}
	}
}

// listenOn opens a socket on a port of a host of the lab, for TCP or UDP.
func listenOn(ctx context.Context, on *sockeye.Host, udp bool, port uint16) (*sockeye.Socket, error) {
	at, err := addr.Parse(scheme(udp) + net.JoinHostPort("", strconv.Itoa(int(port))))
	if err != nil {
		return nil, err
	}
	return at.Listen(ctx, on, sockeye.SOMAXCONN)
}
