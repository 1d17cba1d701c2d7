package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A netlink is a socket of rtnetlink(7), by which the calling thread's network namespace is set up: the
// machine may have no ip(8).
type netlink struct{ fd int }

// openNetlink opens a socket that is told of changes in the groups (RTMGRP_).
func openNetlink(groups uint32) (netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return netlink{}, fmt.Errorf("socket(AF_NETLINK): %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return netlink{}, fmt.Errorf("bind(AF_NETLINK): %w", err)
	}
	return netlink{fd}, nil
}

func (n netlink) close() { unix.Close(n.fd) }

// request sends one request, whose body is a fixed part and attributes, and waits for its answer.
func (n netlink) request(typ, flags uint16, fixed any, attributes ...[]byte) error {
	var body bytes.Buffer
	if err := binary.Write(&body, binary.NativeEndian, fixed); err != nil {
		return err
	}
	for _, a := range attributes {
		body.Write(a)
	}
	var b bytes.Buffer
	h := unix.NlMsghdr{
		Len: uint32(unix.SizeofNlMsghdr + body.Len()), Type: typ, Flags: unix.NLM_F_REQUEST | unix.NLM_F_ACK | flags, Seq: 1,
	}
	if err := binary.Write(&b, binary.NativeEndian, h); err != nil {
		return err
	}
	b.Write(body.Bytes())
	if err := unix.Sendto(n.fd, b.Bytes(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	size, _, err := unix.Recvfrom(n.fd, answer, 0)
	if err != nil {
		return err
	}
	if size < unix.SizeofNlMsghdr+4 {
		return fmt.Errorf("rtnetlink answered with %d bytes", size)
	}
	if errno := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); errno != 0 {
		return syscall.Errno(-errno)
	}
	return nil
}

// attribute is a struct rtattr with its value, padded.
func attribute(typ uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, typ), value...)
	return append(b, make([]byte, (4-len(b)%4)%4)...)
}

// up turns an interface on.
func (n netlink) up(device *net.Interface) error {
	return n.request(unix.RTM_NEWLINK, 0, unix.IfInfomsg{Index: int32(device.Index), Flags: unix.IFF_UP, Change: unix.IFF_UP})
}

// address gives an interface an address, which is its own at once: nobody else on the link has it.
func (n netlink) address(device *net.Interface, a netip.Prefix) error {
	ip := a.Addr().AsSlice()
	m := unix.IfAddrmsg{Family: family(a.Addr()), Prefixlen: uint8(a.Bits()), Index: uint32(device.Index)}
	if a.Addr().Is6() {
		m.Flags = unix.IFA_F_NODAD
	}
	err := n.request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m, attribute(unix.IFA_LOCAL, ip), attribute(unix.IFA_ADDRESS, ip))
	if err != nil {
		return fmt.Errorf("the address %v: %w", a, err)
	}
	return nil
}

// addressPatience is how long the kernel may take to begin to use an address.
const addressPatience = 10 * time.Second

// awaitAddress waits until the kernel takes packets for an IPv6 address of the machine's own: it says so,
// in the group RTMGRP_IPV6_ROUTE, some time after it has agreed to have it (addrconf_dad_work).
func (n netlink) awaitAddress(ip netip.Addr) error {
	patience := unix.NsecToTimeval(addressPatience.Nanoseconds())
	if err := unix.SetsockoptTimeval(n.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		size, _, err := unix.Recvfrom(n.fd, buf, 0)
		if err == unix.EINTR { // as with any timeout: Go's scheduler sends signals
			continue
		}
		if err != nil {
			return fmt.Errorf("waiting for the address %v: %w", ip, err)
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:size])
		if err != nil {
			return err
		}
		for _, m := range messages {
			const typeAt = 7 // rtm_type
			if m.Header.Type != unix.RTM_NEWROUTE || len(m.Data) < unix.SizeofRtMsg || m.Data[typeAt] != unix.RTN_LOCAL {
				continue
			}
			attributes, err := syscall.ParseNetlinkRouteAttr(&m)
			if err != nil {
				return err
			}
			for _, a := range attributes {
				if a.Attr.Type == unix.RTA_DST && bytes.Equal(a.Value, ip.AsSlice()) {
					return nil
				}
			}
		}
	}
}

// hardware gives an interface that is not up an address.
func (n netlink) hardware(device *net.Interface, address []byte) error {
	err := n.request(unix.RTM_NEWLINK, 0, unix.IfInfomsg{Index: int32(device.Index)}, attribute(unix.IFLA_ADDRESS, address))
	if err != nil {
		return fmt.Errorf("the hardware address %v: %w", net.HardwareAddr(address), err)
	}
	return nil
}

// route leads to a network by way of a gateway.
func (n netlink) route(dst netip.Prefix, gateway netip.Addr) error {
	attributes := [][]byte{attribute(unix.RTA_GATEWAY, gateway.AsSlice())}
	if dst.Bits() > 0 {
		attributes = append(attributes, attribute(unix.RTA_DST, dst.Addr().AsSlice()))
	}
	err := n.request(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, unix.RtMsg{
		Family: family(gateway), Dst_len: uint8(dst.Bits()), Table: unix.RT_TABLE_MAIN, Protocol: unix.RTPROT_BOOT, Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_UNICAST,
	}, attributes...)
	if err != nil {
		return fmt.Errorf("the route to %v by %v: %w", dst, gateway, err)
	}
	return nil
}

func family(ip netip.Addr) uint8 {
	if ip.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
