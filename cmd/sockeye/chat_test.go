package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// runChat runs chat serve on a port of its own, and gives its address.
func runChat(t *testing.T, args ...string) (srv *process, at string) {
	t.Helper()
	srv = run(t, append([]string{"chat", "serve", "127.0.0.1:0"}, args...)...)
	return srv, strings.TrimPrefix(srv.listening(), "tcp://")
}

func TestPeopleWithNcAndInPipesTalk(t *testing.T) {
	t.Parallel()
	srv, at := runChat(t, "--log", "--title", "the test")
	host, port, _ := strings.Cut(at, ":")
	nc := tool(t, "nc", host, port)
	nc.out.await(t, "* the test: /name NAME tells who you are, /help the rest\n")
	nc.write("/name nora\nhello\n")
	nc.out.await(t, "[lobby] nora: hello\n")
	pip := run(t, "chat", "join", "--name", "pip", at)
	pip.write("hello from a pipe\n")
	nc.out.await(t, "[lobby] pip: hello from a pipe\n")
	nc.write("/msg pip psst\n")
	pip.out.await(t, "[nora -> pip] psst\n")
	pip.closeInput()
	if status := pip.status(); status != 0 {
		t.Errorf("status %d", status)
	}
	if out := pip.out.text(); !regexp.MustCompile(`(?s)^\[lobby\] \* 2 are here: nora, pip\n\[lobby\] \d\d:\d\d nora: hello\n\[lobby\] pip: hello from a pipe\n\[nora -> pip\] psst\n$`).MatchString(out) {
		t.Errorf("the pipe has %q", out)
	}
	nc.out.await(t, "[lobby] * pip left\n")
	srv.err.await(t, "pip at tcp://127.0.0.1:")
	srv.signal(os.Interrupt)
	nc.out.await(t, "* the server is closing\n")
	srv.ends(0, "")
}

func TestCtrlCEndsAMemberInAPipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := run(t, "chat", "serve", "--log", "unix:"+filepath.Join(dir, "chat"))
	at := srv.listening()
	c := run(t, "chat", "join", "--name", "ann", at)
	c.out.await(t, "[lobby] * 1 is here: ann\n")
	c.signal(os.Interrupt)
	c.ends(130, "[lobby] * 1 is here: ann\n")
	srv.err.await(t, "ann at unix: an unnamed peer closed\n")
	srv.signal(os.Interrupt)
	srv.ends(0, "")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestJoinWritesEventsAsJSON(t *testing.T) {
	t.Parallel()
	_, at := runChat(t)
	j := run(t, "chat", "join", "--json", "--name", "j", "--room", "dev", at)
	j.write("hello\n")
	j.out.await(t, `"room":"dev","from":"j","text":"hello"}`)
	j.closeInput()
	if status := j.status(); status != 0 {
		t.Errorf("status %d", status)
	}
	if !strings.Contains(j.out.text(), `{"type":"entered","room":"dev","count":1,"members":["j"]}`+"\n") {
		t.Errorf("it wrote %q", j.out.text())
	}
}

func TestChatOverTLS(t *testing.T) {
	t.Parallel()
	srv, at := runChat(t, "--tls")
	pin := srv.err.match(t, regexp.MustCompile(`--pin ([0-9a-f]{64})\n`))
	c := run(t, "chat", "join", "--name", "ann", "--pin", pin, at)
	c.write("hello\n")
	c.out.await(t, "[lobby] ann: hello\n")

	run(t, "chat", "join", "--name", "bob", "--pin", strings.Repeat("0", 64), at).fails(1,
		"tcp://"+at+": the server's certificate has the pin "+pin+", and not the one that is trusted")
	wrong := run(t, "chat", "join", "--name", "bob", "--tls", at)
	if wrong.status() != 1 || !strings.Contains(wrong.err.text(), "certificate") {
		t.Errorf("a certificate that nobody vouches for: %q", wrong.err.text())
	}
	// As any program does TLS.
	conn, err := tls.Dial("tcp", at, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "/name tess\n")
	for r := bufio.NewReader(conn); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "* you are tess\n" {
			break
		}
	}
	c.out.await(t, "[lobby] * tess is here\n")
	c.closeInput().status()
	srv.signal(os.Interrupt)
	srv.ends(0, "")
}

func TestChatServersFindEachOther(t *testing.T) {
	t.Parallel()
	first, at1 := runChat(t, "--cluster", "127.0.0.1:0", "--secret", "known to us")
	peer := first.err.match(t, regexp.MustCompile(`reach this one at tcp://(\S+)\n`))
	second, at2 := runChat(t, "--cluster", "127.0.0.1:0", "--peer", peer, "--secret", "known to us")
	ann, bob := run(t, "chat", "join", "--name", "ann", at1), run(t, "chat", "join", "--name", "bob", at2)
	ann.out.await(t, "[lobby] * ")
	bob.out.await(t, "[lobby] * ")
	for !strings.Contains(ann.out.text(), "bob") { // until the servers have met
		ann.write("/who\n")
		n := len(ann.out.text())
		ann.out.until(t, "an answer", func(b []byte) bool { return len(b) > n })
	}
	ann.write("/msg bob hello\n")
	bob.out.await(t, "[ann -> bob] hello\n")
	first.signal(os.Interrupt)
	first.ends(0, "")
	bob.out.await(t, "[lobby] * ann left: the server is closing\n")
	second.signal(os.Interrupt)
	second.ends(0, "")
}

func TestChatRefusesBadInput(t *testing.T) {
	t.Parallel()
	cert := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(cert, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, line string }{
		{"chat", "sockeye chat wants serve or join; start with sockeye chat serve 7000"},
		{"chat talk", `unknown command "talk"; try sockeye chat serve or sockeye chat join`},
		{"chat serve", "sockeye chat serve wants ADDR; try sockeye chat serve 7000"},
		{"chat serve udp://:1", "chat is for streams, and udp://:1 is none; try tcp:// or unix:"},
		{"chat serve --members 0 1", "--members is how many there may be at once, and is at least 1"},
		{"chat serve --history -1 1", "--history is a number of messages, and can't be negative"},
		{"chat serve --cert x 1", "--cert wants --key with the certificate's key"},
		{"chat serve --key x 1", "--key wants --cert with the key's certificate"},
		{"chat serve --cluster 1 --nats x 1", "--cluster runs a NATS server and --nats uses others; choose one"},
		{"chat serve --peer x:1 1", "--peer wants --cluster too, such as --cluster 6222, so that others reach this server"},
		{"chat serve --cluster unix:x 1", "--cluster is for TCP, and unix:x is something else; try host:6222"},
		{"chat join --name a --pin 12 1", `--pin wants a SHA-256, 64 hexadecimal digits, and "12" is not`},
		{"chat join --name a --ca " + cert + " 1", "--ca: there is no certificate in " + cert + "; it wants PEM, with BEGIN CERTIFICATE"},
	} {
		p := run(t, strings.Fields(c.args)...)
		if status := p.status(); status != 2 || !strings.HasSuffix(p.err.text(), "sockeye: "+c.line+"\n") {
			t.Errorf("%s: status %d, %q", c.args, status, p.err.text())
		}
	}
	l, at := tcpServer(t)
	go func() { // a server of another kind
		if conn, err := l.Accept(); err == nil {
			fmt.Fprintln(conn, "220 mail.example ESMTP")
			io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	run(t, "chat", "join", "--name", "ann", at).fails(1, `tcp://`+at+`: that is no chat server: it says "220 mail.example ESMTP"`)
	l.Close()
	run(t, "chat", "join", "--name", "ann", at).fails(1, "connect to tcp://"+at+": connection refused: nobody listens there")
	_, at = runChat(t)
	run(t, "chat", "join", "--name", "ann", at).out.await(t, "[lobby] * 1 is here: ann\n")
	run(t, "chat", "join", "--name", "ANN", at).fails(1, "tcp://"+at+": ANN is taken; try --name ANN2")
}

func TestJoinHasTheWholeScreenAtATerminal(t *testing.T) {
	t.Parallel()
	srv, at := runChat(t)
	outer, inner := pty(t)
	if err := unix.IoctlSetWinsize(int(inner.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 12, Col: 70}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "chat", "join", "--name", "ann", at)
	cmd.Stdin, cmd.Stdout = inner, inner
	p := start(t, cmd)
	inner.Close()
	screen := newStream()
	go func() {
		io.Copy(screen, outer)
		screen.close()
	}()
	screen.await(t, "\x1b[?1049h") // the alternate screen (xterm's control sequences)
	screen.await(t, "you are ann")
	bob := run(t, "chat", "join", "--name", "bob", at)
	bob.write("hello ann\n")
	screen.await(t, "hello ann")
	io.WriteString(outer, "hello yourself\r")
	bob.out.await(t, "[lobby] ann: hello yourself\n")
	screen.await(t, "hello yourself")

	// The server comes back, and with it the member.
	srv.signal(os.Kill)
	srv.status()
	screen.await(t, "trying again in ")
	srv = run(t, "chat", "serve", at)
	srv.listening()
	bob = run(t, "chat", "join", "--name", "bob", at)
	for bob.out.await(t, "[lobby] * "); !strings.Contains(bob.out.text(), "ann"); {
		n := len(bob.out.text())
		bob.write("/who\n")
		bob.out.until(t, "an answer", func(b []byte) bool { return len(b) > n })
	}
	io.WriteString(outer, "\x03")
	if status := p.status(); status != 0 {
		t.Errorf("after Ctrl-C the status is %d", status)
	}
	screen.await(t, "\x1b[?1049l")
	bob.out.await(t, "[lobby] * ann left\n")
}
