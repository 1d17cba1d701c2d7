package stack_test

import (
	"fmt"
	"net/netip"

	"sockeye"
	"sockeye/event"
	"sockeye/link"
	"sockeye/stack"
)

// Two hosts on a cable. What one sends, the other has received when the call returns.
func Example() {
	loop := event.New()
	defer loop.Close()
	a, b := link.Cable(loop, link.CableOptions{Ethernet: true})
	host := func(port link.Port, addr string) *sockeye.Host {
		i := stack.Interface{Name: "eth0", Port: port, Addrs: []netip.Prefix{netip.MustParsePrefix(addr)}}
		return stack.NewHost(stack.Config{Loop: loop, Interfaces: []stack.Interface{i}}).Sockets()
	}
	alice, bob := host(a, "10.0.0.1/24"), host(b, "10.0.0.2/24")

	server, _ := bob.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	server.Bind(sockeye.SockaddrInet4([4]byte{10, 0, 0, 2}, 7777))
	client, _ := alice.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	client.Sendto([]byte("hello"), 0, sockeye.SockaddrInet4([4]byte{10, 0, 0, 2}, 7777))

	buf := make([]byte, 100)
	n, from, _ := server.Recvfrom(buf, 0)
	fmt.Printf("%s from %v\n", buf[:n], from.Addr())
	// Output: hello from 10.0.0.1
}

// Without a configuration a host has its loopback, and needs no network.
func ExampleNewHost() {
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	pc, err := h.Sockets().ListenPacket("udp", "127.0.0.1:7")
	fmt.Println(pc == nil, err) // port 7 needs privilege
	pc, _ = h.Sockets().ListenPacket("udp", "127.0.0.1:7777")
	fmt.Println(pc.LocalAddr())
	// Output:
	// true listen udp 127.0.0.1:7: bind: permission denied
	// 127.0.0.1:7777
}

// Two programs on one host in pure Go: no file is made, and no system call.
func Example_unixSockets() {
	host := stack.NewHost(stack.Config{}).Sockets()
	l, _ := host.Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	l.Bind(sockeye.SockaddrUnix("/run/door"))
	l.Listen(1)

	c, _ := host.Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	fmt.Println(c.Connect(sockeye.SockaddrUnix("/run/door")))
	c.Send([]byte("knock"), 0)

	conn, _, _ := l.Accept()
	buf := make([]byte, 16)
	n, _ := conn.Recv(buf, 0)
	fmt.Printf("%s\n", buf[:n])
	// Output:
	// <nil>
	// knock
}
