package relay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"sockeye"
	. "sockeye/internal/sockettest"
	"sockeye/kernel"
	"sockeye/relay"
)

var host = kernel.Host()

var (
	tcp4       = Kind{Family: sockeye.AF_INET, Type: sockeye.SOCK_STREAM}
	tcp6       = Kind{Family: sockeye.AF_INET6, Type: sockeye.SOCK_STREAM}
	unixStream = Kind{Family: sockeye.AF_UNIX, Type: sockeye.SOCK_STREAM}
	unixPacket = Kind{Family: sockeye.AF_UNIX, Type: sockeye.SOCK_SEQPACKET}
	udp4       = Kind{Family: sockeye.AF_INET, Type: sockeye.SOCK_DGRAM}
	udp6       = Kind{Family: sockeye.AF_INET6, Type: sockeye.SOCK_DGRAM}
	unixgram   = Kind{Family: sockeye.AF_UNIX, Type: sockeye.SOCK_DGRAM}

	connections = []Kind{tcp4, tcp6, unixStream, unixPacket}
)

// The two kinds of targets: one is connected to at once, and one in a goroutine
// that may wait.
const (
	near = "near"
	far  = "far"
)

// start relays from a new socket to a target, for the duration of the test.
func start(t *testing.T, from, to Kind, target sockeye.Sockaddr, log func(relay.Event)) (at sockeye.Sockaddr, stop func()) {
	s, at := Listen(t, host, from)
	return at, serve(t, s, relay.At(host, to.Type, target), log)
}

func serve(t *testing.T, s *sockeye.Socket, to relay.Target, log func(relay.Event)) (stop func()) {
	return Serve(t, func(ctx context.Context) error { return relay.Serve(ctx, s, to, log) })
}

// through gives the two ends of a connection through a relay to a near or a far
// target.
func through(t *testing.T, from, to Kind, distance string) (client, server *sockeye.Socket) {
	l, target := Listen(t, host, to)
	s, at := Listen(t, host, from)
	way := relay.At(host, to.Type, target)
	if distance == far {
		way.DialNow = nil
	}
	serve(t, s, way, nil)
	client = Dial(t, host, from, at)
	server, _, err := l.Accept()
	Check(t, err)
	t.Cleanup(func() { server.Close() })
	return client, server
}

func payload(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(rand.Int32())
	}
	return p
}

func eachPair(t *testing.T, kinds []Kind, f func(t *testing.T, from, to Kind)) {
	t.Parallel()
	for _, from := range kinds {
		for _, to := range kinds {
			t.Run(fmt.Sprintf("%v to %v", from, to), func(t *testing.T) {
				t.Parallel()
				f(t, from, to)
			})
		}
	}
}

// eachWay is eachPair of connections, to targets near and far.
func eachWay(t *testing.T, kinds []Kind, f func(t *testing.T, through func() (client, server *sockeye.Socket))) {
	eachPair(t, kinds, func(t *testing.T, from, to Kind) {
		for _, distance := range []string{near, far} {
			t.Run(distance, func(t *testing.T) {
				f(t, func() (client, server *sockeye.Socket) { return through(t, from, to, distance) })
			})
		}
	})
}

func TestDataGoesBothWays(t *testing.T) {
	eachWay(t, connections, func(t *testing.T, through func() (client, server *sockeye.Socket)) {
		client, server := through()
		for _, size := range []int{1, 2048, 2049, 60_000, 3, 900_000, 2} {
			if (client.Type() == sockeye.SOCK_SEQPACKET || server.Type() == sockeye.SOCK_SEQPACKET) && size > 100_000 {
				continue
			}
			for _, way := range [][2]*sockeye.Socket{{client, server}, {server, client}} {
				p := payload(size)
				go way[0].Send(p, 0)
				got := Receive(t, way[1], size)
				for len(got) < size { // a record went as a stream, or a stream as records
					got = append(got, Receive(t, way[1], size-len(got))...)
				}
				if !bytes.Equal(got, p) {
					t.Fatalf("%d bytes came out wrong", size)
				}
			}
		}
	})
}

func TestHalfCloseIsPassedOnBothWays(t *testing.T) {
	eachWay(t, connections, func(t *testing.T, through func() (client, server *sockeye.Socket)) {
		for _, way := range []string{"client first", "server first"} {
			a, b := through()
			if way == "server first" {
				a, b = b, a
			}
			_, err := a.Send([]byte("question"), 0)
			Check(t, err)
			Check(t, a.Shutdown(sockeye.SHUT_WR))
			if got := Receive(t, b, 8); string(got) != "question" {
				t.Fatalf("%s: got %q", way, got)
			}
			if n, err := b.Recv(make([]byte, 1), 0); n != 0 || err != nil {
				t.Fatalf("%s: the end came as %d, %v", way, n, err)
			}
			_, err = b.Send([]byte("answer"), 0)
			Check(t, err)
			if got := Receive(t, a, 6); string(got) != "answer" {
				t.Fatalf("%s: got %q", way, got)
			}
			Check(t, b.Close())
			if n, err := a.Recv(make([]byte, 1), 0); n != 0 || err != nil {
				t.Fatalf("%s: the other end came as %d, %v", way, n, err)
			}
		}
	})
}

// reset closes a connection with a RST.
func reset(t *testing.T, s *sockeye.Socket) {
	Check(t, sockeye.SO_LINGER.Set(s, sockeye.Linger{On: true}))
	Check(t, s.Close())
}

func TestResetIsPassedOnAfterTheData(t *testing.T) {
	tcp := []Kind{tcp4, tcp6}
	for _, size := range []int{0, 10, 100_000, 1_000_000} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			eachWay(t, tcp, func(t *testing.T, through func() (client, server *sockeye.Socket)) {
				for _, way := range []string{"by the client", "by the server"} {
					a, b := through()
					if way == "by the server" {
						a, b = b, a
					}
					_, err := b.Send([]byte("ready"), 0)
					Check(t, err)
					Receive(t, a, 5)
					p := payload(size)
					// All that the peer has acknowledged when the reset comes is
					// the relay's to deliver.
					_, err = a.Send(p, 0)
					Check(t, err)
					for n := 1; n > 0; {
						n, err = a.Outq()
						Check(t, err)
					}
					reset(t, a)
					if got := Receive(t, b, size); !bytes.Equal(got, p) {
						t.Fatalf("%s: got %d bytes", way, len(got))
					}
					if n, err := b.Recv(make([]byte, 1), 0); !errors.Is(err, syscall.ECONNRESET) {
						t.Fatalf("%s: got %d, %v, want ECONNRESET", way, n, err)
					}
				}
			})
		})
	}
}

// What a peer has sent, and how it ended, before the relay came to accept it.
func TestPeerThatIsThereBeforeTheRelay(t *testing.T) {
	t.Parallel()
	for _, to := range []Kind{tcp4, tcp6, unixStream} {
		for _, size := range []int{0, 1, 64 << 10, 100_000} {
			l, target := Listen(t, host, to)
			s, at := Listen(t, host, tcp4)
			client := Dial(t, host, tcp4, at)
			p := payload(size)
			_, err := client.Send(p, 0)
			Check(t, err)
			Check(t, client.Shutdown(sockeye.SHUT_WR))
			events := make(chan relay.Event, 2)
			serve(t, s, relay.At(host, to.Type, target), func(ev relay.Event) { events <- ev })
			server, _, err := l.Accept()
			Check(t, err)
			defer server.Close()
			if got := Receive(t, server, size); !bytes.Equal(got, p) {
				t.Errorf("%v: %d bytes came as %d", to, size, len(got))
			}
			if n, err := server.Recv(make([]byte, 1), 0); n != 0 || err != nil {
				t.Errorf("%v: after %d bytes the end came as %d, %v", to, size, n, err)
			}
			_, err = server.Send([]byte("answer"), 0)
			Check(t, err)
			Check(t, server.Close())
			if got := Receive(t, client, 6); string(got) != "answer" {
				t.Errorf("%v: got %q", to, got)
			}
			<-events
			if ev := <-events; ev.Sent != int64(size) || ev.Received != 6 || ev.Err != nil {
				t.Errorf("%v: %d bytes were told of as %+v", to, size, ev)
			}
		}
	}
}

// A peer that resets while the other side sends: the sender learns of it as a
// reset, and reads first what had come before.
func TestResetUnderWayReachesTheSender(t *testing.T) {
	t.Parallel()
	client, server := through(t, tcp4, tcp4, near)
	_, err := server.Send([]byte("last words"), 0)
	Check(t, err)
	if got := Receive(t, client, 10); string(got) != "last words" {
		t.Fatalf("got %q", got)
	}
	blocked := make(chan error, 1)
	go func() {
		_, err := client.Send(make([]byte, 64<<20), 0)
		blocked <- err
	}()
	Receive(t, server, 1<<20)
	reset(t, server)
	if err := <-blocked; !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the sender got %v", err)
	}
}

// What receiving stops at does not stop the relay: urgent data, which is not
// part of the stream unless it is asked for (tcp(7)), and what comes after it.
func TestUrgentDataHoldsNothingUp(t *testing.T) {
	t.Parallel()
	client, server := through(t, tcp4, tcp4, near)
	for _, way := range [][2]*sockeye.Socket{{client, server}, {server, client}} {
		for _, part := range []struct {
			data  string
			flags sockeye.MsgFlags
		}{{"before", 0}, {"!", sockeye.MSG_OOB}, {"after", 0}} {
			_, err := way[0].Send([]byte(part.data), part.flags)
			Check(t, err)
		}
		if got := Receive(t, way[1], 11); string(got) != "beforeafter" {
			t.Errorf("got %q", got)
		}
	}
}

// A receiver that does not read stops its sender, and gets all in the end.
func TestSlowReceiverGetsAll(t *testing.T) {
	eachWay(t, []Kind{tcp4, unixStream}, func(t *testing.T, through func() (client, server *sockeye.Socket)) {
		client, server := through()
		p := payload(10 << 20)
		sent := 0
		for sent < len(p) {
			n, err := client.Send(p[sent:min(sent+1000, len(p))], sockeye.MSG_DONTWAIT)
			if errors.Is(err, syscall.EAGAIN) {
				break
			}
			Check(t, err)
			sent += n
		}
		Check(t, client.Shutdown(sockeye.SHUT_WR))
		if got := Receive(t, server, sent); !bytes.Equal(got, p[:sent]) {
			t.Errorf("%d bytes came out wrong", sent)
		}
	})
}

func TestRecordsKeepTheirBoundaries(t *testing.T) {
	t.Parallel()
	client, server := through(t, unixPacket, unixPacket, near)
	for _, way := range [][2]*sockeye.Socket{{client, server}, {server, client}} {
		for _, size := range []int{5, 0, 0, 70_000, 1, 150_000} {
			p := payload(size)
			_, err := way[0].Send(p, 0)
			Check(t, err)
			if got := Receive(t, way[1], 200_000); !bytes.Equal(got, p) {
				t.Fatalf("a record of %d bytes came as %d", size, len(got))
			}
		}
	}
}

func TestEventsTellOfAConnection(t *testing.T) {
	t.Parallel()
	l, target := Listen(t, host, tcp6)
	events := make(chan relay.Event, 2)
	at, _ := start(t, tcp4, tcp6, target, func(ev relay.Event) { events <- ev })
	client := Dial(t, host, tcp4, at)
	name, err := client.Getsockname()
	Check(t, err)
	server, _, err := l.Accept()
	Check(t, err)
	if ev := <-events; ev != (relay.Event{Peer: name, Target: target, Opened: true}) {
		t.Errorf("at the beginning: %+v", ev)
	}
	_, err = client.Send(make([]byte, 7), 0)
	Check(t, err)
	Receive(t, server, 7)
	_, err = server.Send(make([]byte, 500_000), 0)
	Check(t, err)
	Receive(t, client, 500_000)
	Check(t, client.Close())
	Check(t, server.Close())
	if ev := <-events; ev != (relay.Event{Peer: name, Target: target, Sent: 7, Received: 500_000}) {
		t.Errorf("at the end: %+v", ev)
	}
}

func TestRefusedTargetIsReportedAndResetsTheConnection(t *testing.T) {
	t.Parallel()
	l, target := Listen(t, host, tcp4)
	Check(t, l.Close())
	events := make(chan relay.Event, 1)
	at, _ := start(t, tcp4, tcp4, target, func(ev relay.Event) { events <- ev })
	client, err := Connect(host, tcp4, at)
	if err == nil {
		defer client.Close()
		_, err = client.Recv(make([]byte, 1), 0)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client got %v, want ECONNRESET", err)
	}
	if ev := <-events; ev.Opened || !errors.Is(ev.Err, syscall.ECONNREFUSED) {
		t.Errorf("got %+v, want ECONNREFUSED", ev)
	}
}

func TestTargetOfTheWrongTypeIsNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ from, to Kind }{{tcp4, udp4}, {udp4, tcp4}} {
		_, target := Listen(t, host, tt.to)
		events := make(chan relay.Event, 1)
		at, _ := start(t, tt.from, tt.to, target, func(ev relay.Event) { events <- ev })
		_, err := Dial(t, host, tt.from, at).Send([]byte("x"), 0)
		Check(t, err)
		if ev := <-events; ev.Err == nil {
			t.Errorf("%v to %v: no error", tt.from, tt.to)
		}
	}
}

func TestThousandsOfConnectionsAtOnce(t *testing.T) {
	l, target := Listen(t, host, unixStream)
	at, _ := start(t, tcp4, unixStream, target, nil)
	const n = 1500
	clients, servers := make([]*sockeye.Socket, n), make([]*sockeye.Socket, n)
	for i := range n {
		clients[i] = Dial(t, host, tcp4, at)
		var err error
		servers[i], _, err = l.Accept()
		Check(t, err)
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			defer servers[i].Close()
			p := fmt.Appendf(nil, "%d", i)
			if _, err := clients[i].Send(p, 0); err != nil {
				t.Error(err)
			}
			buf := make([]byte, 10)
			if got, err := servers[i].Recv(buf, 0); err != nil || !bytes.Equal(buf[:got], p) {
				t.Errorf("%s: got %q, %v", p, buf[:got], err)
			}
		})
	}
	wg.Wait()
	for _, c := range clients {
		if n, err := c.Recv(make([]byte, 1), 0); n != 0 || err != nil {
			t.Errorf("at the end: %d, %v", n, err)
		}
	}
}

func TestContextEndClosesAllAndLeavesNoGoroutine(t *testing.T) {
	for _, k := range append(connections, udp4, udp6, unixgram) {
		t.Run(k.String(), func(t *testing.T) {
			l, target := Listen(t, host, k)
			at, stop := start(t, k, k, target, nil)
			client := Dial(t, host, k, at)
			_, err := client.Send([]byte("x"), 0)
			Check(t, err)
			server := l
			if k.Type != sockeye.SOCK_DGRAM {
				server, _, err = l.Accept()
				Check(t, err)
				defer server.Close()
			}
			Receive(t, server, 1)
			stop()
			if left := Goroutines(); len(left) > 0 {
				t.Errorf("%d goroutines are left:\n%s", len(left), left[0])
			}
			if k.Type == sockeye.SOCK_DGRAM {
				return
			}
			for _, s := range []*sockeye.Socket{client, server} {
				if n, _ := s.Recv(make([]byte, 1), 0); n != 0 {
					t.Errorf("a connection is not closed: got %d", n)
				}
			}
		})
	}
}

// With few descriptors some connections are relayed, and the others when the
// first have gone. The limit is that of a process of its own.
func TestRelayOutOfDescriptorsServesAllInTheEnd(t *testing.T) {
	t.Parallel()
	const variable = "SOCKEYE_RELAY_UNDER_LIMIT"
	if path := os.Getenv(variable); path != "" {
		limit := syscall.Rlimit{Cur: 30, Max: 30}
		Check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		s, _ := ListenAt(t, host, unixStream, sockeye.SockaddrUnix(path))
		os.Stdout.WriteString("ready\n")
		dial := func(context.Context) (*sockeye.Socket, error) {
			return Connect(host, unixStream, sockeye.SockaddrUnix(path+".target"))
		}
		Check(t, relay.Serve(t.Context(), s, relay.Target{Dial: dial}, nil))
		return
	}
	at := Address(t, sockeye.AF_UNIX)
	l, _ := ListenAt(t, host, unixStream, sockeye.SockaddrUnix(at.Path()+".target"))
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variable+"="+at.Path())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	Check(t, err)
	Check(t, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if n, err := out.Read(make([]byte, 10)); n == 0 {
		t.Fatal("the relay did not start:", err)
	}
	go func() { // the target echoes
		for {
			conn, _, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 100)
				for n, _ := conn.Recv(buf, 0); n > 0; n, _ = conn.Recv(buf, 0) {
					conn.Send(buf[:n], 0)
				}
			}()
		}
	}()
	ask := func() error {
		c, err := Connect(host, unixStream, at)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Send([]byte("hello"), 0); err != nil {
			return err
		}
		buf := make([]byte, 10)
		if n, err := c.Recv(buf, 0); err != nil || string(buf[:n]) != "hello" {
			return fmt.Errorf("got %q, %w", buf[:n], err)
		}
		return nil
	}
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			err := ask()
			for errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
				err = ask() // it was the one that gave way to the others
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
