package stack_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sockeye"
	"sockeye/internal/leak"
	"sockeye/kernel"
	"sockeye/stack"
)

// unixSockets opens unix sockets of every kind, in every state, and gives them in the order in
// which they were made.
func unixSockets(t *testing.T, h *sockeye.Host, dir string) (all []*sockeye.Socket) {
	t.Helper()
	open := func(typ sockeye.Type) *sockeye.Socket {
		s := must(h.Socket(sockeye.AF_UNIX, typ, 0))
		all = append(all, s)
		return s
	}
	pair := func(typ sockeye.Type) (a, b *sockeye.Socket) {
		a, b, err := h.Socketpair(sockeye.AF_UNIX, typ, 0)
		ok(t, err)
		all = append(all, a, b)
		return a, b
	}
	send := func(s *sockeye.Socket, words ...string) {
		for _, w := range words {
			must(s.Send([]byte(w), 0))
		}
	}
	l := open(sockeye.SOCK_STREAM)
	name := sockeye.SockaddrUnix(filepath.Join(dir, "l"))
	ok(t, l.Bind(name))
	ok(t, l.Listen(5))
	c, waiting := open(sockeye.SOCK_STREAM), open(sockeye.SOCK_STREAM)
	ok(t, c.Connect(name))
	ok(t, waiting.Connect(name))
	a, _, err := l.Accept()
	ok(t, err)
	all = append(all, a)
	send(c, "hello", "you")
	send(a, "xy")
	named, e := open(sockeye.SOCK_DGRAM), open(sockeye.SOCK_DGRAM)
	ok(t, named.Bind(sockeye.SockaddrAbstract("abs")))
	ok(t, e.Connect(sockeye.SockaddrAbstract("abs")))
	send(e, "abc", "defgh")
	left, undone := open(sockeye.SOCK_DGRAM), open(sockeye.SOCK_DGRAM)
	ok(t, left.Bind(sockeye.SockaddrAbstract("left")))
	ok(t, undone.Connect(sockeye.SockaddrAbstract("left")))
	ok(t, undone.Connect(sockeye.Sockaddr{}))
	open(sockeye.SOCK_SEQPACKET)
	records, _ := pair(sockeye.SOCK_SEQPACKET)
	send(records, "one", "three")
	_, g := pair(sockeye.SOCK_STREAM)
	g.Close()
	down, _ := pair(sockeye.SOCK_STREAM)
	ok(t, down.Shutdown(sockeye.SHUT_RDWR))
	carrier, _ := pair(sockeye.SOCK_STREAM)
	carried := open(sockeye.SOCK_STREAM)
	must(carrier.Sendmsg(&sockeye.Message{Buffers: [][]byte{[]byte("x")}, Rights: []sockeye.Descriptor{carried}}, 0))
	carried.Close() // it lives on in the message
	return all
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// columns are those of ss(8).
var columns = regexp.MustCompile(`(?m)^(u_\w+)\s+(\S+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)`)

// TestAHostListsUnixSocketsAsSSDoes compares ListSockets with `ss -x` about the same sockets in a
// network namespace of the test's own.
func TestAHostListsUnixSocketsAsSSDoes(t *testing.T) {
	leak.Check(t)
	runtime.LockOSThread() // never unlocked: the namespace ends with the thread
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("unshare(CLONE_NEWNET): %v: this test makes a network namespace, for which it needs root", err)
	}
	dir, err := os.MkdirTemp("", "ss")
	ok(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	close := func(all []*sockeye.Socket) {
		for _, s := range all {
			s.Close()
		}
	}
	kernels := unixSockets(t, kernel.Host(), dir)
	defer close(kernels)
	out, err := exec.Command("ss", "-xan").CombinedOutput()
	ok(t, err)
	var want []string
	rows := columns.FindAllStringSubmatch(string(out), -1)
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(fmt.Sprintf("%20s", a[6]), fmt.Sprintf("%20s", b[6])) })
	place := map[string]int{}
	for i, r := range rows {
		place[r[6]] = i + 1
	}
	for _, r := range rows {
		if r[2] != "LISTEN" && r[4] != "0" {
			r[4] = "some"
		}
		want = append(want, fmt.Sprint(r[1], " ", r[2], " ", r[3], " ", r[4], " ", strings.Replace(r[5], dir, "/run", 1), " ", place[r[8]]))
	}

	h := stack.NewHost(stack.Config{})
	defer h.Close()
	unixSockets(t, h.Sockets(), "/run")
	var got []string
	list := h.ListSockets()
	number := map[uint32]int{}
	for i, s := range list {
		number[s.Number] = i + 1
	}
	netid := map[sockeye.Type]string{sockeye.SOCK_STREAM: "u_str", sockeye.SOCK_DGRAM: "u_dgr", sockeye.SOCK_SEQPACKET: "u_seq"}
	state := map[sockeye.TCPState]string{sockeye.TCP_CLOSE: "UNCONN", sockeye.TCP_ESTABLISHED: "ESTAB", sockeye.TCP_LISTEN: "LISTEN"}
	for _, s := range list {
		sendQ, local := fmt.Sprint(s.SendQ), "*"
		if s.State != sockeye.TCP_LISTEN && s.SendQ > 0 {
			sendQ = "some"
		}
		if path := s.Local.Path(); path != "" {
			local = strings.Replace(path, "\x00", "@", 1)
		}
		got = append(got, fmt.Sprint(netid[s.Type], " ", state[s.State], " ", s.RecvQ, " ", sendQ, " ", local, " ", number[s.Peer]))
	}
	if !slices.Equal(got, want) {
		t.Errorf("- ss\n%s\n+ the host\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}
