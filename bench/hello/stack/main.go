// Command stack says hello to itself over TCP, on a host in Go.
package main

import (
	"io"
	"os"

	"sockeye"
	"sockeye/stack"
)

func main() {
	h := stack.NewHost(stack.Config{}).Sockets()
	l, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	check(err)
	at := sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 5000)
	check(l.Bind(at))
	check(l.Listen(1))
	c, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0)
	check(err)
	check(c.Connect(at))
	_, err = io.WriteString(c, "hello\n")
	check(err)
	check(c.Close())
	s, _, err := l.Accept()
	check(err)
	_, err = io.Copy(os.Stdout, s)
	check(err)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
