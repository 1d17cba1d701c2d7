// Command tcpserver takes one connection and prints what comes in, until the
// client ends it.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"sockeye"
	"sockeye/kernel"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: tcpserver PORT")
		os.Exit(2)
	}
	port, err := strconv.ParseUint(os.Args[1], 10, 16)
	if err != nil {
		fmt.Fprintf(os.Stderr, "tcpserver: port %q: want a number from 0 to 65535\n", os.Args[1])
		os.Exit(2)
	}
	if err := serve(uint16(port)); err != nil {
		fmt.Fprintln(os.Stderr, "tcpserver:", err)
		os.Exit(1)
	}
}

func serve(port uint16) error {
	s, err := kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, sockeye.IPPROTO_TCP)
	if err != nil {
		return err
	}
	defer s.Close()
	// Without it, bind fails while connections of an earlier run are in TIME-WAIT.
	if err := sockeye.SO_REUSEADDR.Set(s, true); err != nil {
		return err
	}
	anywhere := [4]byte{} // INADDR_ANY: every address of this machine
	if err := s.Bind(sockeye.SockaddrInet4(anywhere, port)); err != nil {
		return err
	}
	if err := s.Listen(5); err != nil {
		return err
	}
	local, err := s.Getsockname() // tells the port when it was 0
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "listening on port", local.Port())

	conn, from, err := s.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Printf("accepted host(IP: %v, Port: %d)\n", from.Addr(), from.Port())

	buf := make([]byte, 4096)
	for {
		n, err := conn.Recv(buf, 0)
		if err != nil {
			return err
		}
		if n == 0 { // the client has closed its side
			break
		}
		// TCP keeps no messages apart. Clients end theirs with a newline or a
		// NUL, or leave some time between them.
		for msg := range bytes.FieldsFuncSeq(buf[:n], endsMessage) {
			fmt.Printf("recv data: %s\n", msg)
		}
	}
	fmt.Println("finish.")
	return nil
}

func endsMessage(r rune) bool { return r == '\n' || r == '\r' || r == 0 }
