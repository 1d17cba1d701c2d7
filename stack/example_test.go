package stack_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/link"
	"sockeye/packet"
	"sockeye/stack"
)

// Two hosts on a cable. What one sends, the other has received when the call returns.
func Example() {
	p := stack.NewPair(stack.PairConfig{})
	defer p.Close()
	a, b := p.A.Sockets(), p.B.Sockets()

	server, _ := b.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	server.Bind(sockeye.SockaddrInet4([4]byte{10, 0, 0, 2}, 7777))
	client, _ := a.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
	client.Sendto([]byte("hello"), 0, sockeye.SockaddrInet4([4]byte{10, 0, 0, 2}, 7777))

	buf := make([]byte, 100)
	n, from, _ := server.Recvfrom(buf, 0)
	fmt.Printf("%s from %v\n", buf[:n], from.Addr())
	// Output: hello from 10.0.0.1
}

// A web server on one host and a client on the other. In a testing/synctest bubble the same
// lines take virtual time.
func ExampleNewPair() {
	p := stack.NewPair(stack.PairConfig{})
	defer p.Close() // ends the server, and the connection that the client keeps
	l, _ := p.B.Sockets().Listen("tcp", ":8080")
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s", r.RemoteAddr[:8])
	}))
	client := http.Client{Transport: &http.Transport{DialContext: p.A.Sockets().DialContext}}
	resp, err := client.Get("http://b:8080/")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := io.ReadAll(resp.Body)
	fmt.Printf("%s %v\n", body, err)
	// Output: hello, 10.0.0.1 <nil>
}

// A cable that loses packets, and for a while all of them. TCP sends again what is lost.
func ExampleNewPair_loss() {
	bad := link.Faults{Delay: time.Millisecond, Loss: 0.05}
	p := stack.NewPair(stack.PairConfig{Faults: bad, Seed: 1})
	defer p.Close()
	l, _ := p.B.Sockets().Listen("tcp", ":8080")
	client, err := p.A.Sockets().Dial("tcp", "b:8080")
	if err != nil {
		fmt.Println(err)
		return
	}
	server, _ := l.Accept()

	p.Cable.Set(link.Out, link.Faults{Partition: true})
	client.Write([]byte("is anybody there?"))
	p.Cable.Set(link.Out, bad)
	go func() {
		client.Write(make([]byte, 100_000))
		client.Close()
	}()
	n, err := io.Copy(io.Discard, server)
	packets := p.Cable.Stats(link.Out).Packets
	fmt.Println(n, err, packets[link.Partitioned], packets[link.Lost] > 0)
	// Output: 100017 <nil> 1 true
}

// What goes over the cable, in a file that Wireshark reads.
func ExampleNewPair_capture() {
	var file bytes.Buffer
	capture := link.NewPcapng(&file, time.Now())
	p := stack.NewPair(stack.PairConfig{Capture: capture, Cable: link.CableOptions{Ethernet: true}})
	defer p.Close()
	c, err := p.A.Sockets().Dial("tcp", "b:9")
	fmt.Println(c, err)
	fmt.Println(file.Len() > 0, capture.Err())
	// Output:
	// <nil> dial tcp 10.0.0.2:9: connect: connection refused
	// true <nil>
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
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	l, _ := h.Sockets().Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	l.Bind(sockeye.SockaddrUnix("/run/door"))
	l.Listen(1)

	c, _ := h.Sockets().Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
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

// A bad link loses the same packets in each run that has the same seed, and the hosts draw
// the same ports.
func Example_repeatable() {
	run := func(seed uint64) [32]byte {
		seen := sha256.New()
		loop := event.New()
		defer loop.Close()
		near, far := link.Cable(loop, link.CableOptions{})
		lossy, _ := link.Impair(loop, near, link.Impairment{
			Out: link.Faults{Loss: 0.3, Duplicate: 0.1, Corrupt: 0.1}, Seed: seed,
			Observe: func(_ event.Time, _ link.Direction, f link.Fate, p *packet.Packet) {
				fmt.Fprintf(seen, "%v % x\n", f, p.AppendTo(nil))
			},
		})
		host := func(port link.Port, addr string) *sockeye.Host {
			i := stack.Interface{Name: "eth0", Port: port, Addrs: []netip.Prefix{netip.MustParsePrefix(addr)}}
			return stack.NewHost(stack.Config{Loop: loop, Seed: seed, Interfaces: []stack.Interface{i}}).Sockets()
		}
		alice, _ := host(lossy, "10.0.0.1/24"), host(far, "10.0.0.2/24")
		for range 100 {
			conn, _ := alice.Dial("udp", "10.0.0.2:7777")
			conn.Write([]byte("hello"))
			conn.Close()
		}
		return [32]byte(seen.Sum(nil))
	}
	first, again, other := run(1), run(1), run(2)
	fmt.Println("the same seed: ", again == first)
	fmt.Println("another one:   ", other == first)
	// Output:
	// the same seed:  true
	// another one:    false
}
