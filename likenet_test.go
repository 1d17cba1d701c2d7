//go:build linux

package sockeye_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sockeye"
	"sockeye/kernel"
)

// A netPackage is what package net and a Host have in common.
type netPackage struct {
	dial         func(ctx context.Context, network, address string) (net.Conn, error)
	dialFrom     func(local net.Addr, network, address string) (net.Conn, error)
	listen       func(network, address string) (net.Listener, error)
	listenPacket func(network, address string) (net.PacketConn, error)
}

var (
	goNet = netPackage{
		dial: new(net.Dialer).DialContext,
		dialFrom: func(local net.Addr, network, address string) (net.Conn, error) {
			return (&net.Dialer{LocalAddr: local}).Dial(network, address)
		},
		listen:       net.Listen,
		listenPacket: net.ListenPacket,
	}
	ourNet = netPackage{
		dial: kernel.Host().DialContext,
		dialFrom: func(local net.Addr, network, address string) (net.Conn, error) {
			return (&sockeye.Dialer{Host: kernel.Host(), LocalAddr: local}).Dial(network, address)
		},
		listen:       kernel.Host().Listen,
		listenPacket: kernel.Host().ListenPacket,
	}
)

// ephemeral finds what differs from run to run: ports, abstract names that the
// system chose, and paths of the test.
var ephemeral = regexp.MustCompile(`:\d{4,5}\b|@[0-9a-f]{5}\b|/tmp/[^ ]*/`)

// transcribe writes down what a program says, made comparable.
func transcribe(t *testing.T, p netPackage, program func(p netPackage, say func(...any))) []string {
	t.Helper()
	var lines []string
	program(p, func(vs ...any) {
		var line []string
		for _, v := range vs {
			line = append(line, describe(v))
		}
		lines = append(lines, ephemeral.ReplaceAllString(strings.Join(line, " | "), "*"))
	})
	return lines
}

// describe tells of a value what programs can ask of it.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case error:
		var b strings.Builder
		b.WriteString(v.Error())
		for _, target := range []struct {
			name string
			err  error
		}{
			{"net.ErrClosed", net.ErrClosed}, {"io.EOF", io.EOF}, {"context.Canceled", context.Canceled},
			{"context.DeadlineExceeded", context.DeadlineExceeded}, {"os.ErrDeadlineExceeded", os.ErrDeadlineExceeded},
			{"net.ErrWriteToConnected", net.ErrWriteToConnected},
			{"ECONNREFUSED", syscall.ECONNREFUSED}, {"ECONNRESET", syscall.ECONNRESET}, {"EPIPE", syscall.EPIPE},
			{"EADDRINUSE", syscall.EADDRINUSE},
		} {
			if errors.Is(v, target.err) {
				b.WriteString(" is " + target.name)
			}
		}
		if e, ok := v.(net.Error); ok && e.Timeout() {
			b.WriteString(" (timeout)")
		}
		if e, ok := errors.AsType[*os.SyscallError](v); ok {
			b.WriteString(" (call " + e.Syscall + ")")
		}
		if e, ok := errors.AsType[*net.OpError](v); ok {
			b.WriteString(" (op " + e.Op + ", net " + e.Net + ", source " + describe(e.Source) + ", addr " + describe(e.Addr) + ")")
		}
		return b.String()
	case net.Addr:
		return v.Network() + " " + v.String()
	default:
		return fmt.Sprint(v)
	}
}

func TestFacadesAnswerAsPackageNet(t *testing.T) {
	for _, tt := range []struct {
		name    string
		program func(p netPackage, say func(...any))
	}{
		{"misspelled addresses", func(p netPackage, say func(...any)) {
			for _, a := range [][2]string{
				{"tcp", "127.0.0.1"}, {"tcp", "127.0.0.1:1:2"}, {"tcp", "127.0.0.1:99999"}, {"tcp", "127.0.0.1:-1"},
				{"tcp", "127.0.0.1:nosuchservice"}, {"tcp", "[::1"}, {"tcp", ""}, {"udp", ""}, {"unix", ""}, {"unixgram", ""},
				{"bogus", "127.0.0.1:1"}, {"", "127.0.0.1:1"}, {"tcp4", "[::1]:1"}, {"tcp6", "127.0.0.1:1"},
				{"udp4", "[::1]:1"}, {"ip", "127.0.0.1"}, {"ip4:nosuch", "127.0.0.1"}, {"tcp:6", "127.0.0.1:1"},
				{"unix:1", "x"},
			} {
				c, err := p.dial(context.Background(), a[0], a[1])
				say("dial", a[0], a[1], err)
				closeIf(c, err)
			}
		}},
		{"networks that do not listen", func(p netPackage, say func(...any)) {
			for _, a := range [][2]string{
				{"udp", "127.0.0.1:0"}, {"ip4:icmp", "127.0.0.1"}, {"bogus", "x"}, {"tcp", "127.0.0.1"},
			} {
				_, err := p.listen(a[0], a[1])
				say("listen", a[0], err)
			}
			for _, a := range [][2]string{{"tcp", "127.0.0.1:0"}, {"bogus", "x"}, {"udp", "nobody"}} {
				_, err := p.listenPacket(a[0], a[1])
				say("listen packet", a[0], err)
			}
		}},
		{"nobody there", func(p netPackage, say func(...any)) {
			l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
			l.Close()
			dir := t.TempDir()
			for _, a := range [][2]string{
				{"tcp", l.Addr().String()}, {"tcp4", l.Addr().String()}, {"unix", dir + "/none"}, {"unixgram", dir + "/none"},
				{"unixpacket", dir + "/none"}, {"unix", dir + "/" + strings.Repeat("x", 120)},
			} {
				_, err := p.dial(context.Background(), a[0], a[1])
				say("dial", a[0], err)
			}
			c := must(p.dial(context.Background(), "udp", must(net.ListenPacket("udp", "127.0.0.1:0"))(t).LocalAddr().String()))(t)
			defer c.Close()
			say(c.RemoteAddr())
		}},
		{"address in use", func(p netPackage, say func(...any)) {
			for _, network := range []string{"tcp", "udp", "unix", "unixpacket", "unixgram"} {
				path := localAddress(t, network)
				open := func(a string) (io.Closer, net.Addr, error) {
					if network == "udp" || network == "unixgram" {
						c, err := p.listenPacket(network, a)
						if err != nil {
							return nil, nil, err
						}
						return c, c.LocalAddr(), nil
					}
					l, err := p.listen(network, a)
					if err != nil {
						return nil, nil, err
					}
					return l, l.Addr(), nil
				}
				first, addr, err := open(path)
				say("listen", network, addr, err)
				_, _, err = open(addr.String())
				say("again", network, err)
				first.Close()
				_, err = os.Lstat(path)
				say("path stays", network, map[bool]string{true: "yes", false: "no"}[err == nil])
			}
		}},
		{"ends of a stream", func(p netPackage, say func(...any)) {
			for _, network := range []string{"tcp", "tcp6", "unix"} {
				c, s, l := dialAccept(t, p, network)
				say(network, c.RemoteAddr(), c.LocalAddr(), s.LocalAddr(), s.RemoteAddr(), l.Addr())
				buf := make([]byte, 10)
				c.Write([]byte("hi"))
				n, err := s.Read(buf)
				say("read", n, err)
				n, err = s.Read(nil)
				say("read nothing", n, err)
				s.SetReadDeadline(time.Unix(1, 0))
				n, err = s.Read(buf)
				say("read past the deadline", n, err)
				s.SetReadDeadline(time.Time{})
				say("CloseWrite", c.(interface{ CloseWrite() error }).CloseWrite())
				n, err = s.Read(buf)
				say("read at the end", n, err)
				say("CloseRead", c.(interface{ CloseRead() error }).CloseRead())
				n, err = c.Read(buf)
				say("read after CloseRead", n, err)
				n, err = c.Write([]byte("x"))
				say("write after CloseWrite", n, err)
				c.SetWriteDeadline(time.Unix(1, 0))
				n, err = c.Write([]byte("x"))
				say("write past the deadline", n, err)
				say("close", c.Close())
				say("close again", c.Close())
				n, err = c.Read(buf)
				say("read after close", n, err)
				n, err = c.Write(buf)
				say("write after close", n, err)
				say("deadline after close", c.SetDeadline(time.Now()))
				say("CloseWrite after close", c.(interface{ CloseWrite() error }).CloseWrite())
				say("buffer after close", c.(interface{ SetReadBuffer(int) error }).SetReadBuffer(1))
				say("close the listener", l.Close())
				say("again", l.Close())
				_, err = l.Accept()
				say("accept after close", err)
				s.Close()
			}
		}},
		{"a peer that resets", func(p netPackage, say func(...any)) {
			c, s, l := dialAccept(t, p, "tcp")
			defer l.Close()
			s.(interface{ SetLinger(int) error }).SetLinger(0)
			s.Close()
			n, err := c.Read(make([]byte, 1))
			say("read", n, err)
			n, err = c.Write([]byte("x"))
			say("write", n, err)
			say("CloseWrite", c.(interface{ CloseWrite() error }).CloseWrite())
			c.Close()
		}},
		{"accept with a deadline", func(p netPackage, say func(...any)) {
			l := must(p.listen("tcp", "127.0.0.1:0"))(t)
			defer l.Close()
			l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Unix(1, 0))
			_, err := l.Accept()
			say(err)
		}},
		{"contexts", func(p netPackage, say func(...any)) {
			canceled, cancel := context.WithCancel(context.Background())
			cancel()
			expired, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
			defer cancel()
			for _, ctx := range []context.Context{canceled, expired} {
				for _, network := range []string{"tcp", "unix"} {
					_, err := p.dial(ctx, network, map[string]string{"tcp": "127.0.0.1:9", "unix": "/none"}[network])
					say(network, err)
				}
			}
		}},
		{"datagrams", func(p netPackage, say func(...any)) {
			for _, network := range []string{"udp", "udp4", "udp6", "unixgram"} {
				pc := must(p.listenPacket(network, localAddress(t, network)))(t)
				to := pc.LocalAddr()
				c := must(p.dial(context.Background(), network, to.String()))(t)
				say(network, to, c.RemoteAddr(), pc.(net.Conn).RemoteAddr())
				n, err := c.Write([]byte("hello"))
				say("write", n, err)
				buf := make([]byte, 3)
				n, from, err := pc.ReadFrom(buf)
				say("read", n, err, from)
				n, err = c.(net.PacketConn).WriteTo([]byte("x"), to)
				say("name the peer of a connected socket", n, err)
				n, err = pc.WriteTo([]byte("x"), nil)
				say("name nobody", n, err)
				n, err = pc.(net.Conn).Write([]byte("x"))
				say("write without a peer", n, err)
				n, err = pc.WriteTo([]byte("x"), &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})
				say("name a TCP address", n, err)
				n, err = pc.WriteTo(make([]byte, 1<<20), to)
				say("too long", n, err)
				n, err = c.Write(nil)
				say("write nothing", n, err)
				n, _, err = pc.ReadFrom(buf)
				say("read nothing", n, err)
				pc.SetReadDeadline(time.Unix(1, 0))
				n, _, err = pc.ReadFrom(buf)
				say("read past the deadline", n, err)
				pc.Close()
				n, _, err = pc.ReadFrom(buf)
				say("read after close", n, err)
				n, err = pc.WriteTo(buf, to)
				say("write after close", n, err)
				c.Close()
			}
		}},
		{"UDP with ancillary data", func(p netPackage, say func(...any)) {
			type udp interface {
				net.PacketConn
				WriteToUDP(b []byte, addr *net.UDPAddr) (int, error)
				WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
				WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
				WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error)
				ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
			}
			pc := must(p.listenPacket("udp4", "127.0.0.1:0"))(t).(udp)
			defer pc.Close()
			to := pc.LocalAddr().(*net.UDPAddr)
			c := must(p.dial(context.Background(), "udp4", to.String()))(t).(udp)
			defer c.Close()
			badOOB := []byte{1, 2, 3}
			for _, conn := range []udp{c, pc} {
				name := map[udp]string{c: "connected", pc: "not connected"}[conn]
				n, err := conn.WriteToUDP([]byte("x"), to)
				say(name, "WriteToUDP", n, err)
				n, err = conn.WriteToUDPAddrPort([]byte("x"), to.AddrPort())
				say(name, "WriteToUDPAddrPort", n, err)
				n, err = conn.WriteToUDP([]byte("x"), nil)
				say(name, "WriteToUDP to nobody", n, err)
				n, oobn, err := conn.WriteMsgUDP([]byte("x"), nil, to)
				say(name, "WriteMsgUDP", n, oobn, err)
				n, oobn, err = conn.WriteMsgUDP([]byte("x"), nil, nil)
				say(name, "WriteMsgUDP to nobody", n, oobn, err)
				n, oobn, err = conn.WriteMsgUDPAddrPort([]byte("x"), nil, to.AddrPort())
				say(name, "WriteMsgUDPAddrPort", n, oobn, err)
				if conn == c { // for the other package net names "invalid AddrPort"
					n, oobn, err = conn.WriteMsgUDPAddrPort([]byte("x"), nil, netip.AddrPort{})
					say(name, "WriteMsgUDPAddrPort to nobody", n, oobn, err)
				}
				n, oobn, err = conn.WriteMsgUDP([]byte("x"), badOOB, map[udp]*net.UDPAddr{pc: to}[conn])
				say(name, "WriteMsgUDP of nonsense", n, oobn, err)
			}
			pc.SetDeadline(time.Unix(1, 0))
			n, oobn, flags, _, err := pc.ReadMsgUDP(make([]byte, 1), nil)
			say(n, oobn, flags, err)
			n, oobn, err = pc.WriteMsgUDP([]byte("x"), nil, to)
			say(n, oobn, err)
		}},
		{"raw sockets", func(p netPackage, say func(...any)) {
			type raw interface {
				net.PacketConn
				Write(b []byte) (int, error)
				RemoteAddr() net.Addr
				WriteMsgIP(b, oob []byte, addr *net.IPAddr) (n, oobn int, err error)
				ReadMsgIP(b, oob []byte) (n, oobn, flags int, addr *net.IPAddr, err error)
			}
			open, err := p.listenPacket("ip4:254", "127.0.0.1") // for experiments (RFC 3692)
			say(err)
			if err != nil {
				return
			}
			pc := open.(raw)
			defer pc.Close()
			c := must(p.dial(context.Background(), "ip4:254", "127.0.0.1"))(t).(raw)
			defer c.Close()
			say(pc.LocalAddr(), pc.RemoteAddr(), c.RemoteAddr())
			buf := make([]byte, 64)
			n, err := c.Write([]byte("payload"))
			say(n, err)
			n, from, err := pc.ReadFrom(buf)
			say(n, from, err, string(buf[:n]))
			n, err = pc.WriteTo([]byte("payload"), from)
			say(n, err)
			n, oobn, flags, ip, err := c.ReadMsgIP(buf, nil)
			say(n, oobn, flags, ip, err)
			n, err = c.WriteTo([]byte("x"), from)
			say("name the peer of a connected socket", n, err)
			n, err = pc.WriteTo([]byte("x"), nil)
			say("name nobody", n, err)
			n, oobn, err = c.WriteMsgIP([]byte("x"), nil, nil)
			say(n, oobn, err)
			n, oobn, err = c.WriteMsgIP([]byte("x"), nil, ip)
			say(n, oobn, err)
			n, oobn, err = pc.WriteMsgIP([]byte("x"), nil, nil)
			say(n, oobn, err)
			n, oobn, err = pc.WriteMsgIP([]byte("x"), nil, &net.IPAddr{IP: net.IPv6loopback})
			say(n, oobn, err)
			n, oobn, err = pc.WriteMsgIP([]byte("x"), nil, ip)
			say(n, oobn, err)
		}},
		{"UDP on both families", func(p netPackage, say func(...any)) {
			pc := must(p.listenPacket("udp", ":0"))(t)
			defer pc.Close()
			say(pc.LocalAddr())
			_, port, _ := net.SplitHostPort(pc.LocalAddr().String())
			for _, host := range []string{"127.0.0.1", "::1", "localhost"} {
				c := must(p.dial(context.Background(), "udp", net.JoinHostPort(host, port)))(t)
				c.Write([]byte("x"))
				buf := make([]byte, 1)
				n, from, err := pc.ReadFrom(buf)
				say(n, from, err)
				n, err = pc.WriteTo(buf, from)
				say(n, err)
				n, err = c.Read(buf)
				say(n, err, c.RemoteAddr())
				c.Close()
			}
			n, err := must(p.listenPacket("udp4", "127.0.0.1:0"))(t).WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv6loopback, Port: 9})
			say(n, err)
		}},
		{"TCP on both families", func(p netPackage, say func(...any)) {
			for _, a := range [][2]string{
				{"tcp", ":0"}, {"tcp4", ":0"}, {"tcp6", ":0"}, {"tcp", "0.0.0.0:0"}, {"tcp4", "0.0.0.0:0"}, {"tcp", "[::]:0"},
				{"tcp", "localhost:0"}, {"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:0"}, {"tcp", "[::ffff:127.0.0.1]:0"}, {"tcp", ""},
			} {
				l := must(p.listen(a[0], a[1]))(t)
				say("listen", a[0], a[1], l.Addr())
				_, port, _ := net.SplitHostPort(l.Addr().String())
				for _, host := range []string{"127.0.0.1", "::1", "", "0.0.0.0", "::"} {
					c, err := p.dial(context.Background(), "tcp", net.JoinHostPort(host, port))
					if err != nil {
						say(host, err)
						continue
					}
					s := must(l.Accept())(t)
					say(host, c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), s.RemoteAddr())
					c.Close()
					s.Close()
				}
				l.Close()
			}
		}},
		{"local addresses", func(p netPackage, say func(...any)) {
			l := must(p.listen("tcp", "127.0.0.1:0"))(t)
			defer l.Close()
			for _, local := range []net.Addr{
				&net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, &net.TCPAddr{}, &net.UDPAddr{}, &net.TCPAddr{IP: net.IPv6loopback},
				&net.TCPAddr{IP: net.IPv6unspecified}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, &net.UnixAddr{Name: "x", Net: "unix"},
			} {
				c, err := p.dialFrom(local, "tcp", l.Addr().String())
				if err != nil {
					say(local, err)
					continue
				}
				say(local, c.LocalAddr(), c.RemoteAddr())
				c.Close()
			}
			dir := t.TempDir()
			pc := must(p.listenPacket("unixgram", filepath.Join(dir, "server")))(t)
			defer pc.Close()
			c := must(p.dialFrom(&net.UnixAddr{Name: filepath.Join(dir, "client"), Net: "unixgram"}, "unixgram", pc.LocalAddr().String()))(t)
			defer c.Close()
			c.Write([]byte("x"))
			n, from, err := pc.ReadFrom(make([]byte, 1))
			say(n, from, err)
			n, err = pc.WriteTo([]byte("y"), from)
			say(n, err)
			n, err = c.Read(make([]byte, 1))
			say(n, err)
		}},
		{"abstract unix names", func(p netPackage, say func(...any)) {
			for _, name := range []string{"@sockeye-test-likenet", ""} {
				l := must(p.listen("unix", name))(t)
				c := must(p.dial(context.Background(), "unix", l.Addr().String()))(t)
				s := must(l.Accept())(t)
				say(l.Addr(), c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), s.RemoteAddr())
				c.Close()
				s.Close()
				l.Close()
			}
		}},
		{"groups", func(p netPackage, say func(...any)) {
			for _, a := range [][2]string{{"udp4", "224.0.0.250:0"}, {"udp", "224.0.0.250:0"}, {"udp6", "[ff02::250]:0"}} {
				pc := must(p.listenPacket(a[0], a[1]))(t)
				_, port, _ := net.SplitHostPort(pc.LocalAddr().String())
				host, _, _ := net.SplitHostPort(a[1])
				second, err := p.listenPacket(a[0], net.JoinHostPort(host, port)) // a group has many members
				say(a[0], a[1], pc.LocalAddr(), err)
				pc.Close()
				if err == nil {
					second.Close()
				}
			}
		}},
		{"copies that fail", func(p netPackage, say func(...any)) {
			c, s, l := dialAccept(t, p, "tcp")
			defer l.Close()
			defer s.Close()
			c.Close()
			n, err := c.(io.ReaderFrom).ReadFrom(strings.NewReader("abc"))
			say(int(n), err)
			n, err = c.(io.WriterTo).WriteTo(io.Discard)
			say(int(n), err)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := transcribe(t, goNet, tt.program)
			got := transcribe(t, ourNet, tt.program)
			for i := range max(len(want), len(got)) {
				w, g := at(want, i), at(got, i)
				if w != g {
					t.Errorf("line %d differs\nnet:     %s\nsockeye: %s", i, w, g)
				}
			}
			if slices.Contains(want, "") {
				t.Error("a line says nothing")
			}
		})
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(no such line)"
}

func closeIf(c net.Conn, err error) {
	if err == nil {
		c.Close()
	}
}

func dialAccept(t *testing.T, p netPackage, network string) (client, server net.Conn, l net.Listener) {
	t.Helper()
	l = must(p.listen(network, localAddress(t, network)))(t)
	client = must(p.dial(context.Background(), network, l.Addr().String()))(t)
	server = must(l.Accept())(t)
	return client, server, l
}
