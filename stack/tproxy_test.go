package stack_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sockeye"
	"sockeye/event"
	"sockeye/internal/leak"
	"sockeye/link"
	"sockeye/stack"
)

const proxyPort = 3129

// caught is a client, and the host that gets everything that it sends to others.
func caught(t *testing.T) (client, proxy *stack.Host) {
	loop := event.New()
	near, far := link.Cable(loop, link.CableOptions{})
	client = stack.NewHost(stack.Config{Name: "client", Loop: loop,
		Interfaces: []stack.Interface{{Name: "eth0", Port: near, Addrs: prefixes("10.0.0.1/24", "fd00::1/64")}},
		Routes: []stack.Route{
			{Dst: netip.MustParsePrefix("0.0.0.0/0"), Interface: "eth0"}, {Dst: netip.MustParsePrefix("::/0"), Interface: "eth0"},
		}})
	proxy = stack.NewHost(stack.Config{Name: "proxy", Privileged: true, Loop: loop,
		Interfaces: []stack.Interface{{Name: "eth0", Port: far, Addrs: prefixes("10.0.0.2/24", "fd00::2/64"), TProxy: proxyPort}}})
	t.Cleanup(func() {
		client.Close()
		proxy.Close()
		loop.Close()
	})
	return client, proxy
}

// transparent opens a socket for every address.
func transparent(t *testing.T, h *stack.Host, typ sockeye.Type, transparent bool, port uint16) *sockeye.Socket {
	t.Helper()
	s := must(h.Sockets().Socket(sockeye.AF_INET6, typ, 0))
	err := errors.Join(sockeye.IPV6_TRANSPARENT.Set(s, transparent), sockeye.IPV6_V6ONLY.Set(s, false),
		s.Bind(sockeye.SockaddrInet(netip.AddrPortFrom(netip.IPv6Unspecified(), port))))
	if err == nil && typ == sockeye.SOCK_STREAM {
		err = s.Listen(16)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// elsewhere are addresses that neither host has.
var elsewhere = []string{"192.0.2.80:80", "[2001:db8::80]:80"}

func TestATransparentListenerIsWhoeverIsCalled(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		client, proxy := caught(t)
		l := transparent(t, proxy, sockeye.SOCK_STREAM, true, proxyPort)
		for _, to := range elsewhere {
			conn := must(client.Sockets().Dial("tcp", to))
			s, from, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			local := must(s.Getsockname())
			if got := netip.AddrPortFrom(local.Addr().Unmap(), local.Port()).String(); got != to {
				t.Errorf("the connection to %s is one to %s", to, got)
			}
			if got, want := from.AddrPort().Addr().Unmap().String(), conn.LocalAddr().(*net.TCPAddr).IP.String(); got != want {
				t.Errorf("it comes from %s, not %s", got, want)
			}
			s.Send([]byte("hello"), 0)
			buf := make([]byte, 10)
			if n, err := conn.Read(buf); string(buf[:n]) != "hello" || err != nil {
				t.Errorf("%s: %q, %v", to, buf[:n], err)
			}
			conn.Close()
			s.Close()
		}
	})
}

func TestWhatNoTransparentSocketTakesIsDropped(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		client, proxy := caught(t)
		transparent(t, proxy, sockeye.SOCK_STREAM, false, proxyPort)
		transparent(t, proxy, sockeye.SOCK_STREAM, true, 80) // not the port of TProxy
		for _, to := range elsewhere {
			d := sockeye.Dialer{Host: client.Sockets(), Timeout: 10 * time.Second}
			var timeout net.Error
			if conn, err := d.Dial("tcp", to); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%s: %v, %v: want no answer at all", to, conn, err)
			}
		}
		// The host's own addresses are as ever.
		if _, err := client.Sockets().Dial("tcp", "10.0.0.2:81"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("the host's own closed port: %v", err)
		}
		must(client.Sockets().Dial("tcp", "10.0.0.2:80")).Close()
	})
}

func TestADatagramsOriginalAddressIsTold(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		client, proxy := caught(t)
		s := transparent(t, proxy, sockeye.SOCK_DGRAM, true, proxyPort)
		if err := errors.Join(sockeye.IP_RECVORIGDSTADDR.Set(s, true), sockeye.IPV6_RECVORIGDSTADDR.Set(s, true)); err != nil {
			t.Fatal(err)
		}
		for _, to := range elsewhere {
			conn := must(client.Sockets().Dial("udp", to))
			conn.Write([]byte("one"))
			m := sockeye.Message{Buffers: [][]byte{make([]byte, 100)}, Control: make([]byte, 100)}
			if n, err := s.Recvmsg(&m, 0); n != 3 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			var told []string
			for c := range m.ControlMessages() {
				if sa, ok := c.OriginalDst(); ok {
					told = append(told, netip.AddrPortFrom(sa.Addr().Unmap(), sa.Port()).String())
				}
			}
			if !slices.Equal(told, []string{to}) {
				t.Errorf("a datagram to %s was one to %v", to, told)
			}
			// A connected socket with the address takes what follows, and answers.
			at := netip.MustParseAddrPort(to)
			f := must(proxy.Sockets().Socket(familyOf(at.Addr()), sockeye.SOCK_DGRAM, 0))
			err := errors.Join(sockeye.IP_TRANSPARENT.Set(f, true), f.Bind(sockeye.SockaddrInet(at)),
				f.Connect(sockeye.SockaddrInet(netip.AddrPortFrom(m.Name.Addr().Unmap(), m.Name.Port()))))
			if err != nil {
				t.Fatal(err)
			}
			conn.Write([]byte("two"))
			if n, err := f.Recv(m.Buffers[0], 0); n != 3 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			f.Send([]byte("answer"), 0)
			buf := make([]byte, 10)
			if n, err := conn.Read(buf); string(buf[:n]) != "answer" || err != nil {
				t.Errorf("%s: %q, %v", to, buf[:n], err)
			}
			conn.Close()
			f.Close()
		}
	})
}

func familyOf(ip netip.Addr) sockeye.Family {
	if ip.Is4() {
		return sockeye.AF_INET
	}
	return sockeye.AF_INET6
}

// screened is a listener whose calls come to a channel.
func screened(t *testing.T, h *stack.Host, backlog int) (l *sockeye.Socket, calls chan *stack.Call) {
	t.Helper()
	l = must(h.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))
	calls = make(chan *stack.Call, 100)
	if err := errors.Join(l.Bind(sockeye.SockaddrInet4([4]byte{}, 8080)), l.Listen(backlog)); err != nil {
		t.Fatal(err)
	}
	if err := stack.Screen(l, func(c *stack.Call) { calls <- c }); err != nil {
		t.Fatal(err)
	}
	return l, calls
}

func TestAScreenedConnectionIsMadeWhenTheProgramSaysSo(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		p := stack.NewPair(stack.PairConfig{Faults: link.Faults{Delay: 10 * time.Millisecond}})
		defer p.Close()
		_, calls := screened(t, p.B, 16)
		start := time.Now()
		dialed := make(chan net.Conn)
		go func() { dialed <- must(p.A.Sockets().Dial("tcp", "b:8080")) }()
		c := <-calls
		time.Sleep(5 * time.Second) // and the SYN comes again
		s, err := c.Accept()
		if err != nil {
			t.Fatal(err)
		}
		s.Send([]byte("hello"), 0) // before the handshake is done
		conn := <-dialed
		if got := time.Since(start); got < 5*time.Second {
			t.Errorf("connected after %v", got)
		}
		buf := make([]byte, 10)
		if n, err := conn.Read(buf); string(buf[:n]) != "hello" || err != nil {
			t.Errorf("%q, %v", buf[:n], err)
		}
		conn.Write([]byte("and back"))
		if n, err := s.Recv(buf, 0); string(buf[:n]) != "and back" || err != nil {
			t.Errorf("%q, %v", buf[:n], err)
		}
		if n := len(calls); n != 0 {
			t.Errorf("%d more calls", n)
		}
		if _, err := c.Accept(); !errors.Is(err, syscall.ECONNABORTED) {
			t.Errorf("accepted again: %v", err)
		}
	})
}

func TestAScreenedConnectionIsRefusedWithAnError(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		p := stack.NewPair(stack.PairConfig{})
		defer p.Close()
		_, calls := screened(t, p.B, 16)
		for with, want := range map[syscall.Errno]syscall.Errno{
			syscall.ECONNREFUSED: syscall.ECONNREFUSED, syscall.ENETUNREACH: syscall.ENETUNREACH,
			syscall.EHOSTUNREACH: syscall.EHOSTUNREACH, syscall.EACCES: syscall.EHOSTUNREACH, syscall.EPROTO: syscall.ECONNREFUSED,
		} {
			go func() { (<-calls).Refuse(with) }()
			if _, err := p.A.Sockets().Dial("tcp", "10.0.0.2:8080"); !errors.Is(err, want) {
				t.Errorf("refused with %v: %v, want %v", with, err, want)
			}
		}
	})
}

func TestCallersWhoGiveUpAreForgotten(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		p := stack.NewPair(stack.PairConfig{})
		defer p.Close()
		l, calls := screened(t, p.B, 1)
		for range 5 { // one more than the backlog is let in, as of connections
			s := must(p.A.Sockets().Socket(sockeye.AF_INET, sockeye.SOCK_STREAM, 0))
			s.SetNonblock(true)
			s.Connect(sockeye.SockaddrInet4([4]byte{10, 0, 0, 2}, 8080))
		}
		synctest.Wait()
		if n := len(calls); n != 2 {
			t.Errorf("%d of 5 calls wait with a backlog of 1", n)
		}
		l.Close()
		c := <-calls
		if _, err := c.Accept(); !errors.Is(err, syscall.ECONNABORTED) {
			t.Errorf("accepted after the listener closed: %v", err)
		}
		c.Refuse(syscall.ECONNREFUSED) // says nothing any more
	})
}

func TestScreenIsForListenersOfAGoHost(t *testing.T) {
	leak.Check(t)
	h := stack.NewHost(stack.Config{})
	defer h.Close()
	for _, typ := range []sockeye.Type{sockeye.SOCK_STREAM, sockeye.SOCK_DGRAM} {
		s := must(h.Sockets().Socket(sockeye.AF_INET, typ, 0))
		if err := stack.Screen(s, func(*stack.Call) {}); err == nil {
			t.Errorf("a socket of %v that does not listen was screened", typ)
		}
	}
}
