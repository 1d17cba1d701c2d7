package stack_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
	"sockeye/stack/inet"
)

// namespace takes the test into a network namespace of its own, which ends with the test's
// thread. Everything of the kernel has to be opened, and every program started, on that thread.
func namespace(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("unshare(CLONE_NEWNET): %v: this test makes a network namespace, for which it needs root", err)
	}
}

// run runs a program to its end and gives what it printed. The arguments have no spaces in them.
func run(t testing.TB, format string, args ...any) string {
	t.Helper()
	out, err := attempt(t, format, args...)
	if err != nil {
		t.Fatalf("%s: %v: %s", fmt.Sprintf(format, args...), err, out)
	}
	return out
}

// attempt is run of a program that may fail.
func attempt(t testing.TB, format string, args ...any) (string, error) {
	t.Helper()
	fields := strings.Fields(fmt.Sprintf(format, args...))
	if _, err := exec.LookPath(fields[0]); err != nil {
		t.Fatalf("%s is not installed: .ci/run installs what the tests need", fields[0])
	}
	out, err := exec.Command(fields[0], fields[1:]...).CombinedOutput()
	return string(out), err
}

// device is a new TUN device that is up, with addresses of the kernel's. It ends with the test.
func device(t testing.TB, loop *event.Loop, mtu int, addrs ...string) *link.TUN {
	t.Helper()
	return deviceWith(t, loop, link.TUNOptions{MTU: mtu}, addrs...)
}

func deviceWith(t testing.TB, loop *event.Loop, o link.TUNOptions, addrs ...string) *link.TUN {
	t.Helper()
	dev, err := link.OpenTUN(loop, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	for _, a := range addrs {
		run(t, "ip addr add %s dev %s nodad", a, dev.Name())
	}
	run(t, "ip link set up dev %s", dev.Name())
	return dev
}

// reach waits until the kernel can send to the addresses: it takes a moment after a device
// is up.
func reach(t testing.TB, ips ...string) {
	t.Helper()
	for _, ip := range ips {
		run(t, "ping -c 1 -i 0.01 -w 10 %s", ip)
	}
}

// neighbourhood is the machine's kernel, in a network namespace of the test's own, and a Go
// host behind a TUN device.
func neighbourhood(t testing.TB) *stack.Host { return neighbour(t, func(*inet.Sysctl) {}, plain) }

// neighbour is neighbourhood with other settings, and with something between the host and
// the device.
func neighbour(t testing.TB, set func(*inet.Sysctl), wrap func(*event.Loop, link.Port) link.Port) *stack.Host {
	t.Helper()
	return neighbourAt(t, link.TUNOptions{}, set, wrap)
}

// neighbourAt is neighbour behind a device of one kind.
func neighbourAt(t testing.TB, o link.TUNOptions, set func(*inet.Sysctl), wrap func(*event.Loop, link.Port) link.Port) *stack.Host {
	t.Helper()
	namespace(t)
	loop := leak.Loop(t)
	t.Cleanup(loop.Close)
	dev := deviceWith(t, loop, o, "10.9.0.1/24", "fd09::1/64")
	ip := inet.DefaultSysctl()
	set(&ip)
	h := stack.NewHost(stack.Config{Loop: loop, Privileged: true, Seed: 1, Inet: &ip,
		Interfaces: []stack.Interface{{Name: "tun0", Port: wrap(loop, dev), Addrs: prefixes("10.9.0.2/24", "fd09::2/64")}}})
	t.Cleanup(func() { h.Close() })
	reach(t, "10.9.0.2", "fd09::2")
	return h
}

// plain is nothing in between.
func plain(_ *event.Loop, port link.Port) link.Port { return port }

// A side is one of the two that can listen and dial.
type side struct {
	name, ip string
	listen   func(network, address string) (net.Listener, error)
	dial     func(network, address string) (net.Conn, error)
}

// sides are the Go host and the kernel, each as the server of the other.
func sides(h *stack.Host, v6 bool) [2]side {
	ours, kernels := "10.9.0.2", "10.9.0.1"
	if v6 {
		ours, kernels = "fd09::2", "fd09::1"
	}
	return [2]side{
		{"a server on the Go host", ours, h.Sockets().Listen, net.Dial},
		{"a server on the kernel", kernels, net.Listen, h.Sockets().Dial},
	}
}

// connected gives both ends of a connection to the side's server.
func (s side) connected(t testing.TB) (client, server net.Conn) {
	t.Helper()
	l := must(s.listen("tcp", net.JoinHostPort(s.ip, "8080")))
	defer l.Close()
	client = must(s.dial("tcp", l.Addr().String()))
	server = must(l.Accept())
	return client, server
}

// everySide runs f with each side as the server, and each version of IP.
func everySide(t *testing.T, f func(t *testing.T, s side)) {
	everySideOf(t, neighbourhood(t), f)
}

func everySideOf(t *testing.T, h *stack.Host, f func(t *testing.T, s side)) {
	for _, v6 := range []bool{false, true} {
		for _, s := range sides(h, v6) {
			f(t, s) // on this thread
		}
	}
}

func TestTheKernelAndAGoHostExchangeStreams(t *testing.T) {
	leak.Check(t)
	everySide(t, exchangeStreams)
}

func TestTheKernelAndAGoHostAreOnOneEthernet(t *testing.T) {
	leak.Check(t)
	h := neighbourAt(t, link.TUNOptions{Ethernet: true}, func(*inet.Sysctl) {}, plain)
	everySideOf(t, h, exchangeStreams)
	want := "10.9.0.2 lladdr 02:00:00:00:00:01"
	if got := run(t, "ip neigh show dev tap0"); !strings.Contains(got, want) {
		t.Errorf("the kernel's neighbours are %q, want %q among them", got, want)
	}
}

func exchangeStreams(t *testing.T, s side) {
	client, server := s.connected(t)
	data := noise(16 << 20)
	var wg sync.WaitGroup
	for _, c := range []net.Conn{client, server} {
		wg.Go(func() {
			if _, err := c.Write(data); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			c.(interface{ CloseWrite() error }).CloseWrite()
		})
		wg.Go(func() {
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s, %s: received %d bytes of %d, equal %v: %v", s.name, s.ip, len(got), len(data), bytes.Equal(got, data), err)
			}
		})
	}
	wg.Wait()
	client.Close()
	server.Close()
}

func TestTheKernelAndAGoHostAgreeOnTheEnd(t *testing.T) {
	leak.Check(t)
	everySide(t, func(t *testing.T, s side) {
		buf := make([]byte, 100)
		// Half-closed, the answer still comes.
		client, server := s.connected(t)
		client.Write([]byte("question"))
		client.(interface{ CloseWrite() error }).CloseWrite()
		if got, err := io.ReadAll(server); string(got) != "question" || err != nil {
			t.Errorf("%s: %q, %v", s.name, got, err)
		}
		server.Write([]byte("answer"))
		server.Close()
		if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
			t.Errorf("%s: %q, %v", s.name, got, err)
		}
		client.Close()

		// SO_LINGER 0 resets.
		client, server = s.connected(t)
		client.(interface{ SetLinger(int) error }).SetLinger(0)
		client.Close()
		if _, err := server.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: after a reset %v", s.name, err)
		}
		server.Close()

		// Data that nobody reads resets.
		client, server = s.connected(t)
		client.Write([]byte("read and unread"))
		if _, err := io.ReadFull(server, buf[:4]); err != nil {
			t.Error(err)
		}
		server.Close()
		if _, err := client.Read(buf); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: unread data: %v", s.name, err)
		}
		client.Close()

		// Nobody listens.
		if _, err := s.dial("tcp", net.JoinHostPort(s.ip, "9")); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: a closed port: %v", s.name, err)
		}
	})
}

// The kernel's own account of a connection says what the Go host speaks.
func TestTheKernelSeesAModernPeer(t *testing.T) {
	leak.Check(t)
	everySide(t, func(t *testing.T, s side) {
		client, server := s.connected(t)
		defer client.Close()
		defer server.Close()
		kernels, ok := client.(*net.TCPConn)
		if !ok {
			kernels = server.(*net.TCPConn)
		}
		raw := must(kernels.SyscallConn())
		raw.Control(func(fd uintptr) {
			info := must(unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO))
			const timestamps, sack, scaling = 1, 2, 4
			if info.Options&7 != timestamps|sack|scaling || info.Advmss != uint32(info.Snd_mss) {
				t.Errorf("%s: options %#x, MSS %d of %d", s.name, info.Options, info.Snd_mss, info.Advmss)
			}
		})
	})
}

func BenchmarkTCPWithTheKernel(b *testing.B) {
	h := neighbourhood(b)
	for _, s := range sides(h, false) {
		client, server := s.connected(b)
		b.Run("to "+s.name, func(b *testing.B) {
			const size = 64 << 10
			b.SetBytes(size)
			done := make(chan struct{})
			go func() {
				defer close(done)
				buf := make([]byte, size)
				for n := 0; n < b.N*size; {
					k, err := server.Read(buf)
					if n += k; err != nil {
						b.Error(err)
						return
					}
				}
			}()
			buf := make([]byte, size)
			b.ResetTimer()
			for range b.N {
				if _, err := client.Write(buf); err != nil {
					b.Fatal(err)
				}
			}
			<-done
		})
		client.Close()
		server.Close()
	}
}
