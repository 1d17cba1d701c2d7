package stack_test

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"sockeye/internal/leak"
)

// A netcat is nc(1) that runs. With -N it closes its half when its input ends.
type netcat struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.ReadCloser
	talk io.ReadCloser
}

func startNetcat(t *testing.T, args ...string) *netcat {
	t.Helper()
	if _, err := exec.LookPath("nc"); err != nil {
		t.Fatal("nc is not installed: .ci/run installs what the tests need")
	}
	n := &netcat{t: t, cmd: exec.Command("nc", append([]string{"-N", "-v", "-n"}, args...)...)}
	n.in, n.out, n.talk = must(n.cmd.StdinPipe()), must(n.cmd.StdoutPipe()), must(n.cmd.StderrPipe())
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return n
}

// listens waits until nc says that it does.
func (n *netcat) listens() {
	if line, err := bufio.NewReader(n.talk).ReadString('\n'); !strings.HasPrefix(line, "Listening on") {
		n.t.Fatalf("nc says %q: %v", line, err)
	}
}

// send is what nc reads, to the end.
func (n *netcat) send(text string) {
	io.WriteString(n.in, text)
	n.in.Close()
}

// ends takes what nc has printed, when it is done.
func (n *netcat) ends() string {
	out, _ := io.ReadAll(n.out)
	io.Copy(io.Discard, n.talk)
	if err := n.cmd.Wait(); err != nil {
		n.t.Errorf("nc ended: %v", err)
	}
	return string(out)
}

func closeWrite(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
}

// Whoever is done first, the other can still send.
func TestNetcatHalfClosesEitherWay(t *testing.T) {
	leak.Check(t)
	h := neighbourhood(t).Sockets()
	for _, v := range []struct{ ours, kernels string }{{"10.9.0.2", "10.9.0.1"}, {"fd09::2", "fd09::1"}} {
		l := must(h.Listen("tcp", net.JoinHostPort(v.ours, "7000")))
		for _, way := range []struct {
			name    string
			connect func() (*netcat, net.Conn)
		}{
			{"nc connects", func() (*netcat, net.Conn) {
				n := startNetcat(t, v.ours, "7000")
				return n, must(l.Accept())
			}},
			{"nc listens", func() (*netcat, net.Conn) {
				n := startNetcat(t, "-l", v.kernels, "7001")
				n.listens()
				return n, must(h.Dial("tcp", net.JoinHostPort(v.kernels, "7001")))
			}},
		} {
			n, c := way.connect()
			n.send("question")
			if got, err := io.ReadAll(c); string(got) != "question" || err != nil {
				t.Errorf("%s: read %q of nc's half: %v", way.name, got, err)
			}
			io.WriteString(c, "answer")
			c.Close()
			if got := n.ends(); got != "answer" {
				t.Errorf("%s: nc, done first, printed %q", way.name, got)
			}

			if way.name == "nc listens" {
				continue // it ends with its client's half
			}
			n, c = way.connect()
			io.WriteString(c, "greeting")
			closeWrite(t, c)
			got := make([]byte, len("greeting"))
			if _, err := io.ReadFull(n.out, got); string(got) != "greeting" || err != nil {
				t.Errorf("%s: nc printed %q of the Go host's half: %v", way.name, got, err)
			}
			n.send("late")
			if got, err := io.ReadAll(c); string(got) != "late" || err != nil {
				t.Errorf("%s: read %q after the Go host was done: %v", way.name, got, err)
			}
			c.Close()
			if got := n.ends(); got != "" {
				t.Errorf("%s: nc printed %q more", way.name, got)
			}
		}
		l.Close()
	}
}
