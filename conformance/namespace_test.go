//go:build linux && !386 && !s390x

package conformance_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sockeye/conformance"
	"sockeye/kernel"
)

// TestMain starts the test anew as root of a user namespace (user_namespaces(7))
// where it may not make network namespaces otherwise.
func TestMain(m *testing.M) {
	const again = "SOCKEYE_CONFORMANCE_IN_USER_NAMESPACE"
	err := onThreadOfItsOwn(func() error { return unix.Unshare(unix.CLONE_NEWNET) })
	switch {
	case err == nil:
		os.Exit(m.Run())
	case os.Getenv(again) != "" || !errors.Is(err, unix.EPERM):
		cannot("network namespaces can't be made", err)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), again+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit):
		os.Exit(max(1, exit.ExitCode()))
	}
	cannot("neither network namespaces nor user namespaces can be made", err)
}

func cannot(what string, err error) {
	fmt.Fprintf(os.Stderr, "conformance: %s: %v\n"+
		"Run the test as root, or allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone).\n", what, err)
	os.Exit(1)
}

// onThreadOfItsOwn runs f on a thread that ends afterwards, and with it what f
// changed of the thread.
func onThreadOfItsOwn(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// inNamespace runs f at a site that is a new network namespace.
func inNamespace(needs conformance.Needs, f func(conformance.Site) error) error {
	dir, err := os.MkdirTemp("", "c")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return onThreadOfItsOwn(func() error {
		at := conformance.Site{Host: kernel.Host(), Dir: dir, Unlink: syscall.Unlink, Chmod: syscall.Chmod}
		if err := buffers(&at); err != nil {
			return err
		}
		if err := pin(); err != nil {
			return fmt.Errorf("sched_setaffinity: %w", err)
		}
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("a new network namespace: %w", err)
		}
		if err := fitOut(needs); err != nil {
			return fmt.Errorf("fitting out a network namespace: %w", err)
		}
		if needs.Unprivileged {
			if err := dropCapabilities(); err != nil {
				return fmt.Errorf("capset: %w", err)
			}
		}
		forking.RLock()
		defer forking.RUnlock()
		return f(at)
	})
}

// forking keeps scenarios and programs apart: until it runs execve(2), a new process has a
// copy of every descriptor, and what a scenario closes stays open.
var forking sync.RWMutex

// buffers asks for the bounds of socket buffers, which namespaces share.
func buffers(at *conformance.Site) error {
	for _, s := range []struct {
		name string
		to   *int
	}{
		{"rmem_default", &at.RcvbufDefault}, {"rmem_max", &at.RcvbufMax},
		{"wmem_default", &at.SndbufDefault}, {"wmem_max", &at.SndbufMax},
	} {
		v, err := readInt("/proc/sys/net/core/" + s.name)
		if err != nil {
			return err
		}
		*s.to = v
	}
	return nil
}

func readInt(file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

var processors atomic.Uint32

// pin keeps the thread on one processor. The loopback has a queue for each:
// what one thread sends keeps its order as long as the thread stays.
func pin() error {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	n := int(processors.Add(1)) % all.Count()
	for cpu := 0; ; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		if n == 0 {
			one.Set(cpu)
			return unix.SchedSetaffinity(0, &one)
		}
		n--
	}
}

func fitOut(needs conformance.Needs) error {
	if err := up("lo"); err != nil {
		return err
	}
	if needs.Ethernet {
		if err := ethernet(); err != nil {
			return err
		}
	}
	for _, s := range append(conformance.Sysctls[:len(conformance.Sysctls):len(conformance.Sysctls)], needs.Sysctls...) {
		name, value, _ := strings.Cut(s, "=")
		file := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
		if err := os.WriteFile(file, []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}

// up brings an interface up (netdevice(7)).
func up(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// ethernet makes eth0, whose cable leads to an interface that nobody has
// addresses on.
func ethernet() error {
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(`
link add eth0 index 2 address 02:00:00:00:00:01 type veth peer name far index 3 address 02:00:00:00:00:02
link set eth0 addrgenmode none
link set far addrgenmode none
link set far arp off up
link set eth0 up
addr add 192.0.2.1/24 brd 192.0.2.255 dev eth0
addr add 2001:db8::1/64 dev eth0 nodad
addr add fe80::1/64 dev eth0 nodad
route add default via 192.0.2.254
route add ::/0 via 2001:db8::fe dev eth0
`)
	forking.Lock()
	defer forking.Unlock()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip (of iproute2): %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// dropCapabilities takes all capabilities from the thread (capabilities(7)).
func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}
