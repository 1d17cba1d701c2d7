package stack_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/kernel"
	"sockeye/stack"
	"sockeye/stack/sock"
)

// withoutDescriptors is a program that uses up its descriptors. It gives what its calls answered.
func withoutDescriptors(h *sockeye.Host) string {
	var told strings.Builder
	tell := func(call string, err error, more ...any) {
		var errno syscall.Errno
		errors.As(err, &errno)
		fmt.Fprintln(&told, append([]any{call, sockeye.ErrnoName(errno)}, more...)...) // "errno 0": it went well
	}
	var taken []*sockeye.Socket
	take := func() {
		for {
			s, err := h.Socket(sockeye.AF_INET, sockeye.SOCK_DGRAM, 0)
			if err != nil {
				tell("socket", err)
				return
			}
			taken = append(taken, s)
		}
	}
	free := func(n int) {
		for range n {
			taken[len(taken)-1].Close()
			taken = taken[:len(taken)-1]
		}
	}
	l := must(h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM|sockeye.SOCK_NONBLOCK, 0))
	l.Bind(at("127.0.0.1", 0))
	l.Listen(5)
	_, _, err := l.Accept()
	tell("accept of nothing", err)
	c := must(h.Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))
	tell("connect", c.Connect(must(l.Getsockname())))
	a, b, err := h.Socketpair(sockeye.AF_UNIX, sockeye.SOCK_DGRAM, 0)
	tell("socketpair", err)
	for range 3 {
		_, err := a.Sendmsg(&sockeye.Message{Buffers: [][]byte{{'.'}}, Rights: []sockeye.Descriptor{c, c}}, 0)
		tell("sendmsg", err)
	}

	receive := func(call string) {
		m := sockeye.Message{Buffers: [][]byte{make([]byte, 2)}, Control: make([]byte, 64)}
		_, err := b.Recvmsg(&m, 0)
		tell(call, err, m.N, len(m.Rights), m.Flags)
		for _, d := range m.Rights {
			d.Close()
		}
	}
	take()
	_, _, err = l.Accept()
	tell("accept", err, l.Ready(sockeye.POLLIN))
	receive("recvmsg")
	free(1)
	_, _, err = h.Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	tell("socketpair with room for one", err)
	receive("recvmsg with room for one")
	_, _, err = l.Accept()
	tell("accept with room for one", err)
	take()
	_, _, err = l.Accept()
	tell("accept of nothing", err)
	free(2)
	receive("recvmsg with room for both")
	_, _, err = h.Socketpair(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0)
	tell("socketpair with room for both", err)
	return told.String()
}

func TestProgramsWithoutDescriptorsAreToldAsOnLinux(t *testing.T) {
	leak.Check(t)
	const variable = "SOCKEYE_TEST_DESCRIPTORS"
	const limit = 40 // RLIMIT_NOFILE
	if os.Getenv(variable) != "" {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			t.Fatal(err)
		}
		fmt.Print("\n", withoutDescriptors(kernel.Host()), "\n")
		return
	}
	sysctl := sock.DefaultSysctl()
	sysctl.FileMax = limit
	h := stack.NewHost(stack.Config{Sysctl: &sysctl})
	defer h.Close()
	got := withoutDescriptors(h.Sockets())

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variable+"=1")
	want, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, want)
	}
	if !strings.Contains(string(want), "\n"+got+"\n") {
		t.Errorf("got\n%s\nLinux says\n%s", got, want)
	}
}
