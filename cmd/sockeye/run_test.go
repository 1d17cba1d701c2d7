package main

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// machine puts the test, and what it starts, into a network namespace of its own, with these addresses
// beside the loopback's: it stands for the machine that the command runs on.
func machine(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the test
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Fatalf("unshare(CLONE_NEWNET): %v: this test needs root", err)
	}
	for _, command := range []string{
		"ip link set lo up", "ip addr add 203.0.113.5/32 dev lo", "ip addr add 2001:db8::5/128 dev lo nodad",
		"ip addr add 203.0.113.6/32 dev lo",
	} {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
}

// machineAddrs are the machine's addresses that are not its loopback's.
var machineAddrs = []string{"203.0.113.5", "2001:db8::5"}

// users are those whom the command is tried as: root, and one without any right, in whose namespace of users
// nobody is root.
var users = []struct {
	name string
	as   func(*exec.Cmd) *exec.Cmd
}{
	{"root", func(cmd *exec.Cmd) *exec.Cmd { return cmd }},
	{"an ordinary user", func(cmd *exec.Cmd) *exec.Cmd {
		cmd = inNamespace(cmd, 1000)
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		return cmd
	}},
}

// asEachUser runs a test on a machine as each user.
func asEachUser(t *testing.T, f func(t *testing.T, sockeyeRun func(args ...string) *process)) {
	for _, u := range users {
		t.Run(u.name, func(t *testing.T) {
			machine(t)
			f(t, func(args ...string) *process {
				t.Helper()
				return start(t, u.as(exec.Command(os.Args[0], append([]string{"run"}, args...)...)))
			})
		})
	}
}

// webServer answers with the address of who asks.
func webServer(t *testing.T, at string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from %s\n", r.Host)
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func TestAProgramReachesWhatTheMachineReaches(t *testing.T) {
	asEachUser(t, func(t *testing.T, sockeyeRun func(...string) *process) {
		for _, ip := range machineAddrs {
			port := webServer(t, net.JoinHostPort(ip, "0"))
			at := net.JoinHostPort(ip, port)
			sockeyeRun("--", "curl", "-sS", "http://"+at).ends(0, "hello from "+at+"\n")
		}
	})
}

func TestAStaticProgramIsOnTheNetworkToo(t *testing.T) {
	program := filepath.Join(t.TempDir(), "static")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Fatal("the program is not static")
		}
	}
	asEachUser(t, func(t *testing.T, sockeyeRun func(...string) *process) {
		at := net.JoinHostPort("203.0.113.5", webServer(t, "203.0.113.5:0"))
		p := sockeyeRun("--", program, "connect", at)
		p.write("GET / HTTP/1.0\r\nHost: static\r\n\r\n")
		p.out.await(t, "hello from static\n")
	})
}

// nameserver answers every query with the machine's addresses.
func nameserverOf(t *testing.T, name string) (at string) {
	t.Helper()
	s, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", s.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		l.Close()
	})
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := s.ReadFrom(buf)
			if err != nil {
				return
			}
			s.WriteTo(answer(buf[:n], name, true), from)
		}
	}()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			for { // both queries of a program come on one connection
				var size [2]byte
				if _, err := io.ReadFull(conn, size[:]); err != nil {
					break
				}
				query := make([]byte, binary.BigEndian.Uint16(size[:]))
				io.ReadFull(conn, query)
				a := answer(query, name, false)
				conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...))
			}
			conn.Close()
		}
	}()
	return s.LocalAddr().String()
}

// answer is that to a query. A name that begins with "long" has one that is too long for a datagram.
func answer(query []byte, name string, datagram bool) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	asked := strings.TrimSuffix(q.Name.String(), ".")
	h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}
	switch {
	case asked != name && asked != "long."+name:
		m.RCode = dnsmessage.RCodeNameError
	case asked != name && datagram:
		m.Truncated = true
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AResource{A: netip.MustParseAddr(machineAddrs[0]).As4()}}}
	case q.Type == dnsmessage.TypeAAAA:
		m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(machineAddrs[1]).As16()}}}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

func TestNamesAreTheMachines(t *testing.T) {
	asEachUser(t, func(t *testing.T, sockeyeRun func(...string) *process) {
		dns := nameserverOf(t, "server.test")
		port := webServer(t, ":0")
		for _, name := range []string{"server.test", "long.server.test"} {
			for _, version := range []string{"-4", "-6"} {
				at := net.JoinHostPort(name, port)
				sockeyeRun("--dns", dns, "--", "curl", "-sS", version, "http://"+at).ends(0, "hello from "+at+"\n")
			}
		}
		p := sockeyeRun("--dns", dns, "--", "curl", "-sS", "http://nobody.test")
		p.ends(6, "")
		p.err.await(t, "Could not resolve host")
	})
}

func TestDatagramsFindTheirWayBack(t *testing.T) {
	asEachUser(t, func(t *testing.T, sockeyeRun func(...string) *process) {
		for _, ip := range machineAddrs {
			s, err := net.ListenPacket("udp", net.JoinHostPort(ip, "0"))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			go func() {
				buf := make([]byte, 1500)
				for {
					n, from, err := s.ReadFrom(buf)
					if err != nil {
						return
					}
					s.WriteTo(append([]byte("you said "), buf[:n]...), from)
				}
			}()
			p := sockeyeRun("--", os.Args[0], "connect", "udp://"+s.LocalAddr().String())
			p.write("hello\n")
			p.out.await(t, "you said hello\n")
		}
	})
}

func TestTheMachineIsAskedForEchoes(t *testing.T) {
	asEachUser(t, func(t *testing.T, sockeyeRun func(...string) *process) {
		if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 0"), 0); err != nil {
			t.Fatal(err)
		}
		for _, ip := range machineAddrs {
			p := sockeyeRun("--", "ping", "-c", "2", "-i", "0.01", ip)
			p.out.await(t, "2 packets transmitted, 2 received, 0% packet loss")
			if got := p.status(); got != 0 {
				t.Errorf("status %d", got)
			}
		}
	})
}

func TestWhoMayNotPingIsToldSo(t *testing.T) {
	machine(t)
	p := start(t, users[1].as(exec.Command(os.Args[0], "run", "-v", "--", "ping", "-c", "1", "203.0.113.5")))
	p.out.await(t, "From 198.18.0.1 icmp_seq=1 Packet filtered")
	p.err.await(t, "ping://203.0.113.5:0: this user may send no echo requests: sysctl net.ipv4.ping_group_range says which groups may")
}

func TestWhatIsRefusedOutsideIsRefusedInside(t *testing.T) {
	asEachUser(t, func(t *testing.T, sockeyeRun func(...string) *process) {
		for _, c := range []struct{ to, want string }{
			{"203.0.113.5:9", "connection refused"},
			{"[2001:db8::5]:9", "connection refused"},
			{"192.0.2.1:80", "network is unreachable"}, // the machine has no route there
			{"[2001:db9::1]:80", "network is unreachable"},
			{"198.18.0.1:80", "connection refused"}, // the gateway serves names alone
			{"udp://203.0.113.5:9", "connection refused"},
		} {
			p := sockeyeRun("--", os.Args[0], "connect", c.to)
			p.write("x\n")
			p.err.await(t, c.want)
			if got := p.status(); got != 1 {
				t.Errorf("%s: status %d", c.to, got)
			}
		}
	})
}

func TestTheMachinesLoopbackIsOutOfReachUnlessAskedFor(t *testing.T) {
	asEachUser(t, func(t *testing.T, sockeyeRun func(...string) *process) {
		port := webServer(t, "127.0.0.1:0")
		for _, host := range []string{"127.0.0.1", "198.18.0.1", "198.18.0.3", "0.0.0.0"} {
			p := sockeyeRun("--", "curl", "-sS", "http://"+net.JoinHostPort(host, port))
			if got := p.status(); got != 7 { // CURLE_COULDNT_CONNECT
				t.Errorf("%s: status %d, %q", host, got, p.out.text())
			}
		}
		at := net.JoinHostPort("198.18.0.3", port)
		sockeyeRun("--host-loopback", "--", "curl", "-sS", "http://"+at).ends(0, "hello from "+at+"\n")
	})
}

func TestPolicySaysWhatIsReached(t *testing.T) {
	machine(t)
	dns := nameserverOf(t, "server.test")
	port := webServer(t, ":0")
	for _, c := range []struct {
		flags   string
		host    string
		reached bool
	}{
		{"--deny 203.0.113.0/24", "203.0.113.5", false},
		{"--deny 203.0.113.0/24", "[2001:db8::5]", true},
		{"--deny 203.0.113.6", "203.0.113.5", true},
		{"--deny :PORT", "203.0.113.5", false},
		{"--deny :1-1023", "203.0.113.5", true},
		{"--allow 203.0.113.5:PORT", "203.0.113.5", true},
		{"--allow 203.0.113.5:PORT", "203.0.113.6", false},
		{"--allow [2001:db8::5]:PORT", "[2001:db8::5]", true},
		{"--allow 203.0.113.0/24 --deny 203.0.113.6", "203.0.113.6", false},
		{"--allow server.test:PORT", "server.test", true},
		{"--allow server.test", "203.0.113.5", true}, // it is the same address
		{"--allow server.test", "203.0.113.6", false},
		{"--deny server.test", "203.0.113.5", false},
		{"--allow other.test", "server.test", false},
	} {
		flags := strings.Fields(strings.ReplaceAll(c.flags, "PORT", port))
		p := run(t, append(append([]string{"run", "--dns", dns}, flags...), "--", "curl", "-sS", "http://"+c.host+":"+port)...)
		want := 7
		if c.reached {
			want = 0
		}
		if got := p.status(); got != want {
			t.Errorf("%s: reaching %s: curl's status is %d, want %d: %s", c.flags, c.host, got, want, p.err.text())
		}
	}
}

func TestPublishedPortsLeadInside(t *testing.T) {
	asEachUser(t, func(t *testing.T, sockeyeRun func(...string) *process) {
		p := sockeyeRun("--publish", "0:80", "--publish", "203.0.113.5:0:80", "--", os.Args[0], "listen", "--keep", "--exec", "cat", "80")
		p.err.await(t, "listening on tcp://[::]:80\n")
		at := regexp.MustCompile(`listening on tcp://((?:127.0.0.1|203.0.113.5):\d+)\n`).FindAllStringSubmatch(p.err.text(), -1)
		if len(at) != 2 {
			t.Fatalf("it told %q", p.err.text())
		}
		for _, m := range at {
			conn, err := net.Dial("tcp", m[1])
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, "from outside")
			conn.(*net.TCPConn).CloseWrite()
			if got, err := io.ReadAll(conn); string(got) != "from outside" || err != nil {
				t.Errorf("%s: %q, %v", m[1], got, err)
			}
		}
	})
}

func TestPublishedDatagramsLeadInside(t *testing.T) {
	machine(t)
	p := run(t, "run", "--publish", "0:53/udp", "--", os.Args[0], "echo", "udp://:53")
	p.err.await(t, "listening on udp://[::]:53\n")
	at := p.err.match(t, regexp.MustCompile(`listening on udp://(127.0.0.1:\d+)\n`))
	conn, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	buf := make([]byte, 100)
	conn.Write([]byte("from outside"))
	if n, err := conn.Read(buf); string(buf[:n]) != "from outside" || err != nil {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

func TestFaultsBefallPackets(t *testing.T) {
	machine(t)
	webServer(t, "203.0.113.5:80")
	p := run(t, "run", "--delay", "30ms", "--", "ping", "-c", "3", "-i", "0.01", "203.0.113.5")
	min := p.out.match(t, regexp.MustCompile(`rtt min/avg/max/mdev = (\d+)\.`))
	if len(min) < 2 || min < "60" && len(min) == 2 { // each way, and never less
		t.Errorf("the shortest ping took %s ms", min)
	}
	run(t, "run", "--loss", "100%", "--", "ping", "-c", "2", "-i", "0.01", "-W", "0.1", "203.0.113.5").out.await(t, "100% packet loss")
	run(t, "run", "--profile", "3g", "--", "curl", "-sS", "http://203.0.113.5").ends(0, "hello from 203.0.113.5\n")
	run(t, "run", "--profile", "3g", "--", "ip", "link", "show", "sockeye0").out.await(t, "mtu 1500")
	run(t, "run", "--", "ip", "link", "show", "sockeye0").out.await(t, "mtu 65520")
	run(t, "run", "--mtu", "9000", "--", "ip", "link", "show", "sockeye0").out.await(t, "mtu 9000")
}

func TestACaptureHasThePackets(t *testing.T) {
	machine(t)
	port := webServer(t, "203.0.113.5:0")
	file := filepath.Join(t.TempDir(), "out.pcapng")
	run(t, "run", "--capture", file, "--", "curl", "-sS", "http://203.0.113.5:"+port).ends(0, "hello from 203.0.113.5:"+port+"\n")
	p := tool(t, "tshark", "-r", file, "-d", "tcp.port=="+port+",http", "-T", "fields", "-e", "tcp.flags.str", "-e", "http.request.uri")
	for _, want := range []string{"S·\t", "A··S·\t", "AP···\t/", "A···F\t"} {
		p.out.await(t, want)
	}
}

func TestALadderShowsWhatTheProgramSaid(t *testing.T) {
	machine(t)
	port := webServer(t, "203.0.113.5:0")
	file := filepath.Join(t.TempDir(), "ladder")
	at := "203.0.113.5:" + port
	args := []string{"--delay", "30ms", "--", "curl", "-sS", "http://" + at}
	run(t, append([]string{"run", "--ladder", file}, args...)...).ends(0, "hello from "+at+"\n")
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := run(t, append([]string{"run", "--ladder", "-"}, args...)...)
	p.ends(0, "hello from "+at+"\n")
	for _, want := range []string{`program 198\.18\.0\.2:\d+ +` + at + `, TCP`, `SYN-SENT +[\d.]+  SYN 0 .*▶`, `◀.* SYN 0 ack 1 .* SYN-RECV`, `FIN-WAIT-1`} {
		for where, text := range map[string]string{"the file": string(got), "standard error": p.err.text()} {
			if !regexp.MustCompile(want).MatchString(text) {
				t.Errorf("there is no %s in %s:\n%s", want, where, text)
			}
		}
	}
	p = run(t, "run", "--ladder", filepath.Join(file, "nowhere"), "--", "true")
	p.ends(125, "")
	p.err.await(t, "not a directory")
}
