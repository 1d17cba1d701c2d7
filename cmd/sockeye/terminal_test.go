package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pty gives the two sides of a pseudo-terminal (pty(7)).
func pty(t *testing.T) (outer, inner *os.File) {
	t.Helper()
	outer, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outer.Close() })
	if err := unix.IoctlSetPointerInt(int(outer.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(outer.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	inner, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	return outer, inner
}

// onScreen runs the command to its end and gives the lines that a terminal shows.
func onScreen(t *testing.T, args ...string) []string {
	t.Helper()
	outer, inner := pty(t)
	cmd := exec.Command(os.Args[0], args...)
	cmd.Stdout = inner
	p := start(t, cmd)
	inner.Close() // so that the screen ends with the command
	screen := newStream()
	io.Copy(screen, outer)
	if status := p.status(); status != 0 {
		t.Errorf("status %d", status)
	}
	return strings.Split(screen.text(), "\r\n")
}

func TestATerminalGetsColumnsWithNames(t *testing.T) {
	t.Parallel()
	lines := onScreen(t, "families")
	if !strings.HasPrefix(lines[0], "FAMILY        STREAM ") || !strings.HasPrefix(lines[1], "AF_UNIX       yes ") {
		t.Errorf("got\n%s", strings.Join(lines, "\n"))
	}
}

func TestOptionsFitATerminal(t *testing.T) {
	t.Parallel()
	got := map[string]bool{}
	for _, line := range onScreen(t, "options", "tcp4") {
		if len(line) > 100 {
			t.Errorf("%d columns in %q", len(line), line)
		}
		got[strings.Join(strings.Fields(line), " ")] = true
	}
	for _, want := range []string{
		"LEVEL NAME VALUE TYPE ACCESS",
		"SOL_SOCKET SO_LINGER off struct linger read-write",
		"SOL_TCP TCP_INFO struct tcp_info read-only",
		"State CLOSE", // each field of TCP_INFO on a line of its own
		"SndMSS 536",
	} {
		if !got[want] {
			t.Errorf("no line %q", want)
		}
	}
}

func TestAtATerminalThePeersEndIsTheEnd(t *testing.T) {
	t.Parallel()
	l, at := tcpServer(t)
	outer, inner := pty(t)
	cmd := exec.Command(os.Args[0], "connect", at)
	cmd.Stdin = inner
	c := start(t, cmd)
	conn, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := outer.WriteString("typed\n"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, err := conn.Read(buf); err != nil || string(buf[:n]) != "typed\n" {
		t.Errorf("received %q, %v", buf[:n], err)
	}
	conn.Write([]byte("goodbye"))
	conn.CloseWrite()
	c.ends(0, "goodbye") // and nobody has typed the end
}
