// Command tcpclient sends the lines that it reads to a TCP server, up to a
// lone dot.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"sockeye"
	"sockeye/kernel"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: tcpclient IP PORT")
		os.Exit(2)
	}
	ip, err := netip.ParseAddr(os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "tcpclient: address %q: want an IP address such as 127.0.0.1 or ::1\n", os.Args[1])
		os.Exit(2)
	}
	port, err := strconv.ParseUint(os.Args[2], 10, 16)
	if err != nil || port == 0 {
		fmt.Fprintf(os.Stderr, "tcpclient: port %q: want a number from 1 to 65535\n", os.Args[2])
		os.Exit(2)
	}
	server := sockeye.SockaddrInet(netip.AddrPortFrom(ip, uint16(port)))
	if err := talk(server); err != nil {
		fmt.Fprintln(os.Stderr, "tcpclient:", err)
		os.Exit(1)
	}
}

func talk(server sockeye.Sockaddr) error {
	s, err := kernel.Host().Socket(server.Family(), sockeye.SOCK_STREAM, sockeye.IPPROTO_TCP)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Connect(server); err != nil {
		return err
	}

	in := bufio.NewReader(os.Stdin)
	for {
		fmt.Print("Input message(.:quit): ")
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return err
		}
		msg := strings.TrimRight(line, "\r\n")
		if msg == "." || msg == "" && err == io.EOF { // the end of the input quits too
			return nil
		}
		// The newline goes along: it is what tells one message from the next.
		if _, err := s.Send([]byte(msg+"\n"), 0); err != nil {
			return err
		}
	}
}
