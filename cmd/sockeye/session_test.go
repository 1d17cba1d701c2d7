package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// addresses to listen on, of every kind that makes connections.
func connectionAddresses(t *testing.T) map[string]string {
	dir := t.TempDir()
	return map[string]string{
		"tcp": "0", "tcp by host": "localhost:0", "tcp4": "tcp4://:0", "tcp6": "tcp6://[::1]:0", "ipv6": "[::1]:0",
		"unix": "unix:" + filepath.Join(dir, "s"), "unix abstract": "unix:@" + dir,
		"unixpacket": "unixpacket:" + filepath.Join(dir, "p"),
	}
}

func datagramAddresses(t *testing.T) map[string]string {
	return map[string]string{
		"udp": "udp://:0", "udp4": "udp4://127.0.0.1:0", "udp6": "udp6://[::1]:0",
		"unixgram": "unixgram:" + filepath.Join(t.TempDir(), "g"), "unixgram abstract": "unixgram:@" + t.TempDir(),
	}
}

func TestInputOfEachSideComesOutOfTheOther(t *testing.T) {
	t.Parallel()
	for name, at := range connectionAddresses(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := run(t, "listen", at)
			c := run(t, "connect", l.listening())
			c.write("hello")
			l.out.await(t, "hello")
			l.write("wor\x00ld\xff")
			c.out.await(t, "wor\x00ld\xff")
			c.closeInput()
			l.closeInput()
			c.ends(0, "wor\x00ld\xff")
			l.ends(0, "hello")
			if path, ok := strings.CutPrefix(at, "unix:/"); ok {
				if _, err := os.Lstat("/" + path); !os.IsNotExist(err) {
					t.Errorf("the path %s is still there: %v", path, err)
				}
			}
			l.err.await(t, "connected\n")
			l.err.await(t, "closed: 5 bytes received, 7 sent\n")
		})
	}
}

func TestEitherDirectionOutlivesTheOther(t *testing.T) {
	t.Parallel()
	for name, at := range connectionAddresses(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, first := range []string{"connect", "listen"} {
				l := run(t, "listen", at)
				c := run(t, "connect", "-v", l.listening())
				ender, other := c, l
				if first == "listen" {
					ender, other = l, c
				}
				ender.write("question")
				ender.closeInput()
				other.out.await(t, "question")
				if first == "listen" {
					c.err.match(t, endOfStream) // it has met the end, and goes on
				}
				other.write("answer")
				ender.out.await(t, "answer")
				other.closeInput()
				ender.ends(0, "answer")
				other.ends(0, "question")
			}
		})
	}
}

func TestDatagramsGoBothWays(t *testing.T) {
	t.Parallel()
	for name, at := range datagramAddresses(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := run(t, "listen", at)
			c := run(t, "connect", "--wait", "50ms", l.listening())
			c.write("hello")
			l.out.await(t, "hello")
			l.err.await(t, " wrote\n")
			l.write("world")
			c.out.await(t, "world")
			c.closeInput()
			c.ends(0, "world")
			l.signal(os.Interrupt)
			l.ends(0, "hello")
		})
	}
}

// blocks writes or checks n copies of a block, each with its number in front.
type blocks struct {
	block []byte
	n, at int
	rest  []byte
}

func newBlocks(n int) *blocks {
	b := &blocks{block: make([]byte, 1<<20), n: n}
	rand.NewChaCha8([32]byte{1}).Read(b.block)
	return b
}

func (b *blocks) next() bool {
	if b.at == b.n {
		return false
	}
	b.at++
	copy(b.block, []byte{byte(b.at), byte(b.at >> 8)})
	b.rest = b.block
	return true
}

func (b *blocks) Read(p []byte) (int, error) {
	if len(b.rest) == 0 && !b.next() {
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// check tells whether r has just these blocks.
func (b *blocks) check(t *testing.T, r io.Reader) {
	t.Helper()
	buf := make([]byte, len(b.block))
	for b.next() {
		if _, err := io.ReadFull(r, buf); err != nil {
			t.Errorf("block %d of %d: %v", b.at, b.n, err)
			return
		}
		if !bytes.Equal(buf, b.rest) {
			t.Errorf("block %d of %d differs", b.at, b.n)
			return
		}
	}
	if n, err := r.Read(buf); err != io.EOF {
		t.Errorf("%d bytes too many (%v)", n, err)
	}
}

// piped starts the command with pipes that the test holds.
func piped(t *testing.T, args ...string) (p *process, in io.WriteCloser, out io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	stdout, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	p = start(t, cmd)
	w.Close()
	t.Cleanup(func() { stdout.Close() })
	return p, p.in, stdout
}

func TestAGibibyteArrivesAsItLeft(t *testing.T) {
	t.Parallel()
	mib := 1024
	if testing.Short() {
		mib = 32
	}
	l, lin, lout := piped(t, "listen", "127.0.0.1:0")
	c, cin, _ := piped(t, "connect", l.listening())
	lin.Close()
	go func() {
		io.Copy(cin, newBlocks(mib))
		cin.Close()
	}()
	newBlocks(mib).check(t, lout)
	if c.status() != 0 || l.status() != 0 {
		t.Errorf("statuses %d and %d", c.status(), l.status())
	}
}

func TestLargeTransfersGoBothWaysAtOnce(t *testing.T) {
	t.Parallel()
	const mib = 24
	for name, at := range connectionAddresses(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, lin, lout := piped(t, "listen", at)
			c, cin, cout := piped(t, "connect", l.listening())
			for _, in := range []io.WriteCloser{lin, cin} {
				go func() {
					io.Copy(in, newBlocks(mib))
					in.Close()
				}()
			}
			checked := make(chan bool)
			go func() {
				newBlocks(mib).check(t, lout)
				close(checked)
			}()
			newBlocks(mib).check(t, cout)
			<-checked
			if c.status() != 0 || l.status() != 0 {
				t.Errorf("statuses %d and %d", c.status(), l.status())
			}
		})
	}
}

func TestAFileArrivesAsItIs(t *testing.T) {
	t.Parallel()
	data, err := io.ReadAll(newBlocks(8))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, at := range connectionAddresses(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			l := run(t, "listen", at).closeInput()
			cmd := exec.Command(os.Args[0], "connect", "-v", l.listening())
			cmd.Stdin = f
			c := start(t, cmd)
			c.ends(0, "")
			l.ends(0, string(data))
			if name != "unixpacket" {
				c.err.match(t, regexp.MustCompile(`sendfile\b.*\) = 8388608\n`))
			}
		})
	}
}

// tcpServer gives a listener of this process and its address.
func tcpServer(t *testing.T) (*net.TCPListener, string) {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().String()
}

func TestWhatCameBeforeAResetIsWritten(t *testing.T) {
	t.Parallel()
	l, at := tcpServer(t)
	c := run(t, "connect", at)
	conn, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	conn.Write([]byte("first "))
	c.out.await(t, "first ")
	c.signal(syscall.SIGSTOP) // data and reset wait for it together
	conn.Write([]byte("and last"))
	conn.SetLinger(0)
	conn.Close()
	c.signal(syscall.SIGCONT)
	c.ends(1, "first and last")
	c.err.await(t, "sockeye: tcp://"+at+": connection reset by peer: the peer is gone\n")
}

func TestInputThatNobodyTakesIsAnError(t *testing.T) {
	t.Parallel()
	l, at := tcpServer(t)
	c := run(t, "connect", "-v", at)
	conn, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	conn.Write([]byte("bye"))
	conn.Close()
	c.err.match(t, endOfStream)
	for { // the first send finds out, and a later one fails
		if _, err := c.in.Write(make([]byte, 1<<16)); err != nil {
			break
		}
	}
	c.ends(1, "bye")
	c.err.await(t, "the peer closed before all was sent\n")
}

func TestAReaderOfStandardOutputMayGo(t *testing.T) {
	t.Parallel()
	l, at := tcpServer(t)
	c, _, out := piped(t, "connect", at)
	conn, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	out.(*os.File).Close()
	// Until it is gone: a program that another test starts has, for a moment, the reader open as well.
	for err = nil; err == nil; {
		_, err = conn.Write([]byte("nobody reads this"))
	}
	if status := c.status(); status != 0 || c.err.text() != "" {
		t.Errorf("status %d, and it wrote %q", status, c.err.text())
	}
}

func TestStandardStreamsMayBeClosed(t *testing.T) {
	t.Parallel()
	l := run(t, "listen", "127.0.0.1:0").closeInput()
	cmd := exec.Command("/bin/sh", "-c", `exec "$0" connect "$1" <&- >&-`, os.Args[0], l.listening())
	start(t, cmd).ends(0, "")
	l.ends(0, "")
}

func TestAPeerThatIsGoneEndsAnIdleUpload(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := run(t, "connect", "unix:"+path) // its input stays open
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	c.ends(0, "")
}

func TestEmptyRecordsDoNotEndASession(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p")
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := run(t, "connect", "unixpacket:"+path).closeInput()
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range []string{"a", "", "b", ""} {
		if _, err := conn.Write([]byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
	c.ends(0, "ab")
}

func TestWaitBoundsTheTimeAfterTheEndOfInput(t *testing.T) {
	t.Parallel()
	l, at := tcpServer(t)
	c := run(t, "connect", "--wait", "20ms", at).closeInput()
	conn, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() // and it says nothing
	c.ends(0, "")
}

func TestAReaderWhoLeavesIsNothingToComplainOf(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"options"}, {"options", "--json"}, {"families"}, {"families", "--json"},
		{"ping", "-c", "1", "127.0.0.1"}, {"ping", "-c", "1", "--json", "127.0.0.1"},
		{"--help"}, {"listen", "--help"}, {"completion", "bash"}, {"completion", "zsh"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], args...)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			cmd.Stdout = w
			p := start(t, cmd)
			w.Close()
			if status := p.status(); status != 0 || p.err.text() != "" {
				t.Errorf("status %d, and %q", status, p.err.text())
			}
		})
	}
}
