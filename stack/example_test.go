package stack_test

import (
	"fmt"

	"sockeye"
	"sockeye/stack"
)

// Two programs on one host in pure Go: no file is made, and no system call.
func Example() {
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
