// Command ping asks a host for echoes, over a raw ICMP socket (RFC 792, RFC
// 4443).
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"sockeye"
	"sockeye/kernel"
)

const (
	count    = 4
	interval = time.Second // between two requests, and the longest wait for an answer
)

// An echo is what tells ICMP and ICMPv6 apart.
type echo struct {
	proto          sockeye.Protocol
	request, reply byte // the type field
}

var (
	echo4 = echo{sockeye.IPPROTO_ICMP, 8, 0}
	echo6 = echo{sockeye.IPPROTO_ICMPV6, 128, 129}
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: ping HOST")
		os.Exit(2)
	}
	ips, err := net.LookupIP(os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "ping: host %q: want a name that resolves or an IP address: %v\n", os.Args[1], err)
		os.Exit(2)
	}
	ip, _ := netip.AddrFromSlice(ips[0])
	err = ping(sockeye.SockaddrInet(netip.AddrPortFrom(ip.Unmap(), 0)))
	switch {
	case errors.Is(err, syscall.EPERM):
		fmt.Fprintln(os.Stderr, "ping: a raw socket needs privilege: run it as root or with CAP_NET_RAW")
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "ping:", err)
		os.Exit(1)
	}
}

func ping(host sockeye.Sockaddr) error {
	e := echo4
	if host.Family() == sockeye.AF_INET6 {
		e = echo6
	}
	s, err := kernel.Host().Socket(host.Family(), sockeye.SOCK_RAW, e.proto)
	if err != nil {
		return err
	}
	defer s.Close()
	id := uint16(os.Getpid())
	answers := 0
	for seq := uint16(1); seq <= count; seq++ {
		sent := time.Now()
		if _, err := s.Sendto(e.message(id, seq), 0, host); err != nil {
			return err
		}
		if err := s.SetReadDeadline(sent.Add(interval)); err != nil {
			return err
		}
		n, from, err := e.await(s, id, seq)
		switch {
		case err == nil:
			answers++
			fmt.Printf("%d bytes from %v: icmp_seq=%d time=%.3f ms\n", n, from.Addr(), seq, time.Since(sent).Seconds()*1000)
		case errors.Is(err, os.ErrDeadlineExceeded):
			fmt.Printf("no answer from %v: icmp_seq=%d\n", host.Addr(), seq)
			continue
		default:
			return err
		}
		if seq < count {
			time.Sleep(time.Until(sent.Add(interval)))
		}
	}
	fmt.Printf("%d sent, %d received\n", count, answers)
	if answers == 0 {
		return fmt.Errorf("%v does not answer", host.Addr())
	}
	return nil
}

// message is an echo request with 56 bytes of data.
func (e echo) message(id, seq uint16) []byte {
	m := make([]byte, 8+56)
	m[0] = e.request
	binary.BigEndian.PutUint16(m[4:], id)
	binary.BigEndian.PutUint16(m[6:], seq)
	for i := range m[8:] {
		m[8+i] = byte(i)
	}
	if e == echo4 { // of ICMPv6 the kernel fills it in, for it covers the addresses too
		binary.BigEndian.PutUint16(m[2:], checksum(m))
	}
	return m
}

// checksum is that of RFC 1071, over an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 0; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// await receives until the answer to a request comes: a raw socket gets a copy
// of every ICMP message that the machine receives.
func (e echo) await(s *sockeye.Socket, id, seq uint16) (n int, from sockeye.Sockaddr, err error) {
	want := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, id), seq)
	buf := make([]byte, 2048)
	for {
		n, from, err := s.Recvfrom(buf, 0)
		if err != nil {
			return 0, from, err
		}
		m := buf[:n]
		if e == echo4 { // the IP header comes first; IHL is its length in words
			m = m[min(len(m), int(m[0]&0xf)*4):]
		}
		if len(m) >= 8 && m[0] == e.reply && bytes.Equal(m[4:8], want) {
			return len(m), from, nil
		}
	}
}
