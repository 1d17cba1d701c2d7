//go:build linux

package sockeye_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// loopback is an address of this machine, with a port of the system's choice.
var loopback = sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)

// connected gives both ends of a TCP connection, call by call.
func connected() (client, server *sockeye.Socket) {
	h := kernel.Host()
	l, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	if err := errors.Join(l.Bind(loopback), l.Listen(1)); err != nil {
		log.Fatal(err)
	}
	address, err := l.Getsockname()
	if err != nil {
		log.Fatal(err)
	}
	client, err = h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Connect(address); err != nil {
		log.Fatal(err)
	}
	server, _, err = l.Accept()
	if err != nil {
		log.Fatal(err)
	}
	return client, server
}

// datagramSocket gives a UDP socket on loopback, and its address.
func datagramSocket() (*sockeye.Socket, sockeye.Sockaddr) {
	s, err := kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Bind(loopback); err != nil {
		log.Fatal(err)
	}
	address, err := s.Getsockname()
	if err != nil {
		log.Fatal(err)
	}
	return s, address
}

// A TCP server, as one writes it in C: socket, bind, listen, accept.
func ExampleHost_Socket() {
	h := kernel.Host()
	s, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := sockeye.SO_REUSEADDR.Set(s, true); err != nil {
		log.Fatal(err)
	}
	if err := s.Bind(sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)); err != nil {
		log.Fatal(err)
	}
	if err := s.Listen(16); err != nil {
		log.Fatal(err)
	}
	address, err := s.Getsockname()
	if err != nil {
		log.Fatal(err)
	}

	go func() { // a client
		c, _ := h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
		defer c.Close()
		c.Connect(address)
		c.Send([]byte("hello"), 0)
	}()

	conn, from, err := s.Accept()
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println("accepted", from.Addr())
	buf := make([]byte, 512)
	for {
		n, err := conn.Recv(buf, 0)
		if err != nil {
			log.Fatal(err)
		}
		if n == 0 { // the client's orderly end
			break
		}
		fmt.Printf("recv data: %s\n", buf[:n])
	}
	// Output:
	// accepted 127.0.0.1
	// recv data: hello
}

func ExampleSocket_Connect() {
	h := kernel.Host()
	s, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	// Nobody listens on port 1.
	err = s.Connect(sockeye.SockaddrInet(netip.MustParseAddrPort("127.0.0.1:1")))
	fmt.Println(errors.Is(err, syscall.ECONNREFUSED))
	var e *sockeye.Error
	if errors.As(err, &e) {
		fmt.Println(e.Call, e.Remote)
	}
	// Output:
	// true
	// connect 127.0.0.1:1
}

// MSG_PEEK leaves the data in the queue, MSG_WAITALL waits for all of it.
func ExampleSocket_Recv() {
	a, b := connected()
	defer a.Close()
	defer b.Close()
	a.Send([]byte("length:"), sockeye.MSG_MORE)
	a.Send([]byte("12345"), 0)

	buf := make([]byte, 7)
	n, err := b.Recv(buf, sockeye.MSG_PEEK|sockeye.MSG_WAITALL)
	fmt.Printf("%s %v\n", buf[:n], err)
	buf = make([]byte, 12)
	n, err = b.Recv(buf, sockeye.MSG_WAITALL)
	fmt.Printf("%s %v\n", buf[:n], err)
	_, err = b.Recv(buf, sockeye.MSG_DONTWAIT)
	fmt.Println(err)
	// Output:
	// length: <nil>
	// length:12345 <nil>
	// recv: resource temporarily unavailable
}

// After SHUT_WR the peer reads the end, and can still answer.
func ExampleSocket_Shutdown() {
	a, b := connected()
	defer a.Close()
	defer b.Close()
	a.Send([]byte("question"), 0)
	a.Shutdown(sockeye.SHUT_WR)

	buf := make([]byte, 16)
	for {
		n, _ := b.Recv(buf, 0)
		if n == 0 {
			break
		}
		fmt.Printf("%s\n", buf[:n])
	}
	b.Send([]byte("answer"), 0)
	n, _ := a.Recv(buf, 0)
	fmt.Printf("%s\n", buf[:n])
	// Output:
	// question
	// answer
}

// A UDP echo: Recvfrom tells the sender, Sendto names the receiver.
func ExampleSocket_Recvfrom() {
	server, address := datagramSocket()
	defer server.Close()
	go func() {
		buf := make([]byte, 512)
		n, from, err := server.Recvfrom(buf, 0)
		if err != nil {
			return
		}
		server.Sendto(buf[:n], 0, from)
	}()

	client, _ := datagramSocket()
	defer client.Close()
	client.Sendto([]byte("echo this"), 0, address)
	buf := make([]byte, 512)
	n, from, err := client.Recvfrom(buf, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Received: %s, from the server: %v\n", buf[:n], from == address)
	// Output:
	// Received: echo this, from the server: true
}

// An open socket passes from one program to another (SCM_RIGHTS).
func ExampleHost_Socketpair() {
	a, b, err := kernel.Host().Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	client, server := connected()
	defer client.Close()

	// At least one byte of data has to go with a descriptor.
	pass := sockeye.Message{Buffers: [][]byte{{'.'}}, Rights: []sockeye.Descriptor{server}}
	if _, err := a.Sendmsg(&pass, 0); err != nil {
		log.Fatal(err)
	}
	server.Close() // the one under way stays open

	take := sockeye.Message{Buffers: [][]byte{make([]byte, 1)}, Control: make([]byte, sockeye.ControlSpace(4))}
	if _, err := b.Recvmsg(&take, 0); err != nil {
		log.Fatal(err)
	}
	passed := take.Rights[0].(*sockeye.Socket)
	defer passed.Close()
	passed.Send([]byte("from the socket that was passed"), 0)
	buf := make([]byte, 64)
	n, _ := client.Recv(buf, 0)
	fmt.Printf("%s\n", buf[:n])
	// Output:
	// from the socket that was passed
}

// Options are values that know their Go type.
func ExampleOption() {
	s, err := kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	sockeye.SO_LINGER.Set(s, sockeye.Linger{On: true, Seconds: 5})
	sockeye.TCP_KEEPIDLE.Set(s, 30*time.Second)
	linger, _ := sockeye.SO_LINGER.Get(s)
	idle, _ := sockeye.TCP_KEEPIDLE.Get(s)
	typ, _ := sockeye.SO_TYPE.Get(s)
	fmt.Println(linger, "/", idle, "/", typ)
	// Output:
	// on, 5 s / 30s / SOCK_STREAM
}

// Options that have no name here, by number.
func ExampleSocket_SetsockoptInt() {
	s, err := kernel.Host().Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	const IP_TTL = 2
	if err := s.SetsockoptInt(sockeye.SOL_IP, IP_TTL, 7); err != nil {
		log.Fatal(err)
	}
	ttl, err := s.GetsockoptInt(sockeye.SOL_IP, IP_TTL)
	fmt.Println(ttl, err)
	err = s.SetsockoptInt(sockeye.SOL_IP, 9999, 1)
	fmt.Println(errors.Is(err, syscall.ENOPROTOOPT))
	// Output:
	// 7 <nil>
	// true
}

// What the system knows of a TCP connection.
func ExampleTCPInfo() {
	a, b := connected()
	defer a.Close()
	defer b.Close()
	a.Send(make([]byte, 1000), 0)
	b.Recv(make([]byte, 1000), sockeye.MSG_WAITALL)
	info, err := sockeye.TCP_INFO.Get(b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.State, info.BytesReceived, info.RTO > 0, info.RcvMSS > 0)
	// Output:
	// ESTABLISHED 1000 true true
}

// Ancillary data comes with a message: here the TTL that it had.
func ExampleSocket_Recvmsg() {
	s, address := datagramSocket()
	defer s.Close()
	sockeye.IP_RECVTTL.Set(s, true)

	out := sockeye.Message{
		Name:    address,
		Buffers: [][]byte{[]byte("two "), []byte("buffers")},
		Control: sockeye.AppendInt(nil, sockeye.SOL_IP, sockeye.IP_TTL.Name, 9),
	}
	if _, err := s.Sendmsg(&out, 0); err != nil {
		log.Fatal(err)
	}

	in := sockeye.Message{Buffers: [][]byte{make([]byte, 8)}, Control: make([]byte, 128)}
	n, err := s.Recvmsg(&in, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q %v\n", in.Buffers[0][:n], in.Flags)
	for c := range in.ControlMessages() {
		if c.Level == sockeye.SOL_IP && c.Type == sockeye.IP_TTL.Name {
			fmt.Println(c.Int())
		}
	}
	// Output:
	// "two buff" MSG_TRUNC
	// 9 true
}

// Many datagrams in one system call each way.
func ExampleSocket_Recvmmsg() {
	s, address := datagramSocket()
	defer s.Close()
	words := strings.Fields("many datagrams at once")
	var out []sockeye.Message
	for _, w := range words {
		out = append(out, sockeye.Message{Name: address, Buffers: [][]byte{[]byte(w)}})
	}
	n, err := s.Sendmmsg(out, 0)
	fmt.Println(n, err)

	in := make([]sockeye.Message, 4)
	for i := range in {
		in[i].Buffers = [][]byte{make([]byte, 64)}
	}
	// It waits for all four; with MSG_WAITFORONE it would wait for one, and take
	// the others if they are there.
	n, err = s.Recvmmsg(in, 0)
	fmt.Println(n, err)
	for _, m := range in[:n] {
		fmt.Printf("%s\n", m.Buffers[0][:m.N])
	}
	// Output:
	// 4 <nil>
	// 4 <nil>
	// many
	// datagrams
	// at
	// once
}

// A context ends calls that wait.
func ExampleSocket_WithContext() {
	a, b := connected()
	defer a.Close()
	defer b.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := a.WithContext(ctx).Recv(make([]byte, 1), 0)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))

	b.Send([]byte("x"), 0) // the socket itself is as it was
	n, err := a.Recv(make([]byte, 1), 0)
	fmt.Println(n, err)
	// Output:
	// true
	// 1 <nil>
}

// A deadline ends calls that wait, and those to come until it is moved.
func ExampleSocket_SetDeadline() {
	a, b := connected()
	defer a.Close()
	defer b.Close()
	a.SetDeadline(time.Now().Add(time.Millisecond))
	_, err := a.Recv(make([]byte, 1), 0)
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	a.SetDeadline(time.Time{})
	b.Close()
	n, err := a.Recv(make([]byte, 1), 0)
	fmt.Println(n, err)
	// Output:
	// true
	// 0 <nil>
}

// One goroutine waits for many sockets.
func ExampleHost_Poll() {
	a, b := connected()
	defer a.Close()
	defer b.Close()
	a.Send([]byte("x"), 0)
	fds := []sockeye.PollFd{
		{Socket: a, Events: sockeye.POLLIN},
		{Socket: b, Events: sockeye.POLLIN | sockeye.POLLOUT},
	}
	b.Recv(make([]byte, 1), sockeye.MSG_PEEK) // it has come
	n, err := kernel.Host().Poll(context.Background(), fds, time.Second)
	fmt.Println(n, err)
	fmt.Println(fds[0].Revents, fds[1].Revents)
	// Output:
	// 1 <nil>
	// 0 POLLIN|POLLOUT
}

// A relay moves data from socket to socket without seeing it.
// One goroutine serves any number of sockets.
func ExampleHost_NewEpoll() {
	h := kernel.Host()
	e, err := h.NewEpoll()
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	for _, name := range []string{"one", "two"} {
		a, b, err := h.Socketpair(sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
		if err != nil {
			log.Fatal(err)
		}
		defer a.Close()
		defer b.Close()
		if err := e.Add(b, sockeye.POLLIN, b); err != nil { // the data of its events is the socket itself
			log.Fatal(err)
		}
		if _, err := a.Send([]byte(name), 0); err != nil {
			log.Fatal(err)
		}
	}
	events := make([]sockeye.EpollEvent, 10)
	n, err := e.Wait(context.Background(), events, -1)
	if err != nil {
		log.Fatal(err)
	}
	for _, ev := range events[:n] {
		buf := make([]byte, 100)
		k, err := ev.Data.(*sockeye.Socket).Recv(buf, sockeye.MSG_DONTWAIT)
		fmt.Printf("%v: %q, %v\n", ev.Events, buf[:k], err)
	}
	// Output:
	// POLLIN: "one", <nil>
	// POLLIN: "two", <nil>
}

func ExampleSplice() {
	client, relayIn := connected()
	relayOut, server := connected()
	defer client.Close()
	defer server.Close()
	go func() {
		sockeye.Splice(relayOut, relayIn, -1) // until the client's end
		relayOut.Close()
		relayIn.Close()
	}()
	client.Send([]byte("through the relay"), 0)
	client.Shutdown(sockeye.SHUT_WR)
	buf := make([]byte, 64)
	n, err := server.Recv(buf, sockeye.MSG_WAITALL)
	fmt.Printf("%s %v\n", buf[:n], err)
	// Output:
	// through the relay <nil>
}

// Each call is shown as strace(1) would.
func ExampleHost_WithTrace() {
	h := kernel.Host().WithTrace(func(e sockeye.TraceEvent) {
		if e.Done && e.Call != "socket" { // its result is a number that changes
			_, args, _ := strings.Cut(e.Args, ", ") // without that number
			fmt.Printf("%s(%s) = %s\n", e.Call, args, e.Result)
		}
	})
	s, err := h.Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	s.Bind(sockeye.SockaddrAbstract("sockeye-example"))
	s.Connect(sockeye.SockaddrUnix("/nowhere"))
	sockeye.SO_PASSCRED.Set(s, true)
	s.Close()
	// Output:
	// bind({AF_UNIX @sockeye-example}) = 0
	// connect({AF_UNIX /nowhere}) = -1 ENOENT (no such file or directory)
	// setsockopt(SOL_SOCKET, SO_PASSCRED, 1) = 0
	// close() = 0
}
