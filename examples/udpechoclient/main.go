// Command udpechoclient sends a word to a UDP echo server and prints the
// answer.
package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// patience is how long to wait for the answer: UDP promises none.
const patience = 5 * time.Second

func main() {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: udpechoclient IP WORD [PORT]")
		os.Exit(2)
	}
	ip, err := netip.ParseAddr(os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "udpechoclient: address %q: want an IP address such as 127.0.0.1 or ::1\n", os.Args[1])
		os.Exit(2)
	}
	word := os.Args[2]
	port := uint64(7) // the echo service, RFC 862
	if len(os.Args) == 4 {
		port, err = strconv.ParseUint(os.Args[3], 10, 16)
		if err != nil || port == 0 {
			fmt.Fprintf(os.Stderr, "udpechoclient: port %q: want a number from 1 to 65535\n", os.Args[3])
			os.Exit(2)
		}
	}
	server := sockeye.SockaddrInet(netip.AddrPortFrom(ip, uint16(port)))
	answer, err := ask(server, word)
	if err != nil {
		fmt.Fprintln(os.Stderr, "udpechoclient:", err)
		os.Exit(1)
	}
	fmt.Println("Received:", answer)
}

func ask(server sockeye.Sockaddr, word string) (string, error) {
	s, err := kernel.Host().Socket(server.Family(), sockeye.SOCK_DGRAM, sockeye.IPPROTO_UDP)
	if err != nil {
		return "", err
	}
	defer s.Close()
	// A closed port answers with ICMP, of which a socket that is not connected
	// hears only when it asks to.
	if server.Family() == sockeye.AF_INET {
		err = sockeye.IP_RECVERR.Set(s, true)
	} else {
		err = sockeye.IPV6_RECVERR.Set(s, true)
	}
	if err != nil {
		return "", err
	}
	if _, err := s.Sendto([]byte(word), 0, server); err != nil {
		return "", err
	}
	if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	buf := make([]byte, 65507)
	n, from, err := s.Recvfrom(buf, 0)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", fmt.Errorf("no answer from %v within %v", server, patience)
	}
	if err != nil {
		return "", err
	}
	if from != server { // anyone can send to this socket
		return "", errors.New("received a packet from unknown source")
	}
	return string(buf[:n]), nil
}
