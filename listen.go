package sockeye

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// A ListenConfig listens as net.ListenConfig does, on sockets of a Host. The
// zero value with a Host is ready; it may be used by several goroutines at once.
type ListenConfig struct {
	// Host is where the sockets are opened.
	Host *Host
	// Backlog bounds the established connections that wait for Accept
	// (listen(2)); 0 means SOMAXCONN, as many as the system allows.
	Backlog int
	// KeepAlive is how long an accepted TCP connection is idle before
	// keepalive probes it; 0 means 15 s, and a negative one turns keepalive off.
	KeepAlive time.Duration
	// KeepAliveConfig goes before KeepAlive where it is enabled.
	KeepAliveConfig net.KeepAliveConfig
	// Control, if not nil, is called with the socket after this package's own
	// options are set (SO_REUSEADDR on stream sockets among them), and before
	// bind. Accepted connections inherit most options of TCP.
	Control func(*Socket) error
}

// Listen listens on a stream network of package net: "tcp", "tcp4", "tcp6", "unix"
// or "unixpacket". It gives a *Listener. With an empty host, and with 0.0.0.0
// on "tcp", it listens on all addresses, of IPv6 and IPv4 where there are both.
// Port 0 takes a free one. Its errors are package net's: a *net.OpError.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	lc := ListenConfig{Host: h}
	return lc.Listen(context.Background(), network, address)
}

// ListenPacket is Listen for datagrams: "udp", "udp4", "udp6", "unixgram",
// "ip:proto", "ip4:proto" or "ip6:proto". It gives a *UDPConn, *UnixConn or *IPConn.
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	lc := ListenConfig{Host: h}
	return lc.ListenPacket(context.Background(), network, address)
}

// Listen is Host.Listen as the ListenConfig says. The context bounds the
// resolving of names alone.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	n, s, err := lc.listen(ctx, network, address, true)
	if err != nil {
		return nil, err
	}
	l, err := newListener(s, n)
	if err != nil {
		s.Close()
		return nil, &net.OpError{Op: "listen", Net: network, Err: dialCause(err)}
	}
	l.unlink.Store(n.kind == "unix")
	return l, nil
}

// ListenPacket is Host.ListenPacket as the ListenConfig says. The context bounds
// the resolving of names alone.
func (lc *ListenConfig) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	n, s, err := lc.listen(ctx, network, address, false)
	if err != nil {
		return nil, err
	}
	return newConn(s, n, Sockaddr{}).(net.PacketConn), nil
}

// listen opens a socket and binds it, and makes it passive if streams are asked
// for.
func (lc *ListenConfig) listen(ctx context.Context, name, address string, streams bool) (network, *Socket, error) {
	failed := func(a net.Addr, err error) (network, *Socket, error) {
		return network{}, nil, &net.OpError{Op: "listen", Net: name, Addr: a, Err: dialCause(err)}
	}
	n, err := parseNetwork(name)
	if err != nil {
		return failed(nil, err)
	}
	if lc.Host == nil {
		return failed(nil, errNoHost)
	}
	addrs, err := lc.Host.resolve(ctx, n, address)
	if err != nil {
		return failed(nil, err)
	}
	a := addrs[0]
	for _, b := range addrs {
		if isIPv4(b) { // package net's choice
			a = b
			break
		}
	}
	if streams != (n.typ == SOCK_STREAM || n.typ == SOCK_SEQPACKET) {
		return failed(a, &net.AddrError{Err: "unexpected address type", Addr: address})
	}
	both := n.family == AF_UNSPEC && isWildcard(a) // IPv6 and IPv4
	v6only := n.family == AF_INET6
	if n.family = n.familyOf(a); both {
		n.family = AF_INET6
	}
	s, err := lc.open(&n, a, v6only)
	if both && isIPv4(a) && noIPv6(err) {
		n.family = AF_INET
		s, err = lc.open(&n, a, false)
	}
	if err != nil {
		return failed(a, err)
	}
	return n, s, nil
}

// noIPv6 tells whether a host has no IPv6 to listen on.
func noIPv6(err error) bool {
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// open makes the socket calls up to listen(2).
func (lc *ListenConfig) open(n *network, a net.Addr, v6only bool) (_ *Socket, err error) {
	sa, err := lc.Host.sockaddr(n.family, a)
	if err != nil {
		return nil, err
	}
	s, err := lc.Host.open(n)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	streams := n.typ != SOCK_DGRAM && n.typ != SOCK_RAW
	multicast := n.kind == "udp" && sa.Addr().IsMulticast()
	if n.kind == "tcp" || multicast {
		if err := SO_REUSEADDR.Set(s, true); err != nil {
			return nil, err
		}
	}
	if n.kind == "tcp" { // what is accepted inherits them
		setTCPDefaults(s, lc.KeepAlive, lc.KeepAliveConfig)
	}
	if err := lc.Host.setUp(s, n, v6only, lc.Control); err != nil {
		return nil, err
	}
	if multicast { // bound to any address, to be shared by several groups
		if sa, err = lc.Host.inetSockaddr(n.family, netip.AddrPortFrom(netip.Addr{}, sa.Port())); err != nil {
			return nil, err
		}
	}
	if err := s.Bind(sa); err != nil {
		return nil, err
	}
	if streams {
		backlog := lc.Backlog
		if backlog == 0 {
			backlog = SOMAXCONN
		}
		if err := s.Listen(backlog); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// open opens a socket for a network.
func (h *Host) open(n *network) (*Socket, error) { return h.Socket(n.family, n.typ, n.proto) }

// setUp sets the options that package net sets on every socket, and then lets
// the user set others.
func (h *Host) setUp(s *Socket, n *network, v6only bool, control func(*Socket) error) error {
	if n.family == AF_INET6 && n.typ != SOCK_RAW {
		IPV6_V6ONLY.Set(s, v6only) // a host may have no IPv4 to share
	}
	if n.family != AF_UNIX && n.typ != SOCK_STREAM {
		if err := SO_BROADCAST.Set(s, true); err != nil {
			return err
		}
	}
	if control == nil {
		return nil
	}
	return control(s)
}

// A Listener is a net.Listener of streams or, for "unixpacket", of records.
type Listener struct {
	s      *Socket
	n      network
	addr   net.Addr
	unlink atomic.Bool // remove the path on Close
}

// NewListener makes a Listener of a socket that Listen was called on. It takes
// the socket over, with its options; a unix path stays when it is closed.
func NewListener(s *Socket) (*Listener, error) {
	n, err := networkOf(s)
	if err != nil {
		return nil, err
	}
	listening, err := SO_ACCEPTCONN.Get(s)
	if err != nil {
		return nil, err
	}
	if !listening {
		return nil, &Error{Call: callAccept.name, Err: syscall.EINVAL}
	}
	return newListener(s, n)
}

func newListener(s *Socket, n network) (*Listener, error) {
	sa, err := s.Getsockname()
	if err != nil {
		return nil, err
	}
	return &Listener{s: s, n: n, addr: n.netAddr(sa)}, nil
}

// Accept waits for a connection: a *TCPConn or a *UnixConn.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		s, from, err := l.s.Accept()
		switch {
		case err == nil:
			return newConn(s, l.n, from), nil
		case errors.Is(err, syscall.ECONNABORTED): // one that left before it was accepted
		default:
			return nil, l.opError("accept", "accept4", err)
		}
	}
}

// Close ends listening, and removes the path that Listen made of a unix socket.
func (l *Listener) Close() error {
	if path := l.addr.String(); l.unlink.Swap(false) && path[0] != '@' {
		l.s.Host().Unlink(path)
	}
	return l.opError("close", "close", l.s.Close())
}

// Addr is the address that the socket is bound to.
func (l *Listener) Addr() net.Addr { return l.addr }

// SetDeadline bounds Accept; the zero time takes the bound away.
func (l *Listener) SetDeadline(t time.Time) error {
	return l.opError("set", "set", l.s.SetReadDeadline(t))
}

// SetUnlinkOnClose says whether Close removes the path of a unix socket. Listen
// makes it so.
func (l *Listener) SetUnlinkOnClose(unlink bool) {
	l.unlink.Store(unlink && l.n.kind == "unix")
}

// Socket is the socket below.
func (l *Listener) Socket() *Socket { return l.s }

// SyscallConn gives access to the file descriptor (syscall.Conn).
func (l *Listener) SyscallConn() (syscall.RawConn, error) { return l.s.SyscallConn() }

func (l *Listener) opError(op, call string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: l.n.name, Addr: l.addr, Err: cause(call, err)}
}
