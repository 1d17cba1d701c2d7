package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// run runs the program to its end, which is this command's own.
func (n *network) run(path string, args []string) error {
	// The program ends when the thread that started it does (PR_SET_PDEATHSIG): by SIGKILL, which
	// leaves it without a network.
	runtime.LockOSThread()
	// The other processors are the program's: a gateway that has them all, too, spends its time waking threads.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2))
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)

	n.plan.Path = path
	child, setup, err := n.start(args)
	if err != nil {
		return err
	}
	defer unix.Close(setup)
	go forward(signals, child.Process)
	err = n.connect(setup)
	if err != nil {
		unix.Shutdown(setup, unix.SHUT_RDWR) // the process inside ends
	}
	child.Wait()
	if closing := n.close(); err == nil && closing != nil {
		err = statusError{statusOwn, closing.Error()}
	}
	if err != nil {
		return err
	}
	return ending(child.ProcessState.Sys().(syscall.WaitStatus))
}

// start starts the process that becomes the program, in namespaces of its own, and gives it with the
// socket by which it is set up.
func (n *network) start(args []string) (*exec.Cmd, int, error) {
	text, err := json.Marshal(n.plan)
	if err != nil {
		return nil, 0, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("socketpair: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "setup")
	defer theirs.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: append([]string{insideName, string(text)}, args...),
		Stdin: n.a.stdin, Stdout: n.a.stdout, Stderr: os.Stderr, ExtraFiles: []*os.File{theirs},
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
		},
	}
	if !mayMakeNamespaces() { // as whom the user is, but with all rights in a namespace of users
		a := cmd.SysProcAttr
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		a.AmbientCaps = neededCapabilities
	}
	if err := cmd.Start(); err != nil {
		unix.Close(pair[0])
		return nil, 0, forbidden("namespaces", err)
	}
	return cmd, pair[0], nil
}

// mayMakeNamespaces tells whether this process needs no namespace of users to make others: it has
// CAP_SYS_ADMIN.
func mayMakeNamespaces() bool {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has [2]unix.CapUserData
	return unix.Capget(&h, &has[0]) == nil && has[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0 && os.Geteuid() == 0
}

// connect takes the devices from the process inside, brings up what is behind them, and lets the
// process become the program.
func (n *network) connect(setup int) error {
	buf, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*max(1, len(n.plan.Interfaces))))
	size, controlSize, _, _, err := unix.Recvmsg(setup, buf, control, unix.MSG_CMSG_CLOEXEC)
	switch {
	case err != nil:
		return statusError{statusOwn, "the process inside the network: " + err.Error()}
	case size == 0:
		return statusError{statusOwn, "the process inside the network ended before it was set up"}
	case controlSize == 0:
		return forbidden("the network inside", errors.New(string(buf[:size])))
	}
	devices, err := receivedDescriptors(control[:controlSize], len(n.plan.Interfaces))
	if err == nil {
		err = n.begin(devices)
	}
	if err != nil {
		return statusError{statusOwn, explain(err)}
	}
	if err := unix.Sendto(setup, []byte{0}, unix.MSG_NOSIGNAL, nil); err != nil {
		return statusError{statusOwn, "the process inside the network: " + err.Error()}
	}
	if size, _, err = unix.Recvfrom(setup, buf, 0); err == nil && size > 0 { // at the end it runs
		return statusError{statusNotRunnable, string(buf[:size])}
	}
	return nil
}

func receivedDescriptors(control []byte, want int) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("no descriptor came from inside the network: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err == nil && len(fds) != want {
		err = fmt.Errorf("%d for %d devices", len(fds), want)
		closeAll(fds)
	}
	if err != nil {
		return nil, fmt.Errorf("descriptors from inside the network: %w", err)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// forbidden is the error of a system that lets its users make no namespaces, and says what to do.
func forbidden(what string, err error) error {
	text := fmt.Sprintf("this system lets you make no %s: %v", what, err)
	if what != "namespaces" {
		text = fmt.Sprintf("%s could not be set up: %v", what, err)
	}
	for _, r := range []struct{ file, forbids, do string }{
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"},
		{"/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"},
		{"/proc/sys/user/max_net_namespaces", "0", "sysctl user.max_net_namespaces=10000"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile with userns for sockeye"},
	} {
		if value, e := os.ReadFile(r.file); e == nil && strings.TrimSpace(string(value)) == r.forbids {
			return statusError{statusOwn, text + "; an administrator can allow it: " + r.do}
		}
	}
	if what == "namespaces" {
		text += "; in a container it takes one that allows unshare(2) (docker run --security-opt seccomp=unconfined), or root with CAP_SYS_ADMIN"
	}
	return statusError{statusOwn, text}
}

// forwarded are the signals that are for the program. Those that stop and continue a job reach it by
// themselves, as it is in this command's process group.
var forwarded = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM,
	syscall.SIGVTALRM, syscall.SIGPROF, syscall.SIGIO, syscall.SIGPWR, syscall.SIGWINCH,
}

// forward passes signals on to the program. Those of a terminal's keys and size go to all of its
// foreground process group, and the program has had them.
func forward(signals <-chan os.Signal, to *os.Process) {
	for s := range signals {
		switch s {
		case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH:
			if foreground() {
				continue
			}
		}
		to.Signal(s)
	}
}

// foreground tells whether a terminal has this process in its foreground.
func foreground() bool {
	tty, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(tty)
	group, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// ending ends this command as the program has ended.
func ending(s syscall.WaitStatus) error {
	if !s.Signaled() {
		return status(s.ExitStatus())
	}
	dieOf(s.Signal())
	return status(statusSignal + int(s.Signal()))
}

func status(n int) error {
	if n == 0 {
		return nil
	}
	return statusError{n, ""}
}

// dieOf ends this process by a signal, past Go's own handling of some, and without a core of its own.
func dieOf(s syscall.Signal) {
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	var action struct { // Linux's struct sigaction, with SIG_DFL
		handler, flags, restorer uintptr
		mask                     uint64
	}
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, unsafe.Sizeof(action.mask), 0, 0)
	unix.Tgkill(unix.Getpid(), unix.Gettid(), s)
}
