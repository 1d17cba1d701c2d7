package relay_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"sockeye"
	"sockeye/kernel"
	"sockeye/relay"
)

// A relay from a port to a web server.
func ExampleServe() {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello from behind")
	}))
	defer web.Close()
	target := sockeye.SockaddrInet(netip.MustParseAddrPort(web.Listener.Addr().String()))

	h := kernel.Host()
	s, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Bind(sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)); err != nil {
		log.Fatal(err)
	}
	if err := s.Listen(64); err != nil {
		log.Fatal(err)
	}
	at, err := s.Getsockname()
	if err != nil {
		log.Fatal(err)
	}
	to := relay.At(h, sockeye.SOCK_STREAM, target)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- relay.Serve(ctx, s, to, nil) }()

	answer, err := http.Get("http://" + at.String())
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	fmt.Printf("%s, %v\n", page, err)
	stop()
	fmt.Println(<-ended)
	// Output:
	// hello from behind, <nil>
	// <nil>
}
