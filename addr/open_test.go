package addr_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sockeye"
	"sockeye/addr"
	"sockeye/kernel"
)

func TestWhatListensCanBeConnectedTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, listen := range []string{
		"0", ":0", "127.0.0.1:0", "[::1]:0", "localhost:0", "tcp4://:0", "tcp6://:0",
		"udp://:0", "udp4://127.0.0.1:0", "udp6://[::1]:0",
		"unix:" + filepath.Join(dir, "s"), "unixgram:" + filepath.Join(dir, "g"), "unixpacket:" + filepath.Join(dir, "p"),
		fmt.Sprintf("unix:@%s", dir), fmt.Sprintf("unixpacket:@%s", dir),
	} {
		t.Run(strings.ReplaceAll(listen, "/", "_"), func(t *testing.T) {
			t.Parallel()
			ctx, h := t.Context(), kernel.Host()
			s := open(t, func() (*sockeye.Socket, error) { return parse(t, listen).Listen(ctx, h, 1) })
			at, err := addr.LocalOf(s)
			if err != nil {
				t.Fatal(err)
			}
			to := parse(t, at.String())
			c := open(t, func() (*sockeye.Socket, error) { return to.Connect(ctx, h) })
			if to.Connected() {
				from, _, err := s.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer from.Close()
				s = from
			}
			if _, err := c.Send([]byte("hello"), 0); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 10)
			if n, err := s.Recv(buf, 0); err != nil || string(buf[:n]) != "hello" {
				t.Errorf("received %q, %v", buf[:n], err)
			}
		})
	}
}

func TestConnectTriesAddressesInTurn(t *testing.T) {
	t.Parallel()
	h := sockeye.NewHost(named{kernel.Host().Engine()})
	l := open(t, func() (*sockeye.Socket, error) { return parse(t, "tcp4://127.0.0.1:0").Listen(t.Context(), h, 1) })
	at, err := l.Getsockname()
	if err != nil {
		t.Fatal(err)
	}
	both := parse(t, fmt.Sprintf("both:%d", at.Port()))
	s := open(t, func() (*sockeye.Socket, error) { return both.Connect(t.Context(), h) })
	if peer, err := s.Getpeername(); err != nil || peer != at {
		t.Errorf("connected to %v, %v; want the second address, %v", peer, err, at)
	}
	six := parse(t, fmt.Sprintf("tcp6://four:%d", at.Port()))
	if _, err := six.Connect(t.Context(), h); !errors.Is(err, addr.ErrNoAddress) {
		t.Errorf("an IPv6 connection to a name that has IPv4 only: %v", err)
	}
}

// named is an engine that knows names of its own.
type named struct{ sockeye.Engine }

func (named) LookupHost(_ context.Context, name string) ([]string, error) {
	return map[string][]string{"both": {"::1", "127.0.0.1"}, "four": {"127.0.0.1"}}[name], nil
}

func (named) InterfaceIndex(string) (int, error) { return 7, nil }

func (named) InterfaceName(index int) (string, error) {
	if index != 7 {
		return "", errors.New("no such interface")
	}
	return "eth0", nil
}

func TestRemoteAndLocalGiveTheArgumentsOfTheCalls(t *testing.T) {
	t.Parallel()
	h := sockeye.NewHost(named{kernel.Host().Engine()})
	for _, c := range []struct{ in, local, remote string }{
		{"80", "[{AF_INET6 SOCK_STREAM IPPROTO_TCP [::]:80} {AF_INET SOCK_STREAM IPPROTO_TCP 0.0.0.0:80}]",
			"[{AF_INET SOCK_STREAM IPPROTO_TCP 127.0.0.1:80} {AF_INET6 SOCK_STREAM IPPROTO_TCP [::1]:80}]"},
		{"udp4://:80", "[{AF_INET SOCK_DGRAM IPPROTO_UDP 0.0.0.0:80}]", "[{AF_INET SOCK_DGRAM IPPROTO_UDP 127.0.0.1:80}]"},
		{"icmp://both", "[{AF_INET6 SOCK_RAW IPPROTO_ICMPV6 [::1]:0} {AF_INET SOCK_RAW IPPROTO_ICMP 127.0.0.1:0}]", ""},
		{"ip6://[fe80::1%eth0]/89", "[{AF_INET6 SOCK_RAW IPPROTO_OSPF [fe80::1%7]:0}]", ""},
		{"unixpacket:@x", "[{AF_UNIX SOCK_SEQPACKET 0 @x}]", ""},
	} {
		a := parse(t, c.in)
		if c.remote == "" {
			c.remote = c.local
		}
		if got, err := a.Local(t.Context(), h); err != nil || fmt.Sprint(got) != c.local {
			t.Errorf("Local of %s: %v, %v; want %s", c.in, got, err, c.local)
		}
		if got, err := a.Remote(t.Context(), h); err != nil || fmt.Sprint(got) != c.remote {
			t.Errorf("Remote of %s: %v, %v; want %s", c.in, got, err, c.remote)
		}
	}
}

func TestZonesAreToldByName(t *testing.T) {
	t.Parallel()
	h := sockeye.NewHost(named{kernel.Host().Engine()})
	linkLocal := netip.MustParseAddr("fe80::1").As16()
	for _, c := range []struct {
		h    *sockeye.Host
		zone uint32
		want string
	}{
		{h, 0, "udp://[fe80::1]:53"},
		{h, 7, "udp://[fe80::1%eth0]:53"},
		{h, 8, "udp://[fe80::1%8]:53"}, // no such interface
		{kernel.Host(), 1, "udp://[fe80::1%lo]:53"},
	} {
		sa := sockeye.SockaddrInet6(linkLocal, 53, 0, c.zone)
		if got := addr.FromSockaddr(c.h, sa, sockeye.SOCK_DGRAM, 0).String(); got != c.want {
			t.Errorf("zone %d: %s, want %s", c.zone, got, c.want)
		}
	}
}

func TestNobodyConnectsToPortZero(t *testing.T) {
	t.Parallel()
	_, err := parse(t, "127.0.0.1:0").Connect(t.Context(), kernel.Host())
	if err == nil || !strings.Contains(err.Error(), "port 0") {
		t.Errorf("error %v, want one that names port 0", err)
	}
}

func TestListenTellsThatTheAddressIsTaken(t *testing.T) {
	t.Parallel()
	l := open(t, func() (*sockeye.Socket, error) { return parse(t, "0").Listen(t.Context(), kernel.Host(), 1) })
	at, err := addr.LocalOf(l)
	if err != nil {
		t.Fatal(err)
	}
	at.Host = ""
	if s, err := at.Listen(t.Context(), kernel.Host(), 1); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second listener: %v, %v; want EADDRINUSE and no other family tried", s, err)
	}
}

func ExampleParse() {
	for _, s := range []string{"8888", "unix:@chat", "tpc://host:80"} {
		a, err := addr.Parse(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(a)
	}
	// Output:
	// tcp://:8888
	// unix:@chat
	// address "tpc://host:80": unknown scheme "tpc"; try tcp://host:80
}

func ExampleAddress_Listen() {
	a, _ := addr.Parse("127.0.0.1:0")
	s, err := a.Listen(context.Background(), kernel.Host(), 16)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	at, _ := addr.LocalOf(s)
	fmt.Println(at.Scheme(), at.Host, at.Port != 0)
	// Output: tcp 127.0.0.1 true
}

func parse(t *testing.T, s string) addr.Address {
	t.Helper()
	a, err := addr.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func open(t *testing.T, f func() (*sockeye.Socket, error)) *sockeye.Socket {
	t.Helper()
	s, err := f()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
