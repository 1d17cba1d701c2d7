package echo_test

import (
	"context"
	"fmt"
	"log"

	"sockeye"
	"sockeye/echo"
	"sockeye/kernel"
)

func ExampleServe() {
	h := kernel.Host()
	s, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Bind(sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)); err != nil {
		log.Fatal(err)
	}
	at, err := s.Getsockname()
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- echo.Serve(ctx, s, nil) }()

	c, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Sendto([]byte("hello"), 0, at); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 100)
	n, from, err := c.Recvfrom(buf, 0)
	fmt.Printf("%s, from the server: %v, %v\n", buf[:n], from == at, err)
	stop()
	fmt.Println(<-ended)
	// Output:
	// hello, from the server: true, <nil>
	// <nil>
}
