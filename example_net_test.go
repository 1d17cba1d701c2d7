//go:build linux

package sockeye_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// A connection as package net has it.
func ExampleHost_Dial() {
	h := kernel.Host()
	l, err := h.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "welcome")
	}()

	conn, err := h.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	text, err := io.ReadAll(conn)
	fmt.Printf("%s %v\n", text, err)
	// Output:
	// welcome <nil>
}

// The listener serves whatever takes a net.Listener.
func ExampleHost_Listen() {
	l, err := kernel.Host().Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "served")
	})}
	go srv.Serve(l)
	defer srv.Close()

	client := http.Client{Transport: &http.Transport{DialContext: kernel.Host().DialContext}}
	resp, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Printf("%s %v\n", body, err)
	// Output:
	// served <nil>
}

func ExampleHost_ListenPacket() {
	server, err := kernel.Host().ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client, err := kernel.Host().Dial("udp", server.LocalAddr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	client.Write([]byte("ping"))

	buf := make([]byte, 64)
	n, from, err := server.ReadFrom(buf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s from the client: %v\n", buf[:n], from.String() == client.LocalAddr().String())
	// Output:
	// ping from the client: true
}

// Options are set before the connection is made, when they still count.
func ExampleDialer() {
	l, err := kernel.Host().Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	d := sockeye.Dialer{
		Host:    kernel.Host(),
		Timeout: 5 * time.Second,
		Control: func(s *sockeye.Socket) error { return sockeye.TCP_MAXSEG.Set(s, 600) },
	}
	conn, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	mss, err := sockeye.TCP_MAXSEG.Get(conn.(*sockeye.TCPConn).Socket())
	fmt.Println(mss <= 600, err)
	// Output:
	// true <nil>
}

// The backlog, which package net does not let one choose.
func ExampleListenConfig() {
	lc := sockeye.ListenConfig{Host: kernel.Host(), Backlog: 10}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	info, err := sockeye.TCP_INFO.Get(l.(*sockeye.Listener).Socket())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.State, info.Sacked)
	// Output:
	// LISTEN 10
}

// A socket that was made call by call becomes a net.Conn.
func ExampleNewConn() {
	a, b, err := kernel.Host().Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	var conns [2]net.Conn
	for i, s := range []*sockeye.Socket{a, b} {
		if conns[i], err = sockeye.NewConn(s); err != nil {
			log.Fatal(err)
		}
		defer conns[i].Close()
	}
	go fmt.Fprintln(conns[0], "hello")
	var word string
	fmt.Fscanln(conns[1], &word)
	fmt.Println(word)
	// Output:
	// hello
}

// What getaddrinfo(3) is in C.
func ExampleHost_Resolve() {
	addresses, err := kernel.Host().Resolve(context.Background(), "tcp", "[::1]:http")
	fmt.Println(addresses, err)
	// Output:
	// [[::1]:80] <nil>
}
