package sockeye

import (
	"context"
	"net"
	"syscall"
)

// A Host is where sockets are opened: the machine itself (package kernel), or a
// host in pure Go. All its methods may be called at once.
type Host struct {
	engine Engine
	tracer tracer // nil: calls are not traced
}

// NewHost is the host that stands on an engine.
func NewHost(e Engine) *Host { return &Host{engine: e} }

// Engine is the engine that the host stands on.
func (h *Host) Engine() Engine { return h.engine }

// String is the engine's name.
func (h *Host) String() string { return h.engine.Name() }

// Socket is socket(2). A protocol of 0 chooses the natural one for the family
// and type. SOCK_NONBLOCK in typ makes a socket whose calls give EAGAIN instead
// of waiting; SOCK_CLOEXEC is accepted, and always so.
func (h *Host) Socket(family Family, typ Type, proto Protocol) (*Socket, error) {
	if t := h.tracer; t != nil {
		return t.socket(h, family, typ, proto)
	}
	return h.socket(family, typ, proto)
}

func (h *Host) socket(family Family, typ Type, proto Protocol) (*Socket, error) {
	ep, err := h.engine.Socket(family, typ&^(SOCK_NONBLOCK|SOCK_CLOEXEC), proto)
	if err != nil {
		return nil, &Error{Call: callSocket.name, Err: err}
	}
	return h.newSocket(ep, family, typ), nil
}

// Socketpair is socketpair(2): two connected sockets of AF_UNIX.
func (h *Host) Socketpair(family Family, typ Type, proto Protocol) (*Socket, *Socket, error) {
	if t := h.tracer; t != nil {
		return t.socketpair(h, family, typ, proto)
	}
	return h.socketpair(family, typ, proto)
}

func (h *Host) socketpair(family Family, typ Type, proto Protocol) (*Socket, *Socket, error) {
	a, b, err := h.engine.Socketpair(family, typ&^(SOCK_NONBLOCK|SOCK_CLOEXEC), proto)
	if err != nil {
		return nil, nil, &Error{Call: callSocketpair.name, Err: err}
	}
	return h.newSocket(a, family, typ), h.newSocket(b, family, typ), nil
}

func (h *Host) newSocket(ep Endpoint, family Family, typ Type) *Socket {
	c := &core{host: h, ep: ep}
	c.family.Store(int32(family))
	c.typ.Store(int32(typ.Base()))
	c.nonblock.Store(typ&SOCK_NONBLOCK != 0)
	return &Socket{c: c}
}

// adopt makes a socket of an endpoint that was opened elsewhere, with options
// of its own.
func (h *Host) adopt(ep Endpoint) *Socket {
	s := h.newSocket(ep, 0, 0)
	s.c.learnOptions()
	return s
}

// Adopt makes a socket of an endpoint. It is for engines that can open sockets
// by other means than socket(2), such as from a file descriptor.
func (h *Host) Adopt(ep Endpoint) *Socket { return h.adopt(ep) }

// Unlink removes the path that a unix socket was bound to (unlink(2)), in the
// file system that the host's unix sockets live in. Until then the path
// refuses Bind with EADDRINUSE, even if the socket is closed.
func (h *Host) Unlink(path string) error {
	if t := h.tracer; t != nil {
		return t.unlink(h, path)
	}
	return h.unlink(path)
}

func (h *Host) unlink(path string) error {
	u, ok := h.engine.(Unlinker)
	if !ok {
		return &Error{Call: callUnlink.name, Remote: SockaddrUnix(path), Err: syscall.EOPNOTSUPP}
	}
	if err := u.Unlink(path); err != nil {
		return &Error{Call: callUnlink.name, Remote: SockaddrUnix(path), Err: err}
	}
	return nil
}

// resolver is who knows names for this host.
func (h *Host) resolver() Resolver {
	if r, ok := h.engine.(Resolver); ok {
		return r
	}
	return processResolver{}
}

// processResolver is the resolver of the machine that the process runs on.
type processResolver struct{}

func (processResolver) LookupHost(ctx context.Context, name string) ([]string, error) {
	return net.DefaultResolver.LookupHost(ctx, name)
}

func (processResolver) InterfaceIndex(name string) (int, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	return i.Index, nil
}

func (processResolver) InterfaceName(index int) (string, error) {
	i, err := net.InterfaceByIndex(index)
	if err != nil {
		return "", err
	}
	return i.Name, nil
}
