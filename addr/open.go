package addr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"sockeye"
)

// An Info is one way to open an address, as getaddrinfo(3) gives them: the
// arguments of socket(2), and those of bind(2) or connect(2).
type Info struct {
	Family   sockeye.Family
	Type     sockeye.Type
	Protocol sockeye.Protocol
	Sockaddr sockeye.Sockaddr
}

// ErrNoAddress is the error of a name whose addresses are all of another family
// than was asked for.
var ErrNoAddress = errors.New("no address of this family")

// Local gives the ways to bind a socket to the address, the best first. No host
// means any address: of IPv6, which takes IPv4 as well, or else of IPv4.
func (a Address) Local(ctx context.Context, h *sockeye.Host) ([]Info, error) {
	return a.infos(ctx, h, netip.IPv6Unspecified(), netip.IPv4Unspecified())
}

// Remote gives the ways to connect to the address, in the order in which to try
// them. No host means this machine.
func (a Address) Remote(ctx context.Context, h *sockeye.Host) ([]Info, error) {
	if s := a.scheme(); s.form == hostPort && a.Port == 0 {
		return nil, &Error{a.String(), "nobody can be reached at port 0: ports go from 1 to 65535", ""}
	}
	return a.infos(ctx, h, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
}

func (a Address) infos(ctx context.Context, h *sockeye.Host, noHost ...netip.Addr) ([]Info, error) {
	if a.Family == sockeye.AF_UNIX {
		return []Info{{a.Family, a.Type, 0, sockeye.SockaddrUnix(a.Path)}}, nil
	}
	var all []sockeye.Sockaddr
	for _, ip := range noHost {
		all = append(all, sockeye.SockaddrInet(netip.AddrPortFrom(ip, a.Port)))
	}
	if a.Host != "" {
		var err error
		if all, err = h.Resolve(ctx, "tcp", net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))); err != nil {
			return nil, err
		}
	}
	var infos []Info
	for _, sa := range all {
		if a.Family == sockeye.AF_UNSPEC || a.Family == sa.Family() {
			infos = append(infos, Info{sa.Family(), a.Type, a.protocol(sa.Family()), sa})
		}
	}
	if len(infos) == 0 {
		return nil, fmt.Errorf("%s: %w", a.Host, ErrNoAddress)
	}
	return infos, nil
}

// protocol is the protocol over one family: ICMP is another one over IPv6.
func (a Address) protocol(f sockeye.Family) sockeye.Protocol {
	if a.Protocol == sockeye.IPPROTO_ICMP && f == sockeye.AF_INET6 {
		return sockeye.IPPROTO_ICMPV6
	}
	return a.Protocol
}

// interfaceName is the name of the host's interface with an index.
func interfaceName(h *sockeye.Host, index int) (string, error) {
	if r, ok := h.Engine().(sockeye.Resolver); ok {
		return r.InterfaceName(index)
	}
	i, err := net.InterfaceByIndex(index)
	if err != nil {
		return "", err
	}
	return i.Name, nil
}

// Socket opens a socket of the kind, not bound and not connected.
func (i Info) Socket(h *sockeye.Host) (*sockeye.Socket, error) {
	return h.Socket(i.Family, i.Type, i.Protocol)
}

// Listen opens a socket that is bound to the address and, where the kind makes
// connections, listens with the backlog. TCP may take a port over from
// connections that have ended (SO_REUSEADDR), and tcp:// without a host hears
// IPv4 and IPv6.
func (a Address) Listen(ctx context.Context, h *sockeye.Host, backlog int) (*sockeye.Socket, error) {
	infos, err := a.Local(ctx, h)
	if err != nil {
		return nil, err
	}
	var first error
	for _, i := range infos {
		s, err := a.listen(h, i, backlog)
		if err == nil {
			return s, nil
		}
		if first == nil {
			first = err
		}
		// A machine without IPv6 says so in one of these two ways.
		if !errors.Is(err, syscall.EAFNOSUPPORT) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			break
		}
	}
	return nil, first
}

func (a Address) listen(h *sockeye.Host, i Info, backlog int) (*sockeye.Socket, error) {
	s, err := i.Socket(h)
	if err != nil {
		return nil, err
	}
	if err := a.bind(s, i, backlog); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (a Address) bind(s *sockeye.Socket, i Info, backlog int) error {
	if i.Family == sockeye.AF_INET6 && i.Sockaddr.Addr().IsUnspecified() {
		if err := sockeye.IPV6_V6ONLY.Set(s, a.Family == sockeye.AF_INET6); err != nil && i.Type != sockeye.SOCK_RAW {
			return err
		}
	}
	if i.Protocol == sockeye.IPPROTO_TCP {
		if err := sockeye.SO_REUSEADDR.Set(s, true); err != nil {
			return err
		}
	}
	if err := s.Bind(i.Sockaddr); err != nil {
		return err
	}
	if !a.Connected() {
		return nil
	}
	return s.Listen(backlog)
}

// Connect opens a socket that is connected to the address: to the first of the
// name's addresses that takes the connection. A unix datagram socket gets a name
// of the system's choice, so that it can be answered.
func (a Address) Connect(ctx context.Context, h *sockeye.Host) (*sockeye.Socket, error) {
	infos, err := a.Remote(ctx, h)
	if err != nil {
		return nil, err
	}
	var first error
	for _, i := range infos {
		s, err := connect(ctx, h, i)
		if err == nil {
			return s, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

func connect(ctx context.Context, h *sockeye.Host, i Info) (*sockeye.Socket, error) {
	s, err := i.Socket(h)
	if err != nil {
		return nil, err
	}
	if i.Family == sockeye.AF_UNIX && i.Type == sockeye.SOCK_DGRAM {
		err = s.Bind(sockeye.SockaddrUnix(""))
	}
	if err == nil {
		err = s.WithContext(ctx).Connect(i.Sockaddr)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
