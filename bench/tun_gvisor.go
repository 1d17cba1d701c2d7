package main

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/link/tun"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// gVisor's netstack behind a device: its link for descriptors leaves segmentation to the
// kernel on a packet socket, and not on a TUN device.
const (
	gvisorTUN    = "gvisor"
	gvisorPacket = "gvisor-packet"
)

func openGVisorTUN() (end func(), err error) {
	const device = "tun0"
	fd, err := tun.Open(device)
	if err != nil {
		return nil, fmt.Errorf("gVisor's TUN device: %w", err)
	}
	if err := configure("", device, kernelEnd); err != nil {
		return nil, err
	}
	return serveGVisor(fdbased.Options{FDs: []int{fd}, MTU: link1500})
}

// openGVisorPacket is a packet socket at one end of a veth pair.
func openGVisorPacket() (end func(), err error) {
	err = shell("ip link add veth0 type veth peer name veth1", "ip link set up dev veth1")
	if err == nil {
		err = configure("", "veth0", kernelEnd)
	}
	if err != nil {
		return nil, err
	}
	dev, err := net.InterfaceByName("veth1")
	if err != nil {
		return nil, err
	}
	const everything = unix.ETH_P_ALL << 8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, everything)
	if err != nil {
		return nil, fmt.Errorf("a packet socket: %w", err)
	}
	const queue = 4 << 20
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, queue),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, queue),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: dev.Index}),
	)
	if err != nil {
		return nil, fmt.Errorf("a packet socket on %s: %w", dev.Name, err)
	}
	return serveGVisor(fdbased.Options{
		FDs: []int{fd}, MTU: link1500, EthernetHeader: true, Address: tcpip.LinkAddress(dev.HardwareAddr),
		PacketDispatchMode: fdbased.RecvMMsg, GSOMaxSize: 65536, RXChecksumOffload: true,
	})
}

func serveGVisor(o fdbased.Options) (end func(), err error) {
	link, err := fdbased.New(&o)
	if err != nil {
		return nil, err
	}
	s, err := newGVisor(link, otherEnd)
	if err != nil {
		return nil, err
	}
	l, err := gonet.ListenTCP(s, gvisorAddress(served), ipv4.ProtocolNumber)
	if err != nil {
		return nil, err
	}
	go serveIperf(l)
	return s.Close, nil // and not Destroy, which waits for its reader of the device
}
