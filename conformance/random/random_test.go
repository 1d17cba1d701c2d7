//go:build linux && !386 && !s390x

package random_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"sockeye/conformance"
)

// TestMain starts the test anew as root of a user namespace (user_namespaces(7)) where it may not make
// network namespaces otherwise.
func TestMain(m *testing.M) {
	const again = "SOCKEYE_RANDOM_IN_USER_NAMESPACE"
	if unix.Geteuid() == 0 || os.Getenv(again) != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), again+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintf(os.Stderr, "random: no user namespace can be made: %v\nRun the test as root, or allow user namespaces "+
			"(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone).\n", err)
		os.Exit(1)
	}
	os.Exit(max(0, cmd.ProcessState.ExitCode()))
}

// programs is how many are drawn unless -rapid.checks says otherwise; with -short a fifth of them.
const programs = "10000"

// A trial is a program with what both engines answered.
type trial struct {
	program
	kernel, stack []string
}

// trials draws programs, and has the answers of the Go engine.
var trials = rapid.Custom(func(t *rapid.T) (tr trial) {
	onGo(func(n network) { tr.program, tr.stack = generate(t, n) })
	return tr
})

// GoString is what rapid logs of a draw.
func (tr trial) GoString() string { return fmt.Sprintf("%d calls", len(tr.program)) }

func (tr trial) differs() bool { return !slices.Equal(tr.kernel, tr.stack) }

func TestRandomProgramsAnswerAsOnLinux(t *testing.T) {
	given := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["rapid.checks"] {
		flag.Set("rapid.checks", programs)
	}
	if !given["rapid.seed"] {
		flag.Set("rapid.seed", "1") // the same programs, so that who changed something learns what that did
	}
	flag.Set("rapid.nofailfile", "true") // the program that is shown is all that is worth keeping
	k := newKernelPair(t)
	try := func(p program) trial {
		tr := trial{program: p, kernel: p.lines(k.network(t))}
		onGo(func(n network) { tr.stack = p.lines(n) })
		return tr
	}
	calls, unsteady := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		tr := trials.Draw(t, "program")
		calls += len(tr.program)
		tr.kernel = tr.lines(k.network(t))
		// Nothing waits, but a machine that is busy may deliver a packet late, or let a timer expire in
		// between. A difference that is one comes again.
		again := 0
		for ; tr.differs() && again < 3; again++ {
			tr = try(tr.program)
		}
		if !tr.differs() {
			unsteady += min(again, 1)
			return
		}
		tr = shorten(tr, try)
		t.Fatalf("The engines differ:\n\n%v\n- kernel, + Go:\n%s", tr.program, conformance.Diff(text(tr.kernel), text(tr.stack)))
	})
	t.Logf("%d calls; %d programs answered otherwise when made again", calls, unsteady)
}

// shorten leaves out what is not needed for the engines to differ.
func shorten(tr trial, try func(program) trial) trial {
	for i := len(tr.program) - 1; i >= 0; i-- {
		if i >= len(tr.program) {
			continue
		}
		if less := try(tr.without(i)); less.differs() && try(less.program).differs() {
			tr = less
		}
	}
	return tr
}

func text(lines []string) string { return strings.Join(lines, "\n") + "\n" }
