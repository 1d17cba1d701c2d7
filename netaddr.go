package sockeye

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// netAddr is an address as package net has it: a *net.TCPAddr, *net.UDPAddr,
// *net.IPAddr or *net.UnixAddr; nil for the zero Sockaddr. A zone is the
// interface's index in decimal.
func (n network) netAddr(sa Sockaddr) net.Addr {
	if sa.IsZero() {
		return nil
	}
	ip, port := sa.Addr().AsSlice(), int(sa.Port())
	switch n.kind {
	case "tcp":
		return &net.TCPAddr{IP: ip, Port: port, Zone: sa.Addr().Zone()}
	case "udp":
		return &net.UDPAddr{IP: ip, Port: port, Zone: sa.Addr().Zone()}
	case "ip":
		return &net.IPAddr{IP: ip, Zone: sa.Addr().Zone()}
	}
	return n.unixAddr(sa)
}

// unixAddr writes the NUL byte of an abstract name as "@", and an unnamed
// address as "@" too, as package net does.
func (n network) unixAddr(sa Sockaddr) *net.UnixAddr {
	name := sa.Path()
	if name == "" || name[0] == 0 {
		name = "@" + strings.TrimPrefix(name, "\x00")
	}
	return &net.UnixAddr{Name: name, Net: n.name}
}

// unixSockaddr reads the name of a net.UnixAddr: a path, or "@" and an abstract
// name.
func unixSockaddr(name string) Sockaddr {
	if abstract, ok := strings.CutPrefix(name, "@"); ok {
		return SockaddrAbstract(abstract)
	}
	return SockaddrUnix(name)
}

// addrPort takes apart an address of package net. No IP address gives the zero
// netip.Addr; ok is false for other addresses than those of IP.
func addrPort(a net.Addr) (ap netip.AddrPort, ok bool) {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort(), true
	case *net.UDPAddr:
		return a.AddrPort(), true
	case *net.IPAddr:
		ip, _ := netip.AddrFromSlice(a.IP)
		return netip.AddrPortFrom(ip.WithZone(a.Zone), 0), true
	}
	return netip.AddrPort{}, false
}

// isWildcard tells whether an address names no interface in particular.
func isWildcard(a net.Addr) bool {
	ap, ok := addrPort(a)
	return ok && (!ap.Addr().IsValid() || ap.Addr().IsUnspecified())
}

// isIPv4 tells whether a socket of AF_INET can reach an address.
func isIPv4(a net.Addr) bool {
	ap, ok := addrPort(a)
	return ok && (!ap.Addr().IsValid() || ap.Addr().Unmap().Is4())
}

// sockaddr is an address of package net for a socket of the family.
func (h *Host) sockaddr(family Family, a net.Addr) (Sockaddr, error) {
	if u, ok := a.(*net.UnixAddr); ok && family == AF_UNIX {
		return unixSockaddr(u.Name), nil
	}
	ap, ok := addrPort(a)
	if !ok || family == AF_UNIX {
		return Sockaddr{}, &net.AddrError{Err: "unexpected address type", Addr: a.String()}
	}
	return h.inetSockaddr(family, ap)
}

// inetSockaddr is the address of a socket of AF_INET or AF_INET6; in the
// latter an IPv4 address is mapped (RFC 4291 section 2.5.5.2), but for
// 0.0.0.0, which means any address there as well.
func (h *Host) inetSockaddr(family Family, ap netip.AddrPort) (Sockaddr, error) {
	ip := ap.Addr().Unmap()
	if !ip.IsValid() || ip == netip.IPv4Unspecified() {
		if family == AF_INET {
			return SockaddrInet4([4]byte{}, ap.Port()), nil
		}
		return SockaddrInet6([16]byte{}, ap.Port(), 0, 0), nil
	}
	if family == AF_INET {
		if !ip.Is4() {
			return Sockaddr{}, &net.AddrError{Err: "non-IPv4 address", Addr: ip.String()}
		}
		return SockaddrInet4(ip.As4(), ap.Port()), nil
	}
	scope, err := h.scopeID(ip.Zone())
	if err != nil {
		return Sockaddr{}, err
	}
	return SockaddrInet6(ip.As16(), ap.Port(), 0, scope), nil
}

// scopeID is the index of the interface that a zone names (RFC 4007 section 11).
func (h *Host) scopeID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if id, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(id), nil
	}
	index, err := h.resolver().InterfaceIndex(zone)
	if err != nil {
		return 0, &net.AddrError{Err: "no such network interface", Addr: zone}
	}
	return uint32(index), nil
}
