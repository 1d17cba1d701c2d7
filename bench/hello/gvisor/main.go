// Command gvisor says hello to itself over TCP, on gVisor's netstack.
package main

import (
	"io"
	"os"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

func main() {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	at := tcpip.FullAddress{NIC: 1, Addr: tcpip.AddrFrom4([4]byte{127, 0, 0, 1}), Port: 5000}
	refuse(s.CreateNIC(at.NIC, loopback.New()))
	refuse(s.AddProtocolAddress(at.NIC, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: at.Addr, PrefixLen: 8},
	}, stack.AddressProperties{}))
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: at.NIC}})

	l, err := gonet.ListenTCP(s, at, ipv4.ProtocolNumber)
	check(err)
	c, err := gonet.DialTCP(s, at, ipv4.ProtocolNumber)
	check(err)
	_, err = io.WriteString(c, "hello\n")
	check(err)
	check(c.Close())
	conn, err := l.Accept()
	check(err)
	_, err = io.Copy(os.Stdout, conn)
	check(err)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func refuse(err tcpip.Error) {
	if err != nil {
		panic(err.String())
	}
}
