// Package sockettest opens sockets for tests.
package sockettest

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"sockeye"
)

// A Kind is a family and a type of sockets.
type Kind struct {
	Family sockeye.Family
	Type   sockeye.Type
}

// String is the family and the type, such as INET STREAM.
func (k Kind) String() string {
	return strings.TrimPrefix(k.Family.String(), "AF_") + " " + strings.TrimPrefix(k.Type.String(), "SOCK_")
}

// Check ends the test if there is an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Address gives an address on this machine to bind to.
func Address(t testing.TB, f sockeye.Family) sockeye.Sockaddr {
	switch f {
	case sockeye.AF_INET:
		return sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)
	case sockeye.AF_INET6:
		return sockeye.SockaddrInet6([16]byte{15: 1}, 0, 0, 0)
	}
	dir, err := os.MkdirTemp("", "s") // t.TempDir can be too long for sun_path
	Check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return sockeye.SockaddrUnix(filepath.Join(dir, "s"))
}

// Listen opens a socket that is bound, and listens if its type can.
func Listen(t testing.TB, h *sockeye.Host, k Kind) (*sockeye.Socket, sockeye.Sockaddr) {
	t.Helper()
	return ListenAt(t, h, k, Address(t, k.Family))
}

// ListenAt is Listen at a given address.
func ListenAt(t testing.TB, h *sockeye.Host, k Kind, at sockeye.Sockaddr) (*sockeye.Socket, sockeye.Sockaddr) {
	t.Helper()
	s, err := h.Socket(k.Family, k.Type, 0)
	Check(t, err)
	t.Cleanup(func() { s.Close() })
	Check(t, s.Bind(at))
	if k.Type != sockeye.SOCK_DGRAM {
		Check(t, s.Listen(4096))
	}
	at, err = s.Getsockname()
	Check(t, err)
	return s, at
}

// Dial opens a socket that is connected. A unix datagram socket is bound too,
// so that it can be answered.
func Dial(t testing.TB, h *sockeye.Host, k Kind, to sockeye.Sockaddr) *sockeye.Socket {
	t.Helper()
	s, err := Connect(h, k, to)
	Check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// Connect is Dial outside of a test's goroutine. The socket is the caller's to
// close.
func Connect(h *sockeye.Host, k Kind, to sockeye.Sockaddr) (*sockeye.Socket, error) {
	s, err := h.Socket(k.Family, k.Type, 0)
	if err != nil {
		return nil, err
	}
	if k.Family == sockeye.AF_UNIX && k.Type == sockeye.SOCK_DGRAM {
		err = s.Bind(sockeye.SockaddrUnix("")) // autobind
	}
	if err == nil {
		err = s.Connect(to)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Serve runs a server in the background, and ends it with the test, which it
// fails if the server has not ended well.
func Serve(t testing.TB, serve func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// Receive receives n bytes of a stream, or one record or datagram. It gives up
// after some seconds, which only a broken test takes.
func Receive(t testing.TB, s *sockeye.Socket, n int) []byte {
	t.Helper()
	s.SetReadDeadline(time.Now().Add(20 * time.Second))
	typ, err := sockeye.SO_TYPE.Get(s)
	Check(t, err)
	buf := make([]byte, n+1)
	if typ == sockeye.SOCK_STREAM {
		n, err = io.ReadFull(s, buf[:n])
	} else {
		n, err = s.Recv(buf, 0)
	}
	Check(t, err)
	return buf[:n]
}

// Goroutines gives the stacks of goroutines that run code of this project, but
// for tests.
func Goroutines() []string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var ours []string
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(g, "sockeye/echo.") || strings.Contains(g, "sockeye/relay.") ||
			strings.Contains(g, "sockeye/internal/accept.") || strings.Contains(g, "sockeye/internal/datagram.") {
			ours = append(ours, g)
		}
	}
	return ours
}
