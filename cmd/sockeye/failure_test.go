package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fails checks the exit status, that standard error has one line, and which.
func (p *process) fails(status int, line string) {
	p.t.Helper()
	p.ends(status, "")
	if got := p.err.text(); got != "sockeye: "+line+"\n" {
		p.t.Errorf("%q wrote\n%s\nwant\nsockeye: %s", p.cmd.Args[1:], got, line)
	}
}

func TestBadInputGetsOneLineAndAStatus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := "unix:/" + strings.Repeat("p", 120)
	_, port := tcpServer(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   string
		status int
		line   string
	}{
		{"no address", "connect", 2, "sockeye connect wants ADDR; try sockeye connect localhost:8888"},
		{"no address to listen on", "listen", 2, "sockeye listen wants ADDR; try sockeye listen 8888"},
		{"no host", "ping", 2, "sockeye ping wants HOST; try sockeye ping localhost"},
		{"two addresses", "listen 1 2", 2, `sockeye listen wants ADDR and nothing more, but there is "2"`},
		{"an address where none belongs", "families 1", 2, `sockeye families wants no address, but there is "1"`},
		{"unknown command", "conect 1", 2, `unknown command "conect"; try sockeye connect`},
		{"unknown command near none", "frobnicate", 2, `unknown command "frobnicate"; see sockeye --help`},
		{"unknown flag", "listen --kepe 1", 2, "unknown flag: --kepe; see sockeye listen --help"},
		{"bad value", "connect --wait x 1", 2, `--wait wants a time, such as 1.5s, and "x" is not; see sockeye connect --help`},
		{"no number", "ping -c x localhost", 2, `--count wants a whole number, and "x" is not; see sockeye ping --help`},
		{"no time", "ping -i soon localhost", 2, `--interval wants seconds, such as 0.2, or a time, such as 200ms, and "soon" is not; see sockeye ping --help`},
		{"an open bracket", "connect [::1:80", 2, `address "[::1:80": the bracket is not closed; try tcp://[::1]:8888`},
		{"negative wait", "connect --wait -1s 1", 2, "--wait is a time to wait, and can't be negative"},
		{"large port", "connect host:99999", 2, `address "host:99999": port 99999 is too large: ports go from 0 to 65535`},
		{"unknown scheme", "connect tpc://host:80", 2, `address "tpc://host:80": unknown scheme "tpc"; try tcp://host:80`},
		{"path too long", "listen " + long, 2, fmt.Sprintf("address %q: the path has 121 bytes, and a socket address holds 108; try a shorter one, or a relative one", long)},
		{"port 0 to connect to", "connect localhost:0", 2, `address "tcp://localhost:0": nobody can be reached at port 0: ports go from 1 to 65535`},
		{"force without a path", "listen --force 1", 2, "--force takes over the path of a unix socket, and tcp://:1 has none"},
		{"exec of nothing", "listen --exec= 1", 2, "--exec wants a program, such as --exec cat"},
		{"exec and wait", "listen --exec cat --wait 1s 1", 2, "--wait is for standard input, which --exec does not use; leave one of them out"},
		{"both families", "ping -4 -6 localhost", 2, "-4 and -6 exclude each other; leave one of them out"},
		{"too much data", "ping -s 65508 localhost", 2, "-s is from 0 to 65507 bytes"},
		{"ping without pause", "ping -i 0 localhost", 2, "-i is at least 0.001 seconds"},
		{"ping to a port", "ping tcp://localhost:80", 2, "ping asks a host, and tcp://localhost:80 is more than one; try sockeye ping localhost"},
		{"options of no protocol", "options ip", 2, "a raw socket is of one protocol; try sockeye options ip://localhost/89"},

		{"unknown host", "connect no.such.host.invalid:80", 1, `connect to tcp://no.such.host.invalid:80: unknown host "no.such.host.invalid"`},
		{"unknown host to ping", "ping no.such.host.invalid", 2, `ping no.such.host.invalid: unknown host "no.such.host.invalid"`},
		{"address in use", "listen " + port, 1, "listen on tcp://" + port + ": address already in use: another program has it; try another one, or port 0 for any that is free"},
		{"address of another machine", "listen 192.0.2.1:80", 1, "listen on tcp://192.0.2.1:80: cannot assign requested address: this machine does not have that address; try one of its own, or none"},
		{"no path", "connect unix:" + dir + "/none", 1, "connect to unix:" + dir + "/none: no such file or directory: there is no such path"},
		{"no directory", "listen unix:" + dir + "/none/s", 1, "listen on unix:" + dir + "/none/s: no such file or directory: there is no such directory"},
		{"a file in the way", "listen --force unix:" + file, 1, "listen on unix:" + file + ": there is a file at that path, and not a socket; try another path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run(t, strings.Fields(c.args)...).fails(c.status, c.line)
		})
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "text" {
		t.Errorf("the file in the way has %q, %v", text, err)
	}
}

func TestRefusedConnectionsSaySo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	abandon(t, path)
	l, at := tcpServer(t)
	l.Close()
	for _, c := range []struct{ to, line string }{
		{at, "connect to tcp://" + at + ": connection refused: nobody listens there"},
		{"unix:" + path, "connect to unix:" + path + ": connection refused: nobody listens there; the path was left behind"},
		{"unixpacket:@" + path, "connect to unixpacket:@" + path + ": connection refused: nobody listens there"},
	} {
		run(t, "connect", c.to).fails(1, c.line)
	}
}

func TestAClosedUDPPortIsReported(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "::1"} {
		closed, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
		if err != nil {
			t.Fatal(err)
		}
		to := "udp://" + closed.LocalAddr().String()
		closed.Close()
		c := run(t, "connect", "--wait", "1h", to)
		c.write("anybody there?")
		c.fails(1, to+": connection refused: nobody listens there")
	}
}

// abandon leaves a unix socket's path behind, as a program that dies does.
func abandon(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestAPathThatWasLeftBehindIsTakenOverOnlyIfAsked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	for _, scheme := range []string{"unix:", "unixgram:", "unixpacket:"} {
		abandon(t, path)
		run(t, "listen", scheme+path).fails(1, "listen on "+scheme+path+
			": the path was left behind by a program that is gone; add --force to take it over, or remove it")
		l := run(t, "listen", "--force", scheme+path)
		l.listening()
		run(t, "listen", "--force", scheme+path).fails(1, "listen on "+scheme+path+": address already in use: another program listens there")
		// The live listener has noticed nothing.
		c := run(t, "connect", "--wait", "10ms", scheme+path)
		c.write("hello")
		l.out.await(t, "hello")
		c.closeInput()
		l.closeInput()
		c.ends(0, "")
		if scheme == "unixgram:" {
			l.signal(os.Interrupt)
		}
		l.ends(0, "hello")
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Fatalf("%s: its own path is still there: %v", scheme, err)
		}
	}
}

func TestAPathThatIsSomebodyElsesByNowStays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l := run(t, "listen", "unix:"+path)
	l.listening()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.signal(os.Interrupt)
	l.ends(130, "")
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

func TestWithoutPrivilegeTheErrorSaysWhatIsNeeded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   []string
		status int
		line   string
	}{
		{[]string{"listen", "tcp4://:80"}, 1, "listen on tcp4://:80: permission denied: ports below 1024 need root or CAP_NET_BIND_SERVICE " +
			"(sysctl net.ipv4.ip_unprivileged_port_start); try a higher port"},
		{[]string{"listen", "udp6://:53"}, 1, "listen on udp6://:53: permission denied: ports below 1024 need root or CAP_NET_BIND_SERVICE " +
			"(sysctl net.ipv4.ip_unprivileged_port_start); try a higher port"},
		{[]string{"listen", "ip4:///89"}, 1, "listen on ip4:///89: operation not permitted: raw sockets need root or CAP_NET_RAW"},
	} {
		p := start(t, inNamespace(exec.Command(os.Args[0], c.args...), 1000))
		p.fails(c.status, c.line)
	}
}

func TestASignalEndsEachCommandAsItsHelpSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   []string
		signal os.Signal
		status int
	}{
		{[]string{"listen", "0"}, syscall.SIGINT, 130},
		{[]string{"listen", "0"}, syscall.SIGTERM, 143},
		{[]string{"listen", "--keep", "0"}, syscall.SIGINT, 0},
		{[]string{"listen", "--keep", "0"}, syscall.SIGTERM, 0},
		{[]string{"listen", "udp://:0"}, syscall.SIGINT, 0},
		{[]string{"listen", "--keep", "--exec", "cat", "0"}, syscall.SIGINT, 0},
	} {
		p := run(t, c.args...)
		p.listening()
		p.signal(c.signal)
		p.ends(c.status, "")
	}
	l, at := tcpServer(t)
	p := run(t, "connect", at)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("so far"))
	p.out.await(t, "so far")
	p.signal(os.Interrupt)
	p.ends(130, "so far")
}

func TestConnectGivesUpAfterItsTimeout(t *testing.T) {
	t.Parallel()
	// A unix listener whose backlog is full lets nobody in, and says nothing.
	path := filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	waiting, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	run(t, "connect", "--timeout", "20ms", "unix:"+path).fails(1, "connect to unix:"+path+": no answer in time")
}
