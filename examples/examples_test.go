// Package examples_test runs the example programs against each other and
// against counterparts in C.
package examples_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"sockeye"
	"sockeye/kernel"
)

const prompt = "Input message(.:quit): "

func TestTCPServerAndClientTalk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, server, client string }{
		{"both in Go", "tcpserver", "tcpclient"},
		{"server in Go, client in C", "tcpserver", "c-tcpclient"},
		{"server in C, client in Go", "c-tcpserver", "tcpclient"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := start(t, tt.server, "0")
			port := server.line(server.errout, "listening on port ")
			client := start(t, tt.client, "127.0.0.1", port)
			from := server.line(server.out, "accepted host(IP: 127.0.0.1, Port: ")
			if n, err := strconv.Atoi(strings.TrimSuffix(from, ")")); err != nil || n == 0 || !strings.HasSuffix(from, ")") {
				t.Errorf("the client's port is told as %q", from)
			}
			for _, msg := range []string{"hello", "two words", "소켓", "..", ". no end"} {
				client.expect(client.out, prompt)
				client.write(msg + "\n")
				server.expect(server.out, "recv data: "+msg+"\n")
			}
			client.expect(client.out, prompt)
			client.write(".\n")
			client.end(0, "", "")
			server.end(0, "finish.\n", "")
		})
	}
}

func TestTCPServerTellsMessagesApartThatComeAtOnce(t *testing.T) {
	t.Parallel()
	server := start(t, "tcpserver", "0")
	port := server.line(server.errout, "listening on port ")
	client := start(t, "tcpclient", "127.0.0.1", port)
	client.write("one\ntwo\n\nthree\nfour") // and the input ends without a dot
	client.in.Close()
	client.end(0, strings.Repeat(prompt, 6), "")
	server.line(server.out, "accepted host(IP: 127.0.0.1, Port: ")
	server.end(0, "recv data: one\nrecv data: two\nrecv data: three\nrecv data: four\nfinish.\n", "")
}

func TestTCPServerSaysWhyAConnectionBroke(t *testing.T) {
	t.Parallel()
	server := start(t, "tcpserver", "0")
	to := loopback(t, server.line(server.errout, "listening on port "))
	s := socket(t, sockeye.SOCK_STREAM)
	check(t, s.Connect(to))
	server.line(server.out, "accepted host(IP: 127.0.0.1, Port: ")
	_, err := s.Send([]byte("last words\n"), 0)
	check(t, err)
	server.expect(server.out, "recv data: last words\n") // nothing received is lost
	from, err := s.Getsockname()
	check(t, err)
	check(t, sockeye.SO_LINGER.Set(s, sockeye.Linger{On: true})) // Close sends RST
	check(t, s.Close())
	server.end(1, "", "tcpserver: recv "+to.String()+" -> "+from.String()+": connection reset by peer\n")
}

func TestUDPEcho(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, server, client string }{
		{"both in Go", "udpechoserver", "udpechoclient"},
		{"server in Go, client in C", "udpechoserver", "c-udpechoclient"},
		{"server in C, client in Go", "c-udpechoserver", "udpechoclient"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := start(t, tt.server, "0")
			port := server.line(server.errout, "listening on port ")
			for _, word := range []string{"hello", "다시", "", strings.Repeat("x", 9000)} {
				client := start(t, tt.client, "127.0.0.1", word, port)
				client.end(0, "Received: "+word+"\n", "")
				server.expect(server.out, "Handling client 127.0.0.1\n")
			}
		})
	}
}

func TestUDPEchoClientRefusesAnswersFromOthers(t *testing.T) {
	t.Parallel()
	server, impostor := socket(t, sockeye.SOCK_DGRAM), socket(t, sockeye.SOCK_DGRAM)
	check(t, server.Bind(loopback(t, "0")))
	check(t, impostor.Bind(loopback(t, "0")))
	at, err := server.Getsockname()
	check(t, err)
	client := start(t, "udpechoclient", "127.0.0.1", "hello", strconv.Itoa(int(at.Port())))
	buf := make([]byte, 16)
	n, from, err := server.Recvfrom(buf, 0)
	check(t, err)
	_, err = impostor.Sendto(buf[:n], 0, from)
	check(t, err)
	client.end(1, "", "udpechoclient: received a packet from unknown source\n")
}

func TestUDPEchoClientHearsOfAClosedPort(t *testing.T) {
	t.Parallel()
	to := closedPort(t, sockeye.SOCK_DGRAM)
	client := start(t, "udpechoclient", "127.0.0.1", "hello", strconv.Itoa(int(to.Port())))
	stderr, err := client.errout.until("\n")
	check(t, err)
	if !strings.HasPrefix(stderr, "udpechoclient: recvfrom ") || !strings.HasSuffix(stderr, ": connection refused") {
		t.Errorf("standard error %q", stderr)
	}
	client.end(1, "", "")
}

func TestUnixServerServesAndRemovesItsPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		client func(path string) []string
	}{
		{"socat", func(path string) []string { return []string{"socat", "-", "UNIX-CONNECT:" + path} }},
		{"nc -U", func(path string) []string { return []string{"nc", "-N", "-U", path} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "s")
			server := start(t, "unixserver", path)
			server.expect(server.errout, "listening on "+path+"\n")
			argv := tt.client(path)
			client := start(t, argv[0], argv[1:]...)
			for _, msg := range []string{"hello", "again"} {
				client.write(msg + "\n")
				server.expect(server.out, "recv data: "+msg+"\n")
				client.expect(client.out, msg+"\n")
			}
			client.in.Close()
			server.end(0, "finish.\n", "")
			client.end(0, "", "")
			wantGone(t, path)
		})
	}
	t.Run("in C", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "s")
		server := start(t, "unixserver", path)
		server.expect(server.errout, "listening on "+path+"\n")
		client := start(t, "c-unixclient", path, "hello", "again")
		client.end(0, "Received: hello\nReceived: again\n", "")
		server.end(0, "recv data: hello\nrecv data: again\nfinish.\n", "")
		wantGone(t, path)
	})
	t.Run("nobody, until it is interrupted", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "s")
		server := start(t, "unixserver", path)
		server.expect(server.errout, "listening on "+path+"\n")
		check(t, server.cmd.Process.Signal(syscall.SIGTERM))
		server.end(1, "", "unixserver: accept "+path+": context canceled\n")
		wantGone(t, path)
	})
}

func TestUnixServerLeavesAnotherServersPathAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	check(t, os.WriteFile(path, nil, 0o600))
	start(t, "unixserver", path).end(1, "", "unixserver: bind "+path+": address already in use\n")
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestBadArgumentsEndWithOneLine(t *testing.T) {
	t.Parallel()
	long := "/tmp/" + strings.Repeat("x", 103)
	for _, tt := range []struct {
		argv string
		want string
	}{
		{"tcpserver", "usage: tcpserver PORT"},
		{"tcpserver 99999", `tcpserver: port "99999": want a number from 0 to 65535`},
		{"tcpserver http", `tcpserver: port "http": want a number from 0 to 65535`},
		{"tcpclient 127.0.0.1", "usage: tcpclient IP PORT"},
		{"tcpclient 127.0.0.256 80", `tcpclient: address "127.0.0.256": want an IP address such as 127.0.0.1 or ::1`},
		{"tcpclient 127.0.0.1 0", `tcpclient: port "0": want a number from 1 to 65535`},
		{"tcpclient 127.0.0.1 -1", `tcpclient: port "-1": want a number from 1 to 65535`},
		{"udpechoserver 65536", `udpechoserver: port "65536": want a number from 0 to 65535`},
		{"udpechoserver 1 2", "usage: udpechoserver PORT"},
		{"udpechoclient 127.0.0.1", "usage: udpechoclient IP WORD [PORT]"},
		{"udpechoclient localhost word", `udpechoclient: address "localhost": want an IP address such as 127.0.0.1 or ::1`},
		{"udpechoclient ::1 word 70000", `udpechoclient: port "70000": want a number from 1 to 65535`},
		{"unixserver", "usage: unixserver PATH"},
		{"unixserver " + long, `unixserver: path "` + long + `" has 108 bytes: want 1 to 107`},
		{"ping", "usage: ping HOST"},
	} {
		t.Run(tt.argv, func(t *testing.T) {
			t.Parallel()
			argv := strings.Fields(tt.argv)
			start(t, argv[0], argv[1:]...).end(2, "", tt.want+"\n")
		})
	}
}

func TestAFailedCallEndsWithOneLine(t *testing.T) {
	t.Parallel()
	refused := closedPort(t, sockeye.SOCK_STREAM)
	client := start(t, "tcpclient", "127.0.0.1", strconv.Itoa(int(refused.Port())))
	stderr, err := client.errout.until("\n")
	check(t, err)
	if !strings.HasPrefix(stderr, "tcpclient: connect ") || !strings.HasSuffix(stderr, refused.String()+": connection refused") {
		t.Errorf("standard error %q", stderr)
	}
	client.end(1, "", "")

	taken := socket(t, sockeye.SOCK_STREAM)
	check(t, taken.Bind(sockeye.SockaddrInet4([4]byte{}, 0)))
	check(t, taken.Listen(1))
	at, err := taken.Getsockname()
	check(t, err)
	start(t, "tcpserver", strconv.Itoa(int(at.Port()))).
		end(1, "", "tcpserver: bind "+at.String()+": address already in use\n")
}

func TestPing(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			p := startPrivileged(t, "ping", host)
			for seq := 1; seq <= 4; seq++ {
				rest := p.line(p.out, "64 bytes from "+host+": icmp_seq="+strconv.Itoa(seq)+" time=")
				if _, err := strconv.ParseFloat(strings.TrimSuffix(rest, " ms"), 64); err != nil {
					t.Errorf("time=%s", rest)
				}
			}
			p.end(0, "4 sent, 4 received\n", "")
		})
	}
	t.Run("needs privilege", func(t *testing.T) {
		t.Parallel()
		p := startUnprivileged(t, "ping", "127.0.0.1")
		p.end(1, "", "ping: a raw socket needs privilege: run it as root or with CAP_NET_RAW\n")
	})
}

func wantGone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("%s was left behind (%v)", path, err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func socket(t *testing.T, typ sockeye.Type) *sockeye.Socket {
	t.Helper()
	s, err := kernel.Host().Socket(sockeye.AF_INET, typ, 0)
	check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func loopback(t *testing.T, port string) sockeye.Sockaddr {
	t.Helper()
	ap, err := netip.ParseAddrPort("127.0.0.1:" + port)
	check(t, err)
	return sockeye.SockaddrInet(ap)
}

// closedPort is an address where nobody receives: its socket is bound, so that
// nobody else can, and for a stream it does not listen. Of a datagram socket
// there is no such state: it is connected elsewhere, and takes from there only.
func closedPort(t *testing.T, typ sockeye.Type) sockeye.Sockaddr {
	t.Helper()
	s := socket(t, typ)
	check(t, s.Bind(loopback(t, "0")))
	at, err := s.Getsockname()
	check(t, err)
	if typ == sockeye.SOCK_DGRAM {
		check(t, s.Connect(loopback(t, "9")))
	}
	return at
}
