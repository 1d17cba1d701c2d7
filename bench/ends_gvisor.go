package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	gvloopback "gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	gvstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// GvisorEnds are gVisor's netstack as it is without further settings, reached by its
// adapters to package net: on its loopback link, or two of them joined by its pipe, which is
// the fastest of its links that have checksums.
type gvisorEnds struct {
	client, server *gvstack.Stack
	at             netip.Addr
	port           uint16
}

const gvisorNIC = 1

func openGVisor(m medium) (ends, error) {
	if m == fast {
		at := netip.MustParsePrefix("127.0.0.1/8")
		s, err := newGVisor(gvloopback.New(), at)
		return &gvisorEnds{s, s, at.Addr(), 1024}, err
	}
	a, b := pipe.New("\x02\x00\x00\x00\x00\x01", "\x02\x00\x00\x00\x00\x02", link1500)
	at := netip.MustParsePrefix("10.0.0.2/24")
	client, err := newGVisor(a, netip.MustParsePrefix("10.0.0.1/24"))
	if err != nil {
		return nil, err
	}
	server, err := newGVisor(b, at)
	return &gvisorEnds{client, server, at.Addr(), 1024}, err
}

const link1500 = 1500

func newGVisor(link gvstack.LinkEndpoint, at netip.Prefix) (*gvstack.Stack, error) {
	s := gvstack.New(gvstack.Options{
		NetworkProtocols:   []gvstack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
		TransportProtocols: []gvstack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})
	err := s.CreateNIC(gvisorNIC, link)
	if err == nil {
		err = s.AddProtocolAddress(gvisorNIC, tcpip.ProtocolAddress{
			Protocol:          ipv4.ProtocolNumber,
			AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(at.Addr().As4()), PrefixLen: at.Bits()},
		}, gvstack.AddressProperties{})
	}
	if err != nil {
		return nil, errors.New(err.String())
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: gvisorNIC}})
	return s, nil
}

// next is an address to listen at that nobody has used.
func (e *gvisorEnds) next() tcpip.FullAddress {
	e.port++
	return gvisorAddress(netip.AddrPortFrom(e.at, e.port))
}

func gvisorAddress(at netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: gvisorNIC, Addr: tcpip.AddrFrom4(at.Addr().As4()), Port: at.Port()}
}

func parseGVisor(a net.Addr) (tcpip.FullAddress, error) {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil || !at.Addr().Is4() {
		return tcpip.FullAddress{}, fmt.Errorf("%v: not an address of IPv4 with a port", a)
	}
	return gvisorAddress(at), nil
}

func (e *gvisorEnds) Listen() (net.Listener, error) {
	return gonet.ListenTCP(e.server, e.next(), ipv4.ProtocolNumber)
}

func (e *gvisorEnds) Dial(to net.Addr) (net.Conn, error) {
	at, err := parseGVisor(to)
	if err != nil {
		return nil, err
	}
	return gonet.DialContextTCP(context.Background(), e.client, at, ipv4.ProtocolNumber)
}

func (e *gvisorEnds) ListenPacket() (net.PacketConn, error) {
	at := e.next()
	return gonet.DialUDP(e.server, &at, nil, ipv4.ProtocolNumber)
}

func (e *gvisorEnds) DialPacket(to net.Addr) (net.Conn, error) {
	at, err := parseGVisor(to)
	if err != nil {
		return nil, err
	}
	return gonet.DialUDP(e.client, nil, &at, ipv4.ProtocolNumber)
}
