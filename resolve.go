package sockeye

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

// Resolve gives the socket addresses that an address string of package net
// stands for, in the order in which they are to be tried: what getaddrinfo(3)
// is in C. The network is one of package net's, such as "tcp", "udp6", "ip4:icmp"
// or "unix". Names are asked of the engine where it knows names (Resolver), and
// else of the process's resolver; services are looked up by name.
func (h *Host) Resolve(ctx context.Context, network, address string) ([]Sockaddr, error) {
	n, err := parseNetwork(network)
	if err != nil {
		return nil, err
	}
	addrs, err := h.resolve(ctx, n, address)
	if err != nil {
		return nil, err
	}
	sas := make([]Sockaddr, len(addrs))
	for i, a := range addrs {
		if sas[i], err = h.sockaddr(n.familyOf(a), a); err != nil {
			return nil, err
		}
	}
	return sas, nil
}

// familyOf is the family of a socket that is to reach all of addrs; nil ones
// are reached by any.
func (n *network) familyOf(addrs ...net.Addr) Family {
	if n.family != AF_UNSPEC {
		return n.family
	}
	for _, a := range addrs {
		if a != nil && !isIPv4(a) {
			return AF_INET6
		}
	}
	return AF_INET
}

// resolve is Resolve in the addresses of package net: one without an IP
// address for an empty host.
func (h *Host) resolve(ctx context.Context, n network, address string) ([]net.Addr, error) {
	if n.kind == "unix" {
		return []net.Addr{&net.UnixAddr{Name: address, Net: n.name}}, nil
	}
	host, port := address, 0
	if n.kind != "ip" && address != "" {
		var service string
		var err error
		if host, service, err = net.SplitHostPort(address); err != nil {
			return nil, err
		}
		if port, err = net.DefaultResolver.LookupPort(ctx, n.name, service); err != nil {
			return nil, err
		}
	}
	if host == "" {
		return []net.Addr{n.addrOf(netip.Addr{}, port)}, nil
	}
	ips, err := h.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	var addrs []net.Addr
	for _, ip := range ips {
		if n.family == AF_UNSPEC || ip.Is4() == (n.family == AF_INET) {
			addrs = append(addrs, n.addrOf(ip, port))
		}
	}
	if len(addrs) == 0 {
		return nil, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	return addrs, nil
}

// addrOf is an address of package net.
func (n *network) addrOf(ip netip.Addr, port int) net.Addr {
	slice, zone := net.IP(ip.AsSlice()), ip.Zone()
	switch n.kind {
	case "tcp":
		return &net.TCPAddr{IP: slice, Port: port, Zone: zone}
	case "udp":
		return &net.UDPAddr{IP: slice, Port: port, Zone: zone}
	}
	return &net.IPAddr{IP: slice, Zone: zone}
}

// lookup gives the addresses of a host, IPv4-mapped ones as IPv4.
func (h *Host) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		ips := []netip.Addr{ip.Unmap()}
		if ip == netip.IPv6Unspecified() { // a host may have no IPv6 to reach itself by
			ips = append(ips, netip.IPv4Unspecified())
		}
		return ips, nil
	}
	names, err := h.resolver().LookupHost(ctx, host)
	if err != nil {
		return nil, dialCause(err)
	}
	var ips []netip.Addr
	for _, name := range names {
		if ip, err := netip.ParseAddr(name); err == nil {
			ips = append(ips, ip.Unmap())
		}
	}
	return ips, nil
}

// The errors that package net gives where a context ends a dial: their texts
// are its own, and errors.Is finds the context's.
type (
	canceledError struct{}
	timeoutError  struct{}
)

func (canceledError) Error() string        { return "operation was canceled" }
func (canceledError) Is(target error) bool { return target == context.Canceled }

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }
func (timeoutError) Is(target error) bool {
	return target == context.DeadlineExceeded
}

// dialCause is why a dial failed, as package net has it inside a *net.OpError.
func dialCause(err error) error {
	switch e, ok := err.(*Error); {
	case ok && errors.Is(e.Err, context.Canceled), err == context.Canceled:
		return canceledError{}
	case ok && errors.Is(e.Err, context.DeadlineExceeded), err == context.DeadlineExceeded:
		return timeoutError{}
	case ok:
		return cause(e.Call, err)
	}
	return err
}
