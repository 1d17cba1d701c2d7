package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asCommand makes the test binary be the command itself.
const asCommand = "SOCKEYE_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// patience is how long a process may run.
const patience = 3 * time.Minute

// A process is the command, or a tool that it is tried with, as it runs.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	in       io.WriteCloser
	out, err *stream
}

// run starts the command.
func run(t *testing.T, args ...string) *process {
	t.Helper()
	return start(t, exec.Command(os.Args[0], args...))
}

// tool starts a program of the machine.
func tool(t *testing.T, name string, args ...string) *process {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("this test needs %s: %v", name, err)
	}
	return start(t, exec.Command(path, args...))
}

func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	// Under the race detector a process lingers for a second without this.
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, asCommand+"=1", "GORACE=atexit_sleep_ms=0")
	p := &process{t: t, cmd: cmd, out: newStream(), err: newStream()}
	if cmd.Stdin == nil {
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.in = in
	}
	if cmd.Stdout == nil {
		cmd.Stdout = p.out
	}
	cmd.Stderr = p.err
	cmd.WaitDelay = patience // a program of its own may hold on to what it wrote to
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// One that hangs tells where.
	hung := time.AfterFunc(patience, func() { cmd.Process.Signal(syscall.SIGQUIT) })
	t.Cleanup(func() {
		hung.Stop()
		cmd.Process.Kill()
		p.err.end()
		if t.Failed() {
			t.Logf("%s: wrote\n%s", strings.Join(cmd.Args[1:], " "), p.err.text())
		}
	})
	go func() {
		cmd.Wait() // what it wrote is complete after this
		p.out.close()
		p.err.close()
	}()
	return p
}

func (p *process) write(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, s); err != nil {
		p.t.Fatal(err)
	}
}

// closeInput ends standard input.
func (p *process) closeInput() *process {
	p.in.Close()
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// status waits for the end and gives the exit status; 128 and more for a signal.
func (p *process) status() int {
	p.t.Helper()
	p.err.end()
	s := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// ends waits for the end and checks how it was.
func (p *process) ends(status int, out string) {
	p.t.Helper()
	if got := p.status(); got != status {
		p.t.Errorf("%q ended with status %d, want %d; it wrote %q", p.cmd.Args[1:], got, status, p.err.text())
	}
	if got := p.out.text(); got != out {
		p.t.Errorf("%q gave %.200q, want %.200q", p.cmd.Args[1:], got, out)
	}
}

var announced = regexp.MustCompile(`(?m)listening on (\S+)$`)

// listening waits for the address that the command tells.
func (p *process) listening() string {
	p.t.Helper()
	return p.err.match(p.t, announced)
}

// A stream is what a process has written so far.
type stream struct {
	mu    sync.Mutex
	more  *sync.Cond
	buf   bytes.Buffer
	ended bool
}

func newStream() *stream {
	s := new(stream)
	s.more = sync.NewCond(&s.mu)
	return s
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more.Broadcast()
	return s.buf.Write(p)
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.more.Broadcast()
}

func (s *stream) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// end waits for the end.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended {
		s.more.Wait()
	}
}

// match waits until the pattern is there, and gives its last group.
func (s *stream) match(t *testing.T, pattern *regexp.Regexp) string {
	t.Helper()
	var m [][]byte
	s.until(t, pattern.String(), func(b []byte) bool {
		m = pattern.FindSubmatch(b)
		return m != nil
	})
	return string(m[len(m)-1])
}

// await waits until the text is there.
func (s *stream) await(t *testing.T, text string) {
	t.Helper()
	s.until(t, text, func(b []byte) bool { return bytes.Contains(b, []byte(text)) })
}

func (s *stream) until(t *testing.T, what string, there func([]byte) bool) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !there(s.buf.Bytes()) {
		if s.ended {
			t.Fatalf("no %q in what it wrote:\n%s", what, s.buf.String())
		}
		s.more.Wait()
	}
}

// inNamespace makes cmd run in a network namespace of its own, as a user
// without privileges, or as one who has all of them there.
func inNamespace(cmd *exec.Cmd, uid int) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getgid(), Size: 1}},
	}
	return cmd
}
