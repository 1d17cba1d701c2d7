package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestKeepServesManyAtOnce(t *testing.T) {
	t.Parallel()
	for name, at := range connectionAddresses(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := run(t, "listen", "--keep", at)
			to := l.listening()
			var guests []*process
			for i := range 8 {
				c := run(t, "connect", to)
				c.write(fmt.Sprintf("<guest %d>", i))
				l.out.await(t, fmt.Sprintf("<guest %d>", i))
				guests = append(guests, c)
			}
			l.write("to all")
			for i, c := range guests {
				c.out.await(t, "to all")
				c.write(fmt.Sprintf("<thanks %d>", i))
				l.out.await(t, fmt.Sprintf("<thanks %d>", i))
				c.closeInput()
			}
			l.closeInput() // the end of input is the end of each connection
			for _, c := range guests {
				c.ends(0, "to all")
			}
			late := run(t, "connect", to)
			late.write("late")
			late.closeInput()
			late.ends(0, "")
			l.out.await(t, "late")
			l.signal(os.Interrupt)
			if status := l.status(); status != 0 {
				t.Errorf("status %d", status)
			}
		})
	}
}

func TestKeepOutlivesAPeerThatResets(t *testing.T) {
	t.Parallel()
	l := run(t, "listen", "-k", "127.0.0.1:0")
	at := strings.TrimPrefix(l.listening(), "tcp://")
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
	l.err.await(t, "the peer is gone")
	c := run(t, "connect", at)
	c.write("next")
	l.out.await(t, "next")
}

func TestExecGivesEachPeerAProgram(t *testing.T) {
	t.Parallel()
	for name, at := range connectionAddresses(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := run(t, "listen", "--keep", "--exec", `tr a-z A-Z; echo "$SOCKEYE_LOCAL"`, at)
			to := l.listening()
			for i := range 3 {
				c := run(t, "connect", to)
				c.write(fmt.Sprintf("hello %d\n", i))
				c.closeInput()
				if status := c.status(); status != 0 {
					t.Errorf("status %d", status)
				}
				if got := c.out.text(); !strings.HasPrefix(got, fmt.Sprintf("HELLO %d\n", i)) || len(strings.Fields(got)) != 3 {
					t.Errorf("got %q", got)
				}
			}
			l.signal(os.Interrupt)
			l.ends(0, "")
		})
	}
}

func TestExecForOnePeerHasTheProgramsVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		program string
		status  int
		line    string
	}{
		{"cat", 0, ""},
		{"exit 3", 1, "exit 3: exit status 3\n"},
		{"echo it says >&2; kill -9 $$", 1, "it says\n"},
	} {
		l := run(t, "listen", "--exec", c.program, "127.0.0.1:0")
		peer := run(t, "connect", l.listening()).closeInput()
		peer.status()
		l.ends(c.status, "")
		l.err.await(t, c.line)
	}
}

func TestExecAnswersEachDatagram(t *testing.T) {
	t.Parallel()
	for name, at := range datagramAddresses(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := run(t, "listen", "--exec", "tr a-z A-Z", at)
			to := l.listening()
			for i := range 3 {
				c := run(t, "connect", "--wait", "20s", to)
				c.write(fmt.Sprintf("hello %d", i))
				c.out.await(t, fmt.Sprintf("HELLO %d", i))
			}
			l.signal(os.Interrupt)
			l.ends(0, "")
		})
	}
}

func TestADatagramSocketHearsAllAndAnswersTheLast(t *testing.T) {
	t.Parallel()
	l := run(t, "listen", "udp4://127.0.0.1:0")
	to := l.listening()
	var peers []*process
	for i := range 3 {
		c := run(t, "connect", "--wait", "1h", to)
		c.write(fmt.Sprintf("<%d>", i))
		l.out.await(t, fmt.Sprintf("<%d>", i))
		peers = append(peers, c)
	}
	for _, i := range []int{1, 0, 2} {
		peers[i].write(fmt.Sprintf("<%d again>", i))
		l.out.await(t, fmt.Sprintf("<%d again>", i))
		l.write(fmt.Sprintf("for %d", i))
		peers[i].out.await(t, fmt.Sprintf("for %d", i))
	}
	if n := strings.Count(l.err.text(), " wrote\n"); n != 3 {
		t.Errorf("%d senders were told, want 3", n)
	}
}

func TestASenderWithoutANameCannotBeAnswered(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "g")
	l := run(t, "listen", "unixgram:"+path)
	l.listening()
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("guess who"))
	l.out.await(t, "guess who")
	l.write("who?")
	l.err.await(t, "it has no name that an answer could go to\n")
}

// TestOtherToolsTalkToIt joins both ends to nc, ncat and socat, whichever of
// the two listens.
func TestOtherToolsTalkToIt(t *testing.T) {
	t.Parallel()
	split := func(at string) (host, port string) {
		host, port, err := net.SplitHostPort(strings.TrimPrefix(strings.TrimPrefix(at, "tcp://"), "udp://"))
		if err != nil {
			t.Fatal(err)
		}
		return host, port
	}
	for name, connect := range map[string]func(t *testing.T, at string) *process{
		"nc": func(t *testing.T, at string) *process {
			host, port := split(at)
			return tool(t, "nc", "-N", host, port)
		},
		"ncat": func(t *testing.T, at string) *process {
			host, port := split(at)
			return tool(t, "ncat", host, port)
		},
		"socat": func(t *testing.T, at string) *process { return tool(t, "socat", "-t", "60", "-", "TCP:"+at) },
	} {
		t.Run(name+" connects", func(t *testing.T) {
			t.Parallel()
			l := run(t, "listen", "127.0.0.1:0")
			c := connect(t, strings.TrimPrefix(l.listening(), "tcp://"))
			converse(t, c, l)
		})
	}
	for name, c := range map[string]struct {
		args      []string
		announced string // by the port or path
		scheme    string
	}{
		"nc listens":    {[]string{"nc", "-N", "-v", "-l", "127.0.0.1", "0"}, `Listening on \S+ (\d+)`, "tcp://127.0.0.1:"},
		"ncat listens":  {[]string{"ncat", "-v", "-l", "-U", filepath.Join(t.TempDir(), "s")}, `Listening on (/\S+)`, "unix:"},
		"socat listens": {[]string{"socat", "-d", "-d", "-t", "60", "-", "TCP-LISTEN:0,bind=127.0.0.1"}, `listening on .*:(\d+)`, "tcp://127.0.0.1:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := tool(t, c.args[0], c.args[1:]...)
			at := l.err.match(t, regexp.MustCompile(c.announced))
			converse(t, run(t, "connect", c.scheme+at), l)
		})
	}
	t.Run("socat over unix sockets of each kind", func(t *testing.T) {
		t.Parallel()
		for scheme, socat := range map[string]string{
			"unix": "UNIX-CONNECT:%s", "unixpacket": "UNIX-CONNECT:%s,type=5", "unixgram": "UNIX-SENDTO:%[1]s,bind=%[1]s.c",
		} {
			path := filepath.Join(t.TempDir(), scheme)
			l := run(t, "listen", scheme+":"+path)
			l.listening()
			c := tool(t, "socat", "-t", "60", "-", fmt.Sprintf(socat, path))
			c.write("question")
			l.out.await(t, "question")
			l.write("answer")
			c.out.await(t, "answer")
		}
	})
	t.Run("nc over UDP", func(t *testing.T) {
		t.Parallel()
		l := run(t, "listen", "udp://127.0.0.1:0")
		host, port := split(l.listening())
		c := tool(t, "nc", "-u", host, port)
		c.write("question")
		l.out.await(t, "question")
		l.write("answer")
		c.out.await(t, "answer")
	})
}

// converse has a ask and b answer, and both end.
func converse(t *testing.T, a, b *process) {
	t.Helper()
	a.write("question")
	b.out.await(t, "question")
	b.write("answer")
	a.out.await(t, "answer")
	a.closeInput()
	b.closeInput()
	a.ends(0, "answer")
	b.ends(0, "question")
}

func TestHelpShowsExamplesFirstAndExitStatuses(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"listen", "connect", "echo", "ping", "relay", "options", "families"} {
		p := run(t, command, "--help")
		if p.status() != 0 {
			t.Errorf("%s --help failed", command)
		}
		text := p.out.text()
		order := []string{"\nExamples:\n  sockeye " + command, "\nUsage:\n  sockeye " + command, "\nFlags:\n", "\nExit status:\n  0"}
		at := 0
		for _, want := range order {
			i := strings.Index(text[at:], want)
			if i < 0 {
				t.Errorf("%s --help has no %q in its place:\n%s", command, want, text)
				break
			}
			at += i
		}
	}
	run(t, "completion", "bash").out.await(t, "sockeye")
	c := run(t, "__complete", "connect", "unix")
	c.out.await(t, "unixpacket:\n")
}

func TestInputIsNotReadBeforeAnybodyIsThere(t *testing.T) {
	t.Parallel()
	l := run(t, "listen", "--keep", "127.0.0.1:0")
	l.write("kept for the first")
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.listening(), "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, len("kept for the first"))
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "kept for the first" {
		t.Errorf("%q, %v", buf, err)
	}
}

func TestInputThatFailsIsTold(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"tcp4://127.0.0.1:0", "udp4://127.0.0.1:0"} {
		dir, err := os.Open(t.TempDir()) // which can't be read as a file
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "listen", "--keep", at)
		cmd.Stdin = dir
		l := start(t, cmd)
		dir.Close()
		c := run(t, "connect", l.listening())
		c.write("hello")
		l.err.await(t, "sockeye: standard input: ")
		l.out.await(t, "hello")
		l.signal(os.Interrupt)
		l.ends(0, "hello")
	}
}

func TestCtrlCEndsAServiceWhoseProgramsAllRun(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "listen", "--exec", "exec sleep 600", "udp4://127.0.0.1:0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	l := start(t, cmd)
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // the programs go on
	to, err := net.ResolveUDPAddr("udp", strings.TrimPrefix(l.listening(), "udp://"))
	if err != nil {
		t.Fatal(err)
	}
	for range programs + 1 { // the last of them waits for a place
		c, err := net.DialUDP("udp", nil, to)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write([]byte("x"))
		l.err.await(t, c.LocalAddr().String()+" wrote")
	}
	l.signal(os.Interrupt)
	l.ends(0, "")
}
