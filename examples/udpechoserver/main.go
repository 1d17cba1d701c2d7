// Command udpechoserver sends every datagram back to where it came from.
package main

import (
	"fmt"
	"os"
	"strconv"

	"sockeye"
	"sockeye/kernel"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: udpechoserver PORT")
		os.Exit(2)
	}
	port, err := strconv.ParseUint(os.Args[1], 10, 16)
	if err != nil {
		fmt.Fprintf(os.Stderr, "udpechoserver: port %q: want a number from 0 to 65535\n", os.Args[1])
		os.Exit(2)
	}
	if err := serve(uint16(port)); err != nil {
		fmt.Fprintln(os.Stderr, "udpechoserver:", err)
		os.Exit(1)
	}
}

func serve(port uint16) error {
	s, err := kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, sockeye.IPPROTO_UDP)
	if err != nil {
		return err
	}
	defer s.Close()
	anywhere := [4]byte{} // INADDR_ANY: every address of this machine
	if err := s.Bind(sockeye.SockaddrInet4(anywhere, port)); err != nil {
		return err
	}
	local, err := s.Getsockname() // tells the port when it was 0
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "listening on port", local.Port())

	// There is no connection: one socket serves all clients, and each datagram
	// tells who sent it. 65,507 bytes is the most that one can hold.
	buf := make([]byte, 65507)
	for {
		n, from, err := s.Recvfrom(buf, 0)
		if err != nil {
			return err
		}
		fmt.Println("Handling client", from.Addr())
		if _, err := s.Sendto(buf[:n], 0, from); err != nil { // this client's trouble, not the others'
			fmt.Fprintln(os.Stderr, "udpechoserver:", err)
		}
	}
}
