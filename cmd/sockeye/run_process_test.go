package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheEndIsTheProgramsEnd(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("no program"), 0o644); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(t.TempDir(), "foreign")
	if err := os.WriteFile(foreign, []byte("\x7fELF of nowhere"), 0o755); err != nil {
		t.Fatal(err)
	}
	asEachUser(t, func(t *testing.T, sockeyeRun func(...string) *process) {
		for _, c := range []struct {
			program string
			status  int
			told    string
		}{
			{"true", 0, ""},
			{"exit 7", 7, ""},
			{"kill -TERM $$", 128 + 15, ""},
			{"kill -KILL $$", 128 + 9, ""},
			{"kill -QUIT $$", 128 + 3, ""},
			{"kill -SEGV $$", 128 + 11, ""},
			{"kill -PIPE $$", 128 + 13, ""}, // which the command itself ignores
		} {
			p := sockeyeRun("--", "sh", "-c", c.program)
			p.ends(c.status, "")
			if got := p.err.text(); got != "" {
				t.Errorf("%s: it told %q", c.program, got)
			}
			if s := p.cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() != (c.status > 128) {
				t.Errorf("%s: ended by a signal: %v", c.program, s.Signaled())
			}
		}
		for program, want := range map[string]struct {
			status int
			told   string
		}{
			"no-such-program": {127, "sockeye: no-such-program: no such program\n"},
			plain:             {126, "sockeye: " + plain + ": permission denied: it is no program that you may run\n"},
			foreign:           {126, "sockeye: " + foreign + ": exec format error\n"},
		} {
			p := sockeyeRun("--", program)
			p.ends(want.status, "")
			if got := p.err.text(); got != want.told {
				t.Errorf("%s: it told %q, want %q", program, got, want.told)
			}
		}
	})
}

func TestStandardStreamsAreTheProgramsOwn(t *testing.T) {
	asEachUser(t, func(t *testing.T, sockeyeRun func(...string) *process) {
		p := sockeyeRun("--", "sh", "-c", "cat; echo done >&2")
		p.write("in, and out again\n")
		p.closeInput().ends(0, "in, and out again\n")
		if got := p.err.text(); got != "done\n" {
			t.Errorf("standard error: %q", got)
		}
	})
}

func TestTheProgramIsWhoeverRunsIt(t *testing.T) {
	for i, want := range []string{"0 0\n", "1000 1000\n"} {
		machine(t)
		start(t, users[i].as(exec.Command(os.Args[0], "run", "--", "sh", "-c", "echo $(id -u) $(id -g)"))).ends(0, want)
	}
	p := start(t, users[1].as(exec.Command(os.Args[0], "run", "--", "grep", "^Cap[IPEA]", "/proc/self/status")))
	const none = "0000000000000000\n"
	p.ends(0, "CapInh:\t"+none+"CapPrm:\t"+none+"CapEff:\t"+none+"CapAmb:\t"+none)
}

func TestSignalsArePassedOn(t *testing.T) {
	asEachUser(t, func(t *testing.T, sockeyeRun func(...string) *process) {
		for name, s := range map[string]syscall.Signal{
			"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM,
			"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "ALRM": syscall.SIGALRM,
		} {
			// A shell runs a trap when a command has ended: one that waits for input may wait for ever.
			p := sockeyeRun("--", "sh", "-c", `trap "echo got; exit 3" `+name+`; echo ready; while :; do sleep 0.01; done`)
			p.out.await(t, "ready")
			p.signal(s)
			p.ends(3, "ready\ngot\n")
		}
	})
}

// A screen is a terminal on which a session runs.
type screen struct {
	*process
	outer *os.File
	text  *stream
}

// atTerminal starts the command in a session of its own, at a terminal.
func atTerminal(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	outer, inner := pty(t)
	cmd.Stdin, cmd.Stdout = inner, inner
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	s := &screen{start(t, cmd), outer, newStream()}
	inner.Close()
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := outer.Read(buf)
			s.text.Write(buf[:n])
			if err != nil {
				s.text.close()
				return
			}
		}
	}()
	return s
}

func TestTheTerminalIsTheProgramsOwn(t *testing.T) {
	for _, u := range users {
		t.Run(u.name, func(t *testing.T) {
			machine(t)
			p := atTerminal(t, u.as(exec.Command(os.Args[0], "run", "--", "sh", "-c",
				`tty; ps -o stat= -p $$; trap "echo interrupted" INT; echo ready; while [ "$x" != typed ]; do read x; done; echo "read $x"; exit 5`)))
			p.text.await(t, "ready")
			if got := p.text.text(); !regexp.MustCompile(`^/dev/pts/\d+\r\n\S*\+\s`).MatchString(got) { // +: in the foreground
				t.Errorf("at the terminal: %q", got)
			}
			p.outer.WriteString("\x03\n") // Ctrl-C: once, and the program's; then a line, behind which it sees that at the latest
			p.text.await(t, "interrupted")
			p.outer.WriteString("typed\n")
			p.text.await(t, "read typed")
			if got := p.status(); got != 5 {
				t.Errorf("status %d", got)
			}
			if got := strings.Count(p.text.text(), "interrupted"); got != 1 {
				t.Errorf("Ctrl-C came %d times", got)
			}
		})
	}
}

func TestAJobStopsAndGoesOn(t *testing.T) {
	machine(t)
	// The shell has job control (-m), for which its standard error must be the terminal too; Ctrl-Z stops the
	// job, and fg goes on with it.
	const script = `"$0" run -- sh -c 'echo ready; read x; echo "read $x"; exit 5'; echo "stopped: $?"; fg; echo "ended: $?"`
	p := atTerminal(t, exec.Command("sh", "-c", `exec bash -m -c "$1" "$0" 2>&1`, os.Args[0], script))
	p.text.await(t, "ready")
	p.outer.WriteString("\x1a")
	p.text.await(t, "stopped: 148") // 128 and SIGTSTP
	p.outer.WriteString("typed\n")
	p.text.await(t, "read typed")
	p.text.await(t, "ended: 5")
}

func TestNothingOutlivesTheCommand(t *testing.T) {
	machine(t)
	p := run(t, "run", "--", "sh", "-c", "echo $$; read x")
	pid := p.out.match(t, regexp.MustCompile(`(\d+)\n`))
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(n, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	p.cmd.Process.Kill()
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patience.Milliseconds())); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(n, 0); err == nil {
		if b, _ := os.ReadFile("/proc/" + pid + "/stat"); !strings.Contains(string(b), ") Z ") { // nobody has waited for it yet
			t.Errorf("the program goes on: %s", b)
		}
	}
}

func TestRunSaysWhatIsWrongWithItsFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                             "sockeye run wants a program; try sockeye run -- curl https://example.org",
		"--loss 1.5 true":              `--loss wants a share, as 1% or 0.01, and "1.5" is not`,
		"--rate 5mb true":              `--rate wants bits per second, as 500kbit, 5mbit or 1gbit, and "5mb" is not`,
		"--delay soon true":            `--delay wants seconds, such as 0.2, or a time, such as 200ms, and "soon" is not`,
		"--jitter 5ms true":            "--jitter varies a delay; add one, as --delay 80ms",
		"--profile 9g true":            `--profile "9g": there is no such profile; there are 2g, 3g, 3g-fast,`,
		"--mtu 500 true":               "--mtu is from 1280, which IPv6 needs, to 65535",
		"--allow 10.0.0.0/40 true":     `--allow "10.0.0.0/40": "10.0.0.0/40" is no network; want one as 10.0.0.0/8`,
		"--deny example.org:x true":    `--deny "example.org:x": "x" is no port; want 1 to 65535, or a range as 8000-8080`,
		"--publish 80:90:100 true":     `--publish "80:90:100": a port is from 1 to 65535`,
		"--publish 80/sctp true":       `--publish "80/sctp": "sctp" is neither tcp nor udp`,
		"--publish host.name:80 true":  `--publish "host.name:80": "host.name" is no address`,
		"--dns example.org true":       `--dns "example.org" is no address; want one as 192.0.2.53, or with a port as 127.0.0.1:5353`,
		"--delay -5ms --jitter 0 true": "--delay and --jitter are times, and can't be negative",
	} {
		p := run(t, append([]string{"run"}, strings.Fields(args)...)...)
		p.ends(2, "")
		if got := p.err.text(); !strings.HasPrefix(got, "sockeye: "+want) {
			t.Errorf("%s: it told %q, want %q", args, got, want)
		}
	}
}

func TestAPublishedPortThatIsTakenIsTold(t *testing.T) {
	machine(t)
	port := webServer(t, "127.0.0.1:0")
	p := run(t, "run", "--publish", port+":80", "--", "true")
	p.ends(125, "")
	p.err.await(t, "publish 127.0.0.1:"+port+": address already in use: another program has it")
}

func TestASystemThatForbidsNamespacesIsExplained(t *testing.T) {
	machine(t)
	const script = `echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set -sys_admin "$0" run -- true`
	p := start(t, inNamespace(exec.Command("sh", "-ec", script, os.Args[0]), 0))
	p.ends(125, "")
	p.err.await(t, "this system lets you make no namespaces: ")
	p.err.await(t, "; an administrator can allow it: sysctl user.max_user_namespaces=10000")
}
