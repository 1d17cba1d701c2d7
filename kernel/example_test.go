//go:build linux

package kernel_test

import (
	"fmt"
	"log"
	"net"

	"sockeye"
	"sockeye/kernel"
)

func ExampleHost() {
	s, err := kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	err = s.Bind(sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0))
	if err == nil {
		err = s.Listen(16)
	}
	at, nameErr := s.Getsockname()
	fmt.Println(s.Type(), at.Addr(), err, nameErr)
	// Output: SOCK_STREAM 127.0.0.1 <nil> <nil>
}

// A program that is started with an open socket, by systemd say, has it as a file.
func ExampleFromFile() {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	s, err := kernel.FromFile(f)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	listens, err := sockeye.SO_ACCEPTCONN.Get(s)
	fmt.Println(s.Family(), listens, err)
	// Output: AF_INET true <nil>
}
