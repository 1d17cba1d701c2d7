package examples_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// programs is the directory of the built programs: those in Go by their names,
// those in C with a c- in front.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "examples")
	if err == nil {
		programs = dir
		err = errors.Join(os.Chmod(dir, 0o755), build(dir)) // for the tests without privilege
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir string) error {
	if out, err := exec.Command("go", "build", "-o", dir+"/", "./...").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %v\n%s", err, out)
	}
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		return fmt.Errorf("the counterparts in testdata/c need gcc: install it (%v)", err)
	}
	sources, err := filepath.Glob("testdata/c/*.c")
	if err != nil || len(sources) == 0 {
		return fmt.Errorf("no sources in testdata/c (%v)", err)
	}
	for _, src := range sources {
		bin := filepath.Join(dir, "c-"+strings.TrimSuffix(filepath.Base(src), ".c"))
		if out, err := exec.Command(gcc, "-Wall", "-Werror", "-O1", "-o", bin, src).CombinedOutput(); err != nil {
			return fmt.Errorf("gcc %s: %v\n%s", src, err, out)
		}
	}
	return nil
}

// A process is a program that runs, with its output as it comes.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *output
	errout *output
}

// start runs one of the programs, or any other command. It ends with the test.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	return begin(t, exec.CommandContext(t.Context(), find(name), args...))
}

// startUnprivileged is start without the rights of root.
func startUnprivileged(t *testing.T, name string, args ...string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), find(name), args...)
	if os.Geteuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return begin(t, cmd)
}

// startPrivileged is start with the rights of root: where the test does not
// have them, in namespaces of its own.
func startPrivileged(t *testing.T, name string, args ...string) *process {
	t.Helper()
	if os.Geteuid() == 0 {
		return start(t, name, args...)
	}
	const setup = `ip link set lo up && exec "$0" "$@"`
	return start(t, "unshare", append([]string{"-Urn", "sh", "-c", setup, find(name)}, args...)...)
}

// find gives the path of one of the programs, and other names as they are.
func find(name string) string {
	path := filepath.Join(programs, name)
	if _, err := os.Stat(path); err != nil {
		return name
	}
	return path
}

func begin(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.in = in
	p.out, p.errout = &output{r: stdout}, &output{r: stderr}
	return p
}

// An output is what a program has written and expect has not taken yet.
type output struct {
	r    io.Reader
	rest []byte
}

// until takes what comes up to the end of text. It waits for it.
func (o *output) until(text string) (before string, err error) {
	for {
		if i := bytes.Index(o.rest, []byte(text)); i >= 0 {
			before = string(o.rest[:i])
			o.rest = o.rest[i+len(text):]
			return before, nil
		}
		buf := make([]byte, 4096)
		n, err := o.r.Read(buf)
		o.rest = append(o.rest, buf[:n]...)
		if err != nil && n == 0 {
			return "", err
		}
	}
}

// expect fails unless exactly text comes next.
func (p *process) expect(o *output, text string) {
	p.t.Helper()
	if before, err := o.until(text); err != nil || before != "" {
		p.t.Fatalf("%s: want %q next, got %q (%v)", p.cmd.Args, text, before+string(o.rest), err)
	}
}

// line takes a line of standard output that begins so, and gives the rest of it.
func (p *process) line(o *output, prefix string) string {
	p.t.Helper()
	p.expect(o, prefix)
	rest, err := o.until("\n")
	if err != nil {
		p.t.Fatalf("%s: %q is not followed by the end of the line: %v", p.cmd.Args, prefix, err)
	}
	return rest
}

func (p *process) write(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, text); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the end of the program, and fails unless it exits so and wrote
// no more than this.
func (p *process) end(code int, stdout, stderr string) {
	p.t.Helper()
	out, _ := io.ReadAll(p.out.r)
	errout, _ := io.ReadAll(p.errout.r)
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("%s: exit code %d, want %d", p.cmd.Args, got, code)
	}
	if got := string(append(p.out.rest, out...)); got != stdout {
		p.t.Errorf("%s: standard output %q, want %q", p.cmd.Args, got, stdout)
	}
	if got := string(append(p.errout.rest, errout...)); got != stderr {
		p.t.Errorf("%s: standard error %q, want %q", p.cmd.Args, got, stderr)
	}
}
