//go:build linux

package sockeye_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"sockeye"
	"sockeye/kernel"
)

func TestTCPConnsHavePackageNetsOptions(t *testing.T) {
	c, s := connPair(t, "tcp")
	for side, conn := range map[string]net.Conn{"dialed": c, "accepted": s} {
		sock := conn.(*sockeye.TCPConn).Socket()
		if !must(sockeye.TCP_NODELAY.Get(sock))(t) {
			t.Errorf("%s: TCP_NODELAY is off", side)
		}
		if !must(sockeye.SO_KEEPALIVE.Get(sock))(t) {
			t.Errorf("%s: SO_KEEPALIVE is off", side)
		}
		if d := must(sockeye.TCP_KEEPIDLE.Get(sock))(t); d != 15*time.Second {
			t.Errorf("%s: TCP_KEEPIDLE is %v", side, d)
		}
		if d := must(sockeye.TCP_KEEPINTVL.Get(sock))(t); d != 15*time.Second {
			t.Errorf("%s: TCP_KEEPINTVL is %v", side, d)
		}
		if n := must(sockeye.TCP_KEEPCNT.Get(sock))(t); n != 9 {
			t.Errorf("%s: TCP_KEEPCNT is %d", side, n)
		}
	}
}

func TestTCPConnOptionsCanBeSet(t *testing.T) {
	c, _ := connPair(t, "tcp")
	conn := c.(*sockeye.TCPConn)
	s := conn.Socket()
	check(t, conn.SetNoDelay(false))
	check(t, conn.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 40 * time.Second, Interval: 3 * time.Second, Count: 2}))
	check(t, conn.SetKeepAlivePeriod(41*time.Second))
	check(t, conn.SetLinger(7))
	check(t, conn.SetReadBuffer(8<<10))
	check(t, conn.SetWriteBuffer(9<<10))
	for _, tt := range []struct {
		option sockeye.AnyOption
		want   any
	}{
		{sockeye.TCP_NODELAY, false},
		{sockeye.TCP_KEEPIDLE, 41 * time.Second},
		{sockeye.TCP_KEEPINTVL, 3 * time.Second},
		{sockeye.TCP_KEEPCNT, 2},
		{sockeye.SO_LINGER, sockeye.Linger{On: true, Seconds: 7}},
		{sockeye.SO_RCVBUF, 16 << 10}, // the kernel doubles it (socket(7))
		{sockeye.SO_SNDBUF, 18 << 10},
	} {
		if got := must(tt.option.Value(s))(t); got != tt.want {
			t.Errorf("%v is %v, want %v", tt.option, got, tt.want)
		}
	}
	check(t, conn.SetKeepAlive(false))
	if must(sockeye.SO_KEEPALIVE.Get(s))(t) {
		t.Error("keepalive is still on")
	}
	check(t, conn.SetLinger(-1))
	if l := must(sockeye.SO_LINGER.Get(s))(t); l.On {
		t.Error("linger is still on")
	}
}

func TestKeepAliveIsTheDialersChoice(t *testing.T) {
	l := must(kernel.Host().Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	for _, tt := range []struct {
		name   string
		dialer sockeye.Dialer
		on     bool
		idle   time.Duration
	}{
		{"off", sockeye.Dialer{KeepAlive: -1}, false, 2 * time.Hour},
		{"a minute", sockeye.Dialer{KeepAlive: time.Minute}, true, time.Minute},
		{"a config", sockeye.Dialer{KeepAlive: -1, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second}}, true, 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.dialer.Host = kernel.Host()
			c := must(tt.dialer.Dial("tcp", l.Addr().String()))(t)
			defer c.Close()
			s := c.(*sockeye.TCPConn).Socket()
			if on := must(sockeye.SO_KEEPALIVE.Get(s))(t); on != tt.on {
				t.Errorf("SO_KEEPALIVE is %v", on)
			}
			if idle := must(sockeye.TCP_KEEPIDLE.Get(s))(t); idle != tt.idle {
				t.Errorf("TCP_KEEPIDLE is %v, want %v", idle, tt.idle)
			}
		})
	}
}

// An accepted connection must cost no more calls than it takes to have it and
// to know its addresses.
func TestAcceptCostsTwoCalls(t *testing.T) {
	var calls []string
	h := kernel.Host().WithTrace(func(e sockeye.TraceEvent) {
		if e.Done {
			calls = append(calls, e.Call)
		}
	})
	l := must(h.Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	c := must(kernel.Host().Dial("tcp", l.Addr().String()))(t)
	defer c.Close()
	calls = nil
	s := must(l.Accept())(t)
	s.LocalAddr()
	s.RemoteAddr()
	s.Close()
	if want := []string{"accept", "getsockname", "close"}; !slices.Equal(calls, want) {
		t.Errorf("got %v, want %v", calls, want)
	}
}

func TestControlComesBeforeBindAndConnect(t *testing.T) {
	var order []string
	h := kernel.Host().WithTrace(func(e sockeye.TraceEvent) {
		if e.Done && (e.Call == "bind" || e.Call == "listen" || e.Call == "connect") {
			order = append(order, e.Call)
		}
	})
	lc := sockeye.ListenConfig{Host: h, Backlog: 7, Control: func(s *sockeye.Socket) error {
		order = append(order, "control")
		return errors.Join(sockeye.SO_REUSEPORT.Set(s, true), sockeye.SO_RCVBUF.Set(s, 6<<10))
	}}
	l := must(lc.Listen(context.Background(), "tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	// Only SO_REUSEPORT set in time lets a second one in.
	second := must(lc.Listen(context.Background(), "tcp", l.Addr().String()))(t)
	second.Close()

	info := must(sockeye.TCP_INFO.Get(l.(*sockeye.Listener).Socket()))(t)
	if info.Sacked != 7 {
		t.Errorf("the backlog is %d, want 7", info.Sacked)
	}

	order = nil
	d := sockeye.Dialer{Host: h, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}, Control: func(s *sockeye.Socket) error {
		order = append(order, "control")
		return sockeye.TCP_SYNCNT.Set(s, 2)
	}}
	c := must(d.Dial("tcp", l.Addr().String()))(t)
	defer c.Close()
	if want := []string{"control", "bind", "connect"}; !slices.Equal(order, want) {
		t.Errorf("calls came as %v, want %v", order, want)
	}
	if n := must(sockeye.TCP_SYNCNT.Get(c.(*sockeye.TCPConn).Socket()))(t); n != 2 {
		t.Errorf("TCP_SYNCNT is %d", n)
	}
	accepted := must(l.Accept())(t)
	defer accepted.Close()
	if n := must(sockeye.SO_RCVBUF.Get(accepted.(*sockeye.TCPConn).Socket()))(t); n != 12<<10 {
		t.Errorf("the accepted socket did not inherit SO_RCVBUF: %d", n)
	}
}

func TestControlCanRefuse(t *testing.T) {
	refusal := errors.New("not today")
	refuse := func(*sockeye.Socket) error { return refusal }
	_, err := (&sockeye.Dialer{Host: kernel.Host(), Control: refuse}).Dial("tcp", "127.0.0.1:9")
	if !errors.Is(err, refusal) {
		t.Errorf("Dial: %v", err)
	}
	_, err = (&sockeye.ListenConfig{Host: kernel.Host(), Control: refuse}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if !errors.Is(err, refusal) {
		t.Errorf("Listen: %v", err)
	}
}

func TestDialersNeedAHost(t *testing.T) {
	if _, err := new(sockeye.Dialer).Dial("tcp", "127.0.0.1:9"); err == nil {
		t.Error("Dial without a Host succeeded")
	}
	if _, err := new(sockeye.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0"); err == nil {
		t.Error("Listen without a Host succeeded")
	}
}

func TestEmptyRecordsAreNotTheEnd(t *testing.T) {
	c, s := connPair(t, "unixpacket")
	for _, record := range []string{"one", "", "", "three"} {
		must(c.Write([]byte(record)))(t)
	}
	check(t, c.Close())
	buf := make([]byte, 16)
	for _, want := range []string{"one", "", "", "three"} {
		if n, err := s.Read(buf); err != nil || string(buf[:n]) != want {
			t.Fatalf("read %q, %v; want %q", buf[:n], err, want)
		}
	}
	if n, err := s.Read(buf); n != 0 || err != io.EOF {
		t.Fatalf("at the end: %d, %v", n, err)
	}
}

func TestListenersRemoveTheirPath(t *testing.T) {
	for _, tt := range []struct {
		name   string
		open   func(path string) (io.Closer, error)
		remain bool
	}{
		{"unix", func(path string) (io.Closer, error) { return kernel.Host().Listen("unix", path) }, false},
		{"unixpacket", func(path string) (io.Closer, error) { return kernel.Host().Listen("unixpacket", path) }, false},
		{"told not to", func(path string) (io.Closer, error) {
			l, err := kernel.Host().Listen("unix", path)
			if err == nil {
				l.(*sockeye.Listener).SetUnlinkOnClose(false)
			}
			return l, err
		}, true},
		{"unixgram, which package net leaves", func(path string) (io.Closer, error) {
			return kernel.Host().ListenPacket("unixgram", path)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "socket")
			must(tt.open(path))(t).Close()
			_, err := os.Lstat(path)
			if remains := err == nil; remains != tt.remain {
				t.Errorf("the path remains: %v", remains)
			}
		})
	}
}

func TestHostsUnlinkPaths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	h := kernel.Host()
	bind := func() error {
		s := must(h.Socket(sockeye.AF_UNIX, sockeye.SOCK_STREAM, 0))(t)
		defer s.Close()
		return s.Bind(sockeye.SockaddrUnix(path))
	}
	check(t, bind())
	if err := bind(); err == nil {
		t.Error("the path that was left did not refuse bind")
	}
	check(t, h.Unlink(path))
	check(t, bind())
	if err := h.Unlink(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestCopiesPassEverything(t *testing.T) {
	data := make([]byte, 3<<20+17)
	for i := range data {
		data[i] = byte(i * i >> 7)
	}
	file := filepath.Join(t.TempDir(), "data")
	check(t, os.WriteFile(file, data, 0o600))
	for _, tt := range []struct {
		name string
		send func(t *testing.T, w net.Conn) (int64, error) // of data[3:], or what it says
		want []byte
	}{
		{"from a reader", func(t *testing.T, w net.Conn) (int64, error) {
			return io.Copy(w, bytes.NewReader(data))
		}, data},
		{"from a file with sendfile", func(t *testing.T, w net.Conn) (int64, error) {
			f := must(os.Open(file))(t)
			defer f.Close()
			must(f.Seek(3, io.SeekStart))(t)
			return io.Copy(w, f)
		}, data[3:]},
		{"from a part of a file", func(t *testing.T, w net.Conn) (int64, error) {
			f := must(os.Open(file))(t)
			defer f.Close()
			n, err := io.CopyN(w, f, 1<<20)
			if at := must(f.Seek(0, io.SeekCurrent))(t); at != 1<<20 {
				t.Errorf("the file is at %d", at)
			}
			return n, err
		}, data[:1<<20]},
		{"from a pipe, which sendfile does not take", func(t *testing.T, w net.Conn) (int64, error) {
			r, pw, err := os.Pipe()
			check(t, err)
			defer r.Close()
			go func() {
				pw.Write(data)
				pw.Close()
			}()
			return io.Copy(w, r)
		}, data},
		{"from TCP with splice", func(t *testing.T, w net.Conn) (int64, error) {
			return io.Copy(w, feeder(t, "tcp", data))
		}, data},
		{"from unix with splice", func(t *testing.T, w net.Conn) (int64, error) {
			return io.Copy(w, feeder(t, "unix", data))
		}, data},
		{"from a part of TCP", func(t *testing.T, w net.Conn) (int64, error) {
			src := feeder(t, "tcp", data)
			n, err := io.CopyN(w, src, 1<<20)
			b := make([]byte, 1)
			if must(io.ReadFull(src, b))(t); b[0] != data[1<<20] {
				t.Error("more than was asked for was taken")
			}
			return n, err
		}, data[:1<<20]},
		{"from package net", func(t *testing.T, w net.Conn) (int64, error) {
			l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
			defer l.Close()
			c := must(kernel.Host().Dial("tcp", l.Addr().String()))(t)
			go func() {
				c.Write(data)
				c.Close()
			}()
			src := must(l.Accept())(t)
			defer src.Close()
			return io.Copy(w, src)
		}, data},
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(tt.name+" to "+network, func(t *testing.T) {
				t.Parallel()
				w, r := connPair(t, network)
				got := make(chan []byte)
				go func() {
					b, err := io.ReadAll(r)
					if err != nil {
						t.Error(err)
					}
					got <- b
				}()
				n, err := tt.send(t, w)
				if n != int64(len(tt.want)) || err != nil {
					t.Errorf("copied %d, %v; want %d", n, err, len(tt.want))
				}
				w.Close()
				if b := <-got; !bytes.Equal(b, tt.want) {
					t.Errorf("%d bytes arrived, not as they were sent", len(b))
				}
			})
		}
	}
}

// feeder is a connection that data comes from.
func feeder(t *testing.T, network string, data []byte) net.Conn {
	r, w := connPair(t, network)
	go func() {
		w.Write(data)
		w.Close()
	}()
	return r
}

func TestCopiesToOtherWriters(t *testing.T) {
	src := feeder(t, "tcp", []byte("hello"))
	var b bytes.Buffer
	if n, err := io.Copy(&b, src); n != 5 || err != nil || b.String() != "hello" {
		t.Errorf("%d, %v, %q", n, err, b.String())
	}
}

func TestUDPMessagesCarryAncillaryData(t *testing.T) {
	a := must(kernel.Host().ListenPacket("udp4", "127.0.0.1:0"))(t).(*sockeye.UDPConn)
	defer a.Close()
	b := must(kernel.Host().ListenPacket("udp4", "127.0.0.1:0"))(t).(*sockeye.UDPConn)
	defer b.Close()
	check(t, sockeye.IP_RECVTTL.Set(b.Socket(), true))
	oob := sockeye.AppendInt(nil, sockeye.SOL_IP, sockeye.IP_TTL.Name, 33)
	n, oobn, err := a.WriteMsgUDP([]byte("hello"), oob, b.LocalAddr().(*net.UDPAddr))
	if n != 5 || oobn != len(oob) || err != nil {
		t.Fatal(n, oobn, err)
	}
	buf, control := make([]byte, 3), make([]byte, 64)
	n, oobn, flags, from, err := b.ReadMsgUDP(buf, control)
	if n != 3 || err != nil || from.String() != a.LocalAddr().String() {
		t.Fatal(n, from, err)
	}
	if sockeye.MsgFlags(flags) != sockeye.MSG_TRUNC {
		t.Errorf("flags %v", sockeye.MsgFlags(flags))
	}
	for c := range sockeye.ControlMessages(control[:oobn]) {
		if ttl, ok := c.Int(); !ok || ttl != 33 {
			t.Errorf("TTL %d", ttl)
		}
	}
	if oobn == 0 {
		t.Error("no ancillary data came")
	}
}

// golang.org/x/net sets options and reads batches through what it finds in a
// net.PacketConn, as QUIC does.
func TestXNetTakesUDPConns(t *testing.T) {
	a := must(kernel.Host().ListenPacket("udp4", "127.0.0.1:0"))(t)
	defer a.Close()
	p := ipv4.NewPacketConn(a)
	check(t, p.SetTTL(44))
	if ttl := must(p.TTL())(t); ttl != 44 {
		t.Errorf("TTL %d", ttl)
	}
	ms := []ipv4.Message{{Buffers: [][]byte{make([]byte, 8)}}, {Buffers: [][]byte{make([]byte, 8)}}}
	out := []ipv4.Message{{Buffers: [][]byte{[]byte("one")}, Addr: a.LocalAddr()}, {Buffers: [][]byte{[]byte("two")}, Addr: a.LocalAddr()}}
	if n, err := p.WriteBatch(out, 0); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := p.ReadBatch(ms, 0); n != 2 || err != nil || string(ms[1].Buffers[0][:ms[1].N]) != "two" {
		t.Fatal(n, err)
	}
}

func TestUDPReachesEveryFamily(t *testing.T) {
	pc := must(kernel.Host().ListenPacket("udp", ":0"))(t).(*sockeye.UDPConn)
	defer pc.Close()
	port := strconv.Itoa(pc.LocalAddr().(*net.UDPAddr).Port)
	for _, to := range []string{"127.0.0.1:" + port, "[::1]:" + port, "[::ffff:127.0.0.1]:" + port} {
		addr := must(net.ResolveUDPAddr("udp", to))(t)
		must(pc.WriteToUDP([]byte(to), addr))(t)
		buf := make([]byte, 64)
		n, from, err := pc.ReadFromUDP(buf)
		if err != nil || string(buf[:n]) != to || !from.IP.Equal(addr.IP) {
			t.Errorf("%s: %q from %v, %v", to, buf[:n], from, err)
		}
	}
}

func TestRawConnsGiveWhatIPCarries(t *testing.T) {
	pc, err := kernel.Host().ListenPacket("ip4:253", "127.0.0.1") // for experiments (RFC 3692)
	if errors.Is(err, os.ErrPermission) {
		t.Skip("raw sockets need privilege here")
	}
	check(t, err)
	defer pc.Close()
	c := must(kernel.Host().Dial("ip4:253", "127.0.0.1"))(t)
	defer c.Close()
	must(c.Write([]byte("payload")))(t)
	buf := make([]byte, 64)
	n, from, err := pc.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "payload" || from.String() != "127.0.0.1" {
		t.Errorf("%q from %v, %v", buf[:n], from, err)
	}
	must(pc.WriteTo([]byte("again"), from))(t)
	n, _, _, _, err = pc.(*sockeye.IPConn).ReadMsgIP(buf, nil)
	if err != nil || n != 25 || string(buf[20:n]) != "again" {
		t.Errorf("ReadMsgIP: %q, %v", buf[:n], err)
	}
}

func TestNewConnAndNewListenerKnowTheirSocket(t *testing.T) {
	h := kernel.Host()
	open := func(f sockeye.Family, typ sockeye.Type) *sockeye.Socket {
		s := must(h.Socket(f, typ, 0))(t)
		t.Cleanup(func() { s.Close() })
		return s
	}
	s := open(sockeye.AF_INET, sockeye.SOCK_STREAM)
	if _, err := sockeye.NewConn(s); err == nil {
		t.Error("a stream without a peer became a Conn")
	}
	if _, err := sockeye.NewListener(s); err == nil {
		t.Error("a socket that does not listen became a Listener")
	}
	check(t, s.Bind(sockeye.SockaddrInet4([4]byte{127, 0, 0, 1}, 0)))
	check(t, s.Listen(3))
	l := must(sockeye.NewListener(s))(t)
	c := open(sockeye.AF_INET, sockeye.SOCK_STREAM)
	check(t, c.Connect(must(s.Getsockname())(t)))
	conn := must(sockeye.NewConn(c))(t)
	accepted := must(l.Accept())(t)
	defer accepted.Close()
	must(accepted.Write([]byte("hi")))(t)
	buf := make([]byte, 8)
	if n, err := conn.Read(buf); string(buf[:n]) != "hi" || err != nil {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if conn.RemoteAddr().String() != l.Addr().String() {
		t.Errorf("the peer is %v, not %v", conn.RemoteAddr(), l.Addr())
	}
	u := must(sockeye.NewConn(open(sockeye.AF_INET6, sockeye.SOCK_DGRAM)))(t)
	if _, ok := u.(*sockeye.UDPConn); !ok {
		t.Errorf("a datagram socket became a %T", u)
	}
}

func TestSyscallConnReachesTheDescriptor(t *testing.T) {
	c, _ := connPair(t, "tcp")
	raw := must(c.(*sockeye.TCPConn).SyscallConn())(t)
	var fd uintptr
	check(t, raw.Control(func(f uintptr) { fd = f }))
	if int(fd) != c.(*sockeye.TCPConn).Socket().Descriptor() {
		t.Errorf("descriptor %d", fd)
	}
}

// A noIPv6Engine is a machine that was started without IPv6.
type noIPv6Engine struct{ sockeye.Engine }

func (e *noIPv6Engine) Socket(family sockeye.Family, typ sockeye.Type, proto sockeye.Protocol) (sockeye.Endpoint, error) {
	if family == sockeye.AF_INET6 {
		return nil, syscall.EAFNOSUPPORT
	}
	return e.Engine.Socket(family, typ, proto)
}

func TestListenersDoWithoutIPv6(t *testing.T) {
	h := sockeye.NewHost(&noIPv6Engine{kernel.Host().Engine()})
	l := must(h.Listen("tcp", ":0"))(t)
	defer l.Close()
	if ip := l.Addr().(*net.TCPAddr).IP; !ip.Equal(net.IPv4zero) {
		t.Errorf("listens on %v", ip)
	}
	pc := must(h.ListenPacket("udp", ":0"))(t)
	defer pc.Close()
	if ip := pc.LocalAddr().(*net.UDPAddr).IP; !ip.Equal(net.IPv4zero) {
		t.Errorf("receives on %v", ip)
	}
	if _, err := h.Listen("tcp6", ":0"); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("asked for IPv6 alone: %v", err)
	}
}

func TestAcceptEnds(t *testing.T) {
	for _, network := range []string{"tcp", "unix", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			l := must(kernel.Host().Listen(network, localAddress(t, network)))(t).(*sockeye.Listener)
			soon(t, func() { l.SetDeadline(time.Now()) })
			if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) || !err.(net.Error).Timeout() {
				t.Errorf("at the deadline: %v", err)
			}
			check(t, l.SetDeadline(time.Time{}))
			ctx, cancel := context.WithCancel(context.Background())
			soon(t, cancel)
			if _, _, err := l.Socket().WithContext(ctx).Accept(); !errors.Is(err, context.Canceled) {
				t.Errorf("with its context: %v", err)
			}
			soon(t, func() { l.Close() })
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("at Close: %v", err)
			}
		})
	}
}
