package main

import (
	"fmt"
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

func TestATerminalGetsColumnsWithNames(t *testing.T) {
	t.Parallel()
	outer, inner := pty(t)
	cmd := exec.Command(os.Args[0], "families")
	cmd.Stdout = inner
	p := start(t, cmd)
	screen := newStream()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := outer.Read(buf)
			screen.Write(buf[:n])
			if err != nil {
				screen.close()
				return
			}
		}
	}()
	screen.await(t, "AF_ISO ")
	if status := p.status(); status != 0 {
		t.Errorf("status %d", status)
	}
	lines := strings.Split(screen.text(), "\r\n")
	if !strings.HasPrefix(lines[0], "FAMILY        STREAM ") || !strings.HasPrefix(lines[1], "AF_UNIX       yes ") {
		t.Errorf("got\n%s", screen.text())
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
