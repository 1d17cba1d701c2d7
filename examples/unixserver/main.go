// Command unixserver serves one client on a path in the file system: it prints
// what comes in and sends it back.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"sockeye"
	"sockeye/kernel"
)

// maxPath is how long a path may be: sun_path has room for a NUL byte more
// (unix(7)).
const maxPath = 107

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: unixserver PATH")
		os.Exit(2)
	}
	path := os.Args[1]
	if path == "" || len(path) > maxPath {
		fmt.Fprintf(os.Stderr, "unixserver: path %q has %d bytes: want 1 to %d\n", path, len(path), maxPath)
		os.Exit(2)
	}
	// Interrupted, it removes the path all the same.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, path)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "unixserver:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, path string) error {
	host := kernel.Host()
	s, err := host.Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Bind(sockeye.SockaddrUnix(path)); err != nil {
		return err
	}
	defer host.Unlink(path) // closing the socket leaves it behind
	if err := s.Listen(5); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "listening on", path)

	conn, _, err := s.WithContext(ctx).Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	conn = conn.WithContext(ctx)

	buf := make([]byte, 4096)
	for {
		n, err := conn.Recv(buf, 0)
		if err != nil {
			return err
		}
		if n == 0 { // the client has closed its side
			break
		}
		fmt.Printf("recv data: %s\n", trimNewline(buf[:n]))
		if _, err := conn.Send(buf[:n], 0); err != nil {
			return err
		}
	}
	fmt.Println("finish.")
	return nil
}

func trimNewline(b []byte) []byte {
	if n := len(b); b[n-1] == '\n' {
		return b[:n-1]
	}
	return b
}
