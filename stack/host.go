package stack

import (
	"context"
	"syscall"
	"time"

	"sockeye"
	"sockeye/stack/sock"
	"sockeye/stack/unix"
)

// A Config says what a host is like. The zero Config is an unprivileged user's
// on a fresh machine.
type Config struct {
	Name        string              // in messages; "stack" if empty
	Privileged  bool                // may do what Linux asks capabilities for
	Credentials sockeye.Credentials // whom programs on it run as
	Sysctl      *sock.Sysctl        // nil: DefaultSysctl
}

// A Host is a host in pure Go.
type Host struct {
	name string
	sock sock.Host
	unix *unix.Family
	host *sockeye.Host
}

// NewHost makes a host.
func NewHost(c Config) *Host {
	h := &Host{name: c.Name}
	if h.name == "" {
		h.name = "stack"
	}
	h.sock.Sysctl = sock.DefaultSysctl()
	if c.Sysctl != nil {
		h.sock.Sysctl = *c.Sysctl
	}
	h.sock.Privileged, h.sock.Credentials = c.Privileged, c.Credentials
	h.unix = unix.NewFamily(&h.sock)
	h.host = sockeye.NewHost(engine{h})
	return h
}

// Sockets is the host as programs see it.
func (h *Host) Sockets() *sockeye.Host { return h.host }

// engine is a Host as package sockeye wants it.
type engine struct{ h *Host }

func (e engine) Name() string { return e.h.name }

func (e engine) Socket(family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) (sockeye.Endpoint, error) {
	e.h.sock.Lock()
	defer e.h.sock.Unlock()
	if typ < 0 || typ >= 11 { // SOCK_MAX
		return nil, syscall.EINVAL
	}
	if family != sockeye.AF_UNIX {
		return nil, syscall.EAFNOSUPPORT
	}
	f, err := e.h.unix.Open(typ, proto)
	if err != nil {
		return nil, err
	}
	return sock.Open(f)
}

func (e engine) Socketpair(family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) (sockeye.Endpoint, sockeye.Endpoint, error) {
	e.h.sock.Lock()
	defer e.h.sock.Unlock()
	if family != sockeye.AF_UNIX {
		return nil, nil, syscall.EAFNOSUPPORT
	}
	f, g, err := e.h.unix.Pair(typ, proto)
	if err != nil {
		return nil, nil, err
	}
	a, err := sock.Open(f)
	if err != nil {
		return nil, nil, err
	}
	b, err := sock.Open(g)
	if err != nil {
		return nil, nil, err
	}
	return a, b, nil
}

func (e engine) Poll(ctx context.Context, eps []sockeye.Endpoint, events, revents []sockeye.Events, deadline time.Time) (int, error) {
	return e.h.sock.Poll(ctx, eps, events, revents, deadline)
}

func (e engine) Unlink(path string) error {
	e.h.sock.Lock()
	defer e.h.sock.Unlock()
	return e.h.unix.Unlink(path)
}

// Chmod sets the permissions of a unix socket's path name.
func (h *Host) Chmod(path string, mode uint32) error {
	h.sock.Lock()
	defer h.sock.Unlock()
	return h.unix.Chmod(path, mode)
}
